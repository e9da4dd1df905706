"""A person's own plugins: copied into ``<data dir>/plugins/<name>``, checked before, swapped in whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from openprod.errors import Busy, InputError, InvalidManifest, LimitExceeded, NotFound, ReadOnly
from openprod.plugin_host.lint import lint
from openprod.plugin_host.manifest import LEFT_OUT, Manifest, read_manifest
from openprod.plugin_host.toml_lines import refuse

FILES_MAX: Final = 2_000
FILE_BYTES_MAX: Final = 16 * 1024 * 1024
BYTES_MAX: Final = 64 * 1024 * 1024
DEPTH_MAX: Final = 16
WAIT_S: float = 10

_COMING, _GOING = ".coming-", ".going-"


@dataclass(frozen=True, slots=True)
class Installed:
    """``replaced``: the version that it took the place of, "" when there was none."""

    manifest: Manifest
    replaced: str


def install(source: Path, plugins: Path) -> Installed:
    """Copy the plugin in ``source`` into the folder ``plugins``, in place of an earlier copy.

    Raises InvalidManifest (wrong declarations, code that can't be read), InputError (links, strange files),
    LimitExceeded, Busy, ReadOnly. Then nothing is changed.
    """
    if not source.is_dir():
        raise InputError(f"{source} isn't a folder.", hint="Name the folder that holds plugin.toml.")
    with _changing(plugins):
        coming = plugins / f"{_COMING}{secrets.token_hex(8)}" / (source.resolve().name or "plugin")
        try:
            coming.mkdir(parents=True)
            _copy(source, coming)
            refuse(lint(coming).problems)  # of the copy: nobody changes it between the look and the move
            name = read_manifest(coming).name
            replaced = _swap(coming, plugins, name)
        finally:
            shutil.rmtree(coming.parent, ignore_errors=True)
    return Installed(read_manifest(plugins / name), replaced)


def uninstall(name: str, plugins: Path) -> str:
    """Remove a person's own copy; returns its version. What it made in workspaces stays. Raises NotFound, Busy."""
    with _changing(plugins):
        folder = _own(name, plugins)
        version = _version(folder)
        if folder.is_symlink():
            folder.unlink()  # somebody develops it elsewhere
        else:
            going = plugins / f"{_GOING}{secrets.token_hex(8)}"
            folder.rename(going)
            shutil.rmtree(going, ignore_errors=True)
    return version


def recover(plugins: Path) -> None:
    """Put back what a swap that was cut short had moved away. Does nothing while another process is at it."""
    if not any(plugins.glob(f"{_GOING}*/*")) and not any(plugins.glob(f"{_COMING}*")):
        return
    with suppress(Busy, ReadOnly), _changing(plugins, wait_s=0):
        pass


# -- one at a time -----------------------------------------------------------------------------------------


@contextmanager
def _changing(plugins: Path, *, wait_s: float | None = None) -> Iterator[None]:
    try:
        plugins.mkdir(parents=True, exist_ok=True)
        lock = FileLock(plugins / ".lock", mode=0o600)
        lock.acquire(timeout=WAIT_S if wait_s is None else wait_s)
    except Timeout:
        raise Busy("Another command is changing the plugins.", hint="Try again when it is done.") from None
    except OSError as error:
        raise _unwritable(plugins, error) from error
    try:
        _recover(plugins)
        yield
    except OSError as error:
        raise _unwritable(plugins, error) from error
    finally:
        lock.release()


def _unwritable(plugins: Path, error: OSError) -> ReadOnly:
    return ReadOnly(
        f"{error.filename or plugins} can't be used: {error.strerror}.", hint="Look at its rights and room."
    )


def _recover(plugins: Path) -> None:
    for away in plugins.glob(f"{_GOING}*"):
        for folder in away.iterdir() if away.is_dir() else ():
            if not (plugins / folder.name).exists():
                folder.rename(plugins / folder.name)
        shutil.rmtree(away, ignore_errors=True)
    for left in plugins.glob(f"{_COMING}*"):
        shutil.rmtree(left, ignore_errors=True)


def _swap(coming: Path, plugins: Path, name: str) -> str:
    """Two renames: whoever is stopped between them is helped by ``_recover``."""
    target = plugins / name
    if not target.exists() and not target.is_symlink():
        coming.rename(target)
        return ""
    replaced = _version(target)
    if target.is_symlink():
        target.unlink()
        coming.rename(target)
        return replaced
    away = plugins / f"{_GOING}{secrets.token_hex(8)}"
    away.mkdir()
    target.rename(away / name)
    try:
        coming.rename(target)
    except OSError:
        (away / name).rename(target)
        raise
    shutil.rmtree(away, ignore_errors=True)
    return replaced


def _own(name: str, plugins: Path) -> Path:
    """The folder of a person's own plugin, by the plugin's name or else the folder's."""
    folders = sorted(folder for folder in plugins.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    for folder in folders:
        with suppress(InvalidManifest):
            if read_manifest(folder).name == name:
                return folder
    for folder in folders:
        if folder.name == name:  # one that can't be used
            return folder
    known = ", ".join(folder.name for folder in folders) or "none"
    raise NotFound(f"No plugin “{name[:80]}” is installed for you.", hint=f"Your own plugins: {known}.")


def _version(folder: Path) -> str:
    try:
        return read_manifest(folder).version
    except InvalidManifest:
        return "a version that can't be read"


# -- copying -----------------------------------------------------------------------------------------------


def _copy(source: Path, target: Path) -> None:
    """Plain files and folders only, within bounds. Raises InputError or LimitExceeded."""
    files = size = 0
    waiting = [(source, target, 0)]
    while waiting:
        folder, into, depth = waiting.pop()
        if depth > DEPTH_MAX:
            raise LimitExceeded(f"{folder} is nested more than {DEPTH_MAX} folders deep.")
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            if entry.name.startswith(".") or entry.name in LEFT_OUT or entry.name.endswith(".pyc"):
                continue
            path = Path(entry.path)
            if not entry.name.isprintable():
                raise InputError(f"{folder} holds a file whose name can't be shown.", hint="Rename it.")
            if entry.is_symlink():
                raise InputError(f"{path} is a link.", hint="Put the file itself there: links may lead anywhere.")
            if entry.is_dir(follow_symlinks=False):
                (into / entry.name).mkdir()
                waiting.append((path, into / entry.name, depth + 1))
                continue
            files += 1
            if files > FILES_MAX:
                raise LimitExceeded(
                    f"The plugin has more than {FILES_MAX:,} files.", hint="Leave out what it doesn't need."
                )
            size += _copy_file(path, into / entry.name)
            if size > BYTES_MAX:
                raise LimitExceeded(
                    f"The plugin is larger than {BYTES_MAX // 1024**2} MiB.", hint="Leave out what it doesn't need."
                )


def _copy_file(path: Path, target: Path) -> int:
    # Not through a link that somebody puts there meanwhile; and not waiting for a pipe's other end.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InputError(f"{path} is no ordinary file.", hint="Leave it out.")
        data = file.read(FILE_BYTES_MAX + 1)
    if len(data) > FILE_BYTES_MAX:
        raise LimitExceeded(f"{path} is larger than {FILE_BYTES_MAX // 1024**2} MiB.")
    target.write_bytes(data)
    return len(data)
