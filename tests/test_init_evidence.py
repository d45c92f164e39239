"""What `init` sees in the cells decides formats, locale, zeros and codes, or is a question."""

import pytest
from conftest import Draft
from drafts import DAY, INVOICE, invoices


def test_real_dates_are_counted(draft: Draft) -> None:
    """A column of real Excel dates needs no format."""
    done = draft(invoices(("Dato", [DAY] * 4)))

    assert done.line("documentDate:") == "documentDate: Dato  # 4 dates, all real Excel dates"


def test_a_day_above_twelve_decides_how_dates_are_written(draft: Draft) -> None:
    """The text that decides is named."""
    done = draft(invoices(("Dato", ["03.04.2025", "27.01.2025"]), ("Forfall", ["4/25/2025", "5/3/2025"])))

    assert done.data["fields"]["documentDate"] == {"column": "Dato", "format": "dd.mm.yyyy"}
    assert "'27.01.2025': day first, since 27 cannot be a month" in done.line("documentDate:")
    assert done.data["fields"]["documentDueDate"] == {"column": "Forfall", "format": "m/d/yyyy"}
    assert "month first, since 25 cannot be a month" in done.line("documentDueDate:")


def test_dates_that_two_readings_fit_are_a_question(draft: Draft) -> None:
    """Neither reading is chosen; the comment shows both and what to write for each."""
    done = draft(invoices(("Dato", ["03.04.2025", "05.06.2025"])))

    assert "documentDate" not in done.data["fields"]
    assert "# documentDate: {column: Dato, format: dd.mm.yyyy}" in done.text
    question = " ".join(done.text.replace("\n  # ", " ").split())
    assert "'03.04.2025' can be read as 2025-04-03 (dd.mm.yyyy) or as 2025-03-04 (mm.dd.yyyy)" in question
    assert "say format: dd.mm.yyyy or format: mm.dd.yyyy" in question
    assert "not sent until you decide: Dato." in done.stdout


def test_dates_are_read_as_another_column_decides_that_is_written_alike(draft: Draft) -> None:
    """The same export writes its dates in one way, and the draft says where that was seen."""
    done = draft(invoices(("Dato", ["03.04.2025", "05.06.2025"]), ("Forfall", ["17.04.2025", "19.06.2025"])))

    assert done.data["fields"]["documentDate"] == {"column": "Dato", "format": "dd.mm.yyyy"}
    assert "written as in 'Forfall'" in done.line("documentDate:")


@pytest.mark.parametrize(("text", "why"), [("27.01.25", "years of two digits"), (45684, "numbers are no dates")])
def test_what_is_no_sure_date_stays_behind_a_mark(draft: Draft, text: object, why: str) -> None:
    """Two-digit years and day numbers are not guessed."""
    done = draft(invoices(("Dato", [text, text])))

    assert "documentDate" not in done.data["fields"]
    assert why in done.line("documentDate:")


@pytest.mark.parametrize(
    ("texts", "name", "mark"),
    [
        (["1 234,50", "12,00"], "nb-NO", "decimal comma"),
        (["1.234,50", "12,00"], "nb-NO", "decimal comma"),
        (["1,234.50", "12.00"], "en-GB", "decimal point"),
        (["1\u00a0234,50", "12"], "nb-NO", "decimal comma"),
    ],
)
def test_texts_that_one_reading_fits_decide_the_locale(draft: Draft, texts: list[str], name: str, mark: str) -> None:
    """The locale is the headers' own where that reads the texts, and another where only another does."""
    done = draft(invoices(("Pris", texts), ("Beskrivelse", ["Kaffe", "Te"])))

    assert done.data["workbook"]["locale"] == name
    assert mark in done.line("locale:")


def test_numbers_that_two_readings_fit_are_a_question(draft: Draft) -> None:
    """1.234 may be a thousand or one and a bit; the locale stands behind a # with both."""
    done = draft(invoices(("Pris", ["1.234", "2.345"]), ("Beskrivelse", ["Kaffe", "Te"])))

    assert "locale" not in done.data["workbook"]
    assert "how are numbers written?" in done.text
    assert "1234" in done.text
    assert "1.234 (" in done.text
    assert done.stdout.count("check: Pris") == 1


def test_real_numbers_need_no_locale(draft: Draft) -> None:
    """Nothing is said about how numbers are written where none is text."""
    assert "locale" not in draft(invoices(("Pris", [1234.5, 12]), ("Beskrivelse", ["Kaffe", "Te"]))).text


def test_numbers_beside_longer_texts_may_have_lost_zeros(draft: Draft) -> None:
    """The width that the texts have is proposed, and not taken."""
    done = draft(invoices(("Varenr", ["00120", 135, "02040", 10450]), ("Antall", [1, 2, 3, 4])))

    assert done.data["lines"]["inventoryNumber"] == {"column": "Varenr"}
    assert "# pad: 5" in done.text
    assert "2 of 4 are numbers, the texts have 5 digits, leading zeros may be lost" in " ".join(
        done.text.replace("\n  # ", " ").split()
    )
    assert "check: Varenr, C3 and 1 more: " in done.stdout


def test_numbers_of_one_width_are_taken_as_displayed(draft: Draft) -> None:
    """No zero is missing where all have the same number of digits."""
    done = draft(invoices(("Varenr", [10120, 10135]), ("Antall", [1, 2])))

    assert done.data["lines"]["inventoryNumber"] == {"column": "Varenr", "as": "displayed"}
    assert "check: no problems" in done.stdout


def test_numbers_that_excel_shows_with_zeros_are_filled_up(draft: Draft) -> None:
    """The format 00000 says how wide they are."""
    rows = invoices(("Varenr", [120, 135]), ("Antall", [1, 2]))
    done = draft(rows, formats={"C2": "00000", "C3": "00000"})

    assert done.data["lines"]["inventoryNumber"] == {"column": "Varenr", "pad": "5"}
    assert "shown by Excel with 5 digits" in done.text


def test_prices_with_vat_are_doubtful(draft: Draft) -> None:
    """Visma takes prices without it."""
    done = draft(invoices(("Pris inkl. mva", [125, 250]), ("Beskrivelse", ["Kaffe", "Te"])))

    assert "unitPriceInCurrency" not in done.data["lines"]
    assert "it includes VAT" in done.text


def test_an_address_on_an_invoice_is_doubtful(draft: Draft) -> None:
    """The customer's own address counts unless it is overridden, which nobody asked for."""
    done = draft(invoices(("Adresse", ["Gata 1", "Gata 2"]), ("Beskrivelse", ["Kaffe", "Te"])))

    assert "billingAddress" not in done.data["fields"]
    assert "unless overrideAddress: {value: true} stands beside it" in " ".join(done.text.replace("# ", "").split())


def test_a_second_column_for_a_field_is_doubtful(draft: Draft) -> None:
    """It is not put into another field that happens to be free."""
    rows = [["Kundenr", "Navn", "Telefon", "Tlf"], ["10001", "A", "22334455", "99887766"], ["10002", "B", "1", "2"]]
    done = draft(rows, "customer.create")

    assert done.data["fields"]["mainContact"] == {"phone1": "Telefon"}
    assert "phone1 is fed by 'Telefon' already" in done.text


def test_rates_are_not_taken_for_vat_codes(draft: Draft) -> None:
    """A code list is proposed, each code to be said by a person."""
    done = draft(invoices(("Mva", ["25 %", "15 %"]), ("Beskrivelse", ["Kaffe", "Te"])))

    assert "# vatCodeId: {column: Mva, map: {25 %: ?, 15 %: ?}}" in done.text


def test_what_differs_within_a_document_goes_to_its_lines(draft: Draft) -> None:
    """A field that both have is the line's where rows of one document differ."""
    rows = invoices(("Selgerkode", ["A", "B", "C", "C"]), ("Beskrivelse", list("1234")))
    alike = draft(rows).data
    for row, number in zip(rows[1:], "1122", strict=True):
        row[0] = number
    differ = draft(rows, INVOICE, "--force").data

    assert (alike["fields"]["salesperson"], "salesperson" in alike["lines"]) == ("Selgerkode", False)
    assert ("salesperson" in differ["fields"], differ["lines"]["salesperson"]) == (False, "Selgerkode")


def test_an_amount_that_is_quantity_times_price_is_a_total(draft: Draft) -> None:
    """It is summed up and not sent; one that is not the product stays behind a #."""
    head = ("Antall", [2, 3]), ("Pris", [10, 20])
    product = draft(invoices(*head, ("Beløp", [20, 60])))
    totals, told = product.data["totals"], product.text
    other = draft(invoices(*head, ("Beløp", [25, 75])), INVOICE, "--force")

    assert totals == [{"name": "Beløp", "sum": "Beløp"}]
    assert "quantity x price in 2 of 2 rows" in told
    assert "totals" not in other.data
    assert "manualAmountInCurrency" not in other.data["lines"]
    assert "it is that in 0 of 2 rows" in " ".join(other.text.replace("\n  # ", " ").split())


def test_a_column_shown_as_per_cent_is_doubtful(draft: Draft) -> None:
    """Excel holds 0.25 where it shows 25 %, and the field takes 25; a column of 25 is sure."""
    shares = invoices(("Antall", [1, 2]), ("Rabattprosent", [0.25, 0.1]))
    doubtful = draft(shares, formats={"D2": "0%", "D3": "0%"})
    told, lines = doubtful.text, doubtful.data["lines"]
    sure = draft(invoices(("Antall", [1, 2]), ("Rabattprosent", [25, 10])), INVOICE, "--force")

    assert "Excel shows per cent and holds hundredths" in told
    assert "discountPercent" not in lines
    assert sure.data["lines"]["discountPercent"] == "Rabattprosent"
