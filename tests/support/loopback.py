"""Runs a command where there is only loopback, so that no client under test reaches another host.

    python -m tests.support.loopback COMMAND...

A network namespace of its own; where the machine refuses one it says so, and proxies that nobody serves turn away
those clients that ask the environment for a proxy.
"""

import fcntl
import os
import socket
import struct
import subprocess
import sys

_ENTER = ["unshare", "--map-root-user", "--net"]
_INSIDE = "--inside"
_NO_WAY_OUT = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}


def main() -> None:
    """Become the command."""
    command = sys.argv[1:]
    if command[0] == _INSIDE:
        _bring_loopback_up()
        os.execvp(command[1], command[1:])
    if _is_allowed():
        os.execvp(_ENTER[0], [*_ENTER, sys.executable, "-m", "tests.support.loopback", _INSIDE, *command])
    print(
        "no network namespaces here (unshare is refused): clients run behind a proxy that nobody serves",
        file=sys.stderr,
    )
    os.execvpe(command[0], command, {**os.environ, **_NO_WAY_OUT})


def _is_allowed() -> bool:
    try:
        return subprocess.run([*_ENTER, "true"], check=False, capture_output=True, timeout=10).returncode == 0
    except FileNotFoundError:
        return False


def _bring_loopback_up() -> None:
    """In a new network namespace it is down. linux/sockios.h, net/if.h."""
    siocsifflags, iff_up_running = 0x8914, 0x41
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, siocsifflags, struct.pack("16sH14x", b"lo", iff_up_running))


if __name__ == "__main__":
    main()
