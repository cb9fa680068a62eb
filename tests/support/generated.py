"""Requests made from the contract's schema, and what may become of them on their way: hypothesis strategies.

Beside them those in forms that the contract doesn't know: a user of the request, one event of a webhook, exposures.

A value is a tree whose leaves are JSON texts as they are sent, so that each number and string may be spelled in any way
that JSON has: arrays are lists, objects tuples of members, and a key may stand twice.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypothesis.strategies import DrawFn, SearchStrategy

__all__ = [
    "CONTRACT",
    "EXPOSURES",
    "PATHS",
    "USER_SCHEMA",
    "Node",
    "body_schema",
    "many_bodies",
    "text_of",
    "valid_bodies",
]

CONTRACT: dict[str, Any] = yaml.safe_load((Path(__file__).parents[1] / "contract/openapi.yaml").read_text())
PATHS = tuple(CONTRACT["paths"])
EXPOSURES = "/log_custom_exposure"
_EVENT: dict[str, Any] = CONTRACT["components"]["schemas"]["Event"]
USER_SCHEMA: dict[str, Any] = _EVENT["properties"]["user"]

Node: TypeAlias = Any  # str | list[Node] | tuple[tuple[str, Node], ...]


def body_schema(path: str) -> dict[str, Any]:
    """The contract's schema of the bodies at a path, whole."""
    schema: dict[str, Any] = CONTRACT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return schema | {"components": CONTRACT["components"]}


def text_of(node: Node, comma: str = ",", colon: str = ":") -> str:
    """The JSON text of a tree."""
    if isinstance(node, str):
        return node
    if isinstance(node, list):
        return f"[{comma.join(text_of(item, comma, colon) for item in node)}]"
    members = comma.join(f"{key}{colon}{text_of(value, comma, colon)}" for key, value in node)
    return f"{{{members}}}"


def _spelled(text: str, escapes: int) -> str:
    if escapes == 0:
        return json.dumps(text, ensure_ascii=False)
    if escapes == 1:
        return json.dumps(text)
    units = text.encode("utf-16-be", "surrogatepass")
    return '"' + "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2)) + '"'


_escapes = st.sampled_from([0, 0, 1, 1, 2])
_text = st.text(max_size=10) | st.sampled_from(["", "\0", "é", "\U0001f600", "\u2028", "\\", '"', "events[0]", "null"])
strings = st.builds(_spelled, _text, _escapes)
_integers = st.integers() | st.sampled_from([2**53 + 1, -(2**53) - 1, 2**63, 2**64, -(2**64), 10**30])
numbers = (
    _integers.map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.sampled_from(["-0", "-0.0", "1E+2", "1e-400", "1e400", "0.10", "3.0", "9007199254740993.5", "1" + "0" * 400])
)
_leaves = strings | numbers | st.sampled_from(["null", "true", "false"])


def _objects(values: SearchStrategy[Node]) -> SearchStrategy[Node]:
    members = st.tuples(strings, values)
    return st.lists(members, max_size=3, unique_by=lambda member: json.loads(member[0])).map(tuple)


any_value: SearchStrategy[Node] = st.recursive(
    _leaves, lambda inner: st.lists(inner, max_size=3) | _objects(inner), max_leaves=6
)
free_form = _objects(any_value)


def from_schema(schema: dict[str, Any]) -> SearchStrategy[Node]:
    """Trees that a schema of the contract takes."""
    if "$ref" in schema:
        schema = CONTRACT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "oneOf" in schema:
        return st.one_of([from_schema(one) for one in schema["oneOf"]])
    if schema["type"] == "object":
        return _from_object(schema)
    if schema["type"] == "array":
        return st.lists(from_schema(schema["items"]), max_size=3)
    return _SCALARS[schema["type"], schema.get("format")]


_SCALARS = {
    ("integer", "int64"): (
        st.integers(-(2**63), 2**63 - 1).map(str) | st.integers(1_700_000_000_000, 1_800_000_000_000).map(str)
    ),
    ("number", None): numbers,
    ("boolean", None): st.sampled_from(["true", "false"]),
    ("string", "email"): st.emails().map(json.dumps),
    ("string", None): strings,
}


def _from_object(schema: dict[str, Any]) -> SearchStrategy[Node]:
    properties = schema.get("properties", {})
    if not properties:
        of_all = schema["additionalProperties"]
        return free_form if of_all is True else _objects(from_schema(of_all))
    required = schema.get("required", [])
    named = st.fixed_dictionaries(
        {name: from_schema(properties[name]) for name in required},
        optional={name: from_schema(value) for name, value in properties.items() if name not in required},
    )
    # The schema takes any other member, too; they stand in any order.
    others = st.just(()) | _objects(any_value).map(
        lambda members: tuple((key, value) for key, value in members if json.loads(key) not in properties)
    )

    def together(named: dict[str, Node], others: tuple[tuple[str, Node], ...], first: int) -> Node:
        members = (*((json.dumps(name), value) for name, value in named.items()), *others)
        return members[first:] + members[:first]

    return st.builds(together, named, others, st.integers(0, 3))


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties}


_TEXT = {"type": "string"}
_TIME = {"type": "integer", "format": "int64"}
_EVENT_OF_A_USER = _EVENT | {"required": [name for name in _EVENT["required"] if name != "user"]}
_OF_A_USER = _object(["user", "events"], user=USER_SCHEMA, events={"type": "array", "items": _EVENT_OF_A_USER})
_ONE_EVENT = _object(
    ["event", "user"],
    event=_TEXT,
    user=USER_SCHEMA,
    timestamp=_TIME,
    **{name: _EVENT["properties"][name] for name in ("value", "metadata")},
)
_NAMES = {
    "type": "array",
    "items": {
        "oneOf": [
            _object(
                ["user", "experimentName", "group"], user=USER_SCHEMA, experimentName=_TEXT, group=_TEXT, time=_TIME
            ),
            _object(
                ["gateName", "passes", "ruleID"],
                gateName=_TEXT,
                passes={"type": "boolean"},
                ruleID=_TEXT,
                user=USER_SCHEMA,
            ),
        ]
    },
}

_in_contract = {path: from_schema(body_schema(path)) for path in PATHS}
# Beyond the contract, and mostly right: a name may be empty.
_in_other_forms = {
    "/log_event": from_schema(_OF_A_USER),
    "/webhooks/event_webhook": from_schema(_OF_A_USER) | from_schema(_ONE_EVENT),
    EXPOSURES: from_schema(_object(["exposures"], exposures=_NAMES, user=USER_SCHEMA)),
}
_bodies = {path: _in_contract.get(path, forms) | forms for path, forms in _in_other_forms.items()}
_commas = st.sampled_from([",", ", ", " ,\n\t"])


@st.composite
def valid_bodies(draw: DrawFn, path: str) -> bytes:
    """A body that keeps the contract."""
    return text_of(draw(_in_contract[path]), draw(_commas)).encode()


@st.composite
def many_bodies(draw: DrawFn, path: str, count: int) -> list[bytes]:
    """A body that keeps the contract, or is of another form, and what this or that made of it, which may be right too.

    What becomes of it is chosen by a seed, as hypothesis takes a hundred times as long for its own choices.
    """
    tree, comma, random = draw(_bodies[path]), draw(_commas), Random(draw(st.integers(0, 2**32 - 1)))
    return [text_of(tree, comma).encode(), *(_mutated(tree, comma, random) for _ in range(count - 1))]


def _mutated(tree: Node, comma: str, random: Random) -> bytes:
    for _ in range(random.choice([0, 1, 1, 2])):
        tree = _changed(tree, random)
    body = text_of(tree, comma).encode()
    return _damaged(body, random) if random.random() < 0.25 else body


def _places(node: Node, at: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    yield at
    if not isinstance(node, str):
        for index, item in enumerate(node):
            yield from _places(item if isinstance(node, list) else item[1], (*at, index))


def _at(node: Node, place: tuple[int, ...]) -> Node:
    for index in place:
        node = node[index] if isinstance(node, list) else node[index][1]
    return node


def _replaced(node: Node, place: tuple[int, ...], new: list[Node]) -> Node:
    """The tree with any number of values in the place of one; members keep its key."""
    if not place:
        return new[0] if new else "null"
    index, *rest = place
    if isinstance(node, list):
        items = new if not rest else [_replaced(node[index], tuple(rest), new)]
        return [*node[:index], *items, *node[index + 1 :]]
    key, value = node[index]
    values = new if not rest else [_replaced(value, tuple(rest), new)]
    return (*node[:index], *((key, value) for value in values), *node[index + 1 :])


_LENIENT_OR_NOT = (
    "null",
    "1.5",
    "3.0",
    "9223372036854775808",
    "18446744073709551616",
    '"2026-01-01T00:00:00Z"',
    '"1767225600000"',
    '"20260101"',
    '"statsig::x"',
    '"\\ud800"',
    '"\\u0000"',
    "{}",
    "[]",
)


def _changed(tree: Node, random: Random) -> Node:
    places = list(_places(tree))
    place = random.choice(places)
    old, other = _at(tree, place), _at(tree, random.choice(places))
    depth = random.choice([20, 499, 501, 2000])
    new: list[list[Node]] = [
        [],  # removed
        [random.choice(_LENIENT_OR_NOT)],
        [random.choice(_LENIENT_OR_NOT)],
        [other],  # another type, the wrong nesting
        [other, old],  # a key twice, or one more item
        [[old]],
        [(('"a"', old),)],
        [random.choice(["[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth])],
        [((f'"{"k" * random.choice([1, 1000, 20_000])}"', old),)],
    ]
    return _replaced(tree, place, random.choice(new))


def _damaged(body: bytes, random: Random) -> bytes:
    at = random.randrange(len(body))
    to = min(at + random.randrange(4), len(body))
    damages = [
        body[:at],
        body[at:],
        body[:at] + body[to:],
        body[:to] + body[at:],
        body + body[at:to],
        body[:at] + random.randbytes(1) + body[to:],
        body[:at] + random.choice([b"\\", b'"', b",", b"\0", b"\xff", b"e", b"\\ud800"]) + body[to:],
    ]
    return random.choice(damages)
