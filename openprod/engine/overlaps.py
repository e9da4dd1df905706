"""Two people changing the same paragraph of a text without seeing each other."""

from __future__ import annotations

from openprod.storage.ports import BundleRow, SpanRow, Storage
from openprod.yjs.documents import LiveDocument


def overlaps(
    spans: list[tuple[SpanRow, BundleRow]], document: LiveDocument, root: str, storage: Storage
) -> list[tuple[str, str]]:
    return []
