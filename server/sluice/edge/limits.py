"""Every limit on bytes, derived from the largest body (`--max-body`), in one place.

What refuses a body equals the limit; what merely holds one stands above it, so that a body which is too large is always
answered 413 by the filter that counts, and never runs into a buffer or into gRPC's own limit (RESOURCE_EXHAUSTED, which
Envoy would turn into 429, on which SDKs drop the batch).

Plain functions of bytes. The supervisor gives `max_receive_message_bytes` to the workers.
"""

from __future__ import annotations

__all__ = [
    "MAX_HEADERS_KIB",
    "MAX_REGEX_INSTRUCTIONS",
    "READ_BYTES",
    "buffer_bytes",
    "grpc_body_bytes",
    "max_receive_message_bytes",
    "typed_body_bytes",
    "worker_requests",
]

MAX_HEADERS_KIB = 32

# Of a regular expression as RE2 compiles it: about one for each byte of the paths for events (paths.py bounds them).
MAX_REGEX_INSTRUCTIONS = 4096

# One read of a connection.
READ_BYTES = 64 * 1024

# Prefix of a message on the wire: compressed flag and length. gRPC over HTTP/2, "Length-Prefixed-Message".
_GRPC_PREFIX_BYTES = 5

# google.api.HttpBody holds the content type too, which is no longer than all headers are.
_AROUND_A_BODY_BYTES = 2 * MAX_HEADERS_KIB * 1024

# `0,` in an array of a Struct becomes 11 bytes: a Value with a double. Nothing else grows more.
_MOST_BYTES_PER_BYTE_OF_JSON = 6

# Of what Envoy makes typed messages: it takes some 40 MiB for one of 1 MiB, and a thread for 0.3 s, before any key is
# looked at.
_TYPED_BODY_BYTES = 1024 * 1024

# Fewer would leave a worker idle while a commit runs; so many keep it busy on a disk that takes 100 ms for one.
_MIN_WORKER_REQUESTS = 16
_MAX_WORKER_REQUESTS = 256
# What a worker has of requests that still arrive, or are refused, beside those that it handles.
_ARRIVING = 8


def typed_body_bytes(max_body_bytes: int) -> int:
    """Largest body that Envoy makes a typed message of; larger ones go to the workers as they are."""
    return min(max_body_bytes, _TYPED_BODY_BYTES)


def grpc_body_bytes(max_body_bytes: int) -> int:
    """Largest body of a native call: one message of the limit, with its prefix."""
    return max_body_bytes + _GRPC_PREFIX_BYTES


def max_receive_message_bytes(max_body_bytes: int, *, typed: bool) -> int:
    """What a worker's gRPC server must be able to take (`grpc.max_receive_message_length`).

    Args:
        max_body_bytes: the largest body.
        typed: Envoy makes typed messages of JSON bodies; workers refuse those that are larger than a body may be.
    """
    largest = _MOST_BYTES_PER_BYTE_OF_JSON * typed_body_bytes(max_body_bytes) if typed else 0
    return max(max_body_bytes, largest) + _AROUND_A_BODY_BYTES


def buffer_bytes(max_body_bytes: int, *, typed: bool) -> int:
    """What Envoy must be able to hold of one request: a whole message, and a read that goes beyond it."""
    return max_receive_message_bytes(max_body_bytes, typed=typed) + READ_BYTES


def worker_requests(max_body_bytes: int, *, in_flight_bytes: int) -> int:
    """How many requests a worker is sent at a time: of the largest, eight times as many bytes as it may handle at once.

    gRPC takes in the whole of a message before the worker can look at it, so that only their number bounds its memory.

    Args:
        max_body_bytes: the largest body.
        in_flight_bytes: what the worker handles at once.
    """
    return min(_MAX_WORKER_REQUESTS, max(_MIN_WORKER_REQUESTS, _ARRIVING * in_flight_bytes // max_body_bytes))
