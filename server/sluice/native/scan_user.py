"""A user, as the compiled pass finds it; see scan_json.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sluice.native import found as of
from sluice.native.compiled import compiled
from sluice.native.found import MAX_IDS
from sluice.native.json_object import any_key, behind_value, next_key, open_or_null, raw_or_null, table_of, text_or_null
from sluice.native.json_text import QUOTE, REFUSED
from sluice.native.stable_id import note_stable_id, order_of_keys

if TYPE_CHECKING:
    from sluice.native.arrays import Bytes
    from sluice.native.found import Found

__all__ = ["scan_user"]

_USER = table_of(
    "userID",
    "email",
    "ip",
    "userAgent",
    "country",
    "locale",
    "appVersion",
    "custom",
    "analyticsOnlyMetadata",
    "customIDs",
    "statsigEnvironment",
)
# The first ones are texts, then come values of any kind, then those that are read here.
_FIELDS = np.array(
    [of.USER_ID, of.EMAIL, of.IP, of.USER_AGENT, of.COUNTRY, of.LOCALE, of.APP_VERSION, of.CUSTOM, of.ANALYTICS]
)
_TEXTS, _VALUES, _CUSTOM_IDS = 7, 9, 9
_ENVIRONMENT = table_of("tier")
# Of `Found.follows`.
_ROW_OF_USER, _ROW_OF_ENVIRONMENT = 2, 3


@compiled
def scan_user(buffer: Bytes, at: int, found: Found, row: int, ids: int) -> tuple[int, int]:
    """Note a user or null; return where it ends, and how many ids there are with its own."""
    at, more = open_or_null(buffer, at)
    key, seen = REFUSED, 0
    while more:
        key, at = next_key(_USER, found.follows[_ROW_OF_USER], key, buffer, at)
        if key < 0 or seen >> key & 1:
            return REFUSED, ids
        seen |= 1 << key
        if key < _TEXTS:
            at = text_or_null(buffer, at, found.fields, _FIELDS[key], row)
        elif key < _VALUES:
            at = raw_or_null(buffer, at, found.fields, _FIELDS[key], row)
        elif key == _CUSTOM_IDS:
            at, ids = _scan_ids(buffer, at, found, row, ids)
        else:
            at = _scan_environment(buffer, at, found, row)
        if at < 0:
            return REFUSED, ids
        at, more = behind_value(buffer, at)
    return at, ids


@compiled
def _scan_environment(buffer: Bytes, at: int, found: Found, row: int) -> int:
    at, more = open_or_null(buffer, at)
    if not more:
        return at
    key, at = next_key(_ENVIRONMENT, found.follows[_ROW_OF_ENVIRONMENT], REFUSED, buffer, at)
    if key < 0:
        return REFUSED
    at = text_or_null(buffer, at, found.fields, of.TIER, row)
    if at < 0:
        return REFUSED
    at, more = behind_value(buffer, at)
    return REFUSED if more else at


@compiled
def _scan_ids(buffer: Bytes, at: int, found: Found, row: int, ids: int) -> tuple[int, int]:
    """Note an object of texts or null, and which of its ids is the stable one."""
    at, more = open_or_null(buffer, at)
    begins, sizes = found.ids.begins, found.ids.sizes
    first = ids
    while more:
        if ids - first == MAX_IDS:
            return REFUSED, ids
        key = at + 1
        end, at = any_key(buffer, at)
        if end < 0:
            return REFUSED, ids
        begins[of.KEY, ids], sizes[of.KEY, ids] = key, end - key
        for other in range(first, ids):
            if order_of_keys(buffer, found, other, ids) == 0:
                return REFUSED, ids
        if buffer[at] != QUOTE:
            return REFUSED, ids
        at = text_or_null(buffer, at, found.ids, of.TEXT, ids)
        if at < 0:
            return REFUSED, ids
        ids += 1
        at, more = behind_value(buffer, at)
    note_stable_id(buffer, found, row, first, ids)
    return at, ids
