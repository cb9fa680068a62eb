"""API keys: what they are, what a secret looks like, how a new one is made and hashed.

Only the SHA-256 of a secret is kept. Its first 8 characters (`secret-a`) are kept in clear, to name it in messages.
Where keys are kept: file_format.py. Which of them opens a door: store.py.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from enum import Enum

from sluice.contract import Source

__all__ = [
    "DEFAULT_PROJECT",
    "MAX_SECRET_CHARACTERS",
    "MIN_SECRET_CHARACTERS",
    "Key",
    "Kind",
    "OnInvalid",
    "Refusal",
    "default_sources",
    "hash_of",
    "is_label",
    "is_well_formed",
    "kind_of",
    "new_secret",
    "prefix_of",
]

DEFAULT_PROJECT = "default"

# With fewer, the prefix that is kept in clear would be the secret, or nearly.
MIN_SECRET_CHARACTERS = 10
MAX_SECRET_CHARACTERS = 256

_PREFIX_CHARACTERS = 8
_MAX_LABEL_CHARACTERS = 100


class Kind(Enum):
    """Who holds a key; the values are those of the command line."""

    SERVER = "server"
    CLIENT = "client"


_PREFIXES = {Kind.SERVER: "secret-", Kind.CLIENT: "client-"}


class OnInvalid(Enum):
    """What becomes of a request of which some events are invalid."""

    REJECT = "reject"
    QUARANTINE = "quarantine"


class Refusal(Enum):
    """Why a key doesn't open a door; the values are metric labels, and in capitals reasons of error_details.py."""

    MISSING = "key_missing"
    UNKNOWN = "key_unknown"
    REVOKED = "key_revoked"
    EXPIRED = "key_expired"
    NOT_FOR_THIS_DOOR = "key_not_for_this_door"
    SERVER_SECRET_IN_QUERY = "server_secret_in_query"  # noqa: S105  a reason, no secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One API key, without its secret.

    Attributes:
        id: names the key in records, messages and commands.
        kind: who holds it.
        sha256: of the secret's UTF-8 bytes, in hexadecimal.
        prefix: the first 8 characters of the secret.
        project: events that come with this key belong to it.
        name: what its maker calls it; may be empty.
        sources: the doors it opens.
        on_invalid: what becomes of requests with invalid events.
        created_at: seconds since the epoch.
        expires_at: seconds since the epoch, from when on it is refused; None: never.
        revoked_at: seconds since the epoch; None: in force.
    """

    id: str
    kind: Kind
    sha256: str
    prefix: str
    project: str
    name: str
    sources: frozenset[Source]
    on_invalid: OnInvalid
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None


def default_sources(kind: Kind) -> frozenset[Source]:
    """The doors that a key of this kind opens unless it says otherwise: webhooks need a server secret."""
    if kind is Kind.SERVER:
        return frozenset(Source)
    return frozenset({Source.SDK, Source.GRPC})


def new_secret(kind: Kind) -> str:
    """Make a new secret: `secret-…` for servers, `client-…` for clients, with 256 random bits."""
    return _PREFIXES[kind] + secrets.token_urlsafe(32)


def kind_of(secret: str) -> Kind | None:
    """Who holds a secret, as its first characters say it; None where they don't."""
    return next((kind for kind, prefix in _PREFIXES.items() if secret.startswith(prefix)), None)


def is_well_formed(secret: str) -> bool:
    """Whether a secret can be sent as the value of a header: visible ASCII, and neither too short nor too long."""
    return MIN_SECRET_CHARACTERS <= len(secret) <= MAX_SECRET_CHARACTERS and all("!" <= c <= "~" for c in secret)


def is_label(text: str) -> bool:
    """Whether a text can be a key's name or project: one line of 1 to 100 printable characters."""
    return 0 < len(text) <= _MAX_LABEL_CHARACTERS and text.isprintable()


def prefix_of(secret: str) -> str:
    """What may be shown of a secret: its first 8 characters."""
    return secret[:_PREFIX_CHARACTERS]


def hash_of(secret: str) -> str:
    """The SHA-256 of a secret, in hexadecimal. One round suffices: new secrets hold 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
