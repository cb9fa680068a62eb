import pytest

SDK_HEADERS = {
    "js-client": "statsig-api-key,statsig-client-time,statsig-sdk-type,statsig-sdk-version",
    "statsig-js": (
        "content-type,statsig-api-key,statsig-client-time,statsig-encoded,statsig-event-count,statsig-sdk-type,"
        "statsig-sdk-version"
    ),
    "gRPC-Web": "content-type,statsig-api-key,x-grpc-web,x-user-agent,grpc-timeout",
}


@pytest.mark.parametrize("sdk", SDK_HEADERS)
@pytest.mark.parametrize(
    "path",
    [
        "/v1/log_event?k=client-1&t=5",
        "/v1/rgstr",
        "/v1/rgstr_b",
        "/v1/log_custom_exposure",
        "/v1/webhooks/event_webhook",
        "/sluice.events.v1.EventsService/LogEvent",
    ],
)
def test_a_preflight_is_granted(edge, path, sdk):
    asked = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": SDK_HEADERS[sdk],
    }

    answer = edge.post(b"", path=path, method="OPTIONS", headers=asked)

    granted = {name.strip() for name in answer.header("access-control-allow-headers").split(",")}
    assert (answer.status, answer.body) == (204, b"")
    assert "content-length" not in answer.headers
    assert answer.header("access-control-allow-origin") == "*"
    assert "POST" in answer.header("access-control-allow-methods")
    assert set(SDK_HEADERS[sdk].split(",")) | {"*"} <= granted
    assert int(answer.header("access-control-max-age")) >= 3600
    assert edge.calls == []


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://shop.example"}])
def test_answers_can_be_read_by_any_page(edge, headers):
    answer = edge.post(headers=headers)

    assert answer.header("access-control-allow-origin") == "*"
    assert "x-request-id" in answer.header("access-control-expose-headers")
