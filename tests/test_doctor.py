"""Each trouble with a target has a message of its own that says what to change; no secret is ever in one."""

import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from end_to_end import RawServer, closed_port, command, http

from importer.doctor import Step, examine
from importer.sandbox import Fault, Sandbox, Settings

CLIENT, SECRET = "planted-client-4711", "planted-secret-hunter2"
CUSTOMER_TENANT = "99999999-8888-7777-6666-555555555555"
TOKEN = b'{"access_token": "planted-token-0815", "token_type": "Bearer", "expires_in": 3600}'


class Answers(RawServer):
    """Answer each request, reads and tokens too, with whatever bytes a test wants."""

    def _reply(self, request: bytes) -> bytes:
        self.requests.append(request)
        return self._answer(len(self.requests) - 1, request)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISMA_CLIENT_ID", CLIENT)
    monkeypatch.setenv("VISMA_CLIENT_SECRET", SECRET)


def declare(folder: Path, base_url: str, company: str, **more: Any) -> None:
    target = {
        "base_url": base_url,
        "token_url": f"{base_url}/connect/token",
        "tenant_id": company,
        "client_id": {"env": "VISMA_CLIENT_ID"},
        "client_secret": {"env": "VISMA_CLIENT_SECRET"},
        **more,
    }
    (folder / "targets.yaml").write_text(json.dumps({"test": target}), encoding="utf-8")


@contextmanager
def served(tmp_path: Path, **settings: Any) -> Iterator[Sandbox]:
    """Serve a company that wants tokens and knows one client."""
    wanted = Settings(require_token=True, **{"clients": {CLIENT: SECRET}, "limit_per_hour": 500, **settings})
    with Sandbox(tmp_path / "served", settings=wanted) as box:
        yield box


def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir(exist_ok=True)
    return folder


def failing(folder: Path, *options: str) -> dict[str, Any]:
    """Run doctor; return the one step that failed, after nothing secret was found anywhere."""
    code, stdout, stderr = command("doctor", "--target", "test", "--json", *options, cwd=folder)
    plain_code, plain, _ = command("doctor", "--target", "test", "--debug", cwd=folder)
    assert (code, plain_code) == (3, 3), stdout + stderr
    assert "NOT OK" in plain
    shown = stdout + stderr + plain
    files = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    for planted in (CLIENT, SECRET, "planted-token-0815"):
        assert planted not in shown
        assert planted.encode() not in files
    steps = json.loads(stdout)["steps"]
    (failed,) = [step for step in steps if step["ok"] is False]
    after = steps[steps.index(failed) + 1 :]
    assert all(step["ok"] is None for step in after), "nothing is checked after a step that failed"
    assert len(steps) == 8
    step: dict[str, Any] = failed
    return step


def test_a_good_target_passes_every_step(tmp_path: Path) -> None:
    """Every step is ok; the limits are told with the seconds to the next window, numbering as declared."""
    folder = project(tmp_path)
    with served(tmp_path) as box:
        declare(folder, box.base_url, box.company_id, numbering={"customerInvoice": "manual"})
        code, stdout, _ = command("doctor", "--target", "test", cwd=folder)
        methods = {logged.method for logged in box.requests_log if "/connect/" not in logged.path}

    assert code == 0
    assert stdout.count("ok      ") == 8
    assert "of 500 requests are left, all of them again in 1 h 0 min (policy 4-fixed-window)" in stdout
    assert "customerInvoice: manual" in stdout
    assert methods == {"GET"}, "doctor writes nothing"
    assert SECRET not in stdout
    assert CLIENT not in stdout


def test_the_embedded_sandbox_is_examined_too(tmp_path: Path) -> None:
    """Without targets.yaml the sandbox is the target, and all is well with it."""
    code, stdout, _ = command("doctor", "--json", cwd=tmp_path)

    assert code == 0
    assert all(step["ok"] for step in json.loads(stdout)["steps"])


def test_six_troubles_have_six_messages(tmp_path: Path) -> None:
    """403, wrong tenant, wrong secret, unreachable host, wrong certificate, a proxy's page: all told apart."""
    folder = project(tmp_path)
    told: dict[str, dict[str, Any]] = {}
    with served(tmp_path, customer_tenants=frozenset({CUSTOMER_TENANT})) as box:
        declare(folder, box.base_url, CUSTOMER_TENANT)
        told["tenant"] = failing(folder)
    with served(tmp_path, clients={CLIENT: "another"}) as box:
        declare(folder, box.base_url, box.company_id)
        told["secret"] = failing(folder)
    with served(tmp_path, scopes=("vismanet_erp_service_api:create",)) as box:
        declare(folder, box.base_url, box.company_id, scope="vismanet_erp_service_api:create")
        told["403"] = failing(folder)
        company = box.company_id
        declare(folder, box.base_url.replace("http:", "https:"), company)
        told["certificate"] = failing(folder)
    declare(folder, f"http://127.0.0.1:{closed_port()}", company)
    told["host"] = failing(folder)
    with Answers(lambda _n, _r: http(200, b"<!DOCTYPE html><title>Sign in</title>", Content_Type="text/html")) as proxy:
        declare(folder, proxy.base_url, company)
        told["page"] = failing(folder)

    assert {name: step["name"] for name, step in told.items()} == {
        "tenant": "company",
        "secret": "token",
        "403": "company",
        "certificate": "host",
        "host": "host",
        "page": "host",
    }
    wanted = {
        "tenant": "company's tenant id",
        "secret": "client_secret",
        "403": "scope",
        "certificate": "ca_file",
        "host": "base_url",
        "page": "proxy",
    }
    for name, word in wanted.items():
        assert word in told[name]["advice"], told[name]
        assert "targets.yaml" in told[name]["advice"]
    assert len({step["message"] for step in told.values()}) == 6
    assert len({step["advice"] for step in told.values()}) == 6


def test_a_missing_licence_is_told_by_its_name(tmp_path: Path) -> None:
    """The gateway's error of shape B is neither a scope nor a tenant."""
    folder = project(tmp_path)
    with served(tmp_path, unlicensed_tenants=frozenset({CUSTOMER_TENANT})) as box:
        declare(folder, box.base_url, CUSTOMER_TENANT)
        step = failing(folder)

    assert step["name"] == "company"
    assert "no licence for this company" in step["message"]
    assert "Visma App" in step["advice"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_a_certificate_that_nobody_trusts_and_one_that_is_named(tmp_path: Path) -> None:
    """A certificate of one's own is refused until ca_file names it."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    folder = project(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Quiet)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"https://127.0.0.1:{server.server_address[1]}"
    try:
        declare(folder, address, CUSTOMER_TENANT)
        step = failing(folder)
        shutil.copy(certificate, folder / "ours.pem")
        declare(folder, address, CUSTOMER_TENANT, ca_file="ours.pem")
        trusted = list(examine(folder, "test", tmp_path / "sandbox"))
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)

    assert step["name"] == "host"
    assert "certificate is not trusted" in step["message"]
    assert [(step.name, step.ok) for step in trusted[:4]] == [
        ("targets.yaml", True),
        ("credentials", True),
        ("host", True),
        ("token", False),
    ]


class _Quiet(BaseHTTPRequestHandler):
    """Answer 401 to everything."""

    def answer(self) -> None:
        """Answer."""
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = answer  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Stay quiet."""


@pytest.mark.parametrize(
    ("answers", "name", "message", "advice"),
    [
        ([http(404)], "host", "answered 404", "without /v1"),
        ([http(503)], "host", "answered 503", "Try again later"),
        ([http(401), http(302, Location="http://127.0.0.1/")], "token", "No token for target", "token_url"),
        ([http(401), http(200, TOKEN), http(200, b"<html>")], "company", "a web page came back", "proxy"),
        ([http(401), http(200, TOKEN), http(200, b'{"a": 1}')], "company", "something else", "base_url"),
        ([http(401), http(200, TOKEN), http(404, b"{}")], "company", "no list of customers", "base_url"),
        ([http(401), http(200, TOKEN), http(403, b"{}")], "company", "refuses it (403)", "integration administrator"),
        ([http(401), http(200, TOKEN), http(429, Retry_After="1800")], "company", "again in 30 min 0 s", "Wait"),
        ([http(401), http(200, TOKEN), http(500, b"{}")], "company", "cannot be read (500)", "Try again later"),
    ],
)
def test_other_answers_are_told_apart(
    tmp_path: Path, answers: list[bytes], name: str, message: str, advice: str
) -> None:
    """Whatever answers, the step that noticed it says what it means."""
    folder = project(tmp_path)
    with Answers(lambda number, _: answers[number % len(answers)]) as server:
        declare(folder, server.base_url, CUSTOMER_TENANT)
        step = failing(folder)

    assert step["name"] == name
    assert message in step["message"]
    assert advice in step["advice"]


def test_what_an_answer_says_back_is_blotted_out(tmp_path: Path) -> None:
    """Neither the client id nor the secret is shown, although the server repeats them."""
    folder = project(tmp_path)
    echo = json.dumps({"message": f"Client {CLIENT} with {SECRET} may not."}).encode()
    answers = [http(401), http(200, TOKEN), http(403, echo)]
    with Answers(lambda number, _: answers[number % 3]) as server:
        declare(folder, server.base_url, CUSTOMER_TENANT)
        step = failing(folder)

    assert "Client *** with *** may not." in step["message"]


def test_a_limit_that_is_used_up_is_told_with_the_time_to_wait(tmp_path: Path) -> None:
    """A window without requests left is no mystery: doctor says when it starts again, and does not wait for it."""
    folder = project(tmp_path)
    with served(tmp_path, limit_per_hour=1) as box:
        declare(folder, box.base_url, box.company_id)
        step = failing(folder)

    assert "the request limit is used up; it starts again in" in step["message"]
    assert "Another program may use the same client" in step["advice"]


@pytest.mark.parametrize("count", ["9" * 5000, "\xb2", "-1", ""])
def test_limits_that_make_no_sense_are_told_without_a_mistake_of_our_own(tmp_path: Path, count: str) -> None:
    """Whatever stands in the headers, doctor ends with its steps."""
    limits = {f"X_RateLimit_{name}": count for name in ("Limit", "Remaining", "Reset")}
    answers = [http(401), http(200, TOKEN), http(200, b"[]", Date="Mon, 27 Jan 2025 12:00 +9999999999", **limits)]
    with Answers(lambda number, _: answers[number]) as server:
        folder = project(tmp_path)
        declare(folder, server.base_url, CUSTOMER_TENANT)
        steps = {step.name: step for step in examine(folder, "test", tmp_path / "x")}

    assert steps["limits"].ok
    assert steps["clock"].message == "the answer had no date to compare with"


@pytest.mark.parametrize(("seconds", "ok"), [(-3600, False), (-100, True), (0, True), (100, True), (3600, False)])
def test_a_clock_that_is_wrong_is_told(tmp_path: Path, seconds: int, ok: bool) -> None:
    """The server's Date is compared with this machine's clock."""
    folder = project(tmp_path)
    now = 1_750_000_000.0
    with Sandbox(tmp_path / "served", clock=lambda: now) as box:
        declare(folder, box.base_url, box.company_id)
        steps = {step.name: step for step in examine(folder, "test", tmp_path / "x", clock=lambda: now + seconds)}

    assert steps["clock"].ok is ok
    assert ("ahead of" in steps["clock"].message) is (seconds == 3600)
    assert steps["numbering"].ok


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("test: {tenant_id: 1", "targets.yaml", "targets.yaml:1:"),
        (f"test:\n  client_secret: {SECRET}\n", "targets.yaml", "must not stand in this file"),
        (None, "targets.yaml", "has no targets.yaml"),
        ("tset: {tenant_id: %s, client_id: a, client_secret: {env: A}}", "targets.yaml", "Did you mean 'tset'?"),
        ("test: {tenant_id: %s, client_id: a, client_secret: {env: NOT_SET}}", "credentials", "'NOT_SET'"),
        ("test: {tenant_id: %s, client_id: a, client_secret: {file: gone.txt}}", "credentials", "'gone.txt'"),
    ],
)
def test_mistakes_in_the_project_folder_come_first(tmp_path: Path, text: str | None, name: str, said: str) -> None:
    """What can be known without the network is said before it is used."""
    if text is not None:
        (tmp_path / "targets.yaml").write_text(text.replace("%s", CUSTOMER_TENANT), encoding="utf-8")
    steps = list(examine(tmp_path, "test", tmp_path / "sandbox"))
    failed = next(step for step in steps if step.ok is False)

    assert (failed.name, said in failed.message) == (name, True), failed
    assert SECRET not in failed.message
    assert [step.ok for step in steps[: steps.index(failed)]] == [True] * steps.index(failed)


def test_a_fault_of_the_network_does_not_hang_doctor(tmp_path: Path) -> None:
    """A connection that is cut is a step that failed, told at once."""
    folder = project(tmp_path)
    cut = Fault(match="GET /v1/customer", kind="cut_before")
    with served(tmp_path, faults=(cut,)) as box:
        declare(folder, box.base_url, box.company_id)
        steps: list[Step] = list(examine(folder, "test", tmp_path / "sandbox"))

    failed = next(step for step in steps if step.ok is False)
    assert failed.name == "company"
    assert "cut" in failed.message
