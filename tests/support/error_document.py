"""The tables of docs/errors.md, as the tests know them.

    python -m tests.support.error_document

writes them into the page (make docs); a test compares.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.support.error_cases import CASES, ErrorCase
from tests.support.leniencies import LENIENCIES, Leniency

PAGE = Path(__file__).parents[2] / "docs/errors.md"
# What messages say of a service with the default settings.
_FACTS = {"max_body": 10 * 1024 * 1024, "patience_s": 30, "client": "client-a"} | dict.fromkeys(
    ("server", "revoked", "expired", "unknown"), "secret-a"
)


def with_tables(page: str) -> str:
    """The page with its tables as they must be."""
    http = [case for case in CASES if isinstance(case.status, int) and not case.cause.startswith("typed")]
    tables: dict[str, str] = {
        "400": _errors(http, lambda case: case.status == 400),
        "refused": _errors(http, lambda case: 400 < int(case.status) < 500),
        "later": _later(http),
        "typed": _errors(CASES, lambda case: case.cause.startswith("typed")),
        "grpc": _errors(CASES, lambda case: isinstance(case.status, str) and bool(case.path)),
        "leniencies": _leniencies(LENIENCIES),
    }
    for name, table in tables.items():
        marked = rf"(<!-- {name}: make docs -->\n).*?(<!-- end -->)"
        page, found = re.subn(marked, lambda match, table=table: f"{match[1]}{table}{match[2]}", page, flags=re.DOTALL)
        assert found == 1, f"the page has no place for the table {name}"
    return page


def _errors(cases: Sequence[ErrorCase], wanted: Callable[[ErrorCase], bool]) -> str:
    lines = ["| cause | status | where | expected | found | what to do |", "|---|---|---|---|---|---|"]
    for case in filter(wanted, cases):
        texts = (f"`{_text(text)}`" for text in (case.path, case.expected, case.found))
        cause = case.cause.removeprefix("typed transcoding: ")
        lines.append(f"| {cause} | {case.status} | {' | '.join(texts)} | {_text(case.mend)} |")
    return "".join(f"{line}\n" for line in lines)


def _later(cases: Sequence[ErrorCase]) -> str:
    lines = ["| cause | status | message |", "|---|---|---|"]
    lines += [
        f"| {case.cause} | {case.status} | `{_text(case.found)}; {_text(case.mend)}` |"
        for case in cases
        if not case.path
    ]
    return "".join(f"{line}\n" for line in lines)


def _leniencies(leniencies: Sequence[Leniency]) -> str:
    lines = ["| taken | for example | the row says | who sends it |", "|---|---|---|---|"]
    for leniency in leniencies:
        said = ", ".join(f"`{column}` {_value(value)}" for column, value in leniency.row.items()) or "no row"
        lines.append(f"| {leniency.name} | `{leniency.example}` | {said} | {leniency.sender} |")
    return "".join(f"{line}\n" for line in lines)


def _value(value: object) -> str:
    return "null" if value is None else f"`{value}`"


def _text(text: str) -> str:
    return text.format(**_FACTS)


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
