"""A list is read whole or not believed: pages that shift, that say nothing of their count, or that hold few rows."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from end_to_end import http
from sessions import Answers, session_with, target_at, token_answer

from importer.api.session import Session
from importer.endpoints import table
from importer.existing import look_up
from importer.expect import Expectation
from importer.search import Unreadable, rows

CUSTOMER = table()["customer.create"]


@dataclass
class Company:
    """Hold customers, and answer lists of them page by page; `between` is called before each page but the first."""

    numbers: list[int]
    cap: int
    between: Callable[["Company"], None] = lambda _company: None
    told: bool = True
    asked: list[str] = field(default_factory=list)

    def answer(self, _nth: int, request: bytes) -> bytes:
        """Answer one request."""
        path = request.split(b" ")[1].decode()
        if "/connect/" in path:
            return token_answer()
        self.asked.append(path)
        single = re.fullmatch(r"/v1/customer/(\w+)", path)
        if single:
            return http(404 if int(single[1]) not in self.numbers else 200, json.dumps(self.row(single[1])).encode())
        wanted = re.search(r"corporateId=(\d+)", path)
        page = int(re.search(r"pageNumber=(\d+)", path)[1])  # type: ignore[index]
        if page > 1:
            self.between(self)
        found = [number for number in self.numbers if wanted is None or number == int(wanted[1])]
        meta = {"metadata": {"totalCount": len(found), "maxPageSize": self.cap}} if self.told else {}
        shown = found[(page - 1) * self.cap : page * self.cap]
        return http(200, json.dumps([self.row(number) | meta for number in shown]).encode())

    @staticmethod
    def row(number: int | str) -> dict[str, Any]:
        """Return what the API reads out."""
        return {"number": str(number), "corporateId": str(number)}


@contextmanager
def served(company: Company) -> Iterator[Session]:
    """Open a session with a company."""
    with Answers(company.answer) as server, session_with(target_at(server.base_url)) as session:
        yield session


def numbers(session: Session) -> set[int]:
    """Return which customers a list shows."""
    return {int(row["number"]) for row in rows(session, CUSTOMER, {})}


def test_a_row_that_moves_to_a_page_that_was_read_is_seen_all_the_same() -> None:
    """Somebody deletes a customer between two pages, so that another one is on neither: the list is read anew."""

    def delete_one(company: Company) -> None:
        if 0 in company.numbers:
            company.numbers.remove(0)

    company = Company(list(range(12)), 5, delete_one)
    with served(company) as session:
        assert numbers(session) >= set(range(1, 12))
    assert len(company.asked) <= 6


def test_a_list_that_changes_as_often_as_it_is_read_is_not_believed() -> None:
    """Rows go each time: nothing is concluded from what is seen."""
    company = Company(list(range(100)), 5, lambda company: company.numbers.pop(0))
    with served(company) as session, pytest.raises(Unreadable, match="changed as often as it was read"):
        numbers(session)


def test_a_list_to_which_rows_only_come_is_believed() -> None:
    """Somebody else imports at the same time: what was there from the beginning is seen, and the run goes on."""
    company = Company(list(range(12)), 5, lambda company: company.numbers.append(len(company.numbers)))
    with served(company) as session:
        assert numbers(session) >= set(range(12))


def test_a_list_without_a_count_is_read_to_an_empty_page() -> None:
    """Nothing says that a page with fewer rows than were asked for is the last."""
    with served(Company(list(range(12)), 5, told=False)) as session:
        assert numbers(session) == set(range(12))


def test_a_list_of_small_pages_costs_what_its_pages_cost() -> None:
    """Six customers of 2,100, ten to a page, are looked up one by one; three hundred are worth the list."""
    company = Company(list(range(2100)), 10)
    with served(company) as session:
        few = look_up(session, CUSTOMER, [Expectation(identifiers={"corporateId": str(n)}) for n in range(6)])
        assert len(few.numbers(Expectation(identifiers={"corporateId": "5"}))) == 1
        assert len(company.asked) <= 1 + 2 * 6
        company.asked.clear()
        many = look_up(session, CUSTOMER, [Expectation(identifiers={"corporateId": str(n)}) for n in range(300)])
        assert list(many.numbers(Expectation(identifiers={"corporateId": "299"}))) == ["299"]
        assert len(company.asked) == 210
