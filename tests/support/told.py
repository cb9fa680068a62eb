"""What a service's processes told their operator, in messages and in metrics, from a moment on."""

import json
from typing import Any

import httpx

from sluice import telemetry
from tests.support.service import Service
from tests.support.waiting import wait_until


class Told:
    """Follows one service from now on."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._seen = len(service.messages())
        self._before = self._totals()

    def messages(self, *, level: str = "", event: str = "", **facts: str) -> list[dict[str, Any]]:
        """Messages since then: of a level, with a text in their event, with these facts."""
        lines = self._service.messages()[self._seen :].splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [
            message
            for message in found
            if message["level"].startswith(level)
            and event in message["event"]
            and all(str(message.get(name)) == value for name, value in facts.items())
        ]

    def wait_for(self, *, within_s: float = 20, level: str = "", event: str = "", **facts: str) -> dict[str, Any]:
        """Wait for such a message; return the first."""
        return wait_until(
            lambda: next(iter(self.messages(level=level, event=event, **facts)), None),
            within_s=within_s,
            what=f"a message {level} {event!r} {facts}",
        )

    def counted(self, metric: str, **label: str) -> int:
        """By how much a counter, or one of its labels, has grown."""
        return self._of(self._totals(), metric, label) - self._of(self._before, metric, label)

    def wait_until_counted(self, metric: str, **label: str) -> None:
        """Wait until it has grown."""
        wait_until(lambda: self.counted(metric, **label) > 0, what=f"{metric} {label} has grown")

    def _totals(self) -> telemetry.Totals:
        return telemetry.parse_metrics(httpx.get(f"http://{self._service.admin}/metrics", timeout=10).text)

    @staticmethod
    def _of(totals: telemetry.Totals, metric: str, label: dict[str, str]) -> int:
        if not label:
            return totals.of(metric)
        [(name, value)] = label.items()
        return totals.by(metric, name).get(value, 0)
