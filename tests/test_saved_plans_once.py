"""A saved plan is carried out once, by one process; what ended early goes on, and what is over is over."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from databases import BOTH, journal_on
from end_to_end import aim, command, copy_sample
from firm import LONG_S
from killing import Killer
from migrations import REFUSED, Mover, customer, invoice, open_mover
from recorder import Recorder
from test_saved_plans import apply, plan, refused

from importer.sandbox import Fault, Settings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
CUSTOMERS_N, INVOICES_N = 4, 8


@pytest.fixture(params=BOTH)
def mover(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    with open_mover(tmp_path, request.param) as opened:
        fill(opened)
        yield opened


@pytest.fixture
def local(tmp_path: Path) -> Any:
    with open_mover(tmp_path) as opened:
        fill(opened)
        yield opened


@pytest.fixture(scope="module")
def killer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killer]:
    with Killer(tmp_path_factory.mktemp("killer")) as opened:
        yield opened


def fill(mover: Mover) -> None:
    mover.customers(*(customer(n) for n in range(1, CUSTOMERS_N + 1)))
    mover.invoices(*(invoice(n, f"K-{1 + n % CUSTOMERS_N}") for n in range(1, INVOICES_N + 1)))


def whole(mover: Mover) -> None:
    """See that everything is there, once, and on its customer."""
    assert mover.held == [(f"F{n:04}", f"Kunde {1 + n % CUSTOMERS_N}") for n in range(1, INVOICES_N + 1)]
    assert len(mover.names) == CUSTOMERS_N


# -- once ----------------------------------------------------------------------------------------------------------


def test_a_plan_is_sent_once(mover: Mover) -> None:
    """The second time it says when and by which runs it was carried out; a new plan finds nothing to send."""
    told = plan(mover)
    first = apply(mover)
    assert first.code == 0
    whole(mover)

    runs = [step["run_id"] for step in first.results["steps"]]
    refused(mover, "The plan was carried out on", f"(run {runs[0]}, {runs[1]}); it is sent once.")
    assert mover.rows("SELECT DISTINCT plan_id FROM run") == [(told["plan_id"],)]
    again = plan(mover, file="again.plan")
    assert {one["status"] for step in again["steps"] for one in step["documents"]} == {"already_accepted"}


def test_a_plan_that_ended_with_rejections_is_over(mover: Mover) -> None:
    """Exit 4: the rejected are for a new plan."""
    mover.customers(customer(1), customer(2, REFUSED), customer(3), customer(4))
    plan(mover)

    assert apply(mover).code == 4
    refused(mover, "it is sent once", "Make a new plan for what is left.")


def test_a_plan_that_ended_in_doubt_is_over(tmp_path: Path) -> None:
    """Exit 5: what is in doubt is found by the next run, not sent by the plan again."""
    with open_mover(tmp_path, settings=Settings(lists_lag_s=300)) as mover:
        fill(mover)
        plan(mover)
        mover.fail(Fault(match="POST customer", kind="cut_after", nth=2))
        assert apply(mover, "--workers", "1").code == 5
        mover.fail()
        refused(mover, "it is sent once")
        mover.ahead_s = LONG_S
        assert mover.run().code == 0
        whole(mover)


def test_two_processes_that_apply_one_plan_send_it_once(mover: Mover) -> None:
    """One carries it out, the other says that it did not."""
    plan(mover)
    mover.fail(Fault(match="POST customer", kind="late", every=1, delay_s=0.1))
    given = ["run", "--plan", "now.plan", "--yes", *mover.told]
    with mover.running(*given) as first, mover.running(*given) as second:
        ended = [(*process.communicate(timeout=120), process.returncode) for process in (first, second)]

    assert sorted(code for *_, code in ended) == [0, 3], ended
    told = next(errors for _, errors, code in ended if code == 3)
    assert "This one sent nothing." in told or "it is sent once" in told
    assert mover.writes == CUSTOMERS_N + INVOICES_N
    whole(mover)


# -- goes on -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "moment",
    [
        "return carry_out 1",
        "call Journal.start_run 1",
        "return Journal.claim 2",
        "call Session.write 3, return _Watched.send 2",
        "call Journal.start_run 2",
        "return Journal.claim 7",
        "call Session.write 8, return _Watched.send 2",
        "return Journal.settle 11",
        "call Journal.finish_run 2",
    ],
)
def test_a_plan_whose_process_was_killed_goes_on(killer: Killer, mover: Mover, moment: str) -> None:
    """Applied again it sends the rest, each document once with the plan's own body; then it is over."""
    with Recorder(mover.box.base_url) as recorder:
        aim(mover.project, recorder.base_url)
        data = plan(mover)
        given = ["run", "--plan", "now.plan", "--yes", "--workers", "1", "--quiet", *mover.told]
        killer.kill(moment, given, mover.project)
        mover.ahead_s = LONG_S
        assert apply(mover).code == 0
        whole(mover)
        refused(mover, "it is sent once")

    numbers = {name.removeprefix("Kunde "): number for number, name in mover.names.items()}
    planned = {one["body"] for step in data["steps"] for one in step["documents"]}
    for old, number in numbers.items():
        planned = {body.replace(f"⟦customers: K-{old}⟧", number) for body in planned}
    assert {body.decode() for _, _, body in recorder.writes} <= planned


@pytest.mark.parametrize("moment", ["return Journal.claim 3", "return Journal.settle 2", "return Journal.settle 7"])
def test_a_killed_plan_of_creates_and_changes_goes_on(killer: Killer, local: Mover, moment: str) -> None:
    """What was created or changed already is not done again; the rest is held against the plan as at first."""
    for file in copy_sample("customers-upsert", local.project.parent).iterdir():
        shutil.copy(file, local.project)
    data = plan(local, "mapping.yaml")
    wanted = [one for one in data["steps"][0]["documents"] if one["status"] is None]
    given = ["run", "--plan", "now.plan", "--yes", "--workers", "1", "--quiet", *local.told]
    killer.kill(moment, given, local.project)

    local.ahead_s = LONG_S
    done = local.do("run", "--plan", "now.plan", "--yes")
    assert done.code == 0, done.out + done.err
    assert len(wanted) <= local.writes <= len(wanted) + 1
    again = plan(local, "mapping.yaml", file="again.plan")
    assert [one for one in again["steps"][0]["documents"] if one["status"] is None] == []
    refused(local, "it is sent once")


def test_a_plan_that_was_stopped_goes_on(mover: Mover) -> None:
    """Exit 6, in the middle of step 2 and between the steps: applied again it sends what is left."""
    plan(mover)
    mover.fail(Fault(match="GET /v1/customerinvoice", kind="400_plain", since="POST customer", since_nth=CUSTOMERS_N))
    assert apply(mover, "--workers", "1").code == 6
    assert (len(mover.names), len(mover.held)) == (CUSTOMERS_N, 0)
    mover.fail(Fault(match="POST customerinvoice", kind="401", since="POST customerinvoice", since_nth=3))
    assert apply(mover, "--workers", "1").code == 6
    assert len(mover.held) == 3
    mover.fail()

    assert apply(mover, "--workers", "1").code == 0
    whole(mover)
    refused(mover, "it is sent once")


def test_another_run_between_two_tries_makes_the_plan_stale(killer: Killer, mover: Mover) -> None:
    """What the plan's own runs did does not; what another run did does."""
    plan(mover)
    given = ["run", "--plan", "now.plan", "--yes", "--workers", "1", "--quiet", *mover.told]
    killer.kill("call Journal.start_run 2", given, mover.project)
    file = mover.project / "invoices.xlsx"
    before = file.read_bytes()
    mover.invoices(invoice(1, "K-2"))
    assert mover.run("invoices.yaml").code == 0
    file.write_bytes(before)

    refused(mover, "The journal has moved since")


def test_a_persons_word_makes_the_plan_stale(local: Mover) -> None:
    """What somebody settled by hand since the plan was made is not what it was made of."""
    local.fail(Fault(match="POST customer", kind="cut_before", nth=1))
    assert local.run("customers.yaml", "--workers", "1", "--only", "K-1").code == 5
    plan(local)
    code, *_ = command("resolve", "--key", "K-1", "--not-there", "--yes", *local.told, cwd=local.project)
    assert code == 0
    local.fail()

    refused(local, "The journal has moved since")


def test_a_plan_with_problems_is_not_sent(local: Mover) -> None:
    """Unless the good documents are to be sent all the same: then these go and no others."""
    local.invoices(invoice(1, "K-1"), (*invoice(2, "K-2")[:4], "two", 3))
    plan(local, code=3)

    refused(local, "so nothing was sent")
    assert apply(local, "--skip-invalid").code == 4
    assert local.held == [("F0001", "Kunde 1")]


def test_what_became_possible_since_is_not_sent_by_the_plan(tmp_path: Path) -> None:
    """A document that the plan holds for doubtful stays unsent, although it turns out not to be there."""
    with open_mover(tmp_path) as mover:
        fill(mover)
        mover.fail(Fault(match="POST customer", kind="cut_before", nth=2))
        assert mover.run("customers.yaml", "--workers", "1").code == 5
        mover.fail()
        data = plan(mover, "customers.yaml")
        assert [one["status"] for one in data["steps"][0]["documents"]].count("unknown") == 1
        mover.ahead_s = LONG_S

        done = mover.do("run", "--plan", "now.plan", "--yes")
        assert done.code in {5, 6}
        assert len(mover.names) == CUSTOMERS_N - 1
        assert mover.run("customers.yaml").code == 0
        assert len(mover.names) == CUSTOMERS_N


# -- carried elsewhere ---------------------------------------------------------------------------------------------


def test_an_exported_journal_tells_that_a_plan_was_sent(tmp_path: Path, local: Mover) -> None:
    """On another machine, too, it is refused; the sequence's report can be written there; the later carrier is kept."""
    plan(local)
    assert apply(local).code == 0
    told = ["--journal", local.journal]
    assert command("journal", "export", "out.jsonl", *told, cwd=local.project)[0] == 0
    with journal_on("sqlite", tmp_path / "other") as other:
        Path(other).parent.mkdir(parents=True)
        code, out, err = command("journal", "import", "out.jsonl", "--journal", other, cwd=local.project)
        assert (code, "1 applied plan" in out) == (0, True), err
        home, local.journal = local.journal, other
        refused(local, "it is sent once")
        code, out, _ = command("report", "--journal", other, "--report", "there", cwd=local.project)
        assert (code, "2 of 2 steps" in out) == (0, True)
        before = local.rows("SELECT run_id FROM applied")
        local.journal = home
        lines = (local.project / "out.jsonl").read_text(encoding="utf-8")
        (carrier,) = before[0]
        for year, kept in (("1999", carrier), ("2999", "2999" + carrier[4:])):
            local.write("moved.jsonl", lines.replace(f'"run_id": "{carrier}"', f'"run_id": "{year}{carrier[4:]}"'))
            assert command("journal", "import", "moved.jsonl", "--journal", other, cwd=local.project)[0] == 0
            local.journal = other
            assert local.rows("SELECT run_id FROM applied") == [(kept,)]


def test_a_plan_of_a_migration_is_a_workbook_that_opens(local: Mover) -> None:
    """Its sheets have titles that are legal and told apart, whatever the steps are called."""
    odd = ["a" * 60, "a" * 60 + "b", "[x]:*?/\\", "'quoted'", "History", "æøå ⟦⟧"]
    steps = "".join(f"  - {{name: {json.dumps(name)}, mapping: customers.yaml}}\n" for name in odd)
    local.write("migration.yaml", f"version: 1\nsteps:\n{steps}")
    assert local.do("plan", "migration.yaml", "-o", "plan.xlsx").code == 0

    titles = openpyxl.load_workbook(local.project / "plan.xlsx").sheetnames
    assert len({title.casefold() for title in titles}) == 3 * len(odd)
    assert all(len(title) <= 31 and not set(title) & set("[]:*?/\\") for title in titles)
    assert all(title.strip("'") == title and title.casefold() != "history" for title in titles)
    if office := shutil.which("soffice"):
        subprocess.run(
            [office, "--headless", "--convert-to", "ods", "plan.xlsx"], cwd=local.project, check=True, timeout=120
        )
        assert (local.project / "plan.ods").stat().st_size > 1000
