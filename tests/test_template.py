"""A body is rendered as data: exact, injection-proof, checked against the request schema, and fingerprinted."""

import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.errors import MappingError
from importer.jsontext import canonical, write_json
from importer.model import ABSENT, Problem, Status
from importer.plan import Plan
from importer.template import to_json

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


# -- body templates --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_arrives_unchanged_and_injects_nothing(plan_of: Any, name: str) -> None:
    """Quotes, braces, newlines and JSON in a cell are that cell's text in the body, and nothing else."""
    plan = plan_of(f"{CUSTOMER}fields: {{name: Name}}\n", [["No", "Name"], ["1", name]])

    assert body(plan) == {"name": {"value": name}}


@given(st.recursive(st.none() | st.booleans() | st.text() | st.integers(), st.lists))
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
    fields = (
        "name: Name, note: {column: Note, blank: clear}, mainAddress: {city: City}, attributeLines: [{attributeId: A}]"
    )
    plan = plan_of(
        f"{CUSTOMER}fields: {{{fields}}}\n", [["No", "Name", "Note", "City", "A"], ["1", "Ola", None, " ", None]]
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
        ("[1]", "body_type", ""),
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
    ("text", "words"),
    [
        ('{"name": {{ key }}}', 'name must be a JSON object, not a string; write {"value": ...} around it in'),
        ('{"name": null}', 'name must be a JSON object, not null; write {"value": ...} around it in'),
        ('{"name": {"value": 5}}', "name.value must be a JSON string, not a number; correct its type in"),
        (
            '{"name": {"value": {"value": {{ key }}}}}',
            "name.value must be a JSON string, not an object; take the object around it away in",
        ),
        ('{"attributeLines": {}, "name": 5}', 'name must be a JSON object, not a number; write {"value": ...} around'),
    ],
)
def test_a_value_of_another_type_is_told_with_what_to_write(
    plan_of: Any, tmp_path: Path, text: str, words: str
) -> None:
    """What stands there, what must, and what to change."""
    assert words in problem(plan_of(own_template(tmp_path, text), [["No"], ["1"]])).message


def test_a_filter_that_is_not_there_is_told_in_one_sentence(plan_of: Any, tmp_path: Path) -> None:
    """Jinja's own full stop is not doubled."""
    with pytest.raises(MappingError, match=r"No filter named 'tojson'\.\n"):
        plan_of(own_template(tmp_path, '{"name": {"value": {{ key | tojson }}}}'), [["No"], ["1"]])


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


def test_a_template_that_is_not_utf8_is_told_with_its_line(plan_of: Any, tmp_path: Path) -> None:
    """Also one that another includes; nothing is sent with letters that nobody typed."""
    mapping = own_template(tmp_path, "")
    (tmp_path / "own.json.j2").write_bytes('{\n "name": {"value": "Sjø"}}'.encode("latin-1"))
    with pytest.raises(MappingError, match=r"own\.json\.j2:2:1: .* is not UTF-8 text\. Save it as UTF-8"):
        plan_of(mapping, [["No"], ["1"]])

    (tmp_path / "own.json.j2").rename(tmp_path / "part.json.j2")
    mapping = own_template(tmp_path, '{% include "part.json.j2" %}')
    assert "'part.json.j2' is not UTF-8 text" in problem(plan_of(mapping, [["No"], ["1"]])).message


def test_a_mark_before_a_template_is_no_part_of_the_body(plan_of: Any, tmp_path: Path) -> None:
    """Windows editors write one before UTF-8."""
    mapping = own_template(tmp_path, '\ufeff{"name": {"value": {{ key }}}}')

    assert body(plan_of(mapping, [["No"], ["K1"]])) == {"name": {"value": "K1"}}


@pytest.mark.parametrize("text", ["[" * 3000 + "]" * 3000, '{"name":' * 400 + "1" + "}" * 400], ids=["lists", "groups"])
def test_a_body_that_is_nested_without_bounds_is_a_problem(plan_of: Any, tmp_path: Path, text: str) -> None:
    """A slip in a template ends in words, not in a crash."""
    assert "nested too deeply" in problem(plan_of(own_template(tmp_path, text), [["No"], ["1"]])).message


@pytest.mark.parametrize("depth", [150, 3000])
def test_a_template_that_is_nested_without_bounds_is_told(plan_of: Any, tmp_path: Path, depth: int) -> None:
    """Neither Jinja nor Python compile what is nested any deeper."""
    mapping = own_template(tmp_path, "{{ " + "[" * depth + "]" * depth + " }}")

    with pytest.raises(MappingError, match=r"'own\.json\.j2' is nested too deeply"):
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


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__ }}",
        "{{ rows[0].__init__.__globals__ }}",
        "{{ rows[0]['T'].__class__.__mro__ }}",
        "{{ fields.__class__ }}",
        "{{ key|attr('__class__') }}",
        "{{ lipsum.__globals__['os'] }}",
        "{{ range(10**9)|list|length }}",
        "{{ 'a' * 10**8 }}",
        "{% for i in range(10**7) %}x{% endfor %}",
        "{% include 'mapping.yaml' %}",
    ],
)
def test_a_body_template_reaches_nothing(plan_of: Any, tmp_path: Path, source: str) -> None:
    """Body templates run in a sandbox that has no way out."""
    text = f'{{"name": {{"value": {source}}}}}'

    assert problem(plan_of(own_template(tmp_path, text), [["No", "T"], ["1", "a"]])).code == "template"


def test_absent_is_json_that_vanishes() -> None:
    """The mark of an absent value is a JSON text that no cell can hold."""
    assert json.loads(to_json(ABSENT)).startswith("\x00")
