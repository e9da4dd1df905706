"""Ids for imported things, the same wherever the same row is imported."""

from __future__ import annotations

from openprod.core import ids


def entity_id(kind: str, workspace: str, source: str, row_key: str) -> str:
    """``<kind>_`` and 26 characters derived from the workspace, the source and the row's key.

    ``source`` says where keys come from (a plugin's kind of list, not a file's name: people rename files);
    ``row_key`` is what makes the row itself: "LX/42", never its place in the file.
    """
    return f"{kind}_{ids.digest(workspace, source, row_key)}"
