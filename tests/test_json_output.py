"""What `--json` prints is one document with a version, described by a schema that takes nothing else."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from end_to_end import (
    MAPPING,
    ROOT,
    copy_sample,
    invoice_rows,
    make_project,
    program,
    program_here,
)

from importer.cli.commands import cli
from importer.cli.variables import options_of

SCHEMAS = {file.name.removesuffix(".schema.json"): file for file in (ROOT / "schemas").glob("*.schema.json")}
#: What each command prints when all goes well, and the arguments that make it so.
COMMANDS: dict[str, tuple[str, list[tuple[str, ...]]]] = {
    "check": ("check", [("mapping.yaml",), ("wrong.yaml",)]),
    "plan": ("plan", [("mapping.yaml",), ("wrong.yaml",), ("mapping.yaml", "--only", "F0009")]),
    "run": ("run", [("mapping.yaml",), ("wrong.yaml", "--skip-invalid", "--allow", "invalid=9")]),
    "report": ("run", [()]),
    "history": ("history", [(), ("--key", "F0001"), ("--limit", "1")]),
    "endpoints": ("endpoints", [(), ("customerInvoice.create",), ("customer.update",), ("customerInvoice.release",)]),
    "doctor": ("doctor", [()]),
    "resolve": ("resolve", [("--settle-after", "600"), ("--key", "F0005", "--not-there", "--yes")]),
    "fetch": ("fetch", [("customerInvoice", "-o", "listed.csv")]),
    "journal check": ("journal-check", [()]),
    "journal export": ("journal-export", [("journal.jsonl",)]),
    "journal import": ("journal-import", [("journal.jsonl", "--journal", "other.db"), ("journal.jsonl",)]),
    "init": ("init", [("invoices.xlsx", "--endpoint", "customerInvoice.create", "--force")]),
    "test": ("test-results", [("good.test.yaml",), ("bad.test.yaml",), ("none.yaml",), ("--mappings", "mapping.yaml")]),
    "workbook": ("workbook", [("mapping.yaml", "-o", "blank.xlsx", "--force")]),
}
TESTS = """\
version: 1
mapping: mapping.yaml
tests:
  - name: a quantity in words
    rows: [{Invoice no: F1, Customer: "10001", Date: 2025-01-27, Text: Kaffe, Qty: two, Unit price: 10}]
    expect: [{key: F1, status: invalid}]
"""


def schema(name: str) -> Any:
    return json.loads(SCHEMAS[name].read_text(encoding="utf-8"))


def objects(node: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Return every description of an object in a schema, with its place."""
    found = []
    if isinstance(node, dict):
        kind = node.get("type")
        found += [(path, node)] if kind == "object" or (isinstance(kind, list) and "object" in kind) else []
        for name, inner in node.items():
            found += objects(inner, f"{path}/{name}")
    elif isinstance(node, list):
        for spot, inner in enumerate(node):
            found += objects(inner, f"{path}/{spot}")
    return found


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a project with a run in its journal that left one document in doubt."""
    folder = make_project(tmp_path_factory.mktemp("json") / "project", invoice_rows(9))
    (folder / "wrong.yaml").write_text(MAPPING.replace("quantity: Qty", "quantity: Text"), encoding="utf-8")
    (folder / "good.test.yaml").write_text(TESTS, encoding="utf-8")
    (folder / "bad.test.yaml").write_text(TESTS.replace("invalid", "filtered"), encoding="utf-8")
    done = program_here(
        "run", "mapping.yaml", "--workers", "1", "--limit", "5", "--rehearse", "cut_before@5", cwd=folder
    )
    assert done.returncode == 5
    return folder


def test_every_command_with_json_is_proven_here() -> None:
    """A new one is held against a schema too."""
    found = {" ".join(path) for path, option in options_of(cli) if "--json" in option.opts}

    assert found == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_what_a_command_prints_is_what_its_schema_describes(project: Path, name: str) -> None:
    """JSON and nothing else on stdout, with the version; also where it ends with another code than 0."""
    kind, ways = COMMANDS[name]
    for arguments in ways:
        done = program_here(*name.split(), *arguments, "--json", cwd=project)
        data = json.loads(done.stdout)
        jsonschema.Draft7Validator(schema(kind)).validate(data)
        for entry in data if isinstance(data, list) else [data]:
            assert entry["format_version"] == 1
            assert entry.get("exit_code", done.returncode) == done.returncode or name in {"history", "report"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "none.yaml"),
        ("plan", "none.yaml"),
        ("run", "none.yaml"),
        ("run", "mapping.yaml", "--only", "F9999"),
        ("run", "mapping.yaml", "--target", "none"),
        ("report", "none"),
        ("resolve", "--key", "none", "--not-there", "--yes"),
        ("endpoints", "none"),
        ("fetch", "none", "-o", "x.csv"),
        ("history", "--journal", "none.db"),
        ("journal", "check", "--journal", "none.db"),
        ("init", "none.xlsx", "--endpoint", "customer.create"),
        ("workbook", "none.yaml", "-o", "x.xlsx"),
    ],
    ids=" ".join,
)
def test_what_could_not_be_done_is_told_in_one_form(project: Path, arguments: tuple[str, ...]) -> None:
    """Whichever command it was; a program reads why without knowing which."""
    done = program_here(*arguments, "--json", cwd=project)
    data = json.loads(done.stdout)

    assert done.returncode in {2, 3}
    assert data["exit_code"] == done.returncode
    jsonschema.Draft7Validator(schema("failure")).validate(data)
    jsonschema.Draft7Validator(schema("check")).validate(data)


def test_a_run_that_does_not_start_prints_what_check_prints(tmp_path: Path) -> None:
    """Its problems, in the same form."""
    project = copy_sample("with-mistakes", tmp_path)
    run, check = (json.loads(program(name, "mapping.yaml", "--json", cwd=project).stdout) for name in ("run", "check"))

    jsonschema.Draft7Validator(schema("check")).validate(run)
    assert run == check


@pytest.mark.parametrize("name", sorted({kind for kind, _ in COMMANDS.values()} | {"failure", "results"}))
def test_a_schema_takes_nothing_that_it_does_not_describe(name: str) -> None:
    """Each object is closed and explained; what is required is described."""
    found = schema(name)
    jsonschema.Draft7Validator.check_schema(found)
    for path, one in objects(found):
        assert one.get("additionalProperties") is not None, path
        assert one["additionalProperties"] is not True, path
        assert set(one.get("required", ())) <= set(one.get("properties", ())), path
        for inner, described in one.get("properties", {}).items():
            assert "description" in described or "$ref" in described, f"{path}/{inner}"


@pytest.mark.parametrize("name", ["check", "plan", "run"])
def test_a_migration_prints_its_steps_in_the_same_form(tmp_path: Path, name: str) -> None:
    """One object over all of them, each step as its mapping by itself would be, with its name."""
    project = make_project(tmp_path / "project", invoice_rows(3))
    steps = "version: 1\nname: two\nsteps:\n  - {name: a, mapping: mapping.yaml}\n  - {name: b, mapping: other.yaml}\n"
    (project / "migration.yaml").write_text(steps, encoding="utf-8")
    other = MAPPING.replace("name: invoices", "name: notes").replace("customerInvoice", "customerCreditNote")
    (project / "other.yaml").write_text(other, encoding="utf-8")
    done = program_here(name, "migration.yaml", "--json", cwd=project)
    data = json.loads(done.stdout)

    jsonschema.Draft7Validator(schema(name)).validate(data)
    assert (done.returncode, data["exit_code"], data["format_version"]) == (0, 0, 1)
    for step in data["steps"]:
        own = {part: value for part, value in step.items() if part not in {"step", "folder"}}
        jsonschema.Draft7Validator(schema(name)).validate(own)


def test_the_schema_of_a_run_is_that_of_its_results() -> None:
    """So that the two cannot say different things of one field."""
    run, results = schema("run")["definitions"]["mapping"], schema("results")
    results["required"].remove("documents")
    del results["properties"]["documents"]

    assert (run["required"], run["properties"]) == (results["required"], results["properties"])
