"""One person in three plugins that know nothing of each other, from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Laptop

CARDS = """BEGIN:VCARD
VERSION:3.0
UID:card-1
FN:Jane Doe
N:Doe;Jane;;;
EMAIL:jane@example.org
TEL:+44 20 7946 0001
END:VCARD
BEGIN:VCARD
VERSION:3.0
UID:card-2
FN:Sam Poole
N:Poole;Sam;;;
EMAIL:sam@example.org
END:VCARD
"""
SHEET = """Contact sheet - A Show,,,,
,,,,
Name,,E-mail,Phone,Role
J. Doe,,,+44 20 7946 0001,Stage manager
Kit Lane,,kit@example.org,,Sound
"""


@pytest.fixture
def kim(tmp_path: Path) -> Laptop:
    laptop = Laptop(tmp_path, "Kim")
    (tmp_path / "cards.vcf").write_text(CARDS)
    (tmp_path / "people.csv").write_text(SHEET)
    laptop.done("new", "ham.openprod", "--name", "Hamlet", "--plugin", "contacts", "--plugin", "schedule",
                "--plugin", "cues")  # fmt: skip
    return laptop


def rows(laptop: Laptop, query: str) -> list[dict[str, Any]]:
    found = laptop.run("query", "ham.openprod", query, "--json").json
    return [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]


def only(laptop: Laptop, facet: str, field: str, value: str) -> str:
    (row,) = [one for one in rows(laptop, facet) if one[field] == value]
    return str(row["entity"])


def test_one_person_everywhere(kim: Laptop) -> None:
    for importer, file in (("contacts.vcard", "cards.vcf"), ("contacts.sheet", "people.csv")):
        assert "Nothing was changed" in kim.run("import", "ham.openprod", importer, file).err
        kim.done("import", "ham.openprod", importer, file, "--apply")
    (kim.folder / "company.csv").write_text("Name,Role,Department\nJ. Doe,Stage manager,SM\n")
    kim.done("import", "ham.openprod", "schedule.people", "company.csv", "--apply")

    kim.done("concept", "define", "ham.openprod", "Person", "name", "email", "phone")
    kim.done("bind", "ham.openprod", "contacts.person", "Person", "name", "email", "phone")
    kim.done("bind", "ham.openprod", "schedule.attendee", "Person", "name=displayName", "email")
    listed = kim.run("concept", "list", "ham.openprod", "--json").json["concepts"]
    assert [(one["concept"], len(one["bindings"])) for one in listed] == [("Person", 2)]

    jane, double = only(kim, "contacts.person", "name", "Jane Doe"), only(kim, "contacts.person", "name", "J. Doe")
    kim.done("duplicates", "rule", "ham.openprod", "contacts.person", "phone")
    (proposal,) = kim.run("duplicates", "list", "ham.openprod", "--json").json["proposals"]
    assert {one["id"] for one in proposal["entities"]} == {jane, double}
    assert "openprod entity merge" in kim.done("duplicates", "list", "ham.openprod")

    before = kim.done("hash", "ham.openprod")
    shown = kim.run("entity", "merge", "ham.openprod", jane, double)
    assert "they differ: a choice" in shown.out
    assert "Nothing was changed" in shown.err
    assert kim.done("hash", "ham.openprod") == before
    kim.done("entity", "merge", "ham.openprod", jane, double, "--set", "contacts.person/name=Jane Doe", "--apply")
    assert kim.run("conflicts", "ham.openprod", "--json").json["conflicts"] == [] or all(
        one["field"] != "name" for one in kim.run("conflicts", "ham.openprod", "--json").json["conflicts"]
    )
    assert kim.run("duplicates", "list", "ham.openprod", "--json").json["proposals"] == []
    assert "Jane Doe" in kim.done("entity", "show", "ham.openprod", double)

    kim.done("entity", "split", "ham.openprod", double)
    assert "J. Doe" in kim.done("entity", "show", "ham.openprod", double)
    refused = kim.run("entity", "split", "ham.openprod", double)
    assert (refused.status, refused.err.startswith("error[NOT_FOUND]")) == (1, True)

    attendee = only(kim, "schedule.attendee", "displayName", "J. Doe")
    looked = kim.done("assert", "ham.openprod", "Person", jane, attendee, "--preview")
    assert "they differ: a choice" in looked
    assert kim.run("concept", "show", "ham.openprod", "Person", "--json").json["concept_entities"] == []
    kim.done("assert", "ham.openprod", "Person", jane, attendee)
    conflicts = kim.run("conflicts", "ham.openprod", "--kind", "semantic", "--json").json["conflicts"]
    name = next(one for one in conflicts if one["field"] == "name")
    assert f"openprod resolve ham.openprod {name['id']} --choose VERSION    (or " in kim.done(
        "conflicts", "ham.openprod"
    )
    kim.done("resolve", "ham.openprod", name["id"], "--value", '"Jane Doe"')
    assert "name: Jane Doe" in kim.done("entity", "show", "ham.openprod", jane)
    assert "displayName: Jane Doe" in kim.done("entity", "show", "ham.openprod", attendee)
    # Once where they are the same; contacts and attendees alike.
    assert sorted(one["name"] for one in rows(kim, "Person")) == ["J. Doe", "Jane Doe", "Kit Lane", "Sam Poole"]
    said = [one["message"] for one in kim.run("log", "ham.openprod", "--json").json["bundles"]]
    assert said[-5:] == [
        "What may be one contacts.person: same phone", "Merged Person J. Doe into Person Jane Doe",
        "Split from Person Jane Doe", "One Person: Person Jane Doe, Attendee J. Doe", "Person Jane Doe name",
    ]  # fmt: skip
    kim.done("unbind", "ham.openprod", attendee)
    assert "displayName: Jane Doe" in kim.done("entity", "show", "ham.openprod", attendee)
    kim.done("unbind", "ham.openprod", "contacts.person")
    assert kim.run("concept", "show", "ham.openprod", "Person", "--json").json["concept_entities"] == []
