"""Write openapi.json and docs.html, as they are served, from openapi.yaml, which is written by hand.

python tools/document_api.py                  into server/sluice/edge/documents/
python tools/document_api.py --out FOLDER     elsewhere; a test compares

The page is whole in itself: no script, nothing from elsewhere.
"""

from __future__ import annotations

import argparse
import json
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

_DOCUMENTS = Path(__file__).resolve().parent.parent / "server/sluice/edge/documents"
_METHODS = ("get", "post", "options")

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, .method { font-family: ui-monospace, monospace; font-size: 0.9em; }
h2 { border-top: 1px solid; padding-top: 1rem; margin-top: 2.5rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #8886; padding: 0.3rem 0.8rem 0.3rem 0; text-align: left; vertical-align: top; }
nav li { overflow-wrap: anywhere; }
.method { text-transform: uppercase; font-weight: bold; }
"""


def json_document(document: dict[str, Any]) -> str:
    """The document in JSON."""
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def page(document: dict[str, Any]) -> str:
    """The document as a page of HTML."""
    info = document["info"]
    operations = [
        (path, method, operations[method])
        for path, operations in document["paths"].items()
        for method in _METHODS
        if method in operations
    ]
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(info['title'])}</h1><p>{escape(info['summary'])}</p>",
        *(f"<p>{_prose(paragraph)}</p>" for paragraph in info["description"].split("\n") if paragraph),
        '<p>For programs: <a href="/v1/openapi.yaml">in YAML</a>, <a href="/v1/openapi.json">in JSON</a>.</p>',
        "<nav><ul>",
        *(
            f'<li><a href="#{_anchor(operation)}">{_title(path, method)}</a>: {escape(operation["summary"])}</li>'
            for path, method, operation in operations
        ),
        "</ul></nav><main>",
        *(line for path, method, operation in operations for line in _operation(document, path, method, operation)),
        "<h2>Keys</h2>",
        *_table(
            ("where", "name", ""),
            [
                (scheme["in"], f"<code>{escape(scheme['name'])}</code>", _prose(scheme["description"]))
                for scheme in document["components"]["securitySchemes"].values()
            ],
        ),
        *(line for name, schema in document["components"]["schemas"].items() for line in _schema(name, schema)),
        "</main></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _operation(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f'<h2 id="{_anchor(operation)}">{_title(path, method)}</h2>'
    yield f"<p><strong>{escape(operation['summary'])}.</strong> {_prose(operation.get('description', ''))}</p>"
    if method != "options" and not operation.get("security", document["security"]):
        yield "<p>No key is needed.</p>"
    parameters = [_resolved(document, one) for one in operation.get("parameters", [])]
    if parameters:
        yield "<h3>Parameters</h3>"
        yield from _table(
            ("name", "in", "type", ""),
            [
                (
                    f"<code>{escape(one['name'])}</code>{' (required)' if one['required'] else ''}",
                    one["in"],
                    _type(one["schema"]),
                    _prose(one["description"]),
                )
                for one in parameters
            ],
        )
    if "requestBody" in operation:
        body = _resolved(document, operation["requestBody"])
        yield f"<h3>Body</h3><p>{_prose(body['description'])}</p>"
        yield from _content(body["content"])
    yield "<h3>Answers</h3>"
    yield from _table(
        ("status", "means", "body", "headers"),
        [
            (
                f"<code>{status}</code>",
                _prose((answer := _resolved(document, one))["description"]),
                "".join(_content(answer.get("content", {}))),
                ", ".join(f"<code>{name}</code>" for name in answer.get("headers", {})),
            )
            for status, one in operation["responses"].items()
        ],
    )


def _content(content: dict[str, Any]) -> Iterator[str]:
    for media_type, body in content.items():
        yield f"<p><code>{escape(media_type)}</code>: {_type(body['schema'])}</p>"


def _schema(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f'<h2 id="schema-{name}">{escape(name)}</h2>'
    yield f"<p>{_type({**schema, 'properties': {}})}. {_prose(schema.get('description', ''))}</p>"
    required = schema.get("required", [])
    properties = schema.get("properties", {})
    if properties:
        yield from _table(
            ("member", "type", ""),
            [
                (
                    f"<code>{escape(member)}</code>{' (required)' if member in required else ''}",
                    _type(one),
                    _prose(one.get("description", "")),
                )
                for member, one in properties.items()
            ],
        )


def _type(schema: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#schema-{name}">{escape(name)}</a>'
    if "oneOf" in schema:
        return " or ".join(_type(one) for one in schema["oneOf"])
    kinds = schema.get("type", "any value")
    text = escape(" or ".join(kinds) if isinstance(kinds, list) else kinds)
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        text += ": " + ", ".join(f"<code>{escape(str(value))}</code>" for value in values)
    if "format" in schema:
        text += f" ({escape(schema['format'])})"
    if "items" in schema:
        text += f" of {_type(schema['items'])}"
    of_all = schema.get("additionalProperties")
    if isinstance(of_all, dict):
        text += f" of {_type(of_all)}"
    members = schema.get("properties")
    if members:
        text += " with " + ", ".join(f"<code>{escape(name)}</code>: {_type(one)}" for name, one in members.items())
    return text


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    yield "<table><thead><tr>" + "".join(f"<th>{name}</th>" for name in head) + "</tr></thead><tbody>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"
    yield "</tbody></table>"


def _prose(text: str) -> str:
    """Text in which backquotes mark code."""
    parts = escape(text, quote=False).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))


def _title(path: str, method: str) -> str:
    return f'<span class="method">{method}</span> <code>{escape(path)}</code>'


def _anchor(operation: dict[str, Any]) -> str:
    return escape(operation["operationId"])


def _resolved(document: dict[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    found: Any = described
    if "$ref" in described:
        found = document
        for name in described["$ref"].removeprefix("#/").split("/"):
            found = found[name]
    resolved: dict[str, Any] = found
    return resolved


def main() -> None:
    """Write both into the folder of the documents, or into another."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=_DOCUMENTS)
    arguments = parser.parse_args()
    document = yaml.safe_load((_DOCUMENTS / "openapi.yaml").read_text(encoding="utf-8"))
    (arguments.out / "openapi.json").write_text(json_document(document), encoding="utf-8")
    (arguments.out / "docs.html").write_text(page(document), encoding="utf-8")


if __name__ == "__main__":
    main()
