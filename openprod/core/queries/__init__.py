"""Queries: what they are, and the three forms in which they are written.

``ast`` what a query is · ``text`` and ``write`` one line of text · ``data`` JSON · ``builder`` Python · ``order`` how
values compare · ``moments`` times in words · ``plan`` a query whose names have been looked up, as storage takes it.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from openprod.core.queries import data, text
from openprod.core.queries.ast import Query
from openprod.core.queries.builder import F, Q
from openprod.core.queries.data import read as from_data
from openprod.core.queries.data import write as to_data
from openprod.core.queries.write import write as to_text
from openprod.errors import InputError

__all__ = ["F", "Q", "Query", "from_data", "parse", "to_data", "to_text"]


_read = lru_cache(128)(text.read)


def parse(line: str) -> Query:
    """A query from its text form, or from the text of its data form. Raises InputError that points at the column."""
    if not line.lstrip().startswith("{"):
        return _read(line)
    try:
        found: Any = json.loads(line)
    except ValueError as error:
        at, what = getattr(error, "pos", 0) + 1, getattr(error, "msg", str(error))
        raise InputError(
            f"This isn't JSON: {what}.", hint=f"At column {at}. {data.SUCH_AS}", details={"column": at}
        ) from None
    except RecursionError:
        raise InputError("This JSON is nested too deeply.", hint=data.SUCH_AS) from None
    return data.read(found)
