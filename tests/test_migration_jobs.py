"""The kit's files for services that run jobs: their jobs, played in order, send what was planned, and that once."""

import re
import shutil
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from databases import fresh_database, needs_postgresql
from end_to_end import program
from pipelines import KIT, SERVICES, Done, Service, package_registry
from test_migration_kit import each_on_its_customer

from importer.sandbox import Fault, Sandbox, Settings, inspect

CLIENT, SECRET = "the-client", "the-secret"
SENT = {"customer": 12, "customerInvoice": 15, "customerCreditNote": 3}
needs_tools = pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "curl", "jq"))), reason="what the jobs use is not on this machine"
)


@dataclass
class Repository:
    """Hold a migration kept in a repository, the service that runs its jobs, and the company it is sent to."""

    service: Service
    box: Sandbox
    company: Path

    def job(self, name: str, **more: str) -> Done:
        """Run a job."""
        return self.service.run(name, **more)

    @property
    def held(self) -> dict[str, int]:
        """Count what the company holds, and see that each document is on the right customer."""
        counted = {name: len(inspect.documents(self.company, name)) for name in SENT}
        if counted["customerInvoice"]:
            each_on_its_customer(self.company)
        return counted

    @property
    def writes(self) -> int:
        """Count what was sent to the company."""
        return Counter(one.method for one in self.box.requests_log if "/connect/" not in one.path)["POST"]


@contextmanager
def repository(name: str, database: str, folder: Path, *faults: Fault) -> Iterator[Repository]:
    """Serve a company that wants tokens, and keep the migration for it at a service; its journal is there already."""
    settings = Settings(require_token=True, clients={CLIENT: SECRET}, faults=faults)
    with Sandbox(folder / "company", settings=settings) as box, package_registry() as api:
        known = {"VISMA_CLIENT_ID": CLIENT, "VISMA_CLIENT_SECRET": SECRET, "CI_API_V4_URL": api}
        service = Service(name, folder / "service", known, "file" if database == "file" else "postgresql")
        copy = folder / "service" / "repository"
        shutil.copytree(KIT, copy, ignore=shutil.ignore_patterns(".visma-import", "reports", "*.plan"))
        targets = (copy / "targets.yaml").read_text(encoding="utf-8")
        there = f"test:\n  base_url: {box.base_url}\n  token_url: {box.token_url}\n  tenant_id: {box.company_id}\n"
        (copy / "targets.yaml").write_text(re.sub(r"(?m)^test:\n.*\n", there, targets), encoding="utf-8")
        if database == "file":
            yield Repository(service, box, folder / "company")
        else:
            with fresh_database() as url:
                known["VISMA_IMPORT_JOURNAL"] = url
                yield Repository(service, box, folder / "company")


#: each service, and each way to carry the journal; all six pairs take minutes
KEPT = (("github", "postgresql"), ("gitlab", "file"), ("azure", "file"))


@pytest.fixture(
    params=[pytest.param(pair, marks=needs_postgresql if "postgresql" in pair else ()) for pair in KEPT], ids="-".join
)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Repository]:
    """Return a repository at each service, with each kind of journal."""
    with repository(*request.param, tmp_path) as made:
        yield made


@needs_tools
def test_what_a_job_planned_is_sent_once_after_it_was_approved(kept: Repository) -> None:
    """Planning sends nothing; applying sends that plan, and again nothing; the next run finds it all there."""
    shown = kept.job("plan", JOURNAL_IS_NEW="yes")
    assert (shown.code, kept.writes) == (0, 0), shown.said
    assert "15 documents would be sent to test" in shown.shown

    kept.service.begin()
    planned, applied = kept.job("plan", JOURNAL_IS_NEW="yes"), kept.job("apply", JOURNAL_IS_NEW="yes")
    assert (planned.code, applied.code, kept.held) == (0, 0, SENT), planned.said + applied.said
    assert kept.writes == sum(SENT.values())

    again = kept.job("apply", JOURNAL_IS_NEW="yes", attempt="2")
    assert (again.code, "carried out" in again.said) == (3, True), again.said

    kept.service.begin()
    planned, applied = kept.job("plan"), kept.job("apply")
    assert (planned.code, applied.code, kept.held) == (0, 0, SENT), planned.said + applied.said
    assert kept.writes == sum(SENT.values())
    assert set(kept.service.installed) == {f"-m pip install {package(kept.service)}"}


@needs_tools
@pytest.mark.parametrize("name", SERVICES)
def test_what_a_red_job_sent_is_known_to_the_next_run(name: str, tmp_path: Path) -> None:
    """An invoice is rejected, the job fails, its journal is kept all the same: the next plan has the rest alone."""
    once = Fault(match="POST /v1/customerinvoice", kind="500_message", nth=1)
    with repository(name, "file", tmp_path, once) as kept:
        planned, red = kept.job("plan", JOURNAL_IS_NEW="yes"), kept.job("apply", JOURNAL_IS_NEW="yes")
        lacking = sum(SENT.values()) - sum(kept.held.values())
        assert (planned.code, red.code, lacking in {1, 2}) == (0, 4, True), red.said

        kept.service.begin()
        planned, applied = kept.job("plan"), kept.job("apply")
        assert (planned.code, applied.code, kept.held) == (0, 0, SENT), planned.said + applied.said


@needs_tools
def test_a_job_without_its_journal_fails_before_it_sends_anything(kept: Repository) -> None:
    """Neither one that nobody named nor one that is gone is taken for an empty one."""
    planned = kept.job("plan", JOURNAL_IS_NEW="yes")
    assert planned.code == 0, planned.said
    lacking = {"VISMA_IMPORT_JOURNAL": ""}

    applied = kept.job("apply", **lacking)
    again = kept.job("plan", **lacking)

    assert applied.code, applied.said
    assert again.code, again.said
    assert re.search(r"(has left a journal|names no journal on PostgreSQL|artifact was not found)", applied.said), (
        applied.said
    )
    assert kept.writes == 0


def test_a_plan_made_with_the_right_to_read_is_sent_with_the_right_to_write(tmp_path: Path) -> None:
    """As the kit's README shows it: two targets of one company, of which the one that plans could not send."""
    with repository("github", "file", tmp_path) as kept:
        project = kept.service.folder / "repository"
        targets = (project / "targets.yaml").read_text(encoding="utf-8")
        found = re.search(r"(?s)  production-read:\n(.*?)  ```", (KIT / "README.md").read_text(encoding="utf-8"))
        assert found
        own = re.search(r"(?ms)^test:\n(.*?)^  client_id", targets)
        assert own
        text = re.sub(r"(?m)^ +tenant_id: .*\n", own[1], textwrap.dedent(f"  production-read:\n{found[1]}"))
        (project / "targets.yaml").write_text(f"{targets}\n{text}", encoding="utf-8")
        secrets = {"VISMA_READ_ID": CLIENT, "VISMA_READ_SECRET": SECRET}
        secrets |= {"VISMA_CLIENT_ID": CLIENT, "VISMA_CLIENT_SECRET": SECRET}
        given = ("plan", "migration.yaml", "--target", "production-read", "-o", "migration.plan")
        apply = ("run", "--plan", "migration.plan", "--yes", "--target")
        planned = program(*given, cwd=project, **secrets)
        refused = program(*apply, "production-read", cwd=project, **secrets)
        before = sum(kept.held.values())
        applied = program(*apply, "test", cwd=project, **secrets)

        assert planned.returncode == 0, planned.stderr
        assert (refused.returncode, before) == (6, 0), refused.stdout + refused.stderr
        assert (applied.returncode, kept.held) == (0, SENT), applied.stdout + applied.stderr


def package(service: Service) -> str:
    """Return what a service's file installs."""
    text = (KIT / "ci" / f"{service.name}.yml").read_text(encoding="utf-8")
    found = re.search(r"(?:PACKAGE: |name: PACKAGE\n    value: )(.+)", text)
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("name", "schema", "options"),
    [
        ("github", "github-workflows", []),
        ("gitlab", "gitlab-ci", ["--data-transform", "gitlab-ci"]),
        # some of its patterns are none by the rules of Unicode
        ("azure", "azure-pipelines", ["--data-transform", "azure-pipelines", "--regex-variant", "nonunicode"]),
    ],
)
def test_a_service_would_take_its_file(name: str, schema: str, options: list[str], tmp_path: Path) -> None:
    """It agrees with the schema that its service publishes; a word that the service does not know is refused."""
    file = KIT / "ci" / f"{name}.yml"
    wrong = tmp_path / file.name
    wrong.write_text(re.sub(r"(?m)^( *)(timeout\S*): ", r"\1\2s: ", file.read_text(encoding="utf-8")), encoding="utf-8")
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *options]
    good, bad = (subprocess.run([*check, path], capture_output=True, text=True, check=False) for path in (file, wrong))

    assert good.returncode == 0, good.stdout
    assert bad.returncode == 1, bad.stdout
