"""`openprod serve`."""

from __future__ import annotations

from pathlib import Path

import click

from openprod.cli.hosting import PEER_PORT, reached, serve_hub
from openprod.cli.options import folder_argument
from openprod.cli.serving import browser_option, serve_folder


@click.command()
@folder_argument
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8040, show_default=True, help="0 picks a free one.")
@browser_option
@click.option(
    "--hub", is_flag=True,
    help="Be there for members at any time: keep what they send without asking, pass it on, and never lead.",
)  # fmt: skip
@reached(page=False)
def serve(
    folder: Path, host: str, port: int, no_browser: bool, hub: bool, listen: str, peer_port: int | None,
    addresses: tuple[str, ...],
) -> None:  # fmt: skip
    """Serve a workspace to pages and other programs.

    It runs until interrupted. Prints `listening on http://HOST:PORT` when ready, and on stderr the page's address
    with its access token. The environment variable OPENPROD_TOKEN fixes the token.

    With --hub, on a machine that is always on, it prints a link for one device too, as `openprod host` does, and
    goes on by itself when it is started again. --listen, --peer-port (8041 unless given) and --address say how
    members reach it.
    """
    if hub:
        body = {"listen": listen, "port": PEER_PORT if peer_port is None else peer_port, "addresses": list(addresses)}
        serve_hub(folder, host=host, port=port, body=body)
        return
    if peer_port is not None or addresses:
        raise click.UsageError(
            "--peer-port and --address are for a hub (--hub); otherwise give them to `openprod host`."
        )
    serve_folder(folder, host=host, port=port, browser=not no_browser)
