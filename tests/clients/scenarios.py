"""All SDKs at once against one service that meets a fault.

Each logs a round while the fault lasts, and is left to its own retries until they have delivered it, or until it has
had the time for one more try. Then it logs another round and is ended at once, so that this round goes out as it shuts
down, or as its page is left. Pages are visited once more: some SDKs keep for the next visit what they could not send.
"""

import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.clients.drivers import Driver, Page, Process
from tests.clients.faults import Fault, service_for
from tests.clients.outcomes import Outcome, in_lake, outcome, told_to_log
from tests.clients.pages import Pages
from tests.clients.sdks import SDKS, Sdk
from tests.clients.talk import Talker
from tests.support.service import Service

DURING, AFTER = "during", "after"

_LASTS_S = 5.0  # longer than statsig-js tries (3 s), shorter than until statsig-node's third try (11 s)
_LOOK_EVERY_S = 2.0
_NEXT_VISIT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a scenario came to.

    Attributes:
        outcomes: by the SDKs' names.
        foreign_origins: by the names of those that ran in pages: who else was asked for anything.
        methods: by the same names: of the requests that the page made to the service.
        beacons: the names of those that sent a beacon; nobody saw any where there was no front.
        ended: by name, whether the SDK ended by itself once it was told to.
        began_s, ended_s: when, in seconds since the epoch.
    """

    outcomes: Mapping[str, Outcome]
    foreign_origins: Mapping[str, set[str]]
    methods: Mapping[str, set[str]]
    beacons: set[str]
    ended: Mapping[str, bool]
    began_s: float
    ended_s: float


# Runs a fault's scenario, or says what it came to before.
Scenario = Callable[[type[Fault]], Ran]


def run(kind: type[Fault], folder: Path, browser: Talker, pages: Pages) -> Ran:
    """Run one scenario to its end."""
    sdks = [sdk for sdk in SDKS if not sdk.missing]
    began_s = time.time()
    with service_for(kind, folder / "data") as service:
        keys = {sdk.name: f"{'secret' if sdk.kind == 'server' else 'client'}-{uuid.uuid4()}" for sdk in sdks}
        service.import_keys(*keys.values())
        fault = kind(service)
        with fault.reached() as url, ExitStack() as running:
            drivers: dict[str, Driver] = {}
            for sdk in sdks:
                key = keys[sdk.name]
                if sdk.command is None:
                    drivers[sdk.name] = Page(sdk, url, key, browser, pages)
                else:
                    drivers[sdk.name] = Process(sdk, url, key, folder / f"{sdk.name}.txt")
                running.callback(drivers[sdk.name].abandon)
            for driver in drivers.values():
                driver.wait_until_ready()
            fault.begin()
            logged_s = time.monotonic()
            for driver in drivers.values():
                driver.log(DURING)
                driver.flush()
            fault.wait_until_met(set(keys.values()))
            time.sleep(max(0.0, logged_s + _LASTS_S - time.monotonic()))
            fault.end()
            time.sleep(fault.settle_s)
            _wait_for_retries(service, sdks, keys)
            in_pages = {name: driver for name, driver in drivers.items() if isinstance(driver, Page)}
            methods = {name: page.methods() for name, page in in_pages.items()}
            # What is written only as a page is left is lost now and then: Chromium doesn't wait for it.
            for page in in_pages.values():
                page.look_away()
            for driver in drivers.values():
                driver.log(AFTER)
                driver.end()
            ended = {name: driver.wait_until_ended() for name, driver in drivers.items()}
            _visit_again(service, in_pages, sdks, keys)
            foreign = {name: page.foreign_origins() for name, page in in_pages.items()}
            keys_of_beacons = fault.keys_of_beacons()
        service.flush()
        outcomes = {sdk.name: outcome(service, keys[sdk.name], _told(sdk)) for sdk in sdks}
    return Ran(
        outcomes=outcomes,
        foreign_origins=foreign,
        methods=methods,
        beacons={name for name, key in keys.items() if key in keys_of_beacons},
        ended=ended,
        began_s=began_s,
        ended_s=time.time(),
    )


def _told(sdk: Sdk) -> set[tuple[str, str]]:
    return told_to_log(sdk, (DURING, AFTER), flushed=(DURING,))


def _wait_for_retries(service: Service, sdks: list[Sdk], keys: Mapping[str, str]) -> None:
    """Return when each SDK has delivered the round, or has had its time."""
    since = time.monotonic()
    waiting = list(sdks)
    while waiting:
        time.sleep(_LOOK_EVERY_S)  # each flush costs the service a file
        service.flush()
        waited_s = time.monotonic() - since
        waiting = [
            sdk
            for sdk in waiting
            if waited_s < sdk.patience_s
            and not told_to_log(sdk, (DURING,), flushed=(DURING,)) <= in_lake(service, keys[sdk.name])
        ]


def _visit_again(service: Service, pages: Mapping[str, Page], sdks: list[Sdk], keys: Mapping[str, str]) -> None:
    """Visit each page, and leave it when all is delivered, or after a while."""
    for page in pages.values():
        page.visit_again()
    waiting = [sdk for sdk in sdks if sdk.name in pages]
    since = time.monotonic()
    while waiting and time.monotonic() - since < _NEXT_VISIT_S:
        time.sleep(_LOOK_EVERY_S)
        service.flush()
        waiting = [sdk for sdk in waiting if not _told(sdk) <= in_lake(service, keys[sdk.name])]
    for page in pages.values():
        page.end()
    for page in pages.values():
        page.wait_until_ended()
