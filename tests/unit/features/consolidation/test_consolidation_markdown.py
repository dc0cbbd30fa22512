"""The report as Markdown: nothing that strangers said is more than text in it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from markdown_it import MarkdownIt

from ogel.features.consolidation.evidence import Evidence, quoted
from ogel.features.consolidation.markdown import markdown
from ogel.features.consolidation.report import Report, ServiceReport

NASTY = (
    "| a | <img src=x onerror=alert(1)> [x](javascript:alert(1)) `code` **b** # h @team #1 ~~s~~ "
    "https://evil.example &lt;"
)


def report(text: str, step: str) -> Report:
    service = ServiceReport(
        id="s", name=quoted(text), kind="kong", title="Kong", certainty="certain", is_audited=True,
        image=quoted(text), answer="remove", reason=quoted(text), risk="low", hazard=quoted(text),
        monthly_cost=1.5, monthly_saving=1.5, referrers=None, requests=None, private_only=False,
        evidence=[Evidence("wire", quoted(text), quoted(text), "kong", 4)], against=[], use=[],
        steps=[step, quoted(text)], way_back=[], look=[quoted(text)],
    )  # fmt: skip
    return Report(
        quoted(text),
        "production",
        datetime(2026, 11, 29, tzinfo=UTC),
        7.0,
        False,
        [service],
        1.5,
        [quoted(text)],
        [],
    )


def test_a_hostile_service_writes_no_markup() -> None:
    made = markdown(report(NASTY + "\n# heading\x1b[31m", "railway down --service '`x`|' --yes"))
    parser = MarkdownIt("gfm-like", {"html": True, "linkify": False})
    tokens = parser.parse(made)
    kinds = {each.type for each in tokens} | {child.type for each in tokens for child in each.children or ()}
    assert not kinds & {"html_block", "html_inline", "link_open", "image", "s_open", "fence"}
    headings = [tokens[at + 1].content for at, each in enumerate(tokens) if each.type == "heading_open"]
    assert len(headings) == 5
    rows = [each for each in tokens if each.type == "tr_open"]
    assert len(rows) == 3 + 2
    codes = [child.content for each in tokens for child in each.children or () if child.type == "code_inline"]
    assert "railway down --service '`x`|' --yes" in codes
    # What it shows is what was said.
    assert quoted(NASTY + "\n# heading\x1b[31m") in codes


def test_a_link_or_a_mention_of_a_stranger_is_none_where_such_are_made_of_text() -> None:
    made = markdown(report("https://evil.example/x www.evil.example @everybody #12", "Wait."))
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(made)
    texts = [child.content for each in tokens for child in each.children or () if child.type == "text"]
    assert not [text for text in texts if re.search(r"://|www\.|@\w|#\w", text)]
