"""Check a target step by step: its file, its secrets, the host, a token, the company, the limits, the clock.

Each step says what was found and, where something is wrong, what to change and where. Reads one page of customers,
writes nothing, and tells no secret.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from importer.api.client import Answer, Client, NoAnswer
from importer.api.pace import MILD_PER_S, Pace
from importer.api.session import Session
from importer.api.token import TokenSource
from importer.api.verdict import error_message
from importer.api.wait import count_in
from importer.errors import MappingError, TargetError
from importer.fetch import rows_of
from importer.sandbox import Sandbox
from importer.target import SANDBOX, Secret, Target, choose, sandbox_target
from importer.yamlfile import load

_TIMEOUT_S: Final = (10.0, 60.0)
_PATH: Final = "/v1/customer"
_PAGE: Final = {"pageNumber": "1", "pageSize": "1"}
#: Seconds by which two clocks may differ before it is worth a word.
_SKEW_S: Final = 120
_MINUTE_S: Final = 60
#: How the answer to a request without a token may look, where the route is there. Source: FACTS 1 (REPORTED).
_ROUTE_EXISTS: Final = frozenset({200, 400, 401, 403, 429})
_NO_LICENCE: Final = "12027"
_STEPS: Final = ("targets.yaml", "credentials", "host", "token", "company", "limits", "clock", "numbering")


@dataclass(frozen=True, slots=True)
class Step:
    """Hold what one step found."""

    name: str
    #: None where it was not checked, because an earlier step failed
    ok: bool | None
    message: str
    #: what to change and where; empty where nothing is wrong
    advice: str = ""


class _Failed(Exception):  # noqa: N818 - it ends the examination, not the program
    """Carry the step at which the examination ends."""

    def __init__(self, step: Step) -> None:
        super().__init__(step.name)
        self.step = step


def examine(
    project: Path, name: str | None, sandbox: Path, *, clock: Callable[[], float] = time.time
) -> Iterator[Step]:
    """Yield the steps in their order; after one that failed the others are not checked.

    `project` is the folder of targets.yaml, `sandbox` the folder of the embedded one's state.
    """
    done: list[str] = []
    try:
        for step in _steps(project, name, sandbox, clock):
            done.append(step.name)
            yield step
    except _Failed as failure:
        done.append(failure.step.name)
        yield failure.step
        yield from (Step(rest, None, "not checked") for rest in _STEPS if rest not in done)


def _steps(project: Path, name: str | None, sandbox: Path, clock: Callable[[], float]) -> Iterator[Step]:
    try:
        chosen = choose(project, name)
    except MappingError as error:
        raise _Failed(Step("targets.yaml", False, str(error), "Correct targets.yaml at the places named.")) from None
    except TargetError as error:
        known = _names(project)
        if not known or (name is not None and name not in known):
            advice = f"Say --target with one of: {', '.join([*known, SANDBOX])}."
            raise _Failed(Step("targets.yaml", False, str(error), advice)) from None
        yield Step("targets.yaml", True, "can be read")
        raise _Failed(Step("credentials", False, str(error))) from None
    if isinstance(chosen, str):
        yield Step("targets.yaml", True, "the target is the embedded sandbox, which needs no entry")
        yield Step("credentials", True, "the embedded sandbox needs none")
        with Sandbox(sandbox) as box:
            yield from _over_the_network(sandbox_target(box.base_url, box.company_id), clock)
        return
    yield Step("targets.yaml", True, f"declares {chosen.name!r}: {chosen.base_url}, company {chosen.company}")
    yield Step("credentials", True, "the client id and the secret are there (not shown)")
    try:
        for step in _over_the_network(chosen, clock):
            yield _without_secrets(step, chosen)
    except _Failed as failure:
        raise _Failed(_without_secrets(failure.step, chosen)) from None


def _names(project: Path) -> list[str]:
    with suppress(MappingError, OSError):
        data = load(project / "targets.yaml").data
        return list(data) if isinstance(data, dict) else []
    return []


def _over_the_network(target: Target, clock: Callable[[], float]) -> Iterator[Step]:
    with _opened(target) as (client, tokens):
        yield _host(target, client)
        if tokens is None:
            yield Step("token", True, "the embedded sandbox wants none")
        else:
            yield _token(target, tokens)
        # No waiting: what would have to be waited for is what the steps tell.
        session = Session(client, tokens, Pace(mild_per_s=0.0), wait=lambda _seconds: True)
        result = session.read(_PATH, _PAGE)
        if isinstance(result, NoAnswer):
            raise _Failed(Step("company", False, result.reason, "Check the network, then run doctor again."))
        yield _company(target, result)
        yield _limits(target, result)
        yield _clock(result, clock)
        yield _numbering(target)


@contextmanager
def _opened(target: Target) -> Iterator[tuple[Client, TokenSource | None]]:
    client = Client(target.base_url, timeout_s=_TIMEOUT_S, ca_file=target.ca_file, proxy=target.proxy)
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(target.token_url))
    token_client = Client(origin, timeout_s=_TIMEOUT_S, ca_file=target.ca_file, proxy=target.proxy)
    try:
        yield client, None if target.simulated else TokenSource(target, token_client)
    finally:
        client.close()
        token_client.close()


def _host(target: Target, client: Client) -> Step:
    """Knock without a token: whatever answers like the API is reachable and has a certificate that is trusted."""
    host = urlsplit(target.base_url).hostname
    result = client.exchange("GET", f"{_PATH}?pageNumber=1&pageSize=1")
    if isinstance(result, NoAnswer):
        if "certificate" in result.reason:
            advice = (
                f"Name the certificates to trust under ca_file of target {target.name!r} in targets.yaml, as a company "
                "proxy needs it; or correct base_url there. Never turn the check off."
            )
        elif "proxy" in result.reason:
            advice = f"Correct proxy of target {target.name!r} in targets.yaml."
        else:
            advice = (
                f"Check base_url of target {target.name!r} in targets.yaml, the network, and whether it needs proxy."
            )
        raise _Failed(Step("host", False, f"{host}: {result.reason}", advice))
    _refuse_pages("host", target, result)
    if result.status not in _ROUTE_EXISTS:
        message = f"{host} answered {result.status}, so the API is not at {target.base_url}"
        if result.status >= 500:  # noqa: PLR2004
            raise _Failed(Step("host", False, message, "Try again later; https://status.visma.com tells of outages."))
        advice = (
            f"Correct base_url of target {target.name!r} in targets.yaml: https://api.finance.visma.net, without /v1 "
            "and without /erp/service."
        )
        raise _Failed(Step("host", False, message, advice))
    secure = target.base_url.startswith("https")
    return Step("host", True, f"{host} answers" + (", and its certificate is trusted" if secure else ""))


def _refuse_pages(step: str, target: Target, answer: Answer) -> None:
    """Fail where a web page came instead of the API's answer."""
    if answer.status != 401 and answer.body.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"<":  # noqa: PLR2004
        message = f"a web page came back ({answer.status}) instead of the API's answer: something stands in between"
        advice = (
            f"A proxy, a firewall or a sign-in page answers for {urlsplit(target.base_url).hostname}. Have it let this "
            f"host through, or name the right one under proxy of target {target.name!r} in targets.yaml."
        )
        raise _Failed(Step(step, False, message, advice))


def _token(target: Target, tokens: TokenSource) -> Step:
    try:
        tokens.token()
    except TargetError as error:
        raise _Failed(Step("token", False, str(error), _token_advice(target, str(error)))) from None
    return Step("token", True, f"{urlsplit(target.token_url).hostname} gave a token")


def _token_advice(target: Target, message: str) -> str:
    if "secret is wrong" in message:
        return f"targets.yaml, target {target.name!r}: the sources of client_id and client_secret."
    return f"targets.yaml, target {target.name!r}: tenant_id, scope and token_url."


def _company(target: Target, result: Answer) -> Step:
    """Read one customer, and tell what a refusal means.

    Source: FACTS 1 (CONFIRMED): a token for the customer's tenant is given out, then every call answers 401; without
    a licence fault 12027 comes. FACTS 4.2: 403 for a missing scope or role (INFERRED).
    """
    said = error_message(result)
    if result.status == 200:  # noqa: PLR2004
        _refuse_pages("company", target, result)
        rows = rows_of(result)
        if rows is None:
            message = "the list of customers came back as something else"
            advice = f"Correct base_url of target {target.name!r} in targets.yaml; a proxy may stand in between."
            raise _Failed(Step("company", False, message, advice))
        message = "customers can be read" + ("; the company has none yet" if not rows else "")
        return Step("company", True, f"{message}. Rights to create and change show when something is sent")
    if _NO_LICENCE in result.body.decode("utf-8", "replace") or "license" in said.lower():
        advice = (
            "Have the company's administrator give Visma Net ERP and this application a licence there (Visma App "
            f"Store), or correct tenant_id of target {target.name!r} in targets.yaml."
        )
        raise _Failed(Step("company", False, _answered(result, "there is no licence for this company", said), advice))
    _refuse_pages("company", target, result)
    message, advice = _REFUSALS.get(result.status, ("the customers cannot be read", "Try again later."))
    advice = advice.format(name=repr(target.name))
    raise _Failed(Step("company", False, _answered(result, message, said), advice))


_REFUSALS: Final = {
    401: (
        "the API does not take the token that was given out",
        (
            "Most often tenant_id is the customer's (the contract's) and not the company's. Take the company's tenant "
            "id, from its settings in Visma, and put it under tenant_id of target {name} in targets.yaml."
        ),
    ),
    403: (
        "the API knows the application but refuses it",
        (
            "A licence, a role or a scope is missing: have the integration administrator approve the application's "
            "scopes in Visma App Store, and compare them with scope of target {name} in targets.yaml."
        ),
    ),
    404: (
        "the API has no list of customers there",
        "Correct base_url of target {name} in targets.yaml: https://api.finance.visma.net.",
    ),
    429: (
        "the request limit is used up",
        "Wait until the window starts again. Another program may use the same client for the same company.",
    ),
}


def _answered(result: Answer, message: str, said: str) -> str:
    headers = _by_name(result)
    wait = count_in(headers.get("retry-after") or headers.get("x-ratelimit-reset", ""))
    if result.status == 429 and wait is not None:  # noqa: PLR2004
        message += f"; it starts again in {_duration(wait)}"
    return f"{message} ({result.status}" + (f": {said})" if said else ")")


def _limits(target: Target, answer: Answer) -> Step:
    """Tell the four headers. Source: FACTS 2 (CONFIRMED): Reset is the seconds left, the window is an hour."""
    headers = _by_name(answer)
    limit, remaining, reset = (
        count_in(headers.get(f"x-ratelimit-{name}", "")) for name in ("limit", "remaining", "reset")
    )
    if remaining is None:
        pace = "not slowed" if target.loopback else f"at most {MILD_PER_S:.0f} requests a second"
        return Step("limits", True, f"the API named no request limit; runs are {pace}")
    again = f", all of them again in {_duration(reset)}" if reset is not None else ""
    policy = headers.get("x-ratelimit-policy", "")
    named = f" (policy {policy})" if policy else ""
    return Step("limits", True, f"{remaining} of {'?' if limit is None else limit} requests are left{again}{named}")


def _clock(answer: Answer, clock: Callable[[], float]) -> Step:
    ours = clock()
    try:
        theirs = parsedate_to_datetime(_by_name(answer)["date"]).timestamp()
    except (KeyError, ValueError, TypeError, OverflowError):
        return Step("clock", True, "the answer had no date to compare with")
    skew = round(ours - theirs)
    if abs(skew) <= _SKEW_S:
        return Step("clock", True, "this machine's clock agrees with the server's")
    side = "ahead of" if skew > 0 else "behind"
    advice = "Set this machine's clock by the network's time: certificates, reports and filters by date go by it."
    return Step("clock", False, f"this machine's clock is {_duration(abs(skew))} {side} the server's", advice)


def _numbering(target: Target) -> Step:
    if not target.numbering:
        message = (
            "nothing is declared; only where a series is known to take our numbers can a number alone prove that a "
            "document is not there (numbering in targets.yaml)"
        )
        return Step("numbering", True, message)
    declared = ", ".join(f"{resource or 'all'}: {regime}" for resource, regime in target.numbering.items())
    return Step("numbering", True, f"declared in targets.yaml: {declared}")


def _by_name(answer: Answer) -> dict[str, str]:
    return {name.lower(): value.strip() for name, value in answer.headers.items()}


def _duration(seconds: int) -> str:
    if seconds < _MINUTE_S:
        return f"{seconds} s"
    minutes, rest = divmod(seconds, _MINUTE_S)
    return f"{minutes} min {rest} s" if minutes < _MINUTE_S else f"{minutes // _MINUTE_S} h {minutes % _MINUTE_S} min"


#: A shorter text would blot out letters of every word.
_SHORT: Final = 3


def _without_secrets(step: Step, target: Target) -> Step:
    """Blot out what an answer may have said back."""
    secrets = [secret.reveal() for secret in (target.client_id, target.client_secret) if isinstance(secret, Secret)]
    message, advice = step.message, step.advice
    for text in filter(lambda text: len(text) > _SHORT, secrets):
        message, advice = message.replace(text, "***"), advice.replace(text, "***")
    return replace(step, message=message, advice=advice)
