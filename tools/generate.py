"""Write gen/ from proto/: Python, type stubs, and the descriptor set of Envoy's transcoder.

    python tools/generate.py [--out FOLDER]

google/api comes from the googleapis-common-protos wheel and is laid into build/googleapis, buf.yaml's second module.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import sys
import sysconfig
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

_ROOT = Path(__file__).resolve().parent.parent
_PROTO = _ROOT / "proto"
_GOOGLEAPIS = _ROOT / "build" / "googleapis"
# The transcoder's own google.rpc.Status shadows the ordinary one here, and only here.
_TRANSCODER_PROTOS = _ROOT / "envoy" / "descriptor"
TRANSCODER_SET = Path("sluice/events/v1/transcoder.binpb")


def lay_googleapis() -> None:
    """Copy google/api/*.proto of the installed wheel into build/googleapis."""
    spec = importlib.util.find_spec("google.api")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("error: google.api is not installed\n  hint: run make test once, it installs what is needed")
    target = _GOOGLEAPIS / "google" / "api"
    shutil.rmtree(_GOOGLEAPIS, ignore_errors=True)
    target.mkdir(parents=True)
    for proto in sorted(Path(spec.submodule_search_locations[0]).glob("*.proto")):
        shutil.copy(proto, target / proto.name)


def generate(out: Path) -> None:
    """Write everything below the folder `out`, which is emptied first."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    scripts = Path(sysconfig.get_path("scripts"))
    own = sorted(str(path.relative_to(_PROTO)) for path in (_PROTO / "sluice").rglob("*.proto"))
    well_known = str(files("grpc_tools") / "_proto")
    _protoc(
        f"-I{_PROTO}",
        f"-I{_GOOGLEAPIS}",
        f"-I{well_known}",
        f"--plugin=protoc-gen-mypy={scripts / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={scripts / 'protoc-gen-mypy_grpc'}",
        f"--python_out={out}",
        f"--grpc_python_out={out}",
        f"--mypy_out=quiet:{out}",
        f"--mypy_grpc_out=quiet:{out}",
        *own,
    )
    for path in sorted(out.rglob("*_pb2_grpc.py*")):
        if "service" not in path.name:  # a file of messages alone: its service module would be empty
            path.unlink()
    _protoc(
        f"-I{_TRANSCODER_PROTOS}",
        f"-I{_PROTO}",
        f"-I{_GOOGLEAPIS}",
        f"-I{well_known}",
        "--include_imports",
        f"--descriptor_set_out={out / TRANSCODER_SET}",
        "google/rpc/status.proto",
        *(name for name in own if name.startswith("sluice/events/")),
    )


def _protoc(*arguments: str) -> None:
    code = protoc.main(["protoc", *arguments])
    if code:
        raise SystemExit(code)


def main() -> None:
    """Generate into gen/ or the folder asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=_ROOT / "gen")
    parser.add_argument("--googleapis-only", action="store_true", help="only lay build/googleapis")
    arguments = parser.parse_args()
    lay_googleapis()
    if not arguments.googleapis_only:
        generate(arguments.out)


if __name__ == "__main__":
    sys.exit(main())
