"""Derived views: a query of a plugin's manifest, and a pure function of what it finds. Computed when somebody looks.

::

    [[derived]]
    id = "lengths"                       # called things.lengths from outside
    label = "How long it all takes"
    query = "things.thing where state = new sort number"
    entry = "views/lengths.py:compute"   # compute(found: Found) -> Derived
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from openprod.core import queries, values
from openprod.core.queries.ast import Hop, parts
from openprod.core.schema import Schema
from openprod.engine.queries import KnownNames, prepare
from openprod.engine.schemas import Schemas
from openprod.errors import InputError, InvalidManifest, OpenprodError
from openprod.plugin_api.derived import Derived, Found
from openprod.plugin_host.toml_lines import TomlFile

_KEYS = frozenset({"id", "label", "query", "entry"})
_IDENTIFIER = re.compile(r"[a-z][a-z0-9-]{0,62}")
ROWS_MAX = 200_000


@dataclass(frozen=True, slots=True)
class DerivedView:
    """``module``: the file its code is in."""

    plugin: str
    id: str
    label: str
    query: str
    module: str
    function: str

    @property
    def name(self) -> str:
        """As commands call it: ``plugin.id``."""
        return f"{self.plugin}.{self.id}"


def read_derived(
    file: TomlFile, plugin: str, index: int, table: dict[str, Any], entry: tuple[str, str], known: Mapping[str, object]
) -> DerivedView:
    """One table of ``[[derived]]``. Raises InvalidManifest, naming file and line."""
    where = ("derived", index)
    file.only(table, _KEYS, where)
    identifier = file.required(table, "id", where)
    if not _IDENTIFIER.fullmatch(identifier) or identifier in known:
        raise file.problem(
            f"“{identifier}” can't be a derived view's id.",
            "Lower-case letters, digits and hyphens; each view of a plugin has its own.",
            *where,
            "id",
        )
    query = file.required(table, "query", where)
    try:
        queries.parse(query)
    except InputError as error:
        raise file.problem(
            f"the query of “{identifier}” can't be read: {error.sentence}", error.hint, *where, "query"
        ) from None
    return DerivedView(plugin, identifier, file.text(table, "label", where) or identifier, query, entry[0], entry[1])


def check_names(file: TomlFile, index: int, view: DerivedView, schema: Schema | None) -> None:
    """What a view's query names of its own plugin is declared. What it names of others nobody can tell here."""
    query = queries.parse(view.query)
    where = ("derived", index, "query")
    facets = {f"{view.plugin}.{name}" for name in (schema.facets if schema else ())}
    edges = {f"{view.plugin}.{name}" for name in (schema.edges if schema else ())}
    hops = [one for one in parts(query) if isinstance(one, Hop)]
    names = [(query.source, facets), *((hop.edge, edges) for hop in hops)]
    for name, declared in [*names, *((hop.target, facets) for hop in hops if hop.target is not None)]:
        if name.startswith(f"{view.plugin}.") and name not in declared:
            raise file.problem(
                f"the query of “{view.id}” names {name}, which this plugin doesn't declare.",
                f"It declares {', '.join(sorted(declared)) or 'none'}.",
                *where,
            )
    if schema is not None and query.source in facets and not hops:
        try:
            prepare(query, KnownNames(Schemas({view.plugin: schema})))
        except InputError as error:
            raise file.problem(
                f"the query of “{view.id}” can't be asked: {error.sentence}", error.hint, *where
            ) from None


def compute(view: DerivedView, function: Any, answer: Mapping[str, Any], describe: Any) -> Derived:
    """What ``function`` makes of a query's answer. ``describe`` says an exception of its code in one line.

    Raises InvalidManifest when it stops, gives what isn't a table, or gives another one for the same rows.
    """
    made = _checked(view, _called(view, function, answer, describe))
    if _called(view, function, answer, describe) != made:
        raise _fault(view, "it gives something else each time for the same rows")
    return made


def _called(view: DerivedView, function: Any, answer: Mapping[str, Any], describe: Any) -> Any:
    # The rows' lists and objects are its own to change: each call gets others.
    found = Found(tuple(answer["columns"]), tuple(tuple(copy.deepcopy(row)) for row in answer["rows"]))
    try:
        return function(found)
    except OpenprodError:
        raise
    except Exception as error:
        raise _fault(view, f"it stopped ({describe(error)})") from error


def _checked(view: DerivedView, made: Any) -> Derived:
    if not isinstance(made, Derived):
        raise _fault(view, "it gave no table")
    if len(made.rows) > ROWS_MAX:
        raise _fault(view, f"it gave more than {ROWS_MAX:,} rows")
    if not all(isinstance(column, str) for column in made.columns):
        raise _fault(view, "a column has no name")
    for row in made.rows:
        if len(row) != len(made.columns):
            raise _fault(view, "a row isn't as long as the columns are many")
        try:
            for value in row:
                values.check(list(value) if isinstance(value, tuple) else value, where="a cell")
        except OpenprodError as error:
            raise _fault(view, error.sentence[:1].lower() + error.sentence[1:].rstrip(".")) from None
    return made


def _fault(view: DerivedView, what: str) -> InvalidManifest:
    return InvalidManifest(
        f"The view {view.name} can't be shown: {what}.",
        hint="The data are as they were. Tell the plugin's author.",
        details={"view": view.name},
    )
