"""keys.json: what is written is read back, and what makes no sense is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.contract import Source
from sluice.keys.file_format import KeysUnreadable, decode, encode
from sluice.keys.key import Key, Kind, OnInvalid

_times = st.floats(0, 4e9)
_keys = st.builds(
    Key,
    id=st.text(min_size=1, max_size=20),
    kind=st.sampled_from(Kind),
    sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
    prefix=st.text(max_size=8),
    project=st.text(max_size=20),
    name=st.text(max_size=20),
    sources=st.frozensets(st.sampled_from(Source)),
    on_invalid=st.sampled_from(OnInvalid),
    created_at=_times,
    expires_at=st.none() | _times,
    revoked_at=st.none() | _times,
)

# What version 1 looks like on the disks of those who have it.
_VERSION_1 = b"""{"version": 1, "keys": [{
    "id": "key_0123456789abcdef", "kind": "server", "prefix": "secret-t", "project": "default", "name": "shop",
    "sha256": "5f2d6a0b4a8ce9d4a5a3c7a8b1c4d6e8f00112233445566778899aabbccddeef",
    "sources": ["grpc", "sdk", "webhook"], "on_invalid": "reject", "created_at": 1767225600.5, "revoked_at": 1767225700
}]}"""


@given(st.lists(_keys, max_size=5, unique_by=(lambda key: key.id, lambda key: key.sha256)))
def test_keys_that_are_written_are_read_back(keys: list[Key]) -> None:
    assert decode(encode(keys), place="keys.json") == keys


def test_version_1_is_read_for_ever() -> None:
    [key] = decode(_VERSION_1, place="keys.json")

    assert key == Key(
        id="key_0123456789abcdef",
        kind=Kind.SERVER,
        sha256="5f2d6a0b4a8ce9d4a5a3c7a8b1c4d6e8f00112233445566778899aabbccddeef",
        prefix="secret-t",
        project="default",
        name="shop",
        sources=frozenset(Source),
        on_invalid=OnInvalid.REJECT,
        created_at=1767225600.5,
        revoked_at=1767225700.0,
    )


def _version_1(**changes: object) -> bytes:
    content = json.loads(_VERSION_1)
    content["keys"][0].update(changes)
    return json.dumps(content).encode()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(_VERSION_1[:-10], id="cut off"),
        pytest.param(b"\xff\xfe", id="no UTF-8"),
        pytest.param(b'{"version": 2, "keys": []}', id="a later version"),
        pytest.param(b'{"keys": []}', id="no version"),
        pytest.param(b"[" * 100_000, id="nested too deep"),
        pytest.param(_version_1(scopes=[]), id="a field that a later version may mean something by"),
        pytest.param(_version_1(sha256="x" * 64), id="a hash that is none"),
        pytest.param(_version_1(kind="admin"), id="an unknown kind"),
        pytest.param(_version_1(created_at=None), id="no time of making"),
    ],
)
def test_what_is_no_file_of_keys_is_refused_with_its_name(content: bytes) -> None:
    with pytest.raises(KeysUnreadable, match=r"^D/keys\.json: not a file of keys: "):
        decode(content, place="D/keys.json")


def test_what_is_no_json_is_told_in_plain_words() -> None:
    with pytest.raises(KeysUnreadable, match=r"not a file of keys: JSON is malformed"):
        decode(b"{]", place="keys.json")


def test_two_keys_of_one_id_are_refused() -> None:
    content = json.loads(_VERSION_1)
    content["keys"] += [content["keys"][0] | {"sha256": "0" * 64}]

    with pytest.raises(KeysUnreadable, match="two keys have the same id"):
        decode(json.dumps(content).encode(), place="keys.json")
