"""YAML is read as text with positions: nothing is guessed, and each mistake is told with line, column and caret."""

import re
import textwrap
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from importer.errors import MappingError
from importer.mapping import Mapping
from importer.mapping_file import read_mapping
from importer.yamlfile import load

TYPED = ("NO", "no", "0101", "012025", "1_000", "12:30", "on", "2025-01-27", "~", "null", "yes", "1e3", "0x1F", ".5")
HEAD = "version: 1\nendpoint: customer.create\nkey: No\n"

Read = Callable[[str | bytes], Mapping]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return a function that reads the text of a mapping through a real file called m.yaml."""

    def read_text(text: str | bytes) -> Mapping:
        file = tmp_path / "m.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_mapping(file, "m.yaml")

    return read_text


def refused(read: Read, text: str | bytes) -> list[str]:
    """Return each fault of a mapping as it is shown, one text a fault."""
    with pytest.raises(MappingError) as caught:
        read(text)
    assert caught.value.exit_code == 3
    assert str(caught.value) == "\n".join(map(str, caught.value.errors))
    return [str(fault) for fault in caught.value.errors]


def pointed(fault: str) -> tuple[int, int, str]:
    """Return line and column of a fault, and the quoted line from where its caret stands."""
    head, quoted, caret = fault.splitlines()[:3]
    match = re.match(r"m\.yaml:(\d+):(\d+): ", head)
    assert match, fault
    assert caret.endswith("^"), fault
    assert quoted.startswith(f"{int(match[1]):5d} | ")
    assert len(caret) - len("      | ") == int(match[2])
    return int(match[1]), int(match[2]), quoted[len(caret) - 1 :]


# -- text stays text -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", TYPED)
def test_a_plain_scalar_stays_the_text_that_was_typed(read: Read, typed: str) -> None:
    """As the value of a text field, as a header, as a code and as the key, a scalar is what stands in the file."""
    text = f"""\
        version: 1
        endpoint: customer.create
        key: {typed}
        parameters: {{{typed}: {{type: text, default: {typed}}}}}
        fields:
          name: {typed}
          corporateId: {{value: {typed}}}
          accountReference: {{column: {typed}, default: {typed}, map: {{{typed}: {typed}}}}}
        """
    mapping = read(textwrap.dedent(text))
    name, corporate, reference = mapping.fields

    assert mapping.key.column == typed
    assert mapping.parameters[typed].default == typed
    assert name.column == typed
    assert corporate.constant == typed
    assert (reference.column, reference.default) == (typed, typed)
    assert reference.options.codes == {typed: typed}


def test_a_number_of_a_text_field_keeps_its_spelling(read: Read) -> None:
    """`{value: 1.10}` for a text field is the text 1.10, and `sheet: 2025` and `key: 2024` are names."""
    text = f"{HEAD}workbook: {{sheet: 2025}}\nfields:\n  name: {{value: 1.10}}\n".replace("key: No", "key: 2024")
    mapping = read(text)

    assert mapping.fields[0].constant == "1.10"
    assert mapping.workbook.sheet == "2025"
    assert mapping.key.column == "2024"


def test_a_number_or_a_boolean_is_taken_where_the_schema_wants_one(read: Read) -> None:
    """`header_row: 1`, `required: true`, `pad: 5` and constants of number and boolean fields are read as such."""
    text = f"""{HEAD}workbook: {{header_row: 3}}
fields:
  name: {{column: N, required: true}}
  accountReference: {{column: A, required: false, pad: 5}}
  creditLimit: {{value: 1.50}}
  numberOfEmployees: {{value: 12}}
  printInvoices: {{value: true}}
"""
    mapping = read(text)
    name, reference, limit, employees, printed = mapping.fields

    assert mapping.workbook.header_row == 3
    assert (name.required, reference.required) == (True, False)
    assert reference.options.pad == 5
    assert str(limit.constant) == "1.50"
    assert isinstance(limit.constant, Decimal)
    assert (employees.constant, printed.constant) == (12, True)


def test_a_whole_number_with_a_sign_is_that_number(read: Read) -> None:
    """`+3` is 3 wherever the schema wants a whole number, never the default."""
    text = f"""{HEAD}workbook: {{header_row: +3}}
fields:
  accountReference: {{column: A, pad: +5}}
  creditLimit: {{column: B, decimals: +0}}
"""
    mapping = read(text)
    reference, limit = mapping.fields

    assert mapping.workbook.header_row == 3
    assert (reference.options.pad, limit.options.decimals) == (5, 0)


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ('workbook: {header_row: "1"}', '"1"'),
        ("workbook: {header_row: 1_0}", "1_0"),
        ("workbook: {header_row: 0}", "0}"),
        ("workbook: {header_row: 1.5}", "1.5"),
        ('fields: {name: {column: N, required: "true"}}', '"true"'),
        ("fields: {name: {column: N, required: yes}}", "yes"),
        ("fields: {name: {column: N, required: on}}", "on"),
        ('fields: {accountReference: {column: A, pad: "5"}}', '"5"'),
        ("fields: {creditLimit: {value: 1_000}}", "1_000"),
        ("fields: {creditLimit: {value: '1,5'}}", "'1,5'"),
        ("fields: {creditLimit: {value: 1e3}}", "1e3"),
        ("fields: {numberOfEmployees: {value: 1.5}}", "1.5"),
        ("fields: {numberOfEmployees: {value: 3000000000}}", "3000000000"),
        ("fields: {printInvoices: {value: NO}}", "NO"),
        ("fields: {currencyId: {value: nok}}", "nok"),
        ("fields: {status: {value: Activ}}", "Activ"),
        ("fields: {directDebitLines: [{dateOfSignature: {value: 2025-02-30}}]}", "2025-02-30"),
    ],
)
def test_a_value_of_another_type_is_refused_where_it_stands(read: Read, line: str, at: str) -> None:
    """What the schema or the field does not take is told once, with the caret under its first character."""
    (fault,) = refused(read, f"{HEAD}{line}\n")

    assert pointed(fault) == (4, line.index(at) + 1, line[line.index(at) :])


# -- keys ----------------------------------------------------------------------------------------------------------


def test_a_key_that_stands_twice_names_both_lines(read: Read) -> None:
    """Of two equal keys neither wins: the message names the second's place and the first's line."""
    text = f'{HEAD}fields:\n  name: A\n  corporateId: B\n  "name": C\n'
    (fault,) = refused(read, text)

    assert pointed(fault) == (7, 3, '"name": C')
    assert "'name'" in fault
    assert "the first is on line 5" in fault


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("field:\n  name: A\n", (4, 1, "field:"), "Did you mean 'fields'?"),
        ("fields:\n  nam: A\n", (5, 3, "nam: A"), "Did you mean 'name'?"),
        ("fields:\n  mainAddress: {cty: A}\n", (5, 17, "cty: A}"), "Did you mean 'city'?"),
        ("fields:\n  name: {colum: A}\n", (5, 10, "colum: A}"), "Did you mean 'column'?"),
        ("fields:\n  attributeLines: [{atributeId: A}]\n", (5, 21, "atributeId: A}]"), "Did you mean 'attributeId'?"),
        ("workbook:\n  header-row: 1\n", (5, 3, "header-row: 1"), "Did you mean 'header_row'?"),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest_word(
    read: Read, text: str, place: tuple[int, int, str], hint: str
) -> None:
    """A key that nobody knows is refused at its own place, at every depth, with a suggestion."""
    faults = refused(read, HEAD + text)

    assert [hint in fault for fault in faults if pointed(fault) == place] == [True]


@pytest.mark.parametrize(
    ("key", "hint"),
    [("endpoint: customerInvoice.crate", "customerInvoice.create"), ("endpoint: customer.creat", "customer.create")],
)
def test_an_unknown_endpoint_is_told_with_the_nearest(read: Read, key: str, hint: str) -> None:
    """An endpoint that is not in the table is refused with the one that was meant."""
    (fault,) = refused(read, f"version: 1\n{key}\nkey: No\n")

    assert pointed(fault) == (2, 11, key[10:])
    assert hint in fault


@pytest.mark.parametrize(
    ("text", "place"),
    [("? [a, b]\n: c\n", (4, 3, "[a, b]")), ("fields:\n  ? {a: b}\n  : c\n", (5, 5, "{a: b}"))],
)
def test_a_list_or_a_group_is_no_key(read: Read, text: str, place: tuple[int, int, str]) -> None:
    """A key is a text."""
    (fault,) = refused(read, HEAD + text)

    assert pointed(fault) == place


# -- hostile and broken files --------------------------------------------------------------------------------------


def bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    return "\n".join(lines) + "\n"


def many_aliases() -> str:
    return "a: &a x\nb: [" + ", ".join(["*a"] * 500) + "]\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (bomb(), "aliases"),
        (many_aliases(), "more than 200 aliases"),
        ("a: " + "[" * 3000, "nested deeper"),
        ("a: " + "[" * 3000 + "]" * 3000, "nested deeper"),
        ("".join(" " * n + f"k{n}:\n" for n in range(600)), "nested deeper"),
        ("a: &a [1, *a]\n", "aliases"),
        ("a: &a {b: *a}\n", "aliases"),
        ("a: !!python/object/apply:os.system ['exit 9']\n", "Tags"),
        ("a: !!python/object:importer.model.Fault {}\n", "Tags"),
        ("a: !!binary aGk=\n", "Tags"),
        ("a: !local b\n", "Tags"),
        ("a: 1\n---\na: 2\n", "second document"),
        ("\tversion: 1\n", "tabs"),
        ("fields:\n\tname: A\n", "tabs"),
        ("name: A: B\n", "quotes"),
        ("where: {{ row['A'] }}\n", ""),
        ("where: %x\n", "special character"),
        ("where: *x\n", "special character"),
        ("name: 'A\n", ""),
        ("name: [A\n", ""),
        ("name: \x00\n", "not allowed in YAML"),
        ("name: \x07\n", "not allowed in YAML"),
        ("%YAML 9.9\n---\na: b\n", ""),
    ],
)
def test_a_hostile_or_broken_file_is_refused_at_once_at_its_place(read: Read, text: str, words: str) -> None:
    """What is not one plain document within bounds is one clear fault with its place, and costs no time."""
    started = time.monotonic()
    faults = refused(read, text)

    assert time.monotonic() - started < 5
    line, column, rest = pointed(faults[0])
    assert 1 <= line <= text.count("\n") + 1
    assert column >= 1
    assert "\n" not in rest
    assert words in faults[0]


@pytest.mark.parametrize("raw", [b"", b"# only a comment\n", b"---\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_told(read: Read, raw: bytes) -> None:
    """A file without anything in it is not a mapping."""
    (fault,) = refused(read, raw)

    assert fault.startswith("m.yaml:")
    assert "empty" in fault or "must be a group" in fault


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """A mapping that is not there is named."""
    with pytest.raises(MappingError, match=r"nowhere\.yaml: The file cannot be read: no such file"):
        read_mapping(tmp_path / "nowhere.yaml")


def test_a_folder_is_no_mapping(tmp_path: Path) -> None:
    """A folder in place of the file is told as what it is."""
    with pytest.raises(MappingError, match="is a directory"):
        read_mapping(tmp_path)


def test_a_file_over_a_megabyte_is_refused(read: Read) -> None:
    """A mapping is small; what is larger than 1 MB is not read."""
    (fault,) = refused(read, HEAD + "# " + "x" * 1_000_000)

    assert "larger than 1,000,000 bytes" in fault


@pytest.mark.parametrize("raw", ["navn: Blåbær".encode("latin-1"), "navn: å".encode("utf-16"), b"\x80"])
def test_a_file_that_is_not_utf8_is_told_with_its_line(read: Read, raw: bytes) -> None:
    """The fault names the line of the first byte that is not UTF-8, and what to do."""
    (fault,) = refused(read, b"version: 1\n" + raw)

    assert fault.startswith("m.yaml:2:")
    assert "UTF-8" in fault


def test_a_byte_order_mark_and_windows_lines_are_no_trouble(read: Read) -> None:
    """A file as Windows editors save it is read, and its marks are right."""
    text = f"{HEAD}fields:\n  name: Blåbær\n"
    mapping = read(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())

    assert mapping.fields[0].column == "Blåbær"
    (fault,) = refused(read, b"\xef\xbb\xbfversjon: 1\r\nendpoint: customer.create\r\nkey: No\r\nversion: 1\r\n")
    assert pointed(fault) == (1, 1, "versjon: 1")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("fields: {name: {document: a}}", "'fields.name': 'document' does nothing without 'key'."),
        ("fields: {name: {column: A, key: B}}", "'fields.name': 'key' does nothing without 'document'."),
        ("fields: {name: {column: A, earlier: true}}", "'fields.name': 'earlier' does nothing without 'document'."),
        ("totals: [{sum: A, expect: 'x{{ 1 }}'}]", "This must be one {{ expression }} that is a number."),
        ("where: 'x{{ 1 }}'", "This must be one {{ expression }} that is true or false."),
    ],
)
def test_what_cannot_stand_so_is_told_in_the_words_of_the_file(read: Read, line: str, said: str) -> None:
    """Never in those of JSON Schema, and with what is wanted at that place."""
    (fault,) = refused(read, f"{HEAD}{line}\n")

    assert said in fault


def test_a_format_that_is_none_is_told_with_those_that_are(read: Read) -> None:
    """A period has two of its own beside those of dates."""
    text = "version: 1\nendpoint: customerInvoice.create\nkey: No\nfields: {period: {column: A, format: MMYYYY}}\n"
    (fault,) = refused(read, text)

    assert "'fields.period.format': 'MMYYYY' is not allowed here.\n" in fault
    assert "mmyyyy where the cell holds 012025" in fault


@pytest.mark.parametrize("twin", ['"A "', '"\\u00a0A"', '" A"'])
def test_two_codes_that_no_cell_tells_apart_are_refused(read: Read, twin: str) -> None:
    """White space around a cell is removed, so that of two such codes one would be lost in silence."""
    line = f"fields: {{name: {{column: N, map: {{A: one, {twin}: two}}}}}}"
    (fault,) = refused(read, f"{HEAD}{line}\n")

    assert pointed(fault) == (4, line.index(twin) + 1, line[line.index(twin) :])
    assert "'A'" in fault
    assert "Keep one of the two." in fault


@pytest.mark.parametrize(
    ("line", "empty"),
    [
        ("workbook: {file: }", 'workbook: {file: ""}'),
        ("workbook: {hidden_rows: }", None),
        ("parameters: {x: {type: text, default: }}", 'parameters: {x: {type: text, default: ""}}'),
        ("fields: {name: {value: }}", 'fields: {name: {value: ""}}'),
        ("fields: {name: {column: A, default: }}", 'fields: {name: {column: A, default: ""}}'),
        ("fields: {name: {column: A, map: {x: }}}", 'fields: {name: {column: A, map: {x: ""}}}'),
        ("name:", None),
        ("where:", None),
        ("version:", None),
    ],
)
def test_what_was_left_blank_is_told_once_and_never_taken_for_an_empty_text(
    read: Read, line: str, empty: str | None
) -> None:
    """An empty text is typed with quotes; where nothing stands a line was begun and not finished."""
    head = HEAD.removeprefix("version: 1\n") if line == "version:" else HEAD
    (fault,) = refused(read, f"{head}{line}\n")

    assert pointed(fault)[0] == head.count("\n") + 1
    assert "has no value." in fault or "found nothing." in fault
    assert empty is None or read(f"{HEAD}{empty}\n")


# -- all at once -----------------------------------------------------------------------------------------------------


def test_all_mistakes_of_a_file_are_told_at_once_in_its_order(read: Read) -> None:
    """Schema, dates, patterns, templates, parameters and headers: one pass tells them all, from top to bottom."""
    text = f"""{HEAD}workbook: {{locale: xx-YY, header_row: "1"}}
where: "{{{{ row['A'"
fields:
  nam: A
  name: {{column: A, value: B}}
  corporateId: {{column: A, pattern: "["}}
  accountReference: {{column: A, format: dd.mm.yy}}
  creditLimit: {{column: A, round: half_up}}
  gln: {{template: "{{{{ param.x }}}}"}}
  vatZoneId:
totals:
  - {{sum: A, expect: "12,50"}}
"""
    faults = refused(read, text)
    lines = [pointed(fault)[0] for fault in faults]

    assert lines == sorted(lines)
    assert sorted(set(lines)) == [4, 5, 7, 8, 9, 10, 11, 12, 13, 15]
    assert lines.count(4) == 2


@pytest.mark.parametrize("fields", ["fields:\n", "fields: {}\n", ""])
def test_fields_may_be_left_out_or_empty_or_told(read: Read, fields: str) -> None:
    """`fields` without anything below is either no fields or one clear fault, never a crash."""
    try:
        mapping = read(HEAD + fields)
    except MappingError as error:
        (fault,) = error.errors
        assert fields == "fields:\n"
        assert pointed(str(fault))[0] == 4
    else:
        assert mapping.fields == ()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("fields:\n  name:\n", 5),
        ("fields:\n  name: {column: }\n", 5),
        ("fields:\n  name: {value: }\n", 5),
        ("fields:\n  name: {template: }\n", 5),
        ("fields:\n  name: {column: A, pattern: }\n", 5),
        ("fields:\n  name: {}\n", 5),
        ("fields:\n  name: []\n", 5),
        ("fields:\n  mainAddress: A\n", 5),
        ("fields:\n  attributeLines: {attributeId: A}\n", 5),
        ("fields:\n  attributeLines: []\n", 5),
        ("fields:\n  - name\n", 5),
        ("fields: name\n", 4),
        ("workbook: Rows\n", 4),
        ("totals: {sum: A}\n", 4),
    ],
)
def test_an_empty_or_misplaced_value_is_told_on_its_line(read: Read, text: str, line: int) -> None:
    """A field without a value, or a value of the wrong shape, is one fault on the line where it stands."""
    faults = refused(read, HEAD + text)

    assert [pointed(fault)[0] for fault in faults] == [line]


@pytest.mark.parametrize("text", ["- a\n", "text\n", "12\n", "[]\n", "{}\n"])
def test_a_file_that_is_no_mapping_at_all_is_told(read: Read, text: str) -> None:
    """A list, a text or nothing in place of keys is told, not a crash."""
    faults = refused(read, text)

    assert all(fault.startswith("m.yaml:1:1: ") for fault in faults)
    assert faults


def test_a_caret_stands_right_after_a_tab_and_letters_of_any_script(tmp_path: Path) -> None:
    """A tab in the quoted line is repeated above the caret, so that it stands under its place on any screen."""
    file = tmp_path / "m.yaml"
    file.write_text('"æøå": "🙂\tå" here\n', encoding="utf-8")
    with pytest.raises(MappingError) as caught:
        load(file, "m.yaml")
    _, quoted, caret = str(caught.value).splitlines()[:3]

    assert quoted[len(caret) - 1 :] == "here"
    assert caret == "      | " + " " * 9 + "\t" + " " * 3 + "^"


def test_lines_of_an_endpoint_without_lines_are_told(read: Read) -> None:
    """A customer has no lines: the mapping that gives some is told so at `lines`."""
    (fault,) = refused(read, f"{HEAD}lines:\n  description: A\n")

    assert pointed(fault) == (4, 1, "lines:")
    assert "'lines' has no use with this endpoint" in fault
