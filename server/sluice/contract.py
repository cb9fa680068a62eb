"""The typed shape of a request, and what is accepted beyond the contract.

Source: the Events API's OpenAPI document (tests/contract/openapi.yaml); section names below are its own. What real SDKs
send beyond it, and who does, stands beside each leniency. No gRPC, no disk and no Arrow are known here: ingest checks
requests by it, and the lake decodes what was accepted by the same lists.
"""

from __future__ import annotations

from enum import Enum

__all__ = [
    "EVENT_FIELDS",
    "INT64_MAX",
    "INT64_MIN",
    "INTERNAL_EVENT_PREFIX",
    "REQUEST_FIELDS",
    "STATSIG_METADATA_FIELDS",
    "USER_FIELDS",
    "Source",
]

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1

# Events that SDKs make themselves. They may lack a user: Java and Go send diagnostics without one.
INTERNAL_EVENT_PREFIX = "statsig::"


class Source(Enum):
    """The door that a request came through; the values are those of the lake's column `source`."""

    SDK = "sdk"
    WEBHOOK = "webhook"
    GRPC = "grpc"


# The JSON names of the fields that have a column, by level. What a request holds beyond them is kept in `extra`.
REQUEST_FIELDS = ("events", "statsigMetadata", "idempotencyKey")
EVENT_FIELDS = ("user", "eventName", "time", "value", "metadata", "secondaryExposures", "eventID")
USER_FIELDS = (
    "userID",
    "email",
    "custom",
    "customIDs",
    "ip",
    "userAgent",
    "country",
    "locale",
    "appVersion",
    "statsigEnvironment",
)
# The whole object is kept as `sdk_metadata`; these are columns besides.
STATSIG_METADATA_FIELDS = ("sdkType", "sdkVersion", "sessionID", "stableID")
