"""Secrets to import: one to a line, all or none."""

import pytest

from sluice.keys import import_list
from sluice.keys.import_list import MalformedLine, TooMuchText, parse
from sluice.keys.key import Kind


def test_each_line_is_a_secret_of_the_kind_that_it_begins_with() -> None:
    text = b"# from the console\nsecret-one-key\n\n  client-two-key \r\n"

    assert parse(text, kind=None) == [(Kind.SERVER, "secret-one-key"), (Kind.CLIENT, "client-two-key")]


def test_what_begins_like_no_key_is_of_the_kind_that_was_told() -> None:
    assert parse(b"0123456789abcdef\nsecret-one-key", kind=Kind.CLIENT) == [
        (Kind.CLIENT, "0123456789abcdef"),
        (Kind.SERVER, "secret-one-key"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        pytest.param(b"secret-one-key\nconsole-two-key", 2, "begins with neither", id="of no kind"),
        pytest.param(b"\n\nsecret-a", 3, "8 characters, fewer than 10", id="too short"),
        pytest.param(b"secret-" + b"a" * 300, 1, "307 characters, more than 256", id="too long"),
        pytest.param(b"secret-one key", 1, "a space", id="two words"),
        pytest.param(b"secret-one-key\nsecret-\xff-two", 2, "not visible ASCII", id="no UTF-8"),
        pytest.param("secret-one-keyé".encode(), 1, "not visible ASCII", id="beyond ASCII"),
    ],
)
def test_a_malformed_line_is_told_by_its_number_and_not_shown(text: bytes, line: int, message: str) -> None:
    with pytest.raises(MalformedLine, match=message) as caught:
        parse(text, kind=None)

    assert caught.value.line == line
    assert "two" not in caught.value.message


def test_a_text_longer_than_anybodys_keys_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_list, "MAX_TEXT_BYTES", 20)

    with pytest.raises(TooMuchText):
        parse(b"secret-one-key\n" * 2, kind=None)
