"""Write docs/settings.md and docs/cli.md from what the program itself says of its settings and commands.

python tools/write_docs.py                  into docs/
python tools/write_docs.py --out FOLDER     elsewhere; a test compares
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import typer.main
from annotated_types import Ge, Le

from sluice.cli.app import app
from sluice.settings.model import Settings, default_in_words, default_text, form_of, sentence_of
from sluice.settings.places import CONFIG_VARIABLE, DEFAULT_CONFIG, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

_DOCS = Path(__file__).resolve().parent.parent / "docs"
_WIDTH = 88
_GENERATED = "<!-- Written by tools/write_docs.py (make docs): change the source, not this file. -->\n\n"


def settings_page() -> str:
    """The page of all settings."""
    head = (
        f"{_GENERATED}# Settings\n\n"
        "What `sluice up` can be told. A setting has one name in three places, and the first that says something "
        "counts:\n\n"
        f"1. its flag: `sluice up --seal-age 5s`\n"
        f"2. its variable: `SLUICE_SEAL_AGE=5s`; an empty one counts as not set\n"
        f'3. its line in `{DEFAULT_CONFIG}`: `seal-age = "5s"`; the file is looked for in the working directory, '
        f"unless `--config` or `{CONFIG_VARIABLE}` names another\n"
        "4. its default\n\n"
        "Durations and sizes need a unit: `500ms`, `10s`, `2m`, `1h`, `90d`; `512KiB`, `64MiB`, `1.5GiB`, or in powers "
        "of ten `10MB`. A name that no setting has, in the file or in a variable that begins with `SLUICE_`, is an "
        "error (but for those that Kubernetes makes for a service called `sluice`). Every command takes `--data-dir` "
        "and `--config`.\n\n"
        "| setting | default | what it does |\n|---|---|---|\n"
    )
    return head + "".join(_row(*each) for each in Settings.model_fields.items())


def cli_page() -> str:
    """The page of all commands: what `--help` prints, at a fixed width."""
    head = (
        f"{_GENERATED}# Commands\n\n"
        "What each command's `--help` prints. From a clone, write `.venv/bin/sluice`.\n\n"
        "Exit codes: 0 done, 1 found a fault or failed, 2 wrong usage or settings. Data goes to standard output, words "
        "to standard error. The keys of `--json` are an interface: some may be added, none renamed.\n"
    )
    return head + "".join(f"\n## {path}\n\n```text\n{text}\n```\n" for path, text in _helps())


def _row(name: str, field: FieldInfo) -> str:
    form, default = form_of(field), default_text(field)
    bounds = [
        form.show(fact.ge if isinstance(fact, Ge) else fact.le) for fact in field.metadata if isinstance(fact, Ge | Le)
    ]
    form_text = f"{form.name}, {' to '.join(bounds)}" if bounds else form.name
    default = default if default_in_words(field) else f"`{default}`"
    return f"| `{key_of(name)}`<br>({form_text}) | {default} | {sentence_of(field)} |\n"


def _helps() -> Iterator[tuple[str, str]]:
    waiting = [("sluice", typer.main.get_command(app), None)]
    while waiting:
        path, command, parent = waiting.pop(0)
        context = command.make_context(
            path.split()[-1], [], parent=parent, resilient_parsing=True, terminal_width=_WIDTH
        )
        text = "\n".join(line.rstrip() for line in context.get_help().splitlines())
        yield path, text
        below = getattr(command, "commands", {})
        waiting[:0] = [(f"{path} {name}", below[name], context) for name in below]


def main() -> None:
    """Write both pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=_DOCS)
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.md").write_text(settings_page())
    (folder / "cli.md").write_text(cli_page())


if __name__ == "__main__":
    main()
