"""Answer list requests: filters, paging, and the parts that have to be asked for."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from importer.sandbox.answers import Refusal, message
from importer.sandbox.catalog import Resource
from importer.sandbox.settings import Settings
from importer.sandbox.store import Store, Stored, body_path

_CONDITIONS = (">", "<", ">=", "<=")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d:\d\d(\.\d{1,3})?)?")

Query = Mapping[str, str]
Condition = tuple[str, str]


def parse(query: str) -> dict[str, str]:
    """Read a query string; of a parameter given twice the last one counts, names in lower case."""
    return {name.lower(): text for name, text in parse_qsl(query, keep_blank_values=True)}


def page(
    store: Store, resource: Resource, query: Query, settings: Settings, visible: str
) -> tuple[list[Stored], dict[str, int]]:
    """Return one page of documents created up to `visible`, with the paging metadata.

    Raises: Refusal for a filter that the API would not accept. Unknown parameters are passed over.
    """
    conditions = [("resource = ?", resource.name), ("created <= ?", visible)]
    for name, spec in resource.filters.items():
        verb, _, target = spec.partition(" ")
        given = name.lower() in query or (verb == "moment" and f"{name.lower()}condition" in query)
        if given and name not in settings.ignored_filters:
            conditions.append(_FILTERS[verb](target, name, query))
    where = " AND ".join(sql for sql, _ in conditions)
    values = [text for _, text in conditions]
    size = _whole(query.get("pagesize"), settings.default_page_size)
    size = min(size, settings.max_page_size)
    first = (_whole(query.get("pagenumber"), 1) - 1) * size
    count = f"SELECT count(*) FROM documents WHERE {where}"  # noqa: S608 - conditions of ours, values bound
    total = store.rows(count, values)[0][0]
    found = store.select(where, values, f"LIMIT {size} OFFSET {first}")
    return found, {"totalCount": total, "maxPageSize": settings.max_page_size}


def leave_out(resource: Resource, query: Query, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without the parts that were not asked for."""
    hidden = {
        part
        for flag, parts in resource.expand.items()
        if query.get(flag.lower(), "").lower() != "true"
        for part in parts
    }
    return {name: part for name, part in row.items() if name not in hidden}


def _whole(text: str | None, default: int) -> int:
    """Read a whole number from 1 up to a million, else return the default."""
    return min(int(text), 10**6) if text and re.fullmatch(r"0*[1-9]\d{0,9}", text) else default


def _equals(target: str, name: str, query: Query) -> Condition:
    """Compare a field exactly."""
    return f"{body_path(target)} = ?", query[name.lower()]


def _contains(target: str, name: str, query: Query) -> Condition:
    """Look for a part of a field, in any casing."""
    return f"instr(fold({body_path(target)}), ?) > 0", query[name.lower()].casefold()


def _state(_target: str, name: str, query: Query) -> Condition:
    """Compare the status, in any casing."""
    return "fold(status) = ?", query[name.lower()].casefold()


def _released(_target: str, name: str, query: Query) -> Condition:
    """Pick released documents (1) or the others (0)."""
    return "(status IN ('Open', 'Closed')) = (? = '1')", query[name.lower()]


def _above(_target: str, name: str, query: Query) -> Condition:
    """Pick the numbers after one."""
    return "number > ?", query[name.lower()]


def _day(target: str, name: str, query: Query) -> Condition:
    """Compare a day; without a condition the same day is meant."""
    text = query[name.lower()]
    _check_date(name, text, _DAY)
    sign = query.get(f"{name.lower()}condition", "=")
    if sign not in (*_CONDITIONS, "="):
        raise Refusal(message(400, f"The value '{sign}' is not valid for {name}Condition."))
    return f"substr({body_path(target)}, 1, 10) {sign} ?", text


def _moment(target: str, name: str, query: Query) -> Condition:
    """Compare the time of creation or of the last change; the condition has to come with it."""
    sign = query.get(f"{name.lower()}condition")
    if sign not in _CONDITIONS:
        raise Refusal(message(400, f"{name} and {name}Condition are mutually inclusive."))
    text = query.get(name.lower(), "")
    _check_date(name, text, _MOMENT)
    moment = datetime.fromisoformat(text).isoformat(timespec="milliseconds")
    return f"{target} {sign} ?", moment


def _check_date(name: str, text: str, form: re.Pattern[str]) -> None:
    """Refuse a date in another form than the documented ones, so also the letters W to Z."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        form = re.compile("(?!)")
    if not form.fullmatch(text):
        raise Refusal(message(400, f"The value '{text}' is not valid for {name}."))


_FILTERS: dict[str, Callable[[str, str, Query], Condition]] = {
    "equals": _equals,
    "contains": _contains,
    "state": _state,
    "released": _released,
    "above": _above,
    "day": _day,
    "moment": _moment,
}
