"""Workbooks of finance departments in five languages, each with what its headers mean."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from drafts import DAY, INVOICE


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
