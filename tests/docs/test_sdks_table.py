"""The table of docs/sdks.md is what `make test-clients` expects, and would write."""

from tests.clients import table


def test_the_document_says_of_each_sdk_what_is_expected_of_it() -> None:
    assert table.documented() == table.expected()
