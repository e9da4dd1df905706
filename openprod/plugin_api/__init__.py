"""Everything of Openprod that a plugin may import; the rest may change without notice.

An importer is one function, named in ``plugin.toml``::

    def plan(source: Source, snapshot: Snapshot) -> Proposal: ...

It must be pure and deterministic: no clock, no randomness, no files, no network. It proposes only operations that
change something, so that importing the same file twice proposes nothing the second time, and it never deletes.

An exporter is one as well::

    def export(snapshot: Snapshot, options: Mapping[str, str]) -> dict[str, bytes]: ...

It gets its own plugin's entities, the edges between and from them, titles of what those lead to, and gives files by
relative name. As pure as an importer: the same snapshot and options, the same bytes. An exporter that must say when
declares ``needs_now = true`` and finds ``options["now"]``, such as ``2026-11-22T18:30:00Z``. Fields that the schema
calls private aren't in the snapshot, unless a person asked for them: then ``options["private"]`` is ``yes``. One with
``needs_revisions = true`` may ask the snapshot how often fields were changed; one with ``queries = ["facet.field"]``
finds in ``snapshot.answers`` whom the queries name that stand in that field.
"""

from openprod.core.operations import (
    AddEdge,
    AttachFacet,
    ClearField,
    CreateEntity,
    DeleteEntity,
    DetachFacet,
    EditText,
    Operation,
    RemoveEdge,
    RestoreEntity,
    SetEdgeProperty,
    SetField,
)
from openprod.core.proposals import Proposal, Skipped
from openprod.errors import InputError, InvalidFile
from openprod.plugin_api.calendars import end_of, in_zone, is_zone, occurrences, shifted, write_calendar
from openprod.plugin_api.changes import Changes
from openprod.plugin_api.components import Component, Moment, Property, Repetition
from openprod.plugin_api.derived import Derived, Found
from openprod.plugin_api.exports import Files, safe_name, without_controls
from openprod.plugin_api.identity import entity_id
from openprod.plugin_api.snapshot import Answer, EdgeView, Revision, Snapshot, Written
from openprod.plugin_api.source import Source
from openprod.plugin_api.table import Row, Table, column_letters, without_accents

__all__ = [
    "AddEdge",
    "Answer",
    "AttachFacet",
    "Changes",
    "ClearField",
    "Component",
    "CreateEntity",
    "DeleteEntity",
    "Derived",
    "DetachFacet",
    "EdgeView",
    "EditText",
    "Files",
    "Found",
    "InputError",
    "InvalidFile",
    "Moment",
    "Operation",
    "Property",
    "Proposal",
    "RemoveEdge",
    "Repetition",
    "RestoreEntity",
    "Revision",
    "Row",
    "SetEdgeProperty",
    "SetField",
    "Skipped",
    "Snapshot",
    "Source",
    "Table",
    "Written",
    "column_letters",
    "end_of",
    "entity_id",
    "in_zone",
    "is_zone",
    "occurrences",
    "safe_name",
    "shifted",
    "without_accents",
    "without_controls",
    "write_calendar",
]
