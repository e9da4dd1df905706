"""A folder that is there as a whole or not at all: it is written beside its place, under another name.

While it is written it holds a mark, so that what an attempt left that was killed can be told from somebody's folder.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Final

from openprod.errors import InputError

MARK: Final = ".openprod-unfinished"


def begin(target: Path) -> Path:
    """A new folder ``<target>.part``, in place of what an earlier attempt left there.

    Raises InputError where something else is in that place, OSError.
    """
    partial = target.with_name(target.name + ".part")
    if partial.is_symlink() or (partial.exists() and not _is_ours(partial)):
        raise InputError(
            f"{partial} is in the way: what is to become {target.name} is written there first.",
            hint="Move it, or choose another name. It was left as it is.",
        )
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700, parents=True)
    try:
        (partial / MARK).touch()
    except OSError:
        partial.rmdir()
        raise
    return partial


def _is_ours(folder: Path) -> bool:
    # An attempt may have been killed before it could set its mark.
    return folder.is_dir() and ((folder / MARK).is_file() or not any(folder.iterdir()))


def finish(partial: Path, target: Path) -> None:
    """Put it in its place once all of it is on the disk: a stick is pulled out as soon as the program says it is done.

    ``target`` isn't there, or is an empty folder. Raises OSError.
    """
    for folder, _names, files in os.walk(partial):
        for name in files:
            with open(Path(folder) / name, "rb+" if os.name == "nt" else "rb") as file:
                os.fsync(file.fileno())
        settle(Path(folder))
    if target.is_dir():
        target.rmdir()
    partial.rename(target)
    (target / MARK).unlink()
    settle(target)
    settle(target.parent)


def settle(folder: Path) -> None:
    """Make new names in a folder durable. Windows has no way, and no need, to say so; nor have some sticks."""
    if os.name == "nt":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(opened)
