"""`openprod plugin`: what each kind of data in a workspace is.

What works on plugins is loaded by the commands that do: it is heavy, and the list of commands needs none of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from openprod.cli.calls import Node, call
from openprod.cli.options import folder_argument, json_option
from openprod.cli.output import cell, note, now_and_then, print_json, print_table, say

_SHOWN_MAX = 40

name_argument = click.argument("name", metavar="PLUGIN")


@click.group()
def plugin() -> None:
    """Write, install and adopt plugins."""


# -- on this device ----------------------------------------------------------------------------------------


@plugin.command()
@click.argument("name", metavar="NAME")
@click.option(
    "--in", "parent", metavar="DIR", type=click.Path(path_type=Path), default=Path(), help="Where; here if absent."
)
@json_option
def new(name: str, parent: Path, as_json: bool) -> None:
    """Write a new plugin to start from, with a test that passes."""
    from openprod.plugin_host.scaffold import scaffold

    folder = scaffold(name, parent)
    if as_json:
        print_json({"name": name, "folder": str(folder.absolute())})
        return
    say(f"{folder} is a whole plugin. README.md in it says how to go on.")


@plugin.command()
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def lint(context: click.Context, folder: Path, as_json: bool) -> None:
    """Look a plugin over: what would be refused, and what could be better.

    Nothing of it is run. The exit status is 1 when it would be refused.
    """
    from openprod.plugin_host.lint import lint as lint_plugin

    report = lint_plugin(folder)
    if as_json:
        print_json(report.to_json())
    else:
        for problem in report.problems:
            say(problem.sentence)
            say(f"  {problem.hint}")
        for line in report.advice:
            say(f"Advice: {line}")
        if not report.problems and report.manifest is not None:
            say(f"{report.manifest.name} {report.manifest.version} can be installed.")
    if report.problems:
        context.exit(1)


@plugin.command()
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@json_option
def install(folder: Path, as_json: bool) -> None:
    """Copy a plugin for yourself, on this device.

    Its code runs with your rights: install only what you trust. Workspaces get its data by `openprod plugin adopt`.
    """
    from openprod.node import plugins_folder
    from openprod.plugin_host.install import install as install_plugin
    from openprod.plugin_host.registry import Registry

    done = install_plugin(folder, plugins_folder())
    manifest = done.manifest
    if as_json:
        print_json(
            {
                "name": manifest.name, "version": manifest.version, "folder": str(manifest.folder),
                "replaced": done.replaced or None,
            }
        )  # fmt: skip
        return
    instead = f" in place of {done.replaced}" if done.replaced else ""
    say(f"{manifest.name} {manifest.version} is installed{instead}.")
    shipped = Registry.load().plugins.get(manifest.name)
    if shipped is not None:
        note(
            f"It goes before {shipped.name} {shipped.version}, which came with the program: "
            f"`openprod plugin uninstall {shipped.name}` brings that back."
        )


@plugin.command()
@name_argument
@json_option
def uninstall(name: str, as_json: bool) -> None:
    """Remove your own copy of a plugin. What workspaces hold of it stays."""
    from openprod.node import installed_plugins, plugins_folder
    from openprod.plugin_host.install import uninstall as uninstall_plugin

    version = uninstall_plugin(name, plugins_folder())
    left = installed_plugins().plugins.get(name)
    if as_json:
        print_json({"name": name, "version": version, "left": left.version if left else None})
        return
    say(f"{name} {version} is removed." + (f" The program's own {left.version} is used again." if left else ""))


# -- in a workspace ----------------------------------------------------------------------------------------


@plugin.command("list")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@json_option
def list_(folder: Path | None, as_json: bool) -> None:
    """List plugins with their facets and import formats.

    With DIR, also says which of them the workspace has adopted.
    """
    found = _here() if folder is None else call(folder, lambda node: node.get("plugins"))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            one["name"], one["version"], one["label"], _adopted(one, found["dropped"]), ", ".join(one["facets"]),
            ", ".join(importer["name"] for importer in one["importers"]),
        )
        for one in found["installed"]
    ]  # fmt: skip
    known = {one["name"] for one in found["installed"]}
    rows += [(name, "", "not on this device", "yes", "", "") for name in found["adopted"] if name not in known]
    rows += [(name, "", "not on this device", "dropped", "", "") for name in found["dropped"] if name not in known]
    print_table(["plugin", "version", "what", "adopted", "facets", "imports"], rows)
    for problem in found["problems"]:
        note(f"{problem['sentence']} {problem['hint']}")


def _here() -> dict[str, Any]:
    """Those on this device, whatever workspaces have adopted."""
    from openprod.node import installed_plugins

    registry = installed_plugins()
    installed = [
        {
            "name": one.name, "version": one.version, "label": one.label, "description": one.description,
            "own": registry.is_own(one), "adopted": False, "adopted_version": None, "update": "", "facets": one.facets,
            "edges": one.edges,
            "importers": [{"name": it.name, "label": it.label, "files": it.files} for it in one.importers],
        }
        for one in registry.plugins.values()
    ]  # fmt: skip
    problems = [{"sentence": one.sentence, "hint": one.hint, **one.details} for one in registry.problems]
    return {"installed": installed, "adopted": [], "dropped": [], "problems": problems}


def _adopted(one: dict[str, Any], dropped: list[str]) -> str:
    if one["name"] in dropped:
        return "dropped"
    if not one["adopted"]:
        return "no"
    return "yes" if one["adopted_version"] == one["version"] else f"as {one['adopted_version']}"


@plugin.command()
@folder_argument
@name_argument
@click.option(
    "--apply", is_flag=True, help="Change the data, where a migration has to; without it they are only shown."
)
@json_option
def adopt(folder: Path, name: str, apply: bool, as_json: bool) -> None:
    """Take a plugin's schema into the workspace, or go on to its newer version.

    It travels with the workspace. Where the newer version can't show all data as they are, shows what its migration
    would change, field by field; with --apply, does it as one change that can be undone.
    """

    async def take(node: Node) -> Any:
        return await node.post("plugins", name, "adopt", body={"apply": apply})

    found = call(folder, take)
    if as_json:
        print_json(found)
        return
    if found["migration"] is not None:
        _show(found["migration"])
    if not found["applied"]:
        note("Nothing was changed. Go on with --apply.")
    else:
        say(f"{name} {found['version']} is adopted." if found["bundle"] else f"{name} was adopted already.")


def _show(preview: dict[str, Any]) -> None:
    say(f"From {preview['before']} to {preview['after']}:")
    for change in preview["changes"]:
        say(f"  {change['sentence']}")
    for line in preview["summary"]:
        say(line)
    if preview["fields"]:
        rows = [
            (one["title"], one["label"], *now_and_then(one["before"], one["after"]))
            for one in preview["fields"][:_SHOWN_MAX]
        ]
        print_table(["what", "field", "now", "then"], rows)
    more = preview["counts"]["fields"] - _SHOWN_MAX
    if more > 0:
        say(f"… and {more} more; --json lists them.")
    for misfit in preview["misfits"][:_SHOWN_MAX]:
        say(
            f"Won't fit, and will be flagged: {misfit['title']} {misfit['field']}: {cell(misfit['value'])}"
            f" {misfit['why']}."
        )
    for field, count in preview["hidden"].items():
        say(f"Kept, and shown nowhere any more: {count} values of {field}.")


@plugin.command()
@folder_argument
@name_argument
@json_option
def drop(folder: Path, name: str, as_json: bool) -> None:
    """Hide a plugin's data in the workspace.

    Nothing is deleted, for nobody: what it kept is synced on, and adopting it again brings everything back.
    """

    async def leave(node: Node) -> Any:
        return await node.post("plugins", name, "drop")

    receipt = call(folder, leave)
    if as_json:
        print_json(receipt)
        return
    say(f"{name} is hidden. Bring it back with: openprod plugin adopt {folder} {name}")


@plugin.command()
@folder_argument
@json_option
def suggestions(folder: Path, as_json: bool) -> None:
    """Show which concepts the adopted plugins suggest. Nothing follows from them by itself."""
    found = call(folder, lambda node: node.get("plugins", "suggestions"))
    if as_json:
        print_json(found)
        return
    rows = [
        (one["facet"], one["concept"], ", ".join(f"{key} ↔ {field}" for key, field in one["fields"].items()))
        for one in found["bindings"]
    ]
    print_table(["facet", "concept", "fields"], rows, empty="The adopted plugins suggest nothing.")
