"""Tokens are asked for as the API wants it, kept, renewed once for all threads, and go to their host only."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from end_to_end import closed_port, http
from sessions import (
    CLIENT,
    CUSTOMERS,
    INVOICE,
    SECRET,
    TENANT,
    Answers,
    Clock,
    header,
    session_with,
    status,
    target_at,
    token_answer,
    token_source,
)

from importer.errors import TargetError
from importer.sandbox import Sandbox, Settings


def test_a_token_is_asked_for_by_client_credentials(tmp_path: Path) -> None:
    """The form holds what the API's pages show, the company's tenant among it."""
    with Answers(lambda _n, _r: token_answer()) as server, token_source(target_at(server.base_url)) as tokens:
        assert tokens.token() == tokens.token() == "a-token"

    (request,) = server.requests
    form = parse_qs(request.partition(b"\r\n\r\n")[2].decode())
    assert request.startswith(b"POST /connect/token ")
    assert header(request, "Content-Type") == "application/x-www-form-urlencoded"
    assert header(request, "Authorization") == ""
    assert form == {
        "grant_type": ["client_credentials"],
        "client_id": [CLIENT],
        "client_secret": [SECRET],
        "tenant_id": [TENANT],
        "scope": [target_at("x").scope],
    }


@pytest.mark.parametrize(
    ("lifetime", "good_for"), [(3600, 3540), (60, 30), (90, 45), (0, 0), ("3600", 3540), (None, 240), (-5, 0)]
)
def test_a_token_is_kept_and_renewed_in_time(lifetime: object, good_for: int) -> None:
    """It is renewed a minute before its end, or at half its life where that is shorter."""
    clock = Clock()
    answers = lambda number, _request: token_answer(f"token-{number}", lifetime)  # noqa: E731
    with Answers(answers) as server, token_source(target_at(server.base_url), clock=clock) as tokens:
        first = tokens.token()
        clock.now += max(good_for - 1, 0)
        second = tokens.token()
        clock.now += 2
        third = tokens.token()

    assert first == "token-0"
    assert second == ("token-0" if good_for else "token-1")
    assert third == ("token-1" if good_for else "token-2")


def test_a_token_without_a_lifetime_is_kept_for_some_minutes() -> None:
    """Where the host leaves the lifetime out, not every request asks for another token."""
    clock = Clock()
    answer = http(200, b'{"access_token": "a-token", "token_type": "Bearer"}')
    with Answers(lambda *_: answer) as server, token_source(target_at(server.base_url), clock=clock) as tokens:
        for _ in range(9):
            assert tokens.token() == "a-token"
            clock.now += 30

        assert tokens.asked == 2


def test_threads_that_are_refused_together_renew_once(tmp_path: Path) -> None:
    """Eight threads meet the end of one token; one other token is asked for."""
    with Sandbox(tmp_path, settings=Settings(require_token=True)) as box:
        target = target_at(box.base_url, company=box.company_id)
        with session_with(target) as session:
            assert session.tokens is not None
            first = session.tokens.token()
            with ThreadPoolExecutor(8) as pool:
                renewed = set(pool.map(session.tokens.renew, [first] * 8))
            assert session.tokens.asked == 2
            assert first not in renewed
            assert len(renewed) == 1
            with ThreadPoolExecutor(8) as pool:
                assert {status(result) for result in pool.map(session.read, [CUSTOMERS] * 8)} == {200}
            assert session.tokens.asked == 2


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (http(400, b'{"error": "invalid_client"}'), "the client id or the secret is wrong"),
        (http(400, b'{"error": "invalid_scope"}'), "approve them in Visma App Store"),
        (http(400, b'{"error": "invalid_request"}'), "tenant_id must be the company's tenant id"),
        (http(200, b"<html>Sign in</html>"), "something that is no token"),
        (http(200, b""), "something that is no token"),
        (http(200, b'{"access_token": ""}'), "something that is no token"),
        (http(200, b"[]"), "something that is no token"),
        (http(403, b"<html>Blocked</html>"), "something that is no token"),
        (http(302, Location="https://evil.example/connect/token"), "something that is no token"),
        (http(400, b'{"error": "server_error"}'), "server_error"),
    ],
)
def test_no_token_is_told_with_what_to_change(answer: bytes, said: str) -> None:
    """Every refusal names the target and the next step, and never the secret."""
    with Answers(lambda _n, _r: answer) as server, token_source(target_at(server.base_url)) as tokens:
        with pytest.raises(TargetError) as refused:
            tokens.token()
        again = len(server.requests)

    assert str(refused.value).startswith("No token for target 'test'")
    assert said in str(refused.value)
    assert SECRET not in str(refused.value)
    assert again == 1, "what was refused is not asked for again at once"


def test_asking_for_a_token_is_repeated_when_the_host_stumbles() -> None:
    """A 5xx and a cut answer pass; a host that stays away is told after a few tries."""
    waits: list[float] = []
    answers = [http(503), token_answer()[:-5], token_answer("third")]
    with (
        Answers(lambda n, _: answers[n]) as server,
        token_source(target_at(server.base_url), sleep=waits.append) as tokens,
    ):
        assert tokens.token() == "third"
    assert waits == [0.25, 1.0]
    with (
        token_source(target_at(f"http://127.0.0.1:{closed_port()}"), sleep=waits.append) as tokens,
        pytest.raises(TargetError, match="the connection was refused"),
    ):
        tokens.token()


def test_the_token_and_the_secret_go_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No redirect is followed, no .netrc, proxy or CA file of the environment has a say."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\ndefault login a password b\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nothing.pem"))
    with Answers(lambda _n, _r: http(200, b"[]")) as elsewhere, Answers(lambda _n, _r: token_answer()) as giver:
        moved = http(307, Location=f"{elsewhere.base_url}/v1/customer")
        with Answers(lambda _n, _r: moved) as api:
            target = target_at(api.base_url, token_url=f"{giver.base_url}/connect/token")
            with session_with(target, wait=lambda _seconds: True) as session:
                assert status(session.read("/v1/customer")) == 307
                assert status(session.write("POST", "/v1/customerinvoice", INVOICE)) == 307
    with Answers(lambda _n, _r: token_answer()) as elsewhere:
        moved = http(307, Location=f"{elsewhere.base_url}/connect/token")
        with (
            Answers(lambda _n, _r: moved) as giver,
            token_source(target_at(giver.base_url)) as tokens,
            pytest.raises(TargetError),
        ):
            tokens.token()
        assert elsewhere.requests == [], "the secret was not sent on"

    assert {header(request, "Authorization") for request in api.requests} == {"Bearer a-token"}
