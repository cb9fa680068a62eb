"""A service and SDKs side by side in one network: start it, let each SDK log, print the rows of each as JSON.

    python -m tests.support.sdk_session DATA_FOLDER SDK...

An SDK is the name of a script in tests/support/sdks/.
"""

import fcntl
import json
import socket
import struct
import subprocess
import sys
from pathlib import Path

from tests.support.service import Service

_SDKS = Path(__file__).parent / "sdks"


def _loopback_up() -> None:
    """Bring the loopback device up: in a new network namespace it is down. linux/sockios.h, net/if.h."""
    siocsifflags, iff_up_running = 0x8914, 0x41
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        try:
            fcntl.ioctl(control, siocsifflags, struct.pack("16sH14x", b"lo", iff_up_running))
        except PermissionError:
            return  # not a namespace of ours: it is up


def main() -> None:
    """Run the session."""
    _loopback_up()
    folder, *sdks = sys.argv[1:]
    outcome = {}
    with Service(Path(folder)) as service:
        for sdk in sdks:
            key = f"secret-{sdk}"
            service.import_keys(key)
            subprocess.run(
                [sys.executable, str(_SDKS / f"{sdk}.py"), service.rest, key],
                check=True,
                stdout=sys.stderr,
                timeout=60,
            )
            service.flush()
            outcome[sdk] = service.dicts(
                f"select * exclude (received_date, received_hour) from events where key_id = '{service.key_id(key)}'"
            )
    json.dump(outcome, sys.stdout, default=str)


if __name__ == "__main__":
    main()
