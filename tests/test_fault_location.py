"""A 201 whose Location names another document: whoever it names, no document gets a number that is not its own."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from databases import BOTH, journal_on
from end_to_end import MAPPING, NUMBERED, created, make_project
from fault_bench import Bench
from fault_server import Deed, FaultServer
from test_fault_matrix import KEY, KEYS, ROWS, says


@pytest.fixture(params=BOTH)
def bench(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Make a project that imports into a company where somebody has typed a document, 000001, already."""
    with journal_on(request.param, tmp_path) as journal, FaultServer() as server:
        made = Bench(make_project(tmp_path / "project", ROWS), journal, server)
        made.aim()
        words = {"customerNumber": "10009", "documentDate": "2025-01-02"}
        server.commit("typed", {"invoiceLines": [], **{name: {"value": text} for name, text in words.items()}})
        yield made


def ends_well(bench: Bench) -> None:
    """See that each document is there once, and in the end known by its own number."""
    last = bench.run_to_the_end()[-1]
    assert sorted(document.reference for document in bench.server.ledger) == [*KEYS, "typed"]
    known = {document["key"]: document["number"] for document in last.documents}
    assert known == {key: bench.server.numbers(key)[0] for key in KEYS}


@pytest.mark.parametrize("mapping", [MAPPING, NUMBERED], ids=["automatic", "numbered"])
def test_a_location_of_a_document_accepted_before_is_not_believed(bench: Bench, mapping: str) -> None:
    """It is the number of another key; the document's own is looked up."""
    (bench.project / "mapping.yaml").write_text(mapping, encoding="utf-8")
    bench.server.script[KEY] = [Deed(answer=lambda _: created(bench.server.numbers("F0001")[0]))]

    ran = bench.run("--workers", "1")

    assert (ran.code, ran.document(KEY)["number"]) == (0, bench.server.numbers(KEY)[0])
    ends_well(bench)


@pytest.mark.parametrize("named", ["000001", "999999"], ids=["typed by hand", "of nobody"])
@pytest.mark.parametrize("mapping", [MAPPING, NUMBERED], ids=["automatic", "numbered"])
def test_a_location_of_a_document_that_is_not_ours_is_not_believed(bench: Bench, mapping: str, named: str) -> None:
    """Neither a document that was there before nor one that is not there becomes the number of ours."""
    (bench.project / "mapping.yaml").write_text(mapping, encoding="utf-8")
    bench.server.script[KEY] = [Deed(answer=says(created(named)))]

    ran = bench.run()

    assert ran.document(KEY)["status"] in {"accepted", "unknown"}
    ends_well(bench)


def test_a_location_of_a_document_in_flight_is_not_believed(bench: Bench) -> None:
    """A number that is named before its owner has heard of it is still the owner's."""
    server = bench.server
    server.script["F0001"] = [Deed(meanwhile=until(lambda: server.arrivals("F0003")))]
    server.script[KEY] = [
        Deed(meanwhile=until(lambda: server.numbers("F0001")), answer=lambda _: created(server.numbers("F0001")[0]))
    ]

    ran = bench.run("--workers", "2")

    assert {document["status"] for document in ran.documents} <= {"accepted", "unknown"}
    ends_well(bench)


def until(come: Callable[[], object]) -> Callable[[FaultServer], None]:
    """Return what waits until something has come."""

    def wait(_server: FaultServer) -> None:
        ends_at = time.monotonic() + 20
        while not come() and time.monotonic() < ends_at:
            time.sleep(0.005)

    return wait
