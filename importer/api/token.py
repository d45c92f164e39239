"""Get access tokens for one company by client credentials, keep them in memory, renew them in time.

oauthlib writes the request and reads the answer; the exchange is our own client's, so that nothing is redirected.
"""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from oauthlib.oauth2 import BackendApplicationClient, MissingTokenError, OAuth2Error

from importer.api.client import Answer, Client, NoAnswer
from importer.errors import TargetError
from importer.target import Target

#: A token is renewed this long before it ends, so that no request meets its end.
_MARGIN_S: Final = 60.0
#: The lifetime of a token that came without one, short of what is usual; should it end before, a 401 renews it.
_UNTOLD_S: Final = 300
_TRIES: Final = 3
_SERVER_ERROR: Final = 500


@dataclass
class TokenSource:
    """Give out the token of one target; safe for threads."""

    target: Target
    client: Client
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _token: str = field(default="", init=False, repr=False)
    _ends_at: float = field(default=0.0, init=False)
    _lock: Any = field(default_factory=threading.Lock, init=False, repr=False)
    #: how many tokens were asked for
    asked: int = field(default=0, init=False)

    def token(self) -> str:
        """Return a token that is good for a while.

        Raises: TargetError saying what to change when none is given out.
        """
        with self._lock:
            if self.clock() >= self._ends_at:
                self._ask()
            return self._token

    def renew(self, refused: str) -> str:
        """Return another token than the one the API refused; threads that were refused together ask once."""
        with self._lock:
            if self._token == refused:
                self._ask()
            return self._token

    def _ask(self) -> None:
        target = self.target
        self.asked += 1
        oauth = BackendApplicationClient(client_id=_reveal(target.client_id))
        body = oauth.prepare_request_body(
            scope=target.scope,
            include_client_id=True,
            client_secret=_reveal(target.client_secret),
            tenant_id=target.company,
        )
        answer = self._exchange(body.encode())
        try:
            oauth.parse_request_body_response(answer.body.decode("utf-8", "replace"))
        except (MissingTokenError, ValueError, AttributeError, TypeError):
            raise TargetError(_refusal(target, "", answer)) from None
        except OAuth2Error as error:
            raise TargetError(_refusal(target, str(error.error or ""), answer)) from None
        if not oauth.access_token:
            raise TargetError(_refusal(target, "", answer))
        # oauthlib leaves out a lifetime of 0 as if none had been told
        told = (answer.whole_object() or {}).get("expires_in") if oauth.expires_in is None else oauth.expires_in
        lifetime = _seconds(told)
        self._token = str(oauth.access_token)
        self._ends_at = self.clock() + max(lifetime - _MARGIN_S, lifetime / 2)

    def _exchange(self, body: bytes) -> Answer:
        """Ask for a token; that is safe to repeat, since the last one given out counts."""
        address = urlsplit(self.target.token_url)
        for attempt in range(1, _TRIES + 1):
            result = self.client.exchange(
                "POST", address.path or "/", body, headers={"Content-Type": "application/x-www-form-urlencoded"}
            )
            failed = isinstance(result, NoAnswer) or result.status >= _SERVER_ERROR or not result.whole
            if not failed or attempt == _TRIES or (isinstance(result, NoAnswer) and result.final):
                break
            self.sleep(4 ** (attempt - 1) / 4)
        if isinstance(result, NoAnswer):
            raise TargetError(
                f"No token for target {self.target.name!r}: {result.reason} ({address.hostname}). Check token_url, "
                "the network and its proxy."
            )
        return result


def _seconds(told: object) -> int:
    """Return a lifetime in whole seconds; 0 where what was told is none, so that the next request asks again."""
    if told is None:
        return _UNTOLD_S
    found = re.match("[0-9]{1,9}", str(told))
    return int(found[0]) if found else 0


def _reveal(secret: Any) -> str:
    return secret.reveal() if secret is not None else ""


def _refusal(target: Target, error: str, answer: Answer) -> str:
    head = f"No token for target {target.name!r}"
    if error in {"invalid_client", "unauthorized_client"}:
        return (
            f"{head}: the client id or the secret is wrong ({error}). Take both from the application in Visma's "
            "Developer Portal, and check the variables that targets.yaml names."
        )
    if error == "invalid_scope":
        return (
            f"{head}: the application may not use the scopes asked for (invalid_scope). Let the integration "
            "administrator approve them in Visma App Store, or name others under scope in targets.yaml."
        )
    if error in {"invalid_tenant", "invalid_request", "invalid_grant", "access_denied"}:
        return (
            f"{head}: the tenant is not accepted ({error}). tenant_id must be the company's tenant id, for which the "
            "application is approved."
        )
    if error:
        return f"{head}: {error}. Check client_id, client_secret, tenant_id and scope of the target."
    return (
        f"{head}: {urlsplit(target.token_url).hostname} answered {answer.status} with something that is no token. A "
        "proxy or a wrong token_url may be in between."
    )
