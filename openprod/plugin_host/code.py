"""Loads a plugin's Python by path.

The code runs in this process, with this process's rights: only plugins that the user installed by hand are ever
loaded. A sandbox takes this module's place before plugins may be fetched from elsewhere; what plugins get and
return (``openprod.plugin_api``) is made so that it can.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from openprod.errors import InvalidManifest
from openprod.plugin_host.manifest import LEFT_OUT, Manifest


def load_function(manifest: Manifest, file: str, function: str) -> Callable[..., Any]:
    """``function`` of ``file`` in the plugin's folder. Raises InvalidManifest when there is none that works.

    Files of one plugin may import each other relatively (``from . import times``).
    """
    module_name = f"{_package(manifest)}.{file.removesuffix('.py').replace('/', '.')}"
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise InvalidManifest(
            f"The plugin “{manifest.name}” can't be used: {file} doesn't load ({describe(error, manifest.folder)}).",
            hint="Install the plugin again, or tell its author.",
        ) from error
    found = getattr(module, function, None)
    if not callable(found):
        raise InvalidManifest(
            f"The plugin “{manifest.name}” names a function “{function}” that {file} doesn't have.",
            hint="Correct “entry” in its plugin.toml.",
        )
    loaded: Callable[..., Any] = found

    def called(*given: Any) -> Any:
        try:
            return loaded(*given)
        except (SystemExit, KeyboardInterrupt) as error:
            # They would end the node, and with it everybody's work.
            raise RuntimeError(f"it raised {type(error).__name__}").with_traceback(error.__traceback__) from error

    return called


def describe(error: BaseException, folder: Path) -> str:
    """One line for people: what went wrong and where in the plugin's own files."""
    places = [
        f"{Path(frame.filename).relative_to(folder).as_posix()}, line {frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(folder)
    ]
    what = f"{type(error).__name__}: {error}".strip(": ")
    return f"{what}; {places[-1]}" if places else what


def _package(manifest: Manifest) -> str:
    """The plugin's folder as a package, under a name that no other folder has, nor the same one with other code: a
    plugin installed again is used at once by nodes that run."""
    folder = manifest.folder.resolve()
    digest = hashlib.sha256(str(folder).encode())
    for file in sorted(folder.rglob("*.py")):
        if any(part.startswith(".") or part in LEFT_OUT for part in file.relative_to(folder).parts):
            continue  # what tools keep in a folder that somebody develops in
        with suppress(OSError):
            data = file.read_bytes()
            digest.update(f"\0{file.relative_to(folder).as_posix()}\0{len(data)}\0".encode() + data)
    name = f"_openprod_plugin_{manifest.name}_{digest.hexdigest()[:12]}"
    if name not in sys.modules:
        importlib.invalidate_caches()
        package = ModuleType(name, f"The plugin “{manifest.name}”.")
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    return name
