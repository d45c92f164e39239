"""Make the page over all steps of a sequence: how it ended, what became of the documents, each step with its report."""

from typing import Any
from urllib.parse import quote

from importer.report.contents import contents
from importer.report.counts import count
from importer.report.html_file import bar, policy, style_of_page, template
from importer.report.sequence import Part, Whole
from importer.report.troubles import troubles
from importer.report.words import MEANINGS, PRESSING, exit_meaning, label, moment, reach

#: As many causes of one step are shown; its own page has them all.
_MAX_TROUBLES = 5


def page(whole: Whole) -> str:
    """Return the page. The same sequence makes the same page, whenever it is written."""
    from markupsafe import Markup

    style = style_of_page()
    counts = {status: counted for status, counted in whole.counts().items() if counted.documents}
    return str(
        template("sequence.html.j2").render(
            policy=policy(style, ""),
            style=Markup(style),  # noqa: S704 - our own file
            whole=whole,
            reach=reach(whole.first),
            kind="simulated" if whole.first.simulated else "real",
            ending=exit_meaning(whole.exit_code),
            moment=moment,
            counts=counts,
            bar=list(bar(counts)),
            spoken=", ".join(f"{counted.documents:,} {label(status)}" for status, counted in counts.items()),
            total=sum(counted.documents for counted in counts.values()),
            label=label,
            meanings=MEANINGS,
            parts=[_part(part) for part in whole.parts],
        )
    )


def _part(part: Part) -> dict[str, Any]:
    counts = {status: counted for status, counted in count(part.outcomes).items() if counted.documents}
    found = troubles(contents(part.record, part.outcomes))
    return {
        "record": part.record,
        "link": f"{quote(part.folder)}/results.html",
        "ending": exit_meaning(part.record.exit_code),
        "counts": counts,
        "bar": list(bar(counts)),
        "pressing": [status for status in PRESSING if status in counts],
        "troubles": found[:_MAX_TROUBLES],
        "more": max(len(found) - _MAX_TROUBLES, 0),
    }
