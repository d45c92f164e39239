"""Run tests of mappings: rows given inline, and the documents that must come of them. Never opens a socket.

finding    which files hold tests, which are mappings, and which mapping a test is about
case_file  a `*.test.yaml` as data: cells, and what is expected
bodies     a body as expected beside one as rendered, as a diff
judging    plans the rows of a case as `check` does, and holds the plan against what is expected
"""

from importer.mapping_tests.finding import Search, find_mappings, find_tests
from importer.mapping_tests.judging import CaseResult, Failure, FileResult, read_alone, run_file

__all__ = [
    "CaseResult",
    "Failure",
    "FileResult",
    "Search",
    "find_mappings",
    "find_tests",
    "read_alone",
    "run_file",
]
