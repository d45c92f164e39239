"""What the tests of answers share that are cut: each cut tried over a real socket."""

from end_to_end import RawServer

from importer.api.client import Client
from importer.api.verdict import Verdict, judge_create
from importer.model import Status


def wrongly_judged(whole: bytes, *, enough: int) -> list[tuple[bytes, Verdict]]:
    """Cut a 201 for 0035467 at every byte; return what is not in doubt before `enough` of them, or not right then."""
    wrong = []
    with RawServer(lambda number, _: whole[:number]) as server:
        for cut in range(len(whole) + 1):
            client = Client(server.base_url, timeout_s=(5, 5))
            verdict = judge_create(client.exchange("POST", "/v1/customerinvoice", b"{}"), asked_number=None)
            client.close()
            expected = (Status.UNKNOWN, None) if cut < enough else (Status.ACCEPTED, "0035467")
            if (verdict.status, verdict.number) != expected:
                wrong.append((whole[:cut], verdict))
        assert len(server.requests) == len(whole) + 1
    return wrong
