"""A plan in a file is sent exactly and once: byte for byte what it holds, by one process, or refused with a reason."""

import json
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from end_to_end import aim, command, write_workbook
from migrations import (
    INVOICE_HEADERS,
    INVOICES,
    Done,
    Mover,
    customer,
    invoice,
    local,
    mover,
)
from recorder import Recorder

from importer.sandbox import inspect

__all__ = ["local", "mover"]

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither SIGKILL nor modes")
MARK = "⟦"
SINGLE = INVOICES.replace("{document: customers, key: Old customer}", "Old customer")


def plan(mover: Mover, what: str = "migration.yaml", *options: str, file: str = "now.plan", code: int = 0) -> Any:
    """Save a plan; return what its file holds."""
    done = mover.do("plan", what, "-o", file, *options)
    assert done.code == code, done.out + done.err
    return json.loads((mover.project / file).read_text(encoding="utf-8"))


def apply(mover: Mover, *options: str, file: str = "now.plan") -> Done:
    """Send a saved plan."""
    done = mover.do("run", "--plan", file, "--yes", *options)
    mover.check()
    return done


def refused(mover: Mover, *told: str, options: tuple[str, ...] = (), code: int = 3) -> None:
    """See that a plan is not sent, that it says why, and that nothing was sent."""
    before = mover.writes
    done = apply(mover, *options)
    said = " ".join((done.out + done.err).split())
    assert (done.code, mover.writes) == (code, before), said
    assert [text for text in told if text not in said] == [], said


# -- exactly that --------------------------------------------------------------------------------------------------


def test_what_is_sent_is_what_the_file_holds_byte_for_byte(mover: Mover) -> None:
    """Each request's body is the file's; where it lacks a number, with that number in its place."""
    mover.invoices(*(invoice(n, f"K-{1 + n % 2}", 'Kaffe «æøå» "x" \\ \u2028 1,10') for n in range(1, 6)))
    with Recorder(mover.box.base_url) as recorder:
        aim(mover.project, recorder.base_url)
        data = plan(mover)
        assert recorder.writes == []
        assert apply(mover, "--workers", "1").code == 0

    numbers = {name.removeprefix("Kunde "): number for number, name in mover.names.items()}
    wanted = []
    for step in data["steps"]:
        for document in step["documents"]:
            body = document["body"]
            for old, number in numbers.items():
                body = body.replace(f"⟦customers: K-{old}⟧", number)
            assert MARK not in body
            wanted.append(body.encode())
    assert [body for _, _, body in recorder.writes] == wanted
    assert sum(MARK in document["body"] for document in data["steps"][1]["documents"]) == 5


def test_a_plan_of_an_update_that_compares_is_sent_as_it_is(local: Mover) -> None:
    """Only the difference; once the company holds something else there, the plan is refused."""
    local.write(
        "update.yaml",
        "version: 1\nname: update\nendpoint: customer.update\nworkbook: {file: update.xlsx, sheet: Invoices}\n"
        "compare: true\nkey: No\nfields:\n  name: Name\n  creditTermsId: Terms\n",
    )
    customers = [one["number"] for one in inspect.documents(local.state, "customer", seed=True)[:3]]
    write_workbook(local.project / "update.xlsx", [(n, f"Nytt {n}", "30") for n in customers], ("No", "Name", "Terms"))
    data = plan(local, "update.yaml")
    assert all("Nytt" in one["body"] for one in data["steps"][0]["documents"])

    local.write(
        "other.yaml",
        (local.project / "update.yaml")
        .read_text()
        .replace("name: update", "name: other")
        .replace("update.xlsx", "other.xlsx"),
    )
    write_workbook(
        local.project / "other.xlsx", [(customers[1], f"Nytt {customers[1]}", "14")], ("No", "Name", "Terms")
    )
    assert local.do("run", "other.yaml", "--yes", "--journal", str(local.project / "else.db")).code == 0
    refused(local, f"update '{customers[1]}': what it would send, or replace, is another now.")

    plan(local, "update.yaml")
    with Recorder(local.box.base_url) as recorder:
        aim(local.project, recorder.base_url)
        data = json.loads((local.project / "now.plan").read_text(encoding="utf-8"))
        assert apply(local, "--workers", "1").code == 0
    assert [body.decode() for _, _, body in recorder.writes] == [one["body"] for one in data["steps"][0]["documents"]]


def test_a_plan_of_an_action_is_sent_once(local: Mover) -> None:
    """What has no body is bound to its key."""
    assert local.run().code == 0
    numbers = [one["number"] for one in inspect.documents(local.state, "customerInvoice")]
    local.write(
        "release.yaml",
        "version: 1\nname: release\nendpoint: customerInvoice.release\n"
        "workbook: {file: release.xlsx, sheet: Invoices}\nkey: No\n",
    )
    write_workbook(local.project / "release.xlsx", [(number,) for number in numbers], ("No",))
    plan(local, "release.yaml")

    assert apply(local).code == 0
    assert len(inspect.actions(local.state, "customerInvoice", "release")) == 3
    refused(local, "it is sent once")


def test_limit_only_and_parameters_are_kept_in_the_plan(local: Mover) -> None:
    """What was left out stays out, and the parameter has the value that it had."""
    local.write(
        "one.yaml",
        SINGLE.replace("name: invoices", "name: one")
        .replace("key: Invoice no", "parameters: {t: {type: text}}\nkey: Invoice no")
        .replace("description: Text", "description: {template: '{{ param.t }}'}"),
    )
    local.invoices(*(invoice(n, "10000") for n in range(1, 5)))
    data = plan(local, "one.yaml", "--param", "t=æ=1", "--limit", "3", "--only", "F0002", "--only", "F0004")
    assert data["arguments"]["param"] == ["t=æ=1"]

    assert apply(local).code == 0
    assert [key for key, _ in local.held] == ["F0002", "F0004"]
    assert {one["invoiceLines"][0]["description"]["value"] for one in local.sent()} == {"æ=1"}


# -- the file ------------------------------------------------------------------------------------------------------


@POSIX
def test_the_file_is_for_its_owner_alone_and_whole(local: Mover) -> None:
    """Also where it was there before with wider rights; one that cannot be written leaves the old one as it was."""
    file = local.write("now.plan", "old")
    file.chmod(0o666)
    plan(local)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    before, mode = file.read_bytes(), local.project.stat().st_mode
    (local.project / "folder.plan").mkdir()
    for name in ("folder.plan", "nowhere/now.plan"):
        assert local.do("plan", "migration.yaml", "-o", name).code == 3
    assert (file.read_bytes(), local.project.stat().st_mode) == (before, mode)
    assert [one.name for one in local.project.iterdir() if one.name.endswith(".part")] == []


def test_a_plan_that_was_edited_cut_or_is_newer_is_refused(local: Mover) -> None:
    """One digit of one body, a cut file, another format, something else altogether: nothing is sent."""
    plan(local)
    file = local.project / "now.plan"
    whole = file.read_text(encoding="utf-8")
    for text, told in (
        (whole.replace("Kaffe", "Kaffi", 1), "is not as it was made"),
        (whole.replace('"company": "1', '"company": "2', 1), "is not as it was made"),
        (whole.replace('"sha256": "', '"sha256": "0', 1), "is not as it was made"),
        (whole[:-20], "is no saved plan"),
        (whole[: len(whole) // 2], "is no saved plan"),
        (whole.replace('"format_version": 1', '"format_version": 2', 1), "has format 2; this program reads 1"),
        ("{}", "is no saved plan"),
        ("", "is no saved plan"),
    ):
        assert text != whole
        file.write_text(text, encoding="utf-8")
        refused(local, told)
    file.write_bytes(b"\xff\xfe")
    refused(local, "is no saved plan")
    file.unlink()
    refused(local, "cannot be read")


def test_other_arguments_beside_a_plan_are_refused(local: Mover) -> None:
    """The plan holds the mapping, the workbook and their options already."""
    plan(local)
    for given in (["migration.yaml"], ["--limit", "1"], ["--only", "K-1"], ["--param", "a=b"], ["--step", "customers"]):
        done = local.do("run", *given, "--plan", "now.plan", "--yes")
        assert (done.code, local.writes) == (2, 0)
        assert "name nothing else" in done.err


def test_a_plan_is_run_where_it_was_made(local: Mover, tmp_path: Path) -> None:
    """Elsewhere its mapping is not found, and it says so."""
    plan(local)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    code, _, err = command("run", "--plan", local.project / "now.plan", "--yes", *local.told, cwd=elsewhere)
    assert (code, local.writes) == (3, 0)
    assert "Run it in the folder where it was made." in " ".join(err.split())


# -- what makes it stale -------------------------------------------------------------------------------------------


def _reset(mover: Mover) -> None:
    from importer.sandbox import reset

    reset(mover.state)


def _other_target(mover: Mover) -> None:
    targets = (mover.project / "targets.yaml").read_text(encoding="utf-8")
    mover.write("targets.yaml", targets.replace("11111111", "99999999"))


def _by_hand(mover: Mover) -> None:
    """Let somebody have typed one of the invoices in Visma."""
    mover.write("hand.yaml", SINGLE.replace("name: invoices", "name: hand").replace("invoices.xlsx", "hand.xlsx"))
    write_workbook(mover.project / "hand.xlsx", [("F0002", "10000", *invoice(2, "x")[2:])], INVOICE_HEADERS)
    assert mover.do("run", "hand.yaml", "--yes", "--journal", str(mover.project / "else.db")).code == 0


def _replace(name: str, old: str, new: str) -> Callable[[Mover], None]:
    def change(mover: Mover) -> None:
        text = (mover.project / name).read_text(encoding="utf-8")
        assert old in text
        mover.write(name, text.replace(old, new))

    return change


def _workbook(mover: Mover) -> None:
    mover.customers(customer(1), customer(3))


def _another_run(mover: Mover) -> None:
    assert mover.run("customers.yaml", "--only", "K-1").code == 0


STALE: dict[str, tuple[Callable[[Mover], Any], str]] = {
    "mapping": (
        _replace("customers.yaml", "name: Name", "name: Name # so"),
        "The mapping of customers (customers.yaml)",
    ),
    "workbook": (_workbook, "The workbook of customers (customers.xlsx) is not as it was"),
    "migration": (_replace("migration.yaml", "name: move", "name: other"), "The migration migration.yaml is not as it"),
    "template": (
        _replace("own.json.j2", '"Insert"}', '"Insert" }'),
        "The template of invoices (own.json.j2) is not",
    ),
    "included template": (
        _replace("part.j2", '"value"', '"valu"'),
        "The template of invoices (part.j2) is not as",
    ),
    "another company": (_other_target, "It was made for the company 1"),
    "another run": (_another_run, "The journal has moved since"),
}


@pytest.mark.parametrize("what", STALE)
def test_a_plan_that_no_longer_holds_is_refused_with_the_reason(mover: Mover, what: str) -> None:
    """Whatever changed since: nothing is sent, and it says what to do."""
    mover.write("part.j2", '{"value": {{ fields.customerNumber }}}')
    mover.write(
        "own.json.j2",
        '{"customerNumber": {% include "part.j2" %}, "documentDate": {"value": {{ fields.documentDate }}}, '
        '"externalReference": {"value": {{ fields.externalReference }}}, '
        '"invoiceLines": [{"description": {"value": {{ lines[0].description }}}, "operation": "Insert"}]}',
    )
    mover.write("invoices.yaml", INVOICES + "template: own.json.j2\n")
    plan(mover)
    change, told = STALE[what]
    change(mover)

    refused(mover, "The plan no longer holds, so nothing was sent:", told, "Make it again.")


def test_an_invoice_typed_by_hand_meanwhile_makes_it_stale(local: Mover) -> None:
    """The company is asked again before anything is sent."""
    local.write("invoices.yaml", SINGLE)
    local.invoices(*(invoice(n, "10000") for n in range(1, 4)))
    plan(local, "invoices.yaml")
    _by_hand(local)

    refused(local, "invoices 'F0002': to be sent then, changed now.")


def test_the_sandbox_reset_is_another_company(local: Mover) -> None:
    """Its company has a new id."""
    (local.project / "targets.yaml").unlink()
    told = ["--journal", local.journal]
    assert command("plan", "migration.yaml", "-o", "now.plan", *told, cwd=local.project)[0] == 0
    assert command("sandbox", "reset", cwd=local.project)[0] == 0
    code, _, err = command("run", "--plan", "now.plan", *told, cwd=local.project)
    assert (code, "It was made for the company" in err) == (3, True)
