"""Requests as SDKs send them: seeded, no two alike, with sizes, names, users and properties drawn from distributions.

A body that is sent over and over hides what real traffic costs: caches, dictionaries and branch predictors know it.
Source of the shapes: tests/fixtures/sdk, recorded from real SDKs.
"""

import random
import string
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from google.protobuf import struct_pb2

from sluice.events.v1 import events_pb2 as pb

__all__ = ["Bodies", "bodies", "events"]

_USERS, _NAMES, _EXPOSURES_SHARE = 100_000, 60, 0.25
_WORDS = ["checkout", "cart", "search", "page", "view", "home", "profile", "invite", "video", "play", "upload", "share"]
_COUNTRIES = ["US", "DE", "IN", "BR", "JP", "FR", "GB", "NG", "MX", "ID"]
_KEYS = ["sku", "price", "currency", "items", "referrer", "screen", "variant", "duration_ms", "position", "query"]
_CLIENT = {"sdkType": "js-client", "sdkVersion": "3.31.0"}
_SERVER = {"sdkType": "py-server", "sdkVersion": "0.72.1"}
_FIRST_TIME_MS = 1_767_225_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bodies:
    """Bodies of requests.

    Attributes:
        bodies: of each request.
        events: in all of them together.
        json_bytes: what the same requests take as JSON.
    """

    bodies: list[bytes]
    events: int
    json_bytes: int


def events(count: int, *, batch: int, seed: int) -> Iterator[dict[str, Any]]:
    """So many events as a contract's object each.

    Names and users follow Zipf's law, as those of real products do; a quarter are exposures. Every other request is a
    client's: all its events are of one user.
    """
    chance = random.Random(seed)
    names = [f"{chance.choice(_WORDS)}_{chance.choice(_WORDS)}_{number}" for number in range(_NAMES)]
    user: dict[str, Any] = {}
    name_of = _zipf(chance, _NAMES)
    user_of = _zipf(chance, _USERS)
    for number in range(count):
        if number % batch == 0 or not _is_of_client(number // batch):
            user = _user(next(user_of))
        at = _FIRST_TIME_MS + number * 3 + chance.randrange(3)
        if chance.random() < _EXPOSURES_SHARE:
            yield _exposure(chance, user, at)
        else:
            yield _custom(chance, names[next(name_of)], user, at)


def bodies(count: int, *, batch: int, seed: int, typed: bool) -> Bodies:
    """Requests of so many events in all.

    Args:
        count: of events.
        batch: events of a request.
        seed: equal ones give equal bodies.
        typed: protobuf, else JSON.
    """
    found: list[bytes] = []
    json_bytes = 0
    some: list[dict[str, Any]] = []
    for event in events(count, batch=batch, seed=seed):
        some.append(event)
        if len(some) == batch:
            session = f"{random.Random(seed + len(found)).getrandbits(128):032x}"
            sdk = _CLIENT if _is_of_client(len(found)) else _SERVER
            metadata = sdk | {"sessionID": session}
            body = msgspec.json.encode({"events": some, "statsigMetadata": metadata})
            json_bytes += len(body)
            found.append(_message(some, metadata) if typed else body)
            some = []
    return Bodies(bodies=found, events=len(found) * batch, json_bytes=json_bytes)


def _is_of_client(request: int) -> bool:
    """Whether a client sends the request of that number; else a server, for many users."""
    return request % 2 == 0


def _zipf(chance: random.Random, count: int) -> Iterator[int]:
    weights = [1 / (rank + 10) for rank in range(count)]
    while True:
        yield from chance.choices(range(count), weights, k=10_000)


def _user(number: int) -> dict[str, Any]:
    # What is known of a user is always the same.
    known = random.Random(number)
    user: dict[str, Any] = {"userID": f"user-{number * 7919 % 10_000_019:08d}"}
    if known.random() < 0.4:
        user["email"] = f"user{number}@example.com"
    if known.random() < 0.5:
        user["custom"] = {"plan": known.choice(["free", "pro", "team"]), "seats": known.randrange(40)}
    user["customIDs"] = {"stableID": f"{known.getrandbits(128):032x}"}
    user["country"] = known.choice(_COUNTRIES)
    user["appVersion"] = f"{known.randrange(3, 6)}.{known.randrange(20)}.{known.randrange(9)}"
    return user


def _custom(chance: random.Random, name: str, user: dict[str, Any], at: int) -> dict[str, Any]:
    event: dict[str, Any] = {"eventName": name, "user": user, "time": at}
    if chance.random() < 0.3:
        event["value"] = (
            round(chance.lognormvariate(3, 1), 2) if chance.random() < 0.7 else f"SKU-{chance.randrange(9999)}"
        )
    keys = chance.sample(_KEYS, k=min(len(_KEYS), int(chance.expovariate(0.3))))
    event["metadata"] = {key: _property(chance) for key in keys}
    return event


def _property(chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.5:
        return str(chance.randrange(100_000))
    if kind < 0.8:
        return chance.choice(_WORDS)
    return "".join(chance.choices(string.ascii_lowercase + " /-", k=int(chance.lognormvariate(3.3, 0.8))))


def _exposure(chance: random.Random, user: dict[str, Any], at: int) -> dict[str, Any]:
    gate = f"gate_{chance.randrange(200)}"
    return {
        "eventName": "statsig::gate_exposure",
        "user": user,
        "time": at,
        "metadata": {
            "gate": gate,
            "gateValue": chance.choice(["true", "false"]),
            "ruleID": f"{chance.getrandbits(60):x}",
            "reason": "Network:Recognized",
        },
        "secondaryExposures": [
            {"gate": f"segment:{chance.randrange(50)}", "gateValue": "true", "ruleID": "default"}
            for _ in range(chance.randrange(3))
        ],
    }


def _message(some: list[dict[str, Any]], metadata: dict[str, str]) -> bytes:
    request = pb.LogEventRequest(
        statsig_metadata=pb.StatsigMetadata(
            sdk_type=metadata["sdkType"], sdk_version=metadata["sdkVersion"], session_id=metadata["sessionID"]
        )
    )
    for event in some:
        _fill(request.events.add(), event)
    return request.SerializeToString()


def _fill(message: pb.Event, event: dict[str, Any]) -> None:
    user = event["user"]
    message.event_name, message.time = event["eventName"], event["time"]
    if "value" in event:
        message.value.CopyFrom(_value(event["value"]))
    message.metadata.update(event["metadata"])
    message.user.user_id, message.user.country = user["userID"], user["country"]
    message.user.app_version = user["appVersion"]
    if "email" in user:
        message.user.email = user["email"]
    if "custom" in user:
        message.user.custom.update(user["custom"])
    message.user.custom_ids.update(user["customIDs"])
    for exposure in event.get("secondaryExposures", ()):
        message.secondary_exposures.add().update(exposure)


def _value(value: float | str) -> struct_pb2.Value:
    return struct_pb2.Value(string_value=value) if isinstance(value, str) else struct_pb2.Value(number_value=value)
