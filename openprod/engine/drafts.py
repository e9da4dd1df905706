"""What is submitted to the commit path, and the bundles that are being drafted from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from openprod.core.bundles import Actor, Bundle, DocumentUpdate, SignedBundle
from openprod.core.membership import SignedRecord
from openprod.engine.events import Receipt
from openprod.engine.removals import Rank, rank
from openprod.errors import OpenprodError, StorageError
from openprod.yjs.documents import Write, merged
from openprod.yjs.gate import Release

if TYPE_CHECKING:
    from openprod.engine.commit import Committer


class OutsideUpdate(msgspec.Struct, kw_only=True):
    """An update from a Yjs program. ``seen``: its encoded state vector when ``live`` is False."""

    document: str
    update: bytes
    actor: Actor
    origin: Any = None
    live: bool = True
    seen: bytes = b""


class Writes(msgspec.Struct, kw_only=True):
    """Writes of this engine. ``plan`` is called on the engine's thread with everything before it applied.

    It returns {document: writes}; an empty plan commits nothing.
    """

    plan: Callable[[Committer], dict[str, list[Write]]]
    actor: Actor
    intent: str = "edit"
    message: str = ""
    undoes: str = ""
    operations: list[dict[str, Any]] = []
    kept: bool = False
    """Commit even if nothing is to be written: the message is what matters."""


class Foreign(msgspec.Struct, kw_only=True):
    """A verified bundle of another log, whose predecessors are in."""

    signed: SignedBundle
    bundle: Bundle


class Records(msgspec.Struct, kw_only=True):
    """Membership records. ``plan`` is called on the engine's thread; what it returns are records, parents first."""

    plan: Callable[[Committer], Sequence[SignedRecord]]


Submission: TypeAlias = "OutsideUpdate | Writes | Foreign | Records"
Outcome: TypeAlias = "Receipt | OpenprodError | None"


class Draft:
    __slots__ = (
        "actor", "bytes", "entities", "foreign", "hlc", "id", "intent", "message", "number", "operations", "origin",
        "seq", "undoes", "updates", "waiting",
    )  # fmt: skip

    def __init__(self, number: int, seq: int, hlc: str, actor: Actor, intent: str, origin: object) -> None:
        self.number, self.seq, self.hlc, self.actor, self.intent, self.origin = number, seq, hlc, actor, intent, origin
        self.message = self.undoes = self.id = ""
        self.operations: list[dict[str, Any]] = []
        self.updates: list[DocumentUpdate] = []
        self.foreign: Foreign | None = None
        self.bytes = 0
        self.waiting = False
        self.entities: set[str] = set()


class Run:
    """Updates of one bundle to hand on, in order. ``echo``: also to whom the bundle came from, who hasn't seen them."""

    __slots__ = ("draft", "echo", "number", "updates")

    def __init__(self, draft: Draft | None, number: int, updates: list[tuple[str, bytes]], *, echo: bool) -> None:
        self.draft, self.number, self.updates, self.echo = draft, number, updates, echo


class Halfway(OpenprodError):
    """An error after something had already changed in memory."""

    def __init__(self, error: OpenprodError) -> None:
        super().__init__(error.sentence)
        self.error = error


@contextmanager
def halfway() -> Iterator[None]:
    try:
        yield
    except StorageError:
        raise
    except OpenprodError as error:
        raise Halfway(error) from error


class Tag:
    """What a parked update carries: where it belongs when it passes."""

    __slots__ = ("bundle", "draft", "live", "rank")

    def __init__(self, draft: Draft | None, bundle: int, live: bool, rank: Rank) -> None:
        self.draft, self.bundle, self.live, self.rank = draft, bundle, live, rank


def rank_of(bundle: Bundle) -> Rank:
    return rank(bundle.intent, bundle.hlc, bundle.log, bundle.seq)


def bytes_of(release: Release) -> list[bytes]:
    if len(release.items) == 1:
        return [release.items[0].update]
    return [merged([item.update for item in release.items])]
