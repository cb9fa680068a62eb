"""The rows of a request are found in the lake by its id, reading no more than the statistics leave open."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sluice.lake import locate
from sluice.lake import parquet as lake_parquet
from sluice.lake.locate import locate_rows, read_rows
from tests.support.lake_log import HOUR, NOW, MemoryLog, record, uuid7
from tests.support.lake_service import files, publish_all, started


def _body(*names: str) -> bytes:
    return ('{"events":[' + ",".join(f'{{"eventName":"{name}","time":1}}' for name in names) + "]}").encode()


def _id(number: int) -> str:
    return str(uuid7(NOW, number))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "lake/events"


def _publish(data_dir: Path, *segments: list[tuple[int, bytes]]) -> MemoryLog:
    log = MemoryLog()
    for segment in segments:
        log.seal([record(body, number=number) for number, body in segment])
    publish_all(started(data_dir, log))
    return log


def test_a_request_is_found_with_its_rows_and_the_segments_of_its_file(tmp_path: Path, table: Path) -> None:
    _publish(tmp_path, [(1, _body("a")), (2, _body("b", "c"))], [(3, _body("d"))])

    located = locate_rows(table, _id(2))

    [rows] = located.rows
    assert located.unreadable == ()
    assert [rows.path] == files(tmp_path)
    assert (rows.row_groups, rows.first_row, rows.rows, rows.file_rows) == ((0,), 1, 2, 4)
    assert [segment.records for segment in rows.segments or ()] == [2, 1]
    assert (rows.schema_version, rows.source, rows.project, rows.key_id) == (1, "sdk", "default", "key_1")
    assert rows.received_at.timestamp() == NOW
    assert [row["event_name"] for row in read_rows(rows, _id(2), limit=10)] == ["b", "c"]
    assert [row["event_name"] for row in read_rows(rows, _id(2), limit=1)] == ["b"]


def test_a_request_that_is_not_there_is_not_found(tmp_path: Path, table: Path) -> None:
    assert locate_rows(table, _id(1)).rows == ()
    _publish(tmp_path, [(1, _body("a")), (3, _body("b"))])

    assert locate_rows(table, _id(2)).rows == ()
    assert locate_rows(table, _id(4)).rows == ()


def test_only_files_of_the_named_hours_are_looked_at(tmp_path: Path, table: Path) -> None:
    _publish(tmp_path, [(1, _body("a"))])

    assert locate_rows(table, _id(1), hours={"20260131T06"}).rows == ()
    assert len(locate_rows(table, _id(1), hours={HOUR, "20260131T06"}).rows) == 1


def test_rows_in_several_row_groups_are_found_together(
    tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake_parquet, "_ROW_GROUP_BYTES", 1)
    monkeypatch.setattr(locate, "_ROWS_AT_ONCE", 1000)
    _publish(tmp_path, [(1, _body("a")), (2, _body(*["b"] * 25_000))], [(3, _body("c"))])

    [rows] = locate_rows(table, _id(2)).rows

    assert len(rows.row_groups) == 3
    assert (rows.first_row, rows.rows, rows.file_rows) == (1, 25_000, 25_002)
    assert [row["event_index"] for row in read_rows(rows, _id(2), limit=12_000)] == list(range(12_000))


def test_row_groups_that_the_statistics_exclude_are_not_read(
    tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake_parquet, "_ROW_GROUP_BYTES", 1)
    _publish(tmp_path, [(1, _body("a"))], [(2, _body("b"))], [(3, _body("c"))])
    asked: list[int] = []
    iter_batches = pq.ParquetFile.iter_batches

    def asking(self: pq.ParquetFile, *arguments: object, row_groups: list[int], **others: object) -> object:
        asked.extend(row_groups)
        return iter_batches(self, *arguments, row_groups=row_groups, **others)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", asking)

    assert locate_rows(table, _id(3)).rows[0].row_groups == (2,)
    assert asked == [2]


def test_a_file_without_statistics_is_read(tmp_path: Path, table: Path) -> None:
    _publish(tmp_path, [(1, _body("a"))])
    [path] = files(tmp_path)
    pq.write_table(pq.ParquetFile(path).read(), path, write_statistics=False)

    [rows] = locate_rows(table, _id(1)).rows
    assert rows.rows == 1


def test_a_copy_is_found_besides(tmp_path: Path, table: Path) -> None:
    _publish(tmp_path, [(1, _body("a"))])
    [path] = files(tmp_path)
    shutil.copy(path, path.with_name("copy.parquet"))

    assert len(locate_rows(table, _id(1)).rows) == 2


@pytest.mark.parametrize("content", [b"", b"no Parquet", b"PAR1" + bytes(40) + b"PAR1"])
def test_a_file_that_is_none_of_the_lakes_is_named_and_the_rest_is_found(
    tmp_path: Path, table: Path, content: bytes
) -> None:
    _publish(tmp_path, [(1, _body("a"))])
    strange = files(tmp_path)[0].with_name("a.parquet")
    strange.write_bytes(content)

    located = locate_rows(table, _id(1))

    assert located.unreadable == (strange,)
    assert len(located.rows) == 1


def test_a_table_of_others_is_named(tmp_path: Path, table: Path) -> None:
    _publish(tmp_path, [(1, _body("a"))])
    strange = files(tmp_path)[0].with_name("strange.parquet")
    pq.write_table(pa.table({"request_id": [_id(1)]}), strange)

    assert locate_rows(table, _id(1)).unreadable == (strange,)


def test_a_file_whose_pages_are_damaged_is_named(tmp_path: Path, table: Path) -> None:
    _publish(tmp_path, [(1, _body(*"abcdef"))])
    [path] = files(tmp_path)
    content = bytearray(path.read_bytes())
    column = pq.ParquetFile(path).metadata.row_group(0).column(0)
    begin = column.dictionary_page_offset or column.data_page_offset
    content[begin : begin + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(content)

    assert locate_rows(table, _id(1)).unreadable == (path,)


def test_a_table_whose_columns_are_of_other_types_is_named(tmp_path: Path, table: Path) -> None:
    _publish(tmp_path, [(1, _body("a"))])
    strange = files(tmp_path)[0].with_name("strange.parquet")
    pq.write_table(
        pa.table({name: [1] for name in ("request_id", "received_at", "source", "project", "key_id")}), strange
    )

    located = locate_rows(table, _id(1))

    assert located.unreadable == (strange,)
    assert len(located.rows) == 1
