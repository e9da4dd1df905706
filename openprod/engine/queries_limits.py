"""How much one query may ask: more than that and SQLite refuses it, or plans it for minutes."""

from __future__ import annotations

from typing import Final

from openprod.core.queries.ast import Hop, In, Matching, Query, parts
from openprod.core.queries.order import words_of
from openprod.errors import InputError

CONDITIONS_MAX: Final = 500
VALUES_MAX: Final = 2_000
"""In all lists of values together."""

WORDS_MAX: Final = 100
MATCHING_MAX: Final = 1_000
"""Characters."""


def check(query: Query) -> None:
    """Raises InputError."""
    found = [one for one in parts(query) if not isinstance(one, Hop)]
    if len(found) > CONDITIONS_MAX:
        raise InputError(
            "The query has too many conditions.",
            hint=f"At most {CONDITIONS_MAX}. Several values of one field are one: field in (…).",
        )
    if sum(len(one.values) for one in found if isinstance(one, In)) > VALUES_MAX:
        raise InputError("The query lists too many values.", hint=f"At most {VALUES_MAX:,}: ask in several parts.")
    for one in found:
        if isinstance(one, Matching) and (len(one.text) > MATCHING_MAX or len(words_of(one.text)) > WORDS_MAX):
            raise InputError(
                "That is too much to look for at once.",
                hint=f"“matching” takes at most {WORDS_MAX} words and {MATCHING_MAX:,} characters.",
            )
