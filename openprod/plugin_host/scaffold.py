"""A new plugin to start from: small, whole, and with a test that passes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from openprod.errors import InputError
from openprod.plugin_host.manifest import RESERVED
from openprod.plugin_host.schema_file import NAME
from openprod.storage.sqlite.connection import translated


def scaffold(name: str, parent: Path) -> Path:
    """Write the folder ``parent/name``. Raises InputError for a name that can't be or is taken, or StorageError."""
    if not NAME.fullmatch(name) or name in RESERVED:
        raise InputError(
            f"“{name[:80]}” can't be a plugin's name.",
            hint="Lower-case letters, digits and underscores, starting with a letter; "
            f"not {', '.join(sorted(RESERVED))}.",
        )
    folder = parent / name
    if folder.exists() or folder.is_symlink():
        raise InputError(f"{folder} exists already.", hint="Choose another name, or another place with --in.")
    label = name.replace("_", " ").capitalize()
    with translated(str(folder)):
        for path, text in _FILES.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.replace("{name}", name).replace("{label}", label), encoding="utf-8", newline="\n")
    return folder


_PLUGIN = """\
name = "{name}"
version = "1.0.0"
label = "{label}"
description = "One sentence: what it keeps, and for whom."

[[importer]]
id = "csv"                       # called {name}.csv from outside
label = "List (CSV)"
files = ["*.csv", "*.tsv"]
entry = "jobs/sheet.py:plan"     # a file in this folder, and a function in it
"""

_SCHEMA = """\
# Keys never change once somebody uses them; labels may. A field that must have another key: was = ["old_key"].

[facet.item]
label = "Item"
title = "{number} {title}"       # how histories and conflicts call one
unique = [["number"]]            # two that share it are a conflict for people to look at, never a refusal

[facet.item.field]
number = { type = "string", label = "No.", required = true }
title  = { type = "string", label = "Title" }
owner  = { type = "string", label = "Owner", concept = "Person.name" }   # a suggestion: people bind, plugins don't
state  = { type = "choice", label = "State", choices = ["open", "done"] }
notes  = { type = "text", label = "Notes" }                              # several people may write at once

[edge.after]
label = "after"
from = "item"
to = "item"
"""

_SHEET = '''\
"""A list with a heading row: the columns that the schema knows, by name."""

from openprod.plugin_api import Changes, InvalidFile, Proposal, Skipped, Snapshot, Source, entity_id

FACET = "{name}.item"
COLUMNS = {"no.": "number", "no": "number", "number": "number", "title": "title", "owner": "owner", "state": "state"}
STATES = ("open", "done")


def plan(source: Source, snapshot: Snapshot) -> Proposal:
    """The same file and the same snapshot give the same proposal: no clock, no chance, nothing read elsewhere."""
    rows = [row for row in source.table.rows if not row.empty]
    fields = [COLUMNS.get(cell.lower()) for cell in rows[0].cells] if rows else []
    if "number" not in fields:
        raise InvalidFile("No column is called “No.”.", hint="Name the columns in the first row.")
    changes = Changes(snapshot)
    skipped = []
    for row in rows[1:]:
        found = {field: row.cell(at) or None for at, field in enumerate(fields) if field}
        if not found["number"]:
            skipped.append(Skipped(f"row {row.number}", "It has no number."))
            continue
        state = (found.get("state") or "").lower()
        found["state"] = state if state in STATES else None
        # The id follows from the number, so that two laptops that import one file make the same items.
        changes.put(entity_id("item", snapshot.workspace, FACET, found["number"]), FACET, found)
    return Proposal(
        operations=changes.operations,
        counts={"rows": len(rows) - 1, **changes.counts},
        skipped=tuple(skipped),
        mapping={cell: field for cell, field in zip(rows[0].cells, fields, strict=True) if field},
    )
'''

_TEST = '''\
"""What the importer makes of a list. Run with: python -m pytest"""

import pytest
from jobs.sheet import plan

from openprod.plugin_api import InvalidFile, Snapshot, Source
from openprod.plugin_api.testing import applied

LIST = b"No.,Title,Owner,State,Colour\\n1,First,Kim,Done,red\\n,nobody,,,\\n2,Second,,later,\\n"


def test_a_list_is_read_by_its_headings() -> None:
    proposal = plan(Source(LIST, "list.csv"), Snapshot("workspace"))
    items = applied(Snapshot("workspace"), proposal.operations).entities("{name}.item")
    assert sorted(items.values(), key=lambda item: item["number"]) == [
        {"number": "1", "title": "First", "owner": "Kim", "state": "done"},
        {"number": "2", "title": "Second"},
    ]
    assert [item.where for item in proposal.skipped] == ["row 3"]


def test_the_same_list_again_changes_nothing() -> None:
    first = plan(Source(LIST, "list.csv"), Snapshot("workspace"))
    again = plan(Source(LIST, "list.csv"), applied(Snapshot("workspace"), first.operations))
    assert again.changes_nothing


def test_a_changed_cell_is_one_change() -> None:
    before = applied(Snapshot("workspace"), plan(Source(LIST, "list.csv"), Snapshot("workspace")).operations)
    [change] = plan(Source(LIST.replace(b"Second", b"Other"), "list.csv"), before).operations
    assert (change.field, change.value) == ("title", "Other")


def test_something_else_is_refused() -> None:
    with pytest.raises(InvalidFile):
        plan(Source(b"a,b\\n1,2\\n", "other.csv"), Snapshot("workspace"))
'''

_README = """\
# {label}

What it keeps, for whom, and which files it reads.

```
python -m pytest                               # its own tests
openprod plugin lint .                         # what would be refused, and what could be better
openprod plugin install .                      # a copy for you; again after each change
openprod plugin adopt DIR {name}               # for everybody in a workspace
openprod import DIR {name}.csv list.csv --apply
```
"""

_FILES: Final = {
    "plugin.toml": _PLUGIN,
    "schema.toml": _SCHEMA,
    "README.md": _README,
    "jobs/__init__.py": "",
    "jobs/sheet.py": _SHEET,
    "tests/test_sheet.py": _TEST,
    "pytest.ini": "[pytest]\npythonpath = .\n",
}
