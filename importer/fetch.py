"""List what the API holds: filters that it really has, every page, each row once. Never writes.

Data first: `schemas/filters.json` says what can be listed, by which filters, and where a row shows a filter's value.
Source: FACTS 5 (REPORTED): a filter that the API does not know is passed over and answered with every row. So names are
checked before anything is asked, and rows are compared with the filter when they come.
"""

import json
import re
from collections.abc import Callable, Sequence
from collections.abc import Mapping as Dictionary
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any, Final

from importer import resources
from importer.api.client import Answer, NoAnswer
from importer.api.session import Session
from importer.api.verdict import error_message
from importer.convert import period
from importer.errors import TargetError, UsageError
from importer.model import Fault
from importer.yamlfile import did_you_mean

#: Rows asked for at a time; the API may give fewer. Not more, since documents with many lines are long.
PAGE_SIZE: Final = 100
_OK: Final = 200
_SIGN: Final = re.compile(r"\s*(>=|<=|>|<)?\s*(.*)", re.DOTALL)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT: Final = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ](?P<time>[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,3})?)?))?"
)
_ZONE: Final = re.compile(r"[0-9](?:Z|[+-][0-9]{2}:?[0-9]{2})$", re.IGNORECASE)

#: One document or record as the API reads it out.
Item = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Describe one filter of a list."""

    name: str
    #: text, enum, integer, period, date or datetime
    type: str
    description: str
    values: tuple[str, ...] = ()
    #: signs that may stand before the value; one of them has to
    conditions: tuple[str, ...] = ()
    #: where a row shows what the filter compares; empty where it does not
    reads: tuple[str, ...] = ()
    #: equals or contains
    match: str = "equals"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expand:
    """Describe a part of a row that has to be asked for."""

    #: query parameter that asks for it
    query: str
    #: where it stands in a row
    part: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Describe one list of the API."""

    resource: str
    title: str
    path: str
    #: field of a row that holds its number
    number: str
    #: field of a row that holds its lines; None where there are none
    lines: str | None
    filters: Dictionary[str, Filter]
    expands: Dictionary[str, Expand]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Hold one filter with its value as it is sent."""

    filter: Filter
    sign: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Hold what is to be listed."""

    listing: Listing
    wanted: tuple[Wanted, ...] = ()
    expands: tuple[Expand, ...] = ()

    @property
    def query(self) -> dict[str, str]:
        """Return the query without its paging.

        Source: FACTS 7 (CONFIRMED): a date goes together with its condition.
        """
        pairs: dict[str, str] = {}
        for wanted in self.wanted:
            pairs[wanted.filter.name] = wanted.value
            if wanted.sign:
                pairs[f"{wanted.filter.name}Condition"] = wanted.sign
        pairs.update({expand.query: "true" for expand in self.expands})
        return pairs


@dataclass(frozen=True, slots=True)
class Fetched:
    """Hold the rows of a list, each once, and what is to be said about them."""

    items: tuple[Item, ...]
    warnings: tuple[str, ...]


@cache
def _data() -> dict[str, Any]:
    raw: dict[str, Any] = json.loads((resources.schemas() / "filters.json").read_text(encoding="utf-8"))
    return raw


@cache
def listings() -> Dictionary[str, Listing]:
    """Return what can be listed, by resource."""
    raw = _data()
    found = {}
    for name, row in raw["resources"].items():
        filters = {key: _filter(key, spec) for key, spec in raw["filters"][row["filters"]].items()}
        expands = {word: Expand(**spec) for word, spec in raw["expands"][row["expands"]].items()}
        found[name] = Listing(resource=name, **(row | {"filters": filters, "expands": expands}))
    return found


def _filter(name: str, spec: dict[str, Any]) -> Filter:
    parts: dict[str, Any] = {key: tuple(part) if isinstance(part, list) else part for key, part in spec.items()}
    return Filter(name=name, **parts)


@cache
def date_fields() -> frozenset[str]:
    """Return the names of the fields that hold dates; what looks like a date elsewhere is text.

    Source: the read forms of the OpenAPI document (CONFIRMED), fields of format date-time.
    """
    return frozenset(_data()["dates"])


def request_for(resource: str, filters: Sequence[str], expands: Sequence[str]) -> Request:
    """Return what to ask for: filters as `name=value` or `name=>=value`, expands as words.

    Raises: UsageError for whatever the API would pass over in silence or refuse.
    """
    known = listings()
    if resource not in known:
        raise UsageError(f"There is no list of {resource!r}. {did_you_mean(resource, list(known))}".rstrip())
    listing = known[resource]
    wanted = tuple(_wanted(listing, text) for text in filters)
    names = [each.filter.name for each in wanted]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"The filter {name} is given twice, and the API takes one. Leave one out.")
    for word in expands:
        if word not in listing.expands:
            hint = did_you_mean(word, list(listing.expands))
            raise UsageError(f"--expand: {listing.title} have no part {word!r}. {hint}".rstrip())
    return Request(listing=listing, wanted=wanted, expands=tuple(listing.expands[word] for word in expands))


def _wanted(listing: Listing, text: str) -> Wanted:
    name, equals, rest = text.partition("=")
    name = name.strip()
    if not equals:
        raise UsageError(f"--filter takes NAME=VALUE, not {text!r}.")
    if name not in listing.filters:
        raise UsageError(
            f"The list of {listing.title} has no filter {name!r}, and the API would pass over it and answer with every "
            f"row. {did_you_mean(name, list(listing.filters))}".rstrip()
        )
    spec = listing.filters[name]
    sign, value = _SIGN.fullmatch(rest).groups("") if spec.conditions else ("", rest)  # type: ignore[union-attr]
    if not value.strip():
        raise UsageError(
            f"The filter {name} has no value. Write {_example(spec)}, in quotes: a shell takes > for something else."
        )
    if spec.conditions and sign not in spec.conditions:
        raise UsageError(f"The filter {name} needs one of {' '.join(spec.conditions)}, as in {_example(spec)}.")
    return Wanted(spec, sign, _CHECKS[spec.type](spec, value.strip()))


def _example(spec: Filter) -> str:
    sign = spec.conditions[0] if spec.conditions else ""
    values = {"period": "2025-01", "integer": "1", "enum": spec.values[0] if spec.values else ""}
    value = "2025-01-14" if spec.conditions else values.get(spec.type, "...")
    return f"--filter '{spec.name}={sign}{value}'"


def _text(spec: Filter, text: str) -> str:
    if not text.isprintable():
        raise UsageError(f"The filter {spec.name} cannot be {text!r}: it holds a character that nobody sees.")
    return text


def _enum(spec: Filter, text: str) -> str:
    found = next((value for value in spec.values if value.casefold() == text.casefold()), None)
    if found is None:
        raise UsageError(f"The filter {spec.name} cannot be {text!r}. {did_you_mean(text, list(spec.values))}".rstrip())
    return found


def _integer(spec: Filter, text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise UsageError(f"The filter {spec.name} takes a whole number, not {text!r}.")
    return text


def _period(spec: Filter, text: str) -> str:
    """Write a period as YYYYMM. Source: FACTS 7 (CONFIRMED)."""
    found = period(text, "")
    if isinstance(found, Fault):
        raise UsageError(f"The filter {spec.name} cannot be {text!r}. Write a period as 2025-01, 202501 or 01-2025.")
    return f"{found[0]:04}{found[1]:02}"


def _day(spec: Filter, text: str) -> str:
    if not _DAY.fullmatch(text) or not _is_moment(text):
        raise UsageError(f"The filter {spec.name} takes a day as 2025-01-14, not {text!r}.")
    return text


def _moment(spec: Filter, text: str) -> str:
    """Write a moment in a form that the API accepts. Source: FACTS 7 (CONFIRMED): no form has a zone."""
    if _ZONE.search(text) and not _DAY.fullmatch(text):
        raise UsageError(
            f"The filter {spec.name} cannot be {text!r}: the API takes no time zone. Write the company's own time, as "
            "2025-01-14T08:00:00."
        )
    match = _MOMENT.fullmatch(text)
    if not match or not _is_moment(text):
        raise UsageError(f"The filter {spec.name} takes 2025-01-14 or 2025-01-14T08:00:00, not {text!r}.")
    if match["time"] is None:
        return match["day"]
    exact = datetime.fromisoformat(text)
    return exact.isoformat(timespec="milliseconds" if exact.microsecond else "seconds")


def _is_moment(text: str) -> bool:
    with suppress(ValueError):
        return bool(datetime.fromisoformat(text))
    return False


_CHECKS: Final[dict[str, Callable[[Filter, str], str]]] = {
    "text": _text,
    "enum": _enum,
    "integer": _integer,
    "period": _period,
    "date": _day,
    "datetime": _moment,
}


def fetch(
    session: Session,
    request: Request,
    noted: Callable[[int, int | None], None] = lambda _read, _total: None,
    page_size: int = PAGE_SIZE,
) -> Fetched:
    """Read every page and return each row once; `noted` is told the rows read and how many the API counts.

    Raises: TargetError when a page cannot be read. Source: FACTS 6: the size that counts is the smaller of the one
    asked for and `maxPageSize` (CONFIRMED); the end is a page with fewer rows (REPORTED); the order of a list is not
    known (UNKNOWN), so that a row may come on two pages.
    """
    found: dict[tuple[str, str], Item] = {}
    warnings: list[str] = []
    total: int | None = None
    totals: set[int | None] = set()
    size, page = page_size, 1
    while True:
        items = read_page(session, request, page, size)
        before = len(found)
        found |= {_identity(request.listing, item): item for item in items}
        largest, total = _paging(items, total)
        size = min(size, largest or size)
        totals.add(total)
        noted(len(found), total)
        if len(items) < size or (total is not None and page * size >= total):
            break
        if len(found) == before:
            warnings.append(f"Page {page} held only rows of earlier pages, so the reading ended there.")
            break
        page += 1
    if (total is not None and len(found) != total) or len(totals) > 1:
        warnings.append(
            f"The API counts {total} {request.listing.title}, {len(found)} were read: some came, went or moved "
            "meanwhile. Fetch again if you need exactly all."
        )
    kept, left_out = _compared(request, list(found.values()))
    return Fetched(tuple(kept), (*warnings, *left_out))


def read_page(session: Session, request: Request, page: int, size: int) -> list[Item]:
    """Return the rows of one page.

    Raises: TargetError when it cannot be read.
    """
    query = {**request.query, "pageNumber": str(page), "pageSize": str(size)}
    result = session.read(request.listing.path, query)
    what = f"The list of {request.listing.title} (page {page})"
    doctor = "`visma-import doctor` checks the target step by step."
    if isinstance(result, NoAnswer):
        raise TargetError(f"{what} could not be read: {result.reason}. {doctor}")
    if result.status != _OK:
        said = error_message(result)
        raise TargetError(f"{what} could not be read: Visma answered {result.status}. {said}".rstrip() + f" {doctor}")
    items = rows_of(result)
    if items is None or not all(item.get(request.listing.number) for item in items):
        raise TargetError(f"{what} could not be read: the answer is no whole list. Fetch again. {doctor}")
    return items


def rows_of(answer: Answer) -> list[Item] | None:
    """Return the rows that a list's answer holds, their numbers exact; None where it is no list of objects."""
    data = answer.data() if answer.whole else None
    return data if isinstance(data, list) and all(isinstance(item, dict) for item in data) else None


def _identity(listing: Listing, item: Item) -> tuple[str, str]:
    # Two types of document may have series with the same numbers.
    return str(item.get("documentType", "")), str(item[listing.number])


def _paging(items: Sequence[Item], total: int | None) -> tuple[int | None, int | None]:
    """Return the largest page size and the count of all rows, as the first row tells them."""
    told = items[0].get("metadata") if items else None
    facts = told if isinstance(told, dict) else {}
    largest, count = facts.get("maxPageSize"), facts.get("totalCount")
    return (
        largest if isinstance(largest, int) and largest > 0 else None,
        count if isinstance(count, int) and count >= 0 else total,
    )


def _compared(request: Request, items: list[Item]) -> tuple[list[Item], list[str]]:
    """Leave out the rows that a filter should have kept away, and say so."""
    warnings = []
    for wanted in request.wanted:
        kept = [item for item in items if _agrees(wanted, item)]
        if len(kept) < len(items):
            shown = f"{wanted.sign} {wanted.value!r}".strip()
            warnings.append(
                f"The API passed over the filter {wanted.filter.name}: {len(items) - len(kept)} of {len(items)} rows "
                f"are not {shown} and were left out here."
            )
        items = kept
    return items, warnings


def _agrees(wanted: Wanted, item: Item) -> bool:
    spec = wanted.filter
    if not spec.reads:
        return True
    shown = [str(value) for value in (_at(item, path) for path in spec.reads) if value is not None]
    if wanted.sign:
        return any(_in_order(value[:10], wanted.sign, wanted.value) for value in shown)
    asked = wanted.value.casefold()
    if spec.match == "contains":
        return any(asked in value.casefold() for value in shown)
    return any(asked == value.strip().casefold() for value in shown)


def _at(item: Item, path: str) -> object:
    """Return what stands at a path such as `customer.number`."""
    node: object = item
    for name in path.split("."):
        node = node.get(name) if isinstance(node, dict) else None
    return node


def _in_order(day: str, sign: str, other: str) -> bool:
    try:
        first, second = date.fromisoformat(day), date.fromisoformat(other)
    except ValueError:
        return True
    return {">=": first >= second, "<=": first <= second, ">": first > second, "<": first < second}[sign]
