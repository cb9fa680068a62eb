from hypothesis import given
from hypothesis import strategies as st

from sluice.client.answer import Refused, Violation
from sluice.client.narrow import AtFault, narrow

batches = st.lists(st.booleans(), min_size=1, max_size=120)


def _run(right: list[bool], *, most_named: int) -> tuple[list[bytes], list[bytes], int]:
    """Send a batch to a server that names so many events at most: what it took, what was out, how many requests."""
    events = {b"%d" % index: ok for index, ok in enumerate(right)}
    taken: list[bytes] = []
    out: list[bytes] = []
    waiting = [list(events)]
    requests = 0
    while waiting:
        batch = waiting.pop(0)
        requests += 1
        assert requests <= 2 * len(events)
        wrong = [index for index, event in enumerate(batch) if not events[event]]
        if not wrong:
            taken += batch
            continue
        violations = tuple(Violation(index=index, path="p", message="m") for index in wrong[:most_named])
        narrowed = narrow(batch, Refused(message="no", violations=violations))
        out += [at_fault.encoded for at_fault in narrowed.out]
        waiting += narrowed.again
    return taken, out, requests


@given(batches, st.sampled_from([0, 1, 100]))
def test_each_right_event_is_taken_and_each_wrong_one_is_out(right: list[bool], most_named: int) -> None:
    taken, out, requests = _run(right, most_named=most_named)

    assert sorted(taken, key=int) == [b"%d" % index for index, ok in enumerate(right) if ok]
    assert sorted(out, key=int) == [b"%d" % index for index, ok in enumerate(right) if not ok]
    if most_named == 100:
        assert requests <= 3  # at most 120 events: two refusals, and what is left


def test_an_event_is_out_with_all_that_is_said_of_it() -> None:
    refused = Refused(
        message="no",
        violations=(
            Violation(index=1, path="event_name", message="missing"),
            Violation(index=1, path="user", message="missing"),
        ),
    )

    narrowed = narrow([b"a", b"b"], refused)

    assert narrowed.out == [AtFault(b"b", "event_name", "missing; user: missing")]
    assert narrowed.again == [[b"a"]]


def test_events_that_the_batch_has_not_are_not_believed() -> None:
    narrowed = narrow([b"a", b"b"], Refused(message="no", violations=(Violation(index=7, path="p", message="m"),)))

    assert (narrowed.out, narrowed.again) == ([], [[b"a"], [b"b"]])
