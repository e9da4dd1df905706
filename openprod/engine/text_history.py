"""What each bundle did to a collaborative text: what it wrote, how much it removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openprod.core.clock import is_far_future, moment
from openprod.engine import inverse_text
from openprod.storage.ports import BundleRow, SpanRow
from openprod.yjs import layout

if TYPE_CHECKING:
    from openprod.engine.commit import Committer

_SHOWN_MAX = 400


def of_entity(committer: Committer, entity: str) -> list[dict[str, Any]]:
    """Histories of the entity's texts, in the shape of a field's: the value of a version says what was done."""
    found: list[dict[str, Any]] = []
    for plugin, schema in sorted(committer.schemas.items()):
        for short, facet in sorted(schema.facets.items()):
            for name, field in sorted(facet.fields.items()):
                if field.type != "text":
                    continue
                root = layout.text_root(f"{plugin}.{short}", entity, name)
                versions = _versions(committer, plugin, root)
                if versions:
                    label = committer.schemas.label(f"{plugin}.{short}", name)
                    found.append({"facet": f"{plugin}.{short}", "field": name, "label": label, "versions": versions})
    return found


def _versions(committer: Committer, document: str, root: str) -> list[dict[str, Any]]:
    by_bundle: dict[int, tuple[BundleRow, list[SpanRow]]] = {}
    for span, bundle in committer.storage.spans_of(document, root):
        by_bundle.setdefault(bundle.number, (bundle, []))[1].append(span)
    versions = []
    for bundle, spans in by_bundle.values():
        written = "".join(
            inverse_text.content(committer, document, bundle.number, span.client, span.clock, span.clock + span.length)
            for span in spans
            if not span.deleted
        )
        removed = sum(span.length for span in spans if span.deleted)
        said = [f"wrote “{written[:_SHOWN_MAX]}{'…' if len(written) > _SHOWN_MAX else ''}”"] if written else []
        said += [f"removed {removed} character{'s' if removed > 1 else ''}"] if removed else []
        first = spans[0]
        versions.append(
            {
                "version": f"{document}:{first.client}:{first.clock}", "value": ", ".join(said), "known": True,
                "author": bundle.name, "user": bundle.user, "device": bundle.device, "via": bundle.via,
                "at": moment(bundle.hlc), "clock_ahead": is_far_future(bundle.hlc, committer.now_ms()),
                "bundle": bundle.id, "message": bundle.message, "intent": bundle.intent,
                "status": "merged", "parent": None, "knowing": [], "decision": False,
            }
        )  # fmt: skip
    return versions
