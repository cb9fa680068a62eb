"""What events are by their names, and what the metadata of exposures say, compiled: as lake/exposures.py has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import types

from sluice.contract import INTERNAL_EVENT_PREFIX
from sluice.lake.exposures import INTERNAL_PREFIXES
from sluice.lake.schema import EventKind
from sluice.native import found as of
from sluice.native.compiled import BYTES, compiled, entry
from sluice.native.found import NULL, room_for
from sluice.native.json_object import any_key, begins_with, behind_value, size_of, table_of, text_or_null, which_key
from sluice.native.json_text import (
    CLOSE_OBJECT,
    OPEN_OBJECT,
    QUOTE,
    REFUSED,
    is_false,
    is_true,
    skip_space,
    skip_string,
    skip_value,
)

if TYPE_CHECKING:
    from sluice.native.arrays import Bytes
    from sluice.native.found import Found

__all__ = ["KINDS", "scan_exposures"]

# By the numbers that `Found.event_kinds` has of them. The first three are exposures, and like the fourth whole names.
KINDS = (
    EventKind.GATE_EXPOSURE,
    EventKind.CONFIG_EXPOSURE,
    EventKind.LAYER_EXPOSURE,
    EventKind.DIAGNOSTICS,
    EventKind.INTERNAL,
    EventKind.CUSTOM,
)
_GATE_EXPOSURE, _EXPOSURES, _WHOLE_NAMES, _INTERNAL, _CUSTOM = 0, 3, 4, 4, 5
_NAMES = table_of(*(f"{INTERNAL_EVENT_PREFIX}{kind.value}" for kind in KINDS[:_WHOLE_NAMES]))
_PREFIXES = table_of(*INTERNAL_PREFIXES)

_MEMBERS = table_of(
    "gate", "config", "ruleID", "allocatedExperiment", "parameterName", "reason", "gateValue", "rulePassed"
)
_GATE, _CONFIG, _TEXTS, _GATE_VALUE = 0, 1, 6, 6
_FIELDS = np.array(
    [
        of.EXPOSURE_NAME,
        of.EXPOSURE_NAME,
        of.RULE_ID,
        of.ALLOCATED_EXPERIMENT,
        of.PARAMETER_NAME,
        of.EXPOSURE_REASON,
    ]
)


@compiled
def _kind_of(names: Bytes, at: int, size: int) -> int:
    kind = which_key(_NAMES, names, at, at + size)
    if kind < _WHOLE_NAMES:
        return kind
    for prefix in range(_PREFIXES.shape[0]):
        if size >= size_of(_PREFIXES, prefix) and begins_with(_PREFIXES, prefix, names, at):
            return _INTERNAL
    return _CUSTOM


@compiled
def _outcome_at(objects: Bytes, at: int) -> int:
    """Whether a gate's outcome, as text or boolean, is true or false; NULL: neither."""
    if objects[at] == QUOTE:
        if is_true(objects, at + 1) and objects[at + 5] == QUOTE:
            return 1
        if is_false(objects, at + 1) and objects[at + 6] == QUOTE:
            return 0
        return NULL
    return 1 if is_true(objects, at) else 0 if is_false(objects, at) else NULL


@compiled
def _scan_members(objects: Bytes, at: int, found: Found, row: int) -> int:
    """Note the members of an exposure's metadata; return where they end. Those of another type are none."""
    is_gate = found.event_kinds[row] == _GATE_EXPOSURE
    by_gate_value, by_rule = NULL, NULL
    at = skip_space(objects, at + 1)
    more = objects[at] != CLOSE_OBJECT
    while more:
        key = at + 1
        end, at = any_key(objects, at)
        if end < 0:
            return REFUSED
        member = which_key(_MEMBERS, objects, key, end)
        end = skip_value(objects, at)
        if end < 0:
            return REFUSED
        if member < _TEXTS:
            # Of a gate its own name counts, of all others that of the config.
            if member > _CONFIG or (member == _GATE) == is_gate:
                found.fields.sizes[_FIELDS[member], row] = NULL
                if objects[at] == QUOTE:
                    text_or_null(objects, at, found.fields, _FIELDS[member], row)
        elif member == _GATE_VALUE:
            by_gate_value = _outcome_at(objects, at)
        elif member < _MEMBERS.shape[0]:
            by_rule = _outcome_at(objects, at)
        # A text whose escapes may spell an outcome.
        if _TEXTS <= member < _MEMBERS.shape[0] and objects[at] == QUOTE and skip_string(objects, at + 1)[1]:
            return REFUSED
        at, more = behind_value(objects, end)
    found.outcomes[row] = by_rule if by_gate_value == NULL else by_gate_value
    return at


@entry(BYTES, BYTES, types.int64, room_for(bodies=2, events=2))
def scan_exposures(names: Bytes, objects: Bytes, rows: int, found: Found) -> bool:
    """Note what the first events are, and what exposures among them say.

    Args:
        names: where the events' names stand. Padded (vectors.py).
        objects: where their metadata stand, which are JSON: a pass has found them there. Padded too.
        rows: how many events.
        found: read and filled.

    Returns:
        False where something is left to exposures.py; then all of it is.
    """
    for row in range(rows):
        begin = found.fields.begins[of.EVENT_NAME, row]
        if begin < 0:
            return False
        kind = _kind_of(names, begin, found.fields.sizes[of.EVENT_NAME, row])
        found.event_kinds[row], found.outcomes[row] = kind, NULL
        for field in range(of.EXPOSURE_NAME, of.FIELDS):
            found.fields.sizes[field, row] = NULL
        if kind < _EXPOSURES and found.fields.sizes[of.METADATA, row] >= 0:
            at = found.fields.begins[of.METADATA, row]
            if objects[at] != OPEN_OBJECT or _scan_members(objects, at, found, row) < 0:
                return False
    return True
