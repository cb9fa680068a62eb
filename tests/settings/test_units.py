"""Durations, sizes and addresses: what is written is read back, and a number alone is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.settings.units import (
    Address,
    BadValue,
    format_duration,
    format_size,
    parse_address,
    parse_duration,
    parse_size,
)


@given(st.integers(0, 10**12))
def test_a_duration_of_whole_milliseconds_is_written_and_read_back(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == milliseconds / 1000


@given(st.integers(0, 10**18 - 1))
def test_a_size_is_written_and_read_back(size_bytes: int) -> None:
    assert parse_size(format_size(size_bytes)) == size_bytes


@given(st.text())
def test_any_text_is_a_duration_or_is_refused_with_a_hint(text: str) -> None:
    try:
        parse_duration(text)
    except BadValue as exc:
        refusal = exc
    else:
        return

    assert f'"{text}"' in refusal.message
    assert refusal.hint.startswith("write 10s, 500ms or 2m")


@given(st.integers(0, 10**9))
def test_a_number_without_a_unit_is_refused(number: int) -> None:
    for parse in (parse_duration, parse_size):
        with pytest.raises(BadValue, match=f'^"{number}" has no unit$'):
            parse(str(number))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10), ("500ms", 0.5), ("2m", 120), ("1.5h", 5400), ("90d", 7_776_000), (" 10 s ", 10), ("0s", 0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("1B", 1), ("1kB", 1000), ("10MB", 10_000_000), ("64MiB", 2**26), ("1.5GiB", 3 * 2**29), ("0.3KiB", 307)],
)
def test_sizes(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["10x", "10mib", "10Mb", "s", "-1s", "1e3s", "1,5s", "٣s", "nan", "9" * 19 + "s"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(BadValue):
        parse_duration(text)
    with pytest.raises(BadValue):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8080", Address(host="127.0.0.1", port=8080)),
        ("[::1]:0", Address(host="::1", port=0)),
        ("0.0.0.0:65535", Address(host="0.0.0.0", port=65535)),
    ],
)
def test_an_address_is_a_host_and_a_port_and_is_written_as_it_was(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert str(address) == text


def test_localhost_is_the_loopback_address() -> None:
    assert parse_address("localhost:0") == Address(host="127.0.0.1", port=0)


@pytest.mark.parametrize(
    "text",
    ["example.org:80", "[::g]:1", "8080", ":8080", "127.0.0.1", "127.0.0.1:65536", "::1:80", "a b:1", "http://a:1", ""],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(BadValue):
        parse_address(text)
