"""What is kept of the newest bundles says what the replica would say, or that it must be asked."""

from __future__ import annotations

import random

import pytest

from openprod.core.bundles import SignedBundle
from openprod.sync import latest as module
from openprod.sync.latest import Latest
from openprod.sync.replica import News, Outgoing
from tests.seeds import fresh

LOGS = ("a", "b", "c")


def bundle(number: int, log: str, seq: int, size: int) -> Outgoing:
    return Outgoing(number, log, log, seq, bytes(32), SignedBundle(bytes(size), bytes(64)))


def test_it_answers_as_the_oplog_does_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """INV-PEER-1"""
    seed = fresh("latest")
    print(f"seed {seed}")
    chance = random.Random(seed)
    monkeypatch.setattr(module, "BYTES_MAX", 500)
    answered = 0
    for _ in range(200):
        oplog: list[Outgoing] = []
        seqs = dict.fromkeys(LOGS, 0)
        kept = Latest()
        assert kept.after({}, 0, 100) is None
        for _ in range(40):
            for _ in range(chance.randrange(4)):
                log = chance.choice(LOGS)
                seqs[log] += 1
                oplog.append(bundle(len(oplog) + 1, log, seqs[log], chance.randrange(1, 100)))
            after = min(len(oplog), max(0, kept.end - chance.randrange(2)))
            if chance.random() < 0.1:
                kept.add(News(len(oplog), len(oplog), []))
            elif chance.random() < 0.8:
                kept.add(News(after, len(oplog), oplog[after:]))
            known = {log: chance.randrange(seqs[log] + 1) for log in LOGS if chance.random() < 0.8}
            cursor = chance.randrange(len(oplog) + 1)
            found = kept.after(known, cursor, chance.choice([1, 150, 10_000]))
            if found is None:
                continue
            answered += 1
            bundles, at, end = found
            upto = kept.end if end else at
            assert bundles == [
                one for one in oplog if cursor < one.number <= upto and one.seq > known.get(one.branch, 0)
            ]
            assert at == max(cursor, upto)
            assert end or bundles
    assert answered > 500
