"""The table of docs/sdks.md: what becomes of each SDK's events under each fault."""

from collections.abc import Mapping
from pathlib import Path

from tests.clients.outcomes import Outcome
from tests.clients.sdks import SDKS
from tests.clients.tools import ROOT
from tests.clients.verdicts import EXPECTED, Verdict

DOCUMENT = ROOT / "docs/sdks.md"

_BEGIN = "<!-- make test-clients writes this table: it is what it saw -->\n\n"
_END = "\n<!-- end of what make test-clients writes -->\n"


def rendered(verdicts: Mapping[tuple[str, str], Verdict]) -> str:
    """The table.

    Args:
        verdicts: by the fault's name and the SDK's; there is one for each pair.
    """
    faults = list(EXPECTED)
    lines = [f"| SDK | {' | '.join(faults)} |", f"|---{'|---' * len(faults)}|"]
    for sdk in SDKS:
        cells = [verdicts[fault, sdk.name].value for fault in faults]
        lines.append(f"| {sdk.title} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def counted(outcomes: Mapping[str, Mapping[str, Outcome]]) -> str:
    """The figures for a terminal: events delivered, rows repeated, events dropped.

    Args:
        outcomes: by the fault's name, then by the SDK's.
    """
    lines = [f"{'':34}" + "".join(f"{fault:>17}" for fault in outcomes)]
    for sdk in SDKS:
        cells = [
            f"{found.delivered:>7}{found.repeated:>5}{len(found.lost):>5}" if found else f"{'not run':>17}"
            for found in (of_a_fault.get(sdk.name) for of_a_fault in outcomes.values())
        ]
        lines.append(f"{sdk.title.replace('`', ''):34}{''.join(cells)}")
    return "\n".join(lines) + "\n"


def expected() -> str:
    """The table as it is when nothing has changed."""
    return rendered({(fault, sdk): cell.verdict for fault, cells in EXPECTED.items() for sdk, cell in cells.items()})


def documented(document: Path = DOCUMENT) -> str:
    """The table that stands in the document."""
    _, table, _ = _split(document)
    return table


def write(table: str, document: Path = DOCUMENT) -> None:
    """Put the table into the document."""
    before, _, after = _split(document)
    document.write_text(f"{before}{_BEGIN}{table}{_END}{after}")


def _split(document: Path) -> tuple[str, str, str]:
    before, _, rest = document.read_text().partition(_BEGIN)
    table, end, after = rest.partition(_END)
    assert end, f"{document} lacks the marks of the table"
    return before, table, after
