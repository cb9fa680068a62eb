import pytest

from sluice.client import InvalidSettings
from sluice.client.target import Target, parse_target


@pytest.mark.parametrize(
    ("written", "address", "tls"),
    [
        ("127.0.0.1:8080", "127.0.0.1:8080", False),
        ("sluice.internal:8080", "sluice.internal:8080", False),
        ("[::1]:8080", "[::1]:8080", False),
        ("http://127.0.0.1:8080/v1", "127.0.0.1:8080", False),
        ("http://sluice.internal", "sluice.internal:80", False),
        ("https://events.example.com/v1/", "events.example.com:443", True),
        ("https://[::1]:8443", "[::1]:8443", True),
        ("dns:///sluice.internal:8080", "dns:///sluice.internal:8080", False),
        ("unix:/run/sluice.sock", "unix:/run/sluice.sock", False),
    ],
)
def test_a_server_is_found_however_it_is_written(written: str, address: str, tls: bool) -> None:
    assert parse_target(written) == Target(address, tls)


@pytest.mark.parametrize("written", ["", "sluice", "sluice:http", "ftp://x:1", "http://", "http://h:99999999", "a b:1"])
def test_what_is_no_server_is_told(written: str) -> None:
    with pytest.raises(InvalidSettings, match=r"^target: "):
        parse_target(written)


def test_a_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(InvalidSettings) as told:
        parse_target("http://me:hunter2@host")

    assert "hunter2" not in str(told.value)
