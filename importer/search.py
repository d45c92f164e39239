"""Search the API for a document that may be there. Never writes, and believes no filter: every row is compared here.

Source: FACTS 5 and 6 (CONFIRMED): the filters, paging and `metadata`; (REPORTED): unknown filters are ignored.
"""

from collections.abc import Callable, Iterator
from collections.abc import Mapping as Dictionary
from typing import Any, Final

from importer.api.client import NoAnswer
from importer.api.session import Session
from importer.endpoints import Endpoint
from importer.expect import Expectation, number_of, spelled
from importer.lookup import Found, read_one

#: Rows asked for at a time; the API may give fewer.
PAGE_SIZE: Final = 500
#: Pages of a list that does not say how many rows it has.
_MAX_PAGES: Final = 200
#: How often a list is read that changes meanwhile.
_READINGS: Final = 3
_OK: Final = 200

Item = dict[str, Any]


class Unreadable(Exception):  # noqa: N818 - reads as what happened
    """Tell that a look-up gave no answer that can be trusted."""


def candidates(session: Session, endpoint: Endpoint, expected: Expectation) -> list[Item]:
    """Return every document that bears the number, the reference or an identifier of the one expected, each once.

    Raises: Unreadable when a look-up fails.
    """
    found: dict[str, Item] = {}
    if expected.number:
        one = by_number(session, endpoint, expected.number)
        found |= {expected.number: one} if one else {}
    for rows in (_by_reference(session, endpoint, expected), _by_identifiers(session, endpoint, expected)):
        for row in rows:
            number = number_of(endpoint, row)
            if number and number not in found:
                found[number] = by_number(session, endpoint, number) or row
    return list(found.values())


def by_number(session: Session, endpoint: Endpoint, number: str) -> Item | None:
    """Return the document with a number, or None.

    Raises: Unreadable.
    """
    found = read_one(session, endpoint, number)
    if isinstance(found, str):
        raise Unreadable(found)
    return found.data if isinstance(found, Found) and number_of(endpoint, found.data) == number else None


def _by_reference(session: Session, endpoint: Endpoint, expected: Expectation) -> Iterator[Item]:
    field = endpoint.reference_field
    if not field or not expected.reference or not expected.customer:
        return
    for row in rows(session, endpoint, {field: expected.reference, "customer": expected.customer}):
        party = row.get("customer")
        if (
            spelled(row.get(field)) == spelled(expected.reference)
            and isinstance(party, dict)
            and spelled(party.get("number")) == spelled(expected.customer)
        ):
            yield row


def _by_identifiers(session: Session, endpoint: Endpoint, expected: Expectation) -> Iterator[Item]:
    for name, value in expected.identifiers.items():
        for row in rows(session, endpoint, {name: value}):
            if row.get(name) == value:
                yield row


def rows(
    session: Session,
    endpoint: Endpoint,
    filters: Dictionary[str, str],
    enough: Callable[[int], bool] = lambda _pages: False,
) -> Iterator[Item]:
    """Yield every row of a list, page by page, some perhaps again; `enough` may end it once it knows how many pages.

    Raises: Unreadable when a page fails, the list has no end, or rows go from page to page as often as it is read.
    """
    reading = _Reading(session, endpoint, filters)
    for _ in range(_READINGS):
        yield from reading.once(enough)
        if reading.is_whole:
            return
    if not reading.only_grew:
        raise Unreadable("The list changed as often as it was read, so that rows may be missing. Run again.")


class _Reading:
    """Read a list and see whether all of it was seen: a row that goes while it is read moves another one away.

    Source: FACTS 6 (CONFIRMED): `totalCount` and `maxPageSize` in each row; the order is not known (UNKNOWN).
    """

    def __init__(self, session: Session, endpoint: Endpoint, filters: Dictionary[str, str]) -> None:
        self._session = session
        self._endpoint = endpoint
        self._filters = filters
        #: what each page of the last reading said of how many rows there are
        self._totals: list[int] = []
        self._seen: set[tuple[object, object]] = set()
        self._ended = False

    @property
    def is_whole(self) -> bool:
        """Tell whether the last reading saw all rows that each of its pages counted; without a count it did."""
        return self._ended or (len(set(self._totals)) <= 1 and len(self._seen) >= max(self._totals, default=0))

    @property
    def only_grew(self) -> bool:
        """Tell whether rows only came in the last reading, so that none that had been there was missed."""
        return self._totals == sorted(self._totals) and len(self._seen) >= self._totals[0]

    def once(self, enough: Callable[[int], bool]) -> Iterator[Item]:
        """Yield the rows of each page until one brings nothing new, or all are there that are counted."""
        self._totals, self._seen, page, most = [], set(), 1, _MAX_PAGES
        while page <= most:
            found = self._page(page)
            meta = found[0].get("metadata") if found else None
            total, size = _counted(meta if isinstance(meta, dict) else {})
            if total is not None:
                self._totals.append(total)
                pages = -(-total // size)
                most = max(most, 2 * pages)
                if page == 1 and enough(pages):
                    self._ended = True
                    return
            before = len(self._seen)
            self._seen |= {(row.get("documentType"), number_of(self._endpoint, row) or repr(row)) for row in found}
            yield from found
            if len(self._seen) == before or (total is not None and len(self._seen) >= total):
                return
            page += 1
        raise Unreadable("The list does not end.")

    def _page(self, page: int) -> list[Item]:
        query = {**self._filters, "pageNumber": str(page), "pageSize": str(PAGE_SIZE)}
        answer = self._session.read(self._endpoint.read_path, query)
        if isinstance(answer, NoAnswer):
            raise Unreadable(f"The list could not be read: {answer.reason}.")
        data = answer.data() if answer.whole else None
        if answer.status != _OK or not isinstance(data, list):
            raise Unreadable(f"The list could not be read: Visma answered {answer.status}.")
        return [row for row in data if isinstance(row, dict)]


def _counted(meta: Item) -> tuple[int | None, int]:
    """Return how many rows a list says that it has, and how many of them a page holds."""
    most, total = meta.get("maxPageSize"), meta.get("totalCount")
    size = min(PAGE_SIZE, most) if isinstance(most, int) and most > 0 else PAGE_SIZE
    return (total if isinstance(total, int) and total >= 0 else None), size
