"""What a worker is told at its start, as one JSON argument. Every limit is decided by who starts it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["WorkerConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConfig:
    """One worker's values.

    Attributes:
        data_dir: the data folder.
        socket: path of the Unix socket to listen on; at most 107 bytes.
        index: which worker this is, from 0.
        node: name of this node in records and segment names.
        seal_age_s: a segment older than this is sealed.
        seal_size_bytes: a segment at least this large is sealed.
        max_body_bytes: a larger body is refused, after decompression.
        max_receive_bytes: gRPC's own limit for a message. It must stand above max_body_bytes: what gRPC refuses is
            answered RESOURCE_EXHAUSTED, which Envoy makes 429, at which SDKs drop the batch.
        in_flight_bytes: bodies being handled at the same time; beyond it requests are answered UNAVAILABLE.
        queue_bytes: records waiting for the disk; beyond it the log is unavailable.
        min_free_bytes: the log takes nothing when the disk has less left.
        max_log_bytes: the log takes nothing while sealed segments hold more; None: only the disk bounds them.
        rejects_per_hour_bytes: refused requests that are kept of an hour; 0: none are.
        rejects_waiting_bytes: refused requests that may be on their way to the disk.
        max_rejects_log_bytes: no more are kept while segments of refused requests that wait for the lake hold more.
        places: of folders that must be the supervisor's: path, device and inode.
        lifeline_fd: read end of a pipe that ends with the supervisor; None: there is no supervisor.
        drain_timeout_s: how long requests in flight may take to finish when the worker stops.
        reflection: whether gRPC reflection answers.
        compiled_check: whether bodies are checked by what is compiled, once there is much to check.
    """

    data_dir: str
    socket: str
    index: int
    node: str
    seal_age_s: float
    seal_size_bytes: int
    max_body_bytes: int
    max_receive_bytes: int
    in_flight_bytes: int
    queue_bytes: int
    min_free_bytes: int
    max_log_bytes: int | None = None
    rejects_per_hour_bytes: int = 0
    rejects_waiting_bytes: int = 0
    max_rejects_log_bytes: int | None = None
    places: tuple[tuple[str, int, int], ...] = ()
    lifeline_fd: int | None = None
    drain_timeout_s: float = 20.0
    reflection: bool = False
    compiled_check: bool = True
