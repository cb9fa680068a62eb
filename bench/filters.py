"""What each part of Envoy's configuration costs: it is left out, and the rest is measured beside the whole.

    python -m bench.filters --batch 100 --rounds 5

Method: our Envoy in front of a worker that only acknowledges (bench/baselines/ack_only.py), once as it is and once
without each part; the same requests by each, in turn, --rounds times. Printed are the medians of Envoy's CPU time per
request, and of the differences to the whole in the same round. What would mislead: other work on the machine, and
differences of a few µs, which are noise. The transcoder can't be left out, as the worker would get no call; make bench
has an Envoy that only passes on.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import yaml
from rich.console import Console
from rich.table import Table

from bench.baselines.envoys import free_port, running
from bench.baselines.run import ack_only_worker, in_front_of
from bench.clients import Asked, send_all, write_bodies
from bench.events import bodies
from bench.processes import cpu_seconds
from sluice.edge.render import render
from tests.support.waiting import wait_until

_Config = dict[str, Any]
_WHOLE = "all of it"
_PLAIN_ROUTE = "accept_plain"


def _manager(config: _Config) -> _Config:
    listener = config["static_resources"]["listeners"][0]
    found: _Config = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return found


def _routes(config: _Config) -> list[_Config]:
    found: list[_Config] = _manager(config)["route_config"]["virtual_hosts"][0]["routes"]
    return found


def _plain_route(config: _Config) -> _Config:
    return next(route for route in _routes(config) if route["name"] == _PLAIN_ROUTE)


def _without_filter(name: str) -> Callable[[_Config], None]:
    def change(config: _Config) -> None:
        del _plain_route(config)["typed_per_filter_config"][name]

    return change


def _only_filters_of_the_route(config: _Config) -> None:
    used = {*_plain_route(config)["typed_per_filter_config"], "router"}
    manager = _manager(config)
    manager["http_filters"] = [one for one in manager["http_filters"] if one["name"] in used]
    _only_this_route(config)


def _only_this_route(config: _Config) -> None:
    _routes(config)[:] = [_plain_route(config)]


def _statistics_of_all(config: _Config) -> None:
    del config["stats_config"]


_CHANGES: dict[str, Callable[[_Config], None]] = {
    "without body_limit": _without_filter("body_limit"),
    "without whole_body": _without_filter("whole_body"),
    "without no_grpc_headers": _without_filter("no_grpc_headers"),
    "without accepted (Lua; 200 instead of 202)": _without_filter("accepted"),
    "without no_forged_headers": lambda config: _manager(config).pop("early_header_mutation_extensions"),
    "all headers go to the worker": lambda config: _plain_route(config).pop("request_headers_to_remove"),
    "without headers on answers": lambda config: _manager(config)["route_config"].pop("response_headers_to_add"),
    "without words for Envoy's own errors": lambda config: _manager(config).pop("local_reply_config"),
    "without retries": lambda config: _plain_route(config)["route"].pop("retry_policy"),
    "without other routes": _only_this_route,
    "without other routes and their filters": _only_filters_of_the_route,
    "without overload_manager": lambda config: config.pop("overload_manager"),
    "with all statistics": _statistics_of_all,
}


def _us_per_request(config: _Config, folder: Path, requests: int) -> float:
    port = config["static_resources"]["listeners"][0]["address"]["socket_address"]["port_value"]
    address = f"127.0.0.1:{port}"
    how = Asked(address=address, key="secret-x", transport="rest", file=str(folder / "bodies"), clients=32)
    with running(folder / "envoy.json", json.dumps(config), port) as pid:
        wait_until(lambda: _acknowledges(address), within_s=20, what="the worker is healthy")
        before = cpu_seconds(pid)
        seen = send_all(how)
        used = cpu_seconds(pid) - before
    if sum(seen.answers.values()) - seen.answers.get("202", 0) - seen.answers.get("200", 0):
        raise SystemExit(f"not all was acknowledged: {seen.answers}")
    return 1e6 * used / requests


def _acknowledges(address: str) -> bool:
    headers = {"statsig-client-time": "1", "content-type": "application/json"}
    return httpx.post(f"http://{address}/v1/log_event", content=b"{}", headers=headers, timeout=5).status_code < 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=100, help="events of a request")
    parser.add_argument("--requests", type=int, default=3_000, help="of each in a round")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    found: dict[str, list[float]] = {name: [] for name in (_WHOLE, *_CHANGES)}
    with (
        tempfile.TemporaryDirectory(prefix="f-", dir="/tmp") as name,
        ack_only_worker(Path(name), "calls") as (_, socket),
    ):
        folder = Path(name)
        write_bodies(
            folder / "bodies", bodies(asked.requests * asked.batch, batch=asked.batch, seed=7, typed=False).bodies
        )
        text = render(in_front_of(socket, folder, port=free_port()))
        for number in range(asked.rounds):
            for change, costs in found.items():
                config = yaml.safe_load(text)
                _CHANGES.get(change, lambda _: None)(config)
                costs.append(_us_per_request(config, folder, asked.requests))
            Console(stderr=True).print(f"round {number + 1} of {asked.rounds}")
    table = Table(box=None, header_style="bold")
    for column in ("", "Envoy, µs per request", "saved"):
        table.add_column(column, justify="left" if not column else "right")
    for change, costs in found.items():
        saved = statistics.median(whole - cost for whole, cost in zip(found[_WHOLE], costs, strict=True))
        table.add_row(change, f"{statistics.median(costs):.0f}", "" if change == _WHOLE else f"{saved:+.0f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
