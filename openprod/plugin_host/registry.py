"""Which plugins there are: those shipped with the program, and those a person has installed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import openprod
from openprod.core.schema import Schema
from openprod.errors import InvalidManifest, NotFound
from openprod.plugin_host.deriving import DerivedView
from openprod.plugin_host.install import recover
from openprod.plugin_host.manifest import Exporter, Importer, Manifest, read_manifest


def shipped_folder() -> Path:
    """Where the shipped plugins are: inside the package when installed, beside it in a checkout."""
    package = Path(openprod.__file__).parent
    installed = package / "_shipped" / "plugins"
    return installed if installed.is_dir() else package.parent / "plugins"


@dataclass(frozen=True, slots=True)
class Registry:
    """Plugins by name. ``problems``: folders that hold a plugin.toml that can't be used."""

    plugins: dict[str, Manifest]
    problems: tuple[InvalidManifest, ...]
    user: Path | None = None

    @staticmethod
    def load(user: Path | None = None, *, shipped: Path | None = None) -> Registry:
        """Read every plugin folder. A person's own copy goes before the shipped one of the same name.

        A folder that can't be used is a problem, never a reason for the others not to work.
        """
        if user is not None and user.is_dir():
            recover(user)
        plugins: dict[str, Manifest] = {}
        problems: list[InvalidManifest] = []
        for folder in _folders(shipped_folder() if shipped is None else shipped, user):
            try:
                manifest = read_manifest(folder)
            except InvalidManifest as problem:
                problems.append(problem)
            else:
                plugins[manifest.name] = manifest
        return Registry(dict(sorted(plugins.items())), tuple(problems), user)

    def is_own(self, manifest: Manifest) -> bool:
        """Whether the person installed it, rather than that it came with the program."""
        return self.user is not None and manifest.folder.parent == self.user

    def plugin(self, name: str) -> Manifest:
        """Raises NotFound, or InvalidManifest when its folder can't be used."""
        manifest = self.plugins.get(name)
        if manifest is None:
            for problem in self.problems:
                if problem.sentence.startswith(f"{name}/"):
                    raise problem
            raise NotFound(
                f"There is no plugin “{name}”.",
                hint=f"Installed: {', '.join(self.plugins) or 'none'}." + self._problems_hint(),
            )
        return manifest

    def schema(self, name: str) -> Schema:
        """The schema of a plugin that declares data. Raises NotFound."""
        schema = self.plugin(name).schema
        if schema is None:
            raise NotFound(
                f"The plugin “{name}” declares no data of its own.",
                hint=f"Adopt one of: {', '.join(self._with_schema())}.",
            )
        return schema

    def importer(self, name: str) -> tuple[Manifest, Importer]:
        """The importer called ``plugin.id``. Raises NotFound."""
        plugin, _, identifier = name.partition(".")
        manifest = self.plugins.get(plugin)
        for importer in manifest.importers if manifest else ():
            if importer.id == identifier:
                assert manifest is not None
                return manifest, importer
        known = ", ".join(importer.name for importer in self.importers())
        raise NotFound(
            f"There is no importer “{name}”.", hint=f"Use one of: {known or 'none'}." + self._problems_hint()
        )

    def importers(self, file_name: str | None = None) -> Iterator[Importer]:
        """All importers, or those that suit a file of that name."""
        for manifest in self.plugins.values():
            for importer in manifest.importers:
                if file_name is None or importer.suits(file_name):
                    yield importer

    def exporter(self, name: str) -> tuple[Manifest, Exporter]:
        """The exporter called ``plugin.id``. Raises NotFound."""
        for manifest in self.plugins.values():
            for exporter in manifest.exporters:
                if exporter.name == name:
                    return manifest, exporter
        known = ", ".join(exporter.name for exporter in self.exporters())
        raise NotFound(
            f"There is no exporter “{name}”.", hint=f"Use one of: {known or 'none'}." + self._problems_hint()
        )

    def derived(self, name: str) -> tuple[Manifest, DerivedView]:
        """The derived view called ``plugin.id``. Raises NotFound."""
        for manifest in self.plugins.values():
            for view in manifest.derived:
                if view.name == name:
                    return manifest, view
        known = ", ".join(view.name for manifest in self.plugins.values() for view in manifest.derived)
        raise NotFound(f"There is no view “{name[:80]}”.", hint=f"There are: {known or 'none'}.")

    def exporters(self) -> Iterator[Exporter]:
        for manifest in self.plugins.values():
            yield from manifest.exporters

    def _with_schema(self) -> list[str]:
        return [name for name, manifest in self.plugins.items() if manifest.schema is not None]

    def _problems_hint(self) -> str:
        return "".join(f" {problem.sentence}" for problem in self.problems)


def _folders(*parents: Path | None) -> Iterator[Path]:
    for parent in parents:
        if parent is not None and parent.is_dir():
            yield from sorted(
                folder
                for folder in parent.iterdir()
                if not folder.name.startswith(".") and (folder / "plugin.toml").is_file()
            )
