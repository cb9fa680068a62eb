"""What docs/lake.md prints of server/sluice/lake/: the tables of columns in schema.py, the SQL in views/.

python tools/document_lake.py            write them anew
python tools/document_lake.py --check    only say whether they are up to date
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from sluice.lake.schema import EVENT_COLUMNS, PARTITION_COLUMNS, REJECT_COLUMNS, Column
from sluice.lake.views import VIEWS, sql_of

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
    """The page with all that is printed in it as the sources have it."""
    for name, columns in _TABLES.items():
        page = _with(page, f"<!-- columns of {name}: make docs -->", table(columns), f"<!-- end of {name} -->")
    for name in VIEWS:
        sql = f"```sql\n{sql_of(name)}```"
        page = _with(page, f"<!-- SQL of {name}: make docs -->", sql, f"<!-- end of SQL of {name} -->")
    return page


def _with(page: str, begin: str, text: str, end: str) -> str:
    before, _, rest = page.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"error: {_PAGE} has no place between {begin} and {end}")
    return f"{before}{begin}\n{text}\n{end}{after}"


def main() -> int:
    """Write or check the page."""
    page = _PAGE.read_text()
    if page == renewed(page):
        return 0
    if "--check" in sys.argv[1:]:
        print(f"error: {_PAGE} is not what server/sluice/lake/ says", file=sys.stderr)
        print("  hint: make docs", file=sys.stderr)
        return 1
    _PAGE.write_text(renewed(page))
    return 0


if __name__ == "__main__":
    sys.exit(main())
