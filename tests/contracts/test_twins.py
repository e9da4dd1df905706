"""The storages give the same answers: to random calls, and under a whole engine."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from openprod.errors import StorageError
from openprod.storage.memory import MemoryStorage
from openprod.storage.ports import Storage
from openprod.storage.sqlite.storage import SqliteStorage
from tests.contracts import rows
from tests.contracts.contents import contents
from tests.engine.replica import Replica, Time, new_storage
from tests.storage.day import steps

SMALL = st.integers(1, 4)
CLOCK = st.integers(0, 6)
NAME = st.sampled_from(["a", "b", "é", ""])
VALUE = st.one_of(st.none(), st.sampled_from(["null", "1", '"1"', '"' + "é" * 45 + '"', '"' + "é" * 45 + 'x"']))
HLC = st.sampled_from(["1", "2", "3"])

CALLS = st.one_of(
    st.tuples(st.just("set_meta"), st.sampled_from(["name", "new", "empty"]), NAME),
    st.builds(
        lambda number, log, seq, hlc, user: ("add_bundle", rows.bundle(number, log=log, seq=seq, hlc=hlc, user=user)),
        st.integers(1, 9), st.sampled_from("ab"), SMALL, HLC, NAME,
    ),
    st.tuples(st.just("add_deps"), st.sampled_from("ab"), SMALL, st.dictionaries(NAME, SMALL, max_size=2)),
    st.builds(
        lambda call, id, root, entity, field, value, document, sought, forked: (
            call,
            [rows.register(
                id, root, entity, field, value, document=document, client=id, forked=forked, sought=sought
            )],
        ),
        st.sampled_from(["put_registers", "put_registers", "change_registers"]), SMALL,
        st.sampled_from(["p.f", "p.g"]), NAME, st.sampled_from(["a", ""]), VALUE, st.sampled_from("pq"),
        st.booleans(), st.booleans(),
    ),
    st.tuples(st.just("seek"), st.sampled_from(["p.f", "p.g"]), st.sampled_from(["a", ""])),
    st.tuples(
        st.sampled_from(["add_versions", "change_versions"]),
        st.lists(st.builds(
            lambda clock, register, value, client, bundle, parent: rows.version(
                clock, register, value, client=client, bundle=bundle, parent=parent
            ),
            CLOCK, SMALL, VALUE, SMALL, SMALL, st.one_of(st.none(), st.tuples(SMALL, CLOCK)),
        ), max_size=3),
    ),
    st.tuples(
        st.just("add_leaves"),
        st.lists(
            st.builds(
                lambda clock, register, client: rows.leaf(clock, register, client=client), CLOCK, SMALL, SMALL
            )
        ),
    ),
    st.tuples(st.just("add_clears"), st.lists(st.builds(rows.clear, CLOCK, SMALL, SMALL), max_size=3)),
    st.tuples(
        st.sampled_from(["put_spans", "drop_spans"]),
        st.lists(st.builds(
            lambda clock, length, bundle, root, deleted: rows.span(clock, length, bundle, root=root, deleted=deleted),
            CLOCK, SMALL, SMALL, st.sampled_from(["p.t", "p.u"]), st.booleans(),
        ), max_size=3),
    ),
    st.builds(
        lambda name, seq, bundle, log, user, whole: (name, rows.change(seq, bundle, log=log, user=user, whole=whole)),
        st.sampled_from(["put_text_change", "drop_text_change"]), SMALL, SMALL, st.sampled_from("ab"), NAME,
        st.booleans(),
    ),
    st.tuples(
        st.just("add_apart"),
        st.lists(st.builds(lambda seq, log, root: rows.change(seq, log=log, root=root),
                           SMALL, st.sampled_from("ab"), st.sampled_from(["p.t", "p.u"])), max_size=3),
    ),
    st.tuples(st.just("add_record"), st.binary(min_size=1, max_size=2)),
    st.tuples(st.just("put_held"), st.dictionaries(SMALL, st.booleans(), max_size=3)),
    st.tuples(st.just("clear_apart"), st.just("p"), st.sampled_from(["p.t", "p.u"])),
    st.tuples(
        st.just("add_resolutions"),
        st.lists(st.builds(
            lambda clock, conflict, bundle, body: rows.resolution(clock, conflict, bundle, body=body),
            CLOCK, st.sampled_from(["c_1", "c_2"]), SMALL, NAME,
        ), max_size=3),
    ),
    st.builds(
        lambda id, status, kind, entity, reopened: (
            "put_conflict", rows.conflict(id, status=status, kind=kind, entity=entity, reopened=reopened)
        ),
        NAME, st.sampled_from(["open", "resolved"]), st.sampled_from(["field", "invalid"]), NAME, st.booleans(),
    ),
    st.tuples(st.just("drop_conflict"), NAME),
    st.tuples(st.just("put_snapshot"), NAME, SMALL, st.binary(max_size=3)),
    st.builds(
        lambda id, created, hash: ("put_token", rows.token(id, created=created, hash=hash)),
        NAME, HLC, st.sampled_from([b"1", b"2", b"3"]),
    ),
    st.tuples(st.just("drop_token"), NAME),
    st.tuples(st.just("quarantine"), NAME, st.binary(max_size=3), NAME, HLC),
    st.tuples(st.just("clear_derived")),
)  # fmt: skip


def attempt(storage: Storage, calls: list[tuple[Any, ...]], *, abort: bool) -> str:
    try:
        with storage.transaction():
            for name, *arguments in calls:
                if name == "add_bundle":
                    arguments += [arguments[0].id.encode(), b"signature"]
                getattr(storage, name)(*arguments)
            if abort:
                raise KeyError("mine")
    except StorageError:
        return "refused"
    except KeyError:
        return "aborted"
    return "done"


def answers(storage: Storage) -> dict[str, Any]:
    """What every reading call says, over the whole small world of ``CALLS``."""
    found: dict[str, Any] = contents(storage)
    ids = [rows.bundle(number).id for number in range(1, 10)]
    small = range(7)
    roots, names = ("p.f", "p.g"), ("a", "b", "é", "")
    found["by id"] = [storage.bundle(id) for id in ids] + [storage.bundle_numbered(number) for number in range(10)]
    found["by prefix"] = [storage.bundles_like(id[:length]) for id in ids for length in (4, 25, 32)]
    found["ranges"] = [
        storage.bundles(after=after, before=before, limit=limit, newest_first=newest)
        for after in (0, 3) for before in (None, 6) for limit in (-1, 0, 2) for newest in (False, True)
    ]  # fmt: skip
    found["by log"] = [
        (storage.logs_of(log), storage.newest_hlc(log), [storage.bundle_at(log, seq) for seq in small])
        for log in ("a", "b", "c")
    ]
    found["depends"] = [storage.depends(log, seq, on) for log in "ab" for seq in small for on in names]
    found["first depending"] = [storage.first_depending(log, on, seq) for log in "ab" for seq in small for on in names]
    stretches = [(after, before) for after in (0, 2) for before in (None, 3)]
    found["texts"] = [
        [
            storage.text_logs("p", root), storage.has_apart("p", root),
            [storage.apart_in("p", root, log, limit=limit) for log in "abc" for limit in (-1, 2)],
            [storage.spans_of_change("p", root, number, limit=limit) for number in small for limit in (-1, 1)],
            [storage.text_changes("p", root, log, after=after, before=before, whole=whole)
             for log in "ab" for whole in (False, True) for after, before in stretches],
            [storage.has_text_change("p", root, log, after=after, before=before, other_than=user)
             for log in "ab" for user in names for after, before in stretches],
        ]
        for root in ("p.t", "p.u")
    ]  # fmt: skip
    found["runs in"] = [
        storage.spans_in("p", 1, start, end, deleted=deleted)
        for start in small for end in (3, 12) for deleted in (False, True)
    ]  # fmt: skip
    found["by user"] = [storage.bundles_by_user(user, limit=limit) for user in names for limit in (1, 9)]
    found["register"] = [storage.register(id) for id in small]
    found["at"] = [
        storage.register_at(document, root, key)
        for document in "pq" for root in roots for key in ("a", "a/a", "é/a", "e1/a", "e2", "nothing")
    ]  # fmt: skip
    found["entities"] = [storage.registers_of_entity(entity) for entity in (*names, "e1", "e2")]
    found["roots"] = [list(storage.registers_of_root(root)) for root in roots]
    values = ("null", "1", '"1"', '"' + "é" * 45 + '"', '"' + "é" * 45 + 'x"', '"')
    found["valued"] = [
        sorted(storage.registers_valued(root, field, value))
        for root in roots
        for field in ("a", "")
        for value in values
    ]
    found["gone"] = sorted(row.id for row in storage.markers_gone())
    found["version"] = [
        [read("p", client, clock) for read in (storage.version, storage.register_of, storage.span_at)]
        for client in small for clock in range(12)
    ]  # fmt: skip
    found["versions in"] = [storage.versions_in("p", client, 1, 5) for client in small]
    found["of roots"] = [list(storage.versions_of_root(root)) for root in roots]
    found["decisions"] = [storage.resolutions_of(id) for id in ("c_1", "c_2")]
    found["decisions at"] = storage.resolutions_at("p", "p.f", "e1/a")
    found["conflicts"] = [
        storage.conflicts(status=status, kind=kind, entity=entity, after=after, limit=limit)
        for status in ("all", "open") for kind in ("", "invalid") for entity in ("", "a") for after in ("", "a")
        for limit in (-1, 2)
    ] + [storage.conflicts_of(entity) for entity in names]  # fmt: skip
    found["conflict"] = [storage.conflict(id) for id in names]
    return found


@settings(max_examples=150, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.lists(CALLS, min_size=1, max_size=8), st.integers(0, 5)), min_size=1, max_size=6))
def test_random_calls_get_the_same_answers(groups: list[tuple[list[tuple[Any, ...]], int]]) -> None:
    # The file's own ways are in the other tests; here it is what SQL says.
    memory, sqlite = MemoryStorage(), SqliteStorage(":memory:")
    try:
        for calls, dice in groups:
            outcome = attempt(memory, calls, abort=dice == 0)
            assert attempt(sqlite, calls, abort=dice == 0) == outcome
            note(outcome)
            expected = answers(memory)
            assert answers(sqlite) == expected
            if dice == 1:
                memory = memory.clone()
                assert answers(memory) == expected
    finally:
        sqlite.close()


@pytest.mark.parametrize("seed", range(6))
def test_the_engine_comes_to_the_same_on_both(seed: int, tmp_path: Path) -> None:
    def work(storage: Storage) -> tuple[Replica, list[str]]:
        replica = Replica("alex", storage=storage, time=Time(), chance=random.Random(seed))
        hashes = []
        for number, step in enumerate(steps(seed, 60)):
            step(replica)
            if number % 20 == 0:
                replica.restart()
            hashes.append(replica.hash())
        return replica, hashes

    print(f"seed {seed}")
    memory = new_storage()
    sqlite = SqliteStorage(str(tmp_path / "workspace.db"))
    with sqlite.transaction():
        for name in ("workspace", "name"):
            sqlite.set_meta(name, memory.meta(name) or "")
    try:
        left, left_hashes = work(memory)
        right, right_hashes = work(sqlite)
        assert left_hashes == right_hashes
        assert left.conflicts() == right.conflicts()
        # Not the bundles' own bytes: Yjs writes the members of a record in an order of its own.
        found, expected = contents(sqlite), contents(memory)
        for table in ("registers", "conflicts", "resolutions", "changes"):
            assert found[table] == expected[table], table
        assert [row.hlc for row in found["bundles"]] == [row.hlc for row in expected["bundles"]]
        assert len(memory.bundles()) > 15
        copy = str(tmp_path / "copy.db")
        memory.backup(copy)
        again = SqliteStorage(copy)
        assert contents(again) == contents(memory)
        assert again.check() == []
        again.close()
        assert sqlite.check() == []
        before = left.hash()
        left.committer.rebuild()
        right.committer.rebuild()
        assert left.hash() == right.hash() == before
    finally:
        sqlite.close()
