"""An empty copy of a workspace that others hold: what a newcomer begins with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from openprod.errors import InputError
from openprod.storage.sqlite.connection import translated
from openprod.storage.sqlite.storage import SqliteStorage

_DATABASE: Final = "workspace.db"
_ID = re.compile(r"ws_[0-9A-Za-z]{1,64}")


def empty_copy(folder: Path, workspace: str) -> None:
    """Make a workspace of that id without a bundle and without a name in a new (or empty) folder.

    Raises InputError, StorageError.
    """
    if not _ID.fullmatch(workspace):
        raise InputError("That link doesn't name a production.", hint="Ask for a new one.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists already and isn't empty.", hint="Choose another folder.")
    with translated(str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
    storage = SqliteStorage(str(folder / _DATABASE))
    try:
        with storage.transaction():
            storage.set_meta("workspace", workspace)
    finally:
        storage.close()
