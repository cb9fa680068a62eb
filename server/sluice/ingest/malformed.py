"""Where a body stops being JSON: the offset of the fault, and the path of the field that holds it.

Only bodies that were refused come here. The path is looked for within the first 256 KiB, which bounds the time at some
50 ms; a fault behind it is named by its offset alone.
"""

from __future__ import annotations

import re

import msgspec

from sluice import contract
from sluice.ingest.nesting import too_deep_at
from sluice.ingest.violations import Invalid, invalid_request, send_array

__all__ = ["first_fault", "not_json", "not_utf8", "path_at", "too_deep"]

_MAX_SEARCH_BYTES = 256 * 1024
_BYTE = re.compile(r" \(byte (\d+)\)$")
_TRAILING = "JSON is malformed: trailing characters"
_WHOLE = msgspec.json.Decoder(msgspec.Raw)

# From the start, everything that is no lone surrogate; what stands behind it is the first one.
_BEFORE_LONE_SURROGATE = re.compile(
    rb"(?:[^\\]++|\\[^u]|\\u(?![dD][89a-fA-F])|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F])*+", re.DOTALL
)
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}:,]', re.DOTALL)

# The fields that a path may name. Behind any other it ends.
_NAMED: dict[str, tuple[str, ...]] = {
    "": (*contract.REQUEST_FIELDS, "exposures", *contract.WEBHOOK_EVENT_FIELDS),
    "events[]": contract.EVENT_FIELDS,
    "events[].user": contract.USER_FIELDS,
    "exposures[]": contract.EXPOSURE_FIELDS,
    "exposures[].user": contract.USER_FIELDS,
    "user": contract.USER_FIELDS,
    "statsigMetadata": contract.STATSIG_METADATA_FIELDS,
}
_LISTS = ("events", "exposures")


def first_fault(body: bytes) -> int | None:
    """Where a body stops being JSON in UTF-8 of the nesting that is allowed, in bytes; None: it doesn't."""
    try:
        str(body, "utf-8")
    except UnicodeDecodeError as exc:
        return exc.start
    too_deep_from = too_deep_at(body)
    if too_deep_from is not None:
        return too_deep_from
    try:
        _WHOLE.decode(body)
    except msgspec.DecodeError as exc:
        return _fault_at(body, str(exc))[0] if body.strip() else 0
    except RecursionError:
        return 0
    return None


def not_utf8(body: bytes, at: int) -> Invalid:
    """The body has a byte at `at` that is not UTF-8."""
    found = f"another byte at offset {at}"
    return invalid_request(path_at(body, at), "text in UTF-8", found, mend="write the whole body in UTF-8")


def too_deep(body: bytes, at: int, limit: int) -> Invalid:
    """The body opens a level at `at` that is deeper than the limit."""
    expected, found = f"at most {limit} levels of nesting", f"a deeper one at offset {at}"
    return invalid_request(path_at(body, at), expected, found, mend="nest it less, or send it as text")


def not_json(body: bytes, key: str) -> Invalid | None:
    """What is wrong with the syntax of a body in UTF-8; None: nothing is.

    Args:
        body: as it came.
        key: of the array that its door takes.
    """
    try:
        _WHOLE.decode(body)
    except msgspec.DecodeError as exc:
        return _fault(body, str(exc), key)
    except RecursionError:  # Pythons differ in what they take; the stated limit is below all
        return invalid_request("body", "JSON", "too deep nesting", mend="nest it less, or send it as text")
    return None


def _fault(body: bytes, said: str, key: str) -> Invalid:
    if not body.strip():
        return invalid_request("body", "JSON", "an empty body", mend=send_array(key))
    at, what, mend = _fault_at(body, said)
    return invalid_request(path_at(body, at), "JSON", f"{what} at offset {at}", mend=mend)


def _fault_at(body: bytes, said: str) -> tuple[int, str, str]:
    """The offset of the first fault, what it is in words, and how to mend it."""
    lone = _BEFORE_LONE_SURROGATE.match(body)
    assert lone is not None, "it matches nothing, at least"
    position = _BYTE.search(said)
    at = len(body)
    if position is not None:
        # Of what stands behind the value msgspec names the second character.
        at = int(position.group(1)) - said.startswith(_TRAILING)
    # msgspec has several words for half of a surrogate pair, "truncated" among them. It reads from the left, so that a
    # lone half before the place it names is the fault.
    if lone.end() < at:
        return lone.end(), "half a surrogate pair", "don't cut text within a character"
    if position is None:
        return at, "the end of the body", "send the whole body"
    return at, "a character that may not stand", "write the body with a JSON library"


def path_at(body: bytes, at: int) -> str:
    """The path of the innermost field named in the contract that holds the byte at `at`, else `body`.

    Args:
        body: valid JSON up to `at`.
        at: an offset in bytes.
    """
    if at > _MAX_SEARCH_BYTES:
        return "body"
    steps = _open_steps(body, at)
    path = pattern = ""
    for step in steps:
        if isinstance(step, int):
            if pattern not in _LISTS:
                break
            path, pattern = f"{path}[{step}]", f"{pattern}[]"
        elif step in _NAMED.get(pattern, ()):
            path = f"{path}.{step}".removeprefix(".")
            pattern = f"{pattern}.{step}".removeprefix(".")
        else:
            break
    return path or "body"


def _open_steps(body: bytes, at: int) -> list[str | int]:
    """The keys and indices that lead to the place: one for each container that is open there, and begun a member."""
    # One entry for each open container: an index, the key of the member begun, or None before a key's colon.
    open_steps: list[str | int | None] = []
    last_string = b""
    for found in _TOKEN.finditer(body, 0, at):
        token = found.group()
        if token == b"{":
            open_steps.append(None)
        elif token == b"[":
            open_steps.append(0)
        elif token in b"}]":
            if open_steps:
                open_steps.pop()
        elif token == b":":
            if open_steps and open_steps[-1] is None:
                open_steps[-1] = _key(last_string)
        elif token == b",":
            if open_steps:
                step = open_steps[-1]
                open_steps[-1] = step + 1 if isinstance(step, int) else None
        else:
            last_string = token
    steps: list[str | int] = []
    for step in open_steps:
        if step is None:
            break
        steps.append(step)
    return steps


def _key(quoted: bytes) -> str:
    try:
        return msgspec.json.decode(quoted, type=str)
    except msgspec.DecodeError:
        return ""
