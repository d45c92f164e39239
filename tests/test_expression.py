"""Templates of a mapping see a row and the parameters, compute in decimals, and reach nothing else."""

import time
import tracemalloc
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from conftest import PlanOf

from importer.expression import compile_expression, param_view, row_view
from importer.formats import zeros
from importer.locales import locale
from importer.model import Fault, Status

CUSTOMER = "version: 1\nendpoint: customer.create\nkey: No\n"


def evaluate(source: str, param: dict[str, Any] | None = None, *, blank_is_text: bool = False, **row: Any) -> Any:
    """Return what a template of the mapping gives for one row."""
    view = row_view(tuple(row), tuple(row.values()), blank_is_text=blank_is_text)
    return compile_expression(source).evaluate(view, param_view(param or {}))


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("{{ row['N'] }}", Decimal("1.10")),
        ("{{ row['N'] * 1.25 }}", Decimal("1.3750")),
        ("{{ 0.1 + 0.2 }}", Decimal("0.3")),
        ("{{ row['N'] * 1.1 + 0.2 }}", Decimal("1.410")),
        ("{{ 3 }}", Decimal(3)),
        ("{{ row['D'] }}", date(2025, 1, 27)),
        ("{{ row['N'] > 1 }}", True),
        ("{{ row['T'] }}", "0101"),
        (" {{ row['N'] }}\n", Decimal("1.10")),
        ("{{ row['N'] }}\n", Decimal("1.10")),
        ("{{ row['N'] }} kr", "1.10 kr"),
        ("{{ row['N'] }}{{ row['T'] }}", "1.100101"),
        ("{{ row['D'] }}/{{ row['T'] }}", "2025-01-27/0101"),
        ("{{ row['B'] or 'none' }}", "none"),
        ("{{ row['B'] == '' }}", True),
        ("{{ param.rate * 2 }}", Decimal("0.50")),
        ("{{ param.gone or 'none' }}", "none"),
    ],
)
def test_one_expression_keeps_its_type_and_anything_else_is_text(source: str, value: Any) -> None:
    """`{{ one }}` gives the cell's own type with exact decimals; a mixture is text."""
    found = evaluate(
        source, {"rate": Decimal("0.25"), "gone": None}, N=Decimal("1.10"), D=date(2025, 1, 27), T="0101", B=None
    )

    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("source", ["{{ '0.1'|float * 3 }}", "{{ row['N']|float * 3 }}", "{{ (1/10 + 2/10) }}"])
def test_no_float_noise_comes_out_of_a_template(source: str) -> None:
    """However a template computes, the result is a decimal of the sheet or a problem, never 0.30000000000000004."""
    found = evaluate(source, N=Decimal("0.1"))

    assert isinstance(found, Fault) or found == Decimal("0.3")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{{ row['B'] }}", "the cell 'B' is blank"),
        ("a {{ row['B'] }}", "the cell 'B' is blank"),
        ("{{ row['B'] ~ 'x' }}", "the cell 'B' is blank"),
        ("{{ row['B'] + 1 }}", "the cell 'B' is blank"),
        ("{{ row['C'] }}", "the sheet has no column 'C'"),
        ("{{ param.gone }}", "the parameter 'gone' has no value"),
        ("{{ param.gone }} x", "the parameter 'gone' has no value"),
        ("{{ none }}", "gives nothing"),
        ("{{ none }} x", "gives nothing"),
        ("{{ 1 / 0 }}", "failed here"),
        ("{{ row['T'] + 1 }}", "failed here"),
        ("{{ [1] }}", "gives a list"),
        ("{{ row }}", "gives a whole row, not"),
        ("{% include 'x' %}", "takes in another file"),
        ("{{ 1.0 / 0 }}", "it divides by zero"),
        ("{{ 0.0 / 0 }}", "it divides by zero"),
    ],
)
def test_a_template_without_a_value_is_a_problem(source: str, reason: str) -> None:
    """A blank cell, an absent parameter or a typo is told by name, never rendered as nothing or None."""
    found = evaluate(source, {"gone": None}, B=None, T="a")

    assert isinstance(found, Fault)
    assert reason in found.message


def test_a_total_that_cannot_be_reckoned_is_told_in_words(plan_of: PlanOf) -> None:
    """What the program calls it means nothing to whoever wrote the mapping."""
    mapping = (
        "version: 1\nendpoint: customer.create\nkey: No\nworkbook: {locale: en-US}\nfields: {number: No, name: No}\n"
        "totals: [{name: Net, sum: N, expect: '{{ 1 / 0 }}'}]\n"
    )
    (problem,) = plan_of(mapping, [["No", "N"], ["1", "7"]]).held
    assert "divi" in problem.message
    assert "Fault(" not in problem.message


def test_a_blank_is_empty_text_in_where(plan_of: Any) -> None:
    """`where` compares blanks as empty text; the rows it leaves out are filtered."""
    mapping = f"{CUSTOMER}where: \"{{{{ row['S'] ~ 'x' == 'x' }}}}\"\nfields: {{name: No}}\n"
    plan = plan_of(mapping, [["No", "S"], ["1", None], ["2", "Void"], ["3", " "]])

    assert [(document.key, document.status) for document in plan.documents] == [
        ("1", None),
        ("2", Status.FILTERED),
        ("3", None),
    ]


def test_a_blank_in_a_fields_template_is_a_problem_at_its_cell(plan_of: Any) -> None:
    """The word None never reaches a body."""
    mapping = f"{CUSTOMER}fields: {{name: {{template: \"{{{{ row['Name'] }}}} AS\"}}}}\n"
    (found,) = plan_of(mapping, [["No", "Name"], ["1", None]]).problems

    assert (found.sheet, found.row, found.column, found.code) == ("Rows", 2, "Name", "template")


ATTACKS = (
    "{{ ''.__class__ }}",
    "{{ row['T'].__class__.__mro__ }}",
    "{{ row.__init__.__globals__ }}",
    "{{ ''|attr('__class__') }}",
    "{{ lipsum }}",
    "{{ lipsum.__globals__['os'] }}",
    "{{ cycler.__init__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ range(10**9)|list|length }}",
    "{% for i in range(10**7) %}x{% endfor %}",
    "{{ 'a' * 10**8 }}",
    "{{ ['a'] * 10**8 }}",
    "{{ '%999999999s' % 'a' }}",
    "{{ 9 ** 99999999 }}",
    "{{ '{:99999999}'.format('a') }}",
    "{{ '{0.__class__}'.format('a') }}",
    "{{ 'a'.ljust(10**8) }}",
    "{{ 'a'.zfill(10**8) }}",
    "{{ 'a'|indent(10**8) }}",
    "{{ 'a'|replace('', 'b' * 60000)|replace('', 'c' * 600) }}",
    "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
    "{% include 'mapping.yaml' %}",
)


@pytest.mark.parametrize("source", ATTACKS)
def test_a_template_reaches_nothing_and_exhausts_nothing(source: str) -> None:
    """No template reaches Python's insides or takes time or memory without bounds."""
    started = time.monotonic()
    tracemalloc.start()
    try:
        found = evaluate(source, T="a")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert isinstance(found, Fault)
    assert time.monotonic() - started < 5
    assert peak < 20_000_000


def test_an_absent_parameter_is_absent_only_where_the_template_says_so(plan_of: Any) -> None:
    """A parameter without a value is a problem where it is used, and nothing where it is asked for first."""
    head = f"{CUSTOMER}parameters: {{p: {{type: text}}}}\nfields: {{name: {{template: "
    used = plan_of(head + '"{{ param.p }}"}}\n', [["No"], ["1"]])
    asked = plan_of(head + "\"{{ param.p or 'none' }}\"}}\n", [["No"], ["1"]])
    filled = plan_of(head + '"{{ param.p }}"}}\n', [["No"], ["1"]], {"p": "0101"})

    assert ["'p' has no value" in problem.message for problem in used.problems] == [True]
    assert asked.documents[0].body == b'{"name": {"value": "none"}}'
    assert filled.documents[0].body == b'{"name": {"value": "0101"}}'


def error_in(address: str) -> Callable[[openpyxl.Workbook], None]:
    """Return what makes the text of a cell the error that a formula shows."""

    def prepare(book: openpyxl.Workbook) -> None:
        book.worksheets[0][address].data_type = "e"

    return prepare


@pytest.mark.parametrize(
    "template",
    [
        "{{ row['Price'] | default(0) }}",
        "{{ row['Price'] | d(0, true) }}",
        "{{ row.Price | default(0) }}",
        "{{ row['Price'] if row['Price'] is defined else 0 }}",
        "{{ 0 if row['Price'] is undefined else 1 }}",
        "{{ row['Price'] or 0 }}",
        "{{ (row | items | list)[2][1] | default(0) }}",
        "{{ row['Other'] + (row['Price'] | default(0)) }}",
    ],
)
def test_a_default_is_for_blanks_and_never_for_an_error_cell(plan_of: PlanOf, template: str) -> None:
    """A cell that shows #N/A is a problem of its own, whatever a template asks of it first."""
    mapping = f'{CUSTOMER}fields: {{name: No, creditLimit: {{template: "{template}"}}}}\n'
    plan = plan_of(mapping, [["No", "Other", "Price"], ["1", 1, "#N/A"], ["2", 1, 5]], prepare=error_in("C2"))
    (found,) = plan.problems

    assert (found.row, found.column, found.value, found.code) == (2, "Price", "#N/A", "error_cell")
    assert plan.documents[1].status is None


def test_an_error_cell_in_where_is_a_problem_though_it_is_only_asked_for(plan_of: PlanOf) -> None:
    """`where` cannot leave a row out, or in, by a cell that could not be read."""
    mapping = f"{CUSTOMER}where: \"{{{{ row['S'] is defined }}}}\"\nfields: {{name: No}}\n"
    (found,) = plan_of(mapping, [["No", "S"], ["1", "#DIV/0!"]], prepare=error_in("B2")).problems

    assert (found.row, found.column, found.code) == (2, "S", "error_cell")


@pytest.mark.parametrize("asked", ["r.S", "r['S'] | default('x')", "'x' if r.S is defined else 'y'"])
def test_an_error_cell_that_a_body_template_uses_is_a_problem_at_its_row(
    plan_of: PlanOf, tmp_path: Path, asked: str
) -> None:
    """A body template of the user's own is told the row and the column of the cell, as a field's template is."""
    value = f"{{% for r in rows %}}{{% if loop.last %}}{{{{ {asked} }}}}{{% endif %}}{{% endfor %}}"
    body = f'{{"name": {{"value": {value}}}}}'
    (tmp_path / "own.json.j2").write_text(body, encoding="utf-8")
    mapping = f"{CUSTOMER}template: own.json.j2\n"
    (found,) = plan_of(mapping, [["No", "S"], ["1", "a"], ["1", "#REF!"]], prepare=error_in("B3")).problems

    assert (found.row, found.column, found.value, found.code) == (3, "S", "#REF!", "error_cell")


@pytest.mark.parametrize(
    ("template", "cell", "value"),
    [
        ("{{ row['T'] | decimal }}", "1.234", "1234"),
        ("{{ row['T'] | float }}", "1.234", "1234"),
        ("{{ decimal(row['T']) }}", "1.234", "1234"),
        ("{{ row.T | decimal * 2 }}", "12,5", "25.0"),
        ("{{ row['T'] | int }}", "1 234,50", "1234"),
        ("{{ row['T'] | int }}", "12,5", "12"),
        ("{{ row['T'] | int(7) }}", "abc", "7"),
        ("{{ row['T'] | decimal + row['T'] | decimal }}", "5", "10"),
        # what a template makes of the text is read in either way where both do not differ
        ("{{ row['T'] | replace(',', '.') | decimal }}", "12,5", "12.5"),
        ("{{ row['T'] | replace('kr', '') | decimal }}", "1.234,5kr", "1234.5"),
        ("{{ '0.25' | decimal }}", "", "0.25"),
        ("{{ row['T'] | decimal + 0.25 }}", "1", "1.25"),
        ("{{ row['T'] + ',' + row['T'] }}", "5", "5,5"),
    ],
)
def test_a_template_reads_the_number_of_a_text_as_a_field_would(template: str, cell: str, value: str) -> None:
    """A text cell holds the number that the workbook's locale says, whichever way a template asks for it."""
    view = row_view(("T",), (cell,), blank_is_text=False)
    found = compile_expression(template, locale("da-DK"), number=True).evaluate(view, {})

    assert str(found) == value


@pytest.mark.parametrize(
    ("template", "cell", "code"),
    [
        *((f"{{{{ row['T'] | {name} }}}}", "abc", "not_a_number") for name in ("decimal", "float", "int")),
        *((f"{{{{ row['T'] | {name} }}}}", "1_000", "not_a_number") for name in ("decimal", "float", "int")),
        ("{{ decimal(row['T']) }}", "2e3", "not_a_number"),
        ("{{ row['T'] | decimal }}", "1.5", "not_a_number"),
        ("{{ row['T'] | replace(',', '.') | decimal }}", "1,234", "ambiguous_number"),
        ("{{ row['T'] * 12 }}", "3", "template"),
        ("{{ 2 * row['T'] }}", "3", "template"),
        ("{{ row['T'] | trim * 12 }}", "3", "template"),
        ("{{ row['T'] + row['T'] }}", "10", "template"),
        ("{{ (row['T'] + row['T']) | decimal }}", "10", "template"),
        ("{{ 1 if row['T'] == 0 else 2 }}", "0,00", "template"),
        ("{{ 1 if row['T'] in [0, 1] else 2 }}", "0", "template"),
        ("{{ 1 if row['T'] == true else 2 }}", "TRUE", "template"),
        ("{{ row['D'] | int }}", "", "template"),
    ],
)
def test_a_text_cell_is_never_reckoned_with_as_python_would(template: str, cell: str, code: str) -> None:
    """What Python would repeat, put side by side, read in its own way or find unequal is a problem that says so."""
    view = row_view(("T", "D"), (cell, date(2025, 1, 27)), blank_is_text=False)
    found = compile_expression(template, locale("da-DK"), number=True).evaluate(view, {})

    assert isinstance(found, Fault)
    assert found.code == code


@pytest.mark.parametrize("value", ["A1", "TRUE ", "1 apple"])
def test_a_text_that_is_no_number_is_simply_unequal_to_one(value: str) -> None:
    """A column with codes among numbers can be compared; texts add up to a text outside of number fields."""
    assert evaluate("{{ row['T'] != 0 }}", T=value) is True
    assert evaluate("{{ row['T'] + row['T'] }}", T="10") == "1010"
    assert evaluate("{{ row['B'] != 0 }}", B=None, blank_is_text=True) is True
    assert evaluate("{{ row['B'] | int }}", B=None, blank_is_text=True) == 0


@pytest.mark.parametrize("text", ["FALSE", "Nei", "ei", "0", "0,00"])
def test_where_asks_what_a_text_means_that_says_no(plan_of: PlanOf, text: str) -> None:
    """A text lets a row through because it is not blank; one that says no is a problem, and is compared instead."""
    rows = [["No", "Send"], ["1", text], ["2", "x"], ["3", None]]
    plan = plan_of(f"{CUSTOMER}where: \"{{{{ row['Send'] }}}}\"\nfields: {{name: No}}\n", rows)
    (found,) = plan.problems
    compared = plan_of(f"{CUSTOMER}where: \"{{{{ row['Send'] != '{text}' }}}}\"\nfields: {{name: No}}\n", rows)

    assert (found.row, found.column, found.value, found.code) == (2, "Send", text, "not_a_boolean")
    assert f"row['Send'] != '{text}'" in found.message
    assert [document.status for document in plan.documents[1:]] == [None, Status.FILTERED]
    assert compared.documents[0].status is Status.FILTERED


SENDS = [["No", "Send", "Sum"], ["1", "{}", "5"], ["2", "Ja", "5"], ["3", None, "5"], ["4", "Ja", "5"]]


def sends(text: str) -> list[list[Any]]:
    return [[text if cell == "{}" else cell for cell in row] for row in SENDS]


@pytest.mark.parametrize("text", ["FALSE", "NO", "nei", "0"])
@pytest.mark.parametrize(
    "where",
    [
        "row['Send'] and row['Sum'] == '5'",
        "row.Send and row['Sum'] == '5'",
        "row['Sum'] == '5' and (row['Send'] or row['Sum'] == '6') and true",
        "not row['Send']",
        "true if row['Send'] else false",
    ],
)
def test_a_text_that_says_no_and_lets_a_row_through_by_itself_is_a_problem(
    plan_of: PlanOf, text: str, where: str
) -> None:
    """In a column of yes and no a condition that asks for the cell alone would do the opposite of what it says."""
    plan = plan_of(f'{CUSTOMER}where: "{{{{ {where} }}}}"\nfields: {{name: No}}\n', sends(text))
    (found,) = plan.problems

    assert (found.row, found.column, found.value, found.code) == (2, "Send", text, "text_says_no")
    assert f"row['Send'] != '{text}'" in found.message


@pytest.mark.parametrize(
    "where",
    [
        "row['Send'] != 'nei' and row['Sum'] == '5'",
        "row['Send'] and row['Send'] != 'nei'",
        "row['Send'] and row['Sum'] == '6'",
        "(row['Send'] or 'Ja') == 'Ja'",
        "(row['Send'] or 'nei') == 'nei'",
    ],
)
def test_a_text_that_says_no_is_no_problem_where_it_decides_nothing(plan_of: PlanOf, where: str) -> None:
    """What is compared, or left out for another reason, is as the mapping says."""
    plan = plan_of(f'{CUSTOMER}where: "{{{{ {where} }}}}"\nfields: {{name: No}}\n', sends("nei"))

    assert plan.problems == ()
    assert not [warning for warning in plan.warnings if warning.code == "text_says_no"]


def test_a_column_of_more_than_yes_and_no_is_only_asked_about(plan_of: PlanOf) -> None:
    """NO is Norway among countries, and 0 an amount among amounts: the row goes out, with a warning."""
    rows = [["No", "Country"], ["1", "NO"], ["2", "SE"], ["3", "NO"], ["4", None]]
    mapping = f"{CUSTOMER}where: \"{{{{ row['Country'] and row['No'] != '9' }}}}\"\nfields: {{name: No}}\n"
    plan = plan_of(mapping, rows)
    (found,) = [warning for warning in plan.warnings if warning.code == "text_says_no"]

    assert plan.problems == ()
    assert [document.status for document in plan.documents] == [None, None, None, Status.FILTERED]
    assert (found.row, found.column, found.value) == (2, "Country", "NO")
    assert "rows 2, 4." in found.message


def test_a_field_that_a_text_decides_as_a_yes_that_says_no_is_a_warning(plan_of: PlanOf) -> None:
    """What the template makes of the cell may be meant; what merely hands the cell on is not odd."""
    rows = [["No", "Credit"], ["1", "Nei"], ["2", "Ja"], ["3", None]]
    chosen = plan_of(f"{CUSTOMER}fields: {{name: {{template: \"{{{{ 'C' if row['Credit'] else 'D' }}}}\"}}}}\n", rows)
    handed = plan_of(
        f"{CUSTOMER}fields: {{name: {{template: \"{{{{ row['Credit'] if row['Credit'] else 'Ja' }}}}\"}}}}\n", rows
    )
    (found,) = [warning for warning in chosen.warnings if warning.code == "text_says_no"]

    assert (found.row, found.column, found.value) == (2, "Credit", "Nei")
    assert "The template of name" in found.message
    assert not [warning for warning in handed.warnings if warning.code == "text_says_no"]


def test_a_number_field_tells_the_cell_whose_text_holds_no_number(plan_of: PlanOf) -> None:
    """The problem stands at the cell, though the template looks at several; a field and a template agree."""
    head = "version: 1\nendpoint: customer.create\nworkbook: {locale: da-DK}\nkey: No\nfields: {name: No, creditLimit: "
    rows = [["No", "A", "B"], ["1", "1.234", "5"], ["2", "5", "abc"]]
    template = "{template: \"{{ row['A'] | decimal + row['B'] | decimal }}\"}}\n"
    plan = plan_of(head + template, rows)
    (found,) = plan.problems

    assert plan.documents[0].body == b'{"name": {"value": "1"}, "creditLimit": {"value": 1239}}'
    assert (found.row, found.column, found.value, found.code) == (3, "B", "abc", "not_a_number")


def test_a_body_template_reads_texts_in_the_workbooks_locale(plan_of: PlanOf, tmp_path: Path) -> None:
    """`rows` of a body template hold what a field's template sees."""
    body = '{"name": {"value": {{ key }}}, "creditLimit": {"value": {{ rows[0].A | decimal }}}}'
    (tmp_path / "own.json.j2").write_text(body, encoding="utf-8")
    mapping = f"{CUSTOMER}workbook: {{locale: da-DK}}\ntemplate: own.json.j2\n"
    plan = plan_of(mapping, [["No", "A"], ["1", "1.234"], ["2", "2e3"]])
    (found,) = plan.problems

    assert plan.documents[0].body == b'{"name": {"value": "1"}, "creditLimit": {"value": 1234}}'
    assert (found.row, found.column, found.value, found.code) == (3, "A", "2e3", "not_a_number")


ZEROS = {"B2": "00000", "C2": "000"}


@pytest.mark.parametrize(
    "template",
    [
        "K{{ row['Cust'] }}",
        "{{ 'K' ~ row['Cust'] }}",
        "{{ row['Cust'] | string }}",
        "{{ row['Cust'] | replace('1', '2') }}",
        "{{ [row['Cust'], 'x'] | join }}",
        "{{ row['Cust'] }}",
    ],
)
def test_a_number_that_shows_zeros_is_a_problem_where_a_template_makes_it_text(plan_of: PlanOf, template: str) -> None:
    """00123 would go out as 123, as it would from the cell itself."""
    mapping = f'{CUSTOMER}fields: {{name: {{template: "{template}"}}}}\n'
    (found,) = plan_of(mapping, [["No", "Cust"], ["1", 123]], formats=ZEROS).problems

    assert (found.row, found.column, found.value, found.code) == (2, "Cust", "123", "number_in_text")


def test_a_key_put_together_keeps_no_less_than_the_sheet_shows(plan_of: PlanOf) -> None:
    """2025-1 and 2025-001 are two keys; both remedies that the problem names give the one that is meant."""
    rows = [["Year", "Name", "No"], [2025, "a", 1]]
    mapping = (
        CUSTOMER.replace("No", "{{template: \"{{{{ row['Year'] }}}}-{{{{ {} }}}}\"}}") + "fields: {{name: Name}}\n"
    )
    (found,) = plan_of(mapping.format("row['No']"), rows, formats=ZEROS).problems
    kept, bare = "(row['No']|int|string).zfill(3)", "row['No']|int"

    assert (found.row, found.column, found.code) == (2, "No", "number_in_text")
    assert f"{kept} with the zeros, {bare} without" in found.message
    assert [document.key for document in plan_of(mapping.format(kept), rows, formats=ZEROS).documents] == ["2025-001"]
    assert [document.key for document in plan_of(mapping.format(bare), rows, formats=ZEROS).documents] == ["2025-1"]


@pytest.mark.parametrize(
    ("template", "value"),
    [("{{ row['Cust'] * 2 }}", 246), ("{{ row['Cust'] }}", 123), ("{{ row.Cust | round | int }}", 123)],
)
def test_a_number_that_shows_zeros_can_be_reckoned_with(plan_of: PlanOf, template: str, value: int) -> None:
    """What never becomes text is a number like any other, also in `where`."""
    mapping = (
        f"{CUSTOMER}where: \"{{{{ row['Cust'] > 0 }}}}\"\n"
        f'fields: {{name: No, creditLimit: {{template: "{template}"}}}}\n'
    )
    (document,) = plan_of(mapping, [["No", "Cust"], ["1", 123]], formats=ZEROS).documents

    assert document.body == f'{{"name": {{"value": "1"}}, "creditLimit": {{"value": {value}}}}}'.encode()


def test_a_body_template_writes_a_number_that_shows_zeros_as_a_number_only(plan_of: PlanOf, tmp_path: Path) -> None:
    """`rows` of a body template hold what a field's template sees."""
    mapping, rows = f"{CUSTOMER}template: own.json.j2\n", [["No", "Cust"], ["1", 123]]
    file = tmp_path / "own.json.j2"
    file.write_text('{"creditLimit": {"value": {{ rows[0].Cust }}}}', encoding="utf-8")
    (document,) = plan_of(mapping, rows, formats=ZEROS).documents
    file.write_text('{"name": {"value": {{ "K" ~ rows[0].Cust }}}}', encoding="utf-8")
    (found,) = plan_of(mapping, rows, formats=ZEROS).problems

    assert document.body == b'{"creditLimit": {"value": 123}}'
    assert (found.row, found.column, found.code) == (2, "Cust", "number_in_text")


@pytest.mark.parametrize(
    ("form", "width"),
    [
        *(("00000", 5), ("000 00", 5), ("00-00", 4), ('"K"000', 3), ("000;-000", 3), ("[Red]000", 3), ("00\\:00", 4)),
        *(("0", 1), ("#,##0.00", 1), ("General", 1), ("0%", 1), ("0.00E+00", 1), ("@", 1), ('"00"0', 1), ("# ?/?", 1)),
    ],
)
def test_the_digits_that_a_number_format_shows_are_counted(form: str, width: int) -> None:
    """Only zeros that stand for digits count, and none in a format that shows something else."""
    assert zeros(form) == width


def test_as_displayed_shows_the_one_cell_of_a_template(plan_of: PlanOf) -> None:
    """A template that is one cell is that cell, with the format that Excel shows it with."""
    mapping = f"{CUSTOMER}fields: {{name: {{template: \"{{{{ row['Cust'] }}}}\", as: displayed}}}}\n"
    (document,) = plan_of(mapping, [["No", "Cust"], ["1", 123]], formats=ZEROS).documents

    assert document.body == b'{"name": {"value": "00123"}}'


@pytest.mark.parametrize("options", ["", ", as: displayed"])
@pytest.mark.parametrize(
    ("expression", "digits", "text"),
    [
        ("row['Qty'] + 1", "3.5", "3.5"),
        ("row['Qty'] * 2 - 8", "-3.0", "-3.0"),
        ("row.Qty * 2 | round if row.Qty else 0", "5", "5.0"),
        ("row['Qty'] * 2", "5", "5.0"),
    ],
)
def test_a_number_that_a_template_gives_to_a_text_field_names_what_makes_it_text(
    plan_of: PlanOf, expression: str, digits: str, text: str, options: str
) -> None:
    """No cell is to be formatted as text for it; each remedy that the problem names gives the text."""

    def planned(template: str, more: str) -> Any:
        mapping = f'{CUSTOMER}fields: {{name: {{template: "{{{{ {template} }}}}"{more}}}}}\n'
        return plan_of(mapping, [["No", "Qty"], ["1", 2.5]])

    def body(value: str) -> bytes:
        return f'{{"name": {{"value": "{value}"}}}}'.encode()

    whole = digits == "5"
    if whole and options:
        assert planned(expression, options).documents[0].body == body(digits)
        return
    (found,) = planned(expression, options).problems
    assert (found.row, found.value) == (2, digits)
    assert f"The template gives the number {digits}, but the field takes text" in found.message
    assert "{{ (...) ~ '' }}" in found.message
    assert "Format the column" not in found.message
    assert ("as: displayed" in found.message and "pad: N" in found.message) is whole
    assert planned(f"({expression}) ~ ''", "").documents[0].body == body(text)
    if whole:
        assert planned(expression, ", pad: 3").documents[0].body == body("005")


@pytest.mark.parametrize("template", ["row['Qty']", "row.Qty", ' row[\\"Qty\\"] '])
def test_a_template_that_is_one_cell_is_told_as_that_cell(plan_of: PlanOf, template: str) -> None:
    """Its zeros may be lost in Excel, whoever takes it from there."""
    mapping = f'{CUSTOMER}fields: {{name: {{template: "{{{{{template}}}}}"}}}}\n'
    (found,) = plan_of(mapping, [["No", "Qty"], ["1", 2]]).problems

    assert "Excel holds this cell as a number" in found.message
