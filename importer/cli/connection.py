"""Connect with a target for one command: the embedded sandbox, or a company behind its token."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from importer.api.client import TIMEOUT_S, Client
from importer.api.pace import MILD_PER_S, Pace
from importer.api.session import Session
from importer.api.token import TokenSource
from importer.cli import screen
from importer.cli.inputs import Input
from importer.decisions import Decider
from importer.journal import Journal
from importer.project import Project
from importer.resolve import Resolver
from importer.stop import Stop
from importer.target import Target, sandbox_target

#: Seconds to connect to the token address, and to wait for its answer.
TOKEN_TIMEOUT_S: Final = (10.0, 30.0)


class Connection(NamedTuple):
    """Hold a target and the session with it."""

    target: Target
    session: Session


@contextmanager
def connected(
    chosen: str | Target, project: Project, progress: screen.RunProgress, stop: Stop, faults: tuple[str, ...] = ()
) -> Iterator[Connection]:
    """Open a session with the target, starting the embedded sandbox where it is the target.

    Raises: TargetError when no token is given out.
    """

    def wait(seconds: float, *, by_limit: bool = True) -> bool:
        ends_at = time.monotonic() + seconds
        while (left := ends_at - time.monotonic()) > 0:
            progress.waiting(left, by_limit=by_limit)
            if stop.wait(min(left, 1.0)):
                break
        progress.waiting(0.0)
        return stop.is_set()

    wait_again = partial(wait, by_limit=False)
    if isinstance(chosen, str):
        # only where it is the target: it is a server of its own
        from importer.cli.rehearsal import settings
        from importer.sandbox import Sandbox

        with Sandbox(project.sandbox, settings=settings(faults)) as box:
            client = Client(box.base_url)
            try:
                session = Session(client, wait=wait, wait_again=wait_again)
                yield Connection(sandbox_target(box.base_url, box.company_id), session)
            finally:
                client.close()
        return
    timeout_s = (TIMEOUT_S[0], chosen.timeout_s or TIMEOUT_S[1])
    client = Client(chosen.base_url, timeout_s, ca_file=chosen.ca_file, proxy=chosen.proxy)
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(chosen.token_url))
    token_client = Client(origin, timeout_s=TOKEN_TIMEOUT_S, ca_file=chosen.ca_file, proxy=chosen.proxy)
    try:
        tokens = TokenSource(chosen, token_client)
        tokens.token()
        pace = Pace(mild_per_s=0.0 if chosen.loopback else MILD_PER_S)
        yield Connection(chosen, Session(client, tokens, pace, wait, wait_again))
    finally:
        client.close()
        token_client.close()


def decider_for(
    given: Input, connection: Connection, journal: Journal | None, settle_after_s: float, *, every: bool = False
) -> Decider:
    """Return what decides about the documents of a mapping in a target.

    `every`: count every reference as one that an earlier step will fill in.
    """
    return Decider(
        journal=journal,
        session=connection.session,
        company=connection.target.company,
        mapping=given.mapping,
        sheet=given.plan.sheet.name,
        origins=given.origins,
        settle_after_s=settle_after_s,
        promised=lambda _reference: every,
    )


def resolver_for(connection: Connection, settle_after_s: float) -> Resolver:
    """Return what looks documents up in a target, by what is known of its numbering."""
    # the embedded sandbox takes a number that is sent, so that one that is missing there is not there
    numbering = {"": "manual"} if connection.target.simulated else connection.target.numbering
    return Resolver(connection.session, numbering, settle_after_s)
