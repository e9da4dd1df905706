"""What leaves comes back the same, and what is private doesn't leave."""

from __future__ import annotations

import csv
import io
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from openprod.plugin_api import EdgeView, Snapshot, Source
from openprod.plugin_api.testing import applied, exported
from plugins.contacts.jobs import sheet_in, sheet_out, vcard_in, vcard_out
from plugins.contacts.jobs.guard import guarded, unguarded
from plugins.contacts.jobs.people import PRIVATE
from plugins.contacts.jobs.phones import is_nothing
from plugins.contacts.tests.reading import NOTHING, filled, people

SCHEMA = tomllib.loads((Path(__file__).parents[1] / "schema.toml").read_text(encoding="utf-8"))
FIELDS: dict[str, dict[str, Any]] = SCHEMA["facet"]["person"]["field"]

LETTERS = st.characters(exclude_categories=("Cs", "Cc", "Cf", "Zs", "Zl", "Zp", "Cn", "Co"))
WORD = st.text(LETTERS | st.sampled_from("=+-@'\"\\;,:^"), min_size=1, max_size=12)
LINE = st.lists(WORD, min_size=1, max_size=4).map(" ".join).filter(lambda text: not is_nothing(text))
BLOCK = st.lists(LINE, min_size=1, max_size=3).map("\n".join)
NAME = LINE.filter(lambda text: not text.startswith("'"))  # what a spreadsheet writes before a text isn't part of it
DIGITS = st.text("0123456789 ", min_size=5, max_size=12).map(lambda text: " ".join(f"07 {text}".split()))
NUMBER = st.builds(
    "{}{}{}".format, st.sampled_from(["", "+44 ", "+1-", "(0)", "0"]), DIGITS, st.sampled_from(["", " ext 12"])
)
LABELLED = st.builds("{}{}".format, NUMBER, st.sampled_from(["", " (work)", " (home)", " (fax)"]))
EMAIL = st.builds(
    "{}@{}.example".format, st.from_regex(r"\A[a-z][a-z0-9.+-]{0,8}[a-z]\Z"), st.from_regex(r"\A[a-z]{1,8}\Z")
)
BY_FIELD = {
    "phone": NUMBER, "email": EMAIL, "other_phones": st.lists(LABELLED, min_size=1, max_size=3, unique=True),
    "other_emails": st.lists(EMAIL, min_size=1, max_size=3, unique=True), "address": BLOCK,
    "website": WORD.filter(lambda text: not is_nothing(text)),
    "emergency_phone": NAME, "comment": BLOCK, "birthday": st.dates().map(str).filter(lambda text: text >= "1000"),
}  # fmt: skip
EXPORTED = [
    name for name in FIELDS if name not in ("name", "role", "notes", "uid", "phone", "email", "given", "family")
]


@st.composite
def persons(draw: st.DrawFn) -> dict[str, Any]:
    person: dict[str, Any] = {"name": draw(NAME), "role": draw(LINE)}
    if draw(st.booleans()):
        person |= {"given": draw(LINE), "family": draw(LINE)}
    for name in ("phone", "email"):
        if draw(st.booleans()):
            person[name] = draw(BY_FIELD[name])
            others = [one for one in draw(BY_FIELD[f"other_{name}s"]) if one != person[name]]
            person[f"other_{name}s"] = others
    for name in draw(st.sets(st.sampled_from(EXPORTED), max_size=6)):
        if not name.startswith("other_"):
            person[name] = draw(BY_FIELD.get(name, LINE))
    return filled(person)


def differing(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of those that an importer would take for one person, the first."""
    names: set[str] = set()
    emails: set[str] = set()
    kept = []
    for person in found:
        name, email = " ".join(person["name"].split()).casefold(), person.get("email", "").casefold()
        if name not in names and (not email or email not in emails):
            kept.append(person)
            names.add(name)
            emails.add(email)
    return kept


WIDE = settings(max_examples=100, deadline=None, print_blob=True, phases=(Phase.explicit, Phase.reuse, Phase.generate))
"""A company has so many letters that making a failure small would take minutes: it is shown as it was found."""

COMPANY = st.lists(persons(), min_size=1, max_size=5).map(differing)


def workspace(company: list[dict[str, Any]]) -> Snapshot:
    return Snapshot("here", {"contacts.person": {f"person_{n}": person for n, person in enumerate(company)}})


@WIDE
@given(COMPANY, st.sampled_from(["3.0", "4.0"]))
def test_address_books_come_back_the_same(company: list[dict[str, Any]], version: str) -> None:
    before = workspace(company)
    options = {"version": version, "private": "yes"}
    data = exported(vcard_out.export, before, options)["contacts.vcf"]
    after = applied(NOTHING, vcard_in.plan(Source(data, "x.vcf"), NOTHING).operations)
    assert people(after) == {" ".join(person["name"].split()): filled(person, but=("name",)) for person in company}
    assert exported(vcard_out.export, after, options)["contacts.vcf"] == data
    assert vcard_in.plan(Source(data, "x.vcf"), before).changes_nothing
    assert vcard_in.plan(Source(data, "x.vcf"), after).changes_nothing


@WIDE
@given(COMPANY)
def test_sheets_come_back_the_same(company: list[dict[str, Any]]) -> None:
    before = workspace(company)
    data = exported(sheet_out.export, before, {"private": "yes"})["contacts.csv"]
    after = applied(NOTHING, sheet_in.plan(Source(data, "x.csv"), NOTHING).operations)
    assert people(after) == {person["name"]: filled(person, but=("name",)) for person in company}
    assert sheet_in.plan(Source(data, "x.csv"), before).changes_nothing
    assert sheet_in.plan(Source(data, "x.csv"), after).changes_nothing


@WIDE
@given(COMPANY, COMPANY)
def test_a_file_read_twice_changes_nothing_whoever_was_there(
    company: list[dict[str, Any]], others: list[dict[str, Any]]
) -> None:
    """INV-IMPORT-1. Some of those here are meant by the file, by name, by email or by both."""
    mixed = [
        {**other, **{name: person[name] for name in names if name in person}}
        for other, person, names in zip(
            others, company, (("name",), ("email",), ("name", "email"), (), ()), strict=False
        )
    ]
    before = workspace(mixed)
    for export, plan, name in (
        (vcard_out.export, vcard_in.plan, "contacts.vcf"), (sheet_out.export, sheet_in.plan, "contacts.csv"),
    ):  # fmt: skip
        far = Snapshot("far", {"contacts.person": {f"far_{n}": person for n, person in enumerate(company)}})
        data = export(far, {"private": "yes"})[name]
        after = applied(before, plan(Source(data, name), before).operations)
        assert plan(Source(data, name), after).changes_nothing


@settings(max_examples=100, deadline=None, print_blob=True)
@given(st.lists(WORD, min_size=len(PRIVATE) + 1, max_size=len(PRIVATE) + 1), st.sampled_from(["3.0", "4.0"]))
def test_no_private_value_is_in_a_shared_file(words: list[str], version: str) -> None:
    """INV-PRIVATE-1, by the exporters alone: whatever they are handed, notes never leave."""
    hidden = {name: f"hidden{n} {word}" for n, (name, word) in enumerate(zip([*PRIVATE, "notes"], words, strict=True))}
    snapshot = Snapshot(
        "here",
        {"contacts.person": {"p": {"name": "Ana", **hidden}}, "contacts.group": {"g": {"name": "Team"}}},
        {"contacts.member_of": {"e": EdgeView("p", "g")}},
    )
    for export, options in ((vcard_out.export, {"version": version}), (sheet_out.export, {})):
        (shared,) = exported(export, snapshot, options).values()
        assert b"hidden" not in shared
        (whole,) = exported(export, snapshot, {**options, "private": "yes"}).values()
        assert {n for n in range(len(PRIVATE) + 1) if f"hidden{n}".encode() in whole} == set(range(len(PRIVATE)))


def test_the_exporters_and_the_schema_agree_on_what_is_private() -> None:
    assert {name for name, field in FIELDS.items() if field.get("private")} == {*PRIVATE, "notes"}
    columns = {**sheet_out.COLUMNS, **sheet_out.PRIVATE_COLUMNS}
    assert set(columns) == FIELDS.keys() - {"notes", "uid"}
    assert columns == {name: FIELDS[name]["label"] for name in columns}


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"), ("@SUM(1)", "'@SUM(1)"), ("-2+3", "'-2+3"), ("+cmd|' /C calc'!A0",
         "'+cmd|' /C calc'!A0"), (" =1", "' =1"), ("＝1", "'＝1"), ("'=1", "''=1"), ("+1-555-0100", "'+1-555-0100"),
        ("+44 (0)20 7946 0000", "+44 (0)20 7946 0000"), ("+447700900001", "+447700900001"), ("020 7946", "020 7946"),
        ("'tis", "'tis"), ("a=b", "a=b"), ("", ""),
    ],
)  # fmt: skip
def test_no_cell_is_a_formula(value: str, cell: str) -> None:
    assert guarded(value) == cell
    assert unguarded(cell) == value


@WIDE
@given(COMPANY)
def test_every_cell_of_a_sheet_is_harmless(company: list[dict[str, Any]]) -> None:
    data = sheet_out.export(workspace(company), {"private": "yes"})["contacts.csv"].decode("utf-8-sig")
    for row in csv.reader(io.StringIO(data, newline="")):
        for cell in row:
            assert cell[:1] not in ("=", "-", "@", "\t", "\r")
            if cell.startswith("+"):
                assert set(cell) <= set("+0123456789 .()")


@pytest.mark.parametrize("version", ["3.0", "4.0"])
def test_what_a_card_may_not_hold_stays_out_of_it(version: str) -> None:
    """Pasted text brings control characters: one of them, and address books refuse the file."""
    odd = workspace([{"name": "Jo\x00 \x1bDoe", "role": "a\x0bb\u2028c\x85d", "department": "e\tf\x7f"}])
    data = exported(vcard_out.export, odd, {"version": version})["contacts.vcf"].decode()
    assert not [one for one in data.replace("\r\n", "") if one not in "\t" and not one.isprintable()]
    for line in ("FN:Jo Doe", "TITLE:a\\nb\\nc\\nd", "ORG:;e\tf"):
        assert f"{line}\r\n" in data
