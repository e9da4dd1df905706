"""Looks a plugin folder over without running anything of it: what is wrong, and what would make it better."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from openprod.core.schema import Facet
from openprod.errors import InvalidManifest
from openprod.plugin_host.manifest import Manifest, read_manifest
from openprod.plugin_host.toml_lines import TomlFile

API: Final = "openprod.plugin_api"
IMPURE: Final = frozenset({"time", "random", "secrets", "os", "socket", "subprocess", "threading", "urllib"})
"""What a function that gives the same for the same data has no use for."""


@dataclass(frozen=True, slots=True)
class Report:
    """``problems``: it can't be used so. ``advice``: it can, but somebody will miss something."""

    manifest: Manifest | None
    problems: list[InvalidManifest]
    advice: list[str]

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.manifest.name if self.manifest else None,
            "version": self.manifest.version if self.manifest else None,
            "problems": [{"sentence": one.sentence, "hint": one.hint, **one.details} for one in self.problems],
            "advice": self.advice,
        }


def lint(folder: Path) -> Report:
    """Everything at once; raises nothing for a folder that can be read."""
    folder = folder.resolve()
    try:
        manifest = read_manifest(folder)
    except InvalidManifest as problem:
        return Report(None, _each(problem), [])
    modules = {path: _parsed(folder, path) for path in _python(folder)}
    problems = [tree for tree in modules.values() if isinstance(tree, InvalidManifest)]
    trees = {path: tree for path, tree in modules.items() if isinstance(tree, ast.Module)}
    problems += _entries(manifest, trees)
    advice = _missing(manifest)
    for path, tree in trees.items():
        if path.parts[0] != "tests":
            for line, fault, hint in _imports(path, tree):
                where = f"{folder.name}/{path.as_posix()}"
                if fault:
                    details = {"file": where, "line": line}
                    problems.append(InvalidManifest(f"{where}, line {line}: {fault}", hint=hint, details=details))
                else:
                    advice.append(f"{where}, line {line}: {hint}")
    return Report(manifest, problems, advice)


def _each(problem: InvalidManifest) -> list[InvalidManifest]:
    records = problem.details.get("problems") or [
        {"sentence": problem.sentence, "hint": problem.hint, **problem.details}
    ]
    return [
        InvalidManifest(
            one["sentence"], hint=one["hint"], details={key: one[key] for key in ("file", "line") if key in one}
        )
        for one in records
    ]


def _python(folder: Path) -> list[Path]:
    found = (path.relative_to(folder) for path in folder.rglob("*.py") if path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") or part == "venv" for part in path.parts))


def _parsed(folder: Path, path: Path) -> ast.Module | InvalidManifest:
    where = f"{folder.name}/{path.as_posix()}"
    line = 1
    try:
        return ast.parse((folder / path).read_bytes())
    except SyntaxError as error:
        line, what = error.lineno or 1, error.msg
    except (ValueError, RecursionError, MemoryError, OSError) as error:
        what = str(error) or type(error).__name__
    return InvalidManifest(
        f"{where}, line {line}: this isn't Python ({what}).",
        hint="Correct it there, or a little before.",
        details={"file": where, "line": line},
    )


def _entries(manifest: Manifest, trees: dict[Path, ast.Module]) -> Iterator[InvalidManifest]:
    """Functions that the manifest names and that aren't there."""
    toml = TomlFile(manifest.folder / "plugin.toml", f"{manifest.folder.name}/plugin.toml")
    named = [("importer", index, one.file, one.function) for index, one in enumerate(manifest.importers)]
    named += [("exporter", index, one.module, one.function) for index, one in enumerate(manifest.exporters)]
    named += [("derived", index, one.module, one.function) for index, one in enumerate(manifest.derived)]
    named += [("migration", index, one.file, one.function) for index, one in enumerate(manifest.migrations)]
    for kind, index, file, function in named:
        tree = trees.get(Path(file))
        if tree is not None and function not in _defined(tree):
            yield toml.problem(
                f"{file} has no function “{function}”.", f"Its functions: {_listed(tree)}.", kind, index, "entry"
            )


def _defined(tree: ast.Module) -> set[str]:
    """Names that the module has at its top: defined, assigned or imported."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def _listed(tree: ast.Module) -> str:
    return ", ".join(node.name for node in tree.body if isinstance(node, ast.FunctionDef)) or "none"


def _imports(path: Path, tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    """(line, what is wrong or "", what to do)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            if node.level > len(path.parts):
                yield node.lineno, "this import leaves the plugin's folder.", "A plugin holds all that it needs."
            continue
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
            if names == ["openprod"]:
                names = [f"openprod.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            first = name.partition(".")[0]
            if name == API or name.startswith(f"{API}."):
                continue
            if first == "openprod":
                yield node.lineno, f"plugins can't rely on {name}.", f"Only {API} stays as it is."
            elif first == "plugins":
                yield node.lineno, f"{name} belongs to another plugin.", "Plugins know nothing of each other."
            elif first not in sys.stdlib_module_names:
                yield node.lineno, "", f"{first} has to be installed wherever the plugin is."
            elif first in IMPURE:
                yield node.lineno, "", f"{first} isn't for plugins: the same data have to give the same, everywhere."


def _missing(manifest: Manifest) -> list[str]:
    name, advice = manifest.folder.name, []
    if not (manifest.folder / "README.md").is_file():
        advice.append(f"{name} has no README.md: say what it is for.")
    if not any((manifest.folder / "tests").glob("test_*.py")):
        advice.append(f"{name} has no tests.")
    if not manifest.description:
        advice.append(f"{name}/plugin.toml has no description.")
    facets: dict[str, Facet] = manifest.schema.facets if manifest.schema else {}
    for facet, declared in facets.items():
        if not declared.title:
            advice.append(f"{name}/schema.toml: {facet} has no title: people will see ids of it.")
        if not declared.unique:
            advice.append(f"{name}/schema.toml: {facet} doesn't say what tells two of them apart (unique).")
    return advice
