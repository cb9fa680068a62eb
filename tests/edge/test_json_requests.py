import gzip
import http.client

import brotli
import pytest
import zstandard
from google.api.httpbody_pb2 import HttpBody

from tests.support.fake_worker import REQUEST_ID

LOG_EVENT = "/sluice.events.v1.HttpEventsService/LogEvent"
WEBHOOK = "/sluice.events.v1.HttpEventsService/ReceiveWebhookEvent"


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/v1/log_event", LOG_EVENT),
        ("/v1/rgstr", LOG_EVENT),
        ("/v1/rgstr?k=client-1&t=1767225600000&gz=0", LOG_EVENT),
        ("/v1/webhooks/event_webhook", WEBHOOK),
        ("//v1//log_event", LOG_EVENT),
    ],
)
def test_a_post_is_acknowledged_by_202_and_reaches_the_call_for_its_path(edge, path, method):
    answer = edge.post(path=path)

    assert (answer.status, answer.body) == (202, b'{"success":true}')
    assert answer.header("content-type") == "application/json"
    assert [call.path for call in edge.calls] == [method]


def test_an_acknowledgement_carries_no_more_than_is_needed(edge):
    answer = edge.post()

    assert set(answer.headers) == {
        "content-type",
        "content-length",
        "date",
        "x-request-id",
        "access-control-allow-origin",
        "access-control-expose-headers",
    }


@pytest.mark.parametrize(
    "body", [pytest.param(b"", id="empty"), b'{"events":[', b"\xff\x00", b"{'a':1}", b'{"b":1,"a":9007199254740993}']
)
def test_a_worker_gets_the_body_byte_for_byte(edge, body):
    edge.post(body)

    assert [call.body for call in edge.calls] == [body]


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain;charset=UTF-8", "Application/JSON ; charset=utf-8", None, ""]
)
def test_json_text_and_no_content_type_are_accepted(edge, content_type):
    answer = edge.post(headers={"Content-Type": content_type})

    assert answer.status == 202


def test_the_content_type_and_the_body_are_the_only_fields_of_the_message(edge):
    edge.post(b"{}", path="/v1/log_event?data=AAAA&content_type=x&extensions=y")

    assert [call.message for call in edge.calls] == [
        HttpBody(content_type="application/json", data=b"{}").SerializeToString()
    ]


@pytest.mark.parametrize(
    ("path", "encoding", "sent"),
    [
        pytest.param("/v1/log_event", "gzip", gzip.compress(b'{"a":1}'), id="gzip"),
        pytest.param("/v1/log_event", "GZip", gzip.compress(b'{"a":1}'), id="gzip in capitals"),
        pytest.param("/v1/log_event?gz=1", None, gzip.compress(b'{"a":1}'), id="gz=1"),
        pytest.param("/v1/rgstr?k=client-1&gz=1&t=1", None, gzip.compress(b'{"a":1}'), id="gz=1 among others"),
        pytest.param("/v1/log_event?gz=1", "gzip", gzip.compress(b'{"a":1}'), id="gzip and gz=1"),
        pytest.param("/v1/log_event", "identity", b'{"a":1}', id="identity"),
        pytest.param("/v1/log_event?gz=0", None, b'{"a":1}', id="gz=0"),
        pytest.param("/v1/log_event", "", b'{"a":1}', id="no name"),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_gzip_is_unpacked_before_a_worker_gets_it(edge, path, encoding, sent, chunked):
    answer = edge.post(sent, path=path, headers={"Content-Encoding": encoding}, chunked=chunked)

    assert answer.status == 202
    assert [call.body for call in edge.calls] == [b'{"a":1}']
    assert edge.calls[0].header("content-encoding") is None


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        ("zstd", zstandard.compress(b'{"a":1}')),
        ("ZSTD", zstandard.compress(b'{"a":1}')),
        ("br", brotli.compress(b"{}")),
    ],
)
def test_zstd_and_br_reach_the_worker_packed_and_labelled(edge, encoding, sent):
    edge.post(sent, headers={"Content-Encoding": encoding})

    assert [(call.body, call.header("content-encoding")) for call in edge.calls] == [(sent, encoding)]


def test_a_worker_sees_what_it_needs_of_the_headers_and_nothing_else(edge):
    browser = ("Accept", "Accept-Language", "Cookie", "Origin", "Referer", "User-Agent", "Sec-Fetch-Mode")
    noise = dict.fromkeys(browser, "x")
    sent = {"STATSIG-API-KEY": "client-1", "STATSIG-CLIENT-TIME": "5", "STATSIG-SDK-TYPE": "js", "X-Request-Id": "mine"}
    edge.post(path="/v1/rgstr?k=client-%20&t=3", headers=noise | sent)

    assert sorted(edge.calls[0].metadata) == [
        ("statsig-api-key", "client-1"),
        ("statsig-client-time", "5"),
        ("statsig-sdk-type", "js"),
        ("x-envoy-original-path", "/v1/rgstr?k=client-%20&t=3"),
    ]


def test_the_request_id_is_the_workers_whatever_a_client_sends(edge):
    answer = edge.post(headers={"X-Request-Id": "mine"})

    assert answer.header("x-request-id") == REQUEST_ID
    assert edge.calls[0].header("x-request-id") is None


def test_a_forged_original_path_is_replaced_by_the_real_one(edge):
    edge.post(path="/v1/log_event", headers={"X-Envoy-Original-Path": "/v1/webhooks/event_webhook"})

    assert edge.calls[0].header("x-envoy-original-path") == "/v1/log_event"


def test_a_connection_serves_many_requests(edge):
    client = http.client.HTTPConnection(*edge.address, timeout=10)
    for method, expected in (("POST", 202), ("GET", 405), ("POST", 202)):
        client.request(
            method,
            "/v1/log_event",
            body=b"{}" if method == "POST" else None,
            headers={"Content-Type": "application/json"},
        )
        answer = client.getresponse()
        answer.read()
        assert answer.status == expected
        assert not answer.will_close
    client.close()
