"""DuckDB, pandas and Polars read the lake with the documented types and partitions; no bad byte ever gets there."""

import datetime as dt
import json
import time
from pathlib import Path

import duckdb
import httpx
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.service import Service

_EVENT = {
    "user": {"userID": "u1", "customIDs": {"companyID": "c9"}, "custom": {"plan": "pro"}},
    "eventName": "bought",
    "time": 1767225600000,
    "value": 9.5,
    "metadata": {"text": "größer 🚀"},
}


def _post(service: Service, content: bytes) -> httpx.Response:
    headers = {"statsig-api-key": service.server_key, "statsig-client-time": str(int(time.time() * 1000))}
    return httpx.post(f"{service.rest}/v1/log_event", content=content, headers=headers, timeout=20)


@pytest.fixture(scope="module")
def lake(service: Service) -> Path:
    assert _post(service, json.dumps({"events": [_EVENT] * 3}).encode()).status_code == 202
    service.flush()
    return service.data_dir / "lake/events"


def test_duckdb_reads_types_and_partitions(lake: Path) -> None:
    events = f"read_parquet('{lake}/*/*/*.parquet', union_by_name=true, hive_partitioning=true)"
    rows = (
        duckdb.sql(
            "select typeof(received_at), typeof(event_time), typeof(time_ms), typeof(value_number),"
            " typeof(user_custom_ids), typeof(metadata), typeof(received_date), value_number,"
            " user_custom_ids['companyID'], metadata"
            f" from {events} where event_name = 'bought'"
        )
        .limit(1)
        .fetchall()
    )

    assert rows == [
        (
            "TIMESTAMP WITH TIME ZONE",
            "TIMESTAMP WITH TIME ZONE",
            "BIGINT",
            "DOUBLE",
            "MAP(VARCHAR, VARCHAR)",
            "VARCHAR",
            "DATE",
            9.5,
            "c9",
            json.dumps(_EVENT["metadata"]),
        )
    ]


def test_pandas_reads_types_and_partitions(lake: Path) -> None:
    frame = pd.read_parquet(lake)
    row = frame[frame["event_name"] == "bought"].iloc[0]

    assert str(frame["received_at"].dtype) == "datetime64[us, UTC]"
    assert str(frame["value_number"].dtype) == "float64"
    assert row["value_number"] == 9.5
    assert dict(row["user_custom_ids"]) == {"companyID": "c9"}
    assert str(row["received_date"]) == dt.datetime.now(dt.UTC).date().isoformat()


def test_polars_reads_types_and_partitions(lake: Path) -> None:
    frame = pl.scan_parquet(f"{lake}/**/*.parquet", hive_partitioning=True).filter(event_name="bought").collect()

    assert frame.schema["received_at"] == pl.Datetime("us", "UTC")
    assert frame.schema["received_date"] == pl.Date
    assert frame.schema["time_ms"] == pl.Int64
    assert frame["value_number"][0] == 9.5
    assert json.loads(frame["metadata"][0]) == _EVENT["metadata"]


_BODY = json.dumps({"events": [_EVENT], "statsigMetadata": {"sdkType": "x"}, "beyond": ["a", {"b": "c"}]}).encode()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, len(_BODY)),
    st.sampled_from([b"\xff", b"\x80", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82"]),
)
def test_a_byte_that_is_not_utf_8_is_400_wherever_it_stands(service: Service, position: int, planted: bytes) -> None:
    answer = _post(service, _BODY[:position] + planted + _BODY[position:])

    assert answer.status_code == 400
    assert "UTF-8" in answer.json()["message"]


def test_every_text_in_every_file_is_utf_8(service: Service, lake: Path) -> None:
    service.flush()
    for file in lake.rglob("*.parquet"):
        pq.read_table(file).validate(full=True)
