"""A service is killed again and again under load, at every named step: is each acknowledged request in the lake once?

    python -m tests.soak --kills 500 --seed 7 --minutes 60 --keep build/soak

Exit 0: nothing was found. Exit 1: something was, and the folder with the data, the messages and the journal of all
attempts is kept. Exit 2: wrong usage. Exit 130: interrupted; nothing is kept. docs/durability.md says what is compared.
"""

import argparse
import secrets
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from sluice.ingest.compiled_check import CompiledCheck
from sluice.lake.native.ready import CompiledDecoder
from tests.soak.plan import Chosen, Plan
from tests.soak.progress import Progress
from tests.soak.report import report
from tests.soak.soak import Limits, Result, Soak


def main() -> int:
    """Run it; return the exit code."""
    asked = _arguments()
    seed = secrets.randbelow(2**32) if asked.seed is None else asked.seed
    folder = Path(tempfile.mkdtemp(prefix="soak-")) if asked.keep is None else asked.keep.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        sys.stderr.write(f"error: {folder} is not empty\n  hint: choose a new folder with --keep\n")
        return 2
    limits = Limits(kills=asked.kills, check_every=asked.check_every, seconds=asked.minutes * 60)
    sys.stderr.write(f"seed {seed}, in {folder}\n")
    # Whoever ends it is told how far it came, and nothing is left that runs.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    environment = {"PLANTED_FAULT": asked.plant} if asked.plant else {}
    if asked.decoder == "compiled":
        sys.stderr.write("compiling the decoder and the check, unless they were before\n")
        CompiledDecoder().load()
        CompiledCheck().load()
        environment["COMPILED_AT_ONCE"] = "1"
    with Progress() as progress:
        plan = Chosen(asked.only, seed=seed) if asked.only else Plan(asked.kills, seed=seed)
        soak = Soak(folder, limits, plan=plan, seed=seed, environment=environment, tell=progress.say)
        progress.follow(soak, kills=asked.kills)
        result = soak.run()
    print(report(result))
    return _finish(result, folder, keep=asked.keep is not None)


def _finish(result: Result, folder: Path, *, keep: bool) -> int:
    found = result.violations or result.never
    if found:
        print(f"\nkept: {folder}")
        print(f"look: .venv/bin/sluice trace REQUEST_ID --data-dir {folder / 'data'}, {folder / 'messages.jsonl'},")
        print(f"      {folder / 'attempts.tsv'}")
        print(f"again: make soak ARGS='--seed {result.seed} --kills {result.tally.kills.total()}'")
        return 1
    if not keep:
        shutil.rmtree(folder)
    return 130 if result.cut_short == "interrupted" else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=500, help="how many deaths at least (500)")
    parser.add_argument("--seed", type=int, help="of all choices; else one is chosen, and printed")
    parser.add_argument("--minutes", type=float, default=120, help="no longer than this (120)")
    parser.add_argument("--check-every", type=int, default=25, help="compare after so many deaths (25)")
    parser.add_argument("--keep", type=Path, help="a folder, new or empty, in which everything is kept")
    parser.add_argument("--only", nargs="+", metavar="ACT", help="these acts or steps alone, in turn, by their names")
    parser.add_argument(
        "--plant", metavar="FAULT", help="let the service break a promise: tests/support/injected/planted.py"
    )
    parser.add_argument(
        "--decoder",
        choices=["compiled", "plain"],
        default="compiled",
        help="what each worker and lake writer has from its start",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
