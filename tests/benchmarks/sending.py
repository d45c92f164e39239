"""Parts 2 and 3: documents per second beside the peers at zero latency, and the share of what a latency allows."""

from collections.abc import Callable
from dataclasses import dataclass, field

from measuring import Measured, median, quick_api, ratio, settled, taken
from options import Options
from peers import send_with_drt, send_with_newman, send_with_script
from projects import journal_of, make_project, run
from workbook import invoices_of, make_workbook, rows_for

#: At least so many times the documents per second of the plain script and of Newman.
_TIMES_SCRIPT, _TIMES_NEWMAN = 1.2, 8
_SHARE = 0.95


@dataclass
class Sender:
    """Hold one way to send, and what each round of it measured."""

    name: str
    documents: int
    #: sends to an address
    send: Callable[[str], Measured]
    #: documents per second, from the first to the last and of the whole command
    sending: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    megabytes: float = 0

    def go(self) -> None:
        """Send once, to an API of its own."""
        with quick_api(0) as address:
            took = self.send(address)
            seconds = self.phase(address)
        self.sending.append(self.documents / seconds)
        self.whole.append(self.documents / took.seconds)
        self.megabytes = max(self.megabytes, took.megabytes)

    def phase(self, address: str) -> float:
        """Return the seconds of sending alone, as the API saw them; each document is there."""
        return taken(address, self.documents)


@dataclass
class OwnSender(Sender):
    """Hold this program with so many workers."""

    journal: str = ""

    def phase(self, address: str) -> float:
        """Return the seconds from the first claim to the last settlement; each document is in API and journal."""
        taken(address, self.documents)
        return settled(self.journal, self.documents)[0]


def compare_sending(options: Options) -> None:
    """Measure documents per second at zero latency."""
    table = options.table
    table.head("2. Sending at zero latency: documents per second while sending, and of the whole command")
    peers, own = _peers(options), _own(options)
    for _ in range(options.rounds):
        for sender in (*peers, *own):
            sender.go()
    found = {sender.name: sender for sender in peers}
    for name in ("plain script", "Newman", "drt"):
        if name in found:
            table.line(f"{name}, {found[name].documents:,} documents", _rates(found[name]))
        else:
            table.line(name, options.peers.missing)
    table.line("  what they do", "each keeps no journal; Newman and drt read no .xlsx, and got the rows ready-made")
    for sender in own:
        table.line(f"{sender.name}, {sender.documents:,} documents", _rates(sender))
        if peers:
            told = ", ".join(f"{ratio(sender.sending, peer.sending):.2f} x {peer.name}" for peer in peers)
            table.line("  while sending", told)
    best = max(own, key=lambda sender: median(sender.sending))
    for name, least in (("plain script", _TIMES_SCRIPT), ("Newman", _TIMES_NEWMAN)):
        if name in found:
            times, whole = ratio(best.sending, found[name].sending), ratio(best.whole, found[name].whole)
            told = f"{times:.2f} x while sending, {whole:.2f} x as a whole"
            table.line(f"{best.name} against {name}", told, f"at least {least} x while sending", met=times >= least)


def _rates(sender: Sender) -> str:
    return f"{median(sender.sending):.0f}/s sending, {median(sender.whole):.0f}/s whole, {sender.megabytes:.0f} MB"


def _peers(options: Options) -> list[Sender]:
    count, peers = options.documents, options.peers
    invoices = invoices_of(rows_for(count))
    workbook = make_workbook(options.place("script") / "invoices.xlsx", rows_for(count))
    found = []
    if python := peers.python:
        found.append(Sender("plain script", count, lambda address: send_with_script(python, workbook, address)))
    if newman := peers.newman:
        few, place = invoices[: options.newman_documents], options.place("newman")
        found.append(Sender("Newman", len(few), lambda address: send_with_newman(newman, place, few, address)))
    if drt := peers.drt:
        here = options.place("drt")
        found.append(Sender("drt", count, lambda address: send_with_drt(drt, here, invoices, address)))
    return found


def _own(options: Options) -> list[Sender]:
    workbook = make_workbook(options.folder / "sending.xlsx", rows_for(options.documents))
    found: list[Sender] = []
    for workers in options.workers:
        project = options.folder / f"sending-{workers}"

        def send(address: str, project=project, workers=workers) -> Measured:  # type: ignore[no-untyped-def]
            return run(make_project(project, workbook, address), workers)

        name = f"run with {workers} worker{'s' if workers > 1 else ''}"
        found.append(OwnSender(name, options.documents, send, journal=journal_of(project)))
    return found


def compare_latency(options: Options) -> None:
    """Measure how much of workers / latency a run reaches."""
    table = options.table
    table.head("3. Sending with latency: the share of workers / latency")
    for latency_s in options.latencies_s:
        for workers in options.latency_workers:
            documents = max(round(options.seconds / latency_s), 1) * workers
            workbook = make_workbook(options.folder / "latency.xlsx", rows_for(documents))
            best = documents / workers * latency_s
            shares = []
            for _ in range(options.rounds):
                with quick_api(latency_s) as address:
                    project = make_project(options.folder / "latency", workbook, address)
                    run(project, workers)
                shares.append(best / settled(journal_of(project), documents)[0])
            share = median(shares)
            table.line(
                f"{latency_s * 1000:.0f} ms, {workers} workers, {documents:,} documents",
                f"{share:.1%} of {workers / latency_s:.0f}/s",
                f"at least {_SHARE:.0%}",
                met=share >= _SHARE,
            )
