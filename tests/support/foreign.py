"""What may stand in a folder under a name that Sluice needs, or resembles: whatever a person or a tool left there."""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def _socket(path: Path) -> None:
    # By a short name: a socket's own path has at most 107 bytes.
    with socket.socket(socket.AF_UNIX) as made:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        made.bind(f"/proc/self/fd/{folder}/s")
        os.rename("s", path.name, src_dir_fd=folder, dst_dir_fd=folder)
        os.close(folder)


def _folder_with_a_file(path: Path) -> None:
    path.mkdir()
    (path / "thesis.txt").write_text("precious")


def _unreadable(path: Path) -> None:
    path.write_bytes(b"mine")
    path.chmod(0)


# By their names, what makes them. No segment, Parquet file or JSON is among them.
NO_FILES: dict[str, Callable[[Path], None]] = {
    "a folder": _folder_with_a_file,
    "a pipe": os.mkfifo,
    "a socket": _socket,
    "a link to nowhere": lambda path: path.symlink_to("/nowhere/at/all"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to a folder": lambda path: path.symlink_to("/proc/self"),
    "a link to a file": lambda path: path.symlink_to("/etc/hostname"),
}
FILES: dict[str, Callable[[Path], None]] = {
    "an empty file": Path.touch,
    "garbage": lambda path: path.write_bytes(b"\xff\xfe{]" * 100) and None,
    "deep JSON": lambda path: path.write_bytes(b'{"a":[' * 5000) and None,
    "a file without permissions": _unreadable,
}
KINDS = NO_FILES | FILES

ODD_NAMES = [b"\xff\xfe-no-utf-8", b"line\nend", b"x" * 255, b"-rf", b" ", "größer".encode(), b"..."]


def put_odd_names(folder: Path) -> None:
    """Files of odd names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ODD_NAMES:
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(b"mine")


@contextmanager
def immutable(path: Path) -> Iterator[bool]:
    """While the block runs the file can't be changed or removed, also by root; False where no file system does that."""
    done = subprocess.run(["chattr", "+i", str(path)], capture_output=True, check=False)
    try:
        yield done.returncode == 0
    finally:
        subprocess.run(["chattr", "-i", str(path)], capture_output=True, check=False)
