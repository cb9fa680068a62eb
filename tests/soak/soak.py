"""A run: a service under load dies again and again, and is compared with the clients' ledger in between."""

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.soak.evidence import evidence_of
from tests.soak.kills import Act
from tests.soak.leftovers import NewMessages, leftovers
from tests.soak.plan import Chosen, Plan
from tests.soak.set_aside import attempts_set_aside, give_back
from tests.soak.target import Tally, Target
from tests.support.ledger.lake import Finding, LakeReader, compare
from tests.support.ledger.ledger import Ledger
from tests.support.ledger.load import Load

__all__ = ["Limits", "Result", "Soak"]

_SERVER_KEY, _CLIENT_KEY = "secret-soak-0123456789abcdef", "client-soak-0123456789abcdef"
_TRIES_TO_FLUSH = 3
_MOST_TOLD = 20
_MOST_IN_FULL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a run goes on.

    Attributes:
        kills: so many deaths at least.
        check_every: a comparison after so many.
        seconds: no longer than this, though there were fewer.
    """

    kills: int
    check_every: int = 25
    seconds: float = float("inf")


@dataclass(slots=True, kw_only=True)
class Result:
    """What a run came to.

    Attributes:
        seed: of its choices.
        ledger: of its clients; None if it ended before there were any.
        tally: what was done.
        rows, files: of the lake.
        set_aside: attempts that were in segments set aside by design, and given back.
        checks: how many comparisons were made.
        seconds: how long it took.
        violations: what must not be; each in words, with its evidence.
        never: points that were to be reached and were not.
        cut_short: why it ended before it had done all, or "".
    """

    seed: int
    ledger: Ledger | None = None
    tally: Tally = field(default_factory=Tally)
    rows: int = 0
    files: int = 0
    set_aside: int = 0
    checks: int = 0
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list)
    never: list[str] = field(default_factory=list)
    cut_short: str = ""


class Soak:
    """One run.

    Args:
        folder: everything that is kept of it: the data folder, messages, the journal of attempts.
        limits: how long it goes on.
        plan: what is done; what happens in between is up to the machine.
        seed: of the clients' choices.
        environment: what the service's processes have beyond this process's.
        tell: is given each act in words.
    """

    def __init__(
        self,
        folder: Path,
        limits: Limits,
        *,
        plan: Plan | Chosen,
        seed: int,
        environment: dict[str, str] | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._folder = folder
        self._limits = limits
        self._tell = tell
        self._plan = plan
        self._environment = environment or {}
        self._data_dir = folder / "data"
        self._reader = LakeReader(self._data_dir)
        self._messages = NewMessages(folder / "messages.jsonl")
        self._next_check = limits.check_every
        self._began = time.monotonic()
        self.result = Result(seed=seed)

    @property
    def kills(self) -> int:
        """How many deaths there were so far."""
        return self.result.tally.kills.total()

    @property
    def oldest_wait_s(self) -> float:
        """How long the client has waited that waits longest."""
        load = self._target.load if hasattr(self, "_target") else None
        return load.oldest_wait_s if load is not None else 0.0

    def run(self) -> Result:
        """Go on until the limits are met, or something is found that must not be."""
        with ExitStack() as cleanup:
            # Sockets need a short name.
            run_folders = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="soak-", dir="/tmp")))
            self._run_folders = run_folders
            self._target = target = Target(self._folder, run_folders=run_folders, environment=self._environment)
            self.result.tally = target.tally
            self.result.ledger = ledger = Ledger(self._folder / "attempts.tsv")
            cleanup.callback(ledger.close)
            cleanup.callback(self._end, target)
            try:
                self._run(target, ledger)
            except AssertionError as exc:
                self._violated([Finding(what="the run could not go on", detail=str(exc))])
            except KeyboardInterrupt:
                self.result.cut_short = "interrupted"
        self.result.seconds = time.monotonic() - self._began
        return self.result

    def _run(self, target: Target, ledger: Ledger) -> None:
        for act in self._plan.first_starts():
            self._do(act, target)
        # They come one after the other, and each only once in a data folder's life.
        first_file = self._plan.first_file()
        rule_ids = target.arm(*first_file, chance=self._plan.chance)
        target.start()
        target.service.import_keys(_SERVER_KEY, _CLIENT_KEY)
        door = target.door(server_key=_SERVER_KEY, client_key=_CLIENT_KEY)
        load = target.load = Load(door, ledger, seed=self.result.seed)
        load.start()
        for point, rule_id in zip(first_file, rule_ids, strict=True):
            self._tell(f"{self.kills:5} kills  {point.name}")
            target.died_at(point, rule_id, stands=True)
        target.faults.set()
        target.heal()
        for act in self._plan.acts():
            if self._has_done_enough() or self.result.violations:
                break
            self._do(act, target)
            target.heal()
            if self.kills >= self._next_check and not self._has_done_enough():
                self._check(target, load, ledger)
                self._next_check = self.kills + self._limits.check_every
        if not self.result.violations:
            self._last_check(target, load, ledger)

    def _do(self, act: Act, target: Target) -> None:
        self._tell(f"{self.kills:5} kills  {act.name}")
        try:
            act.do(target, self._plan.chance)
        except AssertionError as exc:
            raise AssertionError(f"{act.name}: {exc}") from exc

    def _has_done_enough(self) -> bool:
        if time.monotonic() - self._began > self._limits.seconds:
            self.result.cut_short = self.result.cut_short or f"after {self._limits.seconds / 60:.0f} minutes"
            return True
        return self.kills >= self._limits.kills and not self._never_reached()

    def _never_reached(self) -> list[str]:
        return [name for name in self._plan.must_die_at() if not self.result.tally.points[name]]

    def _check(self, target: Target, load: Load, ledger: Ledger) -> None:
        """Let the service come to rest, and compare."""
        self._tell(f"{self.kills:5} kills  comparing the lake with the ledger")
        load.pause()
        target.heal_without_load()
        self._flush(target)
        by_segment = attempts_set_aside(self._data_dir)
        if by_segment:
            missing = set().union(*by_segment.values())
            self._compare(target, ledger, missing, {f"{name}{end}" for name in by_segment for end in ("", ".json")})
            self.result.set_aside += len(missing)
            self._tell(f"{self.kills:5} kills  giving {give_back(target)} segments back")
            target.heal_without_load()
            self._flush(target)
        self._compare(target, ledger, set(), set())
        load.resume()

    def _last_check(self, target: Target, load: Load, ledger: Ledger) -> None:
        """Once more, the whole lake anew, and when the service has stopped as it should."""
        load.end()
        self._check(target, load, ledger)
        if self.result.violations:
            return
        self._reader.forget()
        ledger.forget_what_was_found()
        self._violated(compare(self._reader, ledger))
        code = target.service.stop()
        if code:
            self._violated([Finding(what=f"sluice up ended with {code}", detail="it was told to stop, and was idle")])
        self.result.never = self._never_reached()

    def _flush(self, target: Target) -> None:
        for _ in range(_TRIES_TO_FLUSH):
            flushed = target.service.try_command("flush")
            if flushed.returncode == 0:
                return
        self._violated([Finding(what="flush does not come to an end", detail=flushed.stderr)])

    def _compare(self, target: Target, ledger: Ledger, missing: set[int], damaged: set[str]) -> None:
        findings = compare(self._reader, ledger, set_aside=missing)
        self.result.rows, self.result.files = self._reader.rows, self._reader.files
        findings += leftovers(self._data_dir, self._run_folders, mark=target.mark, set_aside=damaged)
        verified = target.service.try_command("log", "verify")
        # What was set aside already is no fault any more.
        if verified.returncode != 0:
            findings.append(Finding(what=f"log verify ended with {verified.returncode}", detail=verified.stdout))
        findings += self._messages.errors(expected=target.expected_errors)
        ledger.settle()
        self.result.checks += 1
        self._violated(findings)

    def _violated(self, findings: list[Finding]) -> None:
        for number, finding in enumerate(findings[:_MOST_TOLD]):
            told = evidence_of(finding, self._data_dir, self.result.ledger, in_full=number < _MOST_IN_FULL)
            self.result.violations.append(told)
        if len(findings) > _MOST_TOLD:
            self.result.violations.append(f"and {len(findings) - _MOST_TOLD} more")

    @staticmethod
    def _end(target: Target) -> None:
        # Without a service no client waits long.
        target.end()
        if target.load is not None:
            target.load.end()
