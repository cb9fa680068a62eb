"""Secrets to import, as people paste them: one to a line, empty lines and lines that begin with `#` left out.

Pure: bytes in, secrets out. A malformed line refuses the whole text: nobody has to find out which half was taken.
"""

from __future__ import annotations

from sluice.errors import SluiceError
from sluice.keys.key import MAX_SECRET_CHARACTERS, MIN_SECRET_CHARACTERS, Kind, is_well_formed, kind_of

__all__ = ["MAX_TEXT_BYTES", "MalformedLine", "TooMuchText", "parse"]

# 10,000 secrets of the greatest length would be 2.6 MB.
MAX_TEXT_BYTES = 4 * 1024 * 1024


class TooMuchText(SluiceError):
    """More than anybody's keys are."""


class MalformedLine(SluiceError):
    """A line is no secret, or doesn't say what kind of secret it is.

    Attributes:
        line: its number, from 1 on.
    """

    def __init__(self, line: int, message: str, *, hint: str = "") -> None:
        super().__init__(f"line {line}: {message}; nothing was imported", hint=hint)
        self.line = line


def parse(content: bytes, *, kind: Kind | None) -> list[tuple[Kind, str]]:
    """Find the secrets in a text, in its order.

    Args:
        content: the text, in UTF-8.
        kind: of secrets whose first characters don't say it (`secret-…`, `client-…`); None: such a line is an error.

    Raises:
        TooMuchText: there are more than MAX_TEXT_BYTES.
        MalformedLine: the first line that is wrong. Its content is not in the message: it may be a secret.
    """
    if len(content) > MAX_TEXT_BYTES:
        raise TooMuchText(
            f"more than {MAX_TEXT_BYTES} bytes of keys; nothing was imported", hint="import them in parts"
        )
    found = []
    for number, line in enumerate(content.decode("utf-8-sig", "replace").split("\n"), 1):
        secret = line.strip()
        if not secret or secret.startswith("#"):
            continue
        if not is_well_formed(secret):
            raise MalformedLine(
                number, f"not a key: {_fault(secret)}", hint="write one key to a line, and comments on lines with a #"
            )
        of_kind = kind_of(secret) or kind
        if of_kind is None:
            raise MalformedLine(
                number,
                'begins with neither "secret-" nor "client-"',
                hint="say what such keys are: --kind server, or --kind client",
            )
        found.append((of_kind, secret))
    return found


def _fault(secret: str) -> str:
    if len(secret) < MIN_SECRET_CHARACTERS:
        return f"{len(secret)} characters, fewer than {MIN_SECRET_CHARACTERS}"
    if len(secret) > MAX_SECRET_CHARACTERS:
        return f"{len(secret)} characters, more than {MAX_SECRET_CHARACTERS}"
    return "it holds a space, or a character that is not visible ASCII"
