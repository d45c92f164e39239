"""Lead a request through its steps: authorise, limit, fault before, route, fault after, headers."""

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate

from importer.sandbox import faults, routes, tokens
from importer.sandbox.answers import Answer, Call
from importer.sandbox.faults import FaultBoard
from importer.sandbox.limit import Limiter
from importer.sandbox.world import World

_WRITES = ("POST", "PUT", "DELETE")


@dataclass(frozen=True, slots=True)
class Gate:
    """Hold what the steps work with; `wait` sleeps, and wakes when the sandbox stops."""

    world: World
    limiter: Limiter
    board: FaultBoard
    wait: Callable[[float], object]

    def answer(self, call: Call) -> Answer:
        """Return the answer to a request, complete with the headers every answer has."""
        if call.path.lower() == tokens.PATH:
            answer = self._with_faults(call, tokens.issue)
        else:
            answer = self._company_answer(call)
        return answer.plus({"Date": formatdate(self.world.clock(), usegmt=True)})

    def _company_answer(self, call: Call) -> Answer:
        """Answer a request to the company, with the headers of the limit."""
        if call.method in _WRITES:
            with self.world.store.change():
                self.world.store.count("writes")
        refused = tokens.refuse(self.world, call)
        over, headers = self.limiter.admit()
        turned_away = refused or over
        if turned_away:
            return turned_away.plus(headers)
        routes.run_due(self.world)
        return self._with_faults(call, routes.respond).plus(headers)

    def _with_faults(self, call: Call, work: Callable[[World, Call], Answer]) -> Answer:
        """Carry a request out between the two places where a fault can strike."""
        fault = self.board.pick(call)
        answer, call = faults.before(fault, call, self.wait)
        if answer is None:
            answer = faults.after(fault, call, work(self.world, call), self.wait)
        return answer
