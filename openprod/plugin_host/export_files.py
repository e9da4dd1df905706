"""Writes what an exporter gave to disk: every file whole or not at all, and none replaced unasked."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from openprod.errors import InputError
from openprod.plugin_api.exports import Files

_HINT = "Name another place, or replace it with --force."


def write_files(files: Files, target: Path, *, force: bool = False, mode: int = 0o644) -> list[Path]:
    """A single file becomes ``target`` (or goes into it, if that is a folder); several go into the folder ``target``.

    Everything is written beside its place first, then put there, with the permissions ``mode``. Returns where the
    files are. Raises InputError for a place that is taken, OSError for what the disk has against it.
    """
    places = _places(files, target)
    for place in places:
        _check(place, target, force=force)
    written: list[tuple[str, Path]] = []
    try:
        for (_name, data), place in zip(sorted(files.items()), places, strict=True):
            place.parent.mkdir(parents=True, exist_ok=True)
            written.append((_write_beside(place, data, mode), place))
        for temporary, place in written:
            if force:
                os.replace(temporary, place)
            else:
                _put(temporary, place)
    finally:
        for temporary, _place in written:
            Path(temporary).unlink(missing_ok=True)
    return places


def _places(files: Files, target: Path) -> list[Path]:
    """Where the files go, by name."""
    if len(files) == 1 and not target.is_dir():
        return [target]
    if target.exists() and not target.is_dir():
        raise InputError(f"{target} is a file, and there are {len(files)} to write.", hint="Name a folder.")
    return [target / name for name in sorted(files)]


def _check(place: Path, target: Path, *, force: bool) -> None:
    if place.is_dir():
        raise InputError(f"{place} is a folder.", hint="Name another place.")
    if (place.exists() or place.is_symlink()) and not force:
        raise InputError(f"{place} is there already.", hint=_HINT)
    root = target.resolve() if target.is_dir() else target.parent.resolve()
    if not place.parent.resolve().is_relative_to(root):
        raise InputError(f"{place.parent} leads out of {target}.", hint="Name another folder.")


def _write_beside(place: Path, data: bytes, mode: int) -> str:
    handle, temporary = tempfile.mkstemp(prefix=".export-", dir=place.parent)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return temporary


def _put(temporary: str, place: Path) -> None:
    """Into its place, unless something has come there since it was looked at."""
    try:
        os.link(temporary, place)
    except FileExistsError:
        raise InputError(f"{place} is there already.", hint=_HINT) from None
    except OSError:
        # A disk that knows no links (a memory stick): as good as it gets there.
        os.replace(temporary, place)
