"""Print the table: what was measured, the figure, the target, and whether it was met."""

from dataclasses import dataclass, field


@dataclass
class Table:
    """Print each line as soon as it is known, and keep in mind what was missed."""

    missed: list[str] = field(default_factory=list)

    def head(self, title: str) -> None:
        """Begin a part."""
        print(f"\n{title}\n{'-' * len(title)}", flush=True)

    def line(self, what: str, figure: str, target: str = "", *, met: bool | None = None) -> None:
        """Tell one figure; `met` is None where it is only told."""
        verdict = {None: "", True: "met", False: "MISSED"}[met]
        if met is False:
            self.missed.append(what.strip())
        print(f"{what:<46}  {figure:<46}  {target:<40}  {verdict}".rstrip(), flush=True)

    def end(self) -> int:
        """Tell what was missed; return the exit code."""
        print(
            f"\n{len(self.missed)} targets missed: {'; '.join(self.missed)}." if self.missed else "\nAll targets met."
        )
        return int(bool(self.missed))
