"""Serving a workspace from the terminal: what is printed, and the browser."""

from __future__ import annotations

import sys
import threading
import webbrowser
from contextlib import suppress
from html import escape
from pathlib import Path

import click

from openprod.cli.output import note, say
from openprod.errors import Busy, OpenprodError
from openprod.running import is_served, read_record, run, write_private

browser_option = click.option("--no-browser", is_flag=True, help="Don't open the page; its address is printed anyway.")


def serve_folder(folder: Path, *, host: str, port: int, browser: bool) -> None:
    """Until SIGINT or SIGTERM. Raises StorageError or InputError."""
    from openprod import node  # heavy: the list of commands needs none of it

    def announce(url: str) -> None:
        say(f"listening on {url}")
        sys.stdout.flush()

    def show_page(address: str) -> None:
        note(f"The page: {address}")
        if browser and sys.stdout.isatty():
            threading.Thread(target=open_page, args=(folder, address), daemon=True).start()

    try:
        run(lambda: node.serve(folder, host, port, announce=announce, open_browser=show_page, tell=note))
    except Busy as error:
        record = read_record(folder)
        if record is None or not run(lambda: is_served(folder)):
            raise
        raise Busy(
            f"{folder} is served already, at {record.url}",
            hint=f"Open {record.url}/#token={record.token} or end that node first (Ctrl-C where it runs).",
        ) from error


def open_page(folder: Path, address: str) -> None:
    """In the browser, by a file that only this user can read: what a program is started with, all users can."""
    try:
        found = webbrowser.get()
    except webbrowser.Error:
        return
    # A text browser would take this terminal over.
    if type(found) is not webbrowser.GenericBrowser:
        page = folder.absolute() / "run" / "page.html"
        leads = f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={escape(address)}">'
        with suppress(OpenprodError):  # its address was printed
            write_private(page, leads.encode())
            found.open(page.as_uri())
