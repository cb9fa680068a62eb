"""The tables of columns in docs/lake.md, as server/sluice/lake/schema.py has them.

python tools/document_lake.py            write them anew
python tools/document_lake.py --check    only say whether they are up to date
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from sluice.lake.schema import EVENT_COLUMNS, PARTITION_COLUMNS, REJECT_COLUMNS, Column

_PAGE = Path(__file__).parents[1] / "docs/lake.md"
_TABLES = {"events": EVENT_COLUMNS, "partitions": PARTITION_COLUMNS, "rejects": REJECT_COLUMNS}


def table(columns: Sequence[Column]) -> str:
    """A Markdown table of columns."""
    lines = ["| column | type | null | meaning | source |", "|---|---|---|---|---|"]
    for column in columns:
        may_be_null = "yes" if column.nullable else "no"
        lines.append(f"| `{column.name}` | {column.kind} | {may_be_null} | {column.meaning} | {column.source} |")
    return "\n".join(lines)


def renewed(page: str) -> str:
    """The page with all its tables as the schema has them."""
    for name, columns in _TABLES.items():
        begin, end = f"<!-- columns of {name}: make docs -->", f"<!-- end of {name} -->"
        before, _, rest = page.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise SystemExit(f"error: {_PAGE} has no place for the columns of {name}: {begin} … {end}")
        page = f"{before}{begin}\n{table(columns)}\n{end}{after}"
    return page


def main() -> int:
    """Write or check the page."""
    page = _PAGE.read_text()
    if page == renewed(page):
        return 0
    if "--check" in sys.argv[1:]:
        print(f"error: {_PAGE} is not what server/sluice/lake/schema.py says", file=sys.stderr)
        print("  hint: make docs", file=sys.stderr)
        return 1
    _PAGE.write_text(renewed(page))
    return 0


if __name__ == "__main__":
    sys.exit(main())
