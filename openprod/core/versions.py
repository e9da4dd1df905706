"""The version tree of one register, and what follows from it: the winner, the heads, what has been overtaken.

Everything here is a pure function of the tree and the resolutions, so every replica that holds the same history
comes to the same answer, whatever the order it arrived in. The rules are CRDT.md §2 and §3.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple, TypeAlias

from openprod.core.ids import VersionKey

Id: TypeAlias = VersionKey

NULL = "null"


class Version(NamedTuple):
    """One value written to a register.

    ``parent`` is the version its author saw under the key (None: none), or that version's removal. ``value`` is
    canonical JSON, or None when a garbage-collecting program dropped it ("value not kept"). ``bundle`` is its bundle's
    local number. ``log`` names the native log and user that wrote it, "" for outside programs; ``seq`` its place there.
    """

    id: Id
    parent: Id | None
    value: str | None
    bundle: int
    log: str = ""
    seq: int = 0
    user: str = ""
    hlc: str = ""

    @property
    def is_clear(self) -> bool:
        return len(self.id) == 3


class Join(NamedTuple):
    """A resolution as the tree sees it: ``heads`` are joined by the version ``wrote``.

    ``withdrawn``: a later reopening took it back.
    """

    heads: frozenset[Id]
    wrote: Id
    withdrawn: bool


class Register(NamedTuple):
    """What a register's history says.

    ``shown``: the version every Yjs program shows (None: the key is absent); ``heads``: versions that nobody's later
    version or resolution covers; ``base``: the deepest version that all heads grew from; ``overtaken``: heads once
    disagreed and an author has since retyped over the other's value.
    """

    shown: Id | None
    shown_value: str | None
    heads: tuple[Version, ...]
    base: Version | None
    overtaken: bool

    @property
    def disagrees(self) -> bool:
        return len(self.heads) > 1 and len({head.value for head in self.heads}) > 1


class Tree:
    """A register's versions by id, with children. Removals ("clear") hang below the version they removed."""

    __slots__ = ("children", "versions")

    def __init__(self, versions: Iterable[Version]) -> None:
        self.versions: dict[Id, Version] = {version.id: version for version in versions}
        self.children: dict[Id | None, list[Id]] = {}
        for version in self.versions.values():
            self.children.setdefault(version.parent, []).append(version.id)

    def winner(self) -> Version | None:
        """From a virtual root down to the child with the highest client id until a leaf; removals aside."""
        at: Id | None = None
        while True:
            best: Id | None = None
            following = self.children.get(at, ())
            for child in following:
                if len(child) == 3:
                    following = [*following, *self.children.get(child, ())]  # written over what had been removed
            for child in following:
                if len(child) == 2 and (best is None or child > best):
                    best = child
            if best is None:
                return None if at is None else self.versions[at]
            at = best

    def leaves(self) -> list[Version]:
        return [version for id, version in self.versions.items() if id not in self.children]

    def path(self, id: Id | None) -> list[Id]:
        """From ``id`` up to its root."""
        path: list[Id] = []
        while id is not None and id in self.versions:
            path.append(id)
            id = self.versions[id].parent
        return path


def evaluate(
    tree: Tree,
    joins: Collection[Join] = (),
    *,
    is_deleted: Callable[[Id], bool] = lambda _id: False,
    knows: Callable[[Version, Version], bool] = lambda _later, _earlier: False,
) -> Register:
    """Evaluate one register.

    ``is_deleted`` says whether the winning item has been removed, ``knows`` whether the first version's author is
    known to have seen the second (False where nobody can tell).
    """
    winner = tree.winner()
    absent = winner is None or is_deleted(winner.id)
    shown_value = None if absent or winner is None else winner.value

    standing = [join for join in joins if not join.withdrawn and join.wrote in tree.versions]
    joined = _joined(tree, standing)
    withdrawn = {join.wrote: join.heads for join in joins if join.withdrawn and join.wrote in tree.versions}

    leaves = tree.leaves()
    if absent and winner is not None:
        # Removed, and if it is still a leaf, by whom was not said: people see nothing, so that is what this head says.
        leaves = [leaf._replace(value=NULL) if leaf.id == winner.id else leaf for leaf in leaves]
    by_id = {leaf.id: leaf for leaf in leaves}
    if withdrawn:
        by_id = _expand(tree, by_id, withdrawn)

    last_clock: dict[tuple[int, str], int] = {}
    last_seq: dict[str, int] = {}
    for version in tree.versions.values():
        if version.id in withdrawn:
            continue  # a decision taken back covers nothing
        if not version.is_clear:
            writer, clock = (version.id[0], version.log), version.id[1]
            if clock > last_clock.get(writer, -1):
                last_clock[writer] = clock
        if version.log and version.seq > last_seq.get(version.log, -1):
            last_seq[version.log] = version.seq

    heads: list[Version] = []
    covered: list[Version] = []
    for leaf in by_id.values():
        if leaf.id in joined:
            continue
        if _is_covered(tree, leaf, last_clock, last_seq):
            covered.append(leaf)
        else:
            heads.append(leaf)
    if len({head.value for head in heads}) > 1:
        replaced = [version for version in tree.versions.values() if version.log and version.id not in withdrawn]
        heads = [head for head in heads if not any(_replaced(tree, head, other, knows) for other in replaced)]
    stand = {head.value for head in heads}
    if winner is not None and winner.id in withdrawn and len(stand) == 1 and stand != {NULL}:
        # What it had decided about doesn't disagree with itself, but with what is still shown.
        heads += [leaf for leaf in leaves if leaf.id == winner.id and leaf.value not in stand]
    heads.sort(key=lambda head: head.id)
    if not heads:
        heads = sorted(by_id.values(), key=lambda head: head.id)  # only a forged history covers everything
    return Register(
        shown=None if absent or winner is None else winner.id,
        shown_value=shown_value,
        heads=tuple(heads),
        base=_base(tree, heads) if len(heads) > 1 else None,
        overtaken=any(_was_contested(tree, leaf) for leaf in covered),
    )


def _joined(tree: Tree, joins: list[Join]) -> set[Id]:
    """The heads that decisions join. Nobody decides about what was written knowing the decision, so a head that
    builds on the decision's own value (above it, or through other decisions) isn't joined by it."""
    by_wrote: dict[Id, list[Join]] = {}
    for join in joins:
        by_wrote.setdefault(join.wrote, []).append(join)
    joined: set[Id] = set()
    for join in joins:
        for head in join.heads:
            if head not in joined and head != join.wrote and not _builds_on(tree, head, join.wrote, by_wrote):
                joined.add(head)
    return joined


def _builds_on(tree: Tree, id: Id, ground: Id, by_wrote: dict[Id, list[Join]]) -> bool:
    waiting: list[Id] = [id]
    seen: set[Id] = set()
    while waiting:
        for at in tree.path(waiting.pop()):
            if at == ground:
                return True
            if at in seen:
                break
            seen.add(at)
            waiting.extend(head for join in by_wrote.get(at, ()) for head in join.heads)
    return False


def _expand(tree: Tree, leaves: dict[Id, Version], withdrawn: dict[Id, frozenset[Id]]) -> dict[Id, Version]:
    """A decision that was taken back stands for the values that it had joined."""
    result: dict[Id, Version] = {}
    waiting = list(leaves.values())
    seen: set[Id] = set()
    while waiting:
        leaf = waiting.pop()
        if leaf.id in seen:
            continue
        seen.add(leaf.id)
        behind = [tree.versions[id] for id in withdrawn.get(leaf.id, ()) if id in tree.versions]
        if behind:
            waiting.extend(behind)
        else:
            result[leaf.id] = leaf
    # What somebody went on to write over a value replaced it, with or without the decision.
    passed = {id for leaf in result.values() for id in tree.path(leaf.id)[1:]}
    return {id: leaf for id, leaf in result.items() if id not in passed}


def _is_covered(tree: Tree, leaf: Version, last_clock: dict[tuple[int, str], int], last_seq: dict[str, int]) -> bool:
    if leaf.log and last_seq.get(leaf.log, -1) > leaf.seq:
        return True
    if leaf.is_clear:
        # Who removed it isn't in the history; a later value of the same person over the same version covers it.
        siblings = (tree.versions[id] for id in tree.children.get(leaf.parent, ()))
        return any(other.user == leaf.user and other.hlc >= leaf.hlc for other in siblings if not other.is_clear)
    # Several people write through a node's own client: it is one author only as far as nobody says which of them.
    return any(
        client == leaf.id[0] and clock > leaf.id[1] and (not log or not leaf.log or log == leaf.log)
        for (client, log), clock in last_clock.items()
    )


def _replaced(tree: Tree, head: Version, by: Version, knows: Callable[[Version, Version], bool]) -> bool:
    """Whether ``by`` was written over a value equal to ``head``'s, by somebody who had seen both: they agreed then."""
    before = tree.versions.get(by.parent) if by.parent is not None else None
    return before is not None and before.value == head.value and by.id != head.id and knows(by, head)


def _base(tree: Tree, heads: list[Version]) -> Version | None:
    common: list[Id] | None = None
    for head in heads:
        path = tree.path(head.id)[::-1]
        if common is None:
            common = path
        else:
            shared = 0
            while shared < min(len(common), len(path)) and common[shared] == path[shared]:
                shared += 1
            common = common[:shared]
    if not common:
        return None
    return tree.versions[common[-1]]


def _was_contested(tree: Tree, leaf: Version) -> bool:
    """Whether somebody's value stood against ``leaf`` before its own author typed again."""
    own_path = tree.path(leaf.id)
    own = set(own_path)
    for fork in [*own_path[1:], None]:
        for child in tree.children.get(fork, ()):
            if child in own:
                continue
            stack = [child]
            while stack:
                version = tree.versions[stack.pop()]
                if _same_author(version, leaf) and _later(version, leaf):
                    continue
                if version.value != leaf.value and not _same_author(version, leaf):
                    return True
                stack.extend(tree.children.get(version.id, ()))
    return False


def _same_author(a: Version, b: Version) -> bool:
    if a.log and b.log:
        return a.log == b.log
    return a.id[0] == b.id[0]


def _later(a: Version, b: Version) -> bool:
    return a.id[1] > b.id[1] if a.id[0] == b.id[0] else a.seq > b.seq
