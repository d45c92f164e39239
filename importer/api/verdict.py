"""The table of verdicts: what an exchange means for a document. Whatever is not in it is `unknown`.

Pure. Sources: FACTS sections 3 and 4 (statuses, shapes), DESIGN section 6 (a 500 with an ERP message is a rejection).
"""

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from importer.api.client import Answer, NoAnswer
from importer.api.wait import TURNED_AWAY, seconds_to_wait
from importer.model import Status

_VISMA_ID: Final = re.compile(r"VismaId: [0-9a-fA-F-]{8,36}\.\s*")
_NUMBER: Final = re.compile(r"[^\s/\\?#%\x00-\x1f]{1,60}")
_REFUSALS: Final = frozenset({400, 404, 405, 406, 410, 413, 415, 422})
#: Names, in lower case, that tell of an error; no document of the API has one. Source: FACTS 4.1.
_ERRORS: Final = frozenset(
    {
        *("message", "exceptiontype", "exceptionmessage", "exceptionfaultcode"),
        *("error", "errors", "error_description", "detail"),
    }
)
_MAX_EVIDENCE: Final = 20_000


class Then(StrEnum):
    """Say how the run goes on after an exchange."""

    NEXT = "next"
    #: wait, then send the same document again: it was not processed
    AGAIN = "again"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Say what one exchange means."""

    status: Status
    message: str
    then: Then = Then.NEXT
    number: str | None = None
    http_status: int | None = None
    #: seconds to wait before it is sent again
    wait_s: float = 0.0
    #: what the API said, whole
    evidence: str = ""
    #: the number that the answer names where another was asked for
    other_number: str | None = None
    #: True where an action was taken on and its end is not known yet
    queued: bool = False
    #: True where the host could not be reached
    unreachable: bool = False
    #: the id of the background request that was made of it
    job: str | None = None


def judge_create(result: Answer | NoAnswer, *, asked_number: str | None) -> Verdict:
    """Return what the exchange that was to create a document means."""
    if isinstance(result, NoAnswer):
        return _no_answer(result)
    return _answered(result) or _created(result, asked_number)


def _no_answer(result: NoAnswer) -> Verdict:
    if not result.sent:
        message = f"Not sent: {result.reason}. Check the network and the target, then run again."
        then = Then.STOP if result.final else Then.AGAIN
        return Verdict(status=Status.NOT_SENT, message=message, then=then, unreachable=not result.final)
    return Verdict(status=Status.UNKNOWN, message=f"It may or may not be in Visma: {result.reason}.")


def _answered(answer: Answer) -> Verdict | None:
    """Judge every answer that does not depend on what was asked; None for a success."""
    code, said = answer.status, error_message(answer)
    facts: dict[str, Any] = {"http_status": code, "evidence": _evidence(answer)}
    if code in TURNED_AWAY:
        message = "The API's request limit was reached; the document was not processed. Run again later."
        wait_s = seconds_to_wait(answer)
        return Verdict(status=Status.NOT_SENT, message=message, then=Then.AGAIN, wait_s=wait_s, **facts)
    if code == 401:  # noqa: PLR2004
        message = (
            "The API did not accept the credentials (401). Check the client and that the tenant is the company's, not "
            "the customer's; then run again."
        )
        return Verdict(status=Status.NOT_SENT, message=_with(message, said), then=Then.STOP, **facts)
    if code == 403:  # noqa: PLR2004
        message = (
            "The API refuses this client (403): a licence, role or scope is missing. Ask your Visma administrator."
        )
        return Verdict(status=Status.NOT_SENT, message=_with(message, said), then=Then.STOP, **facts)
    if code == 412:  # noqa: PLR2004
        message = "It was changed by someone since it was read (412). Run again: it is read anew."
        return Verdict(status=Status.REJECTED, message=_with(message, said), **facts)
    if (code in _REFUSALS or code == 500) and answer.whole and said:  # noqa: PLR2004
        return Verdict(status=Status.REJECTED, message=f"Visma answered: {said}", **facts)
    if code == 202:  # noqa: PLR2004
        message = "It may or may not be in Visma: it was taken on to be carried out later (202)."
        return Verdict(status=Status.UNKNOWN, message=message, job=_job(answer), **facts)
    if 200 <= code < 300:  # noqa: PLR2004
        return None
    message = f"It may or may not be in Visma: the answer was {code} without a reason that Visma gives itself."
    return Verdict(status=Status.UNKNOWN, message=message, **facts)


def _created(answer: Answer, asked: str | None) -> Verdict:
    facts: dict[str, Any] = {"http_status": answer.status, "evidence": _evidence(answer)}
    if answer.status != 201:  # noqa: PLR2004 - the only status that says created (FACTS 3, CONFIRMED)
        message = f"It may or may not be in Visma: the answer was {answer.status} instead of 201."
        return Verdict(status=Status.UNKNOWN, message=message, **facts)
    location = answer.header("Location")
    number = number_of(location)
    if location is None or number is None:
        if not answer.whole:
            return Verdict(status=Status.UNKNOWN, message="It may or may not be in Visma: the answer was cut.", **facts)
        message = "Accepted, but the answer named no number that can be read; look the number up in Visma."
        return Verdict(status=Status.ACCEPTED, message=message, **facts)
    if asked is not None and number != asked:
        message = (
            f"Visma answered 201 for the number {number!r}, but {asked!r} was asked for. Look both up in Visma before "
            "anything else: the number series may not take numbers of our own."
        )
        return Verdict(status=Status.UNKNOWN, message=message, other_number=number, **facts)
    return Verdict(status=Status.ACCEPTED, message="", number=number, **facts)


def judge_update(result: Answer | NoAnswer, *, number: str | None) -> Verdict:
    """Return what the exchange that was to update a document means.

    Source: FACTS 3 (CONFIRMED): PUT answers 204; 200 is taken too, with nothing or the document itself in its body.
    """
    if isinstance(result, NoAnswer):
        return _no_answer(result)
    judged = _answered(result)
    if judged is not None:
        return judged
    facts: dict[str, Any] = {"http_status": result.status, "evidence": _evidence(result), "number": number}
    if result.status == 204 or (result.status == 200 and result.whole and _may_be_a_document(result)):  # noqa: PLR2004
        return Verdict(status=Status.ACCEPTED, message="", **facts)
    message = f"It may or may not be changed in Visma: the answer was {result.status} instead of 204."
    said = error_message(result) or str(_json_object(result).get("errorinfo") or "")
    return Verdict(status=Status.UNKNOWN, message=_with(message, said), **facts)


def judge_action(result: Answer | NoAnswer, *, number: str | None) -> Verdict:
    """Return what the exchange that was to start an action means.

    Source: FACTS 3 (CONFIRMED): 200 with actionResult Queued, InProcess, Failed or Done.
    """
    if isinstance(result, NoAnswer):
        return _no_answer(result)
    judged = _answered(result)
    if judged is not None:
        return judged
    facts: dict[str, Any] = {"http_status": result.status, "evidence": _evidence(result), "number": number}
    data = _json_object(result)
    word = str(data.get("actionresult", "")).lower()
    if result.status == 200 and result.whole and word == "failed":  # noqa: PLR2004
        said = str(data.get("errorinfo") or "no reason given")
        return Verdict(status=Status.REJECTED, message=f"Visma answered that the action failed: {said}", **facts)
    if result.status in {200, 201, 204} and result.whole and word == "done":
        return Verdict(status=Status.ACCEPTED, message="", **facts)
    if result.status == 200 and result.whole and word in {"queued", "inprocess"}:  # noqa: PLR2004
        message = f"Visma took it and works on it ({data['actionresult']}); whether it was done is to be seen there."
        return Verdict(status=Status.UNKNOWN, message=message, queued=True, **facts)
    message = f"It may or may not be done in Visma: the answer was {result.status} without a result that is known."
    return Verdict(status=Status.UNKNOWN, message=message, **facts)


def _job(answer: Answer) -> str | None:
    """Return the id of the background request that an answer names.

    Source: FACTS 3 (CONFIRMED): `{"id", "stateLocation"}`; (REPORTED): Location.
    """
    named = _json_object(answer).get("id")
    found = named if isinstance(named, str) and named else number_of(answer.header("Location"))
    return found if found and _NUMBER.fullmatch(found) else None


def _may_be_a_document(answer: Answer) -> bool:
    """Tell whether a body is empty or a JSON object that tells of no error."""
    if not answer.body.strip():
        return True
    told = _json_object(answer)
    return isinstance(answer.data(), dict) and _ERRORS.isdisjoint(told) and not told.get("errorinfo")


def number_of(location: str | None) -> str | None:
    """Return the number at the end of a Location, or None where there is none that can be one.

    Source: FACTS 3 (CONFIRMED): the id is the last path segment; the host may differ from the one called.
    """
    if not location:
        return None
    if ", " in location:
        # two of them, joined into one header
        return None
    try:
        segment = unquote(urlsplit(location).path.rpartition("/")[2])
    except ValueError:
        return None
    return segment if _NUMBER.fullmatch(segment) else None


def error_message(answer: Answer) -> str:
    """Return what the ERP says is wrong, in one line without the changing VismaId; empty where it says nothing.

    Source: FACTS 4.1 (shapes A and B, any casing).
    """
    data = _json_object(answer)
    text = next((data[name] for name in ("message", "exceptionmessage") if isinstance(data.get(name), str)), "")
    fault = data.get("exceptionfaultcode")
    if not text and fault:
        text = f"IPP error {fault}"
    lines = [line.strip() for line in _VISMA_ID.sub("", text).splitlines()]
    told = " ".join(line for line in lines if line).replace("\0", "")
    return told.encode("utf-8", "backslashreplace").decode()


def _json_object(answer: Answer) -> dict[str, Any]:
    """Return an answer's JSON object with its names in lower case; empty where it is none."""
    raw = answer.data()
    return {str(name).lower(): value for name, value in raw.items()} if isinstance(raw, dict) else {}


def grouping(verdict: Verdict) -> str:
    """Return what makes rejections the same: the message without its numbers and names in quotes."""
    return re.sub(r"'[^']*'|\d+", "*", verdict.message)


def _with(message: str, said: str) -> str:
    return f"{message} Visma answered: {said}" if said else message


def _evidence(answer: Answer) -> str:
    """Return what the API said, for support; never what was sent."""
    kept = {
        name: value for name, value in answer.headers.items() if name.lower() in {"location", "ipp-request-id", "etag"}
    }
    text = answer.body.decode("utf-8", "replace")[:_MAX_EVIDENCE]
    said = json.dumps({"status": answer.status, "headers": kept, "body": text}, ensure_ascii=False)
    return said.encode("utf-8", "backslashreplace").decode()
