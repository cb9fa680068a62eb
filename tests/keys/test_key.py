"""What secrets look like, and what may be shown of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.contract import Source
from sluice.keys.key import Kind, default_sources, hash_of, is_label, is_well_formed, kind_of, new_secret, prefix_of


@pytest.mark.parametrize("kind", Kind)
def test_a_new_secret_says_its_kind_and_can_be_sent_in_a_header(kind: Kind) -> None:
    secret = new_secret(kind)

    assert kind_of(secret) is kind
    assert is_well_formed(secret)


def test_new_secrets_differ() -> None:
    assert len({new_secret(Kind.SERVER) for _ in range(100)}) == 100


def test_what_is_shown_of_a_secret_has_eight_characters() -> None:
    assert prefix_of("secret-abcdef") == "secret-a"


def test_a_client_key_opens_no_webhook() -> None:
    assert Source.WEBHOOK not in default_sources(Kind.CLIENT)
    assert default_sources(Kind.SERVER) == set(Source)


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        pytest.param("secret-xyz", True, id="ten characters"),
        pytest.param("secret-xy", False, id="nine: hardly more than what is shown of it"),
        pytest.param("s" * 256, True, id="the longest"),
        pytest.param("s" * 257, False, id="too long"),
        pytest.param("secret- xyz", False, id="a space"),
        pytest.param("secret-xyz\x7f", False, id="a control character"),
        pytest.param("secret-xyzé", False, id="beyond ASCII"),
    ],
)
def test_a_secret_is_visible_ascii_of_bounded_length(secret: str, expected: bool) -> None:
    assert is_well_formed(secret) is expected


@given(st.text())
def test_any_text_can_be_hashed(text: str) -> None:
    assert len(hash_of(text)) == 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [("web shop", True), ("Ω", True), ("", False), ("a" * 101, False), ("two\nlines", False), ("\x1b[31m", False)],
)
def test_a_label_is_one_printable_line(text: str, expected: bool) -> None:
    assert is_label(text) is expected
