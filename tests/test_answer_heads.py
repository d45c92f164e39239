"""What the head of an answer says is read whatever its form, and never for another document."""

from pathlib import Path

import pytest
from cut_answers import wrongly_judged
from end_to_end import RawServer, created, error, import_into, invoice_rows, make_project
from fault_bench import Bench
from fault_server import Deed, FaultServer
from test_fault_matrix import says

from importer.api.client import Client, NoAnswer

HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
INTERIM = {
    "100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "102": b"HTTP/1.1 102 Processing\r\nContent-Length: 9\r\nConnection: close\r\n\r\n",
    "103": HINTS,
    "several": HINTS + b"HTTP/1.1 100 Continue\r\n\r\n" + HINTS,
}


@pytest.mark.parametrize("name", ["location", "LOCATION", "Location"])
def test_the_number_is_read_whatever_the_casing_of_its_header(tmp_path: Path, name: str) -> None:
    """A proxy that writes names of headers in its own way hides no number."""
    project = make_project(tmp_path / "project", invoice_rows(1))
    answer = created("100001").replace(b"Location:", f"{name}:".encode())
    with RawServer(lambda *_: answer) as server:
        ran = import_into(project, server.base_url)

    assert (ran.code, ran.documents[0]["status"], ran.documents[0]["number"]) == (0, "accepted", "100001")


@pytest.mark.parametrize("interim", INTERIM)
def test_an_interim_answer_is_not_taken_for_the_one_that_counts(tmp_path: Path, interim: str) -> None:
    """The answer that follows is the document's own; nothing of it is left for the next document."""
    with FaultServer() as server:
        bench = Bench(make_project(tmp_path / "project", invoice_rows(3)), f"{tmp_path / 'journal.db'}", server)
        bench.aim()
        # byte by byte, so that the interim answer is there long before the other one
        server.script["F0001"] = [Deed(answer=lambda number: INTERIM[interim] + created(number), drip_s=0.001)]
        server.script["F0002"] = [Deed(answer=says(error(400, "The customer is locked.")), commits="never")]
        ran = bench.run("--workers", "1")

        assert [(document["status"], document["number"]) for document in ran.documents] == [
            ("accepted", server.numbers("F0001")[0]),
            ("rejected", None),
            ("accepted", server.numbers("F0003")[0]),
        ]
        assert all(write.reused for write in server.writes)


def test_an_answer_that_switches_protocols_is_in_doubt_and_ends_its_connection(tmp_path: Path) -> None:
    """What comes after it is no answer to the next document, which goes out by a connection of its own."""
    with FaultServer() as server:
        bench = Bench(make_project(tmp_path / "project", invoice_rows(2)), f"{tmp_path / 'journal.db'}", server)
        bench.aim()
        switched = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
        server.script["F0001"] = [Deed(answer=lambda number: switched + created(number), commits="late", drip_s=0.001)]
        ran = bench.run("--workers", "1")

        assert [document["status"] for document in ran.documents] == ["unknown", "accepted"]
        assert [write.reused for write in server.writes] == [True, False]


def test_an_answer_cut_after_an_interim_one_is_in_doubt() -> None:
    """Wherever it is cut, an interim answer alone says nothing of the document."""
    whole = HINTS + created("0035467")
    assert wrongly_judged(whole, enough=len(whole)) == []


@pytest.mark.parametrize("interim", ["100", "103"])
def test_interim_answers_without_end_are_no_answer(interim: str) -> None:
    """They do not hold the run for ever: the document is in doubt."""
    with RawServer(lambda *_: INTERIM[interim] * 2_000 + created("000001")) as server:
        client = Client(server.base_url, timeout_s=(5, 5))
        result = client.exchange("POST", "/v1/customerinvoice", b"{}")
        client.close()

    assert isinstance(result, NoAnswer)
    assert result.sent
