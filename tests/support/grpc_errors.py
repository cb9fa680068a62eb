"""What programs do with gRPC errors: let gRPC send again what is UNAVAILABLE, and read the details."""

import json
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2

# As docs/grpc.md has it, but without waiting.
RETRIES = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{"service": "sluice.events.v1.EventsService"}],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.01s",
                    "maxBackoff": "0.05s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    }
)


def details_of(error: Any, message: type[Any]) -> list[Any]:
    """The details of this type; the status that holds them must say what the error says, as clients insist."""
    value = dict(error.trailing_metadata()).get("grpc-status-details-bin", b"")
    status = status_pb2.Status.FromString(value)
    if value:
        assert (status.code, status.message) == (error.code().value[0], error.details())
    return [message.FromString(each.value) for each in status.details if each.Is(message.DESCRIPTOR)]


def reason_of(error: grpc.RpcError) -> str:
    """The reason in the error's one ErrorInfo, whose domain must be ours; "" if it has no details."""
    infos = details_of(error, error_details_pb2.ErrorInfo)
    assert [info.domain for info in infos] in ([], ["sluice"])
    return infos[0].reason if infos else ""
