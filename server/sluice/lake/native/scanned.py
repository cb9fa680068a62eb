"""Fields of many bodies by one compiled pass over all of them; what that pass refuses is left to the plain decoders.

Both make the same of the same body: tests/lake/native holds them together.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa
from google.protobuf.message import DecodeError

from sluice.events.v1 import events_pb2 as api
from sluice.lake.decode_json import number_of
from sluice.lake.decode_proto import said_by
from sluice.lake.fields import REQUEST_FIELDS, Decoded
from sluice.lake.json_members import about_of
from sluice.lake.json_shapes import NOT_SAID, About
from sluice.lake.native.columns import events_of, exposures_of, text_column
from sluice.lake.native.scan_bodies import scan_bodies
from sluice.lake.native.scan_messages import scan_messages
from sluice.lake.value import number_in_text
from sluice.native import found as of
from sluice.native.found import Spans, room_for
from sluice.native.struct_json import LONGER, room_for_texts
from sluice.native.vectors import PADDING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from sluice.native.arrays import Bytes
    from sluice.native.found import Found

__all__ = ["decode_json", "decode_messages"]

# No event is shorter than `{"eventName":""}` with the comma behind it; nor, as protobuf, than its tag and length.
_SHORTEST_JSON_BYTES, _SHORTEST_MESSAGE_BYTES = 17, 2
# Places in what they become are int32. More than the largest body that a service can be told to take.
_MOST_BYTES = (2**31 - 1) // LONGER
_QUOTE = ord('"')
_TEXT = msgspec.json.Decoder(str)


def decode_json(bodies: Sequence[bytes | memoryview], events: int) -> tuple[list[int], Decoded | None]:
    """Turn JSON bodies into fields, as far as they hold nothing but what most do.

    Args:
        bodies: n bodies.
        events: how many they are said to hold together; there is room for no more.

    Returns:
        The indices of the bodies that it read, and what they hold; None where there are none.
    """
    text = b"\0".join([*bodies, PADDING])
    try:
        if not text.isascii():
            str(text, "utf-8")  # of all together: none that is read begins or ends within a character
    except UnicodeDecodeError:
        return [], None
    if len(text) > _MOST_BYTES:
        return [], None
    buffer = np.frombuffer(text, np.uint8)
    found = room_for(bodies=len(bodies), events=min(events, len(text) // _SHORTEST_JSON_BYTES))
    scan_bodies(buffer, _ends(bodies, between=1), found)

    def ask(begin: int, size: int) -> tuple[float | None, bool]:
        begin = abs(begin)
        sent = text[begin : begin + size]
        if text[begin - 1] == _QUOTE:
            return number_in_text(_TEXT.decode(b'"' + sent + b'"')), True
        number, kept = number_of(sent)
        return number, kept is not None

    read, counts = _read(found)
    if not len(read):
        return [], None
    said = _said(found, read)
    abouts = [NOT_SAID if raw is None else about_of(msgspec.Raw(raw)) for raw in _abouts(text, said)]
    facts = {name: list(map(attrgetter(name), abouts)) for name in About.__struct_fields__}
    facts |= {"sdk_metadata": text_column(buffer, said, of.ABOUT, len(read))}
    return read.tolist(), Decoded(
        events=events_of(found, counts, buffer=buffer, objects=buffer, ask=ask),
        exposures=exposures_of(found, int(counts.sum()), buffer=buffer, objects=buffer),
        requests=_requests(buffer, said, counts, facts),
    )


def decode_messages(bodies: Sequence[bytes | memoryview], events: int) -> tuple[list[int], Decoded | None]:
    """As `decode_json`, of the bytes of LogEventRequests."""
    text = b"".join([*bodies, PADDING])
    if len(text) > _MOST_BYTES:
        return [], None
    buffer = np.frombuffer(text, np.uint8)
    found = room_for(bodies=len(bodies), events=min(events, len(text) // _SHORTEST_MESSAGE_BYTES))
    texts = room_for_texts(len(text))
    scan_messages(buffer, _ends(bodies, between=0), found, texts)

    def ask(begin: int, size: int) -> tuple[float | None, bool]:
        return number_in_text(text[begin : begin + size].decode()), True

    read, counts = _read(found)
    if not len(read):
        return [], None
    said = _said(found, read)
    try:
        abouts = [{} if raw is None else said_by(api.StatsigMetadata.FromString(raw)) for raw in _abouts(text, said)]
    except DecodeError:
        return [], None  # the plain decoder finds which
    facts = {name: [about.get(name) for about in abouts] for name in (*About.__struct_fields__, "sdk_metadata")}
    return read.tolist(), Decoded(
        events=events_of(found, counts, buffer=buffer, objects=texts.text, ask=ask),
        exposures=exposures_of(found, int(counts.sum()), buffer=buffer, objects=texts.text),
        requests=_requests(buffer, said, counts, facts),
    )


def _ends(bodies: Sequence[bytes | memoryview], *, between: int) -> NDArray[np.int64]:
    """Where each body ends that has so many bytes behind it."""
    return np.cumsum(np.fromiter(map(len, bodies), np.int64, len(bodies)) + between) - between


def _read(found: Found) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which bodies were read, and how many events each of them has."""
    read = np.flatnonzero(found.is_refused == 0)
    return read, np.diff(found.row_ends, prepend=0)[read].astype(np.int64)


def _said(found: Found, read: NDArray[np.int64]) -> Spans:
    # Compiled functions know arrays without gaps alone.
    return Spans(*(np.ascontiguousarray(places[:, read]) for places in found.said))


def _abouts(text: bytes, said: Spans) -> list[bytes | None]:
    """What each request says of itself."""
    return [
        None if size < 0 else text[begin : begin + size]
        for begin, size in zip(said.begins[of.ABOUT].tolist(), said.sizes[of.ABOUT].tolist(), strict=True)
    ]


def _requests(
    buffer: Bytes, said: Spans, counts: NDArray[np.int64], facts: Mapping[str, pa.Array | list[str | None]]
) -> pa.RecordBatch:
    """The rows of `REQUEST_FIELDS`.

    Args:
        buffer: where texts stand.
        said: what n requests say.
        counts: n: how many events each has.
        facts: the columns made of their `statsigMetadata`, by name.
    """
    columns = {
        "rows": pa.array(counts),
        "first_index": pa.array(np.zeros(len(counts), np.int32), mask=counts == 0),
        "idempotency_key": text_column(buffer, said, of.IDEMPOTENCY_KEY, len(counts)),
        "extra_request": pa.nulls(len(counts), pa.string()),
        **{name: pa.array(texts, pa.string()) for name, texts in facts.items()},
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in REQUEST_FIELDS.names], schema=REQUEST_FIELDS)
