"""What requests hold and what answers look like, as far as they aren't the engine's own records."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

COMPONENT = "x-component"
"""Marks a place in a schema where a record of the engine stands, by name; ``openapi`` puts a reference there."""

OperationRecord = Annotated[dict[str, Any], WithJsonSchema({COMPONENT: "Operation"})]
ConflictRecord = Annotated[dict[str, Any], WithJsonSchema({COMPONENT: "Conflict"})]
ReceiptRecord = Annotated[dict[str, Any], WithJsonSchema({COMPONENT: "Receipt"})]

Id = Annotated[str, Field(min_length=1, max_length=256)]
Limit = Annotated[int, Field(ge=1, le=1000, description="How many at most.")]
After = Annotated[str | None, Field(max_length=256, description="Continue after this one: the `next` of a page.")]


class Form(BaseModel):
    """Built when it is first used: a command uses few of them."""

    model_config = ConfigDict(defer_build=True)


class Payload(Form):
    model_config = ConfigDict(extra="forbid")


# -- requests: in the address ------------------------------------------------------------------------------


class AsOf(Payload):
    as_of: Annotated[str | None, Field(max_length=64, description="A bundle: show things as they were after it.")] = (
        None
    )


class ConflictsQuery(Payload):
    status: Literal["open", "resolved", "overtaken", "all"] = "open"
    kind: Annotated[str | None, Field(max_length=64)] = None
    entity: Annotated[str | None, Field(max_length=256)] = None
    after: After = None
    limit: Limit = 100


class LogQuery(Payload):
    after: After = None
    limit: Limit = 100
    newest_first: bool = False


class ImportQuery(Payload):
    apply: Annotated[bool, Field(description="Commit the proposal; otherwise it is only shown.")] = False
    file_name: Annotated[str, Field(max_length=255, description="The file's name, without folders.")] = ""
    path: Annotated[
        str | None, Field(max_length=4096, description="A file on the owner's device, in place of a body.")
    ] = None
    message: Annotated[str, Field(max_length=1000)] = ""
    looked_at: Annotated[
        str, Field(max_length=64, description="The digest of the proposal that was looked at: another isn't committed.")
    ] = ""


# -- requests: in the body ---------------------------------------------------------------------------------


class BundleRequest(Payload):
    operations: Annotated[list[OperationRecord], Field(min_length=1, max_length=100_000)]
    message: Annotated[str, Field(max_length=1000)] = ""


class QueryRequest(Payload):
    """The data form of a query, or its text form in ``text``. The guide to queries says what each part means."""

    text: Annotated[
        str | None,
        Field(max_length=10_000, description="`plugin.facet where field = value sort field limit 20`, alone"),
    ] = None
    facet: Annotated[str, Field(max_length=256, description="`plugin.facet`")] = ""
    concept: Annotated[str, Field(max_length=256, description="In place of a facet")] = ""
    where: Annotated[dict[str, Any], Field(description="{field: value or {operator: value}}, $or, $not, $has …")] = {}
    along: Annotated[
        list[dict[str, Any]], Field(max_length=8, description="Edges to follow: {edge, to or from, where, edge_where}")
    ] = []
    fields: Annotated[list[str] | None, Field(max_length=1000, description="Columns; all of the facet's if absent")] = (
        None
    )
    measures: Annotated[
        list[str], Field(max_length=100, description="count(), min(field), max(field), sum(field)")
    ] = []
    group: Annotated[list[str], Field(max_length=100, description="Fields to group by")] = []
    sort: Annotated[list[str], Field(max_length=100, description="Fields, `-field` for descending")] = []
    limit: Annotated[int | None, Field(ge=0, le=1_000_000)] = None
    offset: Annotated[int, Field(ge=0, le=100_000_000)] = 0
    as_of: Annotated[str | None, Field(max_length=64, description="A bundle or a time")] = None
    explain: Annotated[bool, Field(description="Say how it is answered, too")] = False


class ResolutionRequest(Payload):
    """Exactly one of ``choose`` and ``value``; ``value`` may be null."""

    choose: Annotated[str | None, Field(max_length=512, description="The version to keep")] = None
    value: Annotated[Any, Field(description="A value of one's own")] = None
    heads: Annotated[list[str] | None, Field(max_length=10_000, description="The heads that were looked at")] = None
    message: Annotated[str, Field(max_length=1000)] = ""


class ReopenRequest(Payload):
    message: Annotated[str, Field(max_length=1000)] = ""


class UndoRequest(Payload):
    bundle: Annotated[str | None, Field(max_length=64, description="Which; one's own latest if absent")] = None


class AdoptRequest(Payload):
    apply: Annotated[bool, Field(description="Also where a migration changes data")] = False


class Nothing(Payload):
    """No options."""


class TokenRequest(Payload):
    label: Annotated[str, Field(max_length=100, description="What it is for; shown beside the author")] = ""
    document: Annotated[str | None, Field(max_length=256, description="The only document it opens")] = None
    role: Literal["viewer", "editor", "owner"] = "editor"
    user: Annotated[str | None, Field(max_length=100)] = None
    name: Annotated[str | None, Field(max_length=100, description="Whose edits these are, as people see it")] = None
    expires: Annotated[str | None, Field(max_length=64, description="Date and time, ISO 8601")] = None


class PackRequest(Payload):
    have: Annotated[
        dict[str, Any] | None, Field(description="The answer of /have of the one who lacks something; all if absent")
    ] = None
    path: Annotated[str | None, Field(max_length=4096, description="Write here, on the owner's device")] = None


class ExportRequest(Payload):
    options: Annotated[
        dict[str, str], Field(max_length=50, description="The format's own; GET /exports lists them")
    ] = {}
    private: Annotated[bool, Field(description="Private fields too; takes an editor")] = False
    path: Annotated[
        str | None,
        Field(max_length=4096, description="A file, or a folder for several, on the owner's device: write there"),
    ] = None
    force: Annotated[bool, Field(description="Replace files that are there")] = False


class PathRequest(Payload):
    path: Annotated[str, Field(min_length=1, max_length=4096, description="A full path on the owner's device")]


# -- answers -----------------------------------------------------------------------------------------------


class ErrorRecord(Form):
    code: str
    sentence: str
    hint: str
    details: dict[str, Any]


class ErrorAnswer(Form):
    """``conflict``: with STALE, the conflict as it is now."""

    error: ErrorRecord
    conflict: ConflictRecord | None = None


class Health(Form):
    status: Literal["ready"]
    pid: int


class WorkspaceAnswer(Form):
    id: str
    name: str
    documents: list[str]
    replica: str
    plugins: Annotated[dict[str, Any], Field(description="{plugin: its schema}, of the adopted plugins")]
    you: Annotated[dict[str, Any], Field(description="Who the token is: user, name, role, document")]


class EdgeRecord(Form):
    id: str
    edge: str
    source: Annotated[str | None, Field(alias="from")]
    target: Annotated[str | None, Field(alias="to")]
    label: Annotated[str, Field(description="How people call the edge")]
    direction: Annotated[Literal["out", "in"], Field(description="Whether it starts from this entity or leads here")]
    title: Annotated[str, Field(description="How people call the entity at the other end")]
    properties: dict[str, Any]


class Named(Form):
    id: str
    title: str


class Membership(Form):
    facet: str
    concept_entity: str
    title: str


class Member(Form):
    facet: str
    entity: str
    title: str
    values: Annotated[dict[str, Any], Field(description="{field of the concept: what this one shows}")]


class EntityAnswer(Form):
    id: str
    title: str
    deleted: bool
    facets: Annotated[dict[str, dict[str, Any]], Field(description="{plugin.facet: {field: value}}")]
    edges: list[EdgeRecord]
    conflicts: Annotated[list[str], Field(description="Ids of the open ones")]
    merged: Annotated[list[Named], Field(description="What has been merged into it")] = []
    belongs_to: Annotated[list[Membership], Field(description="The concept entities that its facets belong to")] = []
    concept: Annotated[str, Field(description="Only of a concept entity: its concept")] = ""
    values: Annotated[dict[str, Any], Field(description="Only of a concept entity: {field: value}")] = {}
    bound: Annotated[list[Member], Field(description="Only of a concept entity: everything that belongs to it")] = []


class QueryAnswer(Form):
    columns: list[str]
    rows: list[list[Any]]
    as_of: str | None
    explain: Annotated[
        dict[str, Any] | None, Field(description="When asked for: {sql, parameters, steps, indexes}")
    ] = None


class DerivedAnswer(Form):
    label: str
    columns: list[str]
    rows: list[list[Any]]
    as_of: str | None


class ConflictPage(Form):
    conflicts: list[ConflictRecord]
    next: str | None


class ResolutionAnswer(Form):
    bundle: str
    hlc: str
    conflicts: Annotated[list[str], Field(description="Ids of the open conflicts that this touched")]
    conflict: Annotated[ConflictRecord | None, Field(description="Null where others, or none, are in its place now")]


class BundleRecord(Form):
    number: int
    bundle: str
    at: str
    clock_ahead: Annotated[bool, Field(description="`at` is far in the future: its device's clock was wrong")]
    hlc: str
    author: str
    user: str
    device: str
    via: str
    intent: str
    message: str
    undoes: str | None
    log: str
    seq: int


class LogPage(Form):
    bundles: list[BundleRecord]
    next: str | None


class FieldHistory(Form):
    facet: str
    field: str
    label: str
    versions: list[dict[str, Any]]


class HistoryAnswer(Form):
    entity: str
    title: str
    fields: list[FieldHistory]
    bundles: list[BundleRecord]
    conflicts: list[ConflictRecord]


class StateHashAnswer(Form):
    state_hash: str


class TokenRecord(Form):
    id: str
    label: str
    document: str | None
    role: str
    user: str
    name: str
    expires: str | None


class NewToken(TokenRecord):
    token: Annotated[str, Field(description="Shown this once")]


class TokensAnswer(Form):
    tokens: list[TokenRecord]


class RevokedAnswer(Form):
    revoked: str


class BlobAnswer(Form):
    blob: Annotated[str, Field(description="`blob:<hash>`: what a field holds to refer to it")]
    hash: str
    bytes: int


class HaveAnswer(Form):
    workspace: str
    have: Annotated[dict[str, int], Field(description="{log: last number}")]
    points: Annotated[
        dict[str, list[str]], Field(description="{log: hashes of its last bundle and ever fewer before it}")
    ]


class FileAnswer(Form):
    model_config = ConfigDict(extra="allow")
    file: str


class MergePlanAnswer(Form):
    file: str
    workspace: str
    name: str
    bundles: int
    authors: list[dict[str, Any]]
    conflicts: Annotated[list[dict[str, Any]], Field(description="Those to come: id, kind, sentence")]
    closes: Annotated[int, Field(description="How many open conflicts it would close")]
    held: Annotated[int, Field(description="How many bundles would be held for review")]


class MergeAnswer(Form):
    bundles: int
    open_conflicts: int


class ProposalRecord(Form):
    operations: list[OperationRecord]
    summary: list[str]
    skipped: list[dict[str, str]]
    mapping: dict[str, str]
    counts: dict[str, int]
    changes: Annotated[
        list[dict[str, Any]],
        Field(description="What would be otherwise: entity, title, facet, field, label, before, after; the first ones"),
    ]
    changes_count: Annotated[int, Field(description="How many there are")]
    digest: Annotated[str, Field(description="Of all that it would do, and of what stands there now: for `looked_at`")]


class ImportAnswer(Form):
    proposal: ProposalRecord
    applied: bool
    receipt: ReceiptRecord | None


class ExportRecord(Form):
    name: Annotated[str, Field(description="plugin.format")]
    label: str
    file: Annotated[str, Field(description="What a single file of it is called")]
    options: Annotated[dict[str, str], Field(description="{option: what it means}")]
    adopted: Annotated[bool, Field(description="Whether the workspace has adopted its plugin")]


class ExportsAnswer(Form):
    exports: list[ExportRecord]


class ExportedAnswer(Form):
    files: Annotated[list[str], Field(description="Full paths of what was written")]
    private: bool


class PluginsAnswer(Form):
    """``update`` of an installed one: what adopting it would be: "", "free", "migration" or "refused"."""

    installed: list[dict[str, Any]]
    adopted: list[str]
    dropped: Annotated[list[str], Field(description="Hidden: their data are kept and synced")]
    problems: list[ErrorRecord]


class AdoptionAnswer(Form):
    """``migration``: what it changes (or changed) in the data, field by field; null when nothing has to be."""

    version: str
    applied: bool
    bundle: str
    hlc: str
    conflicts: list[str]
    changes: Annotated[list[dict[str, Any]], Field(description="What differs from the version before")]
    migration: dict[str, Any] | None


class SuggestionsAnswer(Form):
    concepts: Annotated[list[dict[str, Any]], Field(description="name, fields: {field: {type, label}}")]
    bindings: Annotated[
        list[dict[str, Any]], Field(description="facet, label, concept, fields: {field of the concept: of the facet}")
    ]


class DoctorAnswer(Form):
    model_config = ConfigDict(extra="allow")
    healthy: bool
    faults: list[str]
