"""The report as Markdown, for a pull request: what strangers said stands in it as text, whatever characters it has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ogel.features.consolidation.evidence import Evidence
from ogel.features.consolidation.judgement.verdict import COMMANDS
from ogel.features.consolidation.report import Report, ServiceReport
from ogel.runtime.prices.dollars import dollars

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~&$]|^[-+])")
# What GitHub makes a link or a mention of, wherever it stands in a text; a space of no width keeps it apart.
_LINKED = re.compile(r"(?<=:)(?=//)|(?<=@)(?=\w)|(?<=#)(?=\w)|(?<=www)(?=\.)", re.IGNORECASE)
_NO_WIDTH = "\u200b"
_ANSWERS = {"keep": "keep", "replace": "replace by Ogel", "remove": "remove", "unknown": "not known"}


def markdown(report: Report) -> str:
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"# Services of {_text(report.project)}, {_text(report.environment)}"
    yield ""
    inside = (
        "with a look into databases and stores"
        if report.looked_inside
        else "without a look into databases and stores"
    )
    yield f"Audited by `ogel consolidate` on {report.at:%Y-%m-%d %H:%M} UTC, over {report.days:g} days, {inside}."
    yield "Nothing was changed. Savings are a month's, at list prices and the rate of these days."
    yield ""
    yield "| Service | Is | Answer | Risk | Costs | Saves |"
    yield "|---|---|---|---|--:|--:|"
    for each in report.services:
        yield (
            f"| {_text(each.name)} | {each.title} | {_ANSWERS[each.answer]} | {each.risk} |"
            f" {dollars(each.monthly_cost)} | {dollars(each.monthly_saving)} |"
        )
    yield f"| | | | | | **{dollars(report.monthly_saving)}** |"
    yield ""
    yield from (_text(each) for each in report.notes)
    for each in report.services:
        if each.is_audited:
            yield from _service(each)
    if report.unseen:
        yield from _list("Not seen", report.unseen, "##")


def _service(service: ServiceReport) -> Iterator[str]:
    yield ""
    yield f"## {_text(service.name)}: {_ANSWERS[service.answer]}"
    yield ""
    yield _text(service.reason)
    if service.hazard:
        yield ""
        yield f"**Risk:** {service.risk}. {_text(service.hazard)}"
    yield ""
    yield "| Looked at | Found | |"
    yield "|---|---|---|"
    for each in service.evidence:
        yield _row(each, "")
    for each in service.against:
        yield _row(each, "speaks for something else")
    for each in service.use:
        yield _row(each, "use")
    yield from _list("Steps", service.steps, "###", "1.")
    yield from _list("The way back", service.way_back, "###", "1.")
    yield from _list("Where to look", service.look, "###")


def _row(evidence: Evidence, what: str) -> str:
    return f"| {_cell(evidence.asked)} | {_cell(evidence.answered)} | {what} |"


def _list(title: str, items: Sequence[str], level: str, mark: str = "-") -> Iterator[str]:
    if items:
        yield ""
        yield f"{level} {title}"
        yield ""
        for each in items:
            yield f"{mark} {_code(each) if each.startswith(COMMANDS) else _text(each)}"


def _cell(text: str) -> str:
    """As code, which nothing is made a link of; a table would end its cell at a bar even there."""
    return _code(text).replace("|", "\\|")


def _code(text: str) -> str:
    """In a fence that is longer than any in it."""
    longest = max((len(each) for each in re.findall("`+", text)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{space}{text}{space}{fence}"


def _text(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", _LINKED.sub(_NO_WIDTH, text))
