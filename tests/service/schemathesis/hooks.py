"""What schemathesis can't know of a document is taken out of it before it makes requests."""

from __future__ import annotations

from typing import Any

import schemathesis

# That a body is packed as its header says, and that the query takes the place of headers, no schema can tell.
_LEFT_OUT = {"ContentEncoding", "Gz", "ClientTimeInQuery"}


@schemathesis.hook
def before_load_schema(_context: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    """Leave these parameters out, and the key in the query."""
    for operations in raw_schema["paths"].values():
        for operation in operations.values():
            operation["parameters"] = [
                one for one in operation.get("parameters", []) if one["$ref"].rpartition("/")[2] not in _LEFT_OUT
            ]
    raw_schema["security"] = [{"statsigApiKey": []}]


@schemathesis.hook
def filter_headers(_context: schemathesis.HookContext, headers: dict[str, Any] | None) -> bool:
    """Leave out headers without a value, as an object without members becomes one: they count as none."""
    return all(value not in ("", {}, []) for value in (headers or {}).values())
