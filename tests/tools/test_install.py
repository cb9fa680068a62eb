"""What a user has told pip reaches uv."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def install() -> ModuleType:
    spec = importlib.util.spec_from_file_location("install", _ROOT / "tools/install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("listing", "variables"),
    [
        pytest.param("", {}, id="nothing said"),
        pytest.param(
            "global.index-url='https://index.example/simple'",
            {"UV_DEFAULT_INDEX": "https://index.example/simple"},
            id="an index of one's own",
        ),
        pytest.param(
            "global.extra-index-url='\\nhttps://a.example/simple\\nhttps://b.example/simple'",
            {"UV_INDEX": "https://a.example/simple https://b.example/simple"},
            id="several more indexes",
        ),
        pytest.param("global.cert='/etc/ca.pem'", {"SSL_CERT_FILE": "/etc/ca.pem"}, id="certificates"),
        pytest.param("install.find-links='/a /b'", {"UV_FIND_LINKS": "/a,/b"}, id="folders of wheels"),
        pytest.param("global.timeout='60'", {"UV_HTTP_TIMEOUT": "60"}, id="time-out"),
        pytest.param("install.no-index='true'", {"UV_NO_INDEX": "true"}, id="no index at all"),
        pytest.param(
            "global.proxy='http://proxy.example:3128'",
            dict.fromkeys(("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"), "http://proxy.example:3128"),
            id="proxy",
        ),
        pytest.param(
            "global.index-url='https://weak.example'\ninstall.index-url='https://strong.example'",
            {"UV_DEFAULT_INDEX": "https://strong.example"},
            id="[install] is stronger than [global]",
        ),
        pytest.param(
            ":env:.index-url='https://strong.example'\nglobal.index-url='https://weak.example'",
            {"UV_DEFAULT_INDEX": "https://strong.example"},
            id="the environment is stronger than a file",
        ),
        pytest.param("download.index-url='https://other.example'", {}, id="settings of another command"),
        pytest.param("global.quiet='1'", {}, id="settings that uv needn't know"),
    ],
)
def test_pip_settings_become_uv_variables(install: ModuleType, listing: str, variables: dict[str, str]) -> None:
    assert install.uv_environment(install.pip_settings(listing), {}) == variables


def test_what_the_user_told_uv_itself_stays(install: ModuleType) -> None:
    settings = install.pip_settings("global.index-url='https://pip.example'")

    assert install.uv_environment(settings, {"UV_DEFAULT_INDEX": "https://uv.example"}) == {}
