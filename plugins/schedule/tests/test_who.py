"""Who is meant: dense little companies, where names and addresses collide all the time."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from openprod.plugin_api import Proposal, SetField, Snapshot, Source
from openprod.plugin_api.testing import applied
from plugins.schedule.jobs import ical_in, people

Row = tuple[str, str]
"""Name, email."""

ROWS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["", "x@post.example", "y@post.example"])), max_size=5
)


def here(company: list[Row]) -> Snapshot:
    rows = {f"p{n}": {"displayName": name, "email": email} for n, (name, email) in enumerate(company)}
    return Snapshot("here", {"schedule.attendee": rows})


def sheet(rows: list[Row], before: Snapshot) -> Proposal:
    lines = [f"{name},{email},{number}" for number, (name, email) in enumerate(rows)]
    return people.plan(Source("\n".join(["Name,Email,Role", *lines]).encode(), "x.csv"), before)


def calendar(rows: list[Row], before: Snapshot) -> Proposal:
    invited = "".join(f"ATTENDEE;CN={name}:{f'mailto:{email}' if email else 'urn:x'}\n" for name, email in rows)
    text = f"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:e\nSUMMARY:Call\nDTSTART:20261124T100000\n{invited}END:VEVENT\n"
    return ical_in.plan(Source(f"{text}END:VCALENDAR\n".encode(), "x.ics"), before)


@settings(max_examples=300, deadline=None, print_blob=True)
@given(ROWS, ROWS, ROWS, ROWS)
# The second row means one of two called b by the address, and calls them c: the first is the other one, already now.
@example([("b", "x@post.example"), ("b", "")], [], [], [("b", ""), ("c", "x@post.example")])
def test_a_file_read_twice_changes_nothing_whoever_was_there(
    company: list[Row], earlier: list[Row], edited: list[Row], rows: list[Row]
) -> None:
    """INV-IMPORT-1"""
    before = here(company)
    before = applied(before, sheet(earlier, before).operations)
    facet = "schedule.attendee"
    for entity, (name, email) in zip(sorted(before.entities(facet)), edited, strict=False):
        values = {"displayName": name, "email": email}
        before = applied(
            before, [SetField(entity=entity, facet=facet, field=field, value=value) for field, value in values.items()]
        )
    for plan in (sheet, calendar):
        after = applied(before, plan(rows, before).operations)
        assert plan(rows, after).changes_nothing
