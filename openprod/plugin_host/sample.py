"""A sample production: data in a plugin folder, and the steps that make a workspace of it.

::

    [sample]
    name = "A production"
    adopt = ["things"]
    [[sample.step]]                  # import a file of this folder
    message = "Import the things"
    import = "things.csv"
    file = "things.csv"
    [[sample.step]]                  # draw an edge from each entity to the one whose fields match
    message = "Place the things"
    edge = "things.placed_in"
    from = "things.thing"
    to = "rooms.room"
    match = { room = "code" }        # field of the source = field of the target

The second kind is how data of independent plugins come to be related: the sample says it, neither plugin knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openprod.core.operations import AddEdge
from openprod.core.proposals import Proposal
from openprod.core.schema import Schema
from openprod.core.values import canonical
from openprod.errors import InvalidManifest, NotFound
from openprod.plugin_api.snapshot import Snapshot
from openprod.plugin_host.importing import plan_import
from openprod.plugin_host.manifest import Importer, Manifest, SampleStep
from openprod.plugin_host.registry import Registry


@dataclass(frozen=True, slots=True)
class ImportStep:
    message: str
    manifest: Manifest
    importer: Importer
    path: Path

    @property
    def facets(self) -> tuple[str, ...]:
        """What the snapshot must hold, as ``plugin.facet``."""
        return self.manifest.facets

    @property
    def edges(self) -> tuple[str, ...]:
        return self.manifest.edges

    def plan(self, snapshot: Snapshot) -> Proposal:
        return plan_import(self.manifest, self.importer, self.path.read_bytes(), snapshot, file_name=self.path.name)


@dataclass(frozen=True, slots=True)
class LinkStep:
    message: str
    edge: str
    source: str
    target: str
    match: tuple[tuple[str, str], ...]

    @property
    def facets(self) -> tuple[str, ...]:
        return (self.source, self.target)

    @property
    def edges(self) -> tuple[str, ...]:
        return (self.edge,)

    def plan(self, snapshot: Snapshot) -> Proposal:
        """An edge for each source that has none yet and matches exactly one target."""
        targets: dict[tuple[str, ...], list[str]] = {}
        for entity, fields in snapshot.entities(self.target).items():
            targets.setdefault(self._key(fields, 1), []).append(entity)
        linked = {view.source for view in snapshot.edges(self.edge).values()}
        operations: list[AddEdge] = []
        for entity, fields in snapshot.entities(self.source).items():
            key = self._key(fields, 0)
            found = targets.get(key, []) if "null" not in key and entity not in linked else []
            if len(found) == 1:
                operations.append(AddEdge(edge=self.edge, source=entity, target=found[0]))
        return Proposal(
            operations=tuple(operations),
            summary=(f"{len(linked) + len(operations)} of {len(snapshot.entities(self.source))} are placed.",),
            counts={"created": len(operations)},
        )

    def _key(self, fields: Any, side: int) -> tuple[str, ...]:
        return tuple(canonical(fields.get(pair[side])) for pair in self.match)


@dataclass(frozen=True, slots=True)
class Sample:
    """``schemas`` in the order to adopt them, ``steps`` in the order to apply them, one bundle each."""

    name: str
    schemas: tuple[Schema, ...]
    steps: tuple[ImportStep | LinkStep, ...]


def load_sample(name: str, registry: Registry | None = None) -> Sample:
    """The sample in the plugin folder ``name``. Raises NotFound, InvalidManifest."""
    registry = registry or Registry.load()
    manifest = registry.plugin(name)
    if manifest.sample is None:
        having = ", ".join(plugin.name for plugin in registry.plugins.values() if plugin.sample)
        raise NotFound(f"“{name}” brings no sample production.", hint=f"Use one of: {having or 'none'}.")
    try:
        return Sample(
            name=manifest.sample.name,
            schemas=tuple(registry.schema(plugin) for plugin in manifest.sample.adopt),
            steps=tuple(_steps(manifest, manifest.sample.steps, registry)),
        )
    except NotFound as error:
        raise InvalidManifest(
            f"{manifest.folder.name}/plugin.toml asks for something that isn't here. {error.sentence}",
            hint=error.hint,
        ) from error


def _steps(manifest: Manifest, steps: tuple[SampleStep, ...], registry: Registry) -> Iterator[ImportStep | LinkStep]:
    for step in steps:
        if step.edge:
            yield LinkStep(step.message, step.edge, step.source, step.target, step.match)
        else:
            plugin, importer = registry.importer(step.importer)
            yield ImportStep(step.message, plugin, importer, manifest.folder / step.file)
