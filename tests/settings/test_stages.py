"""Each stage gets its own few values of the settings."""

from pathlib import Path

import pytest
import typer.main

from sluice.cli.app import app
from sluice.edge.config import EdgeConfig, Upstream
from sluice.settings.load import load
from sluice.settings.model import Settings
from sluice.settings.places import flag_of
from sluice.settings.stages import edge_config, worker_config, writer_config
from sluice.settings.units import Address

_ADMIN = Address(host="0.0.0.0", port=9464)


def test_what_grpc_takes_stands_above_the_largest_body_and_what_envoy_takes_equals_it() -> None:
    settings = load({"max_body": "1MiB"}, environ={})

    worker = worker_config(settings, index=0, socket="/run/0.sock", lifeline_fd=None, drain_timeout_s=2)
    edge = edge_config(settings, admin=_ADMIN, admin_socket="/a", worker_sockets=["/run/0.sock"], json_messages=False)

    assert worker.max_body_bytes == edge.max_body_bytes == 2**20
    assert worker.max_receive_bytes > 2**20
    assert worker.in_flight_bytes >= 4 * 2**20


def test_where_envoy_makes_typed_messages_grpc_takes_what_grows_from_a_body() -> None:
    settings = load({"max_body": "1MiB", "transcoding": "typed"}, environ={})

    worker = worker_config(settings, index=0, socket="/run/0.sock", lifeline_fd=None, drain_timeout_s=2)

    # Envoy makes 11 bytes of the two of `0,`.
    assert worker.max_receive_bytes > 11 * 2**20 / 2


def test_stages_work_on_the_same_folder_wherever_they_run() -> None:
    settings = load({"data_dir": "d"}, environ={})

    worker = worker_config(settings, index=0, socket="/s", lifeline_fd=None, drain_timeout_s=2)
    writer = writer_config(settings, lifeline_fd=None, blamed={}, last=())

    assert worker.data_dir == writer.data_dir == str(Path("d").absolute())


def test_workers_share_what_is_kept_of_refused_requests() -> None:
    settings = load({"rejects_per_hour": "8MiB", "workers": "4", "max_body": "1MiB"}, environ={})

    worker = worker_config(settings, index=0, socket="/s", lifeline_fd=None, drain_timeout_s=2)

    assert worker.rejects_per_hour_bytes == 2 * 2**20
    assert worker.rejects_waiting_bytes >= 2**20
    assert worker.max_rejects_log_bytes == 32 * 2**20


def test_envoy_reaches_an_admin_port_that_listens_on_all_addresses() -> None:
    settings = load({"listen": "[::1]:0"}, environ={})

    edge = edge_config(settings, admin=_ADMIN, admin_socket="/a", worker_sockets=["/s"], json_messages=True)

    assert (edge.supervisor_host, edge.supervisor_port) == ("127.0.0.1", 9464)
    assert (edge.listen_host, edge.listen_port) == ("::1", 0)


def test_envoy_is_told_of_further_paths_and_of_an_upstream(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    flags = {"extra_paths": "/a, /b/c", "upstream": "https://api.example.com", "upstream_ca": str(ca)}

    edge = _edge(load(flags, environ={}))
    default = _edge(load({}, environ={}))

    assert edge.extra_paths == ("/a", "/b/c")
    assert edge.upstream == Upstream(tls=True, host="api.example.com", port=443, ca_path=str(ca))
    assert (default.extra_paths, default.upstream) == ((), None)


def _edge(settings: Settings) -> EdgeConfig:
    return edge_config(settings, admin=_ADMIN, admin_socket="/a", worker_sockets=["/s"], json_messages=True)


@pytest.mark.parametrize(
    ("listen", "reflection", "reflects"),
    [
        ("127.0.0.1:0", "auto", True),
        ("127.5.5.5:0", "auto", True),
        ("localhost:0", "auto", True),
        ("[::1]:0", "auto", True),
        ("0.0.0.0:0", "auto", False),
        ("[::]:0", "auto", False),
        ("192.168.1.5:0", "auto", False),
        ("0.0.0.0:0", "on", True),
        ("127.0.0.1:0", "off", False),
    ],
)
def test_reflection_answers_on_loopback_alone_unless_told_otherwise(
    listen: str, reflection: str, reflects: bool
) -> None:
    settings = load({"listen": listen, "reflection": reflection}, environ={})

    worker = worker_config(settings, index=0, socket="/s", lifeline_fd=None, drain_timeout_s=2)
    edge = edge_config(settings, admin=_ADMIN, admin_socket="/a", worker_sockets=["/s"], json_messages=False)

    assert (edge.reflection, worker.reflection) == (reflects, reflects)


def test_every_setting_is_a_flag_of_sluice_up() -> None:
    command = typer.main.get_command(app).commands["up"]  # type: ignore[attr-defined]  it is a group

    options = command.get_params(command.make_context("up", [], resilient_parsing=True))

    flags = {flag for option in options for flag in option.opts}
    assert flags >= {flag_of(name) for name in Settings.model_fields}
