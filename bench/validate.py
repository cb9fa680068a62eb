"""What does it cost to check a body, in CPU time, at the batch sizes that SDKs send?

    python -m bench.validate --batch 1,20,100,500

One process, one thread; each figure is the least of five runs of 0.1 s. Bodies are distinct events of about 380 bytes,
half of them exposures. The baseline is msgspec decoding the same body into plain objects, in
the same run. What would mislead: bodies that repeat one event (caches), and a machine that does other work.
"""

import argparse
import platform
import random
import time
from collections.abc import Callable

import msgspec
from google.protobuf.json_format import ParseDict

from sluice.events.v1 import events_pb2 as pb
from sluice.ingest.nesting import too_deep_at
from sluice.ingest.private import without_private_attributes
from sluice.ingest.validate import LOG_EVENT
from sluice.ingest.validate_proto import LOG_EVENT_REQUEST


def event(index: int, **user: object) -> dict[str, object]:
    """One event, as the recorded SDKs write them."""
    chance = random.Random(index)
    who = {
        "userID": f"user-{chance.getrandbits(40)}",
        "email": f"p{index}@example.com",
        "customIDs": {"companyID": f"c{index % 9}", "stableID": f"{chance.getrandbits(128):032x}"},
        "statsigEnvironment": {"tier": "production"},
        **user,
    }
    time_ms = 1795413106323 + index
    if index % 2:
        facts = {"gate": "new_checkout", "gateValue": "true", "ruleID": "4kDs1", "reason": "Network"}
        more = {"value": None, "metadata": facts, "secondaryExposures": []}
        return {"eventName": "statsig::gate_exposure", "user": who, "time": time_ms, **more}
    bought = {"item": f"sku_{index % 99}", "currency": "EUR"}
    return {
        "eventName": "checkout_completed",
        "user": who,
        "value": chance.random(),
        "metadata": bought,
        "time": time_ms,
    }


def body(batch: int, **user: object) -> bytes:
    """A request of distinct events."""
    metadata = {"sdkType": "py-server", "sdkVersion": "0.72.1"}
    return msgspec.json.encode({"events": [event(i, **user) for i in range(batch)], "statsigMetadata": metadata})


def microseconds(work: Callable[[], object]) -> float:
    """CPU time of one call: the least of five runs."""
    runs = []
    for _ in range(5):
        calls, started = 0, time.process_time()
        while (spent := time.process_time() - started) < 0.1:
            work()
            calls += 1
        runs.append(spent / calls * 1e6)
    return min(runs)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", default="1,20,100,500")
    batches = [int(batch) for batch in parser.parse_args().batch.split(",")]
    print(f"{platform.machine()}, Python {platform.python_version()}, msgspec {msgspec.__version__}")
    print("µs per request: check, of that nesting; cut of privateAttributes: none there, null in each user; protobuf")
    plain = msgspec.json.Decoder()
    for batch in batches:
        sent, private = body(batch), body(batch, privateAttributes=None)
        typed = ParseDict(msgspec.json.decode(sent), pb.LogEventRequest(), ignore_unknown_fields=True)
        message = typed.SerializeToString()
        check = microseconds(lambda: LOG_EVENT.check(sent))  # noqa: B023  used at once
        figures = [
            check,
            microseconds(lambda: too_deep_at(sent, side_by_side=batch)),  # noqa: B023  used at once
            microseconds(lambda: without_private_attributes(sent)),  # noqa: B023  used at once
            microseconds(lambda: without_private_attributes(private)),  # noqa: B023  used at once
            microseconds(lambda: LOG_EVENT_REQUEST.look_closer(message)),  # noqa: B023  used at once
        ]
        baseline = microseconds(lambda: plain.decode(sent))  # noqa: B023  used at once
        print(
            f"batch {batch:4} ({len(sent):7} bytes): {'  '.join(f'{figure:8.1f}' for figure in figures)}"
            f"   {check / batch:.2f} µs per event, {check / baseline:.2f} of plain decoding"
        )


if __name__ == "__main__":
    main()
