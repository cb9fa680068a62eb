"""Install this project into the environment whose Python runs this, with uv, at the versions of constraints.txt.

uv comes from the package index by the environment's own pip. What the user has told pip (index, proxy, certificates,
offline wheels), by file or environment, is handed on to uv, which reads none of it by itself.

    python tools/install.py            what the service needs
    python tools/install.py --dev      and what its tests and checks need
    python tools/install.py --bench    and what make bench compares with
    python tools/install.py --fuzz     and what make fuzz needs besides
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_CONSTRAINTS = _ROOT / "constraints.txt"

# pip's option -> uv's environment variables. https://docs.astral.sh/uv/reference/environment/
_UV_VARIABLES = {
    "index-url": ("UV_DEFAULT_INDEX",),
    "extra-index-url": ("UV_INDEX",),
    "find-links": ("UV_FIND_LINKS",),
    "no-index": ("UV_NO_INDEX",),
    "trusted-host": ("UV_INSECURE_HOST",),
    "cert": ("SSL_CERT_FILE",),
    "client-cert": ("SSL_CLIENT_CERT",),
    "proxy": ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"),
    "timeout": ("UV_HTTP_TIMEOUT",),
    "default-timeout": ("UV_HTTP_TIMEOUT",),
    "keyring-provider": ("UV_KEYRING_PROVIDER",),
}
_COMMA_SEPARATED = {"UV_FIND_LINKS"}

# Of pyproject.toml's dependency groups.
_GROUPS = ("dev", "bench", "fuzz")


def pip_settings(listing: str) -> dict[str, str]:
    """Read the output of `pip config list`; of one option said twice, the stronger place counts.

    pip's order, strongest first: environment, [install], [global].
    """
    strength = {"global": 0, "install": 1, ":env:": 2}
    found: dict[str, tuple[int, str]] = {}
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        place, _, option = name.rpartition(".")
        if place not in strength or not value:
            continue
        if option not in found or strength[place] >= found[option][0]:
            found[option] = (strength[place], str(ast.literal_eval(value)))
    return {option: value for option, (_, value) in found.items()}


def uv_environment(settings: dict[str, str], present: dict[str, str]) -> dict[str, str]:
    """Turn pip's settings into uv's variables; what the user has already said to uv stays as it is."""
    variables: dict[str, str] = {}
    for option, value in settings.items():
        for variable in _UV_VARIABLES.get(option, ()):
            if variable not in present:
                separator = "," if variable in _COMMA_SEPARATED else " "
                variables[variable] = separator.join(value.split())
    return variables


def uv_command() -> str:
    """The program uv of the environment whose Python runs this."""
    return str(Path(sysconfig.get_path("scripts")) / "uv")


def environment_for_uv() -> dict[str, str]:
    """This process's environment, and in it what the user has told pip."""
    asking_pip = [sys.executable, "-m", "pip", "config", "list"]
    listing = subprocess.run(asking_pip, check=True, capture_output=True, text=True).stdout
    return {**os.environ, **uv_environment(pip_settings(listing), dict(os.environ))}


def main() -> int:
    """Install; return uv's or pip's own exit code."""
    python = sys.executable
    installing_uv = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", str(_CONSTRAINTS), "uv"],
        check=False,
    )
    if installing_uv.returncode:
        return installing_uv.returncode
    command = [uv_command(), "pip", "install", "--python", python]
    command += ["--constraints", str(_CONSTRAINTS), "--build-constraints", str(_CONSTRAINTS), "--editable", str(_ROOT)]
    for group in _GROUPS:
        if f"--{group}" in sys.argv[1:]:
            command += ["--group", f"{_ROOT / 'pyproject.toml'}:{group}"]
    return subprocess.run(command, check=False, env=environment_for_uv(), cwd=_ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
