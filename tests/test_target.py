"""Targets never show a secret, tokens go to their host only, and the API's request limit is kept by waiting."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from end_to_end import RawServer, closed_port, http

from importer.api.client import Answer, Client, NoAnswer
from importer.api.pace import Pace
from importer.api.session import Session
from importer.api.token import TokenSource
from importer.api.wait import TURNED_AWAY, seconds_to_wait
from importer.errors import MappingError, TargetError
from importer.sandbox import Fault, Sandbox, Settings
from importer.target import SANDBOX, Secret, Target, choose, sandbox_target

CLIENT, SECRET = "planted-client-4711", "planted-secret-hunter2"
TENANT = "11111111-2222-3333-4444-555555555555"
GOOD = {
    "tenant_id": TENANT,
    "client_id": {"env": "VISMA_CLIENT_ID"},
    "client_secret": {"env": "VISMA_CLIENT_SECRET"},
}
INVOICE = b'{"customerNumber": {"value": "10000"}, "documentDate": {"value": "2025-01-27"}}'
CUSTOMERS = "/v1/customer?pageNumber=1&pageSize=1"


class Answers(RawServer):
    """Answer each request, reads and tokens too, with whatever bytes a test wants."""

    def _reply(self, request: bytes) -> bytes:
        self.requests.append(request)
        return self._answer(len(self.requests) - 1, request)


@dataclass
class Clock:
    """Count seconds that pass only when somebody waits."""

    now: float = 1000.0
    waits: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        """Let the time pass at once; nobody stops it."""
        assert seconds > 0
        assert len(self.waits) < 1000, "it waits without end"
        self.waits.append(seconds)
        self.now += seconds
        return False


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISMA_CLIENT_ID", CLIENT)
    monkeypatch.setenv("VISMA_CLIENT_SECRET", SECRET)


def declare(folder: Path, **targets: dict[str, Any]) -> Path:
    (folder / "targets.yaml").write_text(json.dumps(targets, indent=1), encoding="utf-8")
    return folder


def chosen(folder: Path, name: str | None = None) -> Target:
    found = choose(folder, name)
    assert isinstance(found, Target)
    return found


def refusal(folder: Path, **targets: dict[str, Any]) -> str:
    """Return why targets.yaml is refused."""
    with pytest.raises(MappingError) as refused:
        choose(declare(folder, **targets), None)
    return str(refused.value)


def target_at(base_url: str, *, company: str = TENANT, token_url: str = "", **more: Any) -> Target:
    return Target(
        name="test",
        base_url=base_url,
        token_url=token_url or f"{base_url}/connect/token",
        company=company,
        client_id=Secret(CLIENT),
        client_secret=Secret(SECRET),
        **more,
    )


@contextmanager
def token_source(target: Target, **more: Any) -> Iterator[TokenSource]:
    client = Client(target.token_url.removesuffix("/connect/token"), timeout_s=(5.0, 10.0))
    try:
        yield TokenSource(target, client, **more)
    finally:
        client.close()


@contextmanager
def session_with(target: Target, tokens: bool = True, **more: Any) -> Iterator[Session]:
    client = Client(target.base_url, timeout_s=(5.0, 10.0))
    try:
        with token_source(target) as source:
            yield Session(client, source if tokens else None, **more)
    finally:
        client.close()


def token_answer(token: str = "a-token", lifetime: object = 3600) -> bytes:
    return http(200, json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": lifetime}).encode())


def header(request: bytes, name: str) -> str:
    """Return a header of a request, empty where it is not there."""
    for row in request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]:
        key, _, value = row.partition(": ")
        if key.lower() == name.lower():
            return value
    return ""


def status(result: Answer | NoAnswer) -> int:
    assert isinstance(result, Answer), result
    return result.status


# targets.yaml


def test_a_secret_typed_into_the_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    """The message says where a secret belongs, and quotes none."""
    said = refusal(tmp_path, test={**GOOD, "client_secret": SECRET})

    assert "A secret must not stand in this file." in said
    assert "{env: VISMA_CLIENT_SECRET}" in said
    assert SECRET not in said


@pytest.mark.parametrize(
    "text",
    [
        "test:\n  client_secrt: {0}\n",
        "test:\n  password: {0}\n",
        "test:\n  client_secret: {{value: {0}}}\n",
        "test:\n  client_secret: [{0}]\n",
        "test:\n  client_secret: {0}: {0}\n",
        "test:\n  client_secret: @{0}\n",
        "test:\n  client_secret: {0}\n  client_secret: {0}\n",
        'test:\n  client_secret: "{0}\n  a: b\n',
        "test: {{client_secret: {0}, bogus: 1}}\n",
        "test:\n  base_url: https://me:{0}@api.example\n",
        "test: {{proxy: 'http://me:{0}@proxy.example:1', bogus: 1}}\n",
    ],
)
def test_no_mistake_in_the_file_shows_a_secret(tmp_path: Path, text: str) -> None:
    """Whatever is wrong around it, the line that holds a secret is not quoted."""
    (tmp_path / "targets.yaml").write_text(text.format(SECRET), encoding="utf-8")
    with pytest.raises(MappingError) as refused:
        choose(tmp_path, "test")

    assert SECRET not in str(refused.value)
    assert SECRET not in repr(refused.value.errors)


@pytest.mark.parametrize("part", ["base_url", "token_url"])
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://api.finance.visma.net", "write https"),
        ("http://127.0.0.1.example.com", "write https"),
        ("http://localhost.example.com/a", "write https"),
        ("https://me:hunter2@api.finance.visma.net", "must not hold a user or a password"),
        ("https://me@api.finance.visma.net", "must not hold a user or a password"),
        ("http://127.0.0.1@evil.example", "must not hold a user or a password"),
        ("https://api.finance.visma.net?a=b", "must not hold a query"),
        ("api.finance.visma.net", "is not an address"),
        ("ftp://api.finance.visma.net", "is not an address"),
        ("https://", "is not an address"),
        ("https://a:99999", "is not an address"),
    ],
)
def test_addresses_that_would_give_a_token_away_are_refused(tmp_path: Path, part: str, url: str, said: str) -> None:
    """Without TLS nothing leaves this machine, and nobody writes a password into an address."""
    message = refusal(tmp_path, test={**GOOD, part: url})

    assert said in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "url", ["http://localhost:8377", "http://127.0.0.1:1/x", "http://[::1]:8377", "https://a.example"]
)
def test_this_machine_may_be_reached_without_tls(tmp_path: Path, url: str) -> None:
    """Loopback addresses never leave the machine; a slash at the end is not doubled."""
    target = chosen(declare(tmp_path, test={**GOOD, "base_url": url + "/", "token_url": url, "default": True}))

    assert target.base_url == url
    assert target.loopback is url.startswith("http:")


def test_one_default_at_most_and_no_target_called_sandbox(tmp_path: Path) -> None:
    """Both mistakes are told at once, each at its place."""
    said = refusal(tmp_path, a={**GOOD, "default": True}, b={**GOOD, "default": True}, sandbox=GOOD)

    assert "'a' is the default already" in said
    assert "'sandbox' is the embedded one and cannot be declared." in said


def test_which_target_is_meant(tmp_path: Path) -> None:
    """The named one, else the default, else the sandbox; a name that is nearly right gets the right one told."""
    assert choose(tmp_path, None) == SANDBOX
    with pytest.raises(TargetError, match=r"has no targets\.yaml"):
        choose(tmp_path, "production")
    declare(tmp_path, test=GOOD, production={**GOOD, "production": True})
    assert choose(tmp_path, None) == SANDBOX
    assert choose(tmp_path, "sandbox") == SANDBOX
    assert chosen(tmp_path, "production").production
    with pytest.raises(TargetError, match="Did you mean 'production'"):
        choose(tmp_path, "prodution")
    declare(tmp_path, test={**GOOD, "default": True}, production={**GOOD, "production": True})
    target = chosen(tmp_path)
    assert (target.name, target.company, target.simulated) == ("test", TENANT, False)
    assert target.base_url == "https://api.finance.visma.net"
    assert target.token_url == "https://connect.visma.com/connect/token"


def test_secrets_come_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both work, relative to targets.yaml and without the line's end; what is missing is named."""
    (tmp_path / "secret.txt").write_text(f"{SECRET}\n", encoding="utf-8")
    declare(tmp_path, test={**GOOD, "client_id": "plain", "client_secret": {"file": "secret.txt"}})
    target = chosen(tmp_path, "test")
    assert target.client_id is not None
    assert target.client_secret is not None
    assert (target.client_id.reveal(), target.client_secret.reveal()) == ("plain", SECRET)

    monkeypatch.setenv("VISMA_CLIENT_SECRET", "  ")
    declare(tmp_path, test=GOOD)
    with pytest.raises(TargetError, match=r"'VISMA_CLIENT_SECRET', which holds the client_secret of target 'test'"):
        choose(tmp_path, "test")
    for name, content in (("gone.txt", None), ("empty.txt", b"\n"), ("binary.txt", b"\xff\xfe\x00")):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        declare(tmp_path, test={**GOOD, "client_secret": {"file": name}})
        with pytest.raises(TargetError, match=f"'{name}', which holds the client_secret"):
            choose(tmp_path, "test")


def test_no_repr_shows_a_secret(tmp_path: Path) -> None:
    """Not of the secret, the target, the token source or the session."""
    target = chosen(declare(tmp_path, test=GOOD), "test")
    with (
        Answers(lambda _n, _r: token_answer("planted-token")) as server,
        session_with(target_at(server.base_url)) as session,
    ):
        assert session.tokens is not None
        assert session.tokens.token() == "planted-token"
        shown = f"{target!r} {target} {target.client_secret!s} {session!r} {session.tokens!r} {session.client!r}"

    for planted in (SECRET, CLIENT, "planted-token"):
        assert planted not in shown


# tokens


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
    ("lifetime", "good_for"), [(3600, 3540), (60, 30), (90, 45), (0, 0), ("3600", 3540), (None, 0), (-5, 0)]
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


# what may be sent again


def sent(session: Session) -> int:
    """Send an invoice as a run does: when its turn comes, and again where it was turned away unprocessed."""
    while session.turn():
        result = session.write("POST", "/v1/customerinvoice", INVOICE)
        if status(result) not in TURNED_AWAY or session.wait(seconds_to_wait(result)):  # type: ignore[arg-type]
            return status(result)
    return 0


@contextmanager
def company(tmp_path: Path, *, clock: Callable[[], float] = time.time, **settings: Any) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "served", settings=Settings(**settings), clock=clock) as box:
        yield box


@contextmanager
def company_session(box: Sandbox, **more: Any) -> Iterator[Session]:
    """Open a session with a company, with tokens where it wants them."""
    target = target_at(box.base_url, company=box.company_id)
    with session_with(target, tokens=box.settings.require_token, **more) as session:
        yield session


def asked(session: Session) -> int:
    """Return how many tokens were asked for."""
    return session.tokens.asked if session.tokens else 0


def writes(box: Sandbox) -> list[int]:
    """Return the statuses of the writes that reached a company."""
    return [logged.status for logged in box.requests_log if "customerinvoice" in logged.path]


def test_a_401_renews_the_token_once(tmp_path: Path) -> None:
    """The same request goes out again with another token; a second 401 is the answer."""
    fault = Fault(match="POST customerinvoice", kind="401", nth=1)
    with company(tmp_path, require_token=True, faults=(fault,)) as box, company_session(box) as session:
        assert (sent(session), asked(session)) == (201, 2)
        box.faults.clear()
        box.faults.append(Fault(match="POST customerinvoice", kind="401"))
        assert (sent(session), asked(session)) == (401, 3)

        assert writes(box) == [401, 201, 401, 401]


def test_a_token_that_ends_during_a_run_is_renewed(tmp_path: Path) -> None:
    """The API's own clock decides; what it refuses for that is sent again once, and nothing is doubled."""
    now = [time.time()]
    with company(tmp_path, clock=lambda: now[0], require_token=True) as box, company_session(box) as session:
        for number in range(6):
            now[0] += 3600 if number == 3 else 1
            assert sent(session) == 201

        assert asked(session) == 2
        assert writes(box) == [201, 201, 201, 401, 201, 201, 201]


def test_no_other_token_is_an_end_without_a_byte_processed() -> None:
    """When the renewal is refused, the request was not processed: it says so, and why."""
    answers = iter([token_answer(), http(401), http(400, b'{"error": "invalid_client"}')])
    with Answers(lambda _n, _r: next(answers)) as server, session_with(target_at(server.base_url)) as session:
        result = session.write("POST", "/v1/customerinvoice", INVOICE)

    assert isinstance(result, NoAnswer)
    assert (result.sent, result.final) == (False, True)
    assert "the client id or the secret is wrong" in result.reason


def test_a_429_waits_and_sends_the_same_request_again(tmp_path: Path) -> None:
    """It waits as long as the API says, then the same goes out; the document is there once."""
    clock = Clock()
    faults = (
        Fault(match="POST customerinvoice", kind="429", nth=1, retry_after_s=7),
        Fault(match="GET customer", kind="429", nth=1, retry_after_s=9),
    )
    with company(tmp_path, faults=faults) as box, company_session(box, wait=clock.wait) as session:
        assert sent(session) == 201
        assert status(session.read(CUSTOMERS)) == 200
        log = [(logged.status, logged.query, logged.body) for logged in box.requests_log]

    assert clock.waits == [7.0, 9.0]
    assert [entry[0] for entry in log] == [429, 201, 429, 200]
    assert log[0][1:] == log[1][1:]
    assert log[2][1:] == log[3][1:]


def test_a_stop_while_it_waits_ends_without_sending(tmp_path: Path) -> None:
    """Ctrl-C during a wait for the window sends nothing more, neither a write nor a read."""
    with company(tmp_path, limit_per_hour=1) as box, company_session(box, wait=lambda _seconds: True) as session:
        assert status(session.read(CUSTOMERS)) == 200
        assert session.turn() is False
        result = session.read(CUSTOMERS)
        assert len(box.requests_log) == 1

    assert isinstance(result, NoAnswer)
    assert result.sent is False
    assert "stopped by hand" in result.reason


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "12"}, 12.0),
        ({"retry-after": " 12 ", "X-RateLimit-Reset": "40"}, 12.0),
        ({"X-RateLimit-Reset": "40"}, 40.0),
        ({"Retry-After": "999999"}, 3600.0),
        ({"Retry-After": "Mon, 27 Jan 2025 12:00:30 GMT", "Date": "Mon, 27 Jan 2025 12:00:00 GMT"}, 30.0),
        ({"Retry-After": "soon"}, 60.0),
        ({}, 60.0),
    ],
)
def test_how_long_a_429_wants_us_to_wait(headers: dict[str, str], seconds: float) -> None:
    """Whole seconds, a date against the server's own clock, the window's end, or a minute."""
    assert seconds_to_wait(Answer(status=429, headers=headers, body=b"", whole=True)) == seconds


# pace


def test_250_writes_through_windows_of_100_need_waits_only(tmp_path: Path) -> None:
    """No document fails for the limit, none is turned away, and a few requests of each window stay for look-ups."""
    clock = Clock()
    with company(tmp_path, limit_per_hour=100, clock=clock) as box:
        with company_session(box, pace=Pace(clock=clock), wait=clock.wait) as session:
            assert {sent(session) for _ in range(250)} == {201}
        assert writes(box) == [201] * 250

    long = [seconds for seconds in clock.waits if seconds > 1]
    assert len(long) == 2, "one wait for each window that was used up"
    assert sum(clock.waits) <= 2 * 3600 + 10


def test_several_threads_share_one_window(tmp_path: Path) -> None:
    """What one learns of the limit, all keep to, and every document is accepted in the end."""
    with company(tmp_path, limit_per_hour=40, window_s=2) as box:
        with company_session(box, pace=Pace(mild_per_s=0.0), wait=_really_wait) as session:
            assert status(session.read(CUSTOMERS)) == 200
            with ThreadPoolExecutor(8) as pool:
                assert [job.result(60) for job in [pool.submit(sent, session) for _ in range(70)]] == [201] * 70
        assert writes(box).count(201) == 70


def _really_wait(seconds: float) -> bool:
    time.sleep(min(seconds, 2.5))
    return False


def limits(remaining: int, reset: int = 1800, limit: int = 500) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(limit),
        "x-ratelimit-remaining": str(remaining),
        "X-RateLimit-Reset": str(reset),
        "X-RateLimit-Policy": "4-fixed-window",
    }


def test_a_reserve_is_kept_for_look_ups() -> None:
    """A write leaves the last requests of a window alone, more of them while documents are in doubt; a read may go."""
    clock = Clock()
    pace = Pace(clock=clock)
    pace.observe(limits(remaining=8, reset=600))
    went = [pace.delay_s(write=True) for _ in range(4)]
    assert went == [0.0, 0.0, 0.0, 600.0]
    assert [pace.delay_s(write=False) for _ in range(6)] == [0.0] * 5 + [600.0]

    pace.observe(limits(remaining=20, reset=600))
    pace.in_doubt = 12
    assert [pace.delay_s(write=True) for _ in range(4)] == [0.0, 0.0, 0.0, 600.0]
    clock.now += 600
    assert pace.delay_s(write=True) == 0.0, "a new window begins"


def test_a_small_window_is_not_all_reserve() -> None:
    """Where the API allows little, writes still go out."""
    pace = Pace(clock=Clock())
    pace.observe(limits(remaining=3, limit=3, reset=60))

    assert [pace.delay_s(write=True) for _ in range(3)] == [0.0, 0.0, 0.0]


def test_the_mild_default_holds_only_until_a_limit_is_known() -> None:
    """Four requests a second at first; with the first header what remains decides, and it is not slowed."""
    clock = Clock()
    pace = Pace(clock=clock)
    assert [pace.delay_s(write=True) for _ in range(3)] == [0.0, 0.25, 0.25], "who has to wait takes no turn"
    clock.now += 0.25
    assert [pace.delay_s(write=True) for _ in range(2)] == [0.0, 0.25]
    pace.observe({"Content-Type": "application/json"})
    assert pace.delay_s(write=False) == 0.25
    pace.observe(limits(remaining=400))
    assert [pace.delay_s(write=True) for _ in range(300)] == [0.0] * 300


def test_a_paced_session_keeps_to_the_mild_default(tmp_path: Path) -> None:
    """Where the API names no limit, twelve requests take about three seconds, and each goes out."""
    clock = Clock()
    with company(tmp_path) as box, company_session(box, pace=Pace(clock=clock), wait=clock.wait) as session:
        assert {sent(session) for _ in range(6)} == {201}
        assert {status(session.read(CUSTOMERS)) for _ in range(6)} == {200}

    assert 2.5 <= sum(clock.waits) <= 3.5


@pytest.mark.parametrize(
    ("headers", "requests", "each", "low", "high"),
    [
        (None, 100, 0.1, 25.0, 25.0),
        (None, 100, 1.0, 100.0, 100.0),
        (limits(400), 100, 0.1, 10.0, 10.0),
        (limits(100, reset=1800), 250, 0.1, 1800.0, 1830.0),
        (limits(100, reset=1800), 800, 0.1, 1800.0 + 3600.0, 1800.0 + 3600.0 + 30.0),
        (limits(0, reset=60, limit=100), 95, 0.1, 60.0, 75.0),
    ],
)
def test_the_duration_is_predicted_from_what_is_known(
    headers: dict[str, str] | None, requests: int, each: float, low: float, high: float
) -> None:
    """The work, the mild default or the windows that have to be waited for, whichever lasts longer."""
    pace = Pace(clock=Clock())
    if headers:
        pace.observe(headers)

    assert low <= pace.predict_s(requests, each) <= high


def test_a_header_that_makes_no_sense_is_passed_over() -> None:
    """Whatever stands there, the pace goes on."""
    pace = Pace(mild_per_s=0.0, clock=Clock())
    for text in ("", "many", "-5", "1e3"):
        pace.observe({"X-RateLimit-Remaining": text, "X-RateLimit-Reset": text})
        assert pace.delay_s(write=True) == 0.0
    assert sandbox_target("http://127.0.0.1:1", "ABC").company == "abc"


def test_threads_that_pace_together_lose_no_count() -> None:
    """A hundred threads take exactly what remains, less the reserve."""
    pace = Pace(clock=Clock())
    pace.observe(limits(remaining=105))
    free: list[float] = []
    take: Callable[[], None] = lambda: free.append(pace.delay_s(write=True))  # noqa: E731
    threads = [threading.Thread(target=take) for _ in range(150)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert free.count(0.0) == 100
