"""The largest error that a worker sends comes through Envoy whole."""

import pytest

from tests.support.error_stack import error_stack

_TIMES = ",".join(['"time":true'] * 40)
_EVENT = f'{{"user":{{}},"eventName":"e",{_TIMES}}}'


@pytest.mark.parametrize("events", [1, 100, 500])
def test_more_errors_than_there_is_room_for_are_counted(events: int) -> None:
    with error_stack() as stack:
        told = stack.rest(f'{{"events":[{",".join([_EVENT] * events)}]}}')

    named = min(events, 100)
    assert told.status == 400
    assert (told.body["invalidEvents"], told.body["events"]) == (events, events)
    assert len(told.errors) + told.body.get("errorsNotShown", 0) == named * 40
    assert (events == 1) == (len(told.errors) == named * 40)
    assert all(found == "boolean" for _, _, found in told.errors)
    assert "none was accepted" in told.message
