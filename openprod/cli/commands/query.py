"""`openprod query`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from openprod.cli.calls import call
from openprod.cli.options import folder_argument, json_option
from openprod.cli.output import print_json, print_table, say
from openprod.core import queries


# A field to sort by downwards begins with a dash, and is no option.
@click.command(context_settings={"ignore_unknown_options": True})
@folder_argument
@click.argument("words", metavar="QUERY", nargs=-1, required=True)
@click.option("--explain", is_flag=True, help="Show how it is answered (SQL, indexes) in place of the answer.")
@json_option
def query(folder: Path, words: tuple[str, ...], explain: bool, as_json: bool) -> None:
    """List what has a facet, or is of a concept.

    QUERY: plugin.facet [where field = value and …] [-> plugin.edge -> plugin.facet …] [select field, …]
    [group by field] [sort field, -field] [limit N] [as of BUNDLE, DATE or “last friday”], or JSON:
    {"facet": "plugin.facet", "where": {"field": "value"}, "sort": ["field"], "limit": 20}.
    The guide to queries has it all. Fields that are empty in all rows are left out of the table, unless select names
    them; JSON has every column.
    """
    line = " ".join(words)
    # Text goes as it is: whoever knows which names there are can then point at the column.
    asked: dict[str, Any] = {"text": line} if not _is_data(line) else queries.to_data(queries.parse(line))
    found = call(folder, lambda node: node.post("query", body={**asked, **({"explain": True} if explain else {})}))
    if explain:
        _explain(found["explain"], as_json=as_json)
        return
    if as_json:
        print_json(found)
        return
    columns, rows = found["columns"], found["rows"]
    parsed = queries.parse(line)
    chosen = parsed.fields or parsed.measures or parsed.group or not rows
    kept = [at for at in range(len(columns)) if chosen or any(row[at] not in (None, "") for row in rows)]
    print_table([columns[at] for at in kept], [[row[at] for at in kept] for row in rows], empty="Nothing matches.")


def _is_data(line: str) -> bool:
    return line.lstrip().startswith("{")


def _explain(explained: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(explained)
        return
    say(explained["sql"])
    for name, value in explained["parameters"].items():
        say(f"  :{name} = {json.dumps(value, ensure_ascii=False)}")
    for step in explained["steps"]:
        say(f"  {step}")
