"""Each error out of the real edge and the real doors: where, what was expected, what was found, how to mend it.

The table (tests/support/error_cases.py) is complete: it holds every reason, and it reaches every place in the code that
makes a violation, every answer that Envoy's configuration holds, and every error that Envoy makes for gRPC.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import sluice.ingest
from sluice.edge.native_errors import native_errors
from sluice.edge.render import render
from sluice.error_details import Reason
from sluice.ingest.violations import Invalid, Violation
from tests.support.error_cases import CASES, ErrorCase
from tests.support.error_document import PAGE, with_tables
from tests.support.error_stack import Stack, Told, error_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

_INGEST = Path(sluice.ingest.__file__).parent
# What makes a violation, and what only words it.
_MAKERS = {"Violation", "invalid_request", "_expect", "_missing", "_no_time"}
# What nobody meets beyond Envoy, by a part of the code that makes it.
_THROUGH_NO_DOOR = {
    '"JSON", "too deep nesting"': "Pythons that read less deep than the limit; none of today's",
    "mend=_FOR_ENVOY": "Envoy always sends a google.api.HttpBody",
    "_SEVERAL_MESSAGES": "Envoy refuses more than one message",
    "found=violation.found)": "quarantine.py gives a violation its place again; no answer tells it",
}


@dataclass
class Answers:
    """What came of each case, by its place in the table; and the lines of ingest that made a violation meanwhile."""

    told: list[Told] = field(default_factory=list)
    lines: set[tuple[str, int]] = field(default_factory=set)
    facts: dict[str, object] = field(default_factory=dict)
    stack: Stack | None = None


@pytest.fixture(scope="module")
def answers() -> Iterator[Answers]:
    """Meet each error once."""
    found = Answers()
    construct = Violation.__init__

    def note(self: Violation, **values: Any) -> None:
        frame = sys._getframe(1)
        while frame is not None:
            path = Path(frame.f_code.co_filename)
            if path.parent == _INGEST:
                found.lines.add((path.name, frame.f_lineno))
            frame = frame.f_back
        construct(self, **values)

    with pytest.MonkeyPatch.context() as patch, error_stack() as stack:
        patch.setattr(Violation, "__init__", note)
        found.facts, found.stack = stack.facts, stack
        found.told = [case.meet(stack) for case in CASES]
        yield found


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.status} {case.cause}")
def test_an_error_says_where_what_was_expected_what_was_found_and_how_to_mend_it(
    answers: Answers, case: ErrorCase
) -> None:
    told = answers.told[CASES.index(case)]
    begins, mend = case.begins.format(**answers.facts), case.mend.format(**answers.facts)

    assert told.status == case.status
    assert told.message.startswith(begins)
    assert mend in told.message[len(begins) :]
    assert not case.path or (case.path and case.expected and case.found and case.mend)
    if isinstance(case.status, str):
        assert case.reason is not None
        assert told.reason == case.reason.value


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.status} {case.cause}")
def test_what_a_message_says_programs_can_read(answers: Answers, case: ErrorCase) -> None:
    told = answers.told[CASES.index(case)]

    if case.reason not in {Reason.INVALID_EVENTS, Reason.INVALID_REQUEST}:
        assert told.errors == ()
        assert set(told.body) <= {"message", "status"}
    elif isinstance(case.status, int):
        path, expected, found = told.errors[0]
        assert (path, expected) == (case.path, case.expected)
        assert found.startswith(case.found)
        counted = case.reason is Reason.INVALID_EVENTS
        assert (told.body.get("invalidEvents"), told.body.get("events")) == ((1, 1) if counted else (None, None))
    else:
        assert told.errors in ((), ((case.path, case.begins.partition(": ")[2]),))


def test_every_reason_is_in_the_table() -> None:
    assert {case.reason for case in CASES} - {None} == set(Reason)


def test_every_place_that_makes_a_violation_is_reached_by_the_table(answers: Answers) -> None:
    places = {place: text for path in sorted(_INGEST.glob("*.py")) for place, text in _places_in(path)}

    missed = {
        f"{name}:{first}: {text}"
        for (name, first, last), text in places.items()
        if not any((name, line) in answers.lines for line in range(first, last + 1))
        and not any(known in text for known in _THROUGH_NO_DOOR)
    }
    assert len(places) > 30
    assert missed == set()


def _places_in(path: Path) -> Iterator[tuple[tuple[str, int, int], str]]:
    """Calls within functions that make a violation: file, first and last line, and their text."""
    source = path.read_text()
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _MAKERS:
                yield (
                    (path.name, node.lineno, node.end_lineno or node.lineno),
                    ast.get_source_segment(source, node) or "",
                )


def test_every_violation_that_is_made_beforehand_is_in_the_table(answers: Answers) -> None:
    made = {
        str(value.violations[0])
        for name, module in sys.modules.items()
        if name.startswith("sluice.ingest.")
        for constant, value in vars(module).items()
        if isinstance(value, Invalid) and constant not in _THROUGH_NO_DOOR
    }

    assert made
    assert {begins for begins in made if not any(told.message.startswith(begins) for told in answers.told)} == set()


def test_every_answer_that_envoy_holds_is_in_the_table(answers: Answers) -> None:
    assert answers.stack is not None
    configs = [answers.stack.edge.config, answers.stack.typed_edge.config]
    held = {error.message for config in configs for error in native_errors(config).values()}
    for config in configs:
        [chain] = yaml.safe_load(render(config))["static_resources"]["listeners"][0]["filter_chains"]
        manager = chain["filters"][0]["typed_config"]
        held |= {
            route["direct_response"]["body"]["inline_string"]
            for route in manager["route_config"]["virtual_hosts"][0]["routes"]
            if route.get("direct_response", {}).get("status", 0) >= 400
            and "body" in route["direct_response"]
            # Native callers are told otherwise: by a mapper, below.
            and "grpc" not in route["name"]
        }
        held |= {
            mapper["body"]["inline_string"] for mapper in manager["local_reply_config"]["mappers"] if "body" in mapper
        }

    assert len(held) > 12
    assert {text for text in held if not any(text in told.message for told in answers.told)} == set()


def test_the_document_lists_the_table() -> None:
    assert with_tables(PAGE.read_text()) == PAGE.read_text(), "make docs"
