"""`openprod demo`: the sample production."""

from __future__ import annotations

from pathlib import Path

import click

from openprod.cli.output import note, progress
from openprod.cli.serving import browser_option, serve_folder
from openprod.running import run

SAMPLE = "hamlet"


@click.command()
@click.option(
    "--dir", "folder", metavar="DIR", type=click.Path(path_type=Path), default=Path(f"{SAMPLE}.openprod"),
    show_default=True, help="Where it is kept; it is made on the first call and then only served.",
)  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=8040, show_default=True, help="0 picks a free one.")
@browser_option
def demo(folder: Path, port: int, no_browser: bool) -> None:
    """Make the sample production, once, and serve it."""
    if not folder.exists():
        from openprod.plugin_host.sample import load_sample  # heavy: the list of commands needs none of it
        from openprod.plugin_host.sample_workspace import make_sample

        sample = load_sample(SAMPLE)

        async def make() -> None:
            with progress(f"Making {sample.name}") as report:
                await make_sample(sample, folder, report=report)

        run(make)
        note(f"{sample.name} is in {folder.absolute()}. Delete the folder to start afresh.")
    serve_folder(folder, host="127.0.0.1", port=port, browser=not no_browser)
