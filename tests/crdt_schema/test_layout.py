"""The layout against its vectors, and what holds for any text at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt_schema import layout
from openprod.plugin_api import identity

VECTORS = Path(layout.__file__).parent / "vectors" / "keys.jsonl"
CASES = [json.loads(line) for line in VECTORS.read_text(encoding="utf-8").splitlines()]

any_text = st.text(st.characters(codec=None), max_size=80) | st.text("ab/:.\n_é ", max_size=20)
names = st.from_regex(layout.NAME_PATTERN, fullmatch=True)
plugins = st.from_regex(layout.PLUGIN_PATTERN, fullmatch=True)
entity_ids = st.text(min_size=1, max_size=60).filter(layout.is_id)


def plain(result: Any) -> Any:
    return result._asdict() if hasattr(result, "_asdict") else result


@pytest.mark.parametrize("case", CASES, ids=[f"{n}-{case['call']}" for n, case in enumerate(CASES, 1)])
def test_vector(case: dict[str, Any]) -> None:
    call = getattr(layout, case["call"])
    if case.get("refuses"):
        with pytest.raises(ValueError):
            call(*case["with"])
    else:
        assert plain(call(*case["with"])) == case["gives"]


@pytest.mark.parametrize("case", [c for c in CASES if c["call"] == "derived_id" and "gives" in c])
def test_importers_derive_ids_as_outsiders_do(case: dict[str, Any]) -> None:
    assert identity.entity_id(*case["with"]) == case["gives"]


def test_every_public_function_of_the_layout_has_vectors() -> None:
    called = {case["call"] for case in CASES}
    readers = {"parse_root", "parse_key", "parse_id", "document_of", "belongs"}
    builders = {name for name in vars(layout) if name.endswith(("_root", "_key", "_id")) and name[:3] != "is_"}
    assert called == readers | {name for name in builders if not name.startswith("_")}


@given(any_text, any_text)
def test_readers_answer_for_any_text(root: str, key: str) -> None:
    parsed = layout.parse_root(root)
    assert (parsed == layout.UNKNOWN_ROOT) == (parsed.kind == "unknown")
    assert layout.parse_key(root, key) == layout.parse_key(parsed, key)
    document = layout.document_of(root)
    assert document is None or layout.belongs(root, document)
    assert layout.parse_id(root).form in ("ulid", "derived", "other")


@given(any_text)
def test_a_known_root_is_spelt_in_one_way_only(name: str) -> None:
    assert rebuilt(layout.parse_root(name)) in (None, name)


@given(plugins, names, entity_ids, names)
def test_what_is_built_is_read_back(plugin: str, facet: str, entity: str, field: str) -> None:
    name = f"{plugin}.{facet}"
    for root in (
        layout.facet_root(name),
        layout.edge_root(name),
        layout.text_root(name, entity, field),
        layout.rich_root(name, entity, field),
    ):
        parsed = layout.parse_root(root)
        assert (parsed.name, rebuilt(parsed)) == (name, root)
        assert layout.document_of(root) == plugin
    assert layout.parse_key(name, layout.field_key(entity, field)) == ("field", entity, field)
    assert layout.parse_key(name, layout.marker_key(entity)) == ("marker", entity, None)


def rebuilt(root: layout.Root) -> str | None:
    match root.kind:
        case "facet":
            return layout.facet_root(root.name)
        case "edge":
            return layout.edge_root(root.name)
        case "text":
            return layout.text_root(root.name, root.entity, root.field)
        case "rich":
            return layout.rich_root(root.name, root.entity, root.field)
        case "unknown":
            return None
    return root.name
