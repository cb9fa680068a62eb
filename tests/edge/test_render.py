import dataclasses
import subprocess
from pathlib import Path

import pytest
import yaml

from sluice.edge.binary import find_envoy
from sluice.edge.compose import CA_PATH, COMPOSE, main, worker_sockets
from sluice.edge.config import EdgeConfig, Transcoding, UnusableEdgeConfig, Upstream
from sluice.edge.render import installed_descriptor, installed_documents, render

CONFIG = EdgeConfig(
    listen_host="127.0.0.1",
    listen_port=0,
    admin_socket="/tmp/sluice/envoy.sock",
    worker_sockets=("/tmp/sluice/worker-0.sock",),
    supervisor_host="127.0.0.1",
    supervisor_port=9464,
)
_UPSTREAM = Upstream(tls=True, host="api.example.com", port=443)


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(CONFIG, id="default"),
        pytest.param(dataclasses.replace(CONFIG, transcoding=Transcoding.TYPED), id="typed"),
        pytest.param(dataclasses.replace(CONFIG, access_log=True), id="access log"),
        pytest.param(dataclasses.replace(CONFIG, listen_host="::1", supervisor_host="::1"), id="IPv6"),
        pytest.param(dataclasses.replace(CONFIG, max_body_bytes=1024), id="small"),
        pytest.param(
            dataclasses.replace(CONFIG, extra_paths=tuple(f"/{n:0>2}/{'x.' * 62}" for n in range(16))), id="extra paths"
        ),
        pytest.param(dataclasses.replace(CONFIG, upstream=_UPSTREAM), id="upstream"),
        pytest.param(
            dataclasses.replace(CONFIG, upstream=Upstream(tls=False, host="::1", port=80)), id="upstream IPv6"
        ),
        pytest.param(dataclasses.replace(CONFIG, max_body_bytes=1024**3), id="large"),
        pytest.param(dataclasses.replace(CONFIG, worker_sockets=tuple(f"/w'{n}\".sock" for n in range(64))), id="64"),
        pytest.param(
            dataclasses.replace(
                COMPOSE, descriptor_path=str(installed_descriptor()), documents_folder=str(installed_documents())
            ),
            id="compose",
        ),
    ],
)
def test_envoy_finds_every_rendering_valid(config, tmp_path):
    path = tmp_path / "envoy.yaml"
    path.write_text(render(config), encoding="utf-8")

    checked = subprocess.run(
        [find_envoy(), "--mode", "validate", "--log-level", "warning", "-c", path],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_file_for_compose_is_what_the_template_makes():
    kept = Path(__file__).parents[2] / "envoy" / "envoy.yaml"

    assert kept.read_text(encoding="utf-8") == render(COMPOSE), "write it anew: python -m sluice.edge.compose"


def test_a_deployment_that_differs_is_rendered_by_options(capsys):
    differs = ["--workers", "3", "--max-body-bytes", "1024", "--transcoding", "typed", "--access-log"]
    main([*differs, "--extra-paths", "/a,/b", "--upstream", "https://api.example.com"])

    assert capsys.readouterr().out == render(
        dataclasses.replace(
            COMPOSE,
            worker_sockets=worker_sockets(3),
            max_body_bytes=1024,
            transcoding=Transcoding.TYPED,
            access_log=True,
            extra_paths=("/a", "/b"),
            upstream=dataclasses.replace(_UPSTREAM, ca_path=CA_PATH),
        )
    )


def test_no_retry_can_append_twice():
    rendered = yaml.safe_load(render(CONFIG))
    manager = rendered["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    routes = manager["route_config"]["virtual_hosts"][0]["routes"]
    retried = [
        route["route"]["retry_policy"]["retry_on"] for route in routes if "retry_policy" in route.get("route", {})
    ]

    assert set(retried) == {"connect-failure,refused-stream,reset-before-request"}


def test_every_worker_is_an_endpoint_of_its_own():
    rendered = yaml.safe_load(render(dataclasses.replace(CONFIG, worker_sockets=("/a", "/b"))))
    workers = rendered["static_resources"]["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"]

    assert [worker["endpoint"]["address"]["pipe"]["path"] for worker in workers] == ["/a", "/b"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"listen_host": "localhost"}, "not an IP address"),
        ({"worker_sockets": ()}, "no worker"),
        ({"worker_sockets": ("/" + "x" * 107,)}, "longer than 107 bytes"),
        ({"admin_socket": "/" + "ü" * 54}, "longer than 107 bytes"),
    ],
)
def test_values_that_envoy_could_not_run_with_are_refused(change, message):
    with pytest.raises(UnusableEdgeConfig, match=message) as caught:
        dataclasses.replace(CONFIG, **change)

    assert caught.value.hint
