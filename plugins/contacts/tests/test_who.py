"""Who is meant: dense little companies, where names, emails and card ids collide all the time."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import example, given, settings
from hypothesis import strategies as st

from openprod.plugin_api import Proposal, Snapshot, Source
from openprod.plugin_api.testing import applied
from plugins.contacts.jobs import sheet_in, vcard_in
from plugins.contacts.jobs.who import card_id

Row = tuple[str, str, str]
"""Name, email, card id."""

UIDS = ("", "u", "v", card_id("p0", {}), card_id("p1", {}))
ROWS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["", "x@post.example", "y@post.example"]), st.sampled_from(UIDS)),
    max_size=5,
)
GROUPS = st.lists(
    st.tuples(
        st.sampled_from(["Band", "Crew"]), st.sampled_from(["", "u", "g"]),
        st.sets(st.sampled_from([*UIDS[1:], "mailto:x@post.example", "mailto:y@post.example"])),
    ),
    max_size=3,
)  # fmt: skip
Groups = list[tuple[str, str, set[str]]]


def here(company: list[Row], groups: Groups) -> Snapshot:
    people = {f"p{n}": {"name": row[0], "email": row[1], "uid": row[2]} for n, row in enumerate(company)}
    teams = {f"g{n}": {"name": name, "uid": uid} for n, (name, uid, _members) in enumerate(groups)}
    return Snapshot("here", {"contacts.person": people, "contacts.group": teams})


def cards(rows: list[Row], groups: Groups) -> Iterator[str]:
    for number, (name, email, uid) in enumerate(rows):
        yield f"BEGIN:VCARD\nFN:{name}\nEMAIL:{email}\nUID:{uid}\nTITLE:{number}\nEND:VCARD\n"
    for number, (name, uid, members) in enumerate(groups):
        lines = "".join(f"MEMBER:{member}\n" for member in sorted(members))
        yield f"BEGIN:VCARD\nKIND:group\nFN:{name}\nUID:{uid}\nURL:{number}\n{lines}END:VCARD\n"


def vcards(rows: list[Row], groups: Groups, before: Snapshot) -> Proposal:
    return vcard_in.plan(Source("".join(cards(rows, groups)).encode(), "x.vcf"), before)


def sheet(rows: list[Row], before: Snapshot) -> Proposal:
    lines = [f"{name},{email},{number}" for number, (name, email, _uid) in enumerate(rows)]
    return sheet_in.plan(Source("\n".join(["Name,Email,Role", *lines]).encode(), "x.csv"), before)


def left(proposal: Proposal) -> list[str]:
    """Which rows are left out. Which earlier row says the same may differ: one whose card is known goes before."""
    return [item.where for item in proposal.skipped]


@settings(max_examples=300, deadline=None, print_blob=True)
@given(ROWS, GROUPS, ROWS, GROUPS, ROWS, GROUPS)
# The second card means one of two called b by her email, and calls her c: the first is of the other one, already now.
@example([("a", "x@post.example", ""), ("b", "y@post.example", ""), ("b", "", "")], [], [], [],
         [("b", "", "u"), ("c", "y@post.example", "v"), ("a", "", "w")], [])  # fmt: skip
def test_a_file_read_twice_changes_nothing_whoever_was_there(
    company: list[Row], teams: Groups, earlier: list[Row], earlier_groups: Groups, rows: list[Row], groups: Groups
) -> None:
    """INV-IMPORT-1, and what was left to people the first time is left to them the second time."""
    before = here(company, teams)
    if earlier or earlier_groups:
        before = applied(before, vcards(earlier, earlier_groups, before).operations)
    if earlier:
        before = applied(before, sheet(earlier, before).operations)
    proposal = sheet(rows, before)
    again = sheet(rows, applied(before, proposal.operations))
    assert again.changes_nothing
    assert left(again) == left(proposal)
    if rows or groups:
        proposal = vcards(rows, groups, before)
        again = vcards(rows, groups, applied(before, proposal.operations))
        assert again.changes_nothing
        assert left(again) == left(proposal)
