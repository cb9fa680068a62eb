"""docs/lake.md, "Experiments": its SQL runs where it is pasted, and it names all there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from sluice.lake.views import CALLS, VIEWS
from tests.support.lake_log import MemoryLog
from tests.support.lake_service import publish_all, started
from tests.support.lake_sql import event, exposure, sent

if TYPE_CHECKING:
    from collections.abc import Iterator

_PAGE = (Path(__file__).parents[3] / "docs/lake.md").read_text()
_SECTION = _PAGE.partition("\n## Experiments\n")[2].partition("\n## ")[0]
_BLOCKS = re.findall(r"^```sql\n(.*?)^```", _SECTION, re.MULTILINE | re.DOTALL)
_DEFINITIONS = [block for block in _BLOCKS if "CREATE OR REPLACE" in block]
_EXAMPLES = [block for block in _BLOCKS if block not in _DEFINITIONS]


@pytest.fixture(scope="module")
def pasted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB beside the service's program: its files, read as the document says, and the SQL that it prints."""
    data_dir = tmp_path_factory.mktemp("lake")
    log = MemoryLog()
    log.seal([sent(exposure("config", "checkout", "one_page", user="u1"), event("bought", user="u1", at_s=1, value=2))])
    publish_all(started(data_dir, log))
    options = "union_by_name=true, hive_partitioning=true, hive_types={'received_date': date, 'received_hour': bigint}"
    with duckdb.connect() as connection:
        connection.execute(
            f"CREATE VIEW events AS FROM read_parquet('{data_dir}/lake/events/*/*/*.parquet', {options})"
        )
        for definition in _DEFINITIONS:
            connection.execute(definition)
        yield connection


def test_each_view_is_printed_in_an_order_in_which_it_can_be_pasted(pasted: duckdb.DuckDBPyConnection) -> None:
    assert len(_DEFINITIONS) == len(VIEWS)
    assert pasted.execute(
        "select group_name, total from metric_by_group('checkout', 'bought', measure := 'sum')"
    ).fetchall() == [("one_page", 2.0)]


@pytest.mark.parametrize("example", _EXAMPLES, ids=lambda example: example.partition("(")[0])
def test_an_example_runs(example: str, pasted: duckdb.DuckDBPyConnection) -> None:
    assert len(_EXAMPLES) >= 3
    assert pasted.sql(example).project("1").fetchall()


@pytest.mark.parametrize(
    "view", ["exposures", *(call.replace("'control group'", "'one_page'") for call in CALLS.values())]
)
def test_each_column_is_explained(view: str, pasted: duckdb.DuckDBPyConnection) -> None:
    names = [name for name, *_ in pasted.execute(f"describe from {view}").fetchall()]

    assert names
    assert [name for name in names if f"`{name}`" not in _SECTION] == []


def test_each_parameter_is_explained(pasted: duckdb.DuckDBPyConnection) -> None:
    found = pasted.execute(
        f"select distinct unnest(parameters) from duckdb_functions() where function_name in {VIEWS}"
    ).fetchall()

    parameters = {name for (name,) in found} - {"experiment", "event_name", "control"}
    assert len(parameters) >= 8
    assert {name for name in parameters if f"`{name}`" not in _SECTION} == set()
