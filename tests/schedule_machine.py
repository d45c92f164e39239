"""Draw schedules: what is imported, what goes wrong and when, who is killed, what people do meanwhile."""

import shutil
import signal
import traceback
from collections.abc import Callable
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from schedule_book import KINDS
from schedule_desk import Blow, Desk
from schedule_oracle import WrongError
from schedule_workshop import Workshop

STEPS = 5
_SHAPES = st.sampled_from(["one", "one", "two", "twins"])
_ENTRY = st.tuples(st.integers(0, 2), _SHAPES)
_ADDED = st.lists(_ENTRY, max_size=2)
_DELAYS = st.sampled_from([0.02, 0.35, 0.5])


def _fault(kind: str, **more: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"kind": st.just(kind), **more})


_EITHER_WAY = {"commit": st.booleans()}
#: What may become of one write.
_WRITE_FAULTS = st.one_of(
    *(_fault(kind, **_EITHER_WAY) for kind in ("500_message", "502_html", "400_plain", "307")),
    _fault("503", retry_after_s=st.sampled_from([0, 1]), **_EITHER_WAY),
    *(_fault(kind) for kind in ("500_before", "500_after", "cut_before", "cut_after", "401", "202")),
    *(_fault(kind) for kind in ("no_location", "other_location")),
    *(_fault(kind, delay_s=_DELAYS) for kind in ("hang", "late")),
    _fault("429", retry_after_s=st.sampled_from([0, 0, 0, 1])),
)
#: What may become of one read.
_READ_FAULTS = st.one_of(
    *(_fault(kind) for kind in ("500_before", "502_html", "503", "cut_before", "cut_after", "400_plain", "401", "307")),
    _fault("hang", delay_s=st.just(0.35)),
    _fault("429", retry_after_s=st.just(0)),
)
_ALWAYS = st.sampled_from([None] * 7 + ["500_before", "cut_after", "503"])


@st.composite
def _faults(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw what goes wrong during one step: at most one fault for each request, so that none hides another."""
    found = [
        {**fault, "match": "POST customer", "nth": nth}
        for nth, fault in draw(st.dictionaries(st.integers(1, 5), _WRITE_FAULTS, max_size=4)).items()
    ]
    if draw(st.integers(0, 4)) == 4:
        fault, nth = draw(_READ_FAULTS), draw(st.integers(1, 6))
        found.append({**fault, "match": "GET v1", "nth": nth})
    if draw(st.integers(0, 14)) == 14:
        found.append({"match": "POST connect/token", "nth": 1, "kind": draw(st.sampled_from(["503", "cut_before"]))})
    always = draw(_ALWAYS)
    if always:
        found.append({"match": "POST customer", "kind": always})
    return found


def _blows(which: int) -> st.SearchStrategy[Blow]:
    places = {"which": st.integers(0, which)}
    return st.one_of(
        st.builds(Blow, at_write=st.just(0), after_ms=st.sampled_from([0, 20, 40, 60, 80, 100, 120, 140]), **places),
        *[st.builds(Blow, at_write=st.integers(1, 4), after_ms=st.sampled_from([0, 1, 3, 10, 30, 60]), **places)] * 3,
        # asked to end in the middle, as Ctrl-C does
        st.builds(Blow, at_write=st.integers(1, 3), after_ms=st.just(0), number=st.just(signal.SIGTERM), **places),
    )


_BLOW = st.none() | _blows(1) | _blows(1)
_WORKERS = st.integers(1, 4)
_COMPANY = st.fixed_dictionaries(
    {},
    optional={
        "lists_lag_s": st.sampled_from([0, 20]),
        "max_page_size": st.just(3),
        "ignored_filters": st.just(["externalReference", "corporateId"]),
    },
)


class Schedule(RuleBasedStateMachine):
    """Be one schedule; whatever fails tells every step up to there."""

    workshop: ClassVar[Workshop]

    def __init__(self) -> None:
        super().__init__()
        self.desk: Desk | None = None
        self.told: list[str] = []
        self.failed = False

    def _do(self, text: str, step: Callable[[Desk], object]) -> None:
        self.told.append(text)
        try:
            assert self.desk is not None
            step(self.desk)
        except BaseException as error:
            self.failed = True
            schedule = "".join(f"\n  {told}" for told in self.told)
            trace = "" if isinstance(error, WrongError) else "".join(traceback.format_exception(error))
            self.workshop.failure = self.workshop.failure or f"{error}\n{trace}The schedule:{schedule}"
            raise

    @initialize(entries=st.lists(_ENTRY, min_size=1, max_size=6), company=_COMPANY)
    def begin(self, entries: list[tuple[int, str]], company: dict[str, Any]) -> None:
        """Begin with a workbook, an empty journal and an empty company."""
        # in turn, not drawn, so that each has its share: no other draw depends on it
        kind, journal = next(self.workshop.turns)
        if KINDS[kind].resource == "customer":
            company.pop("max_page_size", None)
        self.desk = Desk(self.workshop, kind, journal, company)
        self._do(f"{kind}, {journal}, {entries}, {company}", lambda desk: desk.book.add(entries))
        self.desk.book.save()

    def _run(
        self,
        commands: list[tuple[str, int]],
        added: list[tuple[int, str]] = (),
        faults: list[dict[str, Any]] = (),
        blow: Blow | None = None,
    ) -> None:
        """Run commands at once, some rows having been added before, while things go wrong."""
        assert self.desk is not None
        shown = [fault for fault in faults if self.desk.kind.numbered or fault["kind"] != "other_location"]
        if not self.desk.can_be_refused_though_made:
            # a refusal with a message of the business is believed, and looked for only where that can find it
            shown = [{**fault, "commit": fault.get("commit") and fault["kind"] != "500_message"} for fault in shown]

        def step(desk: Desk) -> None:
            desk.book.add(added)
            desk.book.save()
            desk.run(commands, shown, blow)

        self._do(f"added {added}, then {commands} while {shown}; {blow}", step)

    @rule(workers=_WORKERS, added=_ADDED, faults=_faults())
    def run(self, workers: int, added: list[tuple[int, str]], faults: list[dict[str, Any]]) -> None:
        """Run, and let things go wrong."""
        self._run([("run", workers)], added, faults)

    @rule(workers=_WORKERS, added=_ADDED, faults=_faults(), blow=_blows(0))
    def run_and_strike(
        self, workers: int, added: list[tuple[int, str]], faults: list[dict[str, Any]], blow: Blow
    ) -> None:
        """Run, and let it be killed."""
        self._run([("run", workers)], added, faults, blow)

    @rule(workers=_WORKERS, added=_ADDED, faults=_faults(), blow=_blows(0), again=_blows(0))
    def strike_twice(
        self, workers: int, added: list[tuple[int, str]], faults: list[dict[str, Any]], blow: Blow, again: Blow
    ) -> None:
        """Run and let it be killed, twice."""
        self._run([("run", workers)], added, faults, blow)
        self._run([("run", workers)], blow=again)

    @rule(one=_WORKERS, other=_WORKERS, added=_ADDED, faults=_faults(), blow=_BLOW)
    def run_twice_at_once(
        self, one: int, other: int, added: list[tuple[int, str]], faults: list[dict[str, Any]], blow: Blow | None
    ) -> None:
        """Let two people run the same file at the same moment."""
        self._run([("run", one), ("run", other)], added, faults, blow)

    @rule(workers=_WORKERS, added=_ADDED, faults=_faults(), blow=_BLOW)
    def run_while_resolving(
        self, workers: int, added: list[tuple[int, str]], faults: list[dict[str, Any]], blow: Blow | None
    ) -> None:
        """Let one person resolve while another runs."""
        self._run([("resolve", 0), ("run", workers)], added, faults, blow)

    @rule(faults=_faults(), blow=_BLOW)
    def resolve_and_run(self, faults: list[dict[str, Any]], blow: Blow | None) -> None:
        """Look up what is in doubt, then run."""
        self._run([("resolve", 0)], faults=[fault for fault in faults if fault["match"].startswith("GET")], blow=blow)
        self._run([("run", 2)], faults=faults)

    @rule(
        order=st.lists(st.integers(0, 9), max_size=6),
        name=st.sampled_from(["invoices.xlsx", "January (final) æøå.xlsx", "copy.xlsx"]),
    )
    def work_on_the_workbook(self, order: list[int], name: str) -> None:
        """Sort the rows otherwise and rename the file."""

        def change(desk: Desk) -> None:
            desk.book.reorder(order)
            desk.book.rename(name)
            desk.book.save()

        self._do(f"sorted by {order}, as {name}", change)

    @rule(seconds=st.sampled_from([30, 599, 605, 4000]))
    def let_time_pass(self, seconds: int) -> None:
        """Let time pass, once no late commit is open: that is what the time to settle promises."""
        self._do(f"{seconds} s pass", lambda desk: desk.pass_time(seconds))

    @rule(place=st.integers(0, 9))
    def decide(self, place: int) -> None:
        """Let a person settle a document that the latest run called unknown."""
        assert self.desk is not None
        unknown = self.desk.oracle.unknown
        if unknown:
            key = unknown[place % len(unknown)]
            self._do(f"a person looks for {key}", lambda desk: desk.decide(key))

    def teardown(self) -> None:
        """Let faults stop: then running until exit 0 leaves exactly the workbook."""
        if self.desk is None or self.failed:
            return
        self._do("faults stop", lambda desk: desk.finish())
        self.workshop.figures.schedules += 1
        shutil.rmtree(self.desk.project.parent)


def run_schedules(workshop: Workshop, count: int, begin: int) -> None:
    """Run as many schedules, the same ones for the same beginning; raise what the first wrong one shows."""

    @seed(begin)
    class Drawn(Schedule):
        pass

    Drawn.workshop = workshop
    chosen = settings(
        max_examples=count,
        stateful_step_count=STEPS,
        database=None,
        deadline=None,
        # real processes do not do the same twice to the millisecond, so that nothing can be made smaller
        phases=[Phase.generate],
        report_multiple_bugs=False,
        print_blob=False,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(Drawn, settings=chosen)
    except Exception:
        # the first time shows what was wrong: real processes do not do the same when they are asked to show it again
        if workshop.failure:
            raise WrongError(workshop.failure) from None
        raise
