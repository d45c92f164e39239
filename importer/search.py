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
_MAX_PAGES: Final = 200
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
    enough: Callable[[int], bool] = lambda _n: False,
) -> Iterator[Item]:
    """Yield every row of a list, page by page; `enough` may end it once the total count is known.

    Raises: Unreadable when a page fails or the list has no end.
    """
    size = PAGE_SIZE
    for page in range(1, _MAX_PAGES + 1):
        answer = session.read(endpoint.read_path, {**filters, "pageNumber": str(page), "pageSize": str(size)})
        if isinstance(answer, NoAnswer):
            raise Unreadable(f"The list could not be read: {answer.reason}.")
        data = answer.data() if answer.whole else None
        if answer.status != _OK or not isinstance(data, list):
            raise Unreadable(f"The list could not be read: Visma answered {answer.status}.")
        found = [row for row in data if isinstance(row, dict)]
        meta = found[0].get("metadata") if found else None
        most = meta.get("maxPageSize") if isinstance(meta, dict) else None
        total = meta.get("totalCount") if isinstance(meta, dict) else None
        if isinstance(total, int) and page == 1 and enough(total):
            return
        yield from found
        effective = min(size, most) if isinstance(most, int) and most > 0 else size
        if len(found) < effective or (isinstance(total, int) and page * effective >= total):
            return
    raise Unreadable("The list does not end.")
