"""What compose.yaml and the Dockerfiles say, as values that tests compare with the program."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = ROOT / "compose.yaml"
SERVER, ENVOY = "sluice", "envoy"
DOCKERFILES = {SERVER: ROOT / "Dockerfile", ENVOY: ROOT / "envoy" / "Dockerfile"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction of a Dockerfile; its value is what stands behind its name, on one line."""

    name: str
    value: str

    def words(self) -> list[str]:
        """An exec form's words, or those of a shell form; flags such as --from are left out."""
        if self.value.startswith("["):
            words: list[str] = json.loads(self.value)
            return words
        return [word for word in shlex.split(self.value) if not word.startswith("--")]


@cache
def compose() -> dict[str, Any]:
    """compose.yaml, with its anchors and merges resolved."""
    found: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())
    return found


def service(name: str) -> dict[str, Any]:
    """One service of compose.yaml."""
    found: dict[str, Any] = compose()["services"][name]
    return found


@cache
def instructions(name: str) -> tuple[Instruction, ...]:
    """The Dockerfile of a service."""
    with DOCKERFILES[name].open("rb") as file:
        parsed = DockerfileParser(fileobj=file).structure
    return tuple(
        Instruction(name=one["instruction"], value=one["value"]) for one in parsed if one["instruction"] != "COMMENT"
    )


def last_stage(name: str) -> tuple[Instruction, ...]:
    """The instructions that make the image itself."""
    found = instructions(name)
    begin = max(index for index, one in enumerate(found) if one.name == "FROM")
    return found[begin:]


def said(name: str, instruction: str) -> Instruction:
    """The one instruction of that name in the image's own stage."""
    [found] = [one for one in last_stage(name) if one.name == instruction]
    return found


def user_of(name: str) -> tuple[int, int]:
    """Who a service runs as: user and group, which the image names by numbers."""
    user, group = said(name, "USER").value.split(":")
    return int(user), int(group)


def environment_of(name: str) -> dict[str, str]:
    """What a service finds in its environment where nobody has set a variable of compose's."""
    of_image = dict(word.split("=", 1) for one in last_stage(name) if one.name == "ENV" for word in one.words())
    of_compose = {key: default_of(value) for key, value in service(name).get("environment", {}).items()}
    return of_image | of_compose


def default_of(text: str) -> str:
    """A text of compose.yaml with `${NAME:-default}` as it is where nobody has set NAME."""
    before, found, rest = text.partition("${")
    if not found:
        return text.replace("$$", "$")
    _, _, rest = rest.partition(":-")
    default, _, after = rest.partition("}")
    return before + default + default_of(after)


def health_command(name: str) -> list[str]:
    """What a service's health is checked with, as it runs in its container."""
    kind, *command = service(name)["healthcheck"]["test"]
    assert kind == "CMD"
    return [default_of(word) for word in command]


def mounts(name: str) -> dict[str, str]:
    """A service's volumes: by path in the container, the volume with its mode (`data`, `sockets:ro`)."""
    found = (mount.split(":") for mount in service(name)["volumes"])
    return {path: ":".join((volume, *mode)) for volume, path, *mode in found}


def options(text: str) -> dict[str, str]:
    """Options of a mount, as `uid=1,mode=0750,size=1m`."""
    return dict(option.split("=", 1) for option in text.split(","))
