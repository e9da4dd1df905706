"""`openprod serve`."""

from __future__ import annotations

from pathlib import Path

import click

from openprod.cli.options import folder_argument
from openprod.cli.serving import browser_option, serve_folder


@click.command()
@folder_argument
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8040, show_default=True, help="0 picks a free one.")
@browser_option
def serve(folder: Path, host: str, port: int, no_browser: bool) -> None:
    """Serve a workspace to pages and other programs.

    It runs until interrupted. Prints `listening on http://HOST:PORT` when ready, and on stderr the page's address
    with its access token. The environment variable OPENPROD_TOKEN fixes the token.
    """
    serve_folder(folder, host=host, port=port, browser=not no_browser)
