"""`init`: from a workbook never seen before to a draft in which nothing is guessed and everything is explained."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import yaml
from conftest import MEASURED, MakeWorkbook
from end_to_end import SAMPLES, command, copy_sample
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from importer.drafting import read_words
from importer.drafting.matching import targets_of
from importer.drafting.shape import scalar
from importer.drafting.words import LANGUAGES, comparable
from importer.endpoints import table
from importer.fields import fields_of, leaves
from importer.mapping_file import read_mapping
from importer.yamlfile import load

INVOICE = "customerInvoice.create"
DAY = date(2025, 1, 27)


@dataclass(frozen=True)
class Drafted:
    """What one `init` left."""

    code: int
    file: Path
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """Return the draft."""
        return self.file.read_text(encoding="utf-8")

    @property
    def data(self) -> Any:
        """Return the draft's sure lines as the program reads them."""
        return load(self.file).data

    def line(self, part: str) -> str:
        """Return the one line of the draft that holds a text."""
        (found,) = [line for line in self.text.splitlines() if part in line]
        return found.strip()


def init(workbook: Path, endpoint: str = INVOICE, *options: str) -> Drafted:
    """Draft a mapping beside a workbook, in this process."""
    code, stdout, stderr = command("init", workbook, "--endpoint", endpoint, *options, cwd=workbook.parent)
    return Drafted(code, workbook.with_name(f"{workbook.stem}.mapping.yaml"), stdout, stderr)


Draft = Callable[..., Drafted]


@pytest.fixture
def draft(make_workbook: MakeWorkbook) -> Draft:
    """Return a function that drafts a mapping for rows, the first being the headers."""

    def make(rows: Sequence[Sequence[Any]], endpoint: str = INVOICE, *options: str, **more: Any) -> Drafted:
        return init(make_workbook(rows, **more), endpoint, *options)

    return make


def invoices(*columns: tuple[str, Sequence[Any]]) -> list[list[Any]]:
    """Return rows of invoices with number and customer, and further columns given by header and cells."""
    count = len(columns[0][1])
    heads = ["Fakturanr", "Kundenr", *(header for header, _ in columns)]
    return [heads, *([f"F{n:03}", "10001", *(cells[n] for _, cells in columns)] for n in range(count))]


# -- the list of words ---------------------------------------------------------------------------------------------


def test_every_word_names_a_real_field() -> None:
    """Each field of words.yaml is one of an endpoint the entry holds for, and each entry has all five languages."""
    resources = {endpoint.resource for endpoint in table().values()}
    for entry in read_words().entries:
        held = [row for row in table().values() if not entry.resources or row.resource in entry.resources]
        known = {target for endpoint in held for target in targets_of(endpoint)}
        assert entry.resources <= resources, entry.fields
        assert set(entry.fields) <= known, entry.fields
        assert {language for spoken in entry.words.values() for language in spoken} == set(LANGUAGES), entry.fields
        assert all(entry.words), entry.fields


def test_every_value_that_has_words_is_one_of_a_field() -> None:
    """The values that words.yaml knows by other names are those of enums."""
    enums = {value for name in table() for _, field in leaves(fields_of(name)) for value in field.enum}

    assert set(read_words().values) <= enums


@pytest.mark.parametrize("name", list(table()))
def test_no_word_surely_means_two_fields_of_an_endpoint(name: str) -> None:
    """A word of two entries is told apart by what the cells look like, or the second says that it is in doubt."""
    endpoint, means = table()[name], dict[tuple[str, str], str]()
    known = targets_of(endpoint)
    for entry in read_words().entries:
        targets = [target for target in entry.fields if target in known]
        if not targets or entry.doubt or (entry.resources and endpoint.resource not in entry.resources):
            continue
        for word in entry.words:
            earlier = means.setdefault((word, entry.looks), targets[0])
            # the number of the documents comes before the same number as a field
            assert earlier in {targets[0], "key"}, (word, earlier, targets[0])


@pytest.mark.parametrize(
    "header", ["Kundenr", "KUNDENR.", "Kunde-nr", "kunde nr", "Kundenummer", "Kunde nummer", "Kundenr (Visma)"]
)
def test_a_header_is_known_however_it_is_spelt(draft: Draft, header: str) -> None:
    """Case, spaces, dots, hyphens and brackets do not matter, and nummer is nr."""
    rows = invoices(("Dato", [DAY, DAY]))
    rows[0][1] = header

    assert draft(rows).data["fields"]["customerNumber"] == header


def test_a_header_that_only_resembles_a_known_one_is_doubtful(draft: Draft) -> None:
    """A slip of the finger is named, and a person decides."""
    done = draft(invoices(("Fakturadto", [DAY, DAY]), ("Beskrivelse", ["Kaffe", "Te"])))

    assert "documentDate" not in done.data["fields"]
    assert "the header only resembles 'fakturadato'" in done.line("documentDate:")


# -- five workbooks, one a language --------------------------------------------------------------------------------


def swedish_customers() -> list[list[Any]]:
    heads = ["Kundnummer", "Företagsnamn", "Org.nr", "Gatuadress", "Postnr", "Ort", "Land", "E-postadress"]
    heads += ["Telefonnr", "Valuta", "Betalningsvillkor", "Kreditgräns (SEK)", "E-postfaktura", "Status", "Kund sedan"]
    name, town = ("Öresunds Båtvarv AB", "Ängslyckans Trädgård HB", "Åkerströms Måleri"), ("Malmö", "Uppsala", "Gävle")
    rows = [
        [
            20001 + n,
            name[n % 3],
            f"55600{n}-123{n}",
            f"Brogatan {n + 1}",
            "211 30",
            town[n % 3],
            "Norge" if n == 4 else "Sverige",
            f"faktura{n}@example.com",
            "+46 70 174 06 05",
            "SEK",
            "30",
            12500.5 + n,
            "Ja" if n % 2 else "Nej",
            "Spärrad" if n == 7 else "Aktiv",
            date(2019, 3, n + 1),
        ]
        for n in range(9)
    ]
    return [["Kundregister"], [], ["Utskrivet 2025-01-31", None, "Sida 1"], [], heads, *rows]


def danish_credit_notes() -> list[list[Any]]:
    heads = ["Kreditnota nr.", "Kundenummer", "Kunde", "Dato", "Rekvisitionsnr.", "Varenr.", "Varetekst", "Antal"]
    heads += ["Enhed", "Stk. pris", "Beløb i DKK", "Momskode", "Bemærkning", "Afdeling"]
    rows = []
    for n in range(8):
        quantity, price = Decimal(n % 3 + 1), Decimal("1249.50")
        amount = f"{quantity * price:,.2f}".replace(",", " ").replace(".", ",").replace(" ", ".")
        rows.append(
            [
                f"KN{n // 2:03}",
                f"1000{n // 2}",
                "Ærø Møbler ApS",
                date(2025, 1, 3 + n // 2),
                f"PO-{n // 2}",
                f"0{n}120",
                "Skrivebord",
                f"{quantity}",
                "stk",
                "1.249,50",
                amount,
                "U25",
                None,
                "10",
            ]
        )
    return [heads, *rows]


def finnish_invoices() -> list[list[Any]]:
    heads = ["Laskun numero", "Asiakasnro", "Asiakkaan nimi", "Laskun päivämäärä", "Eräpäivä", "Viitenumero"]
    heads += [
        "Tuotekoodi",
        "Tuotteen nimi",
        "Määrä",
        "Yks.",
        "à-hinta (alv 0 %)",
        "Alennus-%",
        "ALV-koodi",
        "Kustannuspaikka",
    ]
    rows = [
        [
            3000 + n // 2,
            f"1001{n // 2}",
            "Mäntyharju Oy",
            f"{20 + n // 2}.1.2025",
            f"{3 + n // 2}.2.2025",
            f"0012345{n // 2}",
            f"T-{n}",
            "Kahvi, tumma",
            n + 1,
            "kpl",
            f"{n + 10},90",
            n % 2 * 5,
            "24",
            "100",
        ]
        for n in range(10)
    ]
    return [["Laskutusaineisto, tammikuu 2025", *[None] * 12], [], heads, *rows]


def english_suppliers() -> list[list[Any]]:
    heads = ["Vendor No.", "Vendor Name", "Company reg. no", "VAT No", "Address Line 1", "Zip Code", "City", "Country"]
    heads += ["E-mail", "Phone no.", "Payment Terms", "Currency Code", "Website", "Comments", "Last invoice"]
    rows = [
        [
            f"V{n:04}",
            f"Harbour Tools {n} Ltd",
            f"0123456{n}",
            f"GB12345678{n}",
            f"{n} Quay Street",
            "EC1A 1BB",
            "London",
            "United Kingdom",
            f"accounts{n}@example.com",
            "+44 20 7946 0000",
            "30",
            "GBP",
            "www.example.com",
            None,
            DAY,
        ]
        for n in range(6)
    ]
    return [heads, *rows]


def norwegian_letters() -> list[list[Any]]:
    rows = [[f"{10001 + n}", f"Fjord AS {n}", f"2025-02-{n + 1:02}", 1, 2 + n % 2, "1 250,00"] for n in range(6)]
    return [
        ["Purreliste februar"],
        [],
        ["Kundenr", "Kundenavn", "Purredato", "Fra nivå", "Til nivå", "Utestående"],
        *rows,
    ]


#: what each header means; None for nothing, a `?` for what only a person can say
WORKBOOKS: dict[str, tuple[str, Callable[[], list[list[Any]]], dict[str, str | None]]] = {
    "Swedish": (
        "customer.create",
        swedish_customers,
        {
            "Kundnummer": "key",
            "Företagsnamn": "name",
            "Org.nr": "corporateId",
            "Ort": "mainAddress.city",
            "Gatuadress": "mainAddress.addressLine1",
            "Postnr": "mainAddress.postalCode",
            "Valuta": "currencyId",
            "Land": "mainAddress.countryId",
            "E-postadress": "mainContact.email",
            "Telefonnr": "mainContact.phone1",
            "Betalningsvillkor": "creditTermsId",
            "Kreditgräns (SEK)": "creditLimit",
            "Status": "status",
            "E-postfaktura": "sendInvoicesByEmail",
            "Kund sedan": None,
        },
    ),
    "Danish": (
        "customerCreditNote.create",
        danish_credit_notes,
        {
            "Kreditnota nr.": "key",
            "Kundenummer": "customerNumber",
            "Kunde": None,
            "Dato": "documentDate",
            "Rekvisitionsnr.": "customerRefNumber",
            "Varenr.": "lines.inventoryNumber",
            "Enhed": "lines.uom",
            "Varetekst": "lines.description",
            "Antal": "lines.quantity",
            "Stk. pris": "lines.unitPriceInCurrency",
            "Beløb i DKK": "totals",
            "Momskode": "lines.vatCodeId",
            "Bemærkning": "?",
            "Afdeling": "?",
        },
    ),
    "Finnish": (
        INVOICE,
        finnish_invoices,
        {
            "Laskun numero": "key",
            "Asiakasnro": "customerNumber",
            "Asiakkaan nimi": None,
            "Eräpäivä": "documentDueDate",
            "Laskun päivämäärä": "documentDate",
            "Viitenumero": "paymentReference",
            "Tuotekoodi": "lines.inventoryNumber",
            "Tuotteen nimi": "lines.description",
            "Määrä": "lines.quantity",
            "Yks.": "lines.uom",
            "à-hinta (alv 0 %)": "lines.unitPriceInCurrency",
            "Alennus-%": "lines.discountPercent",
            "ALV-koodi": "lines.vatCodeId",
            "Kustannuspaikka": "?",
        },
    ),
    "English": (
        "supplier.create",
        english_suppliers,
        {
            "Vendor No.": "key",
            "Vendor Name": "name",
            "Company reg. no": "corporateId",
            "VAT No": "vatRegistrationId",
            "Address Line 1": "mainAddress.addressLine1",
            "Zip Code": "mainAddress.postalCode",
            "City": "mainAddress.city",
            "Country": "mainAddress.countryId",
            "E-mail": "mainContact.email",
            "Phone no.": "mainContact.phone1",
            "Payment Terms": "creditTermsId",
            "Currency Code": "currencyId",
            "Website": "mainContact.web",
            "Comments": "?",
            "Last invoice": None,
        },
    ),
    "Norwegian": (
        "customer.createDunningLetter",
        norwegian_letters,
        {
            "Kundenr": "key",
            "Kundenavn": None,
            "Purredato": "dunningLetterDate",
            "Fra nivå": "levelFrom",
            "Til nivå": "levelTo",
            "Utestående": None,
        },
    ),
}


def told(workbook: Path, endpoint: str) -> dict[str, Any]:
    """Return what `init --json` says."""
    done = init(workbook, endpoint, "--json", "--force")
    assert done.code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def matched(data: dict[str, Any], header: str) -> tuple[set[str], set[str]]:
    """Return the fields that a header surely feeds, and those that it may feed."""
    named = [
        (re.sub("^fields[.]", "", item["field"]), item["sure"]) for item in data["columns"] if item["column"] == header
    ]
    return {field for field, sure in named if sure}, {field for field, sure in named if not sure}


def rated(data: dict[str, Any], wanted: dict[str, str | None]) -> tuple[int, list[str]]:
    """Return how many headers were matched right, and those that surely feed a field they do not mean."""
    right, wrong = 0, []
    for header, field in wanted.items():
        sure, perhaps = matched(data, header)
        right += field in sure or (field is None and not sure) or (field == "?" and not sure and bool(perhaps))
        if sure and field not in sure:
            wrong.append(header)
    return right, wrong


@pytest.mark.parametrize("language", list(WORKBOOKS))
def test_a_workbook_of_each_language_is_matched_without_a_wrong_line(
    make_workbook: MakeWorkbook, language: str
) -> None:
    """Nine headers of ten are matched right, none surely wrong, and the draft passes check or says what is missing."""
    endpoint, rows, wanted = WORKBOOKS[language]
    workbook = make_workbook(rows())
    data = told(workbook, endpoint)
    right, wrong = rated(data, wanted)
    print(
        f"{MEASURED}init, {language} workbook ({endpoint}): {right} of {len(wanted)} headers right, {len(wrong)} wrong"
    )
    code, said, error = command("check", "rows.mapping.yaml", cwd=workbook.parent)

    assert wrong == []
    assert right >= 0.9 * len(wanted), {header: matched(data, header) for header in wanted}
    assert code == (3 if data["problems"] else 0), said + error
    assert not data["missing"]
    for problem in data["problems"]:
        assert problem[:60] in (workbook.parent / "rows.mapping.yaml").read_text(encoding="utf-8")


def by_hand(mapping: Path) -> dict[str, set[str]]:
    """Return by header the fields that a mapping written by hand takes from it."""
    fields: dict[str, set[str]] = {}
    parsed = read_mapping(mapping)
    for rule in (parsed.key, *((parsed.period,) if parsed.period else ()), *parsed.fields):
        if rule.column is not None:
            fields.setdefault(rule.column, set()).add(rule.name)
    for rule in parsed.lines:
        if rule.column is not None:
            fields.setdefault(rule.column, set()).add(f"lines.{rule.name}")
    for total in parsed.totals:
        fields.setdefault(total.column, set()).add("totals")
    return fields


def test_drafts_of_the_samples_agree_with_what_people_wrote(tmp_path: Path) -> None:
    """Of the headers that the samples' mappings use, most are matched alike, and nearly none otherwise."""
    right = wrong = whole = 0
    others: list[str] = []
    for mapping in sorted(SAMPLES.glob("*/mapping.yaml")):
        folder = copy_sample(mapping.parent.name, tmp_path)
        parsed = read_mapping(folder / "mapping.yaml")
        assert parsed.workbook.file is not None
        data = told(parsed.workbook.file, parsed.endpoint.name)
        for header, fields in by_hand(folder / "mapping.yaml").items():
            sure, _ = matched(data, header)
            whole += 1
            right += bool(sure & fields)
            if sure and not sure & fields:
                wrong += 1
                others.append(f"{folder.name}: {header} is {sorted(fields)}, drafted {sorted(sure)}")
    print(f"{MEASURED}init on the samples: {right} of {whole} headers as people mapped them, {wrong} otherwise")

    assert right >= 0.85 * whole
    assert wrong <= 0.03 * whole, others


# -- finding the headers -------------------------------------------------------------------------------------------


def below(*above: list[Any]) -> list[list[Any]]:
    """Return invoices below other rows."""
    return [*above, *invoices(("Dato", [DAY] * 4), ("Beskrivelse", ["Kaffe"] * 4), ("Antall", [1, 2, 3, 4]))]


@pytest.mark.parametrize(
    "above",
    [
        pytest.param([], id="nothing"),
        pytest.param([["Fakturagrunnlag januar 2025"]], id="a title"),
        pytest.param([["Fakturagrunnlag"], [], ["Skrevet ut", DAY, "av", "Åse"], []], id="titles and blank rows"),
        pytest.param([[], [], []], id="blank rows"),
        pytest.param([["Kunde:", "10001", "Dato:", "27.01.2025"], ["Nordlys AS"]], id="words of headers with values"),
        pytest.param([[None, None, "Dokument", None, "Linje"]], id="a row of groups"),
    ],
)
def test_the_header_row_is_found_below_whatever_stands_above(draft: Draft, above: list[list[Any]]) -> None:
    """Titles, blank rows and rows of groups above are passed over, and the draft says which row it is."""
    done = draft(below(*above))

    assert done.data["workbook"].get("header_row", "1") == str(len(above) + 1)
    assert done.data["key"] == "Fakturanr"
    assert done.data["lines"]["quantity"] == "Antall"


def test_known_words_weigh_more_than_a_wide_row_above(draft: Draft) -> None:
    """Few headers are found below a wider row of other texts."""
    above = ["Rapport", "Skrevet av", "Firma", "Side"]
    done = draft([above, ["Kundenr", "Navn"], ["10001", "A"], ["10002", "B"]], "customer.create")

    assert done.data["workbook"]["header_row"] == "2"


def test_a_merged_title_is_no_header_row(draft: Draft) -> None:
    """A title over all columns is one cell."""

    def merge(book: openpyxl.Workbook) -> None:
        book.worksheets[0].merge_cells("A1:E2")

    assert draft(below(["Fakturaer"], []), prepare=merge).data["workbook"]["header_row"] == "3"


def test_the_header_row_can_be_said(draft: Draft) -> None:
    """What is not found, a person says with --header-row."""
    rows = [["a", "b", "c"], ["Foo", "Bar", "Baz"], ["1", "2", "3"]]

    assert draft(rows, INVOICE, "--header-row", "2").data["workbook"]["header_row"] == "2"


def test_a_totals_row_at_the_end_is_left_out(draft: Draft) -> None:
    """The row that says Sum is filtered by its own cell, and so the draft has no problem with it."""
    rows = [*below(), [], ["Sum", None, None, None, 10]]
    done = draft(rows)

    assert done.data["where"] == "{{ row['Fakturanr'] != 'Sum' }}"
    assert "row 7 is a total" in done.line("where:")
    assert "check: no problems, 4 documents ready." in done.stdout


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_a_text_file_is_drafted_like_a_workbook(tmp_path: Path, encoding: str) -> None:
    """Titles, text dates and amounts of a .csv file are read alike; an encoding that is not sure is a question."""
    lines = ["Fakturagrunnlag;;;;", ";;;;", "Fakturanr;Kundenr;Dato;Beskrivelse;Beløp"]
    lines += ["00471;10001;27.01.2025;Kaffe;1 234,50", "00472;10002;28.01.2025;Årsavgift;12,00"]
    (tmp_path / "rows.csv").write_text("\r\n".join(lines), encoding=encoding, newline="")
    done = init(tmp_path / "rows.csv")

    assert done.code == 0, done.stderr
    assert done.data["workbook"]["header_row"] == "3"
    assert done.data["lines"] == {"description": "Beskrivelse", "manualAmountInCurrency": "Beløp"}
    assert ("# encoding: cp1252" in done.text) is (encoding == "cp1252")
    assert "check: no problems, 2 documents ready." in done.stdout


# -- evidence ------------------------------------------------------------------------------------------------------


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


# -- the draft itself ----------------------------------------------------------------------------------------------


def test_without_a_key_the_draft_says_what_is_missing(draft: Draft) -> None:
    """The command ends well, and the file begins with what a person has to fill in."""
    done = draft([["Foo", "Kundenr", "Antall"], ["x", "10001", 1], ["y", "10002", 2]])

    assert done.code == 0
    assert "key: no column is surely the number that tells the documents apart" in done.stdout
    assert "# Missing:\n# - key: no column" in done.text
    assert "# key: ?" in done.text
    assert command("check", done.file, cwd=done.file.parent)[0] == 3


def test_a_number_that_repeats_is_no_key_where_a_document_is_one_row(draft: Draft) -> None:
    """A register with the same number in most rows is not keyed by it."""
    done = draft([["Kundenr", "Navn"], *[["10001", f"N{n}"] for n in range(5)]], "customer.create")

    assert "key" not in done.data
    assert "there are 1 different in 5 rows" in done.line("# key:")


def test_every_line_behind_a_mark_is_a_line_of_a_mapping(make_workbook: MakeWorkbook) -> None:
    """Whoever takes the # away has a mapping that is read, but for the ? that only a person can fill in."""
    tried = 0
    for endpoint, rows, _ in WORKBOOKS.values():
        done = init(make_workbook(rows()), endpoint, "--force")
        lines = done.text.splitlines()
        for spot, line in enumerate(lines):
            found = re.match(r"( *)# (\w+: .+|\w+:)$", line)
            if not found or "?" in line or spot < lines.index("version: 1") or line.startswith("#"):
                continue
            name = found[2].partition(":")[0]
            if any(re.match(rf" +{name}:", other) for other in lines):
                continue
            tried += 1
            changed = [*lines[:spot], found[1] + found[2], *lines[spot + 1 :]]
            (done.file.with_name("tried.yaml")).write_text("\n".join(changed), encoding="utf-8")
            read_mapping(done.file.with_name("tried.yaml"))
    assert tried >= 5


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(min_size=1, max_size=60))
def test_any_text_is_written_so_that_the_same_text_is_read(tmp_path: Path, text: str) -> None:
    """Quotes, colons, #, control characters and emoji in a header come back as they were."""
    if any(0xD800 <= ord(char) <= 0xDFFF for char in text):
        return
    file = tmp_path / "one.yaml"
    file.write_text(f"key: {scalar(text)}\nmap: {{{scalar(text)}: x}}\n", encoding="utf-8", newline="")

    data = load(file).data
    assert data["key"] == text
    assert list(data["map"]) == [text]


@pytest.mark.parametrize(
    "header", ["Fakturanr: #1 'x' \"y\"", "{{ 7*7 }}", "# key: x", "- liste", "Faktura\nnr", "=1+1", "null", "ja/nei?"]
)
def test_a_hostile_header_breaks_no_draft(draft: Draft, header: str) -> None:
    """Whatever a header or a totals row holds, the draft is YAML that means it."""
    rows = [*below(), ["Sum", None, None, None, 10]]
    rows[0] += [header]
    for row in rows[1:5]:
        row.append("{{ x }} # \n: '\"")
    rows[0][0] = "Fakturanr"
    done = draft(rows)

    assert done.code == 0, done.stderr
    assert read_mapping(done.file).key.column == "Fakturanr"
    assert all(line.startswith("#") for line in done.text.splitlines() if "{{ x }}" in line)


def test_a_totals_row_under_a_quoted_header_is_left_out_too(draft: Draft) -> None:
    """The condition names the header as it is, quotes and all."""
    rows = [*below(), [None, None, None, None, None, "Sum"]]
    rows[0] += ["Kundens 'navn' \\ \"ref\""]
    for row in rows[1:5]:
        row.append("Åse")
    done = draft(rows)

    assert "check: no problems, 4 documents ready." in done.stdout, done.text


def test_a_draft_is_never_overwritten_unasked(draft: Draft) -> None:
    """The file stays as it is with exit code 2; --force overwrites it, and -o names another."""
    done = draft(invoices(("Dato", [DAY])))
    done.file.write_text("mine\n", encoding="utf-8")
    again = draft(invoices(("Dato", [DAY])))
    other = draft(invoices(("Dato", [DAY])), INVOICE, "-o", "other.yaml")
    kept = done.file.read_text(encoding="utf-8")
    forced = draft(invoices(("Dato", [DAY])), INVOICE, "--force")

    assert (again.code, other.code, forced.code) == (2, 0, 0)
    assert "--force" in again.stderr
    assert kept == "mine\n"
    assert (done.file.parent / "other.yaml").read_text(encoding="utf-8") == forced.text
    assert [path.name for path in done.file.parent.iterdir() if path.name.endswith(".part")] == []


def test_the_draft_is_written_beside_the_workbook_and_names_it(tmp_path: Path, make_workbook: MakeWorkbook) -> None:
    """Beside it by its name alone, elsewhere by the way from the draft; the first line leads editors to the schema."""
    workbook = make_workbook(invoices(("Dato", [DAY])))
    (tmp_path / "mappings").mkdir()
    init(workbook)
    init(workbook, INVOICE, "-o", "mappings/mine.yaml")
    beside = (tmp_path / "rows.mapping.yaml").read_text(encoding="utf-8")
    schema = re.match(r"# yaml-language-server: \$schema=(\S+)\n", beside)

    assert load(tmp_path / "rows.mapping.yaml").data["workbook"]["file"] == "rows.xlsx"
    assert load(tmp_path / "mappings" / "mine.yaml").data["workbook"]["file"] == "../rows.xlsx"
    assert schema
    assert json.loads((tmp_path / schema[1]).read_text(encoding="utf-8"))["required"] == ["version", "endpoint", "key"]


def test_a_folder_that_cannot_be_written_is_said(make_workbook: MakeWorkbook) -> None:
    """It is an error with the file's name, not a traceback."""
    done = init(make_workbook(invoices(("Dato", [DAY]))), INVOICE, "-o", "nowhere/mine.yaml")

    assert done.code == 3
    assert "mine.yaml' cannot be written" in done.stderr


def test_several_visible_sheets_are_asked_about(draft: Draft) -> None:
    """The message names them and the option."""

    def another(book: openpyxl.Workbook) -> None:
        book.create_sheet("Kunder")

    rows = invoices(("Dato", [DAY]))
    asked = draft(rows, prepare=another)
    said = draft(rows, INVOICE, "--sheet", "Rows", prepare=another)

    assert asked.code == 3
    assert "Rows, Kunder" in asked.stderr
    assert "--sheet NAME" in asked.stderr
    assert said.data["workbook"]["sheet"] == "Rows"


def test_an_unknown_endpoint_is_told_with_a_near_one(draft: Draft) -> None:
    """The command line is refused before the workbook is read."""
    done = draft(invoices(("Dato", [DAY])), "customerInvoice.crate")

    assert done.code == 2
    assert "customerInvoice.create" in done.stderr


@pytest.mark.parametrize("content", [b"", b"not a workbook at all \x00\x01", b"PK\x03\x04 broken"])
def test_what_is_no_workbook_is_refused(tmp_path: Path, content: bytes) -> None:
    """Exit code 3 with a sentence, and no draft."""
    (tmp_path / "rows.xlsx").write_bytes(content)
    done = init(tmp_path / "rows.xlsx")

    assert done.code == 3
    assert "Traceback" not in done.stderr
    assert not done.file.exists()


def test_a_sheet_without_headers_is_refused(draft: Draft) -> None:
    """Numbers alone are no headers; the message says how to name the row."""
    done = draft([[1, 2, 3], [4, 5, 6], [7, 8, 9]])

    assert done.code == 3
    assert "--header-row N" in done.stderr


def test_hidden_rows_and_repeated_headers_are_told(draft: Draft) -> None:
    """What to do with hidden rows is a question, and a header that stands twice is used by nothing."""

    def hide(book: openpyxl.Workbook) -> None:
        book.worksheets[0].row_dimensions[3].hidden = True

    done = draft(invoices(("Dato", [DAY] * 3), ("Dato", [DAY] * 3)), prepare=hide)

    assert "# hidden_rows: skip" in done.text
    assert "1 row hidden" in done.text
    assert "'Dato' stands more than once" in done.text
    assert "'Dato' stands more than once" in done.stdout
    assert "documentDate" not in done.data["fields"]


def test_json_says_what_was_matched_and_why(make_workbook: MakeWorkbook) -> None:
    """Programs get every column with its field, its evidence and its doubt."""
    data = told(make_workbook(invoices(("Dato", [DAY]), ("Selger", ["Åse"]), ("Bil", ["x"]))), INVOICE)
    items = {item["field"]: item for item in data["columns"]}

    assert data["exit_code"] == 0
    assert items["fields.documentDate"]["evidence"] == "1 real Excel date"
    assert items["fields.salesperson"]["sure"] is False
    assert "code in Visma, not a name" in items["fields.salesperson"]["doubt"]
    assert data["unmatched"] == ["Bil"]


def test_no_name_or_address_of_a_customer_is_copied_into_the_draft(make_workbook: MakeWorkbook) -> None:
    """Evidence counts texts; it shows codes, dates and numbers, not people."""
    endpoint, rows, _ = WORKBOOKS["Swedish"]
    text = init(make_workbook(rows()), endpoint).text

    assert not [name for name in ("Båtvarv", "Måleri", "Brogatan", "@example.com", "+46") if name in text]


def test_no_word_stands_twice_or_is_nothing_when_compared() -> None:
    """words.yaml holds no word that is lost when it is made comparable, and none twice in one entry and language."""
    raw = yaml.safe_load((Path(__file__).parents[1] / "schemas" / "words.yaml").read_text(encoding="utf-8"))

    for row in raw["words"]:
        for language in LANGUAGES:
            words = row[language]
            assert all(map(comparable, words)), words
            assert len(set(words)) == len(words), (row["fields"], words)
