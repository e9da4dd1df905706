"""Address books of all ages."""

import pytest

from openprod.plugin_api import EdgeView, InputError, InvalidFile, Snapshot, Source
from openprod.plugin_api.testing import applied, exported
from plugins.contacts.jobs.vcard_in import plan
from plugins.contacts.jobs.vcard_out import export
from plugins.contacts.tests.reading import DATA, NOTHING, people, read

ZOE = "urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1"


def card(*lines: str, version: str = "4.0") -> str:
    return "\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""])


def test_a_phones_card() -> None:
    after, said = read(plan, (DATA / "phone-3.0.vcf").read_bytes())
    assert people(after) == {
        "Adaeze Okonkwo-Reyes": {
            "given": "Adaeze", "family": "Okonkwo-Reyes", "role": "Deputy stage manager",
            "organisation": "Harrow Lane Theatre", "department": "Stage Management", "phone": "07700 900142",
            "other_phones": ["020 7946 0018 (work)"], "email": "adaeze@harrowlane.example",
            "other_emails": ["ada.okr@post.example"], "emergency_phone": "07700 900999", "birthday": "1991-07-04",
            "address": "12 Mulberry Close\nFlat 3\nLondon\nN1 7XX\nUnited Kingdom",
            "comment": "Prefers text.\nCarries an EpiPen, nuts.",
        }
    }  # fmt: skip
    assert said == [("property PHOTO", "In 1 card; there is no field for it here.")]


def test_a_new_address_book_with_groups() -> None:
    before, _ = read(plan, (DATA / "phone-3.0.vcf").read_bytes())
    after, said = read(plan, (DATA / "address-book-4.0.vcf").read_bytes(), before=before)
    assert people(after)["Zoë van der Linden"] == {
        "given": "Zoë", "family": "van der Linden", "pronouns": "they/them", "role": "Lighting designer",
        "phone": "+31-6-5550-0142 ext 7", "email": "zoe@vanderlinden.example", "agent": "Bright & Partners",
        "website": "https://vanderlinden.example", "emergency_contact": "Pieter (husband), +31 6 5550 0199",
    }  # fmt: skip
    groups = {str(fields["name"]): (id, fields["kind"]) for id, fields in after.entities("contacts.group").items()}
    assert {name: kind for name, (_id, kind) in groups.items()} == {
        "Design team": "group", "Lumen Hire Ltd": "organisation",
    }  # fmt: skip
    members = {view.source for view in after.edges("contacts.member_of").values()}
    assert members == set(after.entities("contacts.person"))
    assert {view.target for view in after.edges("contacts.member_of").values()} == {groups["Design team"][0]}
    assert ("card 2 (Design team)", "Members that are neither in this file nor here: 1.") in said


def test_an_old_phones_cards() -> None:
    after, said = read(plan, (DATA / "old-phone-2.1.vcf").read_bytes())
    assert people(after) == {
        "Oldřiška Žáčková": {
            "given": "Oldřiška", "family": "Žáčková", "phone": "+420 601 555 014", "role": "Wardrobe",
            "other_phones": ["02 5555 0142 (home)"], "email": "oldriska@post.example",
            "address": "Na Příkopě 12\n2. patro\nPraha\n110 00",
        },
        "Tobias Marsh": {"given": "Tobias", "family": "Marsh", "phone": "07700900155"},
    }  # fmt: skip
    assert said[0] == ("card 1 (Oldřiška Žáčková)", "A line that isn't one: “this line is broken”.")


@pytest.mark.parametrize("file", ["phone-3.0.vcf", "address-book-4.0.vcf", "old-phone-2.1.vcf"])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_line_ends_dont_matter_and_twice_changes_nothing(file: str, line_end: bytes) -> None:
    """INV-IMPORT-1"""
    data = (DATA / file).read_bytes().replace(b"\r\n", b"\n")
    whole, _ = read(plan, data)
    after, _ = read(plan, data.replace(b"\n", line_end))
    assert {id: dict(f) for id, f in after.entities("contacts.person").items()} == {
        id: dict(f) for id, f in whole.entities("contacts.person").items()
    }
    assert plan(Source(data, "renamed.vcf"), after).changes_nothing


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings(encoding: str) -> None:
    after, _ = read(plan, card("FN:Renée Müller", "EMAIL:r@post.example").encode(encoding))
    assert people(after) == {"Renée Müller": {"email": "r@post.example"}}


def test_a_fold_inside_a_character() -> None:
    data = card("FN:Renée Müller").encode().replace(b"\xc3\xa9", b"\xc3\r\n \xa9")
    assert list(people(read(plan, data)[0])) == ["Renée Müller"]


def test_quoted_printable_in_another_charset() -> None:
    line = "FN;CHARSET=ISO-8859-2;ENCODING=QUOTED-PRINTABLE:=AElut=FD"
    assert list(people(read(plan, card(line, version="2.1"))[0])) == ["Žlutý"]


def test_escapes_and_groups_and_quotes() -> None:
    text = card(
        "item1.FN:Ana\\, the \\; one\\\\",
        "ORG:Left\\;Right;Sound\\, Video",
        'TEL;TYPE="home,voice";X-NOTE="a:b;c":020 7946 0001',
    )
    assert people(read(plan, text)[0]) == {
        "Ana, the ; one\\": {
            "organisation": "Left;Right", "department": "Sound, Video", "phone": "020 7946 0001",
        }
    }  # fmt: skip


def test_what_is_no_person() -> None:
    text = (
        card("KIND:location", "FN:Studio 2")
        + card("TEL:")
        + card("FN:Agent's card inside", "AGENT:", "BEGIN:VCARD", "FN:Somebody Else", "END:VCARD", "TEL:07700 900123")
        + "BEGIN:VCARD\r\nFN:Cut Off\r\nTEL:0770"
    )
    after, said = read(plan, text)
    assert set(people(after)) == {"Agent's card inside", "Cut Off"}
    assert people(after)["Agent's card inside"] == {"phone": "07700 900123"}
    assert [where for where, _why in said][:3] == ["card 1 (Studio 2)", "card 2", "card 4 (Cut Off)"]


def test_the_same_person_by_id_by_email_by_name() -> None:
    before = Snapshot(
        "workspace",
        {
            "contacts.person": {
                "by_id": {"name": "Ana", "uid": "u1"},
                "by_email": {"name": "Ben", "email": "Ben@post.example"},
                "by_name": {"name": "Cai"},
            }
        },
    )
    text = (
        card("UID:u1", "FN:Anna", "TEL:07700 900001")
        + card("UID:u2", "FN:Ben B.", "EMAIL:ben@post.example")
        + card("UID:u3", "FN:cai", "EMAIL:cai@post.example")
    )
    proposal = plan(Source(text.encode(), "x.vcf"), before)
    after = applied(before, proposal.operations)
    assert {id: f["name"] for id, f in after.entities("contacts.person").items()} == {
        "by_id": "Anna", "by_email": "Ben B.", "by_name": "cai",
    }  # fmt: skip
    assert after.entities("contacts.person")["by_email"]["email"] == "Ben@post.example"
    assert "Ben is now called Ben B. (card 2 (Ben B.))." in proposal.summary
    assert plan(Source(text.encode(), "x.vcf"), after).changes_nothing


def test_namesakes_are_left_to_people() -> None:
    twins = {"a": {"name": "Ana", "uid": ""}, "b": {"name": "Ana"}}
    before = Snapshot("workspace", {"contacts.person": twins})
    after, said = read(plan, card("FN:Ana", "TEL:07700 900001"), before=before)
    assert dict(after.entities("contacts.person")) == twins
    assert "settle that duplicate first" in said[0][1]


@pytest.mark.parametrize(
    "data", [b"", b"Name,Phone\nAna,1\n", b"BEGIN:VCALENDAR\nEND:VCALENDAR\n", b"PK\x03\x04", b"\0"]
)
def test_what_holds_no_card_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidFile) as refused:
        plan(Source(data, "x.vcf"), NOTHING)
    assert refused.value.hint


@pytest.mark.parametrize("version", ["3.0", "4.0"])
def test_cards_are_written_as_the_standard_has_them(version: str) -> None:
    long = "Prøvesal " * 20
    snapshot = Snapshot(
        "workspace",
        {
            "contacts.person": {
                "p1": {"name": "Ana; B, C\\", "phone": "+44 20 7946 0000", "role": long, "department": "LX"},
                "p2": {"name": "Ben", "uid": ZOE, "medical": "asthma"},
            },
            "contacts.group": {"g": {"name": "Team"}, "empty": {"name": "Empty"}},
        },
        {"contacts.member_of": {"e": EdgeView("p2", "g")}},
    )
    data = exported(export, snapshot, {"version": version})["contacts.vcf"]
    assert data.endswith(b"END:VCARD\r\n")
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert max(map(len, data.split(b"\r\n"))) <= 75
    text = data.decode().replace("\r\n ", "")
    assert text.count(f"\r\nVERSION:{version}\r\n") == 4
    assert "FN:Ana\\; B\\, C\\\\\r\n" in text
    assert ("\r\nN:" in text) == (version == "3.0")
    assert ("\r\nKIND:group" in text) == (version == "4.0")
    assert f"MEMBER:{ZOE}" in text
    assert "asthma" not in text
    lx = exported(export, snapshot, {"version": version, "department": "lx"})["contacts.vcf"].decode()
    assert lx.count("BEGIN:VCARD") == 1


def test_options_that_make_no_sense_are_refused() -> None:
    snapshot = Snapshot("workspace", {"contacts.person": {"p": {"name": "Ana", "department": "LX"}}})
    with pytest.raises(InputError, match=r"no vCard 5"):
        export(snapshot, {"version": "5"})
    with pytest.raises(InputError, match="Nobody is in the department") as refused:
        export(snapshot, {"department": "Fly"})
    assert "LX" in refused.value.hint


@pytest.mark.parametrize(
    "line",
    ["BDAY;X-APPLE-OMIT-YEAR=1604:1604-03-12", "BDAY:1604-03-12", "BDAY:19900231", "BDAY:--0312", "BDAY:20261301"],
)
def test_what_is_no_whole_date_is_no_birthday(line: str) -> None:
    after, skipped = read(plan, f"BEGIN:VCARD\nVERSION:3.0\nFN:Ana\n{line}\nEND:VCARD\n")
    assert people(after) == {"Ana": {}}
    assert skipped == [("card 1 (Ana)", f"The birthday “{line.rpartition(':')[2]}” isn't a whole date.")]


def test_every_number_for_an_emergency_is_kept() -> None:
    lines = "item1.TEL:0700 1\nitem1.X-ABLabel:Emergency\nitem2.TEL:0700 2\nitem2.X-ABLabel:Mum (ICE)\n"
    after, _ = read(plan, f"BEGIN:VCARD\nVERSION:3.0\nFN:Ana\n{lines}END:VCARD\n")
    assert people(after) == {"Ana": {"emergency_phone": "0700 1, 0700 2"}}


def test_an_email_for_an_emergency_is_as_private_as_its_number() -> None:
    lines = "EMAIL:ana@post.example\nitem1.EMAIL:mum@post.example\nitem1.X-ABLabel:Emergency contact\n"
    after, _ = read(plan, f"BEGIN:VCARD\nVERSION:3.0\nFN:Ana\n{lines}END:VCARD\n")
    assert people(after) == {"Ana": {"email": "ana@post.example", "emergency_contact": "mum@post.example"}}
