"""Make an environment of its own for a Spark, with the Python that runs this: build/spark-3.5, build/spark-4.

    python tools/install_spark.py 3.5
    python tools/install_spark.py 4

pyspark brings all of Spark but Java. Its versions would quarrel with each other, and it is larger than the rest of the
tools together: only `make test-spark` needs it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from install import environment_for_uv, uv_command

_ROOT = Path(__file__).resolve().parent.parent
VERSIONS = {"3.5": "3.5.9", "4": "4.1.4"}


def main() -> int:
    """Install; return uv's own exit code."""
    version = sys.argv[1]
    folder = _ROOT / "build" / f"spark-{version}"
    environment = environment_for_uv()
    making = [uv_command(), "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)]
    installing = [uv_command(), "pip", "install", "--python", str(folder / "bin/python")]
    for command in (making, [*installing, f"pyspark=={VERSIONS[version]}"]):
        if code := subprocess.run(command, check=False, env=environment).returncode:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
