"""Follow a request that the API took on to carry out later. Never writes.

Source: FACTS 3 (CONFIRMED): 202 names a state address `/v1/background/{id}`; the state tells `statusCode`,
`responseHeaders`, and with `/content` the body of the final answer, all kept for 24 hours.
"""

from typing import Any, Final
from urllib.parse import quote

from importer.api.client import Answer, NoAnswer
from importer.api.session import Session

#: Seconds between looks at a request under way; their sum is how long it is waited for.
WAITS_S: Final = (0.1, 0.2, 0.4, 0.8, 1.6, 3.0, 5.0, 8.0, 10.0)
_OK: Final = 200
_GONE: Final = (404, 410)


def final_answer(session: Session, job: str, waits_s: tuple[float, ...] = ()) -> Answer | str | None:
    """Return the final answer to a request, None where it is no longer kept, or a sentence why there is none yet."""
    for wait_s in (*waits_s, 0.0):
        found = _look(session, job)
        if not isinstance(found, str) or not wait_s or session.pause(wait_s):
            return found
    return found


def _look(session: Session, job: str) -> Answer | str | None:
    path = f"/v1/background/{quote(job, safe='')}"
    answer = session.read(path)
    if isinstance(answer, NoAnswer):
        return f"What became of the background request could not be read: {answer.reason}."
    if answer.status in _GONE:
        return None
    state = answer.whole_object()
    if answer.status != _OK or state is None:
        return f"What became of the background request could not be read: Visma answered {answer.status}."
    code = state.get("statusCode")
    if not isinstance(code, int) or isinstance(code, bool) or code <= 0:
        # failed without an answer of its own: only a look-up can tell what it left
        return None if state.get("status") == "Failed" else f"Visma still works on it (background request {job})."
    headers = state.get("responseHeaders")
    body, whole = b"", True
    if state.get("hasResponseContent"):
        content = session.read(f"{path}/content")
        whole = isinstance(content, Answer) and content.status == _OK and content.whole
        body = content.body if isinstance(content, Answer) and whole else b""
    named = {str(name): _text(value) for name, value in headers.items()} if isinstance(headers, dict) else {}
    return Answer(status=code, headers=named, body=body, whole=whole)


def _text(value: Any) -> str:
    """Return a header's value, which may come as a list."""
    return str(value[0]) if isinstance(value, list) and len(value) == 1 else str(value)
