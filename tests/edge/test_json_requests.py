import http.client

import pytest
from google.api.httpbody_pb2 import HttpBody

from tests.support.edge import exchange
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
    ("path", "encoding", "told"),
    [
        pytest.param("/v1/log_event", "gzip", "gzip", id="gzip"),
        pytest.param("/v1/log_event", "GZip", "GZip", id="gzip in capitals"),
        pytest.param("/v1/log_event?gz=1", None, "gzip", id="gz=1"),
        pytest.param("/v1/rgstr?k=client-1&gz=1&t=1", None, "gzip", id="gz=1 among others"),
        pytest.param("/v1/log_event?gz=1", "gzip", "gzip", id="gzip and gz=1"),
        pytest.param("/v1/log_event", "zstd", "zstd", id="zstd"),
        pytest.param("/v1/log_event", "ZSTD", "ZSTD", id="zstd in capitals"),
        pytest.param("/v1/log_event", "br", "br", id="br"),
        pytest.param("/v1/log_event", "identity", None, id="identity"),
        pytest.param("/v1/log_event?gz=1", "identity", None, id="identity and gz=1"),
        pytest.param("/v1/log_event?gz=0", None, None, id="gz=0"),
        pytest.param("/v1/log_event", "", None, id="no name"),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_reaches_the_worker_as_it_was_sent_with_its_encoding(edge, path, encoding, told, chunked):
    answer = edge.post(b"packed", path=path, headers={"Content-Encoding": encoding}, chunked=chunked)

    assert answer.status == 202
    assert [(call.body, call.header("content-encoding")) for call in edge.calls] == [(b"packed", told)]


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


@pytest.mark.parametrize("host", [b"", b"Host: x\r\n"])
def test_http_1_0_is_taken_as_nginx_speaks_it(edge, host):
    body = b'{"events":[]}'
    head = b"POST /v1/log_event HTTP/1.0\r\n" + host + b"Content-Type: application/json\r\nContent-Length: 13\r\n\r\n"

    assert exchange(edge.address, head + body).status == 202
