"""What a run came to, in words."""

from collections import Counter

from tests.soak.soak import Result
from tests.support.ledger.ledger import Ledger, Outcome

__all__ = ["report"]


def report(result: Result) -> str:
    """The closing lines of a run."""
    lines = [f"{result.seconds:.0f} s, seed {result.seed}, {result.checks} comparisons"]
    if result.cut_short:
        lines += [f"ended before it had done all: {result.cut_short}"]
    if result.ledger is not None:
        lines += ["", *_ledger(result.ledger, result)]
    lines += ["", f"kills: {result.tally.kills.total()}", *_counted(result.tally.kills)]
    if result.tally.other:
        lines += ["", "besides:", *_counted(result.tally.other)]
    lines += ["", f"deaths at {len(result.tally.points)} named steps:", *_counted(result.tally.points)]
    lines += ["", f"longest until it served again: {result.tally.longest_s:.1f} s"]
    if result.never:
        lines += ["", "never reached:", *(f"  {name}" for name in result.never)]
    lines += ["", f"violations: {len(result.violations)}"]
    for number, violation in enumerate(result.violations, 1):
        lines += ["", f"{number}. {violation}"]
    return "\n".join(lines)


def _ledger(ledger: Ledger, result: Result) -> list[str]:
    classes, in_lake = ledger.classes(), ledger.in_lake()
    lines = [f"ledger: {len(ledger)} attempts; the lake: {result.rows} rows in {result.files} files"]
    lines += [f"  {'':14}{'attempts':>10}{'events':>10}{'in the lake':>13}"]
    for outcome in Outcome:
        if classes[outcome]:
            name = outcome.name.lower().replace("_", " ")
            lines += [f"  {name:14}{classes[outcome]:10}{ledger.events[outcome]:10}{in_lake[outcome]:13}"]
    lines += [f"  of them set aside by design, and given back: {result.set_aside}"]
    return lines


def _counted(counts: Counter[str]) -> list[str]:
    return [f"  {count:6}  {name}" for name, count in sorted(counts.items())]
