"""A real file system of a few MiB, mounted for one test: tmpfs, or ext4 in a file. Only root can."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_CHUNK = bytes(64 * 1024)


@contextmanager
def mounted(at: Path, *, kind: str, mebibytes: int) -> Iterator[Path]:
    """Mount a new file system until the block ends; skip the test, and say why, where none can be mounted.

    Args:
        at: where; made if it is missing.
        kind: tmpfs or ext4.
        mebibytes: how large it is.
    """
    at.mkdir(parents=True, exist_ok=True)
    if kind == "tmpfs":
        _run_or_skip("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(at))
    else:
        image = at.with_suffix(".image")
        with image.open("wb") as file:
            file.truncate(mebibytes << 20)
        _run_or_skip("mkfs.ext4", "-q", "-m", "0", str(image))
        _run_or_skip("mount", "-o", "loop", str(image), str(at))
    try:
        yield at
    finally:
        # Lazily: a process that a failed test left may still stand in it.
        subprocess.run(["umount", "-l", str(at)], check=True)


def remount(at: Path, options: str) -> None:
    """Change how it is mounted, as `ro` and `rw` do."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(at)], check=True)


def _run_or_skip(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip(f"no small disk here: there is no {command[0]}; the injected faults stand for it")
    if done.returncode != 0:
        pytest.skip(f"no small disk here: {done.stderr.strip()}; the injected faults stand for it")


@contextmanager
def filled(folder: Path, *, but_bytes: int = 0) -> Iterator[None]:
    """Fill the disk to its last byte, or so many before it, until the block ends."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(_CHUNK)
        except OSError:
            file.truncate(max(0, file.tell() - but_bytes))
    try:
        yield
    finally:
        path.unlink()
