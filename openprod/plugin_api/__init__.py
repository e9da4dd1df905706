"""Everything of Openprod that a plugin may import; the rest may change without notice.

An importer is one function, named in ``plugin.toml``::

    def plan(source: Source, snapshot: Snapshot) -> Proposal: ...

It must be pure and deterministic: no clock, no randomness, no files, no network. It proposes only operations that
change something, so that importing the same file twice proposes nothing the second time, and it never deletes.
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
from openprod.errors import InvalidFile
from openprod.plugin_api.changes import Changes
from openprod.plugin_api.identity import entity_id
from openprod.plugin_api.snapshot import EdgeView, Snapshot
from openprod.plugin_api.source import Source
from openprod.plugin_api.table import Row, Table

__all__ = [
    "AddEdge",
    "AttachFacet",
    "Changes",
    "ClearField",
    "CreateEntity",
    "DeleteEntity",
    "DetachFacet",
    "EdgeView",
    "EditText",
    "InvalidFile",
    "Operation",
    "Proposal",
    "RemoveEdge",
    "RestoreEntity",
    "Row",
    "SetEdgeProperty",
    "SetField",
    "Skipped",
    "Snapshot",
    "Source",
    "Table",
    "entity_id",
]
