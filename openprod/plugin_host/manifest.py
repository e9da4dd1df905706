"""A plugin folder → what it is and what it provides.

::

    # plugin.toml
    name = "things"
    version = "1.0.0"
    label = "Things"
    description = "One sentence."
    [[importer]]
    id = "csv"                       # called things.csv from outside
    label = "Spreadsheet (CSV)"
    files = ["*.csv"]
    entry = "jobs/sheet.py:plan"     # file inside the folder, function
    [[exporter]]
    id = "sheet"                     # called things.sheet from outside
    label = "Spreadsheet (CSV)"
    file = "things.csv"              # what a single file is called when nobody says
    entry = "jobs/sheet_out.py:export"
    needs_now = false                # true: the exporter is told what time it is
    needs_revisions = false          # true: it is told who wrote what, to number its revisions
    queries = ["thing.who"]          # fields that hold queries in one line: it is told whom they name
    options = { order = "number or name" }   # what it may be asked, if anything
    [[derived]]                      # a view computed from a query; see deriving.py
    id = "lengths"
    label = "How long it all takes"
    query = "things.thing sort number"
    entry = "views/lengths.py:compute"
    [[migration]]                    # where a change of the schema isn't free
    from = "1"                       # adopted: 1, 1.2, 1.2.3
    to = "2"                         # this version
    entry = "jobs/to_two.py:plan"
    [sample]                         # only in a folder that brings a sample production; see sample.py

``schema.toml`` beside it is read by ``schema_file``; a plugin without one declares no data.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openprod.core import evolution
from openprod.core.schema import Schema
from openprod.errors import InvalidManifest
from openprod.plugin_api.exports import safe_name
from openprod.plugin_host.deriving import DerivedView, check_names, read_derived
from openprod.plugin_host.schema_file import NAME, read_schema
from openprod.plugin_host.toml_lines import TomlFile, refuse

RESERVED = frozenset({"core", "edge", "text", "rich", "openprod", "plugin"})
"""Names that documents and storage keys already use."""

LEFT_OUT = frozenset({"__pycache__", "node_modules", "venv"})
"""What tools leave in a folder, besides everything whose name begins with a dot: no part of a plugin."""

_IDENTIFIER = re.compile(r"[a-z][a-z0-9-]{0,62}")
_VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,2}([-+][0-9A-Za-z.-]{1,40})?")
_ENTRY = re.compile(r"(?P<file>[A-Za-z0-9_][A-Za-z0-9_/-]*\.py):(?P<function>[a-z_][a-z0-9_]*)")
_KEYS = frozenset({"name", "version", "label", "description", "importer", "exporter", "derived", "migration", "sample"})
_IMPORTER_KEYS = frozenset({"id", "label", "files", "entry"})
_MIGRATION_KEYS = frozenset({"from", "to", "entry"})
_EXPORTER_KEYS = frozenset({"id", "label", "file", "entry", "needs_now", "needs_revisions", "queries", "options"})
HOST_OPTIONS = frozenset({"now", "private"})
"""Options of exporters that only the host sets."""


@dataclass(frozen=True, slots=True)
class Importer:
    """``files``: patterns of file names it suits. ``file`` and ``function``: where its code is, in the folder."""

    plugin: str
    id: str
    label: str
    files: tuple[str, ...]
    file: str
    function: str

    @property
    def name(self) -> str:
        """As commands call it: ``plugin.id``."""
        return f"{self.plugin}.{self.id}"

    def suits(self, file_name: str) -> bool:
        return any(fnmatch.fnmatchcase(file_name.lower(), pattern.lower()) for pattern in self.files)


@dataclass(frozen=True, slots=True)
class Exporter:
    """``file``: what its file is called. ``options``: (name, what it means). ``module``: the file its code is in."""

    plugin: str
    id: str
    label: str
    file: str
    needs_now: bool
    needs_revisions: bool
    queries: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, str], ...]
    module: str
    function: str

    @property
    def name(self) -> str:
        """As commands call it: ``plugin.id``."""
        return f"{self.plugin}.{self.id}"


@dataclass(frozen=True, slots=True)
class Migration:
    """What becomes of the data of version ``before`` under version ``after``; ``1`` stands for every 1.x."""

    before: str
    after: str
    file: str
    function: str


@dataclass(frozen=True, slots=True)
class SampleStep:
    """Either an import of ``file`` with ``importer``, or an edge drawn where fields match (see sample.py)."""

    message: str
    importer: str = ""
    file: str = ""
    edge: str = ""
    source: str = ""
    target: str = ""
    match: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SampleManifest:
    name: str
    adopt: tuple[str, ...]
    steps: tuple[SampleStep, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    folder: Path
    name: str
    version: str
    label: str
    description: str
    importers: tuple[Importer, ...]
    exporters: tuple[Exporter, ...]
    migrations: tuple[Migration, ...]
    schema: Schema | None
    sample: SampleManifest | None
    derived: tuple[DerivedView, ...] = ()

    def migration(self, before: str) -> Migration | None:
        """How to come from version ``before`` to this one: the one that names it most exactly, if any."""
        found = [
            one
            for one in self.migrations
            if is_version_of(before, one.before) and is_version_of(self.version, one.after)
        ]
        return max(found, key=lambda one: (len(one.before), len(one.after)), default=None)

    @property
    def facets(self) -> tuple[str, ...]:
        """Its facets as ``plugin.facet``."""
        return tuple(f"{self.name}.{facet}" for facet in self.schema.facets) if self.schema else ()

    @property
    def edges(self) -> tuple[str, ...]:
        """Its edges as ``plugin.edge``."""
        return tuple(f"{self.name}.{edge}" for edge in self.schema.edges) if self.schema else ()


def is_version_of(version: str, general: str) -> bool:
    """Whether ``version`` (1.2.0) is what ``general`` (1, 1.2 or 1.2.0) stands for."""
    return version == general or version.startswith((f"{general}.", f"{general}-", f"{general}+"))


def read_manifest(folder: Path) -> Manifest:
    """Read and check a plugin folder. Raises InvalidManifest: the first of what is wrong by file and line, and all."""
    file = TomlFile(folder / "plugin.toml", f"{folder.name}/plugin.toml")
    data = file.data
    with file.part():
        file.only(data, _KEYS, ())
    name = version = label = description = ""
    with file.part():
        name = file.required(data, "name", ())
        if not NAME.fullmatch(name) or name in RESERVED:
            raise file.problem(
                f"“{name}” can't be a plugin's name.",
                "Lower-case letters, digits and underscores, starting with a letter; "
                f"not {', '.join(sorted(RESERVED))}.",
                "name",
            )
    with file.part():
        version = file.required(data, "version", ())
        if not _VERSION.fullmatch(version):
            raise file.problem(f"“{version}” isn't a version.", 'Write version = "1.0.0".', "version")
    with file.part():
        label = file.text(data, "label", ()) or name.replace("_", " ").capitalize()
        description = file.text(data, "description", ())
    importers: tuple[Importer, ...] = ()
    exporters: tuple[Exporter, ...] = ()
    migrations: tuple[Migration, ...] = ()
    sample = schema = None
    with file.part():
        importers = _importers(file, folder, name)
    with file.part():
        exporters = _exporters(file, folder, name)
    derived: tuple[DerivedView, ...] = ()
    with file.part():
        derived = _derived(file, folder, name)
    schema_path = folder / "schema.toml"
    with file.part():
        migrations = _migrations(file, folder, version, has_data=schema_path.exists())
    with file.part():
        sample = _sample(file, folder) if "sample" in data else None
    if schema_path.exists():
        schema_file = None
        try:
            schema_file = TomlFile(schema_path, f"{folder.name}/schema.toml")
            schema = read_schema(schema_file, plugin=name, version=version, label=label)
        except InvalidManifest as problem:
            refuse([*file.problems, *(schema_file.problems if schema_file and schema_file.problems else [problem])])
    with file.part():
        _queries(file, exporters, schema)
    for index, view in enumerate(derived):
        with file.part():
            check_names(file, index, view, schema)
    file.finish()
    return Manifest(
        folder=folder, name=name, version=version, label=label, description=description, importers=importers,
        exporters=exporters, migrations=migrations, schema=schema, sample=sample, derived=derived,
    )  # fmt: skip


def _entry(file: TomlFile, folder: Path, table: dict[str, Any], where: tuple[str | int, ...]) -> tuple[str, str]:
    """(file, function) of what ``entry`` names."""
    entry = file.required(table, "entry", where)
    match = _ENTRY.fullmatch(entry)
    if match is None or not (folder / match["file"]).is_file():
        raise file.problem(
            f"“{entry}” names no function in this folder.",
            "Write a Python file inside the plugin's folder and a function: jobs/sheet.py:plan.",
            *where,
            "entry",
        )
    return match["file"], match["function"]


def _migrations(file: TomlFile, folder: Path, version: str, *, has_data: bool) -> tuple[Migration, ...]:
    migrations: dict[tuple[str, str], Migration] = {}
    for index, table in enumerate(file.tables(file.data, "migration", ("migration",))):
        where = ("migration", index)
        file.only(table, _MIGRATION_KEYS, where)
        before, after = file.required(table, "from", where), file.required(table, "to", where)
        for key, given in (("from", before), ("to", after)):
            if not _VERSION.fullmatch(given):
                raise file.problem(f"“{given}” isn't a version.", f'Write {key} = "1" or "1.2.0".', *where, key)
        if evolution.version_key(before) >= evolution.version_key(after):
            raise file.problem(f"a migration from {before} to {after} goes nowhere.", "Go to a later one.", *where)
        if not is_version_of(version, after) and evolution.version_key(after) > evolution.version_key(version):
            raise file.problem(
                f"a migration to {after} is later than this version, {version}.",
                f'Write to = "{version}", or raise the version.',
                *where,
                "to",
            )
        if (before, after) in migrations:
            raise file.problem(f"there are two migrations from {before} to {after}.", "Keep one.", *where)
        module, function = _entry(file, folder, table, where)
        migrations[before, after] = Migration(before=before, after=after, file=module, function=function)
    if migrations and not has_data:
        raise file.problem("there is no schema.toml whose data could migrate.", "Take it away.", "migration", 0)
    return tuple(migrations.values())


def _importers(file: TomlFile, folder: Path, plugin: str) -> tuple[Importer, ...]:
    importers: dict[str, Importer] = {}
    for index, table in enumerate(file.tables(file.data, "importer", ("importer",))):
        where = ("importer", index)
        file.only(table, _IMPORTER_KEYS, where)
        identifier = file.required(table, "id", where)
        if not _IDENTIFIER.fullmatch(identifier) or identifier in importers:
            raise file.problem(
                f"“{identifier}” can't be an importer's id.",
                "Lower-case letters, digits and hyphens; each importer of a plugin has its own.",
                *where,
                "id",
            )
        module, function = _entry(file, folder, table, where)
        files = table.get("files", [])
        if not isinstance(files, list) or not files or not all(isinstance(item, str) for item in files):
            raise file.problem(
                f"importer “{identifier}” doesn't say which files it suits.",
                'Write files = ["*.csv"].',
                *where,
                "files",
            )
        importers[identifier] = Importer(
            plugin=plugin,
            id=identifier,
            label=file.text(table, "label", where) or identifier,
            files=tuple(files),
            file=module,
            function=function,
        )
    return tuple(importers.values())


def _exporters(file: TomlFile, folder: Path, plugin: str) -> tuple[Exporter, ...]:
    exporters: dict[str, Exporter] = {}
    for index, table in enumerate(file.tables(file.data, "exporter", ("exporter",))):
        where = ("exporter", index)
        file.only(table, _EXPORTER_KEYS, where)
        identifier = file.required(table, "id", where)
        if not _IDENTIFIER.fullmatch(identifier) or identifier in exporters:
            raise file.problem(
                f"“{identifier}” can't be an exporter's id.",
                "Lower-case letters, digits and hyphens; each exporter of a plugin has its own.",
                *where,
                "id",
            )
        module, function = _entry(file, folder, table, where)
        name = file.required(table, "file", where)
        if safe_name(name) != name:
            raise file.problem(
                f"“{name}” can't be the name of a file everywhere.", 'Write file = "things.csv".', *where, "file"
            )
        exporters[identifier] = Exporter(
            plugin=plugin,
            id=identifier,
            label=file.text(table, "label", where) or identifier,
            file=name,
            needs_now=file.flag(table, "needs_now", where),
            needs_revisions=file.flag(table, "needs_revisions", where),
            queries=tuple(name.partition(".")[::2] for name in file.texts(table, "queries", where)),
            options=_options(file, table, where),
            module=module,
            function=function,
        )
    return tuple(exporters.values())


def _derived(file: TomlFile, folder: Path, plugin: str) -> tuple[DerivedView, ...]:
    views: dict[str, DerivedView] = {}
    for index, table in enumerate(file.tables(file.data, "derived", ("derived",))):
        entry = _entry(file, folder, table, ("derived", index))
        view = read_derived(file, plugin, index, table, entry, views)
        views[view.id] = view
    return tuple(views.values())


def _queries(file: TomlFile, exporters: tuple[Exporter, ...], schema: Schema | None) -> None:
    """Fields that are said to hold queries are there, and can."""
    for index, exporter in enumerate(exporters):
        for facet, field in exporter.queries:
            declared = schema.facets.get(facet) if schema else None
            if declared is None or field not in declared.fields or declared.fields[field].type != "string":
                raise file.problem(
                    f"“{facet}.{field}” isn't a field of this plugin that can hold a query.",
                    'Write a facet and a field of type string: queries = ["thing.who"].',
                    *("exporter", index, "queries"),
                )


def _options(file: TomlFile, table: dict[str, Any], where: tuple[str | int, ...]) -> tuple[tuple[str, str], ...]:
    options = table.get("options", {})
    if not isinstance(options, dict) or not all(isinstance(meaning, str) for meaning in options.values()):
        raise file.problem(
            "“options” doesn't say what each option means.",
            'Write options = { order = "number or name" }.',
            *where,
            "options",
        )
    for name in options:
        if not NAME.fullmatch(name) or name in HOST_OPTIONS:
            raise file.problem(
                f"“{name}” can't be an option.",
                "Lower-case letters, digits and underscores; not now or private, which the host sets.",
                *where,
                "options",
            )
    return tuple(options.items())


def _sample(file: TomlFile, folder: Path) -> SampleManifest:
    table = file.data["sample"]
    where = ("sample",)
    if not isinstance(table, dict):
        raise file.problem("“sample” isn't a table.", "Write [sample].", *where)
    file.only(table, frozenset({"name", "adopt", "step"}), where)
    adopt = table.get("adopt", [])
    if not isinstance(adopt, list) or not adopt or not all(isinstance(item, str) for item in adopt):
        raise file.problem(
            "the sample doesn't say which plugins it uses.", 'Write adopt = ["things"].', *where, "adopt"
        )
    steps = tuple(
        _sample_step(file, folder, step, ("sample", "step", index))
        for index, step in enumerate(file.tables(table, "step", ("sample", "step")))
    )
    return SampleManifest(name=file.required(table, "name", where), adopt=tuple(adopt), steps=steps)


def _sample_step(file: TomlFile, folder: Path, step: dict[str, Any], where: tuple[str | int, ...]) -> SampleStep:
    message = file.required(step, "message", where)
    if "edge" in step:
        file.only(step, frozenset({"message", "edge", "from", "to", "match"}), where)
        match = step.get("match")
        if not isinstance(match, dict) or not match or not all(isinstance(v, str) for v in match.values()):
            raise file.problem(
                "this step doesn't say which fields match.",
                'Write match = { field_here = "field_there" }.',
                *where,
                "match",
            )
        return SampleStep(
            message=message,
            edge=file.required(step, "edge", where),
            source=file.required(step, "from", where),
            target=file.required(step, "to", where),
            match=tuple(match.items()),
        )
    file.only(step, frozenset({"message", "import", "file"}), where)
    name = file.required(step, "file", where)
    path = folder / name
    if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        raise file.problem(f"there is no file “{name}” in this folder.", "Correct the name.", *where, "file")
    return SampleStep(message=message, importer=file.required(step, "import", where), file=name)
