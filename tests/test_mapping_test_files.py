"""A file of tests is found, read strictly and explained to editors; what is wrong with it is told with its place."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from end_to_end import MAPPING, ROOT, SAMPLES
from jsonschema import Draft7Validator
from mapping_cases import BODY, good, outcome, run

SCHEMAS = {
    name: json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))
    for name in ("test", "test-results")
}
PERIOD = MAPPING.replace("key:", "parameters: {period: {type: date, required: true}, text: {type: text}}\nkey:")


# -- which files ---------------------------------------------------------------------------------------------------


def write(folder: Path, **files: str) -> None:
    """Write files; `__` in a name is a dot, and a file of tests is found by it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name.replace('__', '.')}.yaml").write_text(text, encoding="utf-8")


def test_tests_are_found_below_a_folder_and_hidden_folders_left_alone(tmp_path: Path) -> None:
    """Also those deep below; what other programs keep there is nobody's mapping."""
    write(tmp_path / "a" / "deep", invoices=MAPPING, invoices__test=good())
    write(tmp_path / "b", mapping=MAPPING, mapping__test=good())
    for folder in (".venv", "node_modules"):
        write(tmp_path / folder, mapping=MAPPING, mapping__test="broken: [")

    found = outcome(tmp_path)
    assert [file["file"] for file in found.data["files"]] == [
        str(Path("a", "deep", "invoices.test.yaml")),
        str(Path("b", "mapping.test.yaml")),
    ]
    assert [file["file"] for file in outcome(tmp_path, "b", "b").data["files"]] == [str(Path("b", "mapping.test.yaml"))]


def test_a_test_is_about_the_mapping_of_its_name_or_the_only_one_or_the_one_it_names(tmp_path: Path) -> None:
    """And among several of other names it must say which; the message lists them."""
    write(tmp_path / "named", invoices=MAPPING, other=MAPPING, invoices__test=good(), targets="test: {}")
    write(tmp_path / "only", invoices=MAPPING, targets="test: {}", dearest__test=good())
    write(tmp_path / "says", a=MAPPING, b=MAPPING, it__test=good().replace("tests:", "mapping: b.yaml\ntests:"))
    write(tmp_path / "several", a=MAPPING, b=MAPPING, it__test=good())
    write(tmp_path / "none", it__test=good())
    write(tmp_path / "gone", a=MAPPING, it__test=good().replace("tests:", "mapping: c.yaml\ntests:"))

    about = [
        Path(file["mapping"]).name
        for name in ("named", "only", "says")
        for file in outcome(tmp_path / name).data["files"]
    ]
    assert about == ["invoices.yaml", "invoices.yaml", "b.yaml"]
    several, none, gone = (outcome(tmp_path / name) for name in ("several", "none", "gone"))
    assert {several.code, none.code, gone.code} == {3}
    assert several.error["message"].endswith("2 other mappings stand beside this file: a.yaml, b.yaml.")
    assert several.error["hint"] == "Say which: mapping: FILE.yaml"
    assert "no other mapping beside this file" in none.error["message"]
    assert (gone.error["line"], gone.error["message"][:27]) == (2, "There is no mapping 'c.yaml")


def test_a_mapping_stands_for_the_tests_about_it(tmp_path: Path) -> None:
    """Named as for any other command, it runs its own and leaves those of its neighbours."""
    other = good(name="another").replace("tests:", "mapping: a.yaml\ntests:")
    write(tmp_path, a=MAPPING, b=MAPPING, c=MAPPING, a__test=good(), b__test=good(), more__test=other)

    assert [file["file"] for file in outcome(tmp_path, "a.yaml").data["files"]] == ["a.test.yaml", "more.test.yaml"]
    found = outcome(tmp_path, "c.yaml")
    assert (found.code, found.error["file"]) == (3, "c.yaml")
    assert "no test of this mapping beside it, such as c.test.yaml" in found.error["message"]


def test_no_test_at_all_is_not_a_success(tmp_path: Path) -> None:
    """A folder without tests and a file that is not there end with 3 and say what to do."""
    for place in (".", "nowhere.test.yaml"):
        found = outcome(tmp_path, place)
        assert found.code == 3
        assert (found.data["files"], found.error["file"]) == ([], place)
    assert "Write one; README shows how under 'Tests of mappings'." in outcome(tmp_path).said


def test_one_file_that_cannot_be_read_does_not_keep_the_others_from_running(tmp_path: Path) -> None:
    """It decides the exit code all the same."""
    write(tmp_path, a=MAPPING, b=MAPPING.replace("lines:", "lnies:"), a__test=good(), b__test=good())

    found = outcome(tmp_path)
    assert (found.code, found.data["passed"]) == (3, 1)
    assert (found.error["file"], found.error["line"], found.error["hint"]) == ("b.yaml", 10, "Did you mean 'lines'?")
    assert "b.yaml:10:1: 'lnies' is not known at the top of the file." in found.said


def test_a_body_template_that_is_broken_is_told_with_its_line(tmp_path: Path) -> None:
    """By the tests, and by reading the mapping alone."""
    write(tmp_path, a=MAPPING.replace("key:", "template: own.json.j2\nkey:"), a__test=good())
    (tmp_path / "own.json.j2").write_text('{\n  "note": {{ fields.note \n}\n', encoding="utf-8")

    for found in (outcome(tmp_path), outcome(tmp_path, "--mappings", "a.yaml")):
        assert (found.code, found.error["file"], found.error["line"]) == (3, "own.json.j2", 3)


def test_mappings_are_read_without_tests_and_without_workbooks(tmp_path: Path) -> None:
    """Told by name, by text or by a test beside them, also where they are broken; other YAML is passed over."""
    foreign = {"targets": "test: {}", "pipeline": "jobs: !reference [a]\n", "compose": "a: 1\n---\nb: 2\n"}
    write(tmp_path, **foreign, good=MAPPING, mapping="version: 1\nendpont: customer.create\n", half="endpoint: [\n")
    write(tmp_path, tried="kye: A\n", tried__test=good())

    found = outcome(tmp_path, "--mappings", *sorted(file.name for file in tmp_path.iterdir()))
    assert (found.code, found.data["mappings"]) == (3, ["good.yaml"])
    assert {error["file"] for error in found.data["errors"]} == {"half.yaml", "mapping.yaml", "tried.yaml"}
    assert outcome(tmp_path, "--mappings").data["errors"] == found.data["errors"]
    alone = outcome(tmp_path, "--mappings", "good.yaml", "targets.yaml")
    assert (alone.code, alone.said) == (0, "1 mapping read without a mistake.\n")


# -- parameters ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "The parameter 'period' has no value. Give it: parameters: period: VALUE"),
        ("parameters: {period: January}", "parameters: period: "),
        (
            "parameters: {period: 2025-01-01, perod: 1}",
            "The mapping declares no parameter 'perod'. Did you mean 'period'?",
        ),
    ],
)
def test_a_parameter_that_is_missing_or_wrong_is_told_at_the_test(tmp_path: Path, given: str, said: str) -> None:
    """With the line of the test, and the way to give it in this file."""
    found = run(tmp_path, good() + f"    {given}\n", PERIOD)

    assert (found.code, found.error["line"]) == (3, 3)
    assert found.error["message"].startswith(said)
    assert "--param" not in found.said


def test_the_parameters_of_a_test_go_before_those_for_all(tmp_path: Path) -> None:
    """Each test has its own values and the shared ones."""
    mapping = PERIOD.replace("Text\n", '{template: "{{ param.text }} {{ param.period }}"}\n')
    tests = good(BODY.replace("Kaffe", "own 2025-01-01")) + "    parameters: {text: own}\n"

    shared = tests.replace("tests:", "parameters: {period: 2025-01-01, text: shared}\ntests:")
    assert run(tmp_path, shared, mapping).failures == []


# -- the schema ----------------------------------------------------------------------------------------------------

ONE = "needs exactly one of 'body', 'problems' and 'status'."
EXAMPLE = """\
version: 1
mapping: mapping.yaml
parameters: {text: 1}
tests:
  - name: a test
    parameters: {period: 2025-01}
    rows:
      - {Invoice no: F1, Customer: "00042", Qty: 2, Unit price: 19.90}
    expect:
      - key: F1
        body: {note: {value: 1}}
      - key: F2
        problems: [{row: 3, column: Qty, code: pattern, message: "'42'"}]
      - key:
        status: filtered
    problems: [{code: total_mismatch}]
"""


def editor_errors(text: str) -> list[str]:
    """Return what a validator says that reads YAML as editors do."""
    return [error.message for error in Draft7Validator(SCHEMAS["test"]).iter_errors(yaml.safe_load(text))]


def test_the_editor_and_the_program_take_the_same_example(tmp_path: Path) -> None:
    """One with every part of the format."""
    assert editor_errors(EXAMPLE) == []
    assert run(tmp_path, EXAMPLE, PERIOD.replace("date", "text")).data["errors"] == []


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("version: 1", "version: 2", "'version' must be 1; found '2'."),
        ("tests:", "test:", "'test' is not known at the top of the file."),
        ("name: a test", "nmae: a test", "'nmae' is not known in 'tests[1]'."),
        ("rows:\n", "rows: []\n    rosw:\n", "'tests[1].rows' is empty."),
        ("Qty: 2", '"": 2', "'tests[1].rows[1]': '' is not allowed here."),
        ("Qty: 2", "Qty: [2]", "'tests[1].rows[1].Qty' must be a text"),
        ("status: filtered", "status: sent", "'tests[1].expect[3].status': 'sent' is not one of the allowed values."),
        ("status: filtered", "status: filtered\n        body: {}", f"'tests[1].expect[3]' {ONE}"),
        ("        status: filtered\n", "", f"'tests[1].expect[3]' {ONE}"),
        ("expect:\n", "expect: []\n    expcet:\n", "'tests[1].expect' is empty."),
        ("key: F2\n        ", "", "'key' is missing in 'tests[1].expect[2]'."),
        ("row: 3", "row: 0", "'tests[1].expect[2].problems[1].row': 0 is not allowed; at least 1."),
        ("row: 3", "rwo: 3", "'rwo' is not known in 'tests[1].expect[2].problems[1]'."),
        ("{note: {value: 1}}", "[1]", "'tests[1].expect[1].body' must be a group"),
    ],
)
def test_the_editor_and_the_program_refuse_the_same_mistakes(
    tmp_path: Path, before: str, after: str, said: str
) -> None:
    """What an editor underlines, the program refuses, with the place in the words of the file."""
    assert before in EXAMPLE
    wrong = EXAMPLE.replace(before, after, 1)
    found = run(tmp_path, wrong)

    assert editor_errors(wrong) != []
    assert found.code == 3
    assert any(error["message"].startswith(said) for error in found.data["errors"]), found.said


def test_two_tests_of_one_name_are_refused(tmp_path: Path) -> None:
    """A failure is found again by its name."""
    twice = good() + good().split("tests:\n")[1]

    assert run(tmp_path, twice).error["message"] == "Another test is called 'a test' already."


def described(schema: Any) -> Iterator[tuple[str, str]]:
    """Yield every property of a schema with its description."""
    if isinstance(schema, dict):
        for name, part in schema.get("properties", {}).items():
            yield name, part.get("description", "")
        for part in schema.values():
            yield from described(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from described(part)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_name_of_the_formats_is_explained(name: str) -> None:
    """For whoever hovers over it, or reads what a program printed."""
    found = dict(described(SCHEMAS[name]))

    assert len(found) > 10
    assert {name for name, text in found.items() if not text.endswith(".")} == set()


@pytest.mark.parametrize("file", sorted(SAMPLES.glob("*/*.test.yaml")), ids=lambda file: file.parent.name)
def test_a_file_of_tests_names_its_schema(file: Path) -> None:
    """In its first line, so that editors complete and explain it."""
    modeline = file.read_text(encoding="utf-8").splitlines()[0].removeprefix("# yaml-language-server: $schema=")

    assert (file.parent / modeline).resolve() == ROOT / "schemas" / "test.schema.json"
