"""Where documents are sent: the company and its address. Never prints a secret."""

from dataclasses import dataclass
from typing import Final

from importer.errors import TargetError

SANDBOX: Final = "sandbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Hold one company to send to."""

    name: str
    base_url: str
    #: what tells companies apart in the journal, lower case
    company: str
    #: True where nothing reaches Visma
    simulated: bool


def require_sandbox(name: str) -> None:
    """Refuse every target but the embedded sandbox, the only one this version sends to.

    Raises: TargetError.
    """
    if name != SANDBOX:
        raise TargetError(f"The target {name!r} is not known; this version sends to the embedded {SANDBOX!r} only.")
