"""Trees of the model on a real disk."""

import hashlib
import shutil
from pathlib import Path

from tests.power_cut.file_system import Tree


def rebuild(tree: Tree, root: Path) -> None:
    """Let a folder hold this tree, and nothing else."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for path, content in sorted(tree.items()):
        if content is None:
            (root / path).mkdir()
        else:
            (root / path).write_bytes(content)


def read_tree(root: Path) -> Tree:
    """What a folder holds."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(root.rglob("*"))
    }


def digest(tree: Tree) -> bytes:
    """Alike for trees that are alike."""
    summary = hashlib.blake2b(digest_size=16)
    for path, content in sorted(tree.items()):
        summary.update(f"{path}\0{'folder' if content is None else len(content)}\0".encode())
        summary.update(content or b"")
    return summary.digest()
