"""Mistakes that would lose or double a document, and the tests that must catch each.

Try them all out, which takes a minute or two: python tests/seeded.py
"""

import sys
from typing import Final

from seeding import Edit, Mistake, table, try_out

_CLIENT, _VERDICT = "importer/api/client.py", "importer/api/verdict.py"
_SEND, _RESOLVE, _SEARCH = "importer/send.py", "importer/resolve.py", "importer/search.py"
_JOURNAL, _TABLES, _DATABASE = (
    "importer/journal/journal.py",
    "importer/journal/tables.py",
    "importer/journal/database.py",
)
_GROUP, _STATEMENTS = "importer/journal/group_commit.py", "importer/journal/statements.py"

_EXACTLY, _FAULT = "tests/test_exactly_once.py::", "test_a_fault_of_one_request_never_sends_a_document_twice"
_KILL = "tests/test_crash.py::test_a_kill_between_claim_and_settle_leaves_that_document_in_doubt_and_no_other"
_ONE_FAULT = f"{_EXACTLY}{_FAULT}"
_EACH = "test_each_answer_has_its_verdict_and_whatever_is_not_known_is_unknown"
_WHOLE_200 = r"HTTP/1.1 200 X\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}-unknown"
_FOUND, _GAPS = "tests/test_search.py::", "tests/test_seeded_gaps.py::"
_NUMBER_OF_ANOTHER = "test_a_location_of_a_document_that_is_not_ours_is_not_believed[sqlite-automatic-typed by hand]"
_KNOWN, _HELD = "tests/test_journal_guard.py::", "tests/test_preflight.py::"


def _mistake(name: str, test: str, *edits: Edit) -> Mistake:
    """Name a mistake, the test that must fail, and how the mistake is made."""
    return Mistake(name, edits, test)


#: The twelve that the reliability of the program was to be measured by.
ASKED: Final = (
    _mistake(
        "retry on a connection error",
        f"{_ONE_FAULT}[cut_after-True-accepted-0]",
        Edit(_CLIENT, "max_retries=0,", 'max_retries=__import__("urllib3").Retry(3, allowed_methods=None),'),
    ),
    _mistake(
        "claim after send",
        f"{_EXACTLY}test_a_claim_is_on_disk_before_a_byte_leaves",
        Edit(
            _SEND,
            "            attempt = self.journal.claim(",
            "            answered = self._exchange(document)\n            attempt = self.journal.claim(",
        ),
        Edit(_SEND, "_SLEPT if slept else self._exchange(document)", "_SLEPT if slept else answered"),
    ),
    _mistake(
        "no claim",
        f"{_EXACTLY}test_in_doubt_nothing_is_sent_and_the_message_names_the_run",
        Edit(_SEND, "self.journal.claim(self.record, document, in_flight, claimed_at, server_at, looked_after)", "0"),
    ),
    _mistake(
        "503 counted as not processed",
        f"{_ONE_FAULT}[503-False-unknown-5]",
        Edit("importer/api/wait.py", "frozenset({425, 429})", "frozenset({425, 429, 503})"),
    ),
    _mistake(
        "resend on the first empty look-up",
        f"{_FOUND}test_what_is_not_there_is_sent_once_more_and_only_after_it_cannot_be_on_its_way",
        Edit(_RESOLVE, "if self.settle_after_s and age < self.settle_after_s:", "if False:"),
    ),
    _mistake(
        "a restart that forgets what was being sent",
        f"{_KILL}[late-False]",
        Edit(_TABLES, '("sending", "accepted", "unknown")', '("accepted", "unknown")'),
    ),
    _mistake(
        "any 2xx taken as accepted",
        f"{_EXACTLY}{_EACH}[{_WHOLE_200}]",
        Edit(_VERDICT, "    if code == 202:", "    if code == 299:"),
        Edit(_VERDICT, "    if answer.status != 201:", "    if not 200 <= answer.status < 300:"),
    ),
    _mistake(
        "429 taken as done",
        f"{_ONE_FAULT}[429-True-accepted-0]",
        Edit(
            _VERDICT,
            "Verdict(status=Status.NOT_SENT, message=message, then=Then.AGAIN, wait_s=wait_s, **facts)",
            "Verdict(status=Status.ACCEPTED, message=message, wait_s=wait_s, **facts)",
        ),
    ),
    _mistake(
        "a look-up believed whose filter is ignored",
        f"{_FOUND}test_filters_that_are_passed_over_never_give_another_document[cut_before-not_sent-None]",
        Edit(_SEARCH, "spelled(row.get(field)) == spelled(expected.reference)", "row"),
        Edit(_SEARCH, 'and spelled(party.get("number")) == spelled(expected.customer)', ""),
    ),
    _mistake(
        "key by row number",
        "tests/test_main_job.py::test_of_a_file_that_grew_only_the_additions_go_out",
        Edit(
            "importer/documents.py", "if by_content else str(document.key)", "if by_content else str(document.rows[0])"
        ),
    ),
    _mistake(
        "a followed 307",
        f"{_EXACTLY}test_a_redirect_is_never_followed_and_the_body_not_forwarded",
        Edit(
            _CLIENT,
            "        self._session = session",
            '        session.mount("http://", self._adapter)\n        self._session = session',
        ),
        Edit(_CLIENT, "response = self._adapter.send(", "response = self._session.send("),
        Edit(
            _CLIENT,
            "self._prepared(method, path, body, headers or {}),",
            "self._session.prepare_request(\n"
            "                        requests.Request(method, self.base_url + path, headers, data=body)\n"
            "                    ),",
        ),
        Edit(
            _CLIENT,
            "        response = requests.Response()\n",
            "        return super().build_response(req, resp)\n        response = requests.Response()\n",
        ),
    ),
    _mistake(
        "the unique index dropped",
        f"{_KNOWN}test_of_ten_threads_one_gets_the_claim[sqlite]",
        Edit(_TABLES, "    unique=True,\n    sqlite_where", "    unique=False,\n    sqlite_where"),
    ),
)
#: Others that would cost or double a document.
FURTHER: Final = (
    _mistake(
        "commits that do not wait for the disk",
        "tests/test_power_cuts.py::test_a_power_cut_at_any_write_loses_no_acknowledged_commit",
        Edit(_DATABASE, "PRAGMA synchronous = EXTRA", "PRAGMA synchronous = NORMAL"),
        Edit(_DATABASE, '"synchronous": 3', '"synchronous": 1'),
    ),
    _mistake(
        "a group that returns before its commit",
        f"{_EXACTLY}test_a_claim_is_on_disk_before_a_byte_leaves",
        Edit(
            _GROUP,
            "        patiently(self.transaction, all_of_them)\n",
            "        ran = threading.Event()\n\n"
            "        def early(connection: sa.Connection) -> None:\n"
            "            all_of_them(connection)\n"
            "            ran.set()\n"
            "            time.sleep(0.05)\n\n"
            "        def behind() -> None:\n"
            '            with globals().setdefault("_one", threading.Lock()):\n'
            "                patiently(self.transaction, early)\n\n"
            "        threading.Thread(target=behind).start()\n"
            "        ran.wait(5)\n",
        ),
    ),
    _mistake(
        "a commit that failed taken for done",
        f"{_GAPS}test_a_claim_that_could_not_be_written_is_told",
        Edit(
            _GROUP,
            "                    work.error = error\n                else",
            "                    pass\n                else",
        ),
    ),
    _mistake(
        "two documents of one customer in flight together",
        f"{_GAPS}test_documents_of_one_customer_are_never_in_flight_together",
        Edit("importer/lanes.py", "if document.customer else", "if document.customer is None else"),
    ),
    _mistake(
        "what a live run has in hand settled by another",
        f"{_GAPS}test_nobody_settles_what_a_live_run_has_in_hand",
        Edit(
            "importer/doubts.py",
            'return attempt.state == "sending" and journal.is_alive(attempt.run_id)',
            "return False",
        ),
    ),
    _mistake(
        "a look-up that overwrites what the owner settled meanwhile",
        f"{_GAPS}test_a_look_up_never_overwrites_what_the_owner_settled_meanwhile",
        Edit(_JOURNAL, ", table.c.state == attempt.state)", ")"),
    ),
    _mistake(
        "an owner that overwrites a person's word",
        f"{_GAPS}test_a_persons_word_is_never_overwritten_by_a_late_owner",
        Edit(_STATEMENTS, ', attempt.c.state.in_(("sending", "unknown")))', ")"),
    ),
    _mistake(
        "another company's document taken for this one",
        f"{_KNOWN}test_another_company_or_endpoint_is_another_document[sqlite-other0]",
        Edit(
            _TABLES,
            "    attempt.c.company,\n    attempt.c.endpoint,\n    attempt.c.identity,",
            "    attempt.c.identity,",
        ),
    ),
    _mistake(
        "a Location believed that names another number than was asked for",
        f"{_EXACTLY}test_a_location_of_another_number_is_not_believed",
        Edit(_VERDICT, "    if asked is not None and number != asked:", "    if False:"),
    ),
    _mistake(
        "a Location believed that names another document",
        "tests/test_readback.py::test_the_number_of_another_document_is_never_believed",
        Edit("importer/readback.py", "if owner is not None and owner != document.key:", "if False:"),
        Edit(_SEND, 'if owner == (document.key or ""):', "if True:"),
    ),
    _mistake(
        "a head cut by a plain close accepted",
        f"{_EXACTLY}test_an_answer_cut_at_any_byte_never_gives_a_wrong_number",
        Edit(_CLIENT, 'if not line.endswith(b"\\n") and (line or self._begun):', "if False:"),
    ),
    _mistake(
        "a body that was cut believed",
        f"{_EXACTLY}test_a_damaged_or_endless_body_says_no_more_than_it_does",
        Edit(_CLIENT, "        return bytes(content), False\n    return", "        pass\n    return"),
    ),
    _mistake(
        "not sent told by the kind of the exception",
        f"{_ONE_FAULT}[cut_before-False-unknown-5]",
        Edit(_CLIENT, "sent=_phase.sent, reason", "sent=not isinstance(error, requests.ConnectionError), reason"),
    ),
    _mistake(
        "no answer in time taken for not sent",
        f"{_EXACTLY}test_no_answer_in_time_is_in_doubt",
        Edit(_CLIENT, "NoAnswer(sent=_phase.sent, reason", "NoAnswer(sent=False, reason"),
    ),
    _mistake(
        "500 without a reason taken for a rejection",
        f"{_ONE_FAULT}[500_after-True-accepted-0]",
        Edit(_VERDICT, "and answer.whole and said:", "and answer.whole:"),
    ),
    _mistake(
        "absence believed of lists that lag",
        f"{_FOUND}test_nothing_is_concluded_from_lists_that_lag[cut_after]",
        Edit(_RESOLVE, "if not self._control(endpoint, by_number_too=by_ours, expected=expected):", "if False:"),
    ),
    _mistake(
        "absence of a number believed that Visma gives itself",
        f"{_FOUND}test_a_missing_number_proves_absence_only_where_visma_takes_ours[mapping1-settings1-automatic-unknown]",
        Edit(_RESOLVE, ' and (expected.overrides or regime == "manual")', ""),
    ),
    _mistake(
        "a page that the API shortened taken for the last",
        f"{_FOUND}test_filters_that_are_passed_over_never_give_another_document[cut_after-accepted-000004]",
        Edit(_SEARCH, "if len(self._seen) == before or", "if len(found) < PAGE_SIZE or"),
    ),
    _mistake(
        "the first of two documents taken that fit",
        f"{_FOUND}test_two_documents_with_the_same_reference_stay_in_doubt_and_both_are_named",
        Edit(_RESOLVE, "if len(agreeing) > 1:", "if False:"),
    ),
    _mistake(
        "a document taken that the journal has under another key",
        f"{_FOUND}test_what_the_journal_has_under_another_key_is_not_taken",
        Edit(_RESOLVE, "            if owner is not None and owner != attempt.key:", "            if False:"),
    ),
    _mistake(
        "an attempt's age by two clocks",
        f"{_FOUND}test_the_age_of_an_attempt_is_by_the_servers_clock[10000]",
        Edit(_SEND, "server_at = self.session.server_latest().isoformat()", "server_at = claimed_at"),
    ),
    _mistake(
        "nothing looked up before the first write",
        f"{_HELD}test_two_folders_with_the_same_file_double_nothing",
        Edit("importer/preflight.py", 'if endpoint.kind != "create":', "if True:"),
    ),
    _mistake(
        "an action in doubt that is sent again",
        "tests/test_updates.py::test_a_doubtful_letter_is_never_sent_again[cut_after]",
        Edit(
            "importer/decide.py",
            'return _already(document, past) if past.state == "accepted" else _in_doubt(document, past)',
            'return _already(document, past) if past.state == "accepted" else document',
        ),
        Edit(
            _TABLES,
            "attempt.c.state.in_(LIVE), attempt.c.repeatable == 0",
            'attempt.c.state == "accepted", attempt.c.repeatable == 0',
        ),
    ),
    _mistake(
        "numbers that are never held against Visma's own list",
        f"tests/test_fault_location.py::{_NUMBER_OF_ANOTHER}",
        Edit("importer/doubts.py", "        self.verify_own(record, documents, outcomes)\n", ""),
    ),
    _mistake(
        "what is given up while it goes out called unsent",
        "tests/test_meanwhile.py::test_what_is_given_up_at_the_moment_of_its_claim_is_in_doubt_and_never_not_sent",
        Edit(_SEND, "                self.outcomes[position] = in_flight\n", ""),
    ),
    _mistake(
        "sent again after an error of another run's, without looking",
        f"{_KNOWN}test_what_was_refused_with_500_meanwhile_is_claimed_only_after_it_was_looked_for[sqlite-500]",
        Edit("importer/journal/claims.py", "if found[own] == own and _forbids(past, claim, is_alive):", "if False:"),
    ),
)
MISTAKES: Final = (*ASKED, *FURTHER)


def main() -> int:
    """Try every mistake out and print the table."""
    rows = []
    for mistake in MISTAKES:
        found = try_out(mistake)
        rows.append((mistake.name, found.by, found.seconds, found.caught))
        print(".", end="", flush=True, file=sys.stderr)
    print(f"\n{table(rows, frozenset(mistake.name for mistake in ASKED))}")
    return 0 if all(caught for *_, caught in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
