"""Servers' own words, at every stage, and whom they are about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from ogel.adapters.mail.smtp_answers import Stage, refusal
from ogel.runtime.delivery.providers import ProviderError
from ogel.runtime.mail.letter import Bounced
from ogel.runtime.secrets.scrub import Scrubber

_ANSWER = re.compile(r"(?P<stage>\w+) (?P<code>\d{3})[ -](?P<said>.*)")


def corpus() -> Iterator[tuple[str, Stage, int, str]]:
    meaning = ""
    for line in Path(__file__).with_name("smtp_answers.txt").read_text().splitlines():
        if line.startswith("= "):
            meaning = line[2:]
        elif line and not line.startswith("#"):
            answer = _ANSWER.fullmatch(line)
            assert answer is not None, line
            stage = next(each for each in get_args(Stage) if each == answer["stage"])
            yield meaning, stage, int(answer["code"]), answer["said"].replace("\\n", "\n")


def meaning_of(error: ProviderError) -> str:
    if isinstance(error, Bounced):
        return "bounced"
    if error.retry_after_seconds is not None:
        return "busy"
    names = {"ours": error.ours, "elsewhere": error.deferred, "refused": error.final}
    return next((name for name, is_so in names.items() if is_so), "failed")


@pytest.mark.parametrize(("meaning", "stage", "code", "said"), list(corpus()))
def test_what_servers_say(meaning: str, stage: Stage, code: int, said: str) -> None:
    assert meaning_of(refusal(stage, code, said)) == meaning


def test_a_password_that_is_a_word_of_theirs_changes_no_meaning() -> None:
    refused = refusal("RCPT", 550, "5.1.1 User unknown", Scrubber(["unknown"]))
    assert isinstance(refused, Bounced) and refused.message == "smtp answered 550 (5.1.1 User ****)"
    assert isinstance(refusal("RCPT", 550, "User unknown", Scrubber(["unknown"])), Bounced)


@pytest.mark.parametrize("stage", [each for each in get_args(Stage) if each not in ("RCPT", "DATA")])
def test_nobody_is_suppressed_before_he_was_named(stage: Stage) -> None:
    for _, _, code, said in corpus():
        assert not isinstance(refusal(stage, code, said), Bounced)


def test_only_the_mailbox_s_codes_suppress() -> None:
    codes = [f"{subject}.{detail}" for subject in range(10) for detail in range(100)]
    bounces = {each for each in codes if isinstance(refusal("RCPT", 550, f"5.{each} No"), Bounced)}
    assert bounces == {"1.1", "1.2", "1.3", "1.6", "1.10", "2.1"}
    assert not any(isinstance(refusal("RCPT", 450, f"4.{each} No"), Bounced) for each in codes)
    assert not any(isinstance(refusal("RCPT", code, "No"), Bounced) for code in range(400, 600))
