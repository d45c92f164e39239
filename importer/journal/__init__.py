"""The journal: what was claimed, sent and settled, so that no document is ever sent twice.

A claim is committed before a byte leaves; the partial unique index over the live states is the guard, so that not even
two processes can claim one document. SQLite is embedded; every statement is one that PostgreSQL takes too.

tables        the tables, and how a row of them is a noun of the program
attempts      one attempt at a document, and the questions about attempts
database      opens a file or a server, and refuses where a commit would not last
examination   looks through a file beforehand
shares        tells a network share from a disk
group_commit  lets threads share a commit
run_locks     lets other processes see that a run lives
journal       all of it together
numbers       which numbers were not yet held against Visma's own list
words         what was said of documents after they were sent
changes       what upserts came to, and what updates replaced
copying       carries a journal as JSON lines, and examines one
"""

from importer.journal.attempts import AlreadyClaimed, Attempt
from importer.journal.database import examine
from importer.journal.examination import Examination
from importer.journal.journal import Journal, open_journal

__all__ = ["AlreadyClaimed", "Attempt", "Examination", "Journal", "examine", "open_journal"]
