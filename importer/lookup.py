"""Look documents up in the API: before an update, and after an action, to see that it was done. Never writes."""

import base64
import re
from collections.abc import Callable, Sequence
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote

from importer.api.client import NoAnswer
from importer.api.session import Session
from importer.api.verdict import Then, Verdict, error_message
from importer.compare import unchanged, without_unchanged
from importer.endpoints import Endpoint
from importer.errors import TargetError
from importer.fields import fields_of
from importer.jsontext import write_json
from importer.mapping import Mapping
from importer.model import Document, Status
from importer.replaced import parsed, with_before

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.~-]+")
_OK: Final = 200
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_SERVER_ERROR: Final = 500
#: Seconds between looks at a document whose action is under way; their sum is how long it is waited for.
_PROOF_WAITS_S: Final = (0.2, 0.4, 0.8, 1.6, 3.0, 5.0, 8.0, 10.0, 15.0, 16.0)


@dataclass(frozen=True, slots=True)
class Found:
    """Hold a document as the API reads it out."""

    data: dict[str, Any]
    etag: str | None


def path_for(path: str, key: str) -> str:
    """Return a path with the key in it, so that no key can be another path.

    Source: FACTS 8.8 (CONFIRMED): `b64(...)` stands for a key with reserved characters.
    """
    if "{key}" not in path:
        return path
    if _PLAIN.fullmatch(key) and key.strip("."):
        return path.replace("{key}", key)
    if any(char in key for char in "/\\?#%") or not key.strip("."):
        coded = base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")
        return path.replace("{key}", f"b64({coded})")
    return path.replace("{key}", quote(key, safe=""))


def read_one(session: Session, endpoint: Endpoint, number: str) -> Found | str | None:
    """Return one document, None where there is none, or a sentence why it could not be read."""
    answer = session.read(path_for(endpoint.read_path + "/{key}", number))
    if isinstance(answer, NoAnswer):
        return f"It could not be read: {answer.reason}."
    if answer.status == _NOT_FOUND:
        return None
    data = answer.whole_object()
    if answer.status != _OK or data is None:
        said = error_message(answer)
        return f"It could not be read: Visma answered {answer.status}. {said}".rstrip()
    etag = answer.header("ETag")
    return Found(data, etag.strip().removeprefix("W/").strip('"') if etag else data.get("timeStamp"))


def probe(session: Session, endpoint: Endpoint) -> None:
    """Read a little before the first write, to see that it is the API that answers and lets us in.

    Raises: TargetError saying what is in the way.
    """
    answer = session.read(endpoint.read_path, {"pageNumber": "1", "pageSize": "1"})
    if isinstance(answer, NoAnswer):
        raise TargetError(f"The target cannot be read: {answer.reason}. Check base_url, the network and its proxy.")
    said = error_message(answer)
    tail = f" Visma answered: {said}" if said else ""
    if answer.status == _UNAUTHORIZED:
        raise TargetError(
            "The API does not accept the token (401). Most often the tenant_id is the customer's instead of the "
            f"company's: take the company's from the Developer Portal.{tail}"
        )
    if answer.status == _FORBIDDEN:
        raise TargetError(
            "The API refuses this client (403): a licence, role or scope is missing. Ask your Visma administrator."
            f"{tail}"
        )
    if answer.status >= _SERVER_ERROR:
        raise TargetError(
            f"The API cannot be read now: it answered {answer.status}, however often it was asked. Try again later; if "
            f"it stays like this, a proxy or a wrong base_url may be in between.{tail}"
        )
    if answer.status != _OK or not answer.body.lstrip().startswith(b"["):
        kind = "a web page" if answer.body.lstrip().startswith(b"<") else f"status {answer.status}"
        raise TargetError(
            f"What answers at base_url is not the API: it answered {kind} instead of a list. A proxy or a wrong "
            f"base_url may be in between.{tail}"
        )


def prepare(
    session: Session, mapping: Mapping, documents: Sequence[Document], noted: Callable[[], None] = lambda: None
) -> tuple[Document, ...]:
    """Read what an update is about to change, where the mapping asks for it: its version, what would change."""
    if mapping.endpoint.kind != "update" or not (mapping.compare or mapping.refuse_changed):
        return tuple(documents)
    prepared, read = [], {}
    for position, document in enumerate(documents):
        found = None if document.status is not None else read_one(session, mapping.endpoint, document.key or "")
        prepared.append(document if document.status is not None else _prepared(mapping, document, found))
        if isinstance(found, Found) and prepared[-1].status is None:
            read[position] = found.data
        noted()
    if mapping.compare and mapping.endpoint.lines is None:
        updates = with_before(mapping.endpoint, [(prepared[position], data) for position, data in read.items()])
        for position, document in zip(read, updates, strict=True):
            prepared[position] = document
    return tuple(prepared)


def _prepared(mapping: Mapping, document: Document, found: Found | str | None) -> Document:
    key = document.key or ""
    if found is None:
        message = f"There is no {mapping.endpoint.resource} {key!r} in Visma. Nothing was sent. Correct the number."
        return replace(document, status=Status.REJECTED, message=message, number=None)
    if isinstance(found, str):
        return unread(document, found)
    if mapping.compare:
        rest = without_unchanged(fields_of(mapping.endpoint.name), parsed(document.body), found.data)
        if unchanged(rest):
            message = "It is like this in Visma already; nothing was sent."
            return replace(document, status=Status.ALREADY_ACCEPTED, message=message, number=key)
        document = replace(document, body=write_json(rest).encode())
    if not mapping.refuse_changed:
        return document
    if not found.etag:
        message = (
            f"Visma gives {mapping.endpoint.resource} {key!r} no version (neither an ETag nor a timeStamp), so that a "
            "change by somebody else could not be told, and the mapping refuses to overwrite one. Nothing was sent. "
            "Change it in Visma, or say if_changed: overwrite."
        )
        return replace(document, status=Status.REJECTED, message=message, number=key)
    return replace(document, etag=found.etag)


def unread(document: Document, why: str) -> Document:
    """Return a document of which what is to be changed could not be read."""
    return replace(document, status=Status.NOT_SENT, message=f"{why} Nothing was sent. Run again.")


def prove(session: Session, endpoint: Endpoint, verdict: Verdict, number: str) -> Verdict:
    """Return the verdict on an action once a read-back shows that it was done.

    Source: FACTS 3 (CONFIRMED): the answer to a release says that it begins, not that it was done.
    """
    proof: Dictionary[str, Any] = endpoint.proof or {}
    seen: object = None
    for seconds in _PROOF_WAITS_S:
        found = read_one(session, endpoint, number)
        if isinstance(found, Found):
            seen = found.data.get(proof["field"])
            if seen is not None and seen not in proof["leaves"]:
                return replace(
                    verdict, status=Status.ACCEPTED, message=f"The {proof['field']} is {seen} now.", queued=False
                )
        if session.pause(seconds):
            break
    message = f"Visma took it on, but the {proof['field']} is still {seen!r}. Look it up there later."
    return replace(verdict, status=Status.UNKNOWN, message=message, then=Then.NEXT)
