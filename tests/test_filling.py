"""What is filled in by a template's outline is the very same as what rendering the template gives."""

import json
import re
import string
import time
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from importer import resources
from importer.endpoints import table
from importer.fields import Field, Kind, fields_of
from importer.filling import Filling, UnsureError
from importer.mapping_file import read_mapping
from importer.model import CellValue, FieldValue, Row
from importer.outline import Computed, NotPlainError, outline_of
from importer.plan import Plan, make_plan
from importer.template import BodyTemplate
from importer.workbook import Sheet

ENDPOINTS = sorted(name for name in table() if fields_of(name))
#: Makes a template compute, so that it has no outline.
COMPUTES = "{% set unused = 1 %}\n"
TEXTS = st.one_of(
    st.text(alphabet=string.ascii_letters + string.digits + ' %s"\\/{}[],:\n\tæøå€\u2028😀⟦⟧', max_size=12),
    st.sampled_from(["NO", "NOK", "012025", "202501", "0101", "Insert", "Update", "null", "%s%%", "\\u0000", "Active"]),
)
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**9), max_value=10**9)
CELLS: dict[Kind, st.SearchStrategy[CellValue]] = {
    Kind.TEXT: TEXTS,
    Kind.INTEGER: st.one_of(st.integers(-5, 5).map(Decimal), st.sampled_from([Decimal(2**40), Decimal("1.5"), "x"])),
    Kind.DECIMAL: st.one_of(NUMBERS, st.sampled_from([Decimal("1E+2"), Decimal("1.50"), Decimal("1.5"), Decimal(0)])),
    Kind.BOOLEAN: st.one_of(st.booleans(), st.sampled_from(["true", "maybe"])),
    Kind.DATE: st.one_of(st.dates(date(2000, 1, 1), date(2030, 1, 1)), st.just("soon")),
    Kind.DATETIME: st.one_of(st.datetimes(), st.dates(date(2000, 1, 1), date(2030, 1, 1))),
    Kind.UUID: st.sampled_from(["8a0b1c2d-0000-4000-8000-000000000001", "no uuid"]),
}


@dataclass(frozen=True)
class Case:
    """Hold the columns of a sheet that feeds an endpoint."""

    endpoint: str
    fields: tuple[tuple[str, Field], ...]
    lines: tuple[tuple[str, Field], ...]

    @property
    def columns(self) -> list[Field]:
        """Return the fields in the order of the columns behind the key."""
        return [field for _, field in (*self.fields, *self.lines)]


@cache
def known(endpoint: str) -> Case:
    """Return every field that a mapping can name, lists with their first entry."""
    members = dict(fields_of(endpoint))
    lines = members.pop(table()[endpoint].lines or "", None)
    return Case(
        endpoint,
        tuple(_named(members)),
        tuple(_named(lines.members or {}) if lines else ()),
    )


def _named(members: Any) -> list[tuple[str, Field]]:
    """Return the fields by their place in a mapping: names, and `0` for the first entry of a list."""
    found: list[tuple[str, Field]] = []
    for name, field in members.items():
        if field.members is None:
            found += [(name, field)] if name != "operation" else []
        else:
            inner = f"{name}.0" if field.many else name
            found += [(f"{inner}.{rest}", leaf) for rest, leaf in _named(field.members)]
    return found


def _nested(named: tuple[tuple[str, Field], ...], first: int) -> Any:
    """Return a part of a mapping that gives each field its column."""
    root: dict[str, Any] = {}
    for spot, (name, field) in enumerate(named, start=first):
        node, steps = root, name.split(".")
        for step, after in pairwise(steps):
            if step != "0":
                node = node.setdefault(step, [{}] if after == "0" else {})
                node = node[0] if after == "0" else node  # type: ignore[index]
        # numbers in text fields go out as their digits
        node[steps[-1]] = {"column": f"C{spot}", **({"pad": 1} if field.kind is Kind.TEXT and not field.enum else {})}
    return root


def write_mapping(folder: Path, case: Case, template: str | None = None) -> Path:
    """Write a mapping of these columns into a folder, with a template of its own."""
    text = [f"version: 1\nname: {folder.name}\nendpoint: {case.endpoint}\nkey: Key"]
    text += [f"fields: {json.dumps(_nested(case.fields, 1))}"] if case.fields else []
    text += [f"lines: {json.dumps(_nested(case.lines, 1 + len(case.fields)))}"] if case.lines else []
    if template is not None:
        text.append("template: own.json.j2")
        (folder / "own.json.j2").write_text(template, encoding="utf-8")
    file = folder / "mapping.yaml"
    file.write_text("\n".join(text) + "\n", encoding="utf-8")
    return file


def planned(file: Path, columns: int, rows: list[tuple[CellValue, ...]]) -> Plan:
    """Return the plan for rows below the headers Key, C1, C2 ..."""
    headers = ("Key", *(f"C{spot + 1}" for spot in range(columns)))
    made = tuple(Row(number=number, cells=cells) for number, cells in enumerate(rows, start=2))
    sheet = Sheet(file=file, name="Rows", header_row=1, headers=headers, rows=made)
    return make_plan(read_mapping(file), sheet, {})


def folders(place: Path) -> tuple[Path, Path]:
    """Make a folder for the mapping that is filled in, and one for the one that is rendered."""
    quick, slow = place / "quick", place / "slow"
    quick.mkdir()
    slow.mkdir()
    return quick, slow


def bundled(endpoint: str) -> str:
    """Return the template that an endpoint has where the user has none."""
    return (resources.templates() / f"{endpoint}.json.j2").read_text(encoding="utf-8")


def computing(endpoint: str) -> str:
    """Return it with each value as an expression; in an entry of a list it is left to the template."""
    return re.sub(r"{{ ((?:fields|line)\.[a-zA-Z.]+) }}", r"{{ [\1][0] }}", bundled(endpoint))


def compare_drawn(data: st.DataObject, endpoint: str, place: tuple[Path, Path], own: str | None) -> None:
    """Draw fields and rows; see that the documents of a template of one's own, or the bundled one, are as rendered."""
    whole = known(endpoint)
    named = data.draw(st.sets(st.sampled_from(range(len(whole.columns))), max_size=8), label="fields")
    fields = tuple(one for spot, one in enumerate(whole.fields) if spot in named)
    lines = tuple(one for spot, one in enumerate(whole.lines, start=len(whole.fields)) if spot in named)
    if not fields and not lines:
        return
    case = Case(endpoint, fields, lines)
    row = st.tuples(*(st.one_of(st.none(), CELLS[field.kind or Kind.TEXT]) for field in case.columns))
    keyed = st.tuples(st.sampled_from(["1", "2", "3", "x%s", '"']), row).map(lambda pair: (pair[0], *pair[1]))
    rows = data.draw(st.lists(keyed, min_size=1, max_size=8), label="rows")
    fast = planned(write_mapping(place[0], case, own), len(case.columns), rows)
    slow = write_mapping(place[1], case, COMPUTES.strip() + (own or bundled(endpoint)))
    faithful = planned(slow, len(case.columns), rows)
    assert fast.documents == faithful.documents
    assert fast.problems == faithful.problems


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_each_document_is_the_same_as_the_template_renders_it(endpoint: str, tmp_path: Path) -> None:
    """Any fields, any cells, wrong ones among them: bodies, fingerprints and problems are those of the slow way."""
    place = folders(tmp_path)

    @settings(max_examples=12, deadline=None)
    @given(st.data())
    def compare(data: st.DataObject) -> None:
        compare_drawn(data, endpoint, place, None)

    compare()


@pytest.mark.parametrize("endpoint", ["customer.create", "customerInvoice.create", "customerCreditNote.update"])
def test_each_document_is_the_same_as_a_template_that_computes_renders_it(endpoint: str, tmp_path: Path) -> None:
    """Any fields, any cells, wrong ones among them, each value as an expression."""
    place = folders(tmp_path)

    @settings(max_examples=25, deadline=None)
    @given(st.data())
    def compare(data: st.DataObject) -> None:
        compare_drawn(data, endpoint, place, computing(endpoint))

    compare()


#: Values that each kind of field takes.
RIGHT: dict[Kind, list[CellValue]] = {
    Kind.TEXT: ["a", "0101", "%s", '"', "\\", "æ\u2028😀", "a\nb", "NO", "⟦", *(f"x{n}" for n in range(9))],
    Kind.INTEGER: [Decimal(1), Decimal(0), Decimal(-7), Decimal(2**31 - 1)],
    Kind.DECIMAL: [
        Decimal(text) for text in ("1.5", "1.50", "2", "2.0", "1E+2", "0.00", "-0.5", "12345678901.25", "100")
    ],
    Kind.BOOLEAN: [True, False],
    Kind.DATE: [date(2026, 1, 2), date(1999, 12, 31), date(2024, 2, 29)],
    Kind.DATETIME: [datetime(2026, 1, 2, 3, 4, 5), datetime(2026, 1, 2, 3, 4, 5, 6000), date(2026, 1, 2)],  # noqa: DTZ001
    Kind.UUID: ["8a0b1c2d-0000-4000-8000-000000000001", "8A0B1C2D-0000-4000-8000-00000000000F"],
}
PATTERNS = {
    "^[A-Z]{2}$": ["NO", "SE"],
    "^[A-Z]{3}$": ["NOK", "SEK"],
    "^(0[1-9]|1[0-3])(19|20)[0-9]{2}$": ["012025", "132025"],
    "^(19|20)[0-9]{2}(0[1-9]|1[0-3])$": ["202501", "202513"],
}


def right_rows(endpoint: str) -> tuple[Case, list[tuple[CellValue, ...]]]:
    """Return two rows of each of 18 documents with all fields, no two alike, and their columns."""
    case = known(endpoint)
    columns = [
        list(field.enum) or PATTERNS.get(field.pattern or "") or RIGHT[field.kind or Kind.TEXT]
        for field in case.columns
    ]
    rows: list[tuple[CellValue, ...]] = [
        (
            f"{number // 2}",
            *(
                cells[(number // (2 if spot < len(case.fields) else 1) + spot) % len(cells)]
                for spot, cells in enumerate(columns)
            ),
        )
        for number in range(36)
    ]
    return case, rows


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_every_field_is_filled_in_as_it_is_rendered_whatever_right_value_it_has(endpoint: str, tmp_path: Path) -> None:
    """18 documents with all fields and two lines, no two alike; all of them valid, so that none is merely refused."""
    case, rows = right_rows(endpoint)
    quick, slow = folders(tmp_path)
    fast = planned(write_mapping(quick, case), len(case.columns), rows)
    faithful = planned(write_mapping(slow, case, COMPUTES + bundled(endpoint)), len(case.columns), rows)

    assert fast.documents == faithful.documents
    assert len(fast.documents) == 18
    assert [document.problems for document in fast.documents] == [()] * 18


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ({"note": "a"}, {"note": Decimal(5)}),
        ({"note": "a"}, {"note": True}),
        ({"exchangeRate": Decimal(1)}, {"exchangeRate": "1"}),
        ({"exchangeRate": Decimal(1)}, {"exchangeRate": True}),
        ({"currencyId": "NOK"}, {"currencyId": "nok"}),
        ({"currencyId": "NOK"}, {"currencyId": "NO"}),
        ({"documentDate": date(2026, 1, 2)}, {"documentDate": "2026-02-30"}),
        ({"postPeriod": "012025"}, {"postPeriod": "202501"}),
        ({"hold": True}, {"hold": 1}),
        ({"hold": False}, {"hold": Decimal(0)}),
        ({"salesPersonID": 1}, {"salesPersonID": True}),
        ({"salesPersonID": 1}, {"salesPersonID": Decimal("1.0")}),
        ({"salesPersonID": 1}, {"salesPersonID": 2**31}),
        ({"note": "a"}, {"note": "\x00absent\x00"}),
        ({"exchangeRate": Decimal(1)}, {"exchangeRate": Decimal("1E+5000")}),
        ({"note": "a"}, {"note": "a" * 1_000_001}),
    ],
)
def test_a_value_that_the_schema_may_refuse_is_left_to_the_template(
    right: dict[str, FieldValue], wrong: dict[str, FieldValue], tmp_path: Path
) -> None:
    """Also behind a right one of the same field, which is remembered."""
    members = dict(fields_of("customerInvoice.create"))
    lines = members.pop("invoiceLines").members or {}
    template = BodyTemplate(read_mapping(write_mapping(tmp_path, known("customerInvoice.create"))))
    filling = Filling(outline_of(template.parsed(), members, lines), "customerInvoice.create")

    assert filling.fill({(name,): value for name, value in right.items()}, []).body
    with pytest.raises(UnsureError):
        filling.fill({(name,): value for name, value in wrong.items()}, [])
    assert filling.fill({(name,): value for name, value in right.items()}, []).body


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_every_bundled_template_has_an_outline(endpoint: str, tmp_path: Path) -> None:
    """None of ours computes anything, so that all of them are filled in."""
    template = BodyTemplate(read_mapping(write_mapping(tmp_path, known(endpoint))))
    members = dict(fields_of(endpoint))
    lines = members.pop(table()[endpoint].lines or "", None)
    outline = outline_of(template.parsed(), members, (lines.members if lines else None) or {})

    assert isinstance(outline, dict)
    assert set(outline) == set(fields_of(endpoint))


OTHERS = {
    "a condition": '{"note": {"value": {% if fields.note %}{{ fields.note }}{% else %}"none"{% endif %}}}',
    "a filter": '{"note": {"value": {{ fields.note | upper }}}}',
    "the key": '{"note": {"value": {{ key }}}}',
    "a parameter": '{"note": {"value": {{ param.text }}}}',
    "the rows": '{"note": {"value": {{ rows[0].Note }}}}',
    "a text put together": '{"note": {"value": {{ fields.note ~ "!" }}}}',
    "a constant in braces": '{"note": {"value": {{ "a text" }}}}',
    "a name": '{ {{ fields.note }}: {"value": 1}}',
    "a misspelt field": '{"note": {"value": {{ fields.nott }}}}',
    "a whole group": '{"billingAddress": {"value": {{ fields.billingAddress }}}}',
    "a whole list": '{"taxDetailLines": {{ fields.taxDetailLines }}}',
    "an include": '{% include "other.j2" %}',
    "a variable": '{% set note = fields.note %}{"note": {"value": {{ note }}}}',
    "a loop without commas": (
        '{"invoiceLines": [{% for line in lines %}{"note": {"value": {{ line.note }}}}{% endfor %}]}'
    ),
    "a loop with a condition": (
        '{"invoiceLines": [{% for line in lines if line.note %}{"note": {"value": {{ line.note }}}}'
        "{% if not loop.last %},{% endif %}{% endfor %}]}"
    ),
    "commas in front": (
        '{"invoiceLines": [{% for line in lines %}{% if not loop.first %},{% endif %}'
        '{"note": {"value": {{ line.note }}}}{% endfor %}]}'
    ),
    "a number of the loop": (
        '{"invoiceLines": [{% for line in lines %}{"note": {"value": {{ loop.index }}}}'
        "{% if not loop.last %},{% endif %}{% endfor %}]}"
    ),
    "lines within lines": (
        '{"invoiceLines": [{% for one in lines %}{"subaccount": [{% for line in lines %}{"segmentValue": '
        "{{ line.note }}}{% if not loop.last %},{% endif %}{% endfor %}]}{% if not loop.last %},{% endif %}"
        "{% endfor %}]}"
    ),
    "a loop beside an entry": (
        '{"invoiceLines": [{"note": {"value": "first"}}, {% for line in lines %}{"note": {"value": {{ line.note }}}}'
        "{% if not loop.last %},{% endif %}{% endfor %}]}"
    ),
    "no JSON": '{"note": {"value": {{ fields.note }}}',
    "a name twice": '{"note": {"value": {{ fields.note }}}, "note": {"value": {{ fields.note }}}}',
    "no object": '[{"note": {"value": {{ fields.note }}}}]',
    "a value in a text": '{"note": {"value": "{{ fields.note }}"}}',
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_template_that_does_more_than_place_values_has_no_outline(name: str, tmp_path: Path) -> None:
    """It is rendered for every document, as it was written to be."""
    case = Case("customerInvoice.create", (("note", fields_of("customerInvoice.create")["note"]),), ())
    members = dict(fields_of("customerInvoice.create"))
    lines = members.pop("invoiceLines").members or {}
    template = BodyTemplate(read_mapping(write_mapping(tmp_path, case, OTHERS[name])))

    with pytest.raises(NotPlainError):
        outline_of(template.parsed(), members, lines)


PLAIN = {
    "constants": '{"hold": {"value": true}, "note": {"value": {{ fields.note }}}, "exchangeRate": {"value": 1.50}}',
    "a field twice": '{"note": {"value": {{ fields.note }}}, "invoiceText": {"value": {{ fields.note }}}}',
    "a constant in each line": (
        '{"invoiceLines": [{% for line in lines %}{"operation": "Insert", "note": {"value": {{ line.note }}}, '
        '"quantity": {"value": 1}}{% if not loop.last %}, {% endif %}\n{% endfor %}]}'
    ),
    "a field of the document in each line": (
        '{"invoiceLines": [{% for line in lines %}{"note": {"value": {{ fields.note }}}}'
        "{% if not loop.last %},{% endif %}{% endfor %}]}"
    ),
    "two loops over the lines": (
        '{"invoiceLines": [{% for line in lines %}{"note": {"value": {{ line.note }}}}'
        '{% if not loop.last %},{% endif %}{% endfor %}], "taxDetailLines": [{% for tax in lines %}'
        '{"taxId": {"value": {{ tax.note }}}}{% if not loop.last %},{% endif %}{% endfor %}]}'
    ),
    "a name that the API does not know": '{"nott": {"value": {{ fields.note }}}}',
    "a value that is not wrapped": '{"note": {{ fields.note }}}',
    "a number where a text belongs": '{"note": {"value": {{ fields.exchangeRate }}}}',
    "a constant of another type": '{"note": {"value": 5}}',
    "a list of constants": '{"invoiceLines": [{"note": {"value": "a"}}, {"note": {"value": {{ fields.note }}}}]}',
    "nothing": "{}",
}


def noted() -> tuple[Case, list[tuple[CellValue, ...]]]:
    """Return invoices with a note, a rate, and lines with a note; some are blank, and some are alike."""
    members = fields_of("customerInvoice.create")
    line = (members["invoiceLines"].members or {})["note"]
    case = Case(
        "customerInvoice.create",
        (("note", members["note"]), ("exchangeRate", members["exchangeRate"])),
        (("note", line),),
    )
    return case, [
        ("1", "a", Decimal("1.50"), "b"),
        ("1", "a", Decimal("1.50"), "%s"),
        ("2", None, Decimal(3), "b"),
        ("3", "a", None, None),
        ("4", None, None, None),
        ("5", "a", Decimal("2.5"), "b"),
        ("6", "a", Decimal("2.50"), "b"),
        *(("7", "æ", Decimal(2), text) for text in ("x", "x", "y", None, "Z")),
        ("8", "a", Decimal("1E+2"), "b"),
    ]


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_template_of_the_users_own_gives_the_same_either_way(name: str, tmp_path: Path) -> None:
    """Also where its bodies are refused: each problem is the one that rendering gives."""
    case, rows = noted()
    quick, slow = folders(tmp_path)
    fast = planned(write_mapping(quick, case, PLAIN[name]), 3, rows)
    faithful = planned(write_mapping(slow, case, COMPUTES + PLAIN[name]), 3, rows)

    assert fast.documents == faithful.documents
    assert fast.problems == faithful.problems


_LINE = '{{"invoiceLines": [{{% for line in lines %}}{}{{% if not loop.last %}},{{% endif %}}{{% endfor %}}]}}'
COMPUTING = {
    "a filter": '{"note": {"value": {{ fields.note | upper }}}}',
    "the key": '{"note": {"value": {{ key }}}, "invoiceText": {"value": {{ fields.note }}}}',
    "a parameter": '{"note": {"value": {{ param.text }}}}',
    "the rows": '{"note": {"value": {{ rows[0].C1 }}}, "exchangeRate": {"value": {{ rows[-1].C2 }}}}',
    "a text put together": '{"note": {"value": {{ fields.note ~ "!" }}}}',
    "a text that computes what stands for no value": '{"note": {"value": {{ "\\x00absent" ~ "\\x00" }}}}',
    "marks of texts": '{"note": {"value": {{ "%s \\" {} ⟦1⟧ \\x01 " ~ fields.note }}}}',
    "a constant in braces": '{"note": {"value": {{ "a text" }}}}',
    "a misspelt field": '{"note": {"value": {{ fields.nott }}}}',
    "what is not there": '{"note": {"value": {{ absent }}}, "hold": {"value": {{ fields.note == "a" }}}}',
    "a choice": '{"note": {"value": {{ fields.note if fields.exchangeRate else absent }}}}',
    "what is there for none": '{"note": {"value": {{ none }}}}',
    "a number": '{"exchangeRate": {"value": {{ fields.exchangeRate * 3 }}}}',
    "a number with its zeros": '{"exchangeRate": {"value": {{ 1.50 * fields.exchangeRate }}}}',
    "a division": '{"exchangeRate": {"value": {{ 1 / (fields.exchangeRate - 3) }}}}',
    "a rounded number": '{"exchangeRate": {"value": {{ (fields.exchangeRate / 3) | round(2) }}}}',
    "a number where a text belongs": '{"note": {"value": {{ 5 }}}}',
    "a text that is too long by one": '{"currencyId": {"value": {{ "NOK" ~ (fields.note or "") }}}}',
    "a list": '{"taxDetailLines": {{ [] }}, "note": {"value": {{ key }}}}',
    "an object": '{"note": {{ {"value": key} }}}',
    "a sum of the lines": '{"note": {"value": {{ lines | map(attribute="note") | select("string") | join("; ") }}}}',
    "how many lines": '{"note": {"value": {{ lines | length ~ "" }}}, "hold": {"value": {{ lines | length > 1 }}}}',
    "the number of a line": _LINE.format('{"note": {"value": {{ loop.index ~ "" }}}}'),
    "a field of the document in a line": _LINE.format('{"note": {"value": {{ fields.note }}}}'),
    "a line that is sometimes blank": _LINE.format('{"note": {"value": {{ line.note if loop.first else absent }}}}'),
    "the line before": _LINE.format(
        '{"operation": {{ line.operation }}, "note": {"value": {{ loop.previtem.note if not loop.first else key }}}}'
    ),
    "what changed": _LINE.format(
        '{"note": {"value": {{ "new" if loop.changed(line.note) else "old" }}}, '
        '"description": {"value": {{ "new" if loop.changed(line.note) else "old" }}}}'
    ),
    "another name of a line": (
        '{"note": {"value": {{ key ~ key }}}, "invoiceLines": [{% for one in lines %}{"note": {"value": '
        "{{ one.note | lower }}}}{% if not loop.last %},{% endif %}{% endfor %}]}"
    ),
    "a list within a line": _LINE.format(
        '{"subaccount": [{% for part in line.subaccount %}{"segmentValue": {{ part.segmentValue ~ "" }}}'
        "{% if not loop.last %},{% endif %}{% endfor %}]}"
    ),
    "no end": '{"note": {"value": {{ range(100000) | join }}}}',
}
#: Those of which nothing is left to the template, for documents that are right.
LEFT_TO_THE_TEMPLATE = {"an object", "a list", "a list within a line"}


@pytest.mark.parametrize("name", COMPUTING)
def test_what_a_template_computes_is_filled_in_as_it_is_rendered(name: str, tmp_path: Path) -> None:
    """Bodies, fingerprints and problems are those of the slow way; what fails for one row fails for no other."""
    case, rows = noted()
    quick, slow = folders(tmp_path)
    fast = planned(write_mapping(quick, case, COMPUTING[name]), 3, rows)
    # the line of what fails is told
    faithful = planned(write_mapping(slow, case, COMPUTES.strip() + COMPUTING[name]), 3, rows)

    assert fast.documents == faithful.documents
    assert fast.problems == faithful.problems


@pytest.mark.parametrize("name", sorted(COMPUTING.keys() - LEFT_TO_THE_TEMPLATE))
def test_expressions_are_told_from_what_stands_around_them(name: str, tmp_path: Path) -> None:
    """Each is computed by itself, in the place where it stands."""
    case = Case("customerInvoice.create", (("note", fields_of("customerInvoice.create")["note"]),), ())
    members = dict(fields_of("customerInvoice.create"))
    lines = members.pop("invoiceLines").members or {}
    template = BodyTemplate(read_mapping(write_mapping(tmp_path, case, COMPUTING[name])))
    computed = Computed()

    assert isinstance(outline_of(template.parsed(), members, lines, computed), dict)
    assert computed.document or computed.lines


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_any_value_may_be_computed(endpoint: str, tmp_path: Path) -> None:
    """Each field as an expression of itself: 18 documents, no two alike, are those of the slow way."""
    case, rows = right_rows(endpoint)
    quick, slow = folders(tmp_path)
    fast = planned(write_mapping(quick, case, computing(endpoint)), len(case.columns), rows)
    faithful = planned(write_mapping(slow, case, COMPUTES + computing(endpoint)), len(case.columns), rows)

    assert computing(endpoint) != bundled(endpoint)
    assert fast.documents == faithful.documents
    assert [document.problems for document in fast.documents] == [()] * 18


@pytest.mark.parametrize(
    "own",
    [None, bundled("customerInvoice.create").replace("line.uom", "line.quantity ~ key")],
    ids=["plain", "computing"],
)
def test_filling_in_takes_a_fraction_of_the_time_that_rendering_takes(own: str | None, tmp_path: Path) -> None:
    """400 invoices of two lines, in one run: the same documents in a third of the time, or two where it computes."""
    whole = known("customerInvoice.create")
    names = {"externalReference", "customerNumber", "documentDate", "description", "quantity", "unitPriceInCurrency"}
    case = Case(
        whole.endpoint,
        tuple(one for one in whole.fields if one[0] in names),
        tuple(one for one in whole.lines if one[0] in names),
    )
    sample: dict[Kind | None, CellValue] = {
        Kind.TEXT: "Kaffe",
        Kind.DATE: date(2026, 1, 2),
        Kind.DECIMAL: Decimal("2.5"),
    }
    cells = [sample[field.kind] for field in case.columns]
    rows: list[tuple[CellValue, ...]] = [(f"{number // 2}", *cells) for number in range(800)]
    quick, slow = folders(tmp_path)
    files = write_mapping(quick, case, own), write_mapping(slow, case, COMPUTES + (own or bundled(whole.endpoint)))
    plans, seconds = [], []
    for file in files:
        began = time.process_time()
        plans.append(planned(file, len(cells), rows))
        seconds.append(time.process_time() - began)

    print(f"measured: {'computed and ' if own else ''}filled in {seconds[0] / seconds[1]:.2f} x the time of rendering")
    assert plans[0].documents == plans[1].documents
    assert len(plans[0].documents) == 400
    assert seconds[0] < seconds[1] * (2 if own else 1) / 3
