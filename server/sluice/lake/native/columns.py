"""Columns of what a compiled pass has found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sluice.lake.exposures import EXPOSURE_FIELDS
from sluice.lake.fields import EVENT_FIELDS
from sluice.lake.native.gather import gather, room_of
from sluice.lake.native.scan_exposures import KINDS, scan_exposures
from sluice.native import found as of
from sluice.native.vectors import WIDTH

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sluice.native.arrays import Bytes
    from sluice.native.found import Found, Spans

__all__ = ["events_of", "exposures_of", "text_column"]


def events_of(
    found: Found,
    counts: NDArray[np.int64],
    *,
    buffer: Bytes,
    objects: Bytes,
    ask: Callable[[int, int], tuple[float | None, bool]],
) -> pa.RecordBatch:
    """The rows of `EVENT_FIELDS`.

    Args:
        found: what was found in n bodies.
        counts: n: how many events each has.
        buffer: where texts stand.
        objects: where the texts of free-form objects stand.
        ask: the number that a text of a value is, given its begin and size, and whether the text is kept beside it.
    """
    rows = int(counts.sum())
    numbers = _numbers(found, rows, ask)
    ends = np.cumsum(counts)

    def texts(field: int) -> pa.Array:
        return text_column(buffer, found.fields, field, rows)

    def json(field: int) -> pa.Array:
        return text_column(objects, found.fields, field, rows)

    columns = [
        pa.array(np.repeat(np.arange(len(counts), dtype=np.int32), counts)),
        pa.array((np.arange(rows) - np.repeat(ends - counts, counts)).astype(np.int32)),
        texts(of.EVENT_ID),
        texts(of.EVENT_NAME),
        pa.array(found.times[:rows], mask=found.has_time[:rows] == 0),
        numbers,
        texts(of.VALUE),
        json(of.METADATA),
        json(of.SECONDARY_EXPOSURES),
        texts(of.USER_ID),
        texts(of.EMAIL),
        json(of.CUSTOM),
        _ids(buffer, found, rows),
        *map(texts, (of.STABLE_ID, of.IP, of.USER_AGENT, of.COUNTRY, of.LOCALE, of.APP_VERSION, of.TIER)),
        _object("statsigMetadata", json(of.EVENT_ABOUT)),
        _object("analyticsOnlyMetadata", json(of.ANALYTICS)),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=EVENT_FIELDS)


def exposures_of(found: Found, rows: int, *, buffer: Bytes, objects: Bytes) -> tuple[pa.Array, pa.RecordBatch] | None:
    """`event_kind` and the rows of `EXPOSURE_FIELDS`; None where exposures.py must look at them.

    Args:
        found: what was found, changed.
        rows: how many events.
        buffer: where names stand.
        objects: where metadata stand.
    """
    if not scan_exposures(buffer, objects, rows, found):
        return None
    outcomes = found.outcomes[:rows]
    columns = {
        "exposure_name": of.EXPOSURE_NAME,
        "rule_id": of.RULE_ID,
        "allocated_experiment": of.ALLOCATED_EXPERIMENT,
        "parameter_name": of.PARAMETER_NAME,
        "exposure_reason": of.EXPOSURE_REASON,
    }
    exposures = [
        text_column(objects, found.fields, columns[field.name], rows)
        if field.name in columns
        else pa.array(outcomes == 1, mask=outcomes == of.NULL)
        for field in EXPOSURE_FIELDS
    ]
    kinds = pa.array([kind.value for kind in KINDS]).take(pa.array(found.event_kinds[:rows]))
    return kinds, pa.RecordBatch.from_arrays(exposures, schema=EXPOSURE_FIELDS)


def text_column(buffer: Bytes, spans: Spans, kind: int, rows: int) -> pa.Array:
    """The first texts of one kind; the buffer is padded (vectors.py)."""
    begins, sizes = spans.begins[kind], spans.sizes[kind]
    room, nulls = room_of(sizes, rows)
    if nulls == rows:
        return pa.nulls(rows, pa.string())
    offsets = np.empty(rows + 1, np.int32)
    data = np.empty(room + WIDTH, np.uint8)
    valid = np.zeros((rows + 7) // 8, np.uint8)
    gather(buffer, begins, sizes, rows, offsets, data, valid)
    return pa.StringArray.from_buffers(
        rows, pa.py_buffer(offsets), pa.py_buffer(data), pa.py_buffer(valid) if nulls else None, nulls
    )


def _numbers(found: Found, rows: int, ask: Callable[[int, int], tuple[float | None, bool]]) -> pa.Array:
    """`value_number`; a text that doesn't stand beside it is noted no more."""
    numbers, kinds = found.numbers[:rows], found.kinds[:rows]
    is_number = (kinds == of.NUMBER) | (kinds == of.NUMBER_IN_TEXT)
    begins, sizes = found.fields.begins[of.VALUE], found.fields.sizes[of.VALUE]
    for row in np.flatnonzero(kinds == of.ASK).tolist():
        number, is_kept = ask(int(begins[row]), int(sizes[row]))
        if not is_kept:
            sizes[row] = of.NULL
        if number is not None:
            numbers[row], is_number[row] = number, True
    return pa.array(numbers, mask=~is_number)


def _ids(buffer: Bytes, found: Found, rows: int) -> pa.Array:
    ends = found.id_ends[:rows]
    total = int(ends[-1]) if rows else 0
    starts = np.concatenate(([0], ends)).astype(np.int32)
    # A null offset is how Arrow is told of a null; its range is empty.
    offsets = pa.array(starts, mask=np.append(np.diff(starts) == 0, False))
    keys, texts = (text_column(buffer, found.ids, kind, total) for kind in (of.KEY, of.TEXT))
    return pa.MapArray.from_arrays(offsets, keys, texts)


def _object(key: str, texts: pa.Array) -> pa.Array:
    """Objects with that one member, where it isn't null."""
    if texts.null_count == len(texts):
        return texts
    return pc.binary_join_element_wise(f'{{"{key}":', texts, "}", "")
