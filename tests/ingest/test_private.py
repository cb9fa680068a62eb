import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sluice.ingest.private import without_private_anywhere, without_private_attributes

# Objects are lists of pairs, so that a key may stand twice.
_Pairs = list[tuple[str, Any]]


class _Object(list[tuple[str, Any]]):
    """An object as its members in their order."""


def _parse(body: bytes) -> Any:
    return json.loads(body, object_pairs_hook=_Object)


def _removed(request: Any) -> Any:
    def clean_user(user: Any) -> Any:
        if not isinstance(user, _Object):
            return user
        return _Object((key, value) for key, value in user if key != "privateAttributes")

    def clean_event(event: Any) -> Any:
        if not isinstance(event, _Object):
            return event
        return _Object((key, clean_user(value) if key == "user" else value) for key, value in event)

    def clean(key: str, value: Any) -> Any:
        if key in {"events", "exposures"} and isinstance(value, list) and not isinstance(value, _Object):
            return [clean_event(event) for event in value]
        return clean_user(value) if key == "user" else value

    return _Object((key, clean(key, value)) for key, value in request)


_scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.text('a"\\é{}[],: \n', max_size=6)
_some_keys = st.sampled_from(["user", "events", "exposures", "privateAttributes", "a", 'q"\\', "metadata", "é"])


def _objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(st.tuples(_some_keys, values), max_size=5).map(_Object)


_anything = st.recursive(_scalars, lambda inner: st.lists(inner, max_size=3) | _objects(inner), max_leaves=12)
_users = _anything | _objects(_anything)
_events = _anything | st.lists(st.tuples(_some_keys, _users), max_size=4).map(_Object)
_requests = st.lists(st.tuples(_some_keys, _users | st.lists(_events, max_size=3)), max_size=4).map(_Object)


@st.composite
def _written(draw: st.DrawFn, value: Any) -> str:
    """JSON text of the value, with white space anywhere and characters escaped at random."""

    def space() -> str:
        return draw(st.sampled_from(["", "", " ", "\n\t"]))

    def text(string: str) -> str:
        if draw(st.booleans()):
            return json.dumps(string, ensure_ascii=draw(st.booleans()))
        escaped = "".join(f"\\u{ord(character):04{draw(st.sampled_from('xX'))}}" for character in string)
        return f'"{escaped}"'

    def write(part: Any) -> str:
        if isinstance(part, _Object):
            inside = f"{space()},{space()}".join(f"{text(key)}{space()}:{space()}{write(item)}" for key, item in part)
            return f"{{{space()}{inside}{space()}}}"
        if isinstance(part, list):
            return f"[{space()}{f'{space()},{space()}'.join(write(item) for item in part)}{space()}]"
        return text(part) if isinstance(part, str) else json.dumps(part)

    return f"{space()}{write(value)}{space()}"


@given(_requests.flatmap(_written))
@example('{"user":{"privateAttributes":1,"privateAttributes":2},"events":[]}')
@example('{"user":{"privateAttributes":1, "a":2 , "privateAttributes":[{}] , "privateAttributes":"}"},"events":[]}')
def test_what_is_left_is_all_but_the_private_attributes_of_users(text: str) -> None:
    body = text.encode()

    assert _parse(without_private_attributes(body)) == _removed(_parse(body))


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        pytest.param('{"userID":"u","privateAttributes":{"a":1}}', '{"userID":"u"}', id="last"),
        pytest.param('{ "privateAttributes" : null , "userID":"u" }', '{ "userID":"u" }', id="first"),
        pytest.param('{"a":1 , "privateAttributes":"}\\"," , "b": 2}', '{"a":1 , "b": 2}', id="amid others"),
        pytest.param('{"privateAttributes":{"a":{"b":[1]}}}', "{}", id="the only one"),
        pytest.param('{"a":1,"private\\u0041ttributes":7}', '{"a":1}', id="in disguise"),
        pytest.param(
            '{"custom":{"privateAttributes":1}}', '{"custom":{"privateAttributes":1}}', id="not the user's own"
        ),
    ],
)
@pytest.mark.parametrize(
    "around",
    [
        '{"events":[{"user":%s,"eventName":"\u00e9\\u00e9","time": 1.50}] }',
        '{"user":%s,"events":[{"metadata":{"user":{"privateAttributes":1}}}]}',
        '{"ev\\u0065nts":[{"\\u0075ser":%s},{"user":null}],"events":[]}',
    ],
)
def test_every_other_byte_stays_as_it_was(around: str, sent: str, kept: str) -> None:
    assert without_private_attributes((around % sent).encode()) == (around % kept).encode()


def test_a_body_without_any_is_not_copied() -> None:
    body = b'{"events":[{"user":{"userID":"\\u00e9"},"metadata":{"a":"\\n"}}]}'

    assert without_private_attributes(body) is body


def _removed_anywhere(value: Any) -> Any:
    if isinstance(value, _Object):
        return _Object((key, _removed_anywhere(each)) for key, each in value if key != "privateAttributes")
    return [_removed_anywhere(each) for each in value] if isinstance(value, list) else value


@given(_anything, st.sampled_from(["", " ", "\n\t "]))
@example(_Object([("privateAttributes", 1), ("privateAttributes", 2)]), "")
@example(_Object([("a", 1), ("privateAttributes", 1), ("privateAttributes", 2)]), " ")
def test_of_a_refused_body_they_are_cut_at_any_depth_and_nothing_else_is(value: Any, space: str) -> None:
    def text(part: Any) -> str:
        if isinstance(part, _Object):
            members = f",{space}".join(f"{json.dumps(key)}{space}:{space}{text(each)}" for key, each in part)
            return f"{{{space}{members}{space}}}"
        if isinstance(part, list):
            return f"[{f'{space},'.join(map(text, part))}]"
        return json.dumps(part)

    assert _parse(without_private_anywhere(text(value).encode())) == _removed_anywhere(value)


def test_an_escaped_key_is_found_in_a_refused_body() -> None:
    assert without_private_anywhere(b'[{"private\\u0041ttributes":{"a":1},"b":2}]') == b'[{"b":2}]'
