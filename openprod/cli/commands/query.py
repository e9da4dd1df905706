"""`openprod query`."""

from __future__ import annotations

from pathlib import Path

import click

from openprod.cli.calls import call
from openprod.cli.options import folder_argument, json_option
from openprod.cli.output import print_json, print_table
from openprod.core import queries


# A field to sort by downwards begins with a dash, and is no option.
@click.command(context_settings={"ignore_unknown_options": True})
@folder_argument
@click.argument("words", metavar="QUERY", nargs=-1, required=True)
@json_option
def query(folder: Path, words: tuple[str, ...], as_json: bool) -> None:
    """List the entities that have a facet.

    QUERY: plugin.facet [where field = value and …] [sort field, -field] [limit N] [as of BUNDLE], or JSON:
    {"facet": "plugin.facet", "where": {"field": "value"}, "sort": ["field"], "limit": 20}.
    Empty fields of all rows are left out of the table; JSON has every column.
    """
    asked = queries.parse(" ".join(words))
    found = call(folder, lambda node: node.post("query", body=asked))
    if as_json:
        print_json(found)
        return
    columns, rows = found["columns"], found["rows"]
    kept = [at for at in range(len(columns)) if not rows or any(row[at] not in (None, "") for row in rows)]
    print_table([columns[at] for at in kept], [[row[at] for at in kept] for row in rows], empty="Nothing matches.")
