"""An amount whose cell names another currency than its document's is asked about, where it is certain that it does."""

from decimal import Decimal
from typing import Any

import pytest
from conftest import PlanOf

from importer.model import Problem

HEAD = """\
version: 1
endpoint: customerInvoice.create
workbook: {locale: nb-NO}
key: No
fields: {externalReference: No, customerNumber: Customer%s}
lines: {description: Text, unitPriceInCurrency: Price}
"""


def warned(
    plan_of: PlanOf, currency: str, prices: list[Any], own: list[str] | None = None, **how: Any
) -> list[Problem]:
    """Return what is warned of prices; `currency` is the mapping's rule for it."""
    names = own or ["NOK"] * len(prices)
    rows = [["No", "Customer", "Text", "Price", "Currency"]]
    rows += [
        [f"N{spot}", "C1", "Text", price, name]
        for spot, (price, name) in enumerate(zip(prices, names, strict=True), start=1)
    ]
    plan = plan_of(HEAD % (f", currencyId: {currency}" if currency else ""), rows, **how)
    assert plan.problems == ()
    return [warning for warning in plan.warnings if warning.code == "other_currency"]


@pytest.mark.parametrize(
    ("price", "word"),
    [("EUR 7,00", "EUR"), ("7,00 €", "€"), ("€7", "€"), ("(7,00 eur)", "eur"), ("SKR 7", "SKR"), ("-$ 7,00", "$")],
)
def test_a_text_that_names_another_currency_is_asked_about(plan_of: PlanOf, price: str, word: str) -> None:
    """The number goes out in the document's currency, whatever word stands at it."""
    (found,) = warned(plan_of, "{value: NOK}", ["7,00", price, price])

    assert (found.row, found.column, found.value) == (3, "Price", word)
    assert "rows 3-4" in found.message
    assert "'NOK'" in found.message


@pytest.mark.parametrize(
    ("price", "currency"),
    [
        ("kr 7,00", "NOK"),
        ("7 kr.", "SEK"),
        ("DKK 7,00", "DKK"),
        ("7,00 €", "EUR"),
        ("$7", "CAD"),
        ("£7", "EGP"),
        ("7,-", "NOK"),
        ("(7,00)", "NOK"),
    ],
)
def test_a_word_that_may_be_the_documents_currency_is_taken_for_it(plan_of: PlanOf, price: str, currency: str) -> None:
    """Kroner are those of all Nordic countries, and there are many dollars."""
    assert warned(plan_of, f"{{value: {currency}}}", [price]) == []


@pytest.mark.parametrize(
    ("form", "currency", "word"),
    [
        ("[$€-407] #,##0.00", "NOK", "€"),
        ('#,##0.00 "€"', "NOK", "€"),
        ("#,##0.00\\ [$EUR]", "SEK", "EUR"),
        ('_-* #,##0.00\\ "kr"_-', "EUR", "kr"),
        ("[$kr-414] #,##0.00", "NOK", None),
        ('0 "STK"', "NOK", None),
        ("[$-414]#,##0.00", "NOK", None),
        ("[$$-409]#,##0.00", "NOK", "$"),
        ("$#,##0.00", "NOK", None),
        ('_("$"* #,##0.00_)', "NOK", None),
    ],
)
def test_a_number_format_that_shows_another_currency_is_asked_about(
    plan_of: PlanOf, form: str, currency: str, word: str | None
) -> None:
    """What Excel shows is what the person who filled the sheet in saw."""
    found = warned(plan_of, f"{{value: {currency}}}", [Decimal("7.5")], formats={"D2": form})

    assert [warning.value for warning in found] == ([word] if word else [])


def test_each_document_is_held_against_its_own_currency(plan_of: PlanOf) -> None:
    """A column may name several currencies where another column says the same."""
    (found,) = warned(plan_of, "Currency", ["EUR 7", "kr 7", "EUR 7"], ["EUR", "NOK", "SEK"])

    assert (found.row, found.value) == (4, "EUR")
    assert "'SEK'" in found.message


def test_a_column_of_two_currencies_is_asked_about_where_nothing_says_which(plan_of: PlanOf) -> None:
    """Without currencyId the customer's currency holds for all of them, so that two words cannot both be true."""
    (found,) = warned(plan_of, "", ["EUR 7", "7", "kr 7", "NOK 7"])

    assert (found.row, found.column) == (2, "Price")
    assert "'EUR' (row 2), 'kr' (row 4), 'NOK' (row 5)" in found.message
    assert warned(plan_of, "", ["kr 7", "7", "NOK 7"]) == []
