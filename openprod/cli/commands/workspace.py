"""`openprod new` and `openprod restore`: workspaces that aren't there yet."""

from __future__ import annotations

from pathlib import Path

import click

from openprod.cli.options import folder_argument, json_option
from openprod.cli.output import print_json, progress, say
from openprod.running import run


@click.command()
@folder_argument
@click.option("--name", required=True, help="What people call the production.")
@click.option("--plugin", "plugins", metavar="NAME", multiple=True, help="A plugin to adopt; may be given again.")
@json_option
def new(folder: Path, name: str, plugins: tuple[str, ...], as_json: bool) -> None:
    """Create a workspace in a new folder."""
    from openprod.engine.workspace import Workspace  # heavy: the list of commands needs none of it
    from openprod.node import installed_plugins

    registry = installed_plugins()
    schemas = [registry.schema(plugin) for plugin in dict.fromkeys(plugins)]

    async def create() -> str:
        await Workspace.create(folder, name=name, schemas=schemas)
        async with Workspace.open(folder) as workspace:
            return workspace.id

    id: str = run(create)
    if as_json:
        print_json({"id": id, "name": name.strip(), "folder": str(folder.absolute()), "plugins": sorted(set(plugins))})
        return
    say(f"{folder} is ready. Open it with: openprod serve {folder}")


@click.command()
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path))
@folder_argument
@json_option
def restore(source: Path, folder: Path, as_json: bool) -> None:
    """Make a workspace in a new folder from a backup.

    The backup is checked first, and stays as it is.
    """
    from openprod.engine import maintenance

    with progress("Restoring"):
        found = maintenance.restore(source, folder)
    if as_json:
        print_json(found)
        return
    say(f"{folder} is ready, with {found['name']} as it was. Open it with: openprod serve {folder}")
