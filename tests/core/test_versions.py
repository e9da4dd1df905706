"""INV-CONFLICT-3. The pure rules of versions and heads, against the shared vectors and in small."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from openprod.core.versions import Join, Tree, Version, evaluate
from tests.seeds import fresh

VECTORS = Path(__file__).parents[2] / "crdt_schema" / "vectors"
HISTORIES = [json.loads(line) for line in (VECTORS / "histories.jsonl").read_text(encoding="utf-8").splitlines()]


def id_of(pair: list[int] | None) -> Any:
    return None if pair is None else (pair[0], pair[1])


def versions(register: dict[str, Any]) -> list[Version]:
    return [
        Version(id_of(one["id"]), id_of(one["origin"]), json.dumps(one["value"]), 0) for one in register["versions"]
    ]


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: str(history["seed"]))
def test_vectors_in_any_order(history: dict[str, Any]) -> None:
    seed = fresh("versions.vectors_in_any_order")
    print(f"seed {seed}")
    chance = random.Random(seed)
    for register in history["registers"]:
        made = versions(register)
        chance.shuffle(made)
        tree = Tree(made)
        winner = tree.winner()
        assert winner is not None
        assert winner.id == id_of(register["winner"])
        assert sorted(leaf.id for leaf in tree.leaves()) == sorted(map(id_of, register["leaves"]))
        state = evaluate(tree, is_deleted=lambda _id, gone=register["shown"] is None: gone)
        assert [head.id for head in state.heads] == sorted(map(id_of, register["heads"]))
        assert state.shown_value == (None if register["shown"] is None else json.dumps(register["shown"]))
        # Who truly didn't know whom is among the leaves; a head that isn't one was typed over by its own author.
        assert {id_of(id) for id in register["vector_clock_maxima"]} <= {leaf.id for leaf in tree.leaves()}


def v(id: tuple[int, ...], parent: tuple[int, ...] | None, value: str | None, **more: Any) -> Version:
    return Version(id, parent, value, 0, **more)  # type: ignore[arg-type]


def heads(tree: Tree, *joins: Join, gone: bool = False) -> list[tuple[int, ...]]:
    return [head.id for head in evaluate(tree, joins, is_deleted=lambda _id: gone).heads]


FORK = [v((1, 0), None, "0"), v((5, 0), (1, 0), "5"), v((9, 0), (1, 0), "9")]


def test_two_that_did_not_know_each_other() -> None:
    state = evaluate(Tree(FORK))
    assert (state.shown, state.disagrees, state.overtaken) == ((9, 0), True, False)
    assert state.base is not None
    assert state.base.id == (1, 0)


def test_two_people_at_one_laptop_stay_two_authors_though_they_write_through_one_client() -> None:
    kim = v((5, 0), (1, 0), "kim's", log="laptop/kim", seq=3)
    others = [v((1, 0), None, "0"), kim, v((9, 0), (1, 0), "shown")]
    alex = v((5, 7), (9, 0), "alex's", log="laptop/alex", seq=8)
    assert heads(Tree([*others, alex])) == [(5, 0), (5, 7)]
    assert heads(Tree([*others, alex._replace(log="laptop/kim")])) == [(5, 7)]
    assert heads(Tree([*others, alex._replace(log="")])) == [(5, 7)], "passed on by a program: nobody says who it was"


def test_equal_values_do_not_disagree() -> None:
    assert not evaluate(Tree([*FORK[:2], v((9, 0), (1, 0), "5")])).disagrees


def test_an_edit_over_the_winner_by_somebody_else_settles_nothing() -> None:
    assert heads(Tree([*FORK, v((7, 0), (9, 0), "7")])) == [(5, 0), (7, 0)]


def test_the_loser_typing_again_over_the_winner_overtakes() -> None:
    state = evaluate(Tree([*FORK, v((5, 1), (9, 0), "5b")]))
    assert [head.id for head in state.heads] == [(5, 1)]
    assert state.overtaken


def test_a_decision_joins_and_a_late_edit_below_it_reopens() -> None:
    decided = [*FORK, v((3, 0), (9, 0), "5")]
    join = Join(frozenset({(5, 0), (9, 0)}), (3, 0), False)
    assert heads(Tree(decided), join) == [(3, 0)]
    assert heads(Tree([*decided, v((2, 0), (5, 0), "2")]), join) == [(2, 0), (3, 0)]
    assert heads(Tree([*decided, v((2, 0), (3, 0), "2")]), join) == [(2, 0)]


def test_two_decisions_apart_disagree() -> None:
    tree = Tree([*FORK, v((3, 0), (9, 0), "5"), v((4, 0), (9, 0), "9")])
    joined = frozenset({(5, 0), (9, 0)})
    assert heads(tree, Join(joined, (3, 0), False), Join(joined, (4, 0), False)) == [(3, 0), (4, 0)]


def test_a_decision_taken_back_stands_for_what_it_joined() -> None:
    tree = Tree([*FORK, v((3, 0), (9, 0), "5")])
    assert heads(tree, Join(frozenset({(5, 0), (9, 0)}), (3, 0), True)) == [(5, 0), (9, 0)]


def test_a_decision_counts_once_its_value_is_here() -> None:
    assert heads(Tree(FORK), Join(frozenset({(5, 0), (9, 0)}), (3, 0), False)) == [(5, 0), (9, 0)]


def test_decisions_about_each_other_hide_nothing() -> None:
    """INV-DECIDE-1"""
    tree = Tree(FORK)
    crosswise = [Join(frozenset({(5, 0)}), (9, 0), False), Join(frozenset({(9, 0)}), (5, 0), False)]
    assert heads(tree, *crosswise) == [(5, 0), (9, 0)]


def test_a_decision_hides_nothing_written_above_it() -> None:
    tree = Tree([v((1, 0), None, "0"), v((5, 0), (1, 0), "5")])
    assert heads(tree, Join(frozenset({(5, 0)}), (1, 0), False)) == [(5, 0)]


def test_a_removal_is_a_head_and_covers_what_it_removed() -> None:
    tree = Tree([v((1, 0), None, "0"), v((1, 0, 1), (1, 0), "null", user="b", hlc="2"), v((9, 0), (1, 0), "9")])
    assert heads(tree) == [(1, 0, 1), (9, 0)]


def test_a_removal_by_nobody_known_says_nothing_where_the_value_stood() -> None:
    state = evaluate(Tree([v((1, 0), None, "0")]), is_deleted=lambda _id: True)
    assert (state.shown, state.shown_value, [head.value for head in state.heads]) == (None, None, ["null"])


def test_a_removal_elsewhere_does_not_bring_a_removed_value_back() -> None:
    tree = Tree([*FORK, v((5, 0, 1), (5, 0), "null", user="b", hlc="2")])
    state = evaluate(tree, is_deleted=lambda id: id == (9, 0))
    assert state.shown is None
    assert {head.id: head.value for head in state.heads} == {(5, 0, 1): "null", (9, 0): "null"}


def test_a_laptop_that_wrote_again_knew_its_own_value() -> None:
    tree = Tree([v((5, 0), None, "5", log="a", seq=1), v((9, 0), None, "9"), v((6, 0), (9, 0), "6", log="a", seq=2)])
    state = evaluate(tree)
    assert [head.id for head in state.heads] == [(6, 0)]
    assert state.overtaken


def test_a_decision_taken_back_whose_heads_are_not_here_stands_for_itself() -> None:
    tree = Tree([*FORK, v((3, 0), (9, 0), "3")])
    assert heads(tree, Join(frozenset({(77, 0)}), (3, 0), True)) == [(3, 0), (5, 0)]


def test_what_was_written_over_a_side_stays_when_the_decision_is_taken_back() -> None:
    tree = Tree([*FORK, v((3, 0), (9, 0), "5"), v((2, 0), (9, 0), "2")])
    assert heads(tree, Join(frozenset({(5, 0), (9, 0)}), (3, 0), True)) == [(2, 0), (5, 0)]


def test_a_decision_taken_back_about_one_value_stands_against_it() -> None:
    tree = Tree([v((1, 0), None, "0"), v((2, 0), (1, 0), "2")])
    state = evaluate(tree, [Join(frozenset({(1, 0)}), (2, 0), True)])
    assert (state.disagrees, [head.id for head in state.heads]) == (True, [(1, 0), (2, 0)])


def test_values_that_agreed_do_not_disagree_with_who_wrote_over_one_having_seen_both() -> None:
    tree = Tree([*FORK[:2], v((9, 0), (1, 0), "5"), v((7, 0), (9, 0), "7", log="a", seq=1)])
    assert heads(tree) == [(5, 0), (7, 0)]
    state = evaluate(tree, knows=lambda later, earlier: (later.id, earlier.id) == ((7, 0), (5, 0)))
    assert ([head.id for head in state.heads], state.overtaken) == ([(7, 0)], False)
    # Values that didn't agree stay, however much one had seen: people resolve.
    assert len(evaluate(Tree([*FORK, v((7, 0), (9, 0), "7", log="a", seq=1)]), knows=lambda _a, _b: True).heads) == 2


def test_a_value_written_over_a_removal_replaces_it() -> None:
    removed = [v((9, 0), None, "9"), v((9, 0, 1), (9, 0), "null", user="b", hlc="2")]
    tree = Tree([*removed, v((3, 0), (9, 0, 1), "3")])
    winner = tree.winner()
    assert winner is not None
    assert (winner.id, heads(tree)) == ((3, 0), [(3, 0)])
    # Whoever hadn't seen the removal disagrees with it.
    assert heads(Tree([*removed, v((3, 0), (9, 0), "3")])) == [(3, 0), (9, 0, 1)]
