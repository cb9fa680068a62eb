"""Fuzz one target, guided by which branches of sluice an input reaches, until the time is over or a promise is broken.

    python -m tests.fuzz.run TARGET FOLDER SECONDS

libFuzzer keeps inputs that reach something new in FOLDER, and goes on from there the next time; what breaks a promise
it puts there as crash-…, slow-unit-… or oom-….
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["sluice"]):
    from tests.fuzz.targets import TARGETS

_MAX_INPUT_BYTES = 4096
_MAX_INPUT_S = 10
_MAX_MEMORY_MIB = 2048


def main() -> None:
    """Run libFuzzer, which ends the process."""
    name, folder, seconds = sys.argv[1:]
    target = TARGETS[name]
    corpus = Path(folder) / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = {
        "max_total_time": seconds,
        "max_len": _MAX_INPUT_BYTES,
        "timeout": _MAX_INPUT_S,
        "rss_limit_mb": _MAX_MEMORY_MIB,
        "artifact_prefix": f"{folder}/",
        "print_final_stats": 1,
        "verbosity": 1,
    }
    atheris.Setup([sys.argv[0], *(f"-{key}={value}" for key, value in options.items()), str(corpus)], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
