"""What the records hold, as pydantic models: the source of ``json/`` and ``typescript/``.

Readers ignore what they don't know, so a newer program may add to a record. Writers write every field.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    TypeAdapter,
    WithJsonSchema,
)

from crdt_schema.layout import NAME_PATTERN, PLUGIN_PATTERN, is_plugin

Marker: TypeAlias = Literal[True] | None
"""The value of a marker key: true while the entity, facet or edge is there, null once it has been removed."""

LocalVersion = Annotated[
    str,
    StringConstraints(pattern=r"^(0|[1-9][0-9]{0,15}):(0|[1-9][0-9]{0,15})(:cleared)?$"),
    Field(description="A version in its document: <client>:<clock> of the Yjs item; ':cleared' names its removal."),
]

Version = Annotated[
    str,
    StringConstraints(
        pattern=r"^[a-z][a-z0-9_-]{0,63}:(0|[1-9][0-9]{0,15}):(0|[1-9][0-9]{0,15})(:cleared)?$",
    ),
    Field(description="A version: <document>:<client>:<clock>; ':cleared' names its removal."),
]

Instant = Annotated[
    AwareDatetime,
    WithJsonSchema({"type": "string", "format": "date-time"}),
    Field(description="ISO 8601 with an offset."),
]

Json = Annotated[JsonValue, Field(description="Any JSON value.")]

_Name = Annotated[str, StringConstraints(pattern=f"^{NAME_PATTERN}$")]


def _check_plugin(text: str) -> str:
    if not is_plugin(text):
        raise ValueError("not a plugin's name")
    return text


# pydantic's patterns know no look-ahead; JSON Schema's do.
_Plugin = Annotated[str, AfterValidator(_check_plugin), Field(json_schema_extra={"pattern": f"^{PLUGIN_PATTERN}$"})]


class _Record(BaseModel):
    # "ignore": what a newer program added is no error.
    model_config = ConfigDict(extra="ignore", frozen=True)


class Person(_Record):
    """Who did it: a stable user id and the name shown to people."""

    user: str
    name: str


# --- core.resolution ------------------------------------------------------------------------------


class Resolution(_Record):
    """A decision: the value of a resolution id in ``core.resolution``, in the document of what was decided.

    Written once, never overwritten. The decided value itself is set in the same transaction by the same Yjs
    client; ``wrote`` names those versions. Heads and nothing in ``wrote``: they are accepted as they stand. No heads,
    but ``supersedes``: the decision named is taken back.
    """

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True, validate_by_alias=True)

    conflict: Annotated[str, Field(description="The conflict's id: the same on every replica.")] = ""
    of: Annotated[
        tuple[str, str] | None,
        Field(
            alias="register",
            description="[root, key] of the field decided; null when the conflict isn't about one field.",
        ),
    ]
    heads: Annotated[tuple[LocalVersion, ...], Field(description="The versions that this decision joins.")]
    wrote: Annotated[tuple[LocalVersion, ...], Field(description="The versions that carry the decision.")]
    chosen: Annotated[
        LocalVersion | None, Field(description="The candidate chosen; null when a value of one's own was given.")
    ]
    value: Json
    by: Person
    at: Instant
    supersedes: Annotated[str | None, Field(description="The resolution id that this one replaces.")] = None


# --- core.adoption --------------------------------------------------------------------------------

FieldType = Literal[
    "string",
    "integer",
    "decimal",
    "number",
    "boolean",
    "date",
    "time",
    "datetime",
    "duration",
    "choice",
    "color",
    "reference",
    "list",
    "blob",
    "text",
    "richtext",
]


class FieldSchema(_Record):
    """One field. Durations are seconds; a decimal is text, so that 42.10 stays 42.10."""

    type: FieldType = "string"
    label: str = ""
    unit: Annotated[str, Field(description="For people.")] = ""
    required: bool = False
    choices: Annotated[tuple[str, ...], Field(description="Only with type choice.")] = ()
    was: Annotated[
        tuple[_Name, ...], Field(description="Earlier keys: read where the present one has no value; all are written.")
    ] = ()
    description: str = ""
    private: Annotated[bool, Field(description="Left out of what is exported to be shared.")] = False
    indexed: Annotated[bool, Field(description="Found by its value at once.")] = False
    concept: Annotated[str, Field(description="'Person.name': a suggestion; nothing follows from it.")] = ""


class FacetSchema(_Record):
    """A set of fields that the plugin attaches to entities."""

    label: str = ""
    title: Annotated[str, Field(description="How an entity is named to people: '{list} {number}'.")] = ""
    unique: Annotated[
        tuple[tuple[_Name, ...], ...],
        Field(description="Sets of fields that no two live entities should share; a conflict, never a refusal."),
    ] = ()
    order: Annotated[tuple[_Name, ...], Field(description="The fields as columns, from left to right.")] = ()
    fields: dict[_Name, FieldSchema] = {}


class EdgeSchema(_Record):
    """A directed, typed relation. Its id follows from ``cardinality`` and ``unique_pair``."""

    label: str = ""
    source: Annotated[str, Field(description="A facet, or * for any entity.")] = "*"
    target: Annotated[str, Field(description="A facet, or * for any entity.")] = "*"
    cardinality: Literal["one", "many"] = "many"
    unique_pair: bool = False
    properties: dict[_Name, FieldSchema] = {}


class Adoption(_Record):
    """A plugin's schema as the workspace has adopted it: the value of its key in ``core.adoption``."""

    plugin: _Plugin
    version: str = "0"
    label: str = ""
    facets: dict[_Name, FacetSchema] = {}
    edges: dict[_Name, EdgeSchema] = {}


# --- core.concept, core.binding, core.rule --------------------------------------------------------


class ConceptField(_Record):
    """One field of a concept."""

    type: FieldType = "string"
    label: str = ""


class Concept(_Record):
    """A meaning that several plugins share: the value of its name in ``core.concept``."""

    name: str
    label: str = ""
    order: Annotated[tuple[_Name, ...], Field(description="The fields as columns, from left to right.")] = ()
    fields: dict[_Name, ConceptField] = {}


class Binding(_Record):
    """What a facet's fields mean: the value of the facet's name in ``core.binding``. It fuses nothing."""

    facet: str
    concept: str
    fields: Annotated[dict[_Name, _Name], Field(description="Field of the concept: field of the facet.")] = {}


Rule: TypeAlias = tuple[tuple[_Name, ...], ...]
"""Sets of fields whose equal values let two entities be proposed as one: a value in ``core.rule``."""


# --- what programs see over HTTP ------------------------------------------------------------------

ConflictKind = Literal[
    "field",
    "edit-delete",
    "duplicate",
    "cardinality",
    "semantic",
    "schema",
    "invalid",
    "text-overlap",
]

ConflictStatus = Literal["open", "resolved", "overtaken"]


class Base(_Record):
    """The last value that all candidates grew from."""

    version: Version
    value: Json


class Candidate(_Record):
    """One of the values that disagree, and who set it, when, where, knowing what."""

    version: Version
    value: Json
    author: Annotated[str, Field(description="The author's name.")]
    user: Annotated[str, Field(description="The author's stable id.")]
    device: str
    at: Instant
    bundle: str
    unaware_of: Annotated[tuple[Version, ...], Field(description="The candidates its author hadn't seen.")]
    known: Annotated[bool, Field(description="False when no program kept the value.")] = True
    field: Annotated[str, Field(description="Which field, where the conflict is about several.")] = ""
    title: Annotated[str, Field(description="How people call the entity that the value names.")] = ""


class Decision(_Record):
    """A resolution as it is shown with its conflict."""

    id: str
    by: Annotated[str, Field(description="The name of who decided.")]
    user: Annotated[str, Field(description="The stable id of who decided.")]
    device: str
    at: Instant
    chosen: Version | None
    value: Json
    supersedes: str | None
    heads: Annotated[tuple[Version, ...], Field(description="The versions that it joined.")]
    withdrawn: Annotated[bool, Field(description="Taken back since.")] = False
    bundle: str = ""
    title: Annotated[str, Field(description="How people call the entity that the value names.")] = ""


class Conflict(_Record):
    """A disagreement, what it is about, who said what, and what was decided, in the words of the domain."""

    id: str
    kind: ConflictKind
    status: ConflictStatus
    reopened: bool
    heads: Annotated[
        tuple[Version, ...],
        Field(description="Which state of the conflict this is: sent back with a resolution."),
    ]
    entity: Annotated[str, Field(description="Empty when it is about no single entity.")]
    facet: Annotated[str, Field(description="<plugin>.<facet>; empty when it is about no single facet.")]
    field: Annotated[str, Field(description="Empty when it is about no single field.")]
    title: Annotated[str, Field(description="How people call the entity.")]
    label: Annotated[str, Field(description="How people call the field.")]
    sentence: str
    base: Base | None
    shown: Annotated[Version | None, Field(description="The version every Yjs program shows; null: none.")]
    candidates: tuple[Candidate, ...]
    resolution: Annotated[Decision | None, Field(description="The latest decision, if any.")]
    resolutions: Annotated[tuple[Decision, ...], Field(description="Every decision made.")]


PUBLISHED: Final[dict[str, TypeAdapter[Any]]] = {
    "Marker": TypeAdapter(Marker),
    "Resolution": TypeAdapter(Resolution),
    "Adoption": TypeAdapter(Adoption),
    "Concept": TypeAdapter(Concept),
    "Binding": TypeAdapter(Binding),
    "Conflict": TypeAdapter(Conflict),
}
"""Name → what reads and checks it. Each has a file in ``json/`` and a type in ``typescript/``."""
