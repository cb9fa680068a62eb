"""Drivers that run: each is told when to log, to send and to end."""

import queue
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from tests.clients.pages import Pages
from tests.clients.sdks import Sdk
from tests.clients.talk import Talker
from tests.support.waiting import wait_until

_FOLLOW_WITHIN_S = 60.0
_END_WITHIN_S = 20.0


class Driver(Protocol):
    """One SDK at work."""

    def wait_until_ready(self) -> None:
        """Return when the SDK can log."""

    def log(self, round_name: str) -> None:
        """Log a round."""

    def flush(self) -> None:
        """Have what was logged sent; return at once."""

    def end(self) -> None:
        """Shut the SDK down, or leave its page; return at once."""

    def wait_until_ended(self) -> bool:
        """Wait for its end; return whether it came by itself."""

    def abandon(self) -> None:
        """End it at once, if it still runs."""


class Process:
    """A driver in a process of its own, which prints each line that it has followed.

    Args:
        sdk: which.
        url: the service's.
        key: what it sends its events with.
        said: the file for all else that it says.
    """

    def __init__(self, sdk: Sdk, url: str, key: str, said: Path) -> None:
        assert sdk.command is not None
        self._sdk = sdk
        self._said = said
        self._followed: queue.Queue[str | None] = queue.Queue()
        with said.open("wb") as errors:
            self._process = subprocess.Popen(
                [*sdk.command, url, key],
                cwd=sdk.folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_until_ready(self) -> None:
        self._wait_for("ready")

    def log(self, round_name: str) -> None:
        self._tell(f"log {round_name}")
        self._wait_for(f"log {round_name}")

    def log_at_once(self, round_name: str) -> None:
        """Log one event by the call that waits for the answer; Go's SDK has one."""
        self._tell(f"log-at-once {round_name}")
        self._wait_for(f"log-at-once {round_name}")

    def flush(self) -> None:
        self._tell("flush")

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    def wait_until_ended(self) -> bool:
        try:
            code = self._process.wait(timeout=_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=10)
            return False
        finally:
            self._reader.join(timeout=10)
        assert code == 0, f"{self._sdk.name}: exit {code}\n{self._said.read_text(errors='replace')[-4000:]}"
        return True

    def abandon(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(timeout=10)
        self._reader.join(timeout=10)
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _wait_for(self, line: str) -> None:
        """SDKs may print lines of their own."""
        while True:
            try:
                followed = self._followed.get(timeout=_FOLLOW_WITHIN_S)
            except queue.Empty:
                raise AssertionError(f"{self._sdk.name}: not within {_FOLLOW_WITHIN_S:g} s: {line}") from None
            said = self._said.read_text(errors="replace")[-4000:] if followed is None else ""
            assert followed is not None, f"{self._sdk.name}: it has ended before it followed: {line}\n{said}"
            if followed.rstrip("\n") == line:
                return

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._followed.put(line)
        self._followed.put(None)


class Page:
    """A driver in a page of another origin than the service's; its end is that the page is closed.

    Args:
        sdk: which.
        url: the service's.
        key: what it sends its events with.
        browser: where it is opened.
        pages: what serves it.
        options: of the SDK, besides those that its driver gives it.
    """

    def __init__(self, sdk: Sdk, url: str, key: str, browser: Talker, pages: Pages, **options: object) -> None:
        self._browser = browser
        self._page = f"{sdk.name} {key}"  # each run in a storage of its own
        self._start = {"name": sdk.name, "url": url, "key": key, "options": options}
        self._service = url
        self._origins = {pages.origin, url}
        pages.add_script("/sdks.js", sdk.folder / "pages/sdks.js")
        self._address = pages.add("/sdks", "<!doctype html><script src=/sdks.js></script>")
        self._visit()

    def wait_until_ready(self) -> None:
        """It is, since it was visited."""

    def log(self, round_name: str) -> None:
        self._ask(call="log", argument=round_name)

    def flush(self) -> None:
        self._ask(call="flush")

    def look_away(self) -> None:
        """Let the window lose the focus, as when somebody looks at another one for a while."""
        self._ask(call="look_away")

    def end(self) -> None:
        self._ask(close=True)

    def wait_until_ended(self) -> bool:
        wait_until(lambda: self._ask(closed=True), within_s=_END_WITHIN_S, what="the page is closed")
        return True

    def abandon(self) -> None:
        """It ends with the browser."""

    def visit_again(self) -> None:
        """Open the page once more; nothing is logged."""
        self._visit()

    def foreign_origins(self) -> set[str]:
        """Whom the page has asked for anything, besides who serves it and the service."""
        return set(self._ask(origins=True)) - self._origins

    def methods(self) -> set[str]:
        """Of the requests that it has made to the service since it was visited."""
        return {it["method"] for it in self._ask(requests=True) if it["url"].startswith(f"{self._service}/")}

    def _visit(self) -> None:
        self._ask(open=self._address)
        self._ask(call="start", argument=self._start)

    def _ask(self, **asked: object) -> Any:
        return self._browser.ask({"page": self._page, **asked}, within_s=_FOLLOW_WITHIN_S)
