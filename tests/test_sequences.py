"""Mappings in order: what refers to a document that is not there waits and says why; nothing else stops."""

import signal
import sys
import time
from pathlib import Path

import pytest
from databases import BOTH
from firm import wait_for
from migrations import (
    CUSTOMERS,
    INVOICES,
    MIGRATION,
    REFUSED,
    Mover,
    customer,
    invoice,
    local,
    mover,
    open_mover,
    results_of,
)

from importer.journal import open_journal
from importer.sandbox import Fault, Settings

__all__ = ["local", "mover"]

#: Customers of which one is refused, and invoices of which three refer to it.
BAD = (customer(1), customer(2, REFUSED), customer(3))
FIVE = (invoice(1, "K-1"), invoice(2, "K-2"), invoice(3, "K-2"), invoice(4, "K-2"), invoice(5, "K-3"))
WITHOUT_ANSWER = Fault(match="POST customer", kind="cut_after", nth=2)
#: After that nothing can be looked up.
BLIND = Fault(match="GET /v1", kind="400_plain", since="POST customer", since_nth=2)


# -- what is blocked, and by what ----------------------------------------------------------------------------------


def test_a_rejected_customer_blocks_its_invoices_and_nothing_else(mover: Mover) -> None:
    """Each of the three says the customer's row and why it was refused; once it is accepted exactly these go."""
    mover.customers(*BAD)
    mover.invoices(*FIVE)

    first = mover.run()
    assert first.code == 4
    assert first.statuses("invoices") == {
        "F0001": "accepted",
        **dict.fromkeys(("F0002", "F0003", "F0004"), "not_sent"),
        "F0005": "accepted",
    }
    told = {text for key, text in first.messages("invoices").items() if key in {"F0002", "F0003", "F0004"}}
    assert len(told) == 1
    assert "customers 'K-2' (customers.xlsx, sheet Invoices, row 3), which is rejected: " in (message := told.pop())
    assert "Credit terms TT not found. Not sent; the run after that one is accepted sends it." in message
    assert "not_sent F0002, F0003, F0004 (rows 3" in first.out

    mover.customers(customer(1), customer(2), customer(3))
    before = mover.writes
    second = mover.run()
    assert second.code == 0
    assert mover.writes - before == 1 + 3
    assert [key for key, status in second.statuses("invoices").items() if status == "accepted"] == [
        "F0002",
        "F0003",
        "F0004",
    ]
    assert mover.held == [
        ("F0001", "Kunde 1"),
        *((key, "Kunde 2") for key in ("F0002", "F0003", "F0004")),
        ("F0005", "Kunde 3"),
    ]


def test_invoices_of_a_customer_in_doubt_wait(mover: Mover) -> None:
    """Nothing is sent for them and the run ends with 5; once the customer is found they go, each once."""
    mover.invoices(*FIVE[:4])
    mover.fail(WITHOUT_ANSWER, BLIND)

    first = mover.run("customers.yaml", "--workers", "1")
    mover.fail()
    waiting = mover.run("invoices.yaml", "--workers", "1")
    assert (first.code, waiting.code) == (5, 5)
    assert mover.held == [("F0001", "Kunde 1")]

    mover.fail()
    assert mover.run().code == 0
    assert [key for key, _ in mover.held] == ["F0001", "F0002", "F0003", "F0004"]


@pytest.mark.parametrize("database", BOTH)
def test_a_step_in_doubt_lets_the_next_begin_and_the_whole_ends_with_5(tmp_path: Path, database: str) -> None:
    """What does not refer to the customer in doubt is sent; once that one is found the rest goes, each once."""
    with open_mover(tmp_path, database, Settings(lists_lag_s=300)) as mover:
        mover.invoices(*FIVE[:4])
        mover.fail(WITHOUT_ANSWER)

        done = mover.run("migration.yaml", "--workers", "1")
        assert (done.code, done.results["exit_code"]) == (5, 5)
        assert done.statuses("customers") == {"K-1": "accepted", "K-2": "unknown"}
        assert mover.held == [("F0001", "Kunde 1")]
        assert "which is unknown: " in done.messages("invoices")["F0002"]

        mover.ahead_s = 700
        mover.fail()
        assert mover.run().code == 0
        assert [key for key, _ in mover.held] == ["F0001", "F0002", "F0003", "F0004"]


# -- what ends a sequence early ------------------------------------------------------------------------------------


def test_a_stopped_step_begins_no_further_one(mover: Mover) -> None:
    """The stop rule that the migration declares ends step 1; exit 6, no invoice was looked at, and it says why."""
    mover.customers(*(customer(number, REFUSED) for number in range(1, 6)))
    mover.invoices(invoice(1, "K-1"))
    rules = MIGRATION.replace("customers.yaml", "customers.yaml\n    stop: {same_rejections: 2}")
    mover.write("migration.yaml", rules)

    done = mover.run("migration.yaml", "--workers", "1")
    assert (done.code, mover.writes) == (6, 2)
    assert "The step customers was stopped." in done.out
    assert [step["step"] for step in done.results["steps"]] == ["customers"]
    assert "1 of 2 steps did not begin." in done.results["stopped"]
    assert mover.rows("SELECT count(*) FROM run") == [(1,)]


@pytest.mark.parametrize(("most", "code", "begun"), [(0, 6, 1), (1, 4, 2)])
def test_more_failures_than_a_step_may_have_end_the_sequence(local: Mover, most: int, code: int, begun: int) -> None:
    """One rejected customer with `failures: 0` keeps the invoices from beginning, with `failures: 1` it does not."""
    local.customers(*BAD)
    local.write(
        "migration.yaml", MIGRATION.replace("customers.yaml", f"customers.yaml\n    stop: {{failures: {most}}}")
    )

    done = local.run()
    assert (done.code, len(done.results["steps"])) == (code, begun)
    assert ("1 document of the step customers failed" in done.out) == (begun == 1)


def test_problems_of_a_later_step_keep_everything_back_unless_they_are_skipped(local: Mover) -> None:
    """Nothing is sent, not even of step 1; with skip_invalid of that step the good ones go."""
    local.invoices(invoice(1, "K-1"), (*invoice(2, "K-2")[:4], "two", 3))

    held = local.run()
    assert (held.code, local.writes) == (3, 0)
    assert "Step 2 of 2: invoices" in held.out

    local.write("migration.yaml", MIGRATION.replace("invoices.yaml", "invoices.yaml\n    skip_invalid: true"))
    done = local.run()
    assert (done.code, local.held) == (4, [("F0001", "Kunde 1")])


def test_the_api_failing_before_a_later_step_is_a_stop_and_no_failure_to_start(local: Mover) -> None:
    """Documents of step 1 are there, so exit 6 and the report tells them; the next run goes on."""
    local.fail(Fault(match="GET /v1/customerinvoice", kind="400_plain"))

    done = local.run()
    assert done.code == 6
    assert done.statuses("customers") == {"K-1": "accepted", "K-2": "accepted"}
    assert "The step invoices could not begin." in done.out
    local.fail()
    assert local.run().code == 0
    assert len(local.held) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")
@pytest.mark.parametrize(
    ("where", "until"),
    [
        ("POST customer", "SELECT count(*) FROM attempt WHERE endpoint = 'customer.create'"),
        ("GET /v1/customerinvoice", "SELECT count(*) FROM run WHERE exit_code = 0"),
        ("POST customerinvoice", "SELECT count(*) FROM attempt WHERE endpoint = 'customerInvoice.create'"),
    ],
)
def test_ctrl_c_ends_a_sequence_after_what_is_in_flight(local: Mover, where: str, until: str) -> None:
    """Within a step, between two and within the next: exit 6 no false word, and the next run goes on."""
    open_journal(local.journal).close()
    local.fail(Fault(match=where, kind="late", nth=1, delay_s=1.5))
    with local.running(*local.arguments("migration.yaml", "--workers", "1", "--report", "told")) as process:
        wait_for(lambda: local.rows(until) == [(1,)])
        time.sleep(0.4)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
    local.fail()

    assert process.returncode == 6, out + errors
    assert "nothing was sent" not in out.replace("nothing was sent. ", "")
    assert results_of(local.project / "told")["exit_code"] == 6
    assert local.run().code == 0
    assert len(local.held) == 3


# -- one by one ----------------------------------------------------------------------------------------------------


def test_steps_run_one_by_one_leave_what_the_sequence_leaves(tmp_path: Path) -> None:
    """The same bodies in the company and the same states in the journal: by the migration, its steps, its mappings."""
    left = []
    for name, commands in (
        ("whole", [["migration.yaml"]]),
        ("steps", [["migration.yaml", "--step", "customers"], ["migration.yaml", "--step", "invoices"]]),
        ("mappings", [["customers.yaml"], ["invoices.yaml"]]),
    ):
        with open_mover(tmp_path / name) as mover:
            mover.customers(*BAD)
            mover.invoices(*FIVE)
            codes = [mover.run(*given, "--workers", "1").code for given in commands]
            states = mover.rows("SELECT key, state, fingerprint, identity, number FROM attempt ORDER BY attempt_id")
            outcomes = mover.rows("SELECT key, status, rows, message FROM result ORDER BY key")
            left.append((max(codes), mover.held, states, outcomes))

    assert left[0] == left[1] == left[2]
    assert left[0][0] == 4


def test_a_step_that_does_not_exist_is_refused_with_what_is_meant(local: Mover) -> None:
    """--step names steps; --step with a mapping, --limit, --only and a workbook with a migration are refused."""
    for given, told in (
        (["migration.yaml", "--step", "invoice"], "Did you mean 'invoices'"),
        (["customers.yaml", "--step", "customers"], "is none"),
        (["migration.yaml", "--limit", "1"], "for one mapping"),
        (["migration.yaml", "--only", "K-1"], "for one mapping"),
        (["migration.yaml", "customers.xlsx"], "names its workbooks itself"),
    ):
        done = local.run(*given)
        assert (done.code, told in done.err, local.writes) == (2, True, 0), done.err


def test_an_invoice_accepted_earlier_is_already_accepted_once_its_customer_is_known(local: Mover) -> None:
    """Its fingerprint is that of the body with the number, whichever way it was sent."""
    assert local.run().code == 0
    before = local.writes

    for what in ("migration.yaml", "invoices.yaml"):
        assert local.run(what).code == 0
    assert local.writes == before
    assert {status for (status,) in local.rows("SELECT status FROM result WHERE key LIKE 'F%'")} == {
        "accepted",
        "already_accepted",
    }


def test_a_chain_of_three_steps_blocks_to_its_end(local: Mover) -> None:
    """A credit note refers to an invoice whose customer was refused: it waits too, and tells the invoice's row."""
    local.customers(*BAD)
    local.invoices(invoice(1, "K-1"), invoice(2, "K-2"))
    local.write(
        "notes.yaml",
        INVOICES.replace("name: invoices", "name: notes")
        .replace("key: Invoice no", "key: {template: \"{{ 'N-' ~ row['Invoice no'] }}\"}")
        .replace("externalReference: Invoice no", "externalReference: {template: \"{{ 'N-' ~ row['Invoice no'] }}\"}")
        .replace("fields:\n", "fields:\n  note: {document: invoices, key: Invoice no}\n"),
    )
    local.write("migration.yaml", MIGRATION + "  - mapping: notes.yaml\n")

    done = local.run()
    assert done.code == 4
    assert done.statuses("notes") == {"N-F0001": "accepted", "N-F0002": "not_sent"}
    message = done.messages("notes")["N-F0002"]
    assert (
        "invoices 'F0002' (invoices.xlsx, sheet Invoices, row 3), which is not sent: It refers to customers" in message
    )
    assert "customers 'K-2' (customers.xlsx, sheet Invoices, row 3), which is rejected" in message


def test_two_steps_take_the_same_mapping_with_other_workbooks(local: Mover) -> None:
    """Each has a name of its own, by which the invoices refer to the one that is meant."""
    local.write("customers.yaml", CUSTOMERS.replace("workbook: {file: customers.xlsx, sheet: Invoices}\n", ""))
    (local.project / "customers.xlsx").rename(local.project / "old.xlsx")
    local.customers(customer(7))
    local.write("invoices.yaml", INVOICES.replace("document: customers", "document: new ones"))
    local.invoices(invoice(1, "K-7"))
    steps = "".join(
        f"  - {{name: {name}, mapping: customers.yaml, workbook: {file}}}\n"
        for name, file in (("old ones", "old.xlsx"), ("new ones", "customers.xlsx"))
    )
    local.write("migration.yaml", MIGRATION.replace("  - mapping: customers.yaml\n", steps))

    done = local.run()
    assert (done.code, local.held) == (0, [("F0001", "Kunde 7")])
    assert [step["folder"] for step in done.results["steps"]] == ["01-old-ones", "02-new-ones", "03-invoices"]
