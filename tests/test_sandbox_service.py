"""The simulated API as a service: tokens, limit, background requests, faults, log and state, each rule by itself."""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from sandbox_api import CUSTOMER, INVOICE, TENANT, Api, api, document, folder, serve

from importer.errors import ProgramError, StartError
from importer.sandbox import Fault, Sandbox, catalog, inspect, reset

__all__ = ["api", "folder"]


def token(api: Api, **form: str) -> requests.Response:
    asked = {"grant_type": "client_credentials", "client_id": "me", "client_secret": "s3cret", **form}
    return api.http.post(api.box.token_url, data=asked, timeout=10)


def test_tokens_open_the_company_they_were_asked_for(folder: Path) -> None:
    """No, a wrong, an expired and a customer-tenant token are 401; no licence is shape B."""
    now = [1000.0]
    settings = {"customer_tenants": frozenset({"c" * 8}), "unlicensed_tenants": frozenset({"u" * 8})}
    with serve(folder, lambda: now[0], require_token=True, clients={"me": "s3cret"}, **settings) as api:

        def read(secret: str) -> requests.Response:
            return api("GET", CUSTOMER, headers={"Authorization": f"Bearer {secret}"})

        granted = token(api, tenant_id=api.box.company_id).json()
        assert (granted["expires_in"], granted["token_type"]) == (3600, "Bearer")
        assert read(granted["access_token"]).status_code == 200
        assert api("GET", CUSTOMER).status_code == read("wrong").status_code == 401
        assert read(token(api, tenant_id="c" * 8).json()["access_token"]).status_code == 401
        unlicensed = read(token(api, tenant_id="u" * 8).json()["access_token"]).json()
        assert unlicensed["ExceptionFaultCode"] == "12027"
        assert token(api, tenant_id=api.box.company_id, client_secret="no").json() == {"error": "invalid_client"}
        assert token(api, tenant_id=api.box.company_id, scope="all").json() == {"error": "invalid_scope"}
        assert token(api, tenant_id=TENANT).status_code == 400
        narrow = token(api, tenant_id=api.box.company_id, scope="vismanet_erp_service_api:create").json()
        assert read(narrow["access_token"]).status_code == 403
        now[0] += 3600
        assert read(granted["access_token"]).status_code == 401


def test_the_limit_counts_a_window_and_then_turns_away(folder: Path) -> None:
    """Four headers on every answer; over the limit nothing is carried out; the window comes back whole."""
    now = [0.0]
    with serve(folder, lambda: now[0], limit_per_hour=2, window_s=60) as api:
        now[0] = 10.5
        assert api("GET", CUSTOMER).headers["X-RateLimit-Remaining"] == "1"
        now[0] = 30
        headers = api("POST", INVOICE, document()).headers
        names = ("Limit", "Remaining", "Reset", "Policy")
        assert [headers[f"X-RateLimit-{name}"] for name in names] == ["2", "0", "41", "4-fixed-window"]
        refused = api("POST", INVOICE, document())
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "41")
        text = "Rate limit is exceeded. Try again in 41 seconds."
        assert refused.json() == {"statusCode": 429, "message": text}
        assert len(inspect.documents(folder, "customerInvoice")) == 1
        now[0] = 71
        assert api("GET", CUSTOMER).headers["X-RateLimit-Remaining"] == "1"


def test_background_requests_are_done_later_and_kept_a_day(folder: Path) -> None:
    """202 at once, Started, then Finished with the status and headers of the real work; 410 after a day."""
    now = [1000.0]
    with serve(folder, lambda: now[0], background_delay_s=5) as api:
        quiet = {"erp-api-background": "none"}
        good = api("POST", INVOICE, document(), headers=quiet)
        bad = api("POST", INVOICE, document(customerNumber="1"), headers=quiet).json()["stateLocation"]
        assert (good.status_code, set(good.json())) == (202, {"id", "stateLocation"})
        address = good.json()["stateLocation"]
        state = api("GET", address).json()
        assert (state["status"], state["statusCode"], api.numbers("")) == ("Started", 0, [])
        now[0] += 5
        state = api("GET", address).json()
        assert (state["status"], state["statusCode"]) == ("Finished", 201)
        assert api("GET", state["responseHeaders"]["Location"]).json()["referenceNumber"] == "000001"
        assert api("GET", f"{address}/content").status_code == 404
        assert api("GET", bad).json()["statusCode"] == 400
        assert "cannot be found" in api("GET", f"{bad}/content").json()["message"]
        now[0] += 24 * 3600
        assert api("GET", address).status_code == api("GET", f"{bad}/content").status_code == 410


@pytest.mark.parametrize(
    ("fault", "status", "held"),
    [
        ({"kind": "500_before"}, 500, 0),
        ({"kind": "500_after"}, 500, 1),
        ({"kind": "500_message"}, 500, 0),
        ({"kind": "502_html"}, 502, 0),
        ({"kind": "502_html", "commit": True}, 502, 1),
        ({"kind": "503"}, 503, 0),
        ({"kind": "429"}, 429, 0),
        ({"kind": "401"}, 401, 0),
        ({"kind": "400_plain"}, 400, 0),
        ({"kind": "307"}, 307, 0),
        ({"kind": "no_location"}, 201, 1),
        ({"kind": "other_location"}, 201, 1),
        ({"kind": "202"}, 202, 0),
        ({"kind": "cut_before"}, None, 0),
        ({"kind": "cut_after"}, None, 1),
        ({"kind": "hang", "delay_s": 0.05}, 201, 1),
        ({"kind": "late", "delay_s": 0.05}, 201, 1),
    ],
)
def test_faults_on_demand(api: Api, folder: Path, fault: Any, status: int | None, held: int) -> None:
    """Each fault answers as named and creates, or does not, as named; the next request is well again."""
    api.box.faults.append(Fault(match="POST CustomerInvoice", nth=2, **fault))
    api.create()
    if status is None:
        with pytest.raises(requests.ConnectionError):
            api("POST", INVOICE, document())
    else:
        answer = api("POST", INVOICE, document())
        assert answer.status_code == status
        assert ("Location" in answer.headers) is (fault["kind"] not in {"no_location"} and status in (201, 202, 307))
        assert answer.headers.get("Location", "").endswith("999999") is (fault["kind"] == "other_location")
    assert len(inspect.documents(folder, "customerInvoice")) == 1 + held
    api.create()
    assert [entry.status for entry in api.box.requests_log] == [201, status or 0, 201]
    assert inspect.writes(folder) == 3


def test_a_fault_can_strike_every_nth_request_and_the_token(api: Api) -> None:
    """Without nth and every it strikes always; the token's address can be hit too."""
    api.box.faults.extend([Fault(match="GET customer", kind="503", every=3), Fault(match="* token", kind="500_before")])
    assert [api("GET", CUSTOMER).status_code for _ in range(6)] == [200, 200, 503, 200, 200, 503]
    assert token(api).status_code == 500


def test_lists_can_lag_and_ignore_filters(folder: Path) -> None:
    """What look-ups must not be fooled by can be rehearsed."""
    now = [1000.0]
    lists = {"lists_lag_s": 20, "ignored_filters": frozenset({"externalReference"})}
    with serve(folder, lambda: now[0], **lists) as api:
        number = api.create(externalReference="A")
        assert (api.numbers(""), api("GET", f"{INVOICE}/{number}").status_code) == ([], 200)
        now[0] += 20
        assert api.numbers("externalReference=B") == [number]


def test_the_log_keeps_requests_but_no_secrets(api: Api) -> None:
    """Method, path, query as sent, headers and status, without the token's value."""
    api("GET", f"{CUSTOMER}?name=A%3Db", headers={"Authorization": "Bearer hidden"})
    token(api)
    first, second = api.box.requests_log
    assert (first.method, first.path, first.query, first.status) == ("GET", CUSTOMER, "name=A%3Db", 200)
    assert first.headers["authorization"] == "***"
    assert "s3cret" not in repr(second)


def test_the_state_stays_until_a_reset_and_is_its_owners(folder: Path) -> None:
    """A second sandbox meets what the first one made; a reset empties it and renews the company."""
    with serve(folder) as api:
        api.create()
        company = api.box.company_id
    assert ((folder / "sandbox.db").stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)
    with serve(folder) as api:
        assert (api.box.company_id, len(api.numbers(""))) == (company, 1)
        reset(folder)
        assert api.box.company_id != company
        assert (api.numbers(""), inspect.writes(folder)) == ([], 0)
        assert (len(api.numbers("", CUSTOMER)), api.create()) == (100, "000001")


def test_looking_into_no_state_makes_none(folder: Path) -> None:
    """Inspection of a folder without a sandbox finds nothing and leaves nothing behind."""
    assert (inspect.documents(folder, "customer"), inspect.writes(folder), folder.exists()) == ([], 0, False)


def test_a_stopped_sandbox_answers_nobody(folder: Path) -> None:
    """Kept connections end with it, a hanging answer does not hold it up, and a taken port is named."""
    box = Sandbox(folder).start()
    with Api(box).http as http, ThreadPoolExecutor() as pool:
        address = box.base_url
        with pytest.raises(StartError, match="Choose another port"):
            Sandbox(folder, port=int(address.rpartition(":")[2])).start()
        box.faults.append(Fault(match="GET", kind="hang", delay_s=60))
        hanging = pool.submit(http.get, address + CUSTOMER, timeout=30)
        while not box._store or not box._server._open:
            time.sleep(0.01)
        began = time.monotonic()
        box.stop()
        assert time.monotonic() - began < 2
        assert hanging.exception() or hanging.result()
        with pytest.raises(requests.ConnectionError):
            http.get(address + CUSTOMER, timeout=5)
    with pytest.raises(StartError):
        _ = box.base_url


def test_a_further_resource_is_a_row_of_data(tmp_path: Path) -> None:
    """Suppliers work after adding their rows to resources.json, without any code."""
    source = Path(catalog.__file__).with_name("resources.json")
    tables = json.loads(source.read_text(encoding="utf-8"))
    tables["types"]["Supplier"] = {"number": "text", "name": "text", "mainAddress": "{Address}"}
    row = {**tables["resources"]["customer"], "path": "supplier", "body": "Supplier", "record": "Supplier"}
    tables["resources"]["supplier"] = {**row, "series": {"start": 50000, "width": 5}, "actions": {}}
    path = tmp_path / "resources.json"
    path.write_text(json.dumps(tables), encoding="utf-8")
    with serve(tmp_path / "state", catalog=path) as api:
        assert api.create("/v1/supplier", name="A") == "50000"
        assert api("GET", "/v1/supplier/50000").json()["name"] == "A"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(ProgramError):
        catalog.load(path)


CHILD = """
import sys
from pathlib import Path
from importer.sandbox import Sandbox
with Sandbox(Path(sys.argv[1])) as box:
    print(box.base_url, flush=True)
    sys.stdin.read()
"""


def test_two_processes_share_a_state_without_losing_or_doubling(folder: Path) -> None:
    """Two hundred creates through two processes at once give two hundred numbers."""
    command = [sys.executable, "-c", CHILD, str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as one, subprocess.Popen(command, **pipes) as two:
        urls = [child.stdout.readline().strip() for child in (one, two)]

        def create(url: str) -> list[str]:
            with requests.Session() as http:
                http.trust_env = False
                made = [http.post(url + INVOICE, json=document(), timeout=60) for _ in range(50)]
                return [answer.headers["Location"].rpartition("/")[2] for answer in made]

        with ThreadPoolExecutor(4) as pool:
            numbers = [number for made in pool.map(create, urls * 2) for number in made]
    assert sorted(numbers) == [f"{number:06}" for number in range(1, 201)]
    assert [held["number"] for held in inspect.documents(folder, "customerInvoice")] == sorted(numbers)
    assert inspect.writes(folder) == 200
