"""Decide what a run does with each document: by what the journal knows, then by what the API holds.

A plan and a run ask here alike, so that what is shown is what happens.
"""

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, field

from importer.api.session import Session
from importer.decide import Clock, Known, decide
from importer.documents import filled
from importer.journal import Journal
from importer.lookup import probe
from importer.mapping import Mapping
from importer.memory import hold_back, known, numbers_of
from importer.model import Document, Reference
from importer.preflight import look_ahead


@dataclass(frozen=True, kw_only=True)
class Decider:
    """Decide about the documents of one mapping in one company."""

    #: None where there is none yet, so that nothing is known
    journal: Journal | None
    session: Session
    company: str
    mapping: Mapping
    #: the sheet's name, for problems that only the API shows
    sheet: str
    #: endpoints of what the mapping refers to, by name
    origins: Dictionary[str, str] = field(default_factory=dict)
    settle_after_s: float
    #: references that an earlier step of a plan will fill in
    promised: Callable[[Reference], bool] = lambda _reference: False

    def by_journal(self, documents: Sequence[Document]) -> tuple[Known, tuple[Document, ...]]:
        """Return what is known, and the documents with the numbers they refer to; a status means not to be sent.

        Raises: TargetError when something is in doubt and the API cannot be read.
        """
        endpoint = self.mapping.endpoint
        past = known(self.journal, self.company, endpoint.name) if self.journal else Known()
        if past.waited_for(documents):
            # an answer tells the server's time: by ours a doubt may seem to be over that is not
            probe(self.session, endpoint)
        clock = Clock(self.session.server_now(), self.settle_after_s)
        decided = decide(self.filled(documents), past, kind=endpoint.kind, clock=clock)
        return past, hold_back(decided, self.journal, self.company, self.origins, self.promised)

    def filled(self, documents: Sequence[Document]) -> Sequence[Document]:
        """Return the documents with the numbers that are known of what they refer to."""
        if self.journal is None or not any(document.references for document in documents):
            return documents
        number_of = numbers_of(self.journal, self.company, self.origins)
        return [filled(self.mapping.endpoint, document, number_of) for document in documents]

    def by_api(self, documents: Sequence[Document], past: Known) -> tuple[Document, ...]:
        """Return the documents after looking into the API; those that are there already have a status now.

        Raises: TargetError when the API cannot be searched, so that nothing may be written.
        """
        clock = Clock(self.session.server_now(), self.settle_after_s)
        return look_ahead(self.session, self.mapping, self.sheet, documents, past, clock)
