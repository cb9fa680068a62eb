"""The programs of docs/sdks.md send their event. Python's are run by `make test`, with the rest of the documents."""

import importlib.metadata
import os
import re
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.clients import sdks, tools
from tests.clients.pages import Pages
from tests.clients.talk import Talker
from tests.support.documents import Block, blocks_of
from tests.support.service import Service
from tests.support.waiting import wait_until

_DOCUMENT = tools.ROOT / "docs/sdks.md"
_BLOCKS = {block.heading: block for block in blocks_of(_DOCUMENT, {"js", "html", "go", "java"})}
_CLIENT_KEY = "client-YOUR-KEY"  # as pages of the document have it

# By heading: the language that is needed, how it is run, and the SDK's name of itself.
_PROGRAMS = {
    "Node: `statsig-node`": ("Node", "node", "statsig-node"),
    "Node: `@statsig/statsig-node-core`": ("Node", "node", "statsig-server-core-node"),
    "Go: `github.com/statsig-io/go-sdk`": ("Go", "go", "go-sdk"),
    "Java: `com.statsig:serversdk`": ("Java", "legacy", "java-server"),
    "Java: `com.statsig:javacore`": ("Java", "core", "statsig-server-core-java"),
}
_PAGES = {
    "Browser: `@statsig/js-client`": "javascript-client",
    "Browser: `@statsig/js-client` without a bundler": "javascript-client",
    "Browser: `statsig-js`": "js-client",
}


def test_each_program_of_the_document_is_run_here() -> None:
    assert set(_BLOCKS) == {*_PROGRAMS, *_PAGES}
    assert len(_BLOCKS) == len(blocks_of(_DOCUMENT, {"js", "html", "go", "java"}))


@pytest.mark.parametrize(
    ("package", "sdk_type"), [("statsig", "py-server"), ("statsig-python-core", "statsig-server-core-python")]
)
def test_the_versions_that_the_document_names_are_pythons_too(package: str, sdk_type: str) -> None:
    assert _documented_versions()[sdk_type] == importlib.metadata.version(package)


@pytest.mark.parametrize("heading", _PROGRAMS)
def test_a_program_sends_its_event(heading: str, service: Service) -> None:
    language, place, sdk_type = _PROGRAMS[heading]
    sdks.skip_without({"Go": tools.missing_for_go, "Java": tools.missing_for_java}.get(language, list)())
    key = f"secret-{uuid.uuid4()}"
    service.import_keys(key)
    command, folder = _laid(_BLOCKS[heading], place, service)

    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "KEY": key, "GOPROXY": "off"},
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=90,
    )

    assert done.returncode == 0, done.stdout[-4000:]
    _assert_the_event_is_there(service, key, sdk_type)


@pytest.mark.parametrize("heading", _PAGES)
def test_a_page_of_another_origin_sends_its_event_and_asks_no_other_host(
    heading: str, service: Service, pages: Pages, browser: Talker
) -> None:
    key = f"client-{uuid.uuid4()}"
    service.import_keys(key)

    browser.ask({"open": _page(_BLOCKS[heading], pages, service, key)})
    wait_until(lambda: _has_posted(browser, service), within_s=30, what="the page's events are taken")
    requests = browser.ask({"requests": True})
    browser.ask({"close": True})

    wait_until(lambda: _custom_rows(service, key), within_s=15, what="the event is in the lake")
    _assert_the_event_is_there(service, key, _PAGES[heading])
    assert pages.origin != service.rest
    assert all(request["url"].startswith((f"{pages.origin}/", f"{service.rest}/")) for request in requests), requests


def _documented_versions() -> dict[str, str]:
    """Of the table of versions: an SDK's name of itself, and the version that is said to be run."""
    rows = re.findall(r"^\| [^|]+ \| ([0-9.]+) \| `([^`]+)` \|", _DOCUMENT.read_text(), re.MULTILINE)
    return {sdk_type: version for version, sdk_type in rows}


def _laid(block: Block, place: str, service: Service) -> tuple[list[str], Path]:
    """Write the program among its packages; return its command and its folder."""
    program = block.text.replace("http://127.0.0.1:8080", service.rest)
    if place == "node":
        folder, file, command = tools.NODE, "documented.mjs", ["node"]
    elif place == "go":
        folder, file, command = tools.GO, "documented.go", ["go", "run"]
    else:
        folder, file, command = tools.JAVA / place, "Documented.java", ["java", "-cp", "lib/*"]
    (folder / file).write_text(program)
    return [*command, file], folder


def _page(block: Block, pages: Pages, service: Service, key: str) -> str:
    """Offer the page; return its address."""
    program = block.text.replace("http://127.0.0.1:8080", service.rest)
    assert _CLIENT_KEY in program
    program = program.replace(_CLIENT_KEY, key)
    if block.language == "html":
        package = tools.NODE / "node_modules/@statsig/js-client"
        pages.add_script("/statsig-js-client.min.js", package / "build/statsig-js-client.min.js")
        return pages.add("/documented", f"<!doctype html>{program}")
    (tools.NODE / "documented_page.mjs").write_text(program)
    bundle = ["node_modules/.bin/esbuild", "documented_page.mjs", "--bundle", "--format=esm"]
    subprocess.run([*bundle, "--outfile=pages/documented.js", "--log-level=warning"], cwd=tools.NODE, check=True)
    pages.add_script("/documented.js", tools.NODE / "pages/documented.js")
    return pages.add("/documented", '<!doctype html><script type="module" src="/documented.js"></script>')


def _has_posted(browser: Talker, service: Service) -> bool:
    requests = browser.ask({"requests": True})
    return any(
        it["method"] == "POST" and it["url"].startswith(f"{service.rest}/v1/rgstr") and it["answered"]
        for it in requests
    )


def _custom_rows(service: Service, key: str) -> list[dict[str, Any]]:
    service.flush()
    return service.dicts(
        "select event_name, user_id, value_number, metadata, sdk_type, ltrim(sdk_version, 'v') as sdk_version, source "
        f"from events where key_id = '{service.key_id(key)}' and event_kind = 'custom'"
    )


def _assert_the_event_is_there(service: Service, key: str, sdk_type: str) -> None:
    assert _custom_rows(service, key) == [
        {
            "event_name": "added_to_cart",
            "user_id": "u1",
            "value_number": 9.5,
            "metadata": '{"item":"SKU-1"}',
            "sdk_type": sdk_type,
            "sdk_version": _documented_versions()[sdk_type],
            "source": "sdk",
        }
    ]
