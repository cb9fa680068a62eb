"""The API's description as it is served: for programs, and for people without anything from elsewhere."""

import json
import re

import pytest
import yaml

from sluice.edge.render import installed_documents


@pytest.mark.parametrize(
    ("path", "content_type", "name"),
    [
        ("/v1/openapi.yaml", "application/yaml", "openapi.yaml"),
        ("/v1/openapi.json", "application/json", "openapi.json"),
        ("/docs", "text/html; charset=utf-8", "docs.html"),
    ],
)
def test_a_document_is_served_whole_without_a_worker(edge, path, content_type, name):
    answer = edge.post(path=path, method="GET", body=b"", headers={"Content-Type": None})

    assert (answer.status, answer.header("content-type")) == (200, content_type)
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.header("access-control-allow-origin") == "*"
    assert answer.body == (installed_documents() / name).read_bytes()
    assert edge.calls == []


@pytest.mark.parametrize("path", ["/v1/openapi.yaml", "/v1/openapi.json", "/docs"])
def test_a_document_can_only_be_read(edge, path):
    answer = edge.post(path=path)

    assert (answer.status, answer.header("allow")) == (405, "GET")
    assert answer.json["message"].startswith("method: expected GET, got POST")


def test_the_page_needs_no_script_and_nothing_from_elsewhere(edge):
    answer = edge.post(path="/docs", method="GET", body=b"", headers={"Content-Type": None})
    page = answer.body.decode()

    policy = answer.header("content-security-policy")
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';")
    assert "<script" not in page
    links = re.findall(r'(?:src|href|action)="([^"]*)"', page)
    assert [link for link in links if not re.match("#|/[^/]", link)] == []
    assert re.findall(r"@import|url\(|https?://", page) == []


def test_the_page_shows_all_of_the_document(edge):
    page = edge.post(path="/docs", method="GET", body=b"", headers={"Content-Type": None}).body.decode()
    document = yaml.safe_load((installed_documents() / "openapi.yaml").read_text())

    assert document == json.loads((installed_documents() / "openapi.json").read_text())
    for path, operations in document["paths"].items():
        for method in operations:
            assert f'<span class="method">{method}</span> <code>{path}</code></h2>' in page
    for name, schema in document["components"]["schemas"].items():
        assert f'id="schema-{name}"' in page
        assert all(f"<code>{member}</code>" in page for member in schema.get("properties", {}))
    for anchor in re.findall(r'href="#([^"]+)"', page):
        assert f'id="{anchor}"' in page
