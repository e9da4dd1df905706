"""What is in the repository: files that are kept or about to be, and their text."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def kept() -> tuple[str, ...]:
    """Paths from the top, with slashes: tracked files, and new ones that aren't ignored."""
    found = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, check=True, encoding="utf-8",
    )  # fmt: skip
    return tuple(sorted(path for path in found.stdout.split("\0") if path and (ROOT / path).is_file()))


def python(*folders: str) -> tuple[str, ...]:
    return tuple(path for path in kept() if path.endswith(".py") and path.startswith(tuple(f"{f}/" for f in folders)))


def text(path: str) -> str:
    """ "" for what isn't text."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""
