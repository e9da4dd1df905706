"""Plays in Fountain markup."""

import pytest

from openprod.plugin_api import InvalidFile, Snapshot, Source
from openprod.plugin_api.testing import applied
from plugins.script.jobs.fountain_play import plan
from plugins.script.jobs.play import arabic, division, entering, shown, speakers

NOTHING = Snapshot("workspace")

PLAY = """\
Title: The Two Doors
Author: Nobody

# ACT I

## SCENE I

.SCENE I

!A hall. Two doors.

!Enter Anna, Bertram and two Guards.

ANNA
Which door?
.”
Neither.

BERTRAM (aside)
Both.

## SCENE II

.SCENE II

!The other side.

ANNA BERTRAM
Here we are.

FIRST GUARD
Halt. (Exit.)

GUARDS AND ANNA
No.

# ACT II

.ACT II

!A garden.

!Enter Anna.

ANNA
Alone.

BERTRAM
(Within.) No!

BOTH ^
Oh.
"""


def read(text: str, before: Snapshot = NOTHING) -> Snapshot:
    return applied(before, plan(Source(text.encode(), "play.fountain"), before).operations)


def by_name(snapshot: Snapshot, facet: str) -> dict[str, dict[str, object]]:
    return {str(fields["name"]): dict(fields) for fields in snapshot.entities(facet).values()}


def test_acts_and_scenes_in_order() -> None:
    assert by_name(read(PLAY), "script.scene") == {
        "Act I, Scene I": {
            "name": "Act I, Scene I", "code": "1.1", "act": "I", "scene": "I", "heading": "A hall. Two doors.",
            "order": 1,
        },
        "Act I, Scene II": {
            "name": "Act I, Scene II", "code": "1.2", "act": "I", "scene": "II", "heading": "The other side.",
            "order": 2,
        },
        "Act II": {"name": "Act II", "code": "2", "act": "II", "heading": "A garden.", "order": 3},
    }  # fmt: skip


def test_people_with_how_often_they_speak() -> None:
    roles = by_name(read(PLAY), "script.role")
    assert {name: role["speeches"] for name, role in roles.items()} == {
        "Anna": 4, "Bertram": 3, "First Guard": 1, "Guards": 1, "Both": 1,
    }  # fmt: skip
    assert [role["order"] for role in roles.values()] == [1, 2, 3, 4, 5]


def test_who_speaks_in_which_scene() -> None:
    after = read(PLAY)
    roles, scenes = after.entities("script.role"), after.entities("script.scene")
    found = {
        (roles[edge.source]["name"], scenes[edge.target]["code"]): edge.properties["speeches"]
        for edge in after.edges("script.speaks_in").values()
    }
    assert found == {
        ("Anna", "1.1"): 1, ("Bertram", "1.1"): 1, ("Anna", "1.2"): 2, ("Bertram", "1.2"): 1,
        ("First Guard", "1.2"): 1, ("Guards", "1.2"): 1, ("Anna", "2"): 1, ("Bertram", "2"): 1, ("Both", "2"): 1,
    }  # fmt: skip


def test_importing_twice_proposes_nothing_and_a_cut_proposes_the_counts() -> None:
    after = read(PLAY)
    assert plan(Source(PLAY.encode(), "play.fountain"), after).changes_nothing
    cut = PLAY.replace("FIRST GUARD\nHalt. (Exit.)\n\n", "FIRST GUARD\nHalt. (Exit.)\n\nFIRST GUARD\nHalt!\n\n")
    operations = plan(Source(cut.encode(), "play.fountain"), after).operations
    assert sorted(type(operation).__name__ for operation in operations) == ["SetEdgeProperty", "SetField"]


def test_two_laptops_apart_make_the_same_entities() -> None:
    assert plan(Source(PLAY.encode(), "a.fountain"), NOTHING) == plan(Source(PLAY.encode(), "b.fountain"), NOTHING)


def test_line_ends_do_not_matter() -> None:
    assert plan(Source(PLAY.replace("\n", "\r\n").encode()), NOTHING) == plan(Source(PLAY.encode()), NOTHING)


def test_a_screenplay_has_scenes_named_by_their_headings() -> None:
    after = read("INT. KITCHEN - DAY\n\nANNA\nTea?\n\n===\n\nEXT. GARDEN - NIGHT\n\nANNA\nNo.\n")
    scenes = by_name(after, "script.scene")
    assert [(scene["name"], scene["page"]) for scene in scenes.values()] == [
        ("INT. KITCHEN - DAY", "1"),
        ("EXT. GARDEN - NIGHT", "2"),
    ]


@pytest.mark.parametrize("text", ["", "Only words here.", "# ACT I\n\n.SCENE I\n\n!A room.\n"])
def test_a_text_in_which_nobody_speaks_is_refused(text: str) -> None:
    with pytest.raises(InvalidFile) as refused:
        plan(Source(text.encode(), "notes.fountain"), NOTHING)
    assert "capitals" in refused.value.hint


@pytest.mark.parametrize("text", ["[[" * 100_000, "x" * 30_000, "ANNA\nYes.\n\n" * 200_000, "/*\n" * 5_000])
def test_what_no_play_looks_like_is_refused_at_once(text: str) -> None:
    with pytest.raises(InvalidFile, match="doesn't look like a play"):
        plan(Source(text.encode(), "strange.fountain"), NOTHING)


def test_a_joint_heading_is_taken_apart_only_by_known_names() -> None:
    known = {"HORATIO", "MARCELLUS", "PLAYER KING", "KING", "VOLTIMAND", "CORNELIUS"}
    assert speakers("HORATIO MARCELLUS", known) == ["HORATIO", "MARCELLUS"]
    assert speakers("CORNELIUS VOLTIMAND KING", known) == ["CORNELIUS", "VOLTIMAND", "KING"]
    assert speakers("PLAYER KING", known) == ["PLAYER KING"]
    assert speakers("KING " * 40, known) == ["KING " * 40]
    assert speakers("JACK AND ALGERNON", set()) == ["JACK", "ALGERNON"]


def test_names_are_found_in_entrances() -> None:
    assert entering("Enter King, Queen, Voltimand, Cornelius, Lords, and Attendants.") >= {"CORNELIUS", "LORDS"}
    assert entering("A room in the castle.") == set()


@pytest.mark.parametrize(
    ("roman", "number"), [("I", "1"), ("IV", "4"), ("IX", "9"), ("XIV", "14"), ("3", "3"), ("", "")]
)
def test_roman_numbers(roman: str, number: str) -> None:
    assert arabic(roman) == number


def test_what_a_heading_says() -> None:
    found = division("Scene iii. A heath")
    assert found is not None
    assert (found.kind, found.number, found.rest) == ("scene", "III", "A heath")
    assert division("Activity 1") is None


def test_names_as_people_write_them() -> None:
    assert shown("FIRST CLOWN") == "First Clown"
    assert shown("O’NEILL") == "O’Neill"
    assert shown("KING’S MAN") == "King’s Man"
    assert shown("McDuff") == "McDuff"
