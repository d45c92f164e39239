"""What the ERP answers is explained: each known wording has its cause, and equal ones group."""

import re
import time
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from records import rejected

from importer import resources
from importer.causes import (
    Catalogue,
    Group,
    Match,
    explain,
    explain_verdict,
    group,
    headline,
    language_of,
    load_causes,
    noun_of,
)
from importer.model import Outcome, Status
from importer.sandbox import Sandbox, Settings
from importer.sandbox.company import load as company
from importer.schemacheck import check, load_schema
from importer.yamlfile import load

ID = "VismaId: 3f0c1a52-9d1e-4b6a-8f0e-0123456789ab. "
DOCUMENT = f"{ID}Error creating document. Error: "
CUSTOMER = (
    f"{ID}Error inserting the customer. Error: Inserting 'Customer' record raised at least one error. Please review "
    "the errors.\r\nError: "
)
INVOICE, NEW_CUSTOMER = "customerInvoice.create", "customer.create"
LANGUAGES = ("en", "nb", "sv")

#: What was seen of the real API: message, cause, what it is about.
RECORDED = (
    (f"{DOCUMENT}TaxCategoryID '0' cannot be found in the system.", "vat-category-not-found", "0"),
    ("TaxID '01' cannot be found in the system", "vat-code-mismatch", "01"),
    (f"{CUSTOMER}Terms 'TT' cannot be found in the system.\r\n", "terms-not-found", "TT"),
    (
        f"{ID}Error creating payment. Error: AdjdRefNbr '000225' cannot be found in the system.",
        "application-not-found",
        "000225",
    ),
    ("Payment can't be updated because it is already released.", "already-released", ""),
    (
        "You cannot create timecards for the selected user. Please review the company tree.",
        "no-permission",
        "",
    ),
    ("No license for this company.", "no-licence", ""),
    ("IPP error 12027", "no-licence", ""),
    ("IPP error 12002", "wrong-company", ""),
    ("CompanyInContext is missing", "wrong-company", ""),
    ("Invalid token", "token-refused", ""),
    (f"{CUSTOMER}'Customer ID' cannot be empty.\r\n", "number-required", ""),
    (f"{ID}Error inserting the supplier. Value cannot be null.\r\nParameter name: key", "number-required", ""),
    (
        f"{ID}Error: An error occurred during processing of the field X : Error: Avdeling of Subaccount do not exist.",
        "subaccount-not-found",
        "",
    ),
)
#: What the simulated API and the product behind the real one say, after `Error: `.
WORDED = (
    ("Customer '10233' cannot be found in the system.", "customer-not-found", "10233"),
    ("'Customer' '10233' cannot be found in the system.", "customer-not-found", "10233"),
    ("Project Task 'T1' cannot be found in the system.", "project-not-found", "T1"),
    ("Supplier Class 'X' cannot be found in the system.", "class-not-found", "X"),
    ("Line '7' cannot be found in the system.", "line-not-found", "7"),
    ("Invoice '000123' cannot be found in the system.", "code-not-found", "Invoice '000123'"),
    ("The 01-2025 financial period is closed.", "period-not-open", "01-2025"),
    ("The 01-2025 financial period is inactive.", "period-not-open", "01-2025"),
    (
        "The 01-2025 financial period of the NORDLYS company is closed in Accounts Receivable.",
        "period-not-open",
        "01-2025",
    ),
    ("Financial Period cannot be found in the system.", "period-unknown", ""),
    ("Fin. Period '012099' cannot be found in the system.", "period-unknown", "012099"),
    ("The post period '012025' and the financial period '202502' disagree.", "period-unknown", ""),
    ("Another process has added the 'Invoice' record. Your changes will be lost.", "number-taken", ""),
    ("Another process has updated the 'Customer' record. Your changes will be lost.", "changed-meanwhile", ""),
    ("The record has been changed since the version stated in If-Match.", "changed-meanwhile", ""),
    ("'Customer name' cannot be empty.", "field-empty", "Customer name"),
    ("'Customer' cannot be empty.", "field-empty", "Customer"),
    ("Line 2: 'Inventory ID' and 'Description' cannot both be empty.", "field-empty", "Inventory ID"),
    ("'referenceNumber' cannot be empty.", "number-required", ""),
    ("'number' cannot be empty.", "number-required", ""),
    ("The status of customer '10005' is 'Inactive'.", "not-active", "10005"),
    ("Document can't be updated because it is already released.", "already-released", ""),
    ("Document can't be released because it is already released.", "already-released", ""),
    ("Document can't be reversed because it is not released.", "status-not-allowed", ""),
    ("Invoice '000123' is on hold and can't be released.", "status-not-allowed", "000123"),
    ("Document is On Hold and cannot be released.", "status-not-allowed", ""),
    ("The token lacks the scope for this operation.", "token-refused", ""),
    ("Unauthorized. Access token is missing or invalid.", "token-refused", ""),
    (
        "Error converting value \"1,5x\" to type 'System.Decimal'. Path 'invoiceLines[0].quantity.value'.",
        "wrong-type",
        "invoiceLines[0].quantity",
    ),
    ("Could not find member 'lines'.", "field-unknown", "lines"),
    ("Document is out of balance.", "out-of-balance", ""),
    ("'Quantity' cannot be negative.", "negative-amount", "Quantity"),
    ("Incorrect value. The value to be entered must be greater than or equal to 0.", "negative-amount", ""),
)
#: The causes of the codes that the simulated company checks, by the label the ERP gives their fields.
CODES = {
    "Terms": "terms-not-found",
    "TaxCategoryID": "vat-category-not-found",
    "Tax Zone": "vat-zone-not-found",
    "TaxID": "vat-code-mismatch",
    "Inventory ID": "item-not-found",
    "Customer Class": "class-not-found",
    "Price Class": "class-not-found",
    "Project": "project-not-found",
    "Project Task": "project-not-found",
    "Branch": "branch-not-found",
    "Account": "account-not-found",
    "Cash Account": "account-not-found",
    "Location": "location-not-found",
    "Salesperson": "salesperson-not-found",
    "UOM": "unit-not-found",
    "Currency": "currency-not-found",
}


@pytest.fixture(scope="module")
def bundled() -> Catalogue:
    return load_causes(None)


# -- the bundled catalogue -----------------------------------------------------------------------------------------


def test_the_bundled_file_is_what_its_schema_says(bundled: Catalogue) -> None:
    file = load(resources.schemas() / "causes.yaml")
    assert check(file, load_schema(resources.schemas() / "causes.schema.json")) == []
    assert 25 <= len(bundled.causes) <= 40
    assert len({one.id for one in bundled.causes}) == len(bundled.causes)


@pytest.mark.parametrize(("message", "cause_id", "subject"), RECORDED)
def test_what_the_real_api_said_has_its_cause(bundled: Catalogue, message: str, cause_id: str, subject: str) -> None:
    assert bundled.find(message, INVOICE) == Match(cause_id, subject)


@pytest.mark.parametrize("opening", ["", DOCUMENT, CUSTOMER])
@pytest.mark.parametrize(("message", "cause_id", "subject"), WORDED)
def test_what_the_simulated_api_says_has_its_cause(
    bundled: Catalogue, opening: str, message: str, cause_id: str, subject: str
) -> None:
    assert bundled.find(opening + message, INVOICE) == Match(cause_id, subject)


@pytest.mark.parametrize("label", sorted({code.label for code in company().codes.values()}))
def test_every_code_that_is_not_found_has_its_cause(bundled: Catalogue, label: str) -> None:
    """Those without a cause of their own name the field and its value."""
    found = bundled.find(f"{DOCUMENT}{label} 'X-1' cannot be found in the system.", INVOICE)
    assert found == (Match(CODES[label], "X-1") if label in CODES else Match("code-not-found", f"{label} 'X-1'"))


def test_every_cause_has_a_message_here(bundled: Catalogue) -> None:
    assert {one.id for one in bundled.causes} == {row[1] for row in (*RECORDED, *WORDED)} | set(CODES.values())


def test_the_answers_of_a_real_exchange_are_explained(bundled: Catalogue, tmp_path: Path) -> None:
    with Sandbox(tmp_path / "box", settings=Settings()) as box:
        answer = requests.post(
            f"{box.base_url}/v2/customerinvoice",
            json={"customerNumber": {"value": "nobody"}},
            timeout=10,
        )
    found = bundled.find(answer.json()["message"], INVOICE)
    assert found == Match("customer-not-found", "nobody")


def test_every_cause_speaks_three_languages_with_the_same_placeholders(bundled: Catalogue) -> None:
    for one in bundled.causes:
        for texts in (one.cause, one.advice):
            assert set(texts) == set(LANGUAGES), one.id
            assert len({"{subject}" in text for text in texts.values()}) == 1, one.id
            assert len(set(texts.values())) == 3, one.id
        assert not any(text.endswith(".") for text in one.cause.values()), one.id
        assert all(text.endswith(".") for text in one.advice.values()), one.id


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_cause_reads_well_with_and_without_what_it_is_about(bundled: Catalogue, language: str) -> None:
    for one in bundled.causes:
        for subject in ("", "A-1"):
            for text in bundled.text(Match(one.id, subject), language):
                assert text[0].isupper(), (one.id, text)
                assert not re.search(r"  | [.,:;)]|[({}]\s*\)|[-–(:]$|\{|\}", text), (one.id, text)


def test_a_word_that_only_looks_like_one_is_not_taken(bundled: Catalogue) -> None:
    assert bundled.find("Customer '12027' cannot be found in the system.", INVOICE) == Match(
        "customer-not-found", "12027"
    )
    assert bundled.find("Something else is wrong with row 12002.", INVOICE) is None
    assert bundled.find("", INVOICE) is None


# -- explaining ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("message", [row[0] for row in RECORDED] + ["Nobody knows this, 17 times.", "{subject} {0}"])
def test_the_words_of_the_erp_always_stand_beside_whole(bundled: Catalogue, message: str, language: str) -> None:
    assert explain(bundled, message, INVOICE, language).endswith(f"Visma answered: {message}")
    verdict = f"Visma answered: {message}"
    assert explain_verdict(bundled, verdict, INVOICE, language).endswith(verdict)


def test_an_explanation_is_cause_advice_and_answer(bundled: Catalogue) -> None:
    said = "Error creating document. Error: Customer '10233' cannot be found in the system."
    assert explain(bundled, said, INVOICE, "en") == (
        "Customer 10233 not found. Correct the customer number in the cell (leading zeros count), or create the "
        f"customer in Visma, then run again. Visma answered: {said}"
    )
    assert explain(bundled, said, INVOICE, "nb").startswith("Kunden 10233 finnes ikke. Rett kundenummeret i cellen")
    assert explain(bundled, said, INVOICE, "sv").startswith("Kunden 10233 finns inte. Rätta kundnumret i cellen")
    assert explain(bundled, "Odd.", INVOICE, "nb") == "Visma answered: Odd."


def test_several_subjects_of_one_message_are_all_named(bundled: Catalogue) -> None:
    said = (
        "Error: Inventory ID 'A' cannot be found in the system. Error: Inventory ID 'B' cannot be found in the system."
    )
    assert bundled.find(said, INVOICE) == Match("item-not-found", "A", ("B",))
    assert explain(bundled, said, INVOICE, "en").startswith("Item A, B not found. ")


def test_what_a_verdict_says_of_its_own_stays_in_front(bundled: Catalogue) -> None:
    verdict = "It was changed by someone since it was read (412). Visma answered: The record has been changed since."
    found = explain_verdict(bundled, verdict, INVOICE, "en")
    assert found.startswith("It was changed by someone since it was read (412). Someone else changed it in Visma")
    assert found.endswith("Visma answered: The record has been changed since.")
    failed = "Visma answered that the action failed: Document is out of balance."
    assert explain_verdict(bundled, failed, INVOICE, "en").startswith("The document does not balance. ")
    own_words = "The number '10233' is taken by another document."
    assert explain_verdict(bundled, own_words, INVOICE, "en") == own_words


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("nb_NO", "nb"), ("nb-NO", "nb"), ("nn", "nb"), ("no", "nb"), ("NO_no", "nb"), ("sv_SE", "sv"), ("sv", "sv"),
        ("sv_FI.UTF-8", "sv"), ("en_GB", "en"), ("da_DK", "en"), ("nob", "en"), ("", "en"), (None, "en"),
    ],
)  # fmt: skip
def test_a_locale_has_its_language(name: str | None, language: str) -> None:
    assert language_of(name) == language


# -- grouping ------------------------------------------------------------------------------------------------------


def test_fourteen_rejections_for_missing_customers_are_one_group(bundled: Catalogue) -> None:
    """Neither the VismaId, nor the customer, nor the explanation in front makes them differ."""
    outcomes = [
        rejected(
            f"INV{number}",
            f"VismaId: {uuid.uuid4()}. Error creating document. Error: Customer '{10233 + number % 10}' cannot be "
            "found in the system.",
            2 * number,
            2 * number + 1,
            catalogue=bundled if number % 2 else None,
        )
        for number in range(1, 15)
    ]
    (one,) = group(outcomes, bundled, INVOICE, "en")
    assert (one.text, one.count) == ("Customer not found", 14)
    assert one.subjects == tuple(str(10233 + number) for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 0))
    assert one.keys == tuple(f"INV{number}" for number in range(1, 15))
    assert one.rows == tuple(range(2, 30))
    assert one.advice.startswith("Correct the customer number")
    assert headline(one, "invoice") == (
        "14 invoices: customer not found: 10234, 10235, 10236, 10237, 10238, 10239, 10240, 10241 and 2 more"
    )


def test_groups_come_by_size_and_only_rejections_are_grouped(bundled: Catalogue) -> None:
    invalid = Outcome(position=0, key="A", status=Status.INVALID, rows=(2,), message="Visma answered: no")
    outcomes = [
        invalid,
        rejected("B", "Document is out of balance."),
        rejected("C", "The 01-2025 financial period is closed."),
        rejected("D", "The 02-2025 financial period is inactive."),
    ]
    found = group(outcomes, bundled, INVOICE, "en")
    assert [headline(one, "document") for one in found] == [
        "2 documents: the financial period is not open: 01-2025, 02-2025",
        "1 document: the document does not balance: B",
    ]
    assert group([invalid], bundled, INVOICE, "en") == []


def test_what_no_cause_matches_is_grouped_without_numbers_and_names(bundled: Catalogue) -> None:
    outcomes = [
        rejected("A", "Widget 'x' of 12,50 is odd."),
        rejected("B", "Widget 'it y' of 3 is odd."),
        rejected("C", "Gadget 7 is odd."),
    ]
    found = group(outcomes, bundled, INVOICE, "nb")
    assert [(one.text, one.advice, one.subjects) for one in found] == [
        ("Widget … of … is odd.", "", ()),
        ("Gadget 7 is odd.", "", ()),
    ]
    assert headline(found[0], "invoice") == "2 invoices: widget … of … is odd: A, B"


def test_abbreviations_keep_their_capitals_in_a_line() -> None:
    one = Group(text="VAT code not found", advice="", subjects=("3",), outcomes=(rejected("A", "?"),))
    assert headline(one, "supply") == "1 supply: VAT code not found: 3"
    nameless = (replace(one.outcomes[0], key=None),) * 2
    assert headline(Group(text="Odd", advice="", subjects=(), outcomes=nameless), "supply") == "2 supplies: odd"


@pytest.mark.parametrize(
    ("endpoint", "noun"),
    [
        ("customerInvoice.create", "invoice"),
        ("customerCreditNote.update", "credit note"),
        ("customer.createDunningLetter", "customer"),
        ("supplier.create", "supplier"),
        ("journalTransaction.create", "journal transaction"),
        ("", "document"),
    ],
)
def test_an_endpoint_names_its_documents(endpoint: str, noun: str) -> None:
    assert noun_of(endpoint) == noun


# -- cost ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "piece",
    ["a", "'", "path '", "customer '", "error converting value ", "financial period ", "inserting the customer ",
     "unit conversion ", "status of a ", "debit credit ", "' and '", "the 1 financial period of the ",
     "VismaId: ", " "],
)  # fmt: skip
def test_a_message_of_a_million_characters_costs_little(bundled: Catalogue, piece: str) -> None:
    began = time.perf_counter()
    bundled.find(piece * (1_000_000 // len(piece)), INVOICE)
    assert time.perf_counter() - began < 2
