"""What each stage gets of the settings: its own few plain values, in its own words.

Everything that bounds bytes follows from `max_body` and `in_flight` here and in edge/limits.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sluice.edge.config import EdgeConfig, Transcoding
from sluice.edge.limits import max_receive_message_bytes, worker_requests
from sluice.ingest.config import WorkerConfig
from sluice.lake.config import WriterConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sluice.edge.config import Upstream
    from sluice.settings.model import Settings
    from sluice.settings.units import Address

__all__ = ["edge_config", "worker_config", "writer_config"]

# An address to listen on that means all of a machine's is none to connect to.
_REACHED_BY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  nothing is bound here


# What is refused within so many hours may wait while the lake takes nothing.
_HOURS_OF_REJECTS = 4


def worker_config(
    settings: Settings,
    *,
    index: int,
    socket: str,
    lifeline_fd: int | None,
    drain_timeout_s: float,
    places: Sequence[tuple[str, int, int]] = (),
    compiled_check: bool = True,
) -> WorkerConfig:
    """The values of one ingest worker.

    Args:
        settings: of the service.
        index: which worker it is, from 0.
        socket: path of its socket.
        lifeline_fd: the read end of a pipe that ends with the supervisor.
        drain_timeout_s: its part of the time that the whole service has to stop.
        places: of folders that must be the supervisor's: path, device and inode.
        compiled_check: whether it may check bodies by what is compiled.
    """
    return WorkerConfig(
        data_dir=str(settings.data_dir.absolute()),
        socket=socket,
        index=index,
        node=settings.node,
        seal_age_s=settings.seal_age,
        seal_size_bytes=settings.seal_size,
        max_body_bytes=settings.max_body,
        max_receive_bytes=max_receive_message_bytes(settings.max_body, typed=settings.transcoding == "typed"),
        in_flight_bytes=settings.in_flight,
        # All that is admitted may wait for the disk at the same time; what waits longer is refused at the door.
        queue_bytes=settings.in_flight,
        min_free_bytes=settings.min_free,
        max_log_bytes=settings.log_limit,
        # Each worker keeps its share, so that they need not tell each other what they keep.
        rejects_per_hour_bytes=settings.rejects_per_hour // settings.workers,
        rejects_waiting_bytes=2 * settings.max_body,
        max_rejects_log_bytes=_max_rejects_log_bytes(settings),
        places=tuple(places),
        lifeline_fd=lifeline_fd,
        drain_timeout_s=drain_timeout_s,
        reflection=_reflects(settings),
        compiled_check=compiled_check,
    )


def writer_config(
    settings: Settings,
    *,
    lifeline_fd: int | None,
    blamed: Mapping[str, int],
    last: Sequence[str],
    places: Sequence[tuple[str, int, int]] = (),
) -> WriterConfig:
    """The values of the lake writer.

    Args:
        settings: of the service.
        lifeline_fd: the read end of a pipe that ends with the supervisor.
        blamed: by segment id, how often a writer died by its own fault while it held the segment.
        last: ids of segments that a writer held when it was killed.
        places: of folders that must be the supervisor's: path, device and inode.
    """
    return WriterConfig(
        data_dir=str(settings.data_dir.absolute()),
        lake_size_bytes=settings.lake_size,
        lake_age_s=settings.lake_age,
        min_free_bytes=settings.min_free,
        max_log_bytes=settings.log_limit,
        max_rejects_log_bytes=_max_rejects_log_bytes(settings),
        archive=settings.archive,
        places=tuple(places),
        lifeline_fd=lifeline_fd,
        blamed=dict(blamed),
        last=tuple(last),
    )


def _max_rejects_log_bytes(settings: Settings) -> int:
    return min(settings.log_limit, _HOURS_OF_REJECTS * settings.rejects_per_hour)


def edge_config(
    settings: Settings, *, admin: Address, admin_socket: str, worker_sockets: Sequence[str], json_messages: bool
) -> EdgeConfig:
    """The values of Envoy.

    Args:
        settings: of the service.
        admin: where the supervisor answers /livez and /readyz, with the port that it was given.
        admin_socket: path of the socket for Envoy's own admin interface.
        worker_sockets: paths of all workers' sockets.
        json_messages: Envoy's messages are lines of JSON.
    """
    return EdgeConfig(
        listen_host=settings.listen.host,
        listen_port=settings.listen.port,
        admin_socket=admin_socket,
        worker_sockets=tuple(worker_sockets),
        supervisor_host=_REACHED_BY.get(admin.host, admin.host),
        supervisor_port=admin.port,
        transcoding=Transcoding(settings.transcoding),
        extra_paths=settings.extra_paths,
        upstream=_upstream(settings),
        max_body_bytes=settings.max_body,
        worker_requests=worker_requests(settings.max_body, in_flight_bytes=settings.in_flight),
        concurrency=settings.workers,
        reflection=_reflects(settings),
        access_log=settings.access_log,
        json_messages=json_messages,
    )


def _upstream(settings: Settings) -> Upstream | None:
    if settings.upstream is None or settings.upstream_ca is None:
        return settings.upstream
    return replace(settings.upstream, ca_path=str(settings.upstream_ca.absolute()))


def _reflects(settings: Settings) -> bool:
    return settings.reflection == "on" or (settings.reflection == "auto" and settings.listen.is_loopback)
