"""What every storage promises, run on each of them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from openprod.errors import StorageError
from openprod.storage.ports import BundleRow, RegisterRow, Storage, VersionRow
from openprod.storage.sqlite.storage import SqliteStorage
from tests.contracts import rows
from tests.contracts.contents import contents

FOLDER = Path(__file__).parent


def test_every_call_is_in_the_contract() -> None:
    tried = "".join((FOLDER / name).read_text() for name in ("test_storage.py", "rows.py"))
    calls = [name for name, call in vars(Storage).items() if callable(call) and not name.startswith("_")]
    assert len(calls) > 50
    assert [name for name in calls if f"storage.{name}" not in tried and f"copy.{name}" not in tried] == []


def test_it_begins_empty(storage: Storage) -> None:
    assert storage.meta("workspace") is None
    assert storage.bundles() == []
    assert storage.logs() == {}
    assert storage.logs_of("log-a") == (0, b"")
    assert storage.newest_hlc("log-a") == ""
    assert storage.next_register() == 1
    assert list(storage.all_registers()) == []
    assert storage.conflicts() == []
    assert storage.snapshots() == {}
    assert storage.tokens() == []
    assert storage.quarantined() == []
    assert storage.check() == []
    assert storage.records() == storage.held() == []


def test_records_keep_their_order_and_bundles_are_held_or_not(storage: Storage) -> None:
    with storage.transaction():
        for data in (b"b", b"a", b"c"):
            storage.add_record(data)
        storage.put_held({3: True, 1: True, 2: False})
    assert (storage.records(), storage.held()) == ([b"b", b"a", b"c"], [1, 3])
    with storage.transaction():
        storage.put_held({3: False, 1: True, 4: True})
    assert storage.held() == [1, 4]
    with storage.transaction():
        storage.clear_derived()
    assert (storage.records(), storage.held()) == ([b"b", b"a", b"c"], []), "only the second follows from others"


# -- transactions ------------------------------------------------------------------------------------------


def fill(storage: Storage) -> None:
    with storage.transaction():
        storage.set_meta("name", "Hamlet")
        storage.put_token(rows.token("t1"))
        storage.quarantine("p", b"\0update", "why", "2026-01-01")
        rows.add_bundles(storage, rows.bundle(1), rows.bundle(2, log="log-b", seq=1))
        storage.add_deps("log-a", 1, {"log-b": 1})
        storage.put_registers([rows.register(1), rows.register(2, value=None, forked=True)])
        storage.add_versions([rows.version(0), rows.version(1, value=None)])
        storage.add_leaves([rows.leaf(1)])
        storage.add_clears([rows.clear(0)])
        storage.put_spans([rows.span(0, 5), rows.span(1, 2, deleted=True)])
        storage.put_text_change(rows.change(1))
        storage.add_apart([rows.change(1)])
        storage.add_resolutions([rows.resolution(3)])
        storage.put_conflict(rows.conflict("c_1"))
        storage.put_snapshot("p", 2, b"\0state")
        storage.add_record(b"\0record")
        storage.put_held({2: True})


def spoil(storage: Storage) -> None:
    """Write over, add to and remove all that ``fill`` made."""
    storage.set_meta("name", "Macbeth")
    storage.set_meta("new", "1")
    storage.drop_token("t1")
    storage.put_token(rows.token("t2"))
    storage.quarantine("p", b"2", "why", "2026-01-02")
    rows.add_bundles(storage, rows.bundle(3))
    storage.add_deps("log-a", 3, {"log-b": 9})
    storage.put_registers([rows.register(1, value='"y"', client=7), rows.register(3)])
    storage.change_registers([rows.register(2, value='"z"')])
    storage.add_versions([rows.version(1, value='"late"'), rows.version(2)])
    storage.change_versions([rows.version(0, value='"anew"', bundle=2)])
    storage.seek("p.f", "a")
    storage.add_clears([rows.clear(1)])
    storage.put_spans([rows.span(9)])
    storage.drop_spans([rows.span(0)])
    storage.put_text_change(rows.change(2, 2))
    storage.drop_text_change(rows.change(1))
    storage.clear_apart("p", "p.t")
    storage.add_apart([rows.change(2, 2)])
    storage.add_resolutions([rows.resolution(3, body='{"x":1}'), rows.resolution(4)])
    storage.drop_conflict("c_1")
    storage.put_conflict(rows.conflict("c_2"))
    storage.put_snapshot("p", 3, b"new")
    storage.put_snapshot("core", 3, b"new")


def test_a_transaction_that_raises_leaves_no_trace(storage: Storage) -> None:
    fill(storage)
    before = contents(storage)
    for last in (lambda: None, storage.clear_derived):
        with pytest.raises(KeyError, match="mine"), storage.transaction():  # noqa: PT012
            spoil(storage)
            last()
            assert contents(storage) != before
            raise KeyError("mine")
        assert contents(storage) == before
    with storage.transaction():
        spoil(storage)
    assert contents(storage) != before


def test_a_transaction_reads_its_own_writes(storage: Storage) -> None:
    with storage.transaction():
        rows.add_bundles(storage, rows.bundle(1))
        storage.put_registers([rows.register(1)])
        storage.add_versions([rows.version(0)])
        assert storage.register_of("p", 1, 0) == rows.register(1)
        assert storage.next_register() == 2
        assert [found.version for found in storage.versions_of(rows.register(1))] == [rows.version(0)]


def test_transactions_do_not_nest(storage: Storage) -> None:
    with pytest.raises(StorageError), storage.transaction():  # noqa: PT012
        storage.set_meta("name", "Hamlet")
        with storage.transaction():
            pass
    assert storage.meta("name") is None
    with storage.transaction():
        storage.set_meta("name", "Hamlet")
    assert storage.meta("name") == "Hamlet"


def test_truth_values_are_bool(storage: Storage) -> None:
    fill(storage)
    register = storage.register(2)
    conflict = storage.conflict("c_1")
    assert register is not None
    assert conflict is not None
    assert register.forked is True
    assert register.sought is True
    assert conflict.reopened is False
    assert [span.deleted for span, _bundle in storage.spans_of("p", "p.t")] == [False, True]
    span = storage.span_at("p", 1, 0)
    assert span is not None
    assert span.deleted is False


# -- meta, tokens, quarantine, snapshots -------------------------------------------------------------------


def test_meta_is_replaced(storage: Storage) -> None:
    for value in ("one", "", "zwei 🎭"):
        with storage.transaction():
            storage.set_meta("name", value)
        assert storage.meta("name") == value


def test_tokens_come_by_creation_and_a_hash_belongs_to_one(storage: Storage) -> None:
    with storage.transaction():
        storage.put_token(rows.token("b", created="2026-01-01"))
        storage.put_token(rows.token("a", created="2026-01-02"))
        storage.put_token(rows.token("c", created="2026-01-01"))
    assert [row.id for row in storage.tokens()] == ["b", "c", "a"]
    with storage.transaction():
        storage.put_token(rows.token("d", hash=b"a"))
        storage.drop_token("b")
        storage.drop_token("nobody")
    assert [row.id for row in storage.tokens()] == ["c", "d"]


def test_quarantine_keeps_all_in_order_of_arrival_and_the_same_bytes_once(storage: Storage) -> None:
    """A program that connects again says the same again, as often as it likes."""
    kept = [("p", b"3", "why", "2026"), ("p", b"1", "why", "2026"), ("q", b"1", "why", "2026")]
    with storage.transaction():
        for entry in (*kept, ("p", b"3", "why", "2027")):
            storage.quarantine(*entry)
    assert storage.quarantined() == kept


def test_one_snapshot_a_document(storage: Storage) -> None:
    with storage.transaction():
        storage.put_snapshot("p", 1, b"one")
        storage.put_snapshot("core", 1, b"")
        storage.put_snapshot("p", 5, b"five")
    assert storage.snapshots() == {"p": (5, b"five"), "core": (1, b"")}


# -- oplog -------------------------------------------------------------------------------------------------


def test_bundles_come_by_number(storage: Storage) -> None:
    made = [rows.bundle(number) for number in range(1, 8)]
    with storage.transaction():
        rows.add_bundles(storage, *made)
    assert storage.bundles() == made
    assert storage.bundles(after=5) == made[5:]
    assert storage.bundles(after=2, before=5) == made[2:4]
    assert storage.bundles(before=1) == []
    assert storage.bundles(limit=2) == made[:2]
    assert storage.bundles(limit=0) == []
    assert storage.bundles(newest_first=True, limit=2) == [made[6], made[5]]
    assert storage.bundles(newest_first=True, before=4) == [made[2], made[1], made[0]]
    assert storage.bundle_numbered(3) == made[2]
    assert storage.bundle_numbered(99) is None
    assert storage.bundle(made[3].id) == made[3]
    assert storage.bundle("0" * 32) is None


def test_bundles_are_found_by_the_beginning_of_their_id_two_at_most(storage: Storage) -> None:
    ids = ["ab" + "0" * 30, "ab" + "f" * 30, "abc" + "0" * 29, "b" + "0" * 31, "f" * 32]
    made = [rows.bundle(number)._replace(id=id) for number, id in enumerate(ids, 1)]
    with storage.transaction():
        rows.add_bundles(storage, *made)
    assert storage.bundles_like("abc") == [made[2]]
    assert storage.bundles_like("ab") == [made[0], made[2]]
    assert storage.bundles_like("f" * 31) == [made[4]]
    assert storage.bundles_like("b" + "0" * 31) == [made[3]]
    assert storage.bundles_like("c") == []


def test_bundle_bytes_come_back_as_they_were_by_number(storage: Storage) -> None:
    made = [rows.bundle(number) for number in range(1, 601)]
    with storage.transaction():
        rows.add_bundles(storage, *made)
    found = list(storage.bundle_bytes(after=2))
    assert [number for number, _body, _signature in found] == list(range(3, 601))
    assert found[0][1:] == (rows.BODY + made[2].id.encode(), rows.SIGNATURE)
    assert storage.bundle_body(3) == found[0][1:]
    assert list(storage.bundle_bytes(after=600)) == []


def test_logs_tell_their_last_bundle(storage: Storage) -> None:
    made = [
        rows.bundle(1, log="a", seq=1, hlc="1"), rows.bundle(2, log="b", seq=1, hlc="9"),
        rows.bundle(3, log="a", seq=2, hlc="3"), rows.bundle(4, log="b", seq=2, hlc="8"),
    ]  # fmt: skip
    with storage.transaction():
        rows.add_bundles(storage, *made)
    assert storage.logs() == {"a": (2, made[2].hash), "b": (2, made[3].hash)}
    assert storage.logs_of("a") == (2, made[2].hash)
    assert storage.newest_hlc("b") == "8"
    assert storage.bundle_at("b", 1) == rows.BODY + made[1].id.encode()
    assert storage.bundle_at("b", 3) is None


def test_what_an_author_had_seen_of_other_logs_holds_until_it_advances(storage: Storage) -> None:
    with storage.transaction():
        storage.add_deps("a", 2, {"b": 3, "c": 1})
        storage.add_deps("a", 5, {"b": 8})
        storage.add_deps("a", 5, {"b": 9})
        storage.add_deps("a", 6, {"b": 8})
    assert [storage.depends("a", seq, "b") for seq in range(1, 7)] == [0, 3, 3, 3, 8, 8]
    assert storage.depends("a", 6, "c") == 1
    assert storage.depends("a", 6, "d") == 0
    assert storage.depends("b", 6, "a") == 0
    assert [storage.first_depending("a", "b", seq) for seq in (1, 3, 4, 8, 9)] == [2, 2, 5, 5, None]
    assert storage.first_depending("b", "a", 1) is None


def test_a_bundle_is_added_once_after_those_before_it(storage: Storage) -> None:
    with storage.transaction():
        rows.add_bundles(storage, rows.bundle(2), rows.bundle(3))
    for wrong in (
        rows.bundle(3), rows.bundle(1, log="log-b"), rows.bundle(4, seq=3), rows.bundle(4, seq=1),
    ):  # fmt: skip
        with pytest.raises(StorageError, match="there already, or comes too late"), storage.transaction():
            rows.add_bundles(storage, wrong)
    assert storage.bundles() == [rows.bundle(2), rows.bundle(3)]
    with storage.transaction():
        rows.add_bundles(storage, rows.bundle(9, seq=7))
    assert storage.logs_of("log-a") == (7, rows.bundle(9).hash)


@pytest.mark.parametrize("seed", range(5))
def test_bundles_are_found_by_id_and_by_log_however_logs_take_turns(storage: Storage, seed: int) -> None:
    print(f"seed {seed}")
    chance = random.Random(seed)
    seqs = dict.fromkeys("abc", 0)
    made: list[BundleRow] = []
    log = "a"
    for number in range(1, 1400):
        if chance.random() < (0.9 if seed == 4 else 0.1):
            log = chance.choice("abc")
        seqs[log] += 1 if chance.random() < 0.98 else 2
        row = rows.bundle(number, log=log, seq=seqs[log], hlc=f"{number:09}")
        # Every tenth begins like another one.
        beginning = chance.choice(made).id[:13] if made and number % 10 == 0 else f"{chance.getrandbits(52):013x}"
        made.append(row._replace(id=f"{beginning}{number:019x}"))
    while made:
        size = chance.choice([1, 3, 200])
        some, made = made[:size], made[size:]
        with storage.transaction():
            rows.add_bundles(storage, *some)
    made = storage.bundles()
    for row in made:
        assert storage.bundle(row.id) == row
        assert row in storage.bundles_like(row.id[:31])
        assert storage.bundle_at(row.log, row.seq) == rows.BODY + row.id.encode()
    for prefix in [*(f"{number:02x}" for number in range(256)), *(row.id[:13] for row in made[::7])]:
        assert (
            storage.bundles_like(prefix)
            == sorted((row for row in made if row.id.startswith(prefix)), key=lambda row: row.id)[:2]
        )
    known = {(row.log, row.seq) for row in made}
    newest = {row.log: row for row in made}
    for log in "abcd":
        missing = [seq for seq in range(seqs.get(log, 0) + 3) if (log, seq) not in known]
        assert [storage.bundle_at(log, seq) for seq in missing] == [None] * len(missing)
        last = newest.get(log)
        assert storage.logs_of(log) == ((last.seq, last.hash) if last else (0, b""))
        assert storage.newest_hlc(log) == (last.hlc if last else "")
    assert storage.logs() == {log: (row.seq, row.hash) for log, row in newest.items()}
    assert storage.check() == []


def test_bundles_by_user_come_newest_first(storage: Storage) -> None:
    made = [rows.bundle(number, user="u1" if number % 2 else "u2") for number in range(1, 7)]
    with storage.transaction():
        rows.add_bundles(storage, *made)
    assert storage.bundles_by_user("u1", limit=10) == [made[4], made[2], made[0]]
    assert storage.bundles_by_user("u1", limit=1) == [made[4]]
    assert storage.bundles_by_user("u3", limit=1) == []


# -- registers ---------------------------------------------------------------------------------------------


def test_registers_are_found_by_place_and_number(storage: Storage) -> None:
    row = rows.register(4, value='"é🎭"', client=2**53 - 1, clock=2**53)
    with storage.transaction():
        storage.put_registers([row])
    assert storage.register(4) == row
    assert storage.register_at("p", row.root, row.key) == row
    assert storage.register_at("q", row.root, row.key) is None
    assert storage.register(5) is None
    assert storage.next_register() == 5


def test_a_register_keeps_its_place_and_takes_its_winner(storage: Storage) -> None:
    with storage.transaction():
        storage.put_registers([rows.register(1, sought=True)])
        storage.put_registers([RegisterRow(1, "other", "other", "other", "other", "other", 5, 6, True, '"new"', False)])
    assert storage.register(1) == rows.register(1, client=5, clock=6, forked=True, value='"new"', sought=True)
    with storage.transaction():
        storage.put_registers([rows.register(1, value=None)])
    assert storage.register(1) == rows.register(1, value=None)
    with storage.transaction():
        storage.change_registers([rows.register(1, value='"x"', client=3, forked=True), rows.register(2)])
    assert list(storage.all_registers()) == [rows.register(1, value='"x"', client=3, forked=True)]


def test_a_place_has_one_register(storage: Storage) -> None:
    with storage.transaction():
        storage.put_registers([rows.register(1)])
    with pytest.raises(StorageError), storage.transaction():
        storage.put_registers([rows.register(1)._replace(id=2)])
    assert [row.id for row in storage.all_registers()] == [1]


def test_registers_come_in_order(storage: Storage) -> None:
    made = [
        rows.register(1, "p.g", "e2", "a"), rows.register(2, "p.f", "e2", "b"), rows.register(3, "p.f", "e1", "z"),
        rows.register(4, "p.f", "e2", "a"), rows.register(5, "p.f", "e2", "a", document="a"),
        rows.register(6, "p.f", "e2", ""),
    ]  # fmt: skip
    with storage.transaction():
        storage.put_registers(made)
    assert [row.id for row in storage.registers_of_entity("e2")] == [6, 5, 4, 2, 1]
    assert [row.id for row in storage.registers_of_root("p.f")] == [3, 6, 5, 4, 2]
    assert [row.id for row in storage.all_registers()] == [5, 3, 6, 4, 2, 1]
    assert storage.registers_of_entity("nobody") == []
    assert list(storage.registers_of_root("nowhere")) == []


def test_order_is_that_of_code_points(storage: Storage) -> None:
    keys = ["B", "a", "b", "é", "\uffff", "🎭", "a\0b"]
    with storage.transaction():
        storage.put_registers([rows.register(id, entity=key, field="") for id, key in enumerate(keys, 1)])
    assert [row.key for row in storage.all_registers()] == sorted(keys)


def test_registers_are_found_by_whole_values_where_sought(storage: Storage) -> None:
    long = '"' + "é" * 50
    made = [
        rows.register(1, value=long + '1"'), rows.register(2, value=long + '2"'), rows.register(3, value=long + '1"'),
        rows.register(4, value=long + '1"', sought=False), rows.register(5, field="b", value=long + '1"'),
        rows.register(6, root="p.g", value=long + '1"'), rows.register(7, value=None), rows.register(8, value=long),
        rows.register(9, value="1"), rows.register(10, value='"1"'),
    ]  # fmt: skip
    with storage.transaction():
        storage.put_registers(made)

    def found(value: str) -> list[int]:
        return sorted(row.id for row in storage.registers_valued("p.f", "a", value))

    assert found(long + '1"') == [1, 3]
    assert found(long) == [8]
    assert found("1") == [9]
    assert found('"1"') == [10]
    with storage.transaction():
        storage.seek("p.f", "a")
        storage.put_registers([made[0]._replace(value='"else"')])
    assert found(long + '1"') == [3, 4]
    assert found('"else"') == [1]


def test_who_has_a_value_is_found_without_reading_who_has_others(tmp_path: Path) -> None:
    """Each edit of a field that tells things apart asks for it: an import of N rows would take N² steps."""
    storage = SqliteStorage(str(tmp_path / "workspace.db"))
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    def steps_to_find(value: str) -> int:
        nonlocal steps
        steps = 0
        storage._connection.set_progress_handler(step, 1)
        assert len(storage.registers_valued("p.f", "a", value)) == 1
        storage._connection.set_progress_handler(None, 0)
        return steps

    with storage.transaction():
        storage.put_registers([rows.register(number, value=f"{number}") for number in range(1, 11)])
    among_few = steps_to_find("7")
    with storage.transaction():
        storage.put_registers([rows.register(number, value=f"{number}") for number in range(11, 1_001)])
    assert 0 < steps_to_find("7") <= among_few
    storage.close()


def test_markers_gone_are_the_absent_and_the_null(storage: Storage) -> None:
    with storage.transaction():
        storage.put_registers(
            [
                rows.register(1, field="", value="null"),
                rows.register(2, field="", value=None),
                rows.register(3, field="", value="true"),
                rows.register(4, value="null"),
                rows.register(5, field="", value="null")._replace(entity=""),
            ]
        )
    assert sorted(row.id for row in storage.markers_gone()) == [1, 2]


# -- versions and removals ---------------------------------------------------------------------------------


def test_the_first_known_value_of_a_version_stays(storage: Storage) -> None:
    with storage.transaction():
        rows.add_bundles(storage, rows.bundle(1), rows.bundle(2))
        storage.add_leaves([rows.leaf(1)])
        storage.add_versions([rows.version(0, value='"first"'), rows.version(1, value=None)])
        storage.add_versions([rows.version(0, value='"second"', bundle=2), rows.version(0, value=None)])
        storage.add_versions([rows.version(1, 9, value='"late"', bundle=2)])
        storage.add_versions([rows.version(1, value='"later"')])
    assert [found.version for found in storage.versions_of(rows.register(1))] == [
        rows.version(0, value='"first"'), rows.version(1, value='"late"'),
    ]  # fmt: skip
    assert storage.versions_of(rows.register(9, clock=9)) == []


def test_a_version_can_be_said_anew_but_keeps_its_place(storage: Storage) -> None:
    with storage.transaction():
        rows.add_bundles(storage, rows.bundle(1), rows.bundle(2))
        storage.add_leaves([rows.leaf(1)])
        storage.add_versions([rows.version(0, value='"first"'), rows.version(1, value=None)])
        storage.change_versions([rows.version(0, 9, value='"second"', bundle=2), rows.version(1, value='"x"')])
        storage.change_versions([rows.version(0, value=None, bundle=2), rows.version(5)])
    assert [found.version for found in storage.versions_of(rows.register(1))] == [
        rows.version(0, value=None, bundle=2), rows.version(1, value='"x"'),
    ]  # fmt: skip
    assert storage.version("p", 1, 5) is None


def test_versions_come_in_order_with_who_wrote_them(storage: Storage) -> None:
    made = [
        rows.version(3, client=2), rows.version(9, client=1, bundle=2, parent=(2, 3)),
        rows.version(1, client=2, parent=(1, 9)),
    ]  # fmt: skip
    with storage.transaction():
        rows.add_bundles(storage, rows.bundle(1), rows.bundle(2))
        storage.put_registers([rows.register(1, client=2, clock=1)])
        storage.add_versions(made)
        storage.add_versions([rows.version(5, 2), rows.version(6, 1, bundle=77, parent=(2, 1))])
    assert storage.versions_of(rows.register(1, client=2, clock=1)) == [
        (made[1], rows.bundle(2)), (made[2], rows.bundle(1)), (made[0], rows.bundle(1)),
    ]  # fmt: skip
    assert storage.version("p", 1, 9) == (made[1], rows.bundle(2))
    assert storage.version("p", 1, 8) is None
    assert storage.version("p", 1, 6) is None
    assert storage.register_of("p", 2, 3) == rows.register(1, client=2, clock=1)
    assert storage.register_of("p", 1, 5) is None
    assert storage.register_of("q", 2, 3) is None
    assert storage.versions_in("p", 2, 1, 4) == [made[2], made[0]]
    assert storage.versions_in("p", 2, 1, 3) == [made[2]]


def test_versions_are_found_from_the_winner_and_the_leaves_of_their_register(storage: Storage) -> None:
    trunk = [rows.version(0), rows.version(1, parent=(1, 0)), rows.version(2, parent=(1, 1))]
    branch = [rows.version(0, client=2, parent=(1, 0)), rows.version(1, client=2, parent=(2, 0))]
    root = rows.version(0, client=3)
    register = rows.register(1, clock=2)
    with storage.transaction():
        rows.add_bundles(storage, rows.bundle(1))
        storage.put_registers([register])
        storage.add_versions([*trunk, *branch, root, rows.version(7, 2, client=4)])

    def found(row: RegisterRow = register) -> list[VersionRow]:
        return [one.version for one in storage.versions_of(row)]

    assert found() == trunk
    assert storage.versions_of(1) == storage.versions_of(register)
    assert storage.versions_of(2) == []
    assert found(rows.register(1, clock=1)) == trunk[:2]
    assert storage.check() == ["3 versions that can't be found by their field"]
    with storage.transaction():
        storage.add_leaves(
            [rows.leaf(1, client=2), rows.leaf(0, client=2), rows.leaf(1, client=2), rows.leaf(7, 2, client=4)]
        )
    assert found() == [*trunk, *branch]
    with storage.transaction():
        storage.add_leaves([rows.leaf(0, client=3)])
        storage.put_registers([rows.register(2, client=4, clock=7)])
    assert found() == [*trunk, *branch, root]
    assert found(rows.register(2, client=4, clock=7)) == [rows.version(7, 2, client=4)]
    assert found(register._replace(document="q")) == []
    rooted = [(id, one.version) for id, one in storage.versions_of_root("p.f")]
    assert rooted == [*((1, one) for one in found()), (2, rows.version(7, 2, client=4))]
    assert list(storage.versions_of_root("p.g")) == []
    assert storage.check() == []


def test_removals_are_kept_once_a_bundle_and_come_by_time(storage: Storage) -> None:
    with storage.transaction():
        rows.add_bundles(storage, rows.bundle(1, hlc="2"), rows.bundle(2, hlc="1"))
        storage.add_clears([rows.clear(5), rows.clear(4), rows.clear(5, bundle=2), rows.clear(5, register=3)])
        storage.add_clears([rows.clear(1, register=2)])
    assert [(row.clock, row.bundle, bundle.number) for row, bundle in storage.clears_of(1)] == [
        (5, 2, 2), (4, 1, 1), (5, 1, 1),
    ]  # fmt: skip
    assert storage.clears_of(3) == []


# -- texts -------------------------------------------------------------------------------------------------


def test_a_run_of_text_is_found_by_any_of_its_elements(storage: Storage) -> None:
    with storage.transaction():
        rows.add_bundles(storage, rows.bundle(1))
        storage.put_spans([rows.span(0, 3), rows.span(5, 2), rows.span(3, 4, client=2), rows.span(6, deleted=True)])
    assert storage.span_at("p", 1, 0) == rows.span(0, 3)
    assert storage.span_at("p", 1, 2) == rows.span(0, 3)
    assert storage.span_at("p", 1, 3) is None
    assert storage.span_at("p", 1, 6) == rows.span(5, 2)
    assert storage.span_at("p", 1, 7) is None
    assert storage.span_at("p", 2, 2) is None
    assert storage.span_at("q", 1, 0) is None


def test_runs_of_a_text_come_by_time_then_place(storage: Storage) -> None:
    with storage.transaction():
        rows.add_bundles(storage, rows.bundle(1, hlc="2"), rows.bundle(2, hlc="1"))
        storage.put_spans([rows.span(9), rows.span(4, client=2), rows.span(4, deleted=True), rows.span(4)])
        storage.put_spans([rows.span(20, bundle=2), rows.span(4), rows.span(1, root="p.other")])
    assert [(row.client, row.clock, row.deleted) for row, _bundle in storage.spans_of("p", "p.t")] == [
        (1, 20, False), (1, 4, False), (1, 4, True), (1, 9, False), (2, 4, False),
    ]  # fmt: skip
    assert storage.text_roots() == [("p", "p.other"), ("p", "p.t")]


def test_runs_are_written_over_by_place_and_found_by_what_they_hold(storage: Storage) -> None:
    with storage.transaction():
        rows.add_bundles(storage, rows.bundle(1), rows.bundle(2))
        storage.put_spans([rows.span(2, 4), rows.span(6, 1, 2), rows.span(9, 3), rows.span(3, deleted=True)])
        storage.put_spans([rows.span(9, 2, 2), rows.span(0, 9, client=2)])
        storage.drop_spans([rows.span(6), rows.span(4)])

    def found(start: int, end: int) -> list[int]:
        return [row.clock for row in storage.spans_in("p", 1, start, end, deleted=False)]

    assert [found(0, 2), found(0, 3), found(5, 9), found(6, 9), found(5, 10), found(10, 12)] == [
        [], [2], [2], [], [2, 9], [9],
    ]  # fmt: skip
    assert storage.spans_in("p", 1, 0, 9, deleted=True) == [rows.span(3, deleted=True)]
    assert storage.spans_of_change("p", "p.t", 1) == [
        rows.span(2, 4), rows.span(3, deleted=True), rows.span(0, 9, client=2),
    ]  # fmt: skip
    assert storage.spans_of_change("p", "p.t", 1, limit=1) == [rows.span(2, 4)]
    assert storage.spans_of_change("p", "p.t", 2) == [rows.span(9, 2, 2)]
    assert storage.spans_of_change("p", "p.other", 1) == []


def test_who_had_a_hand_in_a_text_is_found_by_stretches_of_a_log(storage: Storage) -> None:
    made = [rows.change(seq, 10 + seq, user=f"u{seq % 2}", whole=seq == 4) for seq in range(1, 7)]
    with storage.transaction():
        for row in [*made, rows.change(3, log="log-b"), rows.change(9, log="log-c", root="p.other")]:
            storage.put_text_change(row)
        storage.put_text_change(made[2]._replace(bundle=33))
        storage.drop_text_change(made[5])
    assert storage.text_logs("p", "p.t") == ["log-a", "log-b"]
    read = storage.text_changes
    assert read("p", "p.t", "log-a", whole=False) == [made[0], made[1], made[2]._replace(bundle=33), made[4]]
    assert read("p", "p.t", "log-a", after=1, before=5, whole=False) == [made[1], made[2]._replace(bundle=33)]
    assert read("p", "p.t", "log-a", whole=True) == [made[3]]
    assert read("p", "p.t", "log-a", after=4, whole=True) == []
    has = storage.has_text_change
    assert has("p", "p.t", "log-a", after=1, before=3, other_than="u1")
    assert not has("p", "p.t", "log-a", after=1, before=3, other_than="u0")
    assert not has("p", "p.t", "log-a", after=3, before=5, other_than="u1")  # a whole state
    assert not has("p", "p.t", "log-a", after=5, before=None, other_than="")


def test_those_apart_are_kept_once_and_the_last_of_a_log_are_read(storage: Storage) -> None:
    made = [rows.change(seq) for seq in (1, 2, 10)]
    assert not storage.has_apart("p", "p.t")
    with storage.transaction():
        storage.add_apart(made[::-1])
        storage.add_apart([made[0]._replace(user="u9"), rows.change(1, root="p.other")])
    assert storage.apart_in("p", "p.t", "log-a", limit=-1) == made
    assert storage.apart_in("p", "p.t", "log-a", limit=2) == made[1:]
    assert storage.apart_in("p", "p.t", "log-b", limit=2) == []
    with storage.transaction():
        storage.clear_apart("p", "p.t")
    assert not storage.has_apart("p", "p.t")
    assert storage.has_apart("p", "p.other")


# -- resolutions and conflicts -----------------------------------------------------------------------------


def test_resolutions_come_by_time_and_a_version_is_replaced(storage: Storage) -> None:
    with storage.transaction():
        rows.add_bundles(storage, rows.bundle(1, hlc="2"), rows.bundle(2, hlc="1"))
        storage.add_resolutions([rows.resolution(7), rows.resolution(3), rows.resolution(5, bundle=2)])
        storage.add_resolutions([rows.resolution(6, "c_2", key="e2/a"), rows.resolution(7, body='{"v":2}')])
    assert [(row.clock, row.body) for row, _bundle in storage.resolutions_of("c_1")] == [
        (5, "{}"), (3, "{}"), (7, '{"v":2}'),
    ]  # fmt: skip
    assert [row.clock for row, _bundle in storage.resolutions_at("p", "p.f", "e1/a")] == [5, 3, 7]
    assert [row.clock for row, _bundle in storage.resolutions_at("p", "p.f", "e2/a")] == [6]
    assert storage.resolutions_at("q", "p.f", "e1/a") == []
    assert [row.clock for row in storage.all_resolutions()] == [3, 5, 6, 7]


def test_conflicts_are_filtered_and_come_by_id(storage: Storage) -> None:
    made = [
        rows.conflict("c_b"), rows.conflict("c_a", status="resolved"), rows.conflict("c_c", kind="invalid"),
        rows.conflict("c_d", entity="e2", reopened=True),
    ]  # fmt: skip
    with storage.transaction():
        for row in made:
            storage.put_conflict(row)
    b, a, c, d = made
    assert storage.conflicts() == [a, b, c, d]
    assert storage.conflicts(status="open") == [b, c, d]
    assert storage.conflicts(status="open", kind="field", entity="e1") == [b]
    assert storage.conflicts(after="c_b") == [c, d]
    assert storage.conflicts(limit=2) == [a, b]
    assert storage.conflicts_of("e2") == [d]
    assert storage.conflict("c_d") == d
    with storage.transaction():
        storage.put_conflict(b._replace(status="overtaken", register=None))
        storage.drop_conflict("c_a")
        storage.drop_conflict("nothing")
    assert storage.conflicts() == [b._replace(status="overtaken", register=None), c, d]
    assert storage.conflict("c_a") is None


# -- rebuilding and copies ---------------------------------------------------------------------------------


def test_clearing_what_is_derived_keeps_the_rest(storage: Storage) -> None:
    fill(storage)
    with storage.transaction():
        storage.clear_derived()
    found = contents(storage)
    assert found["bundles"] == [rows.bundle(1), rows.bundle(2, log="log-b", seq=1)]
    assert found["meta"]["name"] == "Hamlet"
    assert found["tokens"] == [rows.token("t1")]
    assert len(found["quarantined"]) == 1
    for derived in ("registers", "versions", "clears", "spans", "changes", "resolutions", "conflicts", "snapshots"):
        assert not found[derived], derived
    assert storage.text_logs("p", "p.t") == []
    assert not storage.has_apart("p", "p.t")
    assert storage.next_register() == 1


def test_a_backup_is_a_whole_file_of_its_own(storage: Storage, tmp_path: Path) -> None:
    fill(storage)
    target = str(tmp_path / "copy é.db")
    storage.backup(target)
    before = contents(storage)
    copy = SqliteStorage(target)
    try:
        assert contents(copy) == before
        assert copy.check() == []
        with copy.transaction():
            spoil(copy)
    finally:
        copy.close()
    assert contents(storage) == before
    with pytest.raises(StorageError, match="exists already"):
        storage.backup(target)


# -- who stands for whom -----------------------------------------------------------------------------------


def test_who_stands_for_whom(storage: Storage) -> None:
    with storage.transaction():
        storage.put_redirects({"a": "b", "c": "b"})
        storage.put_bound({("x.y", "a"): "one", ("x.y", "b"): "one"})
    with storage.transaction():
        storage.put_redirects({"a": None, "c": "d"})
        storage.put_bound({("x.y", "a"): None, ("x.y", "b"): "two"})
    assert storage.redirects() == {"c": "d"}
    assert storage.bound() == {("x.y", "b"): "two"}
    with storage.transaction():
        storage.clear_derived()
    assert (storage.redirects(), storage.bound()) == ({}, {})
