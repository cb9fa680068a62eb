"""The lake's decoder and the contract start from the same lists of fields."""

import msgspec
import pytest

from sluice import contract
from sluice.lake import json_shapes

# Beyond the columns, but sent by known SDKs with nearly every event.
_OF_SDKS = {"statsigMetadata", "analyticsOnlyMetadata"}


@pytest.mark.parametrize(
    ("shape", "fields"),
    [
        (json_shapes.KnownRequest, contract.REQUEST_FIELDS),
        (json_shapes.Event, contract.EVENT_FIELDS),
        (json_shapes.User, contract.USER_FIELDS),
        (json_shapes.About, contract.STATSIG_METADATA_FIELDS),
    ],
)
def test_what_is_read_in_one_pass_is_what_has_a_column(shape: type[msgspec.Struct], fields: tuple[str, ...]) -> None:
    read = {field.encode_name for field in msgspec.structs.fields(shape)}

    assert read - _OF_SDKS == set(fields) - _OF_SDKS
