"""Whatever body the API answers a read with: it is told, and ends no run by surprise."""

import pytest
from end_to_end import http
from sessions import Answers, session_with, target_at, token_answer

from importer.background import final_answer
from importer.endpoints import table
from importer.lookup import read_one
from importer.search import Unreadable, rows

ENDPOINT = table()["customerInvoice.create"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[" * 99_999, b'[{"amount": 1e99999999999999999999}]', b'"text"', b"\xef\xbb\xbf7"]
)
def test_a_body_that_is_no_json_to_be_read_is_told_as_such(body: bytes) -> None:
    """Cut, too deep, a number out of all bounds, or just something else: neither rows nor a document."""

    def answer(_number: int, request: bytes) -> bytes:
        return token_answer() if request.startswith(b"POST") else http(200, body)

    with Answers(answer) as server, session_with(target_at(server.base_url)) as session:
        with pytest.raises(Unreadable, match="Visma answered 200"):
            list(rows(session, ENDPOINT, {}))
        assert "Visma answered 200" in str(read_one(session, ENDPOINT, "000001"))
        assert "Visma answered 200" in str(final_answer(session, "job"))
