"""What the metadata of exposures say: which gate, config or layer, what came out, and why.

Members of another type than their column's stay where they are, in `metadata`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from sluice.contract import INTERNAL_EVENT_PREFIX
from sluice.lake.schema import EventKind

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CONFIG_EXPOSURE", "EXPOSURE_FIELDS", "GATE_EXPOSURE", "INTERNAL_PREFIXES", "exposures_of", "kinds_of"]

# The names of the events that exposures become which an application logs itself.
GATE_EXPOSURE = f"{INTERNAL_EVENT_PREFIX}{EventKind.GATE_EXPOSURE.value}"
CONFIG_EXPOSURE = f"{INTERNAL_EVENT_PREFIX}{EventKind.CONFIG_EXPOSURE.value}"

EXPOSURE_FIELDS: pa.Schema = pa.schema(
    [
        pa.field("exposure_name", pa.string()),
        pa.field("exposure_value", pa.bool_()),
        pa.field("rule_id", pa.string()),
        pa.field("allocated_experiment", pa.string()),
        pa.field("parameter_name", pa.string()),
        pa.field("exposure_reason", pa.string()),
    ]
)

_KIND_OF_NAME = {
    f"{INTERNAL_EVENT_PREFIX}{kind.value}": kind
    for kind in (
        EventKind.GATE_EXPOSURE,
        EventKind.CONFIG_EXPOSURE,
        EventKind.LAYER_EXPOSURE,
        EventKind.DIAGNOSTICS,
    )
}
# js-client names so what it records by itself: page views, clicks, errors.
INTERNAL_PREFIXES = (INTERNAL_EVENT_PREFIX, "auto_capture::")

# SDKs send a gate's outcome as text, some as boolean.
_OUTCOMES = {"true": True, "false": False, True: True, False: False}


class _Exposure(msgspec.Struct, gc=False, rename="camel"):
    """The members of an exposure's metadata as all known SDKs send them."""

    gate: str | None = None
    config: str | None = None
    gate_value: str | bool | None = None
    rule_passed: str | bool | None = None
    rule_id: str | None = msgspec.field(default=None, name="ruleID")
    allocated_experiment: str | None = None
    parameter_name: str | None = None
    reason: str | None = None


_NO_EXPOSURE = _Exposure()
_EXPOSURES = msgspec.json.Decoder(list[_Exposure | None])
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT_OR_BOOL = msgspec.json.Decoder(str | bool)


def kinds_of(event_names: pa.Array) -> pa.Array:
    """The `event_kind` of each event name."""
    encoded = event_names.dictionary_encode()
    kinds = pa.array([_kind(name).value for name in encoded.dictionary.to_pylist()], pa.string())
    return kinds.take(encoded.indices)


def _kind(name: str) -> EventKind:
    if (kind := _KIND_OF_NAME.get(name)) is not None:
        return kind
    return EventKind.INTERNAL if name.startswith(INTERNAL_PREFIXES) else EventKind.CUSTOM


def exposures_of(kinds: pa.Array, metadata: pa.Array) -> pa.RecordBatch:
    """Take the exposures' columns out of their metadata.

    Args:
        kinds: `event_kind` of m events.
        metadata: their metadata, JSON objects or null.

    Returns:
        m rows of `EXPOSURE_FIELDS`, all null where the event is no exposure.
    """
    is_exposure = pc.ends_with(kinds, "_exposure")
    texts = metadata.filter(is_exposure).to_pylist()
    found = [exposure or _NO_EXPOSURE for exposure in _read(texts)]
    is_gate = pc.equal(kinds.filter(is_exposure), EventKind.GATE_EXPOSURE.value).to_pylist()
    columns = {
        "exposure_name": [e.gate if gate else e.config for e, gate in zip(found, is_gate, strict=True)],
        "exposure_value": [_outcome(exposure) for exposure in found],
        "rule_id": [exposure.rule_id for exposure in found],
        "allocated_experiment": [exposure.allocated_experiment for exposure in found],
        "parameter_name": [exposure.parameter_name for exposure in found],
        "exposure_reason": [exposure.reason for exposure in found],
    }
    # Row k of the exposures belongs to the k-th event that is one.
    place = pc.if_else(is_exposure, pc.subtract(pc.cumulative_sum(is_exposure.cast(pa.int64())), 1), None)
    return pa.RecordBatch.from_pydict(columns, schema=EXPOSURE_FIELDS).take(place)


def _outcome(exposure: _Exposure) -> bool | None:
    for said in (exposure.gate_value, exposure.rule_passed):
        if said is not None and (outcome := _OUTCOMES.get(said)) is not None:
            return outcome
    return None


def _read(texts: list[str | None]) -> list[_Exposure | None]:
    try:
        return _EXPOSURES.decode("[" + ",".join([text or "null" for text in texts]) + "]")
    except msgspec.ValidationError:
        return [None if text is None else _read_members(_MEMBERS.decode(text)) for text in texts]


def _read_members(members: Mapping[str, msgspec.Raw]) -> _Exposure:
    """Read an exposure of which a member has another type than any known SDK sends."""
    exposure = _Exposure()
    for field in msgspec.structs.fields(_Exposure):
        raw = members.get(field.encode_name)
        if raw is None:
            continue
        try:
            said = _TEXT_OR_BOOL.decode(raw)
        except msgspec.ValidationError:
            continue
        if isinstance(said, str) or field.name in {"gate_value", "rule_passed"}:
            setattr(exposure, field.name, said)
    return exposure
