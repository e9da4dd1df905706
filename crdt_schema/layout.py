"""Root names, keys and ids of a workspace's documents.

Readers (``parse_*``, ``document_of``, ``belongs``) are total: whatever an outside program wrote gives an answer,
with the kind ``unknown`` where the grammar has none. Builders raise ValueError, because what they make is for good.

A name (of a facet, an edge, a field) is at most 64 ASCII letters, digits, ``_`` and ``-`` and starts with a letter
or ``_``. A plugin's is lowercase, starts with a letter, and isn't ``core``. An id is 1 to 200 bytes of UTF-8
without ``/``, control characters, line separators and lone surrogates: anybody may make one, and the first ``/``
of a key always ends it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from typing import Final, Literal, NamedTuple, TypeAlias

CORE: Final = "core"
"""The document that every workspace has, and the prefix of the roots that belong to no plugin."""

ENTITY_ROOT: Final = "core.entity"
RESOLUTION_ROOT: Final = "core.resolution"
CONCEPT_ROOT: Final = "core.concept"
BINDING_ROOT: Final = "core.binding"
CONCEPT_ENTITY_ROOT: Final = "core.concept_entity"
ADOPTION_ROOT: Final = "core.adoption"
MEMBER_ROOT: Final = "core.member"
REVISION_ROOT: Final = "core.revision"
RULE_ROOT: Final = "core.rule"

RECORD_ROOTS: Final = (
    CONCEPT_ROOT,
    BINDING_ROOT,
    CONCEPT_ENTITY_ROOT,
    ADOPTION_ROOT,
    MEMBER_ROOT,
    REVISION_ROOT,
    RULE_ROOT,
)
"""Roots of ``core`` whose keys are records and their fields."""

EDGE_PREFIX: Final = "edge:"
TEXT_PREFIX: Final = "text:"
RICH_PREFIX: Final = "rich:"

REDIRECT_FIELD: Final = "redirect"
FROM_FIELD: Final = "from"
TO_FIELD: Final = "to"

NAME_PATTERN: Final = r"[A-Za-z_][A-Za-z0-9_-]{0,63}"
PLUGIN_PATTERN: Final = r"(?!core$)[a-z][a-z0-9_-]{0,63}"
ID_PATTERN: Final = r"[^/\u0000-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff]+"
ID_BYTES_MAX: Final = 200
ULID_ID_PATTERN: Final = r"([a-z][a-z0-9_-]{0,31})_([0-7][0-9A-HJKMNP-TV-Z]{25})"
DERIVED_ID_PATTERN: Final = r"([a-z][a-z0-9_-]{0,31})_([a-z2-7]{26})"
BLOB_PATTERN: Final = r"blob:[0-9a-f]{64}"

_NAME = re.compile(NAME_PATTERN)
_PLUGIN = re.compile(PLUGIN_PATTERN)
_ID = re.compile(ID_PATTERN)
_ULID_ID = re.compile(ULID_ID_PATTERN)
_DERIVED_ID = re.compile(DERIVED_ID_PATTERN)
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,31}")

RootKind: TypeAlias = Literal["facet", "edge", "text", "rich", "entity", "resolution", "record", "unknown"]
KeyKind: TypeAlias = Literal["marker", "field", "record", "unknown"]
IdForm: TypeAlias = Literal["ulid", "derived", "other"]


class Root(NamedTuple):
    """What a root's name says.

    ``plugin`` is ``core`` for the roots of the core. ``facet`` is the short name of the facet, edge or record
    collection. ``entity`` and ``field`` only with ``text`` and ``rich``. All empty when ``unknown``.
    """

    kind: RootKind
    plugin: str = ""
    facet: str = ""
    entity: str = ""
    field: str = ""

    @property
    def name(self) -> str:
        """``<plugin>.<facet>``, as facets and edges are named outside documents; empty when unknown."""
        return f"{self.plugin}.{self.facet}" if self.plugin else ""


class Key(NamedTuple):
    """What a key of a root says.

    ``marker``: the thing itself (``true``/``null``); ``record``: a whole record; ``field``: one field, named.
    ``entity`` is the id of the entity, edge, resolution or record; empty when ``unknown``.
    """

    kind: KeyKind
    entity: str = ""
    field: str | None = None


class IdParts(NamedTuple):
    """How an id was made. ``kind`` is its prefix; empty with ``other``, an id of an outside program's own making."""

    form: IdForm
    kind: str = ""


UNKNOWN_ROOT: Final = Root("unknown")
UNKNOWN_KEY: Final = Key("unknown")

_CORE_ROOTS: Final[dict[str, Root]] = {
    ENTITY_ROOT: Root("entity", CORE, "entity"),
    RESOLUTION_ROOT: Root("resolution", CORE, "resolution"),
    **{name: Root("record", CORE, name.removeprefix("core.")) for name in RECORD_ROOTS},
}


# --- names and ids --------------------------------------------------------------------------------


def is_name(text: str) -> bool:
    """Whether ``text`` can name a facet, an edge, a field or a property."""
    return _NAME.fullmatch(text) is not None


def is_plugin(text: str) -> bool:
    """Whether ``text`` can name a plugin, and so its document."""
    return _PLUGIN.fullmatch(text) is not None


def is_id(text: str) -> bool:
    """Whether ``text`` can be the id of an entity, an edge, a resolution or a record."""
    # Every character takes at least one byte, so the cheap test bounds the costly one.
    return 0 < len(text) <= ID_BYTES_MAX and _ID.fullmatch(text) is not None and len(text.encode()) <= ID_BYTES_MAX


def digest(*parts: str) -> str:
    """26 lowercase base-32 characters (RFC 4648, the first 130 bits) of SHA-256 over the parts' UTF-8.

    Each part is ended by a zero byte. Raises ValueError for a lone surrogate.
    """
    hashed = hashlib.sha256("".join(f"{part}\0" for part in parts).encode()).digest()
    return base64.b32encode(hashed)[:26].decode().lower()


def entity_id(kind: str, ulid: str) -> str:
    """The id of a new entity: ``<kind>_<ULID>``. Raises ValueError unless both are well-formed."""
    made = f"{kind}_{ulid}"
    if _ULID_ID.fullmatch(made) is None or _KIND.fullmatch(kind) is None:
        raise ValueError(f"not a kind and a ULID: {kind!r}, {ulid!r}")
    return made


def derived_id(kind: str, workspace: str, source: str, row: str) -> str:
    """The id of an imported entity: the same on every laptop that imports the same row.

    ``source`` names the kind of file ("cues.eos"), ``row`` is the row's key in it. Raises ValueError when
    ``kind`` isn't a kind, or ``workspace`` or ``source`` holds a zero character.
    """
    if _KIND.fullmatch(kind) is None:
        raise ValueError(f"not a kind: {kind!r}")
    if "\0" in workspace or "\0" in source:
        raise ValueError("a workspace id or source name holds a zero character")
    return f"{kind}_{digest(workspace, source, row)}"


def pair_edge_id(source: str, target: str) -> str:
    """The id of an edge that two entities may share only once: equal whoever draws it. Direction matters."""
    return f"pair_{digest(_id(source), _id(target))}"


def single_edge_id(source: str) -> str:
    """The id of an edge of cardinality one: the entity it starts from. So its target is one register."""
    return _id(source)


def parse_id(text: str) -> IdParts:
    """How an id was made; ``other`` for anything that isn't one of ours."""
    for form, pattern in _OWN_FORMS:
        match = pattern.fullmatch(text)
        if match is not None:
            return IdParts(form, match[1])
    return IdParts("other")


_OWN_FORMS: Final[tuple[tuple[IdForm, re.Pattern[str]], ...]] = (("ulid", _ULID_ID), ("derived", _DERIVED_ID))


# --- roots ----------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def parse_root(name: str) -> Root:
    """What a root's name says; ``UNKNOWN_ROOT`` for any name outside the grammar."""
    prefix, colon, rest = name.partition(":")
    if not colon:
        return _CORE_ROOTS.get(name) or _qualified("facet", name)
    if prefix == "edge":
        return _qualified("edge", rest)
    if prefix in ("text", "rich"):
        parts = rest.split("/")
        if len(parts) == 3 and is_id(parts[1]) and is_name(parts[2]):
            owner = _qualified("text" if prefix == "text" else "rich", parts[0])
            return owner._replace(entity=parts[1], field=parts[2]) if owner.plugin else owner
    return UNKNOWN_ROOT


def _qualified(kind: RootKind, name: str) -> Root:
    plugin, _, short = name.partition(".")
    return Root(kind, plugin, short) if is_plugin(plugin) and is_name(short) else UNKNOWN_ROOT


def document_of(root: str) -> str | None:
    """The document that a root lies in; None when unknown, and for ``core.resolution``, which is in every one."""
    parsed = parse_root(root)
    return None if parsed.kind in ("unknown", "resolution") else parsed.plugin


def belongs(root: str, document: str) -> bool:
    """Whether ``root`` means something in ``document``. Data elsewhere is kept, and means nothing."""
    parsed = parse_root(root)
    return parsed.kind == "resolution" or (parsed.kind != "unknown" and parsed.plugin == document)


def facet_root(facet: str) -> str:
    """The Y.Map of a facet, which is named as the facet is: ``<plugin>.<facet>``."""
    return _facet(facet)


def edge_root(edge: str) -> str:
    """The Y.Map of an edge ``<plugin>.<edge>``."""
    return EDGE_PREFIX + _facet(edge)


def text_root(facet: str, entity: str, field: str) -> str:
    """The Y.Text of a field of type ``text``."""
    return f"{TEXT_PREFIX}{_facet(facet)}/{_id(entity)}/{_name(field)}"


def rich_root(facet: str, entity: str, field: str) -> str:
    """The Y.XmlFragment of a field of type ``richtext``."""
    return f"{RICH_PREFIX}{_facet(facet)}/{_id(entity)}/{_name(field)}"


# --- keys -----------------------------------------------------------------------------------------


def parse_key(root: str | Root, key: str) -> Key:
    """What a key of ``root`` says; ``UNKNOWN_KEY`` outside the grammar, and in roots that have no keys."""
    kind = (parse_root(root) if isinstance(root, str) else root).kind
    if kind in ("unknown", "text", "rich"):
        return UNKNOWN_KEY
    entity, slash, field = key.partition("/")
    if not is_id(entity):
        return UNKNOWN_KEY
    if not slash:
        return Key("record" if kind in ("record", "resolution") else "marker", entity)
    if (root if isinstance(root, str) else root.name) == BINDING_ROOT:
        # Which concept entity a facet of an entity belongs to.
        return Key("field", entity, field) if _qualified("facet", field).plugin else UNKNOWN_KEY
    # A resolution is written once, whole: it has no fields of its own.
    if kind == "resolution" or not is_name(field):
        return UNKNOWN_KEY
    return Key("field", entity, field)


def marker_key(entity: str) -> str:
    """The key that says that an entity has the facet (in ``core.entity``: exists), or that an edge exists."""
    return _id(entity)


def field_key(entity: str, field: str) -> str:
    """The key of one field of an entity, or of one end or property of an edge."""
    return f"{_id(entity)}/{_name(field)}"


def membership_key(entity: str, facet: str) -> str:
    """The key of ``core.binding`` that says which concept entity a facet of an entity belongs to."""
    return f"{_id(entity)}/{_facet(facet)}"


def _facet(name: str) -> str:
    plugin, _, short = name.partition(".")
    if not (is_plugin(plugin) and is_name(short)):
        raise ValueError(f"not a plugin's name, a dot and a name: {name!r}")
    return name


def _id(text: str) -> str:
    if not is_id(text):
        raise ValueError(f"not an id: {text!r}")
    return text


def _name(text: str) -> str:
    if not is_name(text):
        raise ValueError(f"not a name: {text!r}")
    return text
