"""Contact sheets, tidy and otherwise."""

import pytest

from openprod.plugin_api import InvalidFile, Source
from plugins.contacts.jobs.phones import emails, numbers
from plugins.contacts.jobs.sheet_in import plan
from plugins.contacts.tests.reading import DATA, NOTHING, people, read

MESSY = (DATA / "contact-sheet.csv").read_bytes()


def test_a_messy_sheet() -> None:
    proposal = plan(Source(MESSY, "contact-sheet.csv"), NOTHING)
    after, said = read(plan, MESSY)
    assert people(after) == {
        "Marguerite Delacroix-Böhm": {
            "role": "Prospero", "department": "CAST", "pronouns": "she/her", "phone": "07700 900101",
            "email": "marguerite@post.example", "emergency_contact": "Luc Böhm (husband)",
            "emergency_phone": "07700 900201", "dietary": "vegan",
        },
        "Kwabena Asante-Ferreira": {
            "role": "Ariel", "department": "CAST", "phone": "+44 7700 900102", "email": "kwabena@post.example",
            "emergency_contact": "Esi Asante (mother)", "emergency_phone": "+44 (0)20 7946 0102",
        },
        "Ruaridh MacInnes": {
            "role": "Caliban", "department": "CAST", "pronouns": "he/him", "email": "ruaridh@post.example",
            "dietary": "nut allergy!",
        },
        "Adaeze Okonkwo-Reyes": {
            "role": "DSM", "department": "Stage management", "pronouns": "she/her", "phone": "07700 900142",
            "other_phones": ["020 7946 0018 (work)"], "email": "adaeze@harrowlane.example",
        },
        "Sunniva Aalbers": {
            "role": "ASM (book cover)", "department": "Stage management", "phone": "0047 5550 0103",
            "emergency_contact": "Per Aalbers (father)", "emergency_phone": "004755500203", "dietary": "gluten-free",
        },
        "Beatrix Holloway": {
            "role": "Chaperone", "department": "Chaperones", "phone": "07700 900104",
            "email": "family@holloway.example", "emergency_phone": "07700 900204",
        },
        "Wren Holloway": {
            "role": "Child (Iris)", "department": "Chaperones", "email": "family@holloway.example",
            "emergency_contact": "Beatrix Holloway (mother)", "emergency_phone": "07700 900104", "dietary": "dairy",
        },
    }  # fmt: skip
    assert said == [
        ("row 1", "Stands above the header: “HARROW LANE THEATRE – “The Tempest””."),
        ("row 2", "Stands above the header: “Contact sheet, rev D – CONFIDENTIAL, do not forward · Legend”."),
        ("column B", "It has no header (row 8: x)."),
        ("column T-shirt", "This header isn't known here; filled in 4 rows."),
        ("empty rows", "1 row below the header."),
        ("row 6", "“CAST” is taken as the department of the rows below it."),
        ("row 9", "No name: “Miranda · “TBC””."),
        ("row 10, column Mobile", "“7.70090E+09” was cut by a spreadsheet: its last digits are gone."),
        ("row 12", "“Stage management” is taken as the department of the rows below it."),
        ("row 15", "The header once more."),
        ("row 16", "“Chaperones” is taken as the department of the rows below it."),
        ("row 19", "Sunniva Aalbers is already on row 14; the first is taken."),
    ]
    assert proposal.mapping["Phone"] == "emergency phone"
    assert proposal.summary[:2] == (
        "Header on row 5.",
        "Private, left out of what is exported to be shared: emergency contact, emergency phone, dietary.",
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "mac_roman"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_how_it_was_saved_doesnt_matter_and_twice_changes_nothing(encoding: str, line_end: str, delimiter: str) -> None:
    """INV-IMPORT-1"""
    text = MESSY.decode("cp1252").replace("\r\n", line_end).replace(";", delimiter)
    whole, _ = read(plan, MESSY)
    after, _ = read(plan, text.encode(encoding))
    assert dict(after.entities("contacts.person")) == dict(whole.entities("contacts.person"))
    assert plan(Source(text.encode(encoding), "renamed.tsv"), after).changes_nothing


def test_a_row_that_moved_is_the_same_person() -> None:
    after, _ = read(plan, "Name,Email,Role\nAna,ana@post.example,ASM\nBen,ben@post.example,DSM\n")
    turned = "Role,Name,Email\nDSM,Ben,ben@post.example\nSM,Ana,ANA@post.example\n"
    (operation,) = plan(Source(turned.encode(), "other.csv"), after).operations
    assert (operation.field, operation.value) == ("role", "SM")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("header", "row", "own", "private"),
    [
        ("Name,Phone,Emergency Contact,Phone", "Ana,07700 900001,Bo,07700 900002", "07700 900001", "07700 900002"),
        ("Name,Emergency Contact,Phone,Email", "Ana,Bo,07700 900002,ana@post.example", None, "07700 900002"),
        ("Name,Mobile,Next of kin,Mobile", "Ana,07700 900001,Bo,07700 900002", "07700 900001", "07700 900002"),
        ("Name,Mobile,ICE,Email,Phone", "Ana,07700 900001,Bo,a@b.example,07700 900002", "07700 900001", "07700 900002"),
        (",,In case of emergency,\nName,Phone,Name,Phone", "Ana,07700 900001,Bo,07700 900002", "07700 900001",
         "07700 900002"),
        ("Name,Phone,Who to call in an emergency?", "Ana,07700 900001,Bo 07700 900002", "07700 900001", None),
    ],
)  # fmt: skip
def test_an_emergency_contacts_number_is_never_the_persons(
    header: str, row: str, own: str | None, private: str | None
) -> None:
    (person,) = people(read(plan, f"{header}\n{row}\n")[0]).values()
    assert person.get("phone") == own
    assert person.get("emergency_phone") == private
    assert "other_phones" not in person
    assert "Bo" in person["emergency_contact"]


def test_a_forms_questions() -> None:
    header = "First name,Surname,Do you have any allergies?,Any medical conditions we should know about?"
    (person,) = people(read(plan, f"{header}\nAna,Lee,cats,none known\n")[0]).values()
    assert person == {"given": "Ana", "family": "Lee", "allergies": "cats", "medical": "none known"}


def test_names_in_pieces() -> None:
    assert set(people(read(plan, "Surname,First Name\nLee,Ana\n")[0])) == {"Ana Lee"}
    assert set(people(read(plan, "Name,First name\nLee,Ana\n")[0])) == {"Ana Lee"}
    assert set(people(read(plan, 'Last First,Role\n"Lee, Ana",SM\n')[0])) == {"Ana Lee"}


def test_several_columns_and_numbers() -> None:
    text = (
        "Name,Character,Position,Work phone,Mobile,Home,Birthday\n"
        "Ana,Iris,,020 7946 0001,'+44 7700 900001,020 7946 0002,12 March 1990\n"
        "Ben,Juno,Dance captain,,(07700) 900002 or 020 7946 0003,,03/04/1990\n"
    )
    after, said = read(plan, text)
    assert people(after) == {
        "Ana": {"role": "Iris", "phone": "+44 7700 900001", "birthday": "1990-03-12",
                "other_phones": ["020 7946 0001 (work)", "020 7946 0002 (home)"]},
        "Ben": {"role": "Juno / Dance captain", "phone": "(07700) 900002", "other_phones": ["020 7946 0003"]},
    }  # fmt: skip
    assert said == [("row 3, column Birthday", "“03/04/1990” isn't a date that reads one way, such as 1990-03-12.")]


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("007700 900001", [("007700 900001", "")]),
        ("m: 07700 900001 / h: 020 7946 0001", [("07700 900001", ""), ("020 7946 0001", "home")]),
        ("020 7946 0001 (Office)", [("020 7946 0001", "work")]),
        ("\u202a+44\u00a07700\u00a0900001\u202c", [("+44 7700 900001", "")]),
        ("tel:+1-555-0100", [("+1-555-0100", "")]),
        ("020 7946 0001 ext. 12", [("020 7946 0001 ext. 12", "")]),
        ("ask Ana", []),
        ("7.7E+09", []),
        ("", []),
    ],
)
def test_phone_numbers_stay_as_they_are_written(cell: str, found: list[tuple[str, str]]) -> None:
    assert numbers(cell) == found


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("Ana <ana@post.example>; office@post.example.", ["ana@post.example", "office@post.example"]),
        ("mailto:ana@post.example", ["ana@post.example"]),
        ("ana@post", []),
        ("ask ana", []),
        ("a." * 60_000, []),
        ("a@" * 60_000, []),
    ],
    ids=lambda value: str(value)[:30],
)
def test_emails_are_found_in_what_stands_around_them(cell: str, found: list[str]) -> None:
    assert emails(cell) == found


@pytest.mark.parametrize(
    "data", [b"", b"nothing here", b"CH,INPUT,SUB-BOX\n1,KICK,2\n", b"PK\x03\x04rest", b"\0\1", b"Role,Phone\nSM,1\n"]
)
def test_what_is_no_contact_sheet_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidFile) as refused:
        plan(Source(data, "x.csv"), NOTHING)
    assert refused.value.hint


def test_headers_with_accents_and_dates_as_other_programs_write_them() -> None:
    text = "Nom;Prénom;Téléphone;Courriel;Rôle;Birthday\nRuiz;Zoé;06 12 34 56 78;zoe@post.example;Régie;12.03.1990\n"
    after, skipped = read(plan, text.encode("cp1252"), "a.csv")
    assert people(after) == {
        "Zoé Ruiz": {"given": "Zoé", "family": "Ruiz", "phone": "06 12 34 56 78", "email": "zoe@post.example",
                     "role": "Régie", "birthday": "1990-03-12"}
    }  # fmt: skip
    assert skipped == []
    after, _ = read(plan, "Name,Email,DOB\nAna,a@b.example,1990-03-12 00:00\n")
    assert people(after)["Ana"]["birthday"] == "1990-03-12"
