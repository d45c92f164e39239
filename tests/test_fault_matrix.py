"""Each fault at each moment, over both journals: the outcome is true, and in the end each document is there once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from json import dumps
from pathlib import Path

import pytest
from databases import BOTH, journal_on
from end_to_end import RawServer, error, http, make_project
from fault_bench import Authority, Bench, make_authority
from fault_server import Deed, FaultServer

#: The document that meets the fault; the last one is of the same customer.
KEY = "F0002"
ROWS = [
    (f"F000{number}", f"1000{2 if number == 6 else number}", date(2025, 1, 27), f"Kaffe {number}", 2, Decimal("19.90"))
    for number in range(1, 7)
]
KEYS = [row[0] for row in ROWS]
PAGE = b"<html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
REASON = "VismaId: 0a1b2c3d-1111-2222-3333-444455556666. Error creating document. Error: Customer '10002' is not known."
#: What the server does where nothing is wrong.
TRUE = Deed()


@dataclass(frozen=True, kw_only=True)
class Case:
    """Say what happens to one document of a run, and what the run says of it then."""

    status: str
    code: int
    #: what the server does with each write of the document
    deeds: tuple[Deed, ...] = (TRUE,)
    #: what it does with the document before
    first: Deed = TRUE
    #: what becomes of the documents after it
    others: str = "accepted"
    options: tuple[str, ...] = ()
    #: how long the program waits for the next byte
    timeout_s: float | None = None
    tls: bool = False


def says(answer: bytes) -> Callable[[str], bytes]:
    """Return what answers so, whatever the number."""
    return lambda _number: answer


def page(status: int) -> bytes:
    """Write the page of a proxy."""
    return http(status, PAGE, Content_Type="text/html")


def doubt(**deed: object) -> dict[str, Case]:
    """Return the two cases of an answer that leaves in doubt: nothing was committed, or the document was."""
    more = {name: deed.pop(name) for name in ("timeout_s", "tls") if name in deed}
    never, now = (Deed(commits=commits, **deed) for commits in ("never", "now"))  # type: ignore[arg-type]
    return {
        "never": Case(status="unknown", code=5, deeds=(never,), **more),  # type: ignore[arg-type]
        "after the commit": Case(status="accepted", code=0, deeds=(now,), **more),  # type: ignore[arg-type]
    }


def turned_away(*answers: bytes, status: str = "not_sent", code: int = 6, others: str = "not_sent") -> Case:
    """Return the case of answers that say that nothing was done."""
    deeds = tuple(Deed(answer=says(answer), commits="never") for answer in answers)
    options = ("--workers", "1") if others == "not_sent" else ()
    return Case(status=status, code=code, deeds=deeds, others=others, options=options)


def before_it(meanwhile: Callable[[FaultServer], object], *, tls: bool = False) -> Case:
    """Return the case of a host that is lost between two documents, so that nothing can be sent."""
    first = Deed(meanwhile=meanwhile, end="close")
    options = ("--workers", "1", "--max-unreachable", "1")
    return Case(status="not_sent", code=6, first=first, others="not_sent", options=options, tls=tls)


EITHER_WAY = {
    "cut, the request read": doubt(cut=0, end="close"),
    "reset, the request read": doubt(cut=0, end="reset"),
    "cut inside the number": doubt(cut=143, end="close"),
    "hang past the time-out": doubt(cut=0, end="hang", timeout_s=1),
    "slow drip that stalls": doubt(cut=40, drip_s=0.005, end="hang", timeout_s=1),
    "damaged TLS record": doubt(cut=0, end="damage", tls=True),
    "cut, TLS": doubt(cut=0, end="close", tls=True),
    "408": doubt(answer=says(http(408))),
    "409": doubt(answer=says(error(409, "Another process has added the 'Invoice' record."))),
    "307 to nowhere": doubt(answer=says(http(307, Location="http://127.0.0.1:9/v1/customerinvoice"))),
    "a proxy's page": doubt(answer=says(page(200))),
    "a page with 400": doubt(answer=says(page(400))),
    "202 without a job": doubt(answer=says(http(202))),
    "202 with a job that is not kept": doubt(answer=says(http(202, dumps({"id": "gone"}).encode()))),
    **{f"{status} empty": doubt(answer=says(http(status))) for status in (500, 502, 503, 504)},
    **{f"{status} a page": doubt(answer=says(page(status))) for status in (500, 502, 503, 504)},
}
CASES = {
    "no fault": Case(status="accepted", code=0),
    "no fault, TLS": Case(status="accepted", code=0, tls=True),
    **{f"{name}, {moment}": case for name, both in EITHER_WAY.items() for moment, case in both.items()},
    "cut before the body is read": Case(
        status="unknown", code=5, deeds=(Deed(reads="head", commits="never", cut=0, end="close"),)
    ),
    "reset before the body is read": Case(
        status="unknown", code=5, deeds=(Deed(reads="head", commits="never", cut=0, end="reset"),)
    ),
    "reset before anything is read": Case(
        status="unknown", code=5, deeds=(Deed(reads="nothing", commits="never", cut=0, end="reset"),)
    ),
    "stale keep-alive connection, reset under the request": Case(
        status="unknown",
        code=5,
        deeds=(Deed(reads="nothing", commits="never", cut=0, end="reset"),),
        options=("--workers", "1"),
    ),
    "stale keep-alive connection, closed between two requests": Case(
        status="accepted", code=0, first=Deed(end="close", announced=False), options=("--workers", "1")
    ),
    "slow drip": Case(status="accepted", code=0, deeds=(Deed(drip_s=0.008),), timeout_s=1),
    "connection refused": before_it(lambda server: server.leave()),
    "TLS, the wrong authority": before_it(lambda server: setattr(server, "tls", server.other_tls), tls=True),
    "TLS, a plain port": before_it(lambda server: setattr(server, "tls", None), tls=True),
    "500 with a reason": turned_away(error(500, REASON), status="rejected", code=4, others="accepted"),
    "400 with a reason": turned_away(error(400, REASON), status="rejected", code=4, others="accepted"),
    "412": turned_away(error(412, "It was changed."), status="rejected", code=4, others="accepted"),
    "401 once": turned_away(http(401), status="accepted", code=0, others="accepted"),
    "401 twice": turned_away(http(401), http(401)),
    "403": turned_away(error(403, "No license for this company.")),
    "429": turned_away(http(429, Retry_After="0"), status="accepted", code=0, others="accepted"),
    "201 without Location": Case(status="accepted", code=0, deeds=(Deed(answer=says(http(201))),)),
}


@pytest.fixture(scope="session")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Authority]:
    """Make the authority that the program trusts, and another."""
    folder = tmp_path_factory.mktemp("authorities")
    return make_authority(folder / "ours"), make_authority(folder / "theirs")


@pytest.mark.parametrize("database", BOTH)
@pytest.mark.parametrize("name", CASES)
def test_a_fault_leaves_a_true_outcome_and_in_the_end_each_document_once(
    tmp_path: Path, authorities: tuple[Authority, Authority], name: str, database: str
) -> None:
    """The row and the exit code say what is so, nothing goes out for one in doubt, and running again ends well."""
    case, (ours, theirs) = CASES[name], authorities
    server = FaultServer(ours.server if case.tls else None, theirs.server)
    with journal_on(database, tmp_path) as journal, server:
        bench = Bench(make_project(tmp_path / "project", ROWS), journal, server)
        bench.aim(*([f"ca_file: {ours.ca_file}"] if case.tls else []), *_wait(case.timeout_s))
        server.script = {"F0001": [case.first], KEY: list(case.deeds)}

        ran = bench.run(*case.options)

        told = {document["key"]: document["status"] for document in ran.documents}
        assert (told.pop(KEY), ran.code) == (case.status, case.code), ran.document(KEY)
        assert told == {key: "accepted" if key == "F0001" else case.others for key in told}
        assert ("stale" not in name) or ("closed" in name) or server.writes[1].reused
        false = {key for key in KEYS if ran.document(key)["status"] in {"rejected", "not_sent"} and server.numbers(key)}
        assert not false
        if case.status == "unknown":
            assert bench.hold(KEY).code == 5
        server.mend(ours.server if case.tls else None)
        bench.run_to_the_end()

        assert sorted(document.reference for document in server.ledger) == KEYS


@pytest.mark.parametrize("secured", [True, False], ids=["the wrong authority", "a plain port"])
def test_a_host_that_cannot_be_trusted_starts_no_run(
    tmp_path: Path, authorities: tuple[Authority, Authority], secured: bool
) -> None:
    """Exit 3 and no report; no document and no token reaches it, and once it is mended all is sent."""
    ours, theirs = authorities
    with FaultServer(ours.server) as server, RawServer(lambda *_: b"") as gate:
        bench = Bench(make_project(tmp_path / "project", ROWS), str(tmp_path / "journal.db"), server)
        bench.aim(f"ca_file: {ours.ca_file}", token_host=gate.base_url)
        server.tls = theirs.server if secured else None

        ran = bench.run()

        assert (ran.code, ran.folder.exists(), server.writes) == (3, False, [])
        server.mend(ours.server)
        bench.run_to_the_end()
        assert sorted(document.reference for document in server.ledger) == KEYS


def _wait(timeout_s: float | None) -> list[str]:
    return [] if timeout_s is None else [f"timeout: {timeout_s}"]
