"""Ways of single SDKs that the others don't go."""

import json
import time
import uuid

from tests.clients import sdks
from tests.clients.drivers import Page, Process
from tests.clients.front import served_front
from tests.clients.pages import Pages
from tests.clients.sdks import SDKS
from tests.clients.talk import Talker
from tests.support.sdk_events import PRIVATE, identity, parsed, told
from tests.support.service import Service
from tests.support.waiting import wait_until

_BY_NAME = {sdk.name: sdk for sdk in SDKS}


def test_what_go_logs_at_once_arrives_without_the_private_attributes_that_it_sends(service: Service, tmp_path) -> None:
    sdk = _BY_NAME["go_legacy"]
    sdks.skip_without(sdk.missing)
    key = f"secret-{uuid.uuid4()}"
    service.import_keys(key)
    go = Process(sdk, service.rest, key, tmp_path / "said.txt")
    try:
        go.wait_until_ready()
        go.log_at_once("go")
        go.end()
        go.wait_until_ended()
    finally:
        go.abandon()

    service.flush()
    rows = service.dicts(f"select * from events where key_id = '{service.key_id(key)}'")
    [row] = [parsed(row) for row in rows if row["event_name"] == "go_at_once"]
    assert (row["user_id"], row["value_string"], row["metadata"]) == ("u1", "pro", None)
    # It gives no time: the event was when it came.
    assert (row["time_ms"], row["event_time"]) == (0, row["received_at"])
    assert PRIVATE not in json.dumps(rows, default=str)


def test_what_statsig_js_sends_by_a_beacon_as_its_page_is_left_arrives(
    service: Service, browser: Talker, pages: Pages
) -> None:
    sdk = _BY_NAME["statsig_js"]
    key = f"client-{uuid.uuid4()}"
    service.import_keys(key)
    events = told("left", sdk.can)

    with served_front(service.grpc) as front:
        page = Page(sdk, front.url, key, browser, pages, disableNetworkKeepalive=True)
        time.sleep(1.5)  # it sends 0.1 s and 1 s after its start, and then every 10 s
        page.log("left")
        page.end()
        page.wait_until_ended()
        wait_until(lambda: key in front.keys(lambda post: post.beacon), what="the beacon is answered")

    def rows() -> list[dict[str, object]]:
        service.flush()
        found = service.dicts(f"select * from events where key_id = '{service.key_id(key)}'")
        return [row for row in map(parsed, found) if identity(row) in events]

    found = wait_until(rows, within_s=15, what="the beacon's events are in the lake")
    assert sorted(map(identity, found)) == sorted(events)
    for row in found:
        wanted = events[identity(row)]
        assert {column: row[column] for column in wanted} == wanted
        assert row["sdk_type"] == sdk.sdk_type
        assert row["time_ms"] <= row["client_time_ms"]  # which stands in the body
