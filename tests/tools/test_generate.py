"""gen/ is what proto/ makes."""

import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("generated") / "gen"
    subprocess.run([sys.executable, str(_ROOT / "tools/generate.py"), "--out", str(out)], check=True, timeout=60)
    return out


def test_gen_is_what_proto_makes(generated: Path) -> None:
    stale = "gen/ is not what proto/ makes; write it anew with `make gen`"

    assert sorted(_files(generated)) == sorted(_files(_ROOT / "gen")), stale
    assert _files(generated) == _files(_ROOT / "gen"), stale


def test_the_namespace_package_has_no_init_at_its_root() -> None:
    assert not (_ROOT / "server/sluice/__init__.py").exists()
    assert not (_ROOT / "gen/sluice/__init__.py").exists()
