"""A client for services that send events by gRPC: batches, tries again, loses nothing silently. See docs/client.md."""

from sluice.client.aio import AsyncClient
from sluice.client.errors import (
    ClientClosed,
    ClientError,
    ForkedClient,
    InvalidEvent,
    InvalidSettings,
    NotDelivered,
    QueueFull,
    SpoolError,
    SpoolLocked,
)
from sluice.client.event import Event, JSONValue, User
from sluice.client.refused_file import read_refused
from sluice.client.report import Reason, Stats, Trouble, Undelivered
from sluice.client.settings import Settings
from sluice.client.sync import Client

__all__ = [
    "AsyncClient",
    "Client",
    "ClientClosed",
    "ClientError",
    "Event",
    "ForkedClient",
    "InvalidEvent",
    "InvalidSettings",
    "JSONValue",
    "NotDelivered",
    "QueueFull",
    "Reason",
    "Settings",
    "SpoolError",
    "SpoolLocked",
    "Stats",
    "Trouble",
    "Undelivered",
    "User",
    "read_refused",
]
