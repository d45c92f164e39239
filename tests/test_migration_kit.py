"""The migration in samples/: its one command, a process that dies halfway, a journal that is lost, its files."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from end_to_end import ROOT, SAMPLES, copy_sample, environment, program, program_here
from killing import Killer

from importer.sandbox import inspect

KIT = SAMPLES / "migration"
KINDS = ("customer", "customerInvoice", "customerCreditNote")
SENT = (12, 15, 3)


def state(project: Path) -> Path:
    """Name the folder of a project's sandbox."""
    return project / ".visma-import" / "sandbox"


def held(folder: Path) -> tuple[int, ...]:
    """Count what a sandbox holds of each kind."""
    return tuple(len(inspect.documents(folder, kind)) for kind in KINDS)


def workbook_rows(name: str) -> list[dict[str, Any]]:
    """Return the rows of one of the kit's workbooks."""
    import openpyxl

    head, *rows = openpyxl.load_workbook(KIT / "workbooks" / f"{name}.xlsx").worksheets[0].values
    return [dict(zip(map(str, head), row, strict=True)) for row in rows]


def each_on_its_customer(folder: Path) -> None:
    """See that each invoice and credit note is on the customer that had its old number, and credits its invoice."""
    customers = {str(row["Kundenr"]): row["Orgnr"] for row in workbook_rows("customers")}
    numbers = {one["number"]: one["body"]["corporateId"]["value"] for one in inspect.documents(folder, "customer")}
    invoices = {
        one["body"]["externalReference"]["value"]: (one["number"], numbers[one["body"]["customerNumber"]["value"]])
        for one in inspect.documents(folder, "customerInvoice")
    }
    wanted = {str(row["Fakturanr"]): customers[str(row["Kundenr"])] for row in workbook_rows("invoices")}
    assert {key: owner for key, (_, owner) in invoices.items()}.items() <= wanted.items()
    credited = {str(row["Kreditnotanr"]): str(row["Gjelder faktura"]) for row in workbook_rows("credit-notes")}
    for one in inspect.documents(folder, "customerCreditNote"):
        number, owner = invoices[credited[one["body"]["externalReference"]["value"]]]
        assert one["body"]["customerRefNumber"]["value"] == number
        assert numbers[one["body"]["customerNumber"]["value"]] == owner


def written(name: str) -> str:
    """Return what the kit's README fences between `<!-- name -->` and `<!-- end -->`."""
    text = (KIT / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"<!-- {name} -->\n```bash\n(.*?)```\n<!-- end -->", text, re.DOTALL)
    assert found, name
    return found[1]


def test_one_command_of_its_readme_carries_the_whole_migration_out(tmp_path: Path) -> None:
    """Checked, tested, planned, applied; applying again is refused, running again sends nothing. Twice over."""
    project = copy_sample("migration", tmp_path / "samples")
    scripts = tmp_path / ".venv" / "bin"
    scripts.mkdir(parents=True)
    (scripts / "visma-import").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m importer "$@"\n', encoding="utf-8")
    (scripts / "visma-import").chmod(0o755)
    # what the shell is set up for has no say
    env = environment(tmp_path, VISMA_IMPORT_TARGET="production", VISMA_IMPORT_JOURNAL="elsewhere.db")

    for _ in range(2):
        command = ["bash", "-e", "-c", written("rehearse")]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=300)

        assert done.returncode == 0, done.stdout + done.stderr
        assert "The plan was carried out on" in done.stderr
        assert done.stdout.count("To send: 0 documents, ") == 3
        assert (held(state(project)), inspect.writes(state(project))) == (SENT, sum(SENT))
        each_on_its_customer(state(project))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("way", ["plan", "run"])
def test_killed_in_the_middle_of_the_second_step_the_same_command_completes_it(
    way: str, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    """Some invoices are out, one is on its way, no credit note is: run again, everything is there exactly once."""
    project = copy_sample("migration", tmp_path)
    command = ["run", "migration.yaml", "--quiet"]
    if way == "plan":
        made = program("plan", "migration.yaml", "-o", "migration.plan", "--quiet", cwd=project)
        assert made.returncode == 0, made.stderr
        command = ["run", "--plan", "migration.plan", "--quiet"]
    with Killer(tmp_path_factory.mktemp("killer")) as killer:
        # twelve customers and six invoices are in; the seventh was sent, its answer never read
        killer.kill("call Session.write 19, return _Watched.send 2", [*command, "--workers", "1"], project)
    before = held(state(project))
    # as if ten minutes had passed, so that what is not there by now never will be
    again = program(*command, "--settle-after", "0", cwd=project)

    assert before[0] == 12
    assert 6 <= before[1] <= 7
    assert before[2] == 0
    assert again.returncode == 0, again.stdout + again.stderr
    assert held(state(project)) == SENT
    each_on_its_customer(state(project))


def test_a_plan_is_written_for_a_pull_request_and_over_nothing_it_is_made_of(tmp_path: Path) -> None:
    """Markdown with the documents and the totals of each step; the migration's own file is no place for it."""
    project = copy_sample("migration", tmp_path)
    made = program_here("plan", "migration.yaml", "-o", "plan.md", cwd=project)
    text = (project / "plan.md").read_text(encoding="utf-8")
    before = (project / "migration.yaml").read_bytes()
    refused = program_here("plan", "migration.yaml", "-o", "migration.yaml", cwd=project)

    assert made.returncode == 0, made.stderr
    assert re.findall(r"(?m)^## (\S+): (\d+) documents", text) == list(
        zip(("customers", "invoices", "credit-notes"), map(str, SENT), strict=True)
    )
    assert "| Net | 21,588.15 | 21,588.15 |" in text
    assert (refused.returncode, (project / "migration.yaml").read_bytes()) == (2, before)


def test_a_plan_that_was_carried_out_is_refused_where_the_journal_was_carried_to(tmp_path: Path) -> None:
    """The journal that was exported and imported knows the plan, on a machine that never saw it."""
    project = copy_sample("migration", tmp_path)
    journal = project / ".visma-import" / "journal.db"
    program_here("plan", "migration.yaml", "-o", "migration.plan", cwd=project)
    program_here("run", "--plan", "migration.plan", cwd=project)
    program_here("journal", "export", "journal.jsonl", cwd=project)
    journal.unlink()
    program_here("journal", "import", "journal.jsonl", cwd=project)
    again = program_here("run", "--plan", "migration.plan", cwd=project)

    assert (again.returncode, "The plan was carried out on" in again.stderr) == (3, True), again.stdout + again.stderr
    assert inspect.writes(state(project)) == sum(SENT)


def test_without_its_journal_nothing_is_sent_that_can_be_found_and_all_that_cannot(tmp_path: Path) -> None:
    """What the kit's README says of a runner that forgets: the organisation number is what guards a customer."""
    project = copy_sample("migration", tmp_path)
    journal = project / ".visma-import" / "journal.db"
    command = ("run", "migration.yaml", "--quiet")
    first = program_here(*command, cwd=project)
    shutil.move(journal, tmp_path / "journal.db")
    found = program_here(*command, cwd=project)
    guarded = held(state(project))
    mapping = project / "mappings" / "customers.yaml"
    text = re.sub(r"(?m)^  corporateId:\n(    .*\n)+", "", mapping.read_text(encoding="utf-8"))
    mapping.write_text(text, encoding="utf-8")
    journal.unlink()
    blind = program_here(*command, cwd=project)

    assert (first.returncode, found.returncode, blind.returncode) == (0, 4, 0), found.stdout + blind.stdout
    assert guarded == SENT
    assert held(state(project))[0] == 24


def test_the_containerfile_builds_no_secret_in_and_runs_as_nobody_in_particular() -> None:
    """Its images are pinned, the last one has a user who is not root, and the program is what it runs."""
    text = (KIT / "ci" / "Containerfile").read_text(encoding="utf-8")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    last = lines[max(place for place, (word, _) in enumerate(lines) if word == "FROM") :]
    counted = Counter(word for word, _ in lines)

    assert set(counted) <= {"FROM", "ARG", "RUN", "COPY", "ENV", "USER", "WORKDIR", "ENTRYPOINT", "CMD"}
    assert all(re.match(r"python:3\.\d+\.\d+-[\w-]+", rest) for word, rest in lines if word == "FROM")
    assert [rest for word, rest in lines if word == "ARG"] == ["PACKAGE"]
    assert [int(rest) > 0 for word, rest in last if word == "USER"] == [True]
    assert ["ENTRYPOINT", '["visma-import"]'] in last
    for _, script in (line for line in lines if line[0] == "RUN"):
        assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0, script


def test_the_kits_schemas_are_named_from_where_it_lies() -> None:
    """An editor finds the schema of each file, so that it completes and explains it."""
    files = [file for file in KIT.rglob("*.yaml") if ".visma-import" not in file.parts]
    named = {
        file: re.match(r"# yaml-language-server: \$schema=(\S+)", file.read_text(encoding="utf-8")) for file in files
    }

    assert len(files) == 8
    assert all(found and (file.parent / found[1]).is_file() for file, found in named.items()), named


def test_what_the_kit_writes_is_kept_out_of_its_repository(tmp_path: Path) -> None:
    """Plans, reports and the journal hold a customer's data: git passes them over."""
    project = copy_sample("migration", tmp_path)
    subprocess.run(["git", "init", "--quiet"], cwd=project, check=True)
    for name in (
        "migration.plan",
        "plan.xlsx",
        "plan.md",
        "journal.jsonl",
        "report/results.html",
        "reports/a/results.html",
    ):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).touch()
    (project / ".visma-import").mkdir()
    (project / ".visma-import" / "journal.db").touch()
    listed = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard"], cwd=project, capture_output=True, text=True, check=True
    ).stdout.split()

    assert sorted(listed) == sorted(
        str(file.relative_to(KIT))
        for file in KIT.rglob("*")
        if file.is_file() and not {".visma-import", "reports", "report"} & set(file.parts)
    )


def test_the_migration_in_readme_can_be_checked_in_the_kit(tmp_path: Path) -> None:
    """As it stands there, with the kit's mappings and workbooks."""
    project = copy_sample("migration", tmp_path)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"(?s)<!-- migration -->\n```yaml\n(.*?)```\n<!-- end -->", text)
    assert found
    (project / "migration.yaml").write_text(found[1], encoding="utf-8")
    done = program_here("check", "migration.yaml", cwd=project)

    assert (done.returncode, "3 steps. No problems." in done.stdout) == (0, True), done.stdout + done.stderr


def test_the_kit_is_told_of_in_readme() -> None:
    """Whoever looks for it finds it, and its files are those that are named."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("samples/migration", *(f"ci/{file.name}" for file in (KIT / "ci").iterdir())):
        assert name in text or name in (KIT / "README.md").read_text(encoding="utf-8"), name
    assert yaml.safe_load((KIT / "migration.yaml").read_text(encoding="utf-8"))["name"] == "migration"
    assert os.access(KIT / "rehearse.sh", os.X_OK)
