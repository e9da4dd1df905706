"""Members and what is held for review, from the command line."""

from __future__ import annotations

from tests.cli.program import Laptop


def test_only_members_change_a_founded_production(alex: Laptop, jordan: Laptop) -> None:
    """INV-MEMBER-2 between two laptops and a stick."""
    nobody = alex.run("members", "show.openprod", "--json").json
    assert (nobody["founded"], nobody["members"]) == (False, [])
    assert alex.run("held", "show.openprod", "--json").json == {"held": []}
    # Jordan's laptop wrote before anybody founded anything; so it counts.
    jordan.done("import", "show.openprod", "cues.csv", sheet(jordan, "LX,50,Fire,11:00,30"), "--apply")
    jordan.done("pack", "show.openprod", "-o", alex.folder / "one.pack")
    alex.done("merge", "show.openprod", "one.pack", "--apply")
    told = alex.run("invite", "show.openprod", "--role", "viewer", "--grant", "cues=editor", "--json").json
    assert (told["role"], told["grants"]) == ("viewer", {"cues": "editor"})
    (owner,) = alex.run("members", "show.openprod", "--json").json["members"]
    assert (owner["name"], owner["role"]) == ("Alex", "owner")
    assert "this one" in alex.done("members", "show.openprod")
    alex.done("pack", "show.openprod", "-o", jordan.folder / "two.pack")
    jordan.done("merge", "show.openprod", "two.pack", "--apply")
    assert jordan.done("hash", "show.openprod") == alex.done("hash", "show.openprod")
    # And now it takes being a member.
    refused = jordan.run("import", "show.openprod", "cues.csv", sheet(jordan, "LX,51,Ice,11:05,31"), "--apply")
    assert refused.status == 1
    assert "This device isn't a member of this production" in refused.err
    refused = alex.run("remove", "show.openprod", owner["device"])
    assert refused.status == 1
    assert "keeps an owner" in refused.err
    assert alex.run("remove", "show.openprod", "ffff").status == 1
    assert alex.run("held", "show.openprod", "--accept", "0123456789ab").status == 1
    assert "0 bundles let in" in alex.done("held", "show.openprod", "--accept-all")
    assert alex.run("invite", "show.openprod", "--grant", "cues").status == 2


def sheet(laptop: Laptop, row: str) -> str:
    (laptop.folder / "more.csv").write_text(f"List,Q,Label,Start time,Page\n{row}\n")
    return "more.csv"
