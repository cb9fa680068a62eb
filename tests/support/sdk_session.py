"""A service and SDKs side by side: start it, let each SDK log a round, print the rows of each as JSON.

    python -m tests.support.sdk_session DATA_FOLDER SDK...

An SDK is the name of a script in tests/support/sdks/.
"""

import json
import subprocess
import sys
from pathlib import Path

from tests.support.service import Service

_SDKS = Path(__file__).parent / "sdks"


def main() -> None:
    """Run the session."""
    folder, *sdks = sys.argv[1:]
    outcome = {}
    with Service(Path(folder)) as service:
        for sdk in sdks:
            key = f"secret-{sdk}"
            service.import_keys(key)
            subprocess.run(
                [sys.executable, str(_SDKS / f"{sdk}.py"), service.rest, key],
                input="log first\n",
                text=True,
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
