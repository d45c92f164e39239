"""Runs against a declared target that wants tokens: their end, the API's limits, what is in the way, and secrets."""

import json
import os
import pty
import re
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from end_to_end import closed_port, command, environment, invoice_rows, make_project, program, references
from test_every_operation import CLIENT, SECRET, company

from importer.sandbox import Fault, Sandbox, Settings, inspect

SETTINGS = Settings(require_token=True, clients={CLIENT: SECRET})
HERE = {"COMPANY_CLIENT_ID": CLIENT, "COMPANY_CLIENT_SECRET": SECRET}
SEND = ("run", "mapping.yaml", "--target", "company", "--yes", "--report", "report")
MANY = 250
LOGIN_PAGE = b"<html><head><title>Log in to the network</title></head><body>Who are you?</body></html>"
CUSTOMER_TENANT = "99999999-0000-4000-8000-000000000001"
UNLICENSED = "99999999-0000-4000-8000-000000000002"


@contextmanager
def office(
    folder: Path, count: int, settings: Settings = SETTINGS, clock: Callable[[], float] = time.time
) -> Iterator[tuple[Sandbox, Path]]:
    """Serve a company; yield it with a project folder whose workbook holds as many invoices."""
    with company(folder, settings=settings, clock=clock) as (box, project):
        yield box, make_project(project, invoice_rows(count))


def declare(project: Path, **changes: Any) -> None:
    """Change what targets.yaml says of the company."""
    file = project / "targets.yaml"
    data = yaml.safe_load(file.read_text(encoding="utf-8"))
    data["company"].update(changes)
    file.write_text(yaml.safe_dump(data), encoding="utf-8")


def results(project: Path) -> dict[str, Any]:
    """Return what a run reported."""
    found: dict[str, Any] = json.loads((project / "report" / "results.json").read_text(encoding="utf-8"))
    return found


def counts(project: Path) -> dict[str, int]:
    """Return how many documents have each status."""
    return {name: found["documents"] for name, found in results(project)["counts"].items() if found["documents"]}


def held(project: Path) -> list[str]:
    """Return the references of the invoices that the company holds, each as often as it does."""
    return references(inspect.documents(project.parent / "company", "customerInvoice"))


def everything(count: int) -> list[str]:
    """Return the references of so many invoices."""
    return [f"F{number:04}" for number in range(1, count + 1)]


def tokens_asked(box: Sandbox) -> int:
    """Return how often a token was asked for."""
    return sum("/connect/" in entry.path for entry in box.requests_log)


def statuses(box: Sandbox, status: int) -> int:
    """Return how many requests the company answered with a status."""
    return sum(entry.status == status for entry in box.requests_log)


def writes(box: Sandbox) -> int:
    """Return how many writes reached the company."""
    return sum(entry.method != "GET" and "/connect/" not in entry.path for entry in box.requests_log)


def test_a_token_is_renewed_before_it_ends(tmp_path: Path) -> None:
    """Over the ends of short tokens all documents are accepted, none is refused, and no more tokens are asked for."""
    count, lifetime = 40, 1
    slow = Fault(match="POST /customerinvoice", kind="late", delay_s=0.05)
    with office(tmp_path, count, replace(SETTINGS, token_lifetime_s=lifetime, faults=(slow,))) as (box, project):
        started = time.monotonic()
        code, out, err = command(*SEND, cwd=project)
        passed = time.monotonic() - started
        assert (code, counts(project)) == (0, {"accepted": count}), out + err
        assert held(project) == everything(count)
        assert 3 <= tokens_asked(box) <= 2 + passed / (lifetime / 2)


def test_a_refusal_amid_the_run_costs_one_token_and_no_document(tmp_path: Path) -> None:
    """After one 401 the same document goes out again with another token, and every document is there once."""
    count = 40
    refused = Fault(match="POST /customerinvoice", kind="401", nth=count // 2)
    with office(tmp_path, count, replace(SETTINGS, faults=(refused,))) as (box, project):
        code, out, err = command(*SEND, cwd=project)
        assert (code, counts(project)) == (0, {"accepted": count}), out + err
        assert held(project) == everything(count)
        assert (tokens_asked(box), writes(box)) == (2, count + 1)


def test_a_second_refusal_stops_the_run_with_nothing_in_doubt(tmp_path: Path) -> None:
    """Two 401 for one document end the run with exit code 6, and the next run sends the rest."""
    refused = tuple(Fault(match="POST /customerinvoice", kind="401", nth=nth) for nth in (3, 4))
    with office(tmp_path, 5, replace(SETTINGS, faults=refused)) as (_, project):
        assert command(*SEND, "--workers", "1", cwd=project)[0] == 6
        assert counts(project) == {"accepted": 2, "not_sent": 3}
        assert command(*SEND, cwd=project)[0] == 0
        assert counts(project) == {"accepted": 3, "already_accepted": 2}
        assert held(project) == everything(5)


def test_the_end_of_a_token_and_of_a_window_only_make_a_long_run_wait(tmp_path: Path) -> None:
    """A hundred requests a window and a token that the server ends amid the run: all accepted, one token renewed."""
    window, boxes = 3, list[Sandbox]()

    def clock() -> float:
        late = bool(boxes) and len(boxes[0].requests_log) > MANY // 2
        return time.time() + (3700 if late else 0)

    limited = replace(SETTINGS, limit_per_hour=100, window_s=window)
    with office(tmp_path, MANY, limited, clock) as (box, project):
        boxes.append(box)
        code, out, err = command(*SEND, cwd=project)
        assert (code, counts(project)) == (0, {"accepted": MANY}), out + err
        assert held(project) == everything(MANY)
        # each of two workers may have been turned away once before one of them renewed it
        assert tokens_asked(box) == 2
        assert 1 <= statuses(box, 401) <= 2


def test_a_full_window_is_told_and_waited_for(tmp_path: Path) -> None:
    """Where a window is used up, the run says that it waits, and goes on when the next one opens."""
    count, window = 12, 3
    with office(tmp_path, count, replace(SETTINGS, limit_per_hour=5, window_s=window)) as (box, project):
        code, out, err = command(*SEND, cwd=project)
        assert (code, counts(project)) == (0, {"accepted": count}), out + err
        assert held(project) == everything(count)
        times = [entry.started for entry in box.requests_log]
        assert window <= times[-1] - times[0] < 10 * window
        assert "request limit is reached: waiting" in err


def test_a_request_that_is_turned_away_waits_as_long_as_it_is_told(tmp_path: Path) -> None:
    """A 429 waits for its Retry-After and the same document goes on."""
    with office(tmp_path, 5, replace(SETTINGS, faults=(Fault(match="POST /v1", kind="429", nth=3),))) as (box, project):
        assert command(*SEND, "--workers", "1", cwd=project)[0] == 0
        assert held(project) == everything(5)
        posts = [entry for entry in box.requests_log if entry.method == "POST" and "/connect/" not in entry.path]
        assert [entry.status for entry in posts] == [201, 201, 429, 201, 201, 201]
        assert posts[3].started - posts[2].ended >= 0.95
        assert posts[3].body == posts[2].body


def test_the_default_target_is_used_without_being_named(tmp_path: Path) -> None:
    """`default: true` makes a command without --target go there, and only there."""
    with office(tmp_path, 2) as (box, project):
        declare(project, default=True)
        code, out, _ = command("run", "mapping.yaml", "--yes", cwd=project)
        assert (code, writes(box)) == (0, 2)
        assert "company" in out
        assert not (project / ".visma-import" / "sandbox").exists()


@pytest.mark.parametrize("production", [True, False])
def test_without_a_terminal_and_without_yes_nothing_is_sent(tmp_path: Path, production: bool) -> None:
    """Where nobody can be asked, a run at a real company does not start."""
    with office(tmp_path, 2) as (box, project):
        declare(project, production=production)
        code, out, err = command("run", "mapping.yaml", "--target", "company", cwd=project)
        assert (code, writes(box)) == (3, 0)
        assert "--yes" in out + err
        assert not (project / "reports").exists()


@pytest.mark.parametrize(("typed", "code", "sent"), [("y", 3, 0), ("Company", 3, 0), ("company", 0, 2)])
def test_production_wants_its_name_typed(tmp_path: Path, typed: str, code: int, sent: int) -> None:
    """At a terminal a run at a production company starts only when its very name is typed."""
    with office(tmp_path, 2) as (box, project):
        declare(project, production=True)
        ours, theirs = pty.openpty()
        arguments = [sys.executable, "-m", "importer", "run", "mapping.yaml", "--target", "company"]
        with subprocess.Popen(
            arguments, cwd=project, env=environment(tmp_path, **HERE), stdin=theirs, stdout=-1, stderr=-1
        ) as done:
            os.write(ours, f"{typed}\n".encode())
            out, err = done.communicate(timeout=60)
        os.close(ours)
        os.close(theirs)
        assert (done.returncode, writes(box)) == (code, sent), out + err
        assert b"PRODUCTION" in out + err


class _Proxy(BaseHTTPRequestHandler):
    """Answer everything with a page for people."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(LOGIN_PAGE)))
        self.end_headers()
        self.wfile.write(LOGIN_PAGE)

    do_POST = do_GET  # noqa: N815 - the name the base class looks for

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Stay quiet."""


@contextmanager
def html_proxy() -> Iterator[str]:
    """Serve a proxy that shows a page instead of passing anything on."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Proxy) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@contextmanager
def no_tls() -> Iterator[str]:
    """Serve an address of https that speaks no TLS."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(4096)
                        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                except OSError:
                    return

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        server.join(5)


@contextmanager
def troubled(name: str, project: Path, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put something in the way of a run."""
    if name == "forbidden":
        declare(project, tenant_id=UNLICENSED)
    elif name == "tenant":
        declare(project, tenant_id=CUSTOMER_TENANT)
    elif name == "secret":
        patch.setenv("COMPANY_CLIENT_SECRET", "another-secret")
    elif name == "unreachable":
        declare(project, base_url=f"http://127.0.0.1:{closed_port()}")
    elif name == "tls":
        with no_tls() as url:
            declare(project, base_url=url)
            yield
        return
    else:
        with html_proxy() as url:
            declare(project, **({"base_url": url} if name == "html" else {"token_url": f"{url}/connect/token"}))
            yield
        return
    yield


#: What is in the way, and words that its message must have.
TROUBLES = {
    "forbidden": ("403", "licence"),
    "tenant": ("401", "tenant", "customer"),
    "secret": ("secret", "client id", "Developer Portal"),
    "unreachable": ("refused", "network"),
    "tls": ("certificate", "TLS"),
    "html": ("proxy",),
    "html for the token": ("proxy", "token_url"),
}
GUARDED = replace(SETTINGS, customer_tenants=frozenset({CUSTOMER_TENANT}), unlicensed_tenants=frozenset({UNLICENSED}))


@pytest.mark.parametrize("name", TROUBLES)
def test_what_is_in_the_way_is_named_and_nothing_is_in_doubt(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each trouble says what to change, the run ends with 3 or 6, and once it is gone the same run sends everything."""
    with office(tmp_path, 3, GUARDED) as (box, project):
        company_id = yaml.safe_load((project / "targets.yaml").read_text(encoding="utf-8"))["company"]["tenant_id"]
        with monkeypatch.context() as patch, troubled(name, project, patch):
            code, out, err = command(*SEND, cwd=project)
        said = " ".join((out + err).split())
        assert [word for word in TROUBLES[name] if word not in said] == [], said
        assert code in (3, 6), said
        assert held(project) == []
        declare(project, tenant_id=company_id, base_url=box.base_url, token_url=box.token_url)
        assert command(*SEND, cwd=project)[0] == 0
        assert held(project) == everything(3)


def test_each_trouble_has_a_message_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the way is told in as many sentences as there are troubles."""
    told = {}
    with office(tmp_path, 1, GUARDED) as (_, project):
        good = yaml.safe_load((project / "targets.yaml").read_text(encoding="utf-8"))["company"]
        for name in TROUBLES:
            with monkeypatch.context() as patch, troubled(name, project, patch):
                _, _, err = command(*SEND[:-1], f"report {name}", cwd=project)
            file = project / f"report {name}" / "results.json"
            found = json.loads(file.read_text(encoding="utf-8"))["documents"][0]["message"] if file.exists() else err
            told[name] = re.sub(r"\d+", "*", found).strip()
            declare(project, **good)
    assert all(told.values()), told
    assert len(set(told.values())) == len(TROUBLES), told


def texts(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the content of every file under a folder, what is packed unpacked."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield str(file), file.read_bytes()
            if zipfile.is_zipfile(file):
                with zipfile.ZipFile(file) as packed:
                    yield from ((f"{file}!{name}", packed.read(name)) for name in packed.namelist())


@pytest.mark.parametrize("trouble", ["", "forbidden", "tenant", "secret", "unreachable", "html", "html for the token"])
def test_no_secret_is_left_anywhere(tmp_path: Path, trouble: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Token, secret and client id stand in no file of the project and in nothing printed, --debug or not."""
    with office(tmp_path, 3, GUARDED) as (_, project):
        with monkeypatch.context() as patch, troubled(trouble, project, patch) if trouble else patch.context():
            secret = os.environ["COMPANY_CLIENT_SECRET"]
            _, out, err = command(*SEND, "--debug", cwd=project)
            _, planned, said = command("plan", "mapping.yaml", "--target", "company", "--debug", "--json", cwd=project)
        with closing(sqlite3.connect(tmp_path / "company" / "sandbox.db")) as db:
            tokens = [row[0] for row in db.execute("SELECT token FROM tokens")]
        printed = f"{out}{err}{planned}{said}".encode()
        assert bool(tokens) == (trouble not in ("secret", "html for the token"))
        wanted = [CLIENT, secret, *tokens]
        found = [
            (where, word)
            for where, content in [*texts(project), ("printed", printed)]
            for word in wanted
            if word.encode() in content
        ]
    assert found == []


def test_settings_of_the_machine_have_no_say(tmp_path: Path) -> None:
    """Neither .netrc nor a proxy nor certificates of the environment change where a run goes and who it is."""
    with office(tmp_path, 2) as (box, project):
        netrc = tmp_path / ".netrc"
        netrc.write_text("machine 127.0.0.1 login somebody password else\n", encoding="utf-8")
        netrc.chmod(0o600)
        nowhere = f"http://127.0.0.1:{closed_port()}"
        proxies = {
            name: nowhere for kind in ("HTTP", "HTTPS", "ALL") for name in (f"{kind}_PROXY", f"{kind}_proxy".lower())
        }
        more = {"NETRC": str(netrc), "HOME": str(tmp_path), "REQUESTS_CA_BUNDLE": str(tmp_path / "none.pem")}
        done = program(*SEND, cwd=project, **HERE, **proxies, **more)
        assert (done.returncode, writes(box)) == (0, 2), done.stdout + done.stderr
        assert held(project) == everything(2)
        assert statuses(box, 401) == 0


@pytest.mark.parametrize("match", ["POST /customerinvoice", "POST /connect/token", "GET /v1/"])
def test_a_redirect_is_never_followed(tmp_path: Path, match: str) -> None:
    """A 307 takes neither a write nor a token request nor a read, with what they carry, to another host."""
    with office(tmp_path, 2, replace(SETTINGS, faults=(Fault(match=match, kind="307"),))) as (box, project):
        verb = "plan" if match.startswith("GET") else "run"
        options = ["--yes"] if verb == "run" else []
        code, _, _ = command(verb, "mapping.yaml", "--target", "company", *options, cwd=project)
        assert statuses(box, 307) >= 1
        assert {entry.headers["host"].partition(":")[0] for entry in box.requests_log} == {"127.0.0.1"}
        assert held(project) == []
        assert verb == "plan" or code in (3, 5, 6)
