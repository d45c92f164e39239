"""A cell becomes the exact value a field wants, or a fault; nothing is guessed and nothing is rounded off."""

import math
from datetime import time
from decimal import Decimal
from typing import Any

import pytest
from conftest import PlanOf
from converting import DAY, code, field
from hypothesis import example, given
from hypothesis import strategies as st

from importer.endpoints import table
from importer.fields import Field, Kind, fields_of, leaves
from importer.jsontext import plain
from importer.model import ABSENT, Fault
from importer.values import Options, clean, convert, displayed, exact

# -- numbers of cells ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (1234567.1, "1234567.1"),
        (1234567.1 * 3, "3703701.3"),
        (4.35 * 100, "435"),
        (1.1 * 1.1, "1.21"),
        (2.675, "2.675"),
        (1.005, "1.005"),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (-0.0, "0"),
        (0, "0"),
        (-1234.5, "-1234.5"),
        (100.0, "100"),
        (1e15, "1000000000000000"),
        (123456789.123456, "123456789.123456"),
        (12345678901234.56, "12345678901234.56"),
        (123456789012345.6, "123456789012345.6"),
        (1234567890123456.0, "1234567890123456"),
        (1234567890123456, "1234567890123456"),
        (2**53, "9007199254740992"),
        (-(2**53), "-9007199254740992"),
    ],
)
def test_a_number_is_the_decimal_that_the_sheet_shows(number: float, text: str) -> None:
    """The noise of binary arithmetic is dropped, a real 16th digit is kept, and no exponent is ever written."""
    value = exact(number)

    assert isinstance(value, Decimal)
    assert plain(value) == text


@pytest.mark.parametrize("number", [1234567890123451.0, 2000000000000001.0, 5000000000000001.0, float(2**53)])
def test_a_whole_number_of_sixteen_digits_keeps_the_last(number: float) -> None:
    """A whole number that a cell holds exactly is not noise, however near a number of 15 digits is."""
    value = exact(number)

    assert isinstance(value, Fault) or value == Decimal(int(number))


@pytest.mark.parametrize("ulps", [-4, -3, -1, 1, 3, 4])
@pytest.mark.parametrize("number", [0.3, 1234.56, 123456789.01])
def test_a_difference_of_four_ulps_is_noise(number: float, ulps: int) -> None:
    """What arithmetic adds in the last places is dropped."""
    noisy = number
    for _ in range(abs(ulps)):
        noisy = math.nextafter(noisy, math.copysign(math.inf, ulps))

    assert noisy != number
    assert exact(noisy) == Decimal(repr(number))


@given(st.integers(-(10**15) + 1, 10**15 - 1), st.integers(0, 10))
def test_every_decimal_of_fifteen_digits_survives(digits: int, scale: int) -> None:
    """A number of up to 15 digits comes out as it was typed."""
    typed = Decimal(digits).scaleb(-scale)

    assert exact(float(typed)) == typed


@given(st.integers(-(2**53), 2**53))
@example(2**53)
def test_every_whole_number_up_to_two_to_the_53_survives(number: int) -> None:
    """A whole number that a cell can hold exactly comes out exactly, whether it was written as 5 or as 5.0."""
    assert exact(number) == number
    assert exact(float(number)) == number


@pytest.mark.parametrize("number", [2**53 + 1, -(2**53) - 1, 1e16, -1e16, 1e22, 10**18, 1.234567890123457e18])
def test_a_number_longer_than_a_cell_keeps_is_refused(number: float) -> None:
    """Above 2**53 digits are lost already: KID and account numbers typed as numbers are a problem."""
    assert code(exact(number)) == "too_many_digits"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_finite_number_is_refused(number: float) -> None:
    """NaN and infinity are nobody's amount."""
    assert code(exact(number)) == "not_finite"


@pytest.mark.parametrize(
    ("number", "text"), [("1E+3", "1000"), ("-0.00", "0.00"), ("1E-9", "0.000000001"), ("1.50", "1.50"), ("-0", "0")]
)
def test_a_decimal_is_written_in_digits(number: str, text: str) -> None:
    """No exponent and no negative zero."""
    assert plain(Decimal(number)) == text


# -- number fields ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "options", "expected"),
    [
        (1.005, {"decimals": 2}, "too_many_decimals"),
        (1.005, {"decimals": 3}, "1.005"),
        (1.50, {"decimals": 1}, "1.5"),
        ("1,500", {"decimals": 1}, "1.500"),
        (1.005, {"decimals": 2, "round": "half_up"}, "1.01"),
        (1.005, {"decimals": 2, "round": "half_even"}, "1.00"),
        (-2.5, {"decimals": 0, "round": "half_up"}, "-3"),
        (-2.5, {"decimals": 0, "round": "half_even"}, "-2"),
        ("12345678901234567890123456789,123", {"decimals": 2}, "too_many_decimals"),
        ("12345678901234567890123456789,125", {"decimals": 2, "round": "half_up"}, "12345678901234567890123456789.13"),
    ],
)
def test_decimals_are_exact_unless_rounding_is_asked_for(cell: Any, options: Any, expected: str) -> None:
    """More digits than declared are a problem; `round` rounds the decimal, not the float."""
    result = field(cell, Kind.DECIMAL, "nb-NO", **options)

    assert (plain(result) if isinstance(result, Decimal) else code(result)) == expected


@pytest.mark.parametrize(("cell", "expected"), [(5, 5), (5.0, 5), ("1 000", 1000), ("-3", -3), ("5,0", 5)])
def test_a_whole_number_is_an_integer(cell: Any, expected: int) -> None:
    """An integer field takes whole numbers, also as text of the locale."""
    result = field(cell, Kind.INTEGER, "nb-NO")

    assert (result, type(result)) == (expected, int)


# -- yes and no ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "yes", "no"),
    [
        (None, "true TRUE True", "false FALSE"),
        ("nb-NO", "ja JA Ja sann true", "nei NEI usann"),
        ("nn-NO", "ja sann", "nei usann"),
        ("sv-SE", "ja sant", "nej falskt"),
        ("da-DK", "ja sand", "nej falsk"),
        ("fi-FI", "kyllä KYLLÄ kylla\u0308 tosi", "ei epätosi"),
        ("en-GB", "yes Yes", "no NO"),
        ("de-DE", "ja wahr", "nein falsch"),
    ],
)
def test_yes_and_no_are_read_in_the_declared_language(name: str | None, yes: str, no: str) -> None:
    """Each locale has its words, in any case."""
    assert {word: field(word, Kind.BOOLEAN, name) for word in yes.split()} == dict.fromkeys(yes.split(), True)
    assert {word: field(word, Kind.BOOLEAN, name) for word in no.split()} == dict.fromkeys(no.split(), False)


@pytest.mark.parametrize(
    ("cell", "name"),
    [("ja", None), ("nei", "sv-SE"), ("no", "nb-NO"), ("x", "nb-NO"), ("1", "nb-NO"), (1, "nb-NO"), (0, None)],
)
def test_what_is_no_word_for_yes_or_no_is_refused(cell: Any, name: str | None) -> None:
    """1, 0, x and the words of other languages are not guessed."""
    assert code(field(cell, Kind.BOOLEAN, name)) == "not_a_boolean"


# -- text ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("  10000 ", "10000"),
        ("\u00a010000\u00a0", "10000"),
        ("\u202f\u2007\u200b\ufeff10000\t", "10000"),
        ("\u200e10000\u200f", "10000"),
        ("\u202a10000\u202c", "10000"),
        ("10000\u00ad\u2060\u200d", "10000"),
        ("A\u030arhus", "Århus"),
        ("e\u0301", "é"),
        ("two  spaces, NBSP\u00a0and\nline", "two  spaces, NBSP\u00a0and\nline"),
        ("=1+1", "=1+1"),
        ("0101", "0101"),
        ('Ola "Gutten" \\ {{ 7*7 }}\n🙂', 'Ola "Gutten" \\ {{ 7*7 }}\n🙂'),
    ],
)
def test_a_text_is_trimmed_outside_and_unchanged_inside(raw: str, text: str) -> None:
    """White space around a text goes, letters are composed, and nothing inside changes."""
    assert clean(raw) == text
    assert field(raw, Kind.TEXT) == text


@pytest.mark.parametrize("blank", [None, "", " ", "\u00a0", "\t \u202f"])
@pytest.mark.parametrize("kind", list(Kind))
def test_a_blank_is_absent(blank: str | None, kind: Kind) -> None:
    """A cell that shows nothing holds nothing, in any field."""
    assert field(blank, kind) is ABSENT


@pytest.mark.parametrize("char", ["\x00", "\x07", "\x1b", "\x7f", "\x80", "\x84", "\x86", "\x9f", "\ud800"])
def test_a_control_character_is_refused(char: str) -> None:
    """What cannot be typed or sent is a problem; tabs and line breaks are text."""
    assert code(field(f"A{char}B", Kind.TEXT)) == "control_character"
    assert field("A\t\r\n\x85B", Kind.TEXT) == "A\t\r\n\x85B"


@pytest.mark.parametrize(
    ("cell", "form", "options", "expected"),
    [
        (123, "General", {}, "number_in_text"),
        (123, "00000", {}, "number_in_text"),
        (123, "00000", {"displayed": True}, "00123"),
        (123, "General", {"displayed": True}, "123"),
        (123, "#,##0", {"displayed": True}, "not_displayable"),
        (123.5, "0000", {"displayed": True}, "not_displayable"),
        (123, "General", {"pad": 5}, "00123"),
        ("123", "@", {"pad": 5}, "00123"),
        ("A12", "@", {"pad": 5}, "A12"),
        ("1234567", "@", {"pad": 5}, "1234567"),
        (1.5, "General", {"pad": 5}, "number_in_text"),
        (-5, "General", {"pad": 5}, "number_in_text"),
        (123, "General", {"digits_allowed": True}, "123"),
        (123.0, "General", {"digits_allowed": True}, "123"),
        (123, "00000", {"digits_allowed": True, "displayed": True}, "00123"),
        (123, "00000", {"digits_allowed": True, "pad": 6}, "000123"),
        (123, "#,##0", {"digits_allowed": True, "displayed": True}, "not_displayable"),
        (1.5, "General", {"digits_allowed": True}, "number_in_text"),
        (1234567890123456789, "0", {"displayed": True}, "too_many_digits"),
        (True, "General", {}, "boolean_in_text"),
        (DAY, "yyyy-mm-dd", {}, "date_in_text"),
        (time(10, 30), "hh:mm", {}, "date_in_text"),
    ],
)
def test_a_number_in_a_text_field_needs_a_declared_spelling(cell: Any, form: str, options: Any, expected: str) -> None:
    """Excel may have stripped zeros: a number is text only by `pad`, by `as: displayed`, or as the key of a create."""
    result = field(cell, Kind.TEXT, form=form, **options)

    assert (result if isinstance(result, str) else code(result)) == expected


@pytest.mark.parametrize(
    ("number", "form", "expected"),
    [
        ("7", "0000", "0007"),
        ("12345", "0000", "12345"),
        ("0", "0000", "0000"),
        ("7", "0", "7"),
        ("5000000000000001", "0", None),
        ("5000000000000001", "0000", None),
        ("5000000000000000", "0", "5000000000000000"),
        ("7", None, "7"),
        ("7", "@", "7"),
        ("12345678901", "General", "12345678901"),
        ("123456789012", "General", None),
        ("1234", "#,##0", None),
        ("12", "#,##0", None),
        ("1234", "# ##0", None),
        ("7", "0.00", None),
        ("7", '0000" kr"', None),
        ("7", "0000;-0000", None),
        ("7", "[$-414]0000", None),
        ("7", "00-00", None),
        ("0", "#", None),
        ("7.5", "0000", None),
        ("-7", "0000", None),
        ("7", "0%", None),
        ("7", "0E+00", None),
    ],
)
def test_how_excel_displays_a_number_is_never_guessed(number: str, form: str | None, expected: str | None) -> None:
    """Only General, `0` and zeros to a width are certain; everything else is refused."""
    assert displayed(Decimal(number), form) == expected


@pytest.mark.parametrize("kind", list(Kind))
def test_a_cell_that_cannot_be_read_stays_a_fault_in_every_field(kind: Kind) -> None:
    """An error cell is told as what it is, whatever the field takes."""
    fault = Fault("error_cell", "#N/A", "The cell shows the error #N/A.")
    options = Options(field=Field(name="it", description="", kind=kind), kind=kind)

    assert convert(fault, options, None, None) is fault


PERCENT = """\
version: 1
endpoint: customerInvoice.create
key: No
fields: {customerNumber: {value: "0101"}}
lines: {quantity: Qty, discountPercent: %s}
"""


@pytest.mark.parametrize("form", ["0%", "0.00 %", "[Red]0%;-0%"])
@pytest.mark.parametrize("source", ["Discount", "{template: \"{{ row['Discount'] }}\"}"])
def test_a_cell_shown_as_per_cent_is_a_problem_where_the_field_takes_per_cent(
    plan_of: PlanOf, form: str, source: str
) -> None:
    """Excel holds 0.25 where it shows 25 %: sent so it would be a hundred times too small."""
    rows = [["No", "Qty", "Discount"], ["1", 1, 25], ["2", 0.25, 0.25], ["3", 1, 0], ["4", 1, 0.25]]
    plan = plan_of(PERCENT % source, rows, formats={"B3": form, "C3": form, "C4": form})
    (found,) = plan.problems

    assert (found.row, found.column, found.value, found.code) == (3, "Discount", "0.25", "percent_format")
    assert "as 25 % and holds 0.25" in found.message
    assert [document.key for document in plan.documents if document.body] == ["1", "3", "4"]


def test_per_cent_is_sent_as_it_is_multiplied_or_translated_or_written_with_a_percent_sign_of_its_own(
    plan_of: PlanOf,
) -> None:
    """The remedies that the problem names work, and a sign that only stands beside the number changes nothing."""
    for source, cell, form in (
        ("{template: \"{{ row['Discount'] * 100 }}\"}", 0.25, "0%"),
        ("{column: Discount, map: {0.25: 25}}", 0.25, "0%"),
        ("Discount", 25, '0" %"'),
        ("Discount", 25, "0\\%"),
    ):
        rows = [["No", "Qty", "Discount"], ["1", 1, cell]]
        (document,) = plan_of(PERCENT % source, rows, formats={"C2": form}).documents

        assert b'"discountPercent": {"value": 25' in document.body


def test_the_fields_in_per_cent_are_those_that_say_so() -> None:
    """Each field whose description speaks of per cent is known as such, and no other."""
    every = [spec for name in table() for _, spec in leaves(fields_of(name))]

    assert {spec.name for spec in every if spec.in_percent} == {"commissionPct", "discountPercent", "retainagePct"}
    assert all(spec.in_percent == ("per cent" in spec.description) for spec in every)


@pytest.mark.parametrize("char", ["\u00ad", "\u200b", "\u200e", "\ufeff"])
def test_an_unseen_character_within_a_number_or_code_is_a_problem(plan_of: PlanOf, char: str) -> None:
    """01 and 03 with something of no width between them is another customer than 0103; prose is the user's own."""
    fields = "{customerNumber: Cust, invoiceText: Text, externalReference: {template: \"{{ row['Ref'] }}\"}}"
    head = "version: 1\nendpoint: customerInvoice.create\nkey: No\n"
    mapping = f"{head}fields: {fields}\nlines: {{inventoryNumber: Item}}\n"
    rows = [
        ["No", "Cust", "Text", "Ref", "Item"],
        ["1", f"01{char}03", "a", "r", "V1"],
        ["2", "0103", "a", f"r{char}1", f"V{char}1"],
        ["3", "0103", f"a{char}b", "r", "Blåbær"],
    ]
    plan = plan_of(mapping, rows)

    assert {(found.row, found.column, found.code) for found in plan.problems} == {
        (2, "Cust", "unseen_character"),
        (3, "Ref", "unseen_character"),
        (3, "Item", "unseen_character"),
    }
    assert f"customerNumber holds the character U+{ord(char):04X}" in plan.problems[0].message
    assert f"a{char}b".encode() in plan.documents[2].body


PROSE = """
addressLine1 addressLine2 addressLine3 appartment attention attributeValue city county debtCollectionCaseStatus
debtCollectionCaseType debtCollectionCaseUrl description documentLanguage estate fax financialPeriod invoiceText
mandateDescription name note paymentMethodDetailDescription paymentMethodDetailValue paymentRefDisplayMask phone1 phone2
postPeriod typeOfWork web
"""


def test_every_text_field_is_a_code_or_one_of_these() -> None:
    """Whoever adds a field of the API says whether its texts are compared with others or read by people."""
    every = [spec for name in table() for _, spec in leaves(fields_of(name)) if spec.type_name == "text"]

    assert {spec.name for spec in every if not spec.identifies} == set(PROSE.split())
