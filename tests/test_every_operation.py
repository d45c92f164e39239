"""Every operation that README's table names, carried out against the sandbox on both base URLs with real tokens."""

import json
import shlex
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from importer.cli import run_command
from importer.sandbox import Sandbox, Settings

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "samples"
#: Each works on what those before it left.
ORDER = (
    "customers",
    "invoices",
    "credit-notes",
    "debit-notes",
    "customers-update",
    "customers-upsert",
    "invoices-update",
    "credit-notes-update",
    "debit-notes-update",
    "dunning-letters",
    "invoices-auto-invoice",
    "invoices-release",
    "credit-notes-release",
    "debit-notes-release",
    "invoices-reverse",
    "suppliers",
)
#: Samples that are there for people to look at, not operations.
NOT_OPERATIONS = {"with-mistakes", "from-scratch", "migration"}
DOCUMENTS = ("invoices", "credit-notes", "debit-notes")
PREFIXES = ("", "/API/controller/api")
CLIENT, SECRET = "the-client", "the-secret"
TARGET = """\
company:
  base_url: {base_url}
  token_url: {token_url}
  tenant_id: {tenant_id}
  client_id: {{env: COMPANY_CLIENT_ID}}
  client_secret: {{env: COMPANY_CLIENT_SECRET}}
"""


@contextmanager
def company(
    folder: Path,
    prefix: str = "",
    samples: tuple[str, ...] = (),
    settings: Settings | None = None,
    clock: Callable[[], float] = time.time,
) -> Iterator[tuple[Sandbox, Path]]:
    """Serve a company that wants tokens; yield it with a project folder that holds samples and the target."""
    settings = settings or Settings(require_token=True, clients={CLIENT: SECRET}, strict=True, release_delay_s=0)
    project = folder / "project"
    project.mkdir(parents=True)
    with Sandbox(folder / "company", settings=settings, clock=clock) as box, pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPANY_CLIENT_ID", CLIENT)
        patch.setenv("COMPANY_CLIENT_SECRET", SECRET)
        for name in samples:
            shutil.copytree(SAMPLES / name, project / name, ignore=shutil.ignore_patterns(".visma-import", "reports"))
        (project / "targets.yaml").write_text(
            TARGET.format(base_url=box.base_url + prefix, token_url=box.token_url, tenant_id=box.company_id),
            encoding="utf-8",
        )
        patch.chdir(project)
        yield box, project


def use_version_2(mapping: Path) -> None:
    """Let a mapping ask for version 2 of the API."""
    text = mapping.read_text(encoding="utf-8")
    mapping.write_text(text.replace("version: 1\n", "version: 1\napi: v2\n"), encoding="utf-8")


def run_sample(project: Path, name: str) -> dict[str, int]:
    """Run a sample as people do; return how many documents have each status, those left out not counted."""
    report = project / "reports" / name
    arguments = ["run", f"{name}/mapping.yaml", "--target", "company", "--yes", "--quiet", "--report", str(report)]
    code = run_command(arguments)
    results = json.loads((report / "results.json").read_text(encoding="utf-8"))
    counts = {status: found["documents"] for status, found in results["counts"].items() if found["documents"]}
    counts.pop("filtered", None)
    assert (code, set(counts)) == (0, {"accepted"}), (name, counts, results["documents"])
    return counts


def table() -> list[tuple[str, str]]:
    """Return the rows of the table in README; none until it stands there."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    _, found, rest = text.partition("<!-- operations -->")
    if not found:
        return []
    block, end, _ = rest.partition("<!-- end -->")
    assert end, "the table in README.md has no <!-- end -->"
    lines = [line.strip() for line in block.splitlines() if line.strip().startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    return [(row[0], row[-1].strip("`")) for row in cells]


def named_samples() -> tuple[str, ...]:
    """Return the samples that the table names, each after those it needs; those that nobody ordered come last."""
    names = {what.strip("/").removeprefix("samples/") for _, what in table() if what.startswith("samples/")}
    return (*[name for name in ORDER if name in names], *sorted(names - set(ORDER)))


def named_commands() -> list[list[str]]:
    """Return the arguments of the commands that the table names."""
    commands = [shlex.split(what) for _, what in table() if not what.startswith("samples/")]
    assert all(command[0] == "visma-import" for command in commands), commands
    return [command[1:] for command in commands]


needs_table = pytest.mark.skipif(not table(), reason="README.md has no table of operations yet")


@needs_table
@pytest.mark.parametrize("prefix", PREFIXES, ids=["new-host", "legacy-host"])
def test_every_sample_of_the_table_is_accepted(prefix: str, tmp_path: Path) -> None:
    """The samples of the table, each after those it needs, are accepted to the last document on either base URL."""
    names = named_samples()
    with company(tmp_path, prefix, names) as (box, project):
        counts = {name: run_sample(project, name)["accepted"] for name in names}
        paths = {entry.path for entry in box.requests_log if "/connect/" not in entry.path}
        tokens = [entry for entry in box.requests_log if "/connect/" in entry.path]
    assert min(counts.values()) > 0
    assert all(path.startswith(f"{prefix}/v1/") for path in paths)
    assert len(tokens) == len(names), "each run asks for one token"


@needs_table
@pytest.mark.parametrize("prefix", PREFIXES, ids=["new-host", "legacy-host"])
def test_every_command_of_the_table_works(prefix: str, tmp_path: Path) -> None:
    """The commands of README's table end well on either base URL, and the files they name are there."""
    with company(tmp_path, prefix, ("customers", "invoices")) as (box, project):
        run_sample(project, "customers")
        run_sample(project, "invoices")
        before = len(box.requests_log)
        for arguments in named_commands():
            file = project / arguments[arguments.index("-o") + 1] if "-o" in arguments else None
            if file:
                file.unlink(missing_ok=True)
            target = [] if "--target" in arguments else ["--target", "company"]
            assert run_command([*arguments, *target]) == 0, arguments
            assert file is None or file.stat().st_size > 0, arguments
        sent = [entry for entry in box.requests_log[before:] if "/connect/" not in entry.path]
    assert all(entry.path.startswith(f"{prefix}/v1/") for entry in sent)
    assert {entry.method for entry in sent} == {"GET"}, "a command of the table writes"


@needs_table
def test_the_table_names_every_sample_and_every_endpoint() -> None:
    """No sample and no endpoint of the table of endpoints is missing from README's table."""
    samples = set(named_samples())
    assert {folder.name for folder in SAMPLES.iterdir() if folder.is_dir()} - NOT_OPERATIONS == samples
    endpoints = json.loads((ROOT / "schemas" / "endpoints.json").read_text(encoding="utf-8"))
    mappings = [(SAMPLES / name / "mapping.yaml").read_text(encoding="utf-8") for name in samples]
    assert [name for name in endpoints if not any(f"endpoint: {name}\n" in text for text in mappings)] == []


@pytest.mark.parametrize("prefix", PREFIXES, ids=["new-host", "legacy-host"])
def test_documents_are_created_on_the_second_version_too(prefix: str, tmp_path: Path) -> None:
    """With `api: v2` the same samples of documents go to the address of version 2, and only there."""
    with company(tmp_path, prefix, ("customers", *DOCUMENTS)) as (box, project):
        run_sample(project, "customers")
        for name in DOCUMENTS:
            use_version_2(project / name / "mapping.yaml")
            run_sample(project, name)
        creates = {entry.path for entry in box.requests_log if entry.method == "POST" and "/connect/" not in entry.path}
    resources = ("customerinvoice", "customerCreditNote", "customerDebitNote")
    assert creates == {f"{prefix}/v1/customer", *(f"{prefix}/v2/{name}" for name in resources)}
