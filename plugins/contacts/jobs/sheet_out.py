"""The contact sheet as CSV, which every spreadsheet opens: UTF-8 with its mark, CRLF, no cell a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from openprod.plugin_api import Files, Snapshot

from .chosen import chosen, own_text, texts
from .guard import guarded
from .people import PRIVATE

COLUMNS = {
    "name": "Name", "given": "Given name", "family": "Family name", "pronouns": "Pronouns", "role": "Role",
    "department": "Department", "organisation": "Organisation", "phone": "Phone", "other_phones": "Other phones",
    "email": "Email", "other_emails": "Other emails", "website": "Website", "agent": "Agent",
}  # fmt: skip
PRIVATE_COLUMNS = {
    "address": "Address", "emergency_contact": "Emergency contact", "emergency_phone": "Emergency phone",
    "medical": "Medical", "allergies": "Allergies", "dietary": "Dietary", "access": "Access needs",
    "birthday": "Birthday", "comment": "Comment",
}  # fmt: skip
assert tuple(PRIVATE_COLUMNS) == PRIVATE


def export(snapshot: Snapshot, options: Mapping[str, str]) -> Files:
    """One sheet, a person a row, by name; the first row names the columns."""
    columns = {**COLUMNS, **(PRIVATE_COLUMNS if options.get("private") == "yes" else {})}
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(columns.values())
    for fields in chosen(snapshot, options).values():
        values = ("; ".join(texts(fields, field)) or own_text(fields, field) for field in columns)
        writer.writerow([guarded(value) for value in values])
    return {"contacts.csv": buffer.getvalue().encode("utf-8-sig", "replace")}
