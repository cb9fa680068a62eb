"""The paths that events come in by: those that SDKs and webhooks know, and further ones that an operator chose.

Further paths are for browsers whose ad blockers list the known ones. Each behaves as /v1/log_event.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sluice.errors import SluiceError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "EVENT_PATHS",
    "LIKE_EVENTS",
    "NOT_FOUND",
    "OF_SDKS",
    "TYPED_PATHS",
    "UnusablePath",
    "check_extra_paths",
    "regex_of",
]

# Those of which Envoy makes typed messages in typed mode. What the others take has more forms than one schema.
TYPED_PATHS = ("/v1/log_event", "/v1/rgstr", "/v1/rgstr_b")
EVENT_PATHS = (*TYPED_PATHS, "/v1/webhooks/event_webhook", "/v1/log_custom_exposure")

# What callers of other paths are told to use.
NOT_FOUND = "/v1/log_event, /v1/rgstr, /v1/webhooks/event_webhook or /v1/log_custom_exposure"

# What SDKs ask for besides, as a regular expression; and what looks like events, however it is misspelt.
OF_SDKS = "/v[12]/[A-Za-z0-9._~/-]+"
LIKE_EVENTS = "(?i)/v[12]/(log_|rgstr|webhooks).*"

_MAX_PATHS = 16
_MAX_PATH_BYTES = 128
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+", re.ASCII)
# Paths that have a meaning, and what may stand behind them.
_TAKEN = re.compile(
    "|".join(map(re.escape, EVENT_PATHS))
    + r"|/(v[12]/(initialize|download_config_specs|get_id_lists|sdk_exception)(/.*)?"
    r"|v1/openapi\.(yaml|json)|docs|livez|readyz|(sluice\.|grpc\.).*)",
    re.ASCII | re.IGNORECASE,
)


class UnusablePath(SluiceError):
    """Events can't come in by this path."""


def check_extra_paths(paths: Sequence[str]) -> None:
    """Check further paths for events.

    Raises:
        UnusablePath: the first that can't be one, or there are too many.
    """
    if len(paths) > _MAX_PATHS:
        raise UnusablePath(f"{len(paths)} paths are more than {_MAX_PATHS}", hint=f"name at most {_MAX_PATHS}")
    for index, path in enumerate(paths):
        if not path.startswith("/"):
            raise UnusablePath(
                f'"{path}" does not begin with a slash', hint=f"write /{path.strip('/') or 'cart/notes'}"
            )
        if len(path) > _MAX_PATH_BYTES:
            raise UnusablePath(f"a path has {len(path)} characters, more than {_MAX_PATH_BYTES}", hint="shorten it")
        if not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
            raise UnusablePath(
                f'"{_shown(path)}" is not a plain path',
                hint="write one such as /cart/notes: letters, digits, . _ ~ - between slashes, no slash at its end",
            )
        if _TAKEN.fullmatch(path):
            raise UnusablePath(f'"{path}" has a meaning already', hint="choose another, such as /cart/notes")
        if path in paths[:index]:
            raise UnusablePath(f'"{path}" is there twice', hint="name it once")


def regex_of(paths: Sequence[str]) -> str:
    """A regular expression that matches just these paths, without anything that YAML would take for an escape."""
    return "|".join(path.replace(".", "[.]") for path in paths)


def _shown(path: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in path)
