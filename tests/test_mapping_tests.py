"""Tests of mappings say whether rows become the documents that are expected, and show where they do not."""

import re
from pathlib import Path

import pytest
from end_to_end import MAPPING, ROOT, SAMPLES, program
from mapping_cases import BODY, ROW, case, good, indented, outcome, run

WITH_MAPPING = sorted({"migration", *(file.parent.name for file in SAMPLES.glob("*/mapping.yaml"))})
TEST_FILES = len(list(SAMPLES.rglob("*.test.yaml")))
#: A mapping that refuses, leaves out and adds up.
STRICT = (
    MAPPING.replace("key:", "where: \"{{ row['Text'] != 'Void' }}\"\nkey:")
    .replace("Customer\n", '{column: Customer, pattern: "[0-9]{5}"}\n')
    .replace("lines:", "totals:\n  - {sum: Unit price, expect: 19.90}\nlines:")
)


# -- samples -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WITH_MAPPING)
def test_a_sample_has_tests_and_they_pass(name: str) -> None:
    """Whoever copies a sample sees by them what it does."""
    found = outcome(SAMPLES / name)

    assert (found.code, found.data["failed"], found.data["errors"]) == (0, 0, [])
    assert found.data["passed"] >= 2


def test_all_samples_are_found_from_above() -> None:
    """The folder above them runs the tests of each."""
    found = outcome(SAMPLES)

    assert sorted({Path(file["file"]).parts[0] for file in found.data["files"]}) == WITH_MAPPING
    assert (
        found.said == f"{found.data['passed']} tests of {TEST_FILES} files: {found.data['passed']} passed, 0 failed.\n"
    )


def test_the_test_in_readme_passes_on_the_mapping_in_readme(tmp_path: Path) -> None:
    """Both as they stand there, and it fails on another mapping."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"(?s)```yaml\n(.*?)```", text)
    (mapping,) = (block for block in blocks if "endpoint: customerInvoice.create" in block)
    found = re.search(r"(?s)<!-- mapping-test -->\n```yaml\n(.*?)```\n<!-- end -->", text)
    assert found is not None

    assert run(tmp_path, found[1], mapping).data["passed"] == 2
    assert run(tmp_path, found[1], mapping.replace("pad: 5", "pad: 6")).data["failed"] == 1


# -- cells ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("0101", '"0101"'),
        ('"10"', '"10"'),
        ("1_000", "1_000"),
        ("1e3", "1e3"),
        ("+3", '"+3"'),
        ("1.", '"1."'),
        ("NO", '"NO"'),
        ("null", '"null"'),
        ("2025-13-45", '"2025-13-45"'),
        ("12:30", '"12:30"'),
        ("True", '"True"'),
        ('"  edges "', "edges"),
    ],
)
def test_what_is_not_plainly_a_number_a_date_or_a_boolean_is_text(tmp_path: Path, typed: str, sent: str) -> None:
    """A text arrives as it was typed."""
    row, body = ROW.replace("Text: Kaffe", f"Text: {typed}"), BODY.replace("{value: Kaffe}", f"{{value: {sent}}}")

    assert run(tmp_path, good(body, row=row)).failures == []


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("10", "number_in_text"),
        ("-3", "number_in_text"),
        ("19.90", "number_in_text"),
        ("0", "number_in_text"),
        ("2025-01-27", "date_in_text"),
        ("2025-01-27 10:30", "date_in_text"),
        ("2025-01-27T10:30:00", "date_in_text"),
        ("true", "boolean_in_text"),
        ("12345678901234567890", "too_many_digits"),
        ("1899-12-31", "date_before_1900"),
    ],
)
def test_a_plain_number_date_or_boolean_is_a_cell_of_its_kind(tmp_path: Path, typed: str, code: str) -> None:
    """A field that takes text refuses it, as it refuses such a cell of a workbook."""
    row = ROW.replace("Text: Kaffe", f"Text: {typed}")

    assert (
        run(tmp_path, case(row, expect=f"- key: F1\n  problems:\n    - {{column: Text, code: {code}}}")).failures == []
    )


def test_zeros_at_the_end_of_a_number_are_not_in_its_cell(tmp_path: Path) -> None:
    """Excel does not keep them, so a key of 7.00 is the key 7."""
    row = ROW.replace("Invoice no: F1", "Invoice no: 7.00")
    mapping = MAPPING.replace("externalReference: Invoice no", "externalReference: {column: Invoice no, pad: 1}")

    assert run(tmp_path, good(BODY.replace("F1", '"7"'), row=row, key="7"), mapping).failures == []


def test_a_blank_cell_is_left_out_or_empty(tmp_path: Path) -> None:
    """All three ways to write one are the same, and a row of nothing is left out."""
    rows = [ROW.replace("Text: Kaffe, ", text) for text in ("", "Text: , ", 'Text: "", ')]
    body = BODY.replace("    description: {value: Kaffe}\n", "")
    body += body[body.index("  - ") :] * 2
    expect = f"- key: F1\n  body:\n{indented(body, 4)}"
    expect += "- key:\n  status: filtered\n- key: F2\n  problems: [{column: Qty}]"
    last = '{Invoice no: F2, Customer: "00042", Qty: two}'

    assert run(tmp_path, case(*rows, "{}", last, expect=expect)).failures == []


def test_rows_are_numbered_below_the_headers(tmp_path: Path) -> None:
    """With the headers in row 4 the first row is 5."""
    mapping = MAPPING.replace("{file:", "{header_row: 4, file:")
    expect = "- key: F1\n  problems:\n    - {row: 6, column: Qty}"

    assert run(tmp_path, case(ROW, ROW.replace("Qty: 2", "Qty: two"), expect=expect), mapping).failures == []


# -- bodies --------------------------------------------------------------------------------------------------------


def test_a_wrong_body_fails_with_a_diff_of_it(tmp_path: Path) -> None:
    """Pretty-printed in the order of the body, only what differs marked; the exit code is that of failed documents."""
    wrong = BODY.replace('"00042"', '"00043"').replace("quantity: {value: 2}", "quantity: {value: 3}")
    head, lines = wrong.split("invoiceLines")
    found = run(tmp_path, good("\n".join([*reversed(head.splitlines()), f"invoiceLines{lines}"])))

    assert (found.code, found.data["passed"], found.data["failed"]) == (4, 0, 1)
    assert (found.failure["kind"], found.failure["key"], found.failure["line"]) == ("body", "F1", 7)
    assert found.failure["message"] == "The body differs at customerNumber.value, invoiceLines[1].quantity.value."
    assert (
        found.failure["diff"]
        == """\
--- expected
+++ rendered
@@ -1,6 +1,6 @@
 {
   "customerNumber": {
-    "value": "00043"
+    "value": "00042"
   },
   "externalReference": {
     "value": "F1"
@@ -15,7 +15,7 @@
         "value": "Kaffe"
       },
       "quantity": {
-        "value": 3
+        "value": 2
       },
       "unitPriceInCurrency": {
         "value": 19.9"""
    )
    assert "FAILED mapping.test.yaml:3: a test\n  document F1, line 7:\n    The body differs at" in found.said
    assert indented(found.failure["diff"], 4) in found.said
    assert found.said.endswith("1 test of 1 file: 0 passed, 1 failed.\n")


@pytest.mark.parametrize("typed", ["19.9", "19.90", "19.900"])
def test_numbers_are_compared_by_value(tmp_path: Path, typed: str) -> None:
    """How many zeros stand at their ends says nothing."""
    assert run(tmp_path, good(BODY.replace("19.90", typed))).failures == []


@pytest.mark.parametrize(
    ("right", "typed", "note"),
    [
        ("19.90", "19.91", ""),
        ("19.90", "19.9000000000000000001", ""),
        ("19.90", '"19.9"', 'the text "19.9" is expected, but the number 19.9 is rendered.'),
        ('"00042"', "42", 'the number 42 is expected, but the text "00042" is rendered.'),
        ('"00042"', '"42"', ""),
        ('{value: "00042"}', "00042", 'the text "00042" is expected, but a group is rendered.'),
        ("Kaffe", "kaffe", ""),
        ("Kaffe", "true", 'true is expected, but the text "Kaffe" is rendered.'),
    ],
)
def test_another_value_or_another_kind_fails(tmp_path: Path, right: str, typed: str, note: str) -> None:
    """Where the kinds differ, that is said, since both may look the same."""
    found = run(tmp_path, good(BODY.replace(right, typed)))

    assert found.code == 4
    assert found.failure["message"].split("\n")[1:] == ([f"{place_of(right)}: {note}"] if note else [])


def place_of(right: str) -> str:
    """Return where a value stands in the body."""
    places = {"19.90": "invoiceLines[1].unitPriceInCurrency.value", "Kaffe": "invoiceLines[1].description.value"}
    return places.get(right, "customerNumber" if "value" in right else "customerNumber.value")


def test_texts_need_no_quotes_where_the_body_has_texts(tmp_path: Path) -> None:
    """What was typed is what is compared: 00042 is the text of these digits."""
    assert run(tmp_path, good(BODY.replace('"00042"', "00042"))).failures == []


def test_the_number_of_another_document_is_expected_as_what_stands_for_it(tmp_path: Path) -> None:
    """Nobody knows it before that document is there, so its name and key are what is compared."""
    mapping = MAPPING.replace("customerNumber: Customer", "customerNumber: {document: customers, key: Customer}")

    assert run(tmp_path, good(BODY.replace('"00042"', '"⟦customers: 00042⟧"')), mapping).failures == []
    found = run(tmp_path, good(BODY.replace('"00042"', '"⟦customers: 42⟧"')), mapping)
    assert '+    "value": "⟦customers: 00042⟧"' in found.failure["diff"]


def test_a_field_that_is_not_expected_or_not_rendered_fails(tmp_path: Path) -> None:
    """The body is the whole body."""
    less = run(tmp_path, good(BODY.replace("externalReference: {value: F1}\n", "")))
    more = run(tmp_path, good(BODY + "hold: {value: true}\n"))

    assert less.failure["message"] == "The body differs at externalReference."
    assert '+  "externalReference": {' in less.failure["diff"]
    assert more.failure["message"] == "The body differs at hold."
    assert '-  "hold": {' in more.failure["diff"]


def test_one_line_too_few_is_the_only_difference(tmp_path: Path) -> None:
    """The lines around it are paired with those they are like, also where their texts look like numbers."""
    rows = [ROW.replace("Kaffe", f'"{text}"') for text in ("10", "20", "30")]
    head, line = BODY.split("  - operation")
    lines = [f"  - operation{line}".replace("Kaffe", text) for text in ("10", "20", "30")]
    expect = f"- key: F1\n  body:\n{indented(head + lines[0] + lines[2], 4)}"
    found = run(tmp_path, case(*rows, expect=expect))

    assert found.failure["message"] == "The body differs at invoiceLines[2]."
    marked = [text for text in found.failure["diff"].split("\n")[2:] if text[0] in "+-"]
    assert {text[0] for text in marked} == {"+"}
    assert '+        "value": "20"' in marked


# -- documents -----------------------------------------------------------------------------------------------------


def test_every_document_is_expected_and_every_expected_one_comes(tmp_path: Path) -> None:
    """One that is not named and one that does not come are both failures, the one with its body."""
    found = run(
        tmp_path,
        case(
            ROW, ROW.replace("F1", "F2"), expect=f"- key: F1\n  body:\n{indented(BODY, 4)}- key: F3\n  status: filtered"
        ),
    )

    assert [(failure["kind"], failure["key"]) for failure in found.failures] == [
        ("missing", "F3"),
        ("unexpected", "F2"),
    ]
    missing, unexpected = found.failures
    assert "the rows do not give it. They give: F1, F2." in missing["message"]
    assert unexpected["message"] == "It is not expected. A body is rendered for it (row 3)."
    assert '+    "value": "F2"' in unexpected["diff"]


def test_documents_come_in_the_order_of_their_rows(tmp_path: Path) -> None:
    """Expected in another order, they fail, and the order is told."""
    first, second = (f"- key: {key}\n  body:\n{indented(BODY.replace('F1', key), 4)}" for key in ("F1", "F2"))
    rows = (ROW, ROW.replace("F1", "F2"))

    assert run(tmp_path, case(*rows, expect=first + second)).failures == []
    found = run(tmp_path, case(*rows, expect=second + first))
    assert {failure["kind"] for failure in found.failures} == {"missing", "unexpected"}
    assert "F1, F2" in found.failures[0]["message"] + found.failures[1]["message"]


@pytest.mark.parametrize(
    ("row", "expect", "said"),
    [
        (ROW, "status: filtered", "It is expected to be filtered. A body is rendered for it (row 2)."),
        (ROW, "problems: [{column: Qty}]", "Problems are expected. A body is rendered for it (row 2)."),
        (ROW.replace("Qty: 2", "Qty: two"), "body: {}", "A body is expected. It has problems (row 2):\n  row 2, Qty"),
        (ROW.replace("Kaffe", "Void"), "body: {}", "A body is expected. It is left out (row 2): The mapping's 'where'"),
        (ROW.replace("Kaffe", "Void"), "problems: [{code: pattern}]", "Problems are expected. It is left out (row 2)"),
    ],
)
def test_another_end_than_the_expected_one_is_told(tmp_path: Path, row: str, expect: str, said: str) -> None:
    """A body, problems or filtered: each in the place of another fails and says which it is, and why."""
    mapping = MAPPING.replace("key:", "where: \"{{ row['Text'] != 'Void' }}\"\nkey:")
    found = run(tmp_path, case(row, expect=f"- key: F1\n  {expect}"), mapping)

    assert found.failure["kind"] == "status"
    assert found.failure["message"].startswith(said)


@pytest.mark.parametrize(
    ("expected", "left"),
    [
        (["{column: Qty}", "{column: Customer}"], []),
        (["{message: is not a number}", "{}"], None),
        (["{row: 2}", "{row: 2, code: pattern}"], []),
        (["{row: 2}"], ["found, but not expected: row 2, "]),
        (
            ["{column: Qty}", "{column: Qty}"],
            ["expected, but not found: column 'Qty'", "found, but not expected: row 2, Cust"],
        ),
        (["{column: Qty, row: 3}", "{code: pattern}"], ["expected, but not found: row 3, column 'Qty'", "found, but"]),
        (
            ["{column: Qty}", "{message: no such words}"],
            ["expected, but not found: message 'no such words'", "found, but"],
        ),
    ],
)
def test_problems_are_expected_one_by_one(tmp_path: Path, expected: list[str], left: list[str] | None) -> None:
    """Each entry stands for one problem, in any order; what is left is told. One that says nothing is refused."""
    row = ROW.replace("Qty: 2", "Qty: two").replace('"00042"', '"42"')
    listed = "".join(f"    - {entry}\n" for entry in expected)
    found = run(
        tmp_path, case(row, expect=f"- key: F1\n  problems:\n{listed}"), STRICT.replace("expect: 19.90", "name: Sum")
    )

    if left is None:
        assert (found.code, found.error["message"]) == (3, "'tests[1].expect[1].problems[2]' is empty.")
        return
    assert (found.code == 0) == (left == [])
    lines = found.failure["message"].split("\n") if left else []
    assert len(lines) == len(left)
    assert all(line.startswith(start) for line, start in zip(lines, left, strict=True)), lines


def test_a_problem_of_the_whole_sheet_fails_unless_it_is_expected(tmp_path: Path) -> None:
    """A total that differs holds a run, so it is no good test that does not mention it."""
    row = ROW.replace("19.90", "29.90")
    body = f"- key: F1\n  body:\n{indented(BODY.replace('19.90', '29.90'), 4)}"
    silent = run(tmp_path, case(row, expect=body), STRICT)
    told = run(
        tmp_path, case(row, expect=body, more="problems:\n  - {code: total_mismatch, column: Unit price}"), STRICT
    )
    too_much = run(
        tmp_path,
        case(ROW, expect=f"- key: F1\n  body:\n{indented(BODY, 4)}", more="problems:\n  - {code: total_mismatch}"),
        STRICT,
    )

    assert silent.failure["kind"] == "sheet"
    assert "found, but not expected: Unit price (total_mismatch): The total" in silent.failure["message"]
    assert told.failures == []
    assert "expected, but not found: code 'total_mismatch'" in too_much.failure["message"]


def test_a_misspelt_header_is_told_where_a_test_fails(tmp_path: Path) -> None:
    """A column that the mapping does not name is fine, until something is missing and it looks like what is."""
    found = run(tmp_path, good(row=ROW.replace("Customer:", "Custommer:")))

    assert found.failures[-1]["message"] == "The rows have a column 'Custommer'; the mapping knows 'Customer'."
    assert run(tmp_path, good(row=ROW.replace("{", "{Colour: red, "))).failures == []


# -- the program ---------------------------------------------------------------------------------------------------


def test_quiet_says_nothing_when_all_is_well(tmp_path: Path) -> None:
    """And what failed when it is not; in a process of its own the exit codes are the same."""
    (tmp_path / "mapping.yaml").write_text(MAPPING, encoding="utf-8")
    file = tmp_path / "mapping.test.yaml"
    file.write_text(good(), encoding="utf-8")
    well = program("test", "--quiet", cwd=tmp_path)
    file.write_text(good(key="F2"), encoding="utf-8")
    badly = program("test", "--quiet", "mapping.test.yaml", cwd=tmp_path)

    assert (well.returncode, well.stdout, well.stderr) == (0, "", "")
    assert (badly.returncode, badly.stderr) == (4, "")
    assert "FAILED mapping.test.yaml:3: a test" in badly.stdout
