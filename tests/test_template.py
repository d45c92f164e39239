"""A body is rendered as data: exact, injection-proof, checked against the request schema, and fingerprinted."""

import json
import time
import tracemalloc
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.errors import MappingError
from importer.expression import compile_expression, param_view, row_view
from importer.model import ABSENT, Fault, Problem, Status
from importer.plan import Plan
from importer.template import canonical, to_json, write_json

CUSTOMER = "version: 1\nendpoint: customer.create\nkey: No\n"
HOSTILE = (
    'Ola "Gutten" \\ {{ 7*7 }}\n🙂',
    'x"}, "customerNumber": {"value": "99999',
    "{% for x in range(9) %}",
    '=HYPERLINK("x")',
    "\\u0022, \\",
    "</script>\t&amp;",
    "\x00absent\x00"[1:-1],
    "line\u2028separator",
)


def body(plan: Plan, spot: int = 0) -> Any:
    """Return a document's body with numbers as the text that is sent."""
    assert plan.problems == ()
    return json.loads(plan.documents[spot].body, parse_float=Decimal)


def problem(plan: Plan) -> Problem:
    """Return the one problem of a plan that sends nothing."""
    (only,) = plan.problems
    assert {document.status for document in plan.documents} == {Status.INVALID}
    return only


def own_template(folder: Path, text: str, name: str = "own.json.j2") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return f"{CUSTOMER}template: {name}\n"


def evaluate(source: str, param: dict[str, Any] | None = None, *, blank_is_text: bool = False, **row: Any) -> Any:
    """Return what a template of the mapping gives for one row."""
    view = row_view(tuple(row), tuple(row.values()), blank_is_text=blank_is_text)
    return compile_expression(source).evaluate(view, param_view(param or {}))


# -- body templates --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_arrives_unchanged_and_injects_nothing(plan_of: Any, name: str) -> None:
    """Quotes, braces, newlines and JSON in a cell are that cell's text in the body, and nothing else."""
    plan = plan_of(f"{CUSTOMER}fields: {{name: Name}}\n", [["No", "Name"], ["1", name]])

    assert body(plan) == {"name": {"value": name}}


@given(st.recursive(st.none() | st.booleans() | st.text() | st.integers(), lambda item: st.lists(item)))
def test_every_value_is_written_as_json(value: Any) -> None:
    """What a template writes is the JSON of the value."""
    assert json.loads(to_json(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1.50"), "1.50"),
        (Decimal("1E+3"), "1000"),
        (Decimal("-0.00"), "0.00"),
        (Decimal("12345678901234567890.123456789"), "12345678901234567890.123456789"),
        (True, "true"),
        (date(2025, 1, 27), '"2025-01-27"'),
        (datetime.fromisoformat("2025-01-27T00:00:00"), '"2025-01-27T00:00:00Z"'),
        (datetime.fromisoformat("2025-01-27T23:59:59.999"), '"2025-01-27T23:59:59.999Z"'),
        ({"æ": [Decimal("0.10")]}, '{"æ":[0.10]}'),
    ],
)
def test_numbers_and_dates_are_written_exactly(value: Any, text: str) -> None:
    """Decimals keep their digits and dates their day."""
    assert to_json(value) == text


def test_what_is_absent_vanishes_with_what_it_leaves_empty(plan_of: Any) -> None:
    """Blank cells leave no empty wrapper, group or list behind; an empty text that was asked for stays."""
    fields = "{name: Name, note: {column: Note, blank: clear}, mainAddress: {city: City}, attributeLines: [{attributeId: A}]}"
    plan = plan_of(
        f"{CUSTOMER}fields: {fields}\n", [["No", "Name", "Note", "City", "A"], ["1", "Ola", None, " ", None]]
    )

    assert body(plan) == {"name": {"value": "Ola"}, "note": {"value": ""}}


@pytest.mark.parametrize("text", ['{"name": {"value": "{{ key }}"}}', '{"name": {"value": \'{{ key }}\'}}'])
def test_quotes_around_the_braces_are_told_with_a_hint(plan_of: Any, tmp_path: Path, text: str) -> None:
    """Who quotes what is quoted already is told so."""
    found = problem(plan_of(own_template(tmp_path, text), [["No"], ["1"]]))

    assert found.code == "template"
    assert "own.json.j2" in found.message
    assert ("without quotes" in found.message) == ('""' in text.replace("{{ key }}", '"1"'))


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ('{"nmae": {"value": {{ key }}}}', "unknown_field", "Did you mean 'name'?"),
        ('{"mainAddress": {"value": {"cty": {"value": {{ key }}}}}}', "unknown_field", "Did you mean 'city'?"),
        ('{"name": {{ key }}}', "body_type", "name must be a JSON object"),
        ('{"name": {"value": 5}}', "body_type", "must be a JSON string"),
        ('{"name": {"val": {{ key }}}}', "unknown_field", "'val'"),
        ('{"status": {"value": "Activ"}}', "body", "Activ"),
        ('{"currencyId": {"value": "nok"}}', "pattern", "three capital letters"),
        ('{"name": {"value": "a"}, "name": {"value": "b"}}', "template", "twice"),
        ('{"creditLimit": {"value": NaN}}', "template", "NaN"),
        ('{"name": {"value": {{ key }}},}', "template", "JSON"),
        ("{{ key }}", "body_type", ""),
        ("[]", "body_type", ""),
    ],
)
def test_a_body_that_the_api_does_not_know_is_refused(
    plan_of: Any, tmp_path: Path, text: str, code: str, words: str
) -> None:
    """What the API would ignore in silence or refuse later is a problem before anything is sent."""
    plan = plan_of(own_template(tmp_path, text), [["No"], ["1"]])

    assert {document.status for document in plan.documents} == {Status.INVALID}
    assert (code, True) in {(found.code, words in found.message) for found in plan.problems}
    assert {found.row for found in plan.problems} == {2}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{\n "name": {"value": {{ fields.nam }}}\n}', 2),
        ('{\n\n "name": {"value": {{ rows[0]["Nme"] }}}\n}', 3),
        ('{\n "name": {"value": {{ param.x }}}\n}', 2),
        ('{\n "name": {"value": {{ nme }}}\n}', 2),
        ('{\n "name": {"value": {{ rows[7] }}}\n}', 2),
    ],
)
def test_a_typo_in_a_body_template_names_template_and_line(plan_of: Any, tmp_path: Path, text: str, line: int) -> None:
    """A name that is not there never renders as nothing."""
    found = problem(plan_of(own_template(tmp_path, text), [["No"], ["1"]]))

    assert f"own.json.j2, line {line}" in found.message


def test_a_template_that_is_no_jinja_is_told_with_its_line(plan_of: Any, tmp_path: Path) -> None:
    """A body template that cannot be compiled stops before any row is read, at its own line."""
    mapping = own_template(tmp_path, "{\n  {% for x in %}\n}")

    with pytest.raises(MappingError, match=r"own\.json\.j2:2:3: The template is not valid"):
        plan_of(mapping, [["No"], ["1"]])


def test_a_template_beside_the_mapping_wins_over_the_bundled_one(plan_of: Any, tmp_path: Path) -> None:
    """A file of the bundled template's name beside the mapping is the one that renders."""
    mapping = own_template(tmp_path, '{"name": {"value": {{ key }}}}', "customer.create.json.j2")

    assert body(plan_of(mapping, [["No"], ["K1"]])) == {"name": {"value": "K1"}}


@pytest.mark.parametrize("name", ["../own.json.j2", "/etc/hostname", "..", "sub/../../own.json.j2", ""])
def test_a_template_outside_the_mappings_folder_is_refused(plan_of: Any, tmp_path: Path, name: str) -> None:
    """A mapping from somebody else cannot read files elsewhere."""
    (tmp_path.parent / "own.json.j2").write_text("{}", encoding="utf-8")

    with pytest.raises(MappingError, match=r"mapping\.yaml:4:11: "):
        plan_of(f'{CUSTOMER}template: "{name}"\n', [["No"], ["1"]])


def test_an_unknown_template_is_told_with_the_nearest(plan_of: Any, tmp_path: Path) -> None:
    """A misspelt file name is refused with the one that lies beside the mapping."""
    own_template(tmp_path, "{}")

    with pytest.raises(MappingError, match=r"Did you mean 'own\.json\.j2'\?"):
        plan_of(f"{CUSTOMER}template: owm.json.j2\n", [["No"], ["1"]])


@pytest.mark.parametrize(
    ("cell", "text"), [("1,50", b"1.50"), (0.1 + 0.2, b"0.3"), ("12345678901234567890,12", b"12345678901234567890.12")]
)
def test_a_decimal_is_rendered_digit_by_digit(plan_of: Any, cell: Any, text: bytes) -> None:
    """Between cell and bytes no number becomes a float."""
    mapping = f"{CUSTOMER}workbook: {{locale: nb-NO}}\nfields: {{creditLimit: Limit}}\n"
    plan = plan_of(mapping, [["No", "Limit"], ["1", cell]])

    assert plan.documents[0].body == b'{"creditLimit": {"value": ' + text + b"}}"


# -- fingerprints ----------------------------------------------------------------------------------------------------


def parsed(text: str) -> str:
    return canonical(json.loads(text, parse_float=Decimal))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ('{"a": 1.5}', '{"a": 1.50}'),
        ('{"a": 1}', '{"a": 1.0}'),
        ('{"a": 100}', '{"a": 1E+2}'),
        ('{"a": 0}', '{"a": -0.00}'),
        ('{"a": 1, "b": [2, {"c": 3, "d": 4}]}', '{"b": [2, {"d": 4, "c": 3}], "a": 1}'),
        ('{"a": "\\u00e6"}', '{"a": "æ"}'),
    ],
)
def test_equal_bodies_have_one_canonical_text(one: str, two: str) -> None:
    """Spelling of numbers and order of names make no other document."""
    assert parsed(one) == parsed(two)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ('{"a": 1.5}', '{"a": 1.51}'),
        ('{"a": 1}', '{"a": "1"}'),
        ('{"a": 1}', '{"a": true}'),
        ('{"a": 10}', '{"a": 1}'),
        ('{"a": 100}', '{"a": 10}'),
        ('{"a": [1, 2]}', '{"a": [2, 1]}'),
        ('{"a": "1.5"}', '{"a": "1.50"}'),
        ('{"a": "x"}', '{"a": "x "}'),
        ('{"a": 1}', '{"b": 1}'),
        ('{"a": null}', "{}"),
        ('{"a": 12345678901234567890123456789.1}', '{"a": 12345678901234567890123456789.2}'),
    ],
)
def test_different_bodies_have_different_canonical_texts(one: str, two: str) -> None:
    """Any other value, type, order of a list or name is another document."""
    assert parsed(one) != parsed(two)


def test_the_fingerprint_is_of_the_content(plan_of: Any) -> None:
    """1.5 and 1.50 are the same document content, 1.51 is not, whatever the key."""
    mapping = f"{CUSTOMER}workbook: {{locale: nb-NO}}\nfields: {{creditLimit: Limit}}\n"
    plan = plan_of(mapping, [["No", "Limit"], ["1", "1,5"], ["2", "1,50"], ["3", "1,51"]])
    one, two, three = (document.fingerprint for document in plan.documents)

    assert one == two != three
    assert len(one) == 64


def test_json_is_written_back_as_it_was() -> None:
    """Numbers keep their digits, letters stay letters."""
    text = '{"a": [1.50, 100, true, null], "b": "æ\\n"}'

    assert write_json(json.loads(text, parse_float=Decimal)) == text


# -- templates of the mapping ----------------------------------------------------------------------------------------


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
        ("{{ row }}", "gives a"),
    ],
)
def test_a_template_without_a_value_is_a_problem(source: str, reason: str) -> None:
    """A blank cell, an absent parameter or a typo is told by name, never rendered as nothing or None."""
    found = evaluate(source, {"gone": None}, B=None, T="a")

    assert isinstance(found, Fault)
    assert reason in found.message


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
    found = problem(plan_of(mapping, [["No", "Name"], ["1", None]]))

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
    """No template reaches Python's insides or takes the machine's time or memory."""
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


@pytest.mark.parametrize("source", [attack for attack in ATTACKS if "10**8" not in attack and "60000" not in attack])
def test_a_body_template_reaches_nothing_either(plan_of: Any, tmp_path: Path, source: str) -> None:
    """Body templates run in the same sandbox."""
    text = f'{{"name": {{"value": {source.replace("row[", "rows[0][").replace("row.", "rows[0].")}}}}}'

    assert problem(plan_of(own_template(tmp_path, text), [["No", "T"], ["1", "a"]])).code == "template"


def test_an_absent_parameter_is_absent_only_where_the_template_says_so(plan_of: Any) -> None:
    """A parameter without a value is a problem where it is used, and nothing where it is asked for first."""
    head = f"{CUSTOMER}parameters: {{p: {{type: text}}}}\nfields: {{name: {{template: "
    used = plan_of(head + '"{{ param.p }}"}}\n', [["No"], ["1"]])
    asked = plan_of(head + "\"{{ param.p or 'none' }}\"}}\n", [["No"], ["1"]])
    filled = plan_of(head + '"{{ param.p }}"}}\n', [["No"], ["1"]], {"p": "0101"})

    assert "'p' has no value" in problem(used).message
    assert (body(asked), body(filled)) == ({"name": {"value": "none"}}, {"name": {"value": "0101"}})


def test_absent_is_json_that_vanishes() -> None:
    """The mark of an absent value is a JSON text that no cell can hold."""
    assert json.loads(to_json(ABSENT)).startswith("\x00")
