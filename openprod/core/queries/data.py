"""The data form: JSON.

::

    {"facet": "plugin.facet",            or "concept": "Concept"
     "where": {...}, "along": [hop, ...], "fields": ["field", ...], "measures": ["count()", "max(field)"],
     "group": ["field"], "sort": ["-field", "field nulls first"], "limit": 20, "offset": 0, "as_of": "…"}

    where  {"field": value, "field": {"<": value, "in": [value, ...]}, "$or": [where, ...], "$not": where,
            "$and": [where, ...], "$has": [hop, ...], "$matching": "words", "$conflicted": ["field", ...] or true}
    hop    {"edge": "plugin.edge", "to": "plugin.facet", "where": where, "edge_where": where}   "from" for the other way
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from openprod.core.queries.ast import (
    DEPTH_MAX,
    HOPS_MAX,
    OPERATORS,
    And,
    Compare,
    Condition,
    Conflicted,
    Has,
    Hop,
    In,
    Json,
    Matching,
    Measure,
    Name,
    Not,
    Or,
    Query,
    Sort,
    Wanted,
    all_of,
    any_of,
    wanted,
)
from openprod.errors import InputError

T = TypeVar("T")

SUCH_AS: Final = 'Such as {"facet": "plugin.facet", "where": {"field": "value"}, "sort": ["field"], "limit": 50}.'
BYTES_MAX: Final = 128 * 1024
"""More takes seconds to be read, in which nobody else is answered."""
_KEYS: Final = ("facet", "concept", "where", "along", "fields", "measures", "group", "sort", "limit", "offset", "as_of")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_FULL_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}(\.[A-Za-z_][A-Za-z0-9_-]{0,63})?")
_MEASURE: Final = re.compile(r"(?:(count)(?:\(\))?|(min|max|sum)\(([^()]*)\))", re.IGNORECASE)
_SORT: Final = re.compile(r"(-?)(.*?)( nulls (?:first|last))?", re.DOTALL)


# -- reading -----------------------------------------------------------------------------------------------


def read(data: Mapping[str, Any]) -> Query:
    """Raises InputError that says what can't be used."""
    _check(data)
    unknown = [key for key in data if key not in _KEYS]
    if unknown:
        raise InputError(f"A query can't hold {', '.join(sorted(unknown))[:200]}.", hint=SUCH_AS)
    source = data.get("facet") or data.get("concept")
    if not isinstance(source, str) or (data.get("facet") and data.get("concept")):
        raise InputError("A query names a facet or a concept.", hint=SUCH_AS)
    return Query(
        source=_full_name(source),
        where=_where(data.get("where"), 0),
        along=_hops(data.get("along"), 0),
        fields=_list(data, "fields", _name),
        measures=_list(data, "measures", _measure),
        group=_list(data, "group", _name),
        sort=_list(data, "sort", sort_of),
        limit=_number(data, "limit"),
        offset=_number(data, "offset") or 0,
        as_of=_text(data, "as_of"),
    )


def _check(data: object) -> None:
    if not isinstance(data, Mapping):
        raise InputError("A query is an object.", hint=SUCH_AS)
    try:
        size = len(json.dumps(data, ensure_ascii=False, allow_nan=False).encode())
    except UnicodeEncodeError:
        raise InputError("The query holds half a character (a lone surrogate).", hint=SUCH_AS) from None
    except (TypeError, ValueError, RecursionError):
        raise InputError("The query holds what JSON can't carry, or is nested too deeply.", hint=SUCH_AS) from None
    if size > BYTES_MAX:
        raise InputError("The query is too long.", hint=f"At most {BYTES_MAX // 1024} KiB: ask in several parts.")


def _list(data: Mapping[str, Any], key: str, read: Callable[[str], T]) -> tuple[T, ...]:
    found = data.get(key)
    if found is None:
        return ()
    if not isinstance(found, (list, tuple)) or not all(isinstance(item, str) for item in found):
        raise InputError(f"“{key}” of a query is a list of texts.", hint=SUCH_AS)
    return tuple(read(item) for item in found)


def _number(data: Mapping[str, Any], key: str) -> int | None:
    found = data.get(key)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found < 1_000_000_000:
        raise InputError(f"“{key}” of a query is a whole number.", hint=SUCH_AS)
    return found


def _text(data: Mapping[str, Any], key: str) -> str | None:
    found = data.get(key)
    if found is not None and not isinstance(found, str):
        raise InputError(f"“{key}” of a query is a text.", hint=SUCH_AS)
    return found or None


def _name(text: object) -> Name:
    if not isinstance(text, str) or not _NAME.fullmatch(text):
        raise InputError(f"“{str(text)[:80]}” can't be the name of a field.", hint=SUCH_AS)
    return Name(text)


def _full_name(text: object) -> Name:
    if not isinstance(text, str) or not _FULL_NAME.fullmatch(text):
        raise InputError(f"“{str(text)[:80]}” can't be the name of a facet, concept or edge.", hint=SUCH_AS)
    return Name(text)


def _measure(text: str) -> Measure:
    match = _MEASURE.fullmatch(text)
    if match is None:
        raise InputError(f"“{text[:80]}” can't be measured.", hint="count(), min(field), max(field) or sum(field).")
    if match[1]:
        return Measure("count")
    return Measure(match[2].lower(), _name(match[3]))  # type: ignore[arg-type]


def sort_of(text: str) -> Sort:
    match = _SORT.fullmatch(text)
    assert match is not None
    by = _measure(match[2]) if "(" in match[2] else _name(match[2])
    return Sort(by, bool(match[1]), match[3] == " nulls first")


def _where(data: Any, depth: int) -> Condition | None:
    if data is None:
        return None
    if not isinstance(data, Mapping):
        raise InputError("“where” of a query is an object of conditions.", hint=SUCH_AS)
    if depth > DEPTH_MAX:
        raise InputError("The conditions are nested too deeply.", hint=f"At most {DEPTH_MAX} deep.")
    return all_of(part for key, value in data.items() for part in _part(key, value, depth + 1))


def _needed(data: Any, depth: int) -> Condition:
    found = _where(data, depth)
    if found is None:
        raise InputError("A condition is empty.", hint=SUCH_AS)
    return found


def _part(key: str, value: Any, depth: int) -> list[Condition]:
    if not key.startswith("$"):
        return _field(_name(key), value)
    if key in ("$and", "$or"):
        if not isinstance(value, (list, tuple)) or not value:
            raise InputError(f"“{key}” takes a list of conditions.", hint=SUCH_AS)
        found = (all_of if key == "$and" else any_of)(_needed(item, depth) for item in value)
        assert found is not None
        return [found]
    if key == "$not":
        return [Not(_needed(value, depth))]
    if key == "$has":
        hops = _hops([value] if isinstance(value, Mapping) else value, depth)
        if not hops:
            raise InputError("“$has” takes the edges that are to be followed.", hint=SUCH_AS)
        return [Has(hops)]
    if key == "$matching":
        if not isinstance(value, str):
            raise InputError("“$matching” takes a text.", hint=SUCH_AS)
        return [Matching(value)]
    if key == "$conflicted":
        return [Conflicted(() if value is True else _list({key: value}, key, _name))]
    raise InputError(
        f"“{key[:80]}” isn't a condition.", hint="$and, $or, $not, $has, $matching, $conflicted or a field."
    )


def _field(field: Name, value: Any) -> list[Condition]:
    if not (isinstance(value, Mapping) and value and all(key in (*OPERATORS, "in") for key in value)):
        strange = next((key for key in value if not key[:1].isalnum()), None) if isinstance(value, Mapping) else None
        if strange is not None:
            raise InputError(
                f"“{strange[:80]}” doesn't compare.",
                hint=f'Use {", ".join(OPERATORS)} or in; for an object as a value {{"field": {{"=": {{…}}}}}}.',
            )
        return [Compare(field, "=", wanted(_plain(value)))]
    found: list[Condition] = []
    for operator, right in value.items():
        if operator == "in":
            if not isinstance(right, (list, tuple)) or not right:
                raise InputError("“in” takes a list of values.", hint=SUCH_AS)
            found.append(In(field, tuple(wanted(_plain(item)) for item in right)))
        elif right is None and operator not in ("=", "!="):
            raise InputError(f"Nothing is {operator} null.", hint='{"field": null} or {"field": {"!=": null}}.')
        else:
            found.append(Compare(field, operator, wanted(_plain(right))))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _hops(data: Any, depth: int) -> tuple[Hop, ...]:
    if data is None:
        return ()
    if not isinstance(data, (list, tuple)) or len(data) > HOPS_MAX:
        raise InputError(f"The edges to follow are a list of at most {HOPS_MAX}.", hint=SUCH_AS)
    return tuple(_hop(hop, depth) for hop in data)


def _hop(data: Any, depth: int) -> Hop:
    keys = ("edge", "to", "from", "where", "edge_where")
    if not isinstance(data, Mapping) or any(key not in keys for key in data) or ("to" in data and "from" in data):
        raise InputError(
            "An edge to follow holds edge, to or from, where and edge_where.",
            hint='Such as {"edge": "plugin.edge", "to": "plugin.facet", "where": {"field": "value"}}.',
        )
    target = data.get("from") if "from" in data else data.get("to")
    return Hop(
        _full_name(data.get("edge")), "from" not in data, None if target is None else _full_name(target),
        _where(data.get("where"), depth), _where(data.get("edge_where"), depth),
    )  # fmt: skip


# -- writing -----------------------------------------------------------------------------------------------


def write(query: Query) -> dict[str, Any]:
    """What ``read`` makes the same query of. Only what differs from the default is there."""
    data: dict[str, Any] = {"facet" if "." in query.source else "concept": str(query.source)}
    parts = {
        "where": _where_data(query.where),
        "along": [_hop_data(hop) for hop in query.along],
        "fields": [str(name) for name in query.fields],
        "measures": [str(measure) for measure in query.measures],
        "group": [str(name) for name in query.group],
        "sort": [_sort_data(sort) for sort in query.sort],
        "offset": query.offset,
        "as_of": query.as_of,
    }
    data.update({key: value for key, value in parts.items() if value})
    if query.limit is not None:
        data["limit"] = query.limit
    return data


def _sort_data(sort: Sort) -> str:
    return f"{'-' if sort.descending else ''}{sort.by}{' nulls first' if sort.nulls_first else ''}"


def _hop_data(hop: Hop) -> dict[str, Any]:
    data: dict[str, Any] = {
        "edge": str(hop.edge), "to" if hop.outward else "from": None if hop.target is None else str(hop.target),
    }  # fmt: skip
    if hop.where is not None:
        data["where"] = _where_data(hop.where)
    if hop.edge_where is not None:
        data["edge_where"] = _where_data(hop.edge_where)
    return data


def _where_data(condition: Condition | None) -> dict[str, Any]:
    if condition is None:
        return {}
    if isinstance(condition, And):
        parts = [_where_data(part) for part in condition.parts]
        keys = [key for part in parts for key in part]
        if len(set(keys)) == len(keys):
            return {key: value for part in parts for key, value in part.items()}
        return {"$and": parts}
    if isinstance(condition, Or):
        return {"$or": [_where_data(part) for part in condition.parts]}
    if isinstance(condition, Not):
        return {"$not": _where_data(condition.part)}
    if isinstance(condition, Has):
        return {"$has": [_hop_data(hop) for hop in condition.hops]}
    if isinstance(condition, Matching):
        return {"$matching": condition.text}
    if isinstance(condition, Conflicted):
        return {"$conflicted": [str(name) for name in condition.fields] or True}
    if isinstance(condition, In):
        return {str(condition.field): {"in": [_value(value) for value in condition.values]}}
    value = _value(condition.value)
    if condition.operator == "=" and not isinstance(value, dict):
        return {str(condition.field): value}
    return {str(condition.field): {condition.operator: value}}


def _value(value: Wanted) -> Any:
    return json.loads(value.text) if isinstance(value, Json) else value
