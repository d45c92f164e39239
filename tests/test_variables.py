"""Every option is given by the environment too, under a name that a person can guess; secrets come from files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from databases import journal_on, needs_postgresql
from end_to_end import (
    aim,
    closed_port,
    command,
    environment,
    invoice_rows,
    make_project,
    program,
    program_here,
)

from importer.cli.commands import cli
from importer.cli.variables import name_variables, options_of
from importer.sandbox import Sandbox, Settings

SECRET = "tiger0815"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project", invoice_rows(4))


def test_every_option_has_a_variable_and_no_two_meanings_share_one() -> None:
    """All but a person's word; one name means one thing, told by what the helps say of it."""
    name_variables(cli)
    found: dict[str, set[str]] = {}
    without = set()
    for path, option in options_of(cli):
        if option.envvar:
            found.setdefault(str(option.envvar), set()).add(option.opts[-1])
        else:
            without.add((*path, option.opts[-1]))
    meanings = {name: {option.help for _, option in options_of(cli) if option.envvar == name} for name in found}

    assert without == {("resolve", "--accepted"), ("resolve", "--not-there")}
    assert {name: options for name, options in found.items() if len(options) > 1} == {}
    assert {name for name, told in meanings.items() if len(told) > 1} <= {
        "VISMA_IMPORT_TARGET",
        "VISMA_IMPORT_YES",
    }
    assert {"VISMA_IMPORT_SETTLE_AFTER", "VISMA_IMPORT_SKIP_INVALID", "VISMA_IMPORT_FETCH_OUTPUT"} <= set(found)


def test_the_help_names_the_variables(project: Path) -> None:
    """A sentence says how they are made; those that carry a command's name stand beside their option; 80 columns."""
    whole = program_here("--help", cwd=project).stdout
    plan = program_here("plan", "--help", cwd=project).stdout

    assert "VISMA_IMPORT_SETTLE_AFTER" in whole
    assert "VISMA_IMPORT_PLAN_OUTPUT" in plan
    assert [line for line in (whole + plan).splitlines() if len(line) > 80] == []


def test_options_are_taken_from_the_environment(project: Path) -> None:
    """A value, a flag, one value a line where there may be several; --json by it leaves nothing else on stdout."""
    rows = [("A 1", *invoice_rows(1)[0][1:]), *invoice_rows(3)]
    make_project(project, rows)
    told = program("check", "mapping.yaml", cwd=project, VISMA_IMPORT_JSON="1", VISMA_IMPORT_ONLY="A 1\r\n\nF0002\n")
    report = project / "by-variable"
    ran = program("run", "mapping.yaml", cwd=project, VISMA_IMPORT_REPORT=str(report), VISMA_IMPORT_LIMIT="2")

    assert json.loads(told.stdout)["documents"]["ready"] == 2
    assert told.stderr == ""
    assert ran.returncode == 0
    assert json.loads((report / "results.json").read_text())["counts"]["accepted"]["documents"] == 2


def test_the_sandbox_serves_at_the_port_that_a_variable_names(project: Path) -> None:
    """Its options carry its name, so that a job's settings do not change what it simulates."""
    port = closed_port()
    with subprocess.Popen(
        [sys.executable, "-m", "importer", "sandbox"],
        cwd=project,
        env=environment(project, VISMA_IMPORT_SANDBOX_PORT=str(port), VISMA_IMPORT_PORT="1", VISMA_IMPORT_LIMIT="1"),
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        process.terminate()

    assert f"http://127.0.0.1:{port}/v1" in said


def test_the_command_line_comes_before_the_environment(project: Path) -> None:
    """Also for options that may be repeated: what is said there replaces all that is set."""
    done = program_here(
        "check", "mapping.yaml", "--only", "F0001", "--json", cwd=project, VISMA_IMPORT_ONLY="F0002\nF0003"
    )

    assert json.loads(done.stdout)["documents"] == {"ready": 1, "invalid": 0, "filtered": 3}


def test_an_empty_variable_is_not_set(project: Path) -> None:
    """A pipeline sets variables to nothing where it has no value for them."""
    names = ("LIMIT", "ONLY", "WORKERS", "TARGET", "JSON", "JOURNAL", "JOURNAL_FILE", "ALLOW", "ANNOTATIONS", "DEBUG")
    done = program_here("run", "mapping.yaml", cwd=project, **{f"VISMA_IMPORT_{name}": "" for name in names})

    assert (done.returncode, "exit code 0" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize(
    ("name", "text", "arguments"),
    [
        ("WORKERS", "many", ("run", "mapping.yaml")),
        ("SETTLE_AFTER", "-1", ("run", "mapping.yaml")),
        ("JSON", "maybe", ("history",)),
        ("ANNOTATIONS", "gitlab", ("check", "mapping.yaml")),
        ("PARAM", "period", ("check", "mapping.yaml")),
        ("ONLY", "F9999", ("check", "mapping.yaml")),
        ("REHEARSE", "x@1", ("run", "mapping.yaml")),
        ("FETCH_SINCE", "yesterday", ("fetch", "customer", "-o", "c.csv")),
    ],
)
def test_a_wrong_value_names_its_variable(project: Path, name: str, text: str, arguments: tuple[str, ...]) -> None:
    """Who reads the log of a job does not see its settings; exit 2, nothing sent."""
    done = program_here(*arguments, cwd=project, **{f"VISMA_IMPORT_{name}": text})

    assert (done.returncode, f"VISMA_IMPORT_{name}" in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr


def test_a_variable_that_belongs_to_no_option_is_told(project: Path) -> None:
    """A slip in a name would pass unseen otherwise; the run goes on."""
    done = program_here("check", "mapping.yaml", cwd=project, VISMA_IMPORT_SKIP_INVALIDS="1")

    assert done.returncode == 0
    assert "VISMA_IMPORT_SKIP_INVALIDS" in done.stderr
    assert "'VISMA_IMPORT_SKIP_INVALID'" in done.stderr


def test_debug_and_json_hold_for_failures_too(project: Path) -> None:
    """What a command fails with is shown as it was asked for, by variable as by option."""
    shown = program_here("check", "missing.yaml", cwd=project, VISMA_IMPORT_DEBUG="true")
    told = program_here("check", "missing.yaml", cwd=project, VISMA_IMPORT_JSON="yes", VISMA_IMPORT_DEBUG="0")

    assert "Traceback" in shown.stderr
    assert json.loads(told.stdout)["errors"][0]["file"] == "missing.yaml"
    assert "Traceback" not in told.stderr


def test_a_person_s_word_is_never_taken_from_the_environment(project: Path) -> None:
    """A job's variables hold for all its commands; what is noted about a document is said to one."""
    program_here("run", "mapping.yaml", "--rehearse", "cut_before@1", cwd=project)
    names = {"VISMA_IMPORT_RESOLVE_NOT_THERE": "1", "VISMA_IMPORT_NOT_THERE": "1", "VISMA_IMPORT_ACCEPTED": "1"}
    done = program_here("resolve", "--key", "F0001", "--yes", cwd=project, **names)

    assert done.returncode == 2
    assert "noted" not in done.stdout


@pytest.mark.parametrize(
    "held",
    [b"%s", b"%s\n", b"%s\r\n", b"\xef\xbb\xbf%s\r\n", b"  %s \n\n"],
    ids=["bare", "line end", "Windows line end", "mark of UTF-8", "spaces"],
)
def test_a_mounted_secret_is_taken_without_what_editors_add(tmp_path: Path, held: bytes) -> None:
    """The token request carries the secret itself, or no token is given for it."""
    project = make_project(tmp_path / "p", invoice_rows(1))
    wanted = Settings(require_token=True, clients={"somebody": SECRET})
    with Sandbox(tmp_path / "served", settings=wanted) as box:
        aim(project, box.base_url)
        (project / "secret.txt").write_bytes(held % SECRET.encode())
        declared = (project / "targets.yaml").read_text(encoding="utf-8")
        own = declared.replace("11111111-2222-3333-4444-555555555555", box.company_id)
        (project / "targets.yaml").write_text(own, encoding="utf-8")
        out = command("doctor", "--target", "test", "--json", cwd=project)[1]
    steps = {step["name"]: step["ok"] for step in json.loads(out)["steps"]}

    assert steps["token"] is True, out


@needs_postgresql
@pytest.mark.parametrize("held", ["{}\n", "\ufeff{}\r\n"])
def test_the_journal_s_address_comes_from_a_mounted_file(project: Path, tmp_path: Path, held: str) -> None:
    """A run writes its journal there, and nothing in the project folder."""
    with journal_on("postgresql", tmp_path) as url:
        (tmp_path / "address").write_text(held.format(url), encoding="utf-8")
        file = str(tmp_path / "address")
        ran = program_here("run", "mapping.yaml", cwd=project, VISMA_IMPORT_JOURNAL_FILE=file)
        listed = program_here("history", "--json", cwd=project, VISMA_IMPORT_JOURNAL_FILE=file)
        own = program_here("history", "--journal", "other.db", cwd=project, VISMA_IMPORT_JOURNAL_FILE=file)

    assert ran.returncode == 0, ran.stderr
    assert len(json.loads(listed.stdout)) == 1
    assert "other.db" in own.stderr
    assert not (project / ".visma-import" / "journal.db").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no such file"),
        (b"", "holds no address"),
        (SECRET.encode(), "holds no address"),
        (f"postgresql://me:{SECRET}@db.invalid/x\nanother\n".encode(), "holds no address"),
        (f"postgresql://me:{SECRET}@db.invalid/x".encode("utf-16"), "not UTF-8"),
        (f"mysql://me:{SECRET}@db.invalid/x".encode(), "mysql"),
        (f"postgresql://me:{SECRET}@1@db.invalid/x".encode(), "%40"),
        (f"postgresql://me:{SECRET}@db.invalid:port/x".encode(), "cannot be read"),
        (f"postgresql://me:{SECRET}@127.0.0.1:1/x?password={SECRET}".encode(), "cannot be used"),
    ],
)
def test_a_file_that_holds_no_address_is_refused_and_never_shown(
    project: Path, tmp_path: Path, content: bytes | None, says: str
) -> None:
    """Exit 3 with what to do; neither its text nor a part of a password is printed, also not with --debug."""
    file = tmp_path / "address"
    if content is not None:
        file.write_bytes(content)
    done = program_here("history", "--debug", cwd=project, VISMA_IMPORT_JOURNAL_FILE=str(file))

    assert (done.returncode, says in done.stderr) == (3, True), done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert "bug" not in done.stderr


def test_two_places_for_the_journal_are_refused(project: Path) -> None:
    """Which of them holds would be a guess, and a guess sends twice."""
    done = program("run", "mapping.yaml", cwd=project, VISMA_IMPORT_JOURNAL="a.db", VISMA_IMPORT_JOURNAL_FILE="b")

    assert (done.returncode, "both set" in done.stderr) == (2, True)
    assert not (project / ".visma-import").exists()


def test_names_are_given_once(project: Path) -> None:
    """Naming the variables again changes nothing, and an option's own way to read values stays its own."""
    name_variables(cli)
    before = {str(option.envvar) for _, option in options_of(cli)}
    name_variables(cli)

    assert {str(option.envvar) for _, option in options_of(cli)} == before
    assert click.STRING.split_envvar_value("a b") == ["a", "b"]
    assert os.environ.get("VISMA_IMPORT_JSON") is None
