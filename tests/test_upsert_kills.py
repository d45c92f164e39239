"""An upsert that is killed, or run twice at once, on both databases: each customer once, what it replaced is kept."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from databases import BOTH, journal_on
from end_to_end import TARGET, Ran, aim, run_here, write_workbook
from firm import LONG_S, wait_for
from killing import Killer

from importer.cli import run_command
from importer.sandbox import Fault, Sandbox, inspect

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
MAPPING = """\
version: 1
endpoint: customer.upsert
workbook: {file: rows.xlsx}
key: Key
fields:
  number: {column: No, blank: omit}
  corporateId: {column: Org, blank: omit}
  name: Name
"""
HEADERS = ("Key", "No", "Org", "Name")
#: Accepted before, so that a look-up can be seen to find something; then one that is new, one that is changed.
KNOWN, NEW, CHANGED = ("Z", None, "111", "Kjent"), ("A", None, "777", "Ny"), ("B", "10001", None, "Annet")
#: The 1st write creates, the 2nd one updates.
MOMENTS = {
    "between claim and send": ("return Journal.claim {}", False),
    "after the last byte": ("call Session.write {}, return _Watched.send 2", True),
    "between answer and settle": ("call Journal.settle {}", True),
}


class Shop:
    """Hold a project that upserts customers, its journal and its company."""

    def __init__(self, folder: Path, journal: str, box: Sandbox) -> None:
        self.project, self.state, self.box = folder / "project", folder / "company", box
        self.arguments = ["run", "mapping.yaml", *TARGET, "--journal", journal, "--workers", "1", "--quiet"]
        self.journal = journal
        self.project.mkdir()
        (self.project / "mapping.yaml").write_text(MAPPING, encoding="utf-8")
        aim(self.project, box.base_url)
        self.was = self.name("10001")
        assert self.run(KNOWN).counts == {"accepted": 1}
        self.put(NEW, CHANGED)

    def put(self, *rows: tuple[Any, ...]) -> None:
        """Write the workbook."""
        write_workbook(self.project / "rows.xlsx", rows, HEADERS)

    def run(self, *rows: tuple[Any, ...]) -> Ran:
        """Run the mapping, on other rows where they are given."""
        if rows:
            self.put(*rows)
        return run_here(self.project, *self.arguments[2:])

    def name(self, number: str) -> str:
        """Return the name of a customer."""
        every = inspect.documents(self.state, "customer", seed=True)
        return next(each["body"]["name"]["value"] for each in every if each["number"] == number)

    @property
    def created(self) -> list[str]:
        """Return the names of the customers that were created."""
        return [each["body"]["name"]["value"] for each in inspect.documents(self.state, "customer")]

    def see_all_end_well(self) -> None:
        """See that the next run ends with 0, and each customer is there once, as the workbook says."""
        assert self.run().code == 0
        assert sorted(self.created) == ["Kjent", "Ny"]
        assert self.name("10001") == "Annet"
        arguments = ["resolve", *TARGET[:2], "--journal", self.journal, "--quiet"]
        assert run_command(arguments) == 0, "something is left in doubt"


@contextmanager
def open_shop(database: str, folder: Path) -> Iterator[tuple[Shop, list[int]]]:
    """Open a shop; the one number in the list is how far the company's clock is ahead of ours."""
    ahead = [0]
    box = Sandbox(folder / "company", clock=lambda: time.time() + ahead[0])
    with journal_on(database, folder) as journal, pytest.MonkeyPatch.context() as patch, box:
        shop = Shop(folder, journal, box)
        patch.chdir(shop.project)
        yield shop, ahead


@pytest.fixture(scope="module")
def killer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killer]:
    with Killer(tmp_path_factory.mktemp("killer")) as opened:
        yield opened


@pytest.mark.parametrize("database", BOTH)
@pytest.mark.parametrize("write", [1, 2], ids=["create", "update"])
@pytest.mark.parametrize("when", MOMENTS)
def test_a_kill_creates_no_second_customer_and_keeps_what_was_replaced(
    killer: Killer, tmp_path: Path, when: str, write: int, database: str
) -> None:
    """Killed between claim and answer: the old name is in the report, and the next run completes the rest once."""
    moment, there = MOMENTS[when]
    with open_shop(database, tmp_path) as (shop, ahead):
        killer.kill(moment.format(write), shop.arguments, shop.project)
        if write == 1:
            wait_for(lambda: ("Ny" in shop.created) is there)
        else:
            wait_for(lambda: (shop.name("10001") == "Annet") is there)
        assert run_command(["report", "--report", "killed", "--journal", shop.journal, "--quiet"]) == 0
        replaced = shop.project / "killed" / "replaced.xlsx"
        assert replaced.exists() is (write == 2)
        if write == 2:
            sheet = openpyxl.load_workbook(replaced).worksheets[0]
            assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [
                ["Number", "name"],
                ["10001", shop.was],
            ]
        ahead[0] = LONG_S
        writes = inspect.writes(shop.state)
        shop.see_all_end_well()
        assert inspect.writes(shop.state) - writes == 2 - (write - 1) - there


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    "kind", ["cut_before", "cut_after", "500_before", "500_after", "502_html", "202", "307", "400_plain", "429", "401"]
)
def test_a_fault_of_a_create_or_an_update_never_doubles_and_never_loses_it(
    tmp_path: Path, method: str, kind: Any
) -> None:
    """Whatever goes wrong with the one write: once time has passed the next run completes it, each customer once."""
    with open_shop("sqlite", tmp_path) as (shop, ahead):
        shop.box.faults.append(Fault(match=f"{method} /v1/customer", kind=kind, nth=1))
        ran = shop.run()
        looked_up = method == "POST" and kind in {"cut_after", "500_after"}
        assert ran.code == (0 if looked_up or kind in {"202", "429", "401"} else 5)
        assert len([name for name in shop.created if name == "Ny"]) <= 1
        shop.box.faults.clear()
        ahead[0] = LONG_S
        shop.see_all_end_well()


@pytest.mark.parametrize("database", BOTH)
def test_two_processes_at_once_create_a_customer_once_and_update_it_once(
    killer: Killer, tmp_path: Path, database: str
) -> None:
    """One stands still with its claim of the create in hand; the other leaves that alone and updates: a 412 for one."""
    with open_shop(database, tmp_path) as (shop, _):
        frozen = killer.start("return Journal.claim 1 stop", shop.arguments, shop.project)
        frozen.wait_until_frozen()
        other = shop.run()
        assert (other.code, other.counts) == (5, {"unknown": 1, "accepted": 1})
        frozen.strike(signal.SIGCONT)
        assert frozen.wait() == 4, frozen.said
        puts = [each.status for each in shop.box.requests_log if each.method == "PUT"]
        assert puts == [204, 412]
        shop.see_all_end_well()
