"""Who wrote what of a text, and what overlaps there, worked out the long way: element by element, pair by pair."""

from __future__ import annotations

import json
from itertools import combinations, pairwise
from typing import Any

from openprod.core import ids
from openprod.core.bundles import Bundle
from openprod.engine import overlaps
from openprod.engine.places import Places
from openprod.engine.removals import rank
from openprod.storage.ports import BundleRow, SpanRow
from openprod.yjs.decoder import decode_state_vector, decode_update
from tests.engine.replica import WORKSPACE, Replica

_GONE = (0, 10)  # of a struct that is collected, or left out, nothing can be told


class Log:
    """Everything that a replica holds and that isn't waiting for something else."""

    def __init__(self, replica: Replica) -> None:
        self.bundles: dict[str, Bundle] = {}
        self.deps: dict[tuple[str, str], list[tuple[int, int]]] = {}
        self.written: dict[tuple[str, int, int], list[str]] = {}
        self.removed: dict[tuple[str, int, int], list[str]] = {}
        waiting = {
            item.update for live in replica.committer.documents.values() for item in live.gate.parked
        }  # fmt: skip
        for row, (_signed, bundle) in zip(replica.storage.bundles(), replica.bundles(), strict=True):
            self.bundles[row.id] = bundle
            for log, seq in bundle.deps.items():
                self.deps.setdefault((bundle.log, log), []).append((bundle.seq, seq))
            for part in bundle.updates:
                if part.update in waiting:
                    continue
                update = decode_update(part.update)
                for client, clock, length, ref, *_rest in update.structs:
                    for at in range(clock, clock + length if ref not in _GONE else clock):
                        self.written.setdefault((part.document, client, at), []).append(row.id)
                for client, clock, length in update.deletes:
                    for at in range(clock, clock + length):
                        self.removed.setdefault((part.document, client, at), []).append(row.id)

    def origin(self, holders: list[str]) -> str:
        """Of the bundles that hold something, the one nearest to where it was made."""

        def nearness(id: str) -> Any:
            one = self.bundles[id]
            return rank(one.intent, one.hlc, one.log, one.seq)

        return min(holders, key=nearness)

    def saw(self, id: str, span: SpanRow, of: str) -> bool:
        """Whether the author of a bundle had seen a run of bundle ``of``."""
        mine, theirs = self.bundles[id], self.bundles[of]
        states = [part for part in mine.updates if part.document == span.document and not part.live]
        if states:
            vector: dict[int, int] = {}
            gone: set[tuple[int, int]] = set()
            for part in states:
                update = decode_update(part.update)
                known = list(decode_state_vector(part.seen).items()) if part.seen else []
                for client, end in known + [(client, clock + length) for client, clock, length in update.sections]:
                    vector[client] = max(end, vector.get(client, 0))
                gone |= {
                    (client, at) for client, clock, length in update.deletes for at in range(clock, clock + length)
                }
            if span.deleted:
                return all((span.client, at) in gone for at in range(span.clock, span.clock + span.length))
            return span.clock + span.length <= vector.get(span.client, 0)
        if mine.log == theirs.log:
            return theirs.seq < mine.seq
        said = self.deps.get((mine.log, theirs.log), [])
        return max((seen for seq, seen in said if seq <= mine.seq), default=0) >= theirs.seq


def check(replica: Replica) -> None:
    """INV-TEXT-1: runs are credited to who made them, and what was changed apart is said; no more and no less."""
    log = Log(replica)
    for document, root in replica.storage.text_roots():
        runs = replica.storage.spans_of(document, root)
        for span, bundle in runs:
            for at in range(span.clock, span.clock + span.length):
                holders = (log.removed if span.deleted else log.written)[document, span.client, at]
                assert bundle.id == log.origin(holders), ("INV-TEXT-1: credited to another", span, bundle.id)
        inside = {
            (span.client, at) for span, _bundle in runs if not span.deleted
            for at in range(span.clock, span.clock + span.length)
        }  # fmt: skip
        gone = {
            (span.client, at) for span, _bundle in runs if span.deleted
            for at in range(span.clock, span.clock + span.length)
        }  # fmt: skip
        assert gone == {id for id in inside if (document, *id) in log.removed}, "INV-TEXT-1: a removal is missing"
        _check_overlaps(replica, log, document, root, runs)


def _check_overlaps(
    replica: Replica, log: Log, document: str, root: str, runs: list[tuple[SpanRow, BundleRow]]
) -> None:
    written = [span for span, _bundle in runs if not span.deleted]
    pieces: list[tuple[SpanRow, BundleRow]] = []
    for span, bundle in runs:
        cuts = {span.clock, span.clock + span.length}
        for run in written if span.deleted else ():
            if run.client == span.client:
                cuts |= {at for at in (run.clock, run.clock + run.length) if span.clock < at < span.clock + span.length}
        edges = sorted(cuts)
        pieces += [(span._replace(clock=start, length=end - start), bundle) for start, end in pairwise(edges)]
    places = Places(replica.storage, replica.committer.document(document), root)
    found = set()
    pairs = 0
    for (a, one), (b, other) in combinations(pieces, 2):
        if one.user == other.user or (a.client == b.client and not a.deleted and not b.deleted):
            continue
        if log.saw(one.id, b, other.id) or log.saw(other.id, a, one.id):
            continue
        first, second = (_lines(places, span) for span in (a, b))
        if first[0] <= second[1] and second[0] <= first[1]:
            pairs += 1
            heads = [span[1:3] for span in sorted((a, b), key=lambda span: span[1:3])]
            found.add(tuple(f"{client}:{clock}" for client, clock in heads))
    row = replica.storage.conflict(ids.conflict_id(WORKSPACE, document, root))
    said = {tuple(pair) for pair in json.loads(row.subject)["pairs"]} if row else set()
    if pairs <= overlaps.PARTNERS_MAX:
        assert said == found, ("INV-TEXT-1: overlaps", root, said ^ found)
    else:
        assert said <= found, ("INV-TEXT-1: overlaps", root, said - found)
        assert said


def _lines(places: Places, span: SpanRow) -> tuple[int, int]:
    first, last = places.line(span.client, span.clock), places.line(span.client, span.clock + span.length - 1)
    assert first is not None
    assert last is not None
    return first, last
