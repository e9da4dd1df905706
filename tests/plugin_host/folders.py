"""The text of a small plugin folder, to be changed by each test."""

from collections.abc import Callable
from pathlib import Path

PLUGIN = """\
name = "things"
version = "1.2.0"
label = "Things"

[[importer]]
id = "csv"
label = "Spreadsheet"
files = ["*.csv"]
entry = "jobs/sheet.py:plan"
"""

SCHEMA = """\
[facet.thing]
label = "Thing"
title = "{list} {number}"
unique = [["list", "number"]]

[facet.thing.field]
list = { type = "string", required = true }
number = { type = "decimal", label = "No." }
state = { type = "choice", choices = ["new", "old"] }
wait = { type = "duration" }

[facet.thing.field.notes]
type = "text"

[edge.placed_in]
from = "thing"
to = "*"
cardinality = "one"

[edge.placed_in.property]
order = { type = "integer" }
"""

JOB = """\
from openprod.plugin_api import Changes, Proposal, Snapshot, Source

from .keys import KEY


def plan(source: Source, snapshot: Snapshot) -> Proposal:
    changes = Changes(snapshot)
    for row in source.table.rows:
        changes.put(f"{KEY}_{row.cell(0)}", "things.thing", {"number": row.cell(0), "list": row.cell(1) or None})
    return Proposal(operations=changes.operations, counts=changes.counts)
"""

MakePlugin = Callable[..., Path]
