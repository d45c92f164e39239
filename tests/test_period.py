"""A period takes a day, also one that is a text, read as the field of a date would be; no text has two readings."""

import json
from typing import Any

import pytest
from conftest import PlanOf

from importer.model import Status
from importer.plan import Plan

MAPPING = """\
version: 1
endpoint: customerInvoice.create
workbook: {{sheet: Rows{locale}}}
key: No
fields:
  customerNumber: Customer
  period: {{column: Day{format}}}
"""


def planned(plan_of: PlanOf, cell: Any, locale: str = "", form: str = "") -> Plan:
    """Plan one row whose period stands in a cell."""
    mapping = MAPPING.format(locale=f", locale: {locale}" if locale else "", format=f", format: {form}" if form else "")
    return plan_of(mapping, [["No", "Customer", "Day"], ["F1", "10000", cell]])


@pytest.mark.parametrize(
    ("cell", "locale", "form", "period"),
    [
        ("02.10.2025", "nb-NO", "", "202510"),
        ("2.10.2025", "nb-NO", "", "202510"),
        ("10/2/2025", "en-US", "", "202510"),
        ("02/10/2025", "en-GB", "", "202510"),
        ("2025-10-02", "", "", "202510"),
        ("02.10.2025", "", "dd.mm.yyyy", "202510"),
        ("02-10-2025", "en-US", "mm-dd-yyyy", "202502"),
        (20251002, "", "yyyymmdd", "202510"),
        ("112025", "", "dmyyyy", "202501"),
        ("10-2025", "nb-NO", "", "202510"),
        ("2025-13", "nb-NO", "", "202513"),
    ],
)
def test_a_day_as_text_names_its_period(plan_of: PlanOf, cell: Any, locale: str, form: str, period: str) -> None:
    """In the mapping's locale, in the rule's own format, or as ISO 8601; what names a period stays one."""
    (document,) = planned(plan_of, cell, locale, form).documents

    assert document.status is None, document.problems
    assert json.loads(document.body)["financialPeriod"] == {"value": period}


@pytest.mark.parametrize(
    ("cell", "locale", "form", "code"),
    [
        ("02.10.2025", "", "", "date_format"),
        ("02/10/2025", "nb-NO", "", "not_a_date"),
        ("31.02.2025", "nb-NO", "", "not_a_date"),
        ("02.10.25", "nb-NO", "", "not_a_date"),
        ("10-2025", "nb-NO", "dd.mm.yyyy", "not_a_date"),
        ("02.10.2025", "nb-NO", "mmyyyy", "not_a_period"),
        ("next month", "nb-NO", "", "not_a_period"),
    ],
)
def test_a_text_that_is_not_surely_that_day_is_refused(
    plan_of: PlanOf, cell: str, locale: str, form: str, code: str
) -> None:
    """Another locale's, no such day, a year of two digits, or another format than the one declared."""
    (document,) = planned(plan_of, cell, locale, form).documents

    assert document.status is Status.INVALID
    assert [problem.code for problem in document.problems] == [code]
