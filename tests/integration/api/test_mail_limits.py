"""How much mail accounts send, and that refusals tell nobody who has an account."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ogel.features.accounts.codes.requests import STEP_SECONDS
from tests.support.mailed import Mailed
from tests.support.process import Response
from tests.support.world import World

ENVIRONMENT = {
    "OGEL_MAIL_FROM": "shop@example.com",
    "OGEL_MAIL_PROVIDERS": "outbox",
    "OGEL_AUTH_MAIL_SECONDS": "60",
    "OGEL_AUTH_MAILS": "1000",
    "OGEL_RATE_SIGN_IN": "off",
}


def ask(api: World, path: str, **body: Any) -> Response:
    return api("POST", f"/auth/v1{path}", body, key="")


@pytest.mark.parametrize("email", ["somebody@example.com", "nobody@example.com"])
def test_the_next_mail_to_an_address_waits_a_minute_whoever_has_it(api: World, email: str) -> None:
    is_there = email.startswith("somebody")
    assert ask(api, "/otp", email=email, create_user=is_there).status == 200
    refused = ask(api, "/otp", email=email.upper(), create_user=is_there)
    assert (refused.status, refused.json["error_code"]) == (429, "over_email_send_rate_limit")
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert refused.json["msg"].startswith("For security purposes, you can only request this after ")
    # What is mailed for another reason has a minute of its own.
    assert ask(api, "/recover", email=email).status == 200
    assert ask(api, "/recover", email=email).status == 429


def test_of_many_requests_at_once_one_is_mailed(api: World) -> None:
    mailed = Mailed(api)
    mailed()
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: ask(api, "/otp", email="crowd@example.com"), range(12)))
    assert sorted(each.status for each in answers) == [200] + [429] * 11
    assert [letter.to for letter in mailed()] == ["crowd@example.com"]


def test_answers_take_the_same_time_whoever_is_there(api: World) -> None:
    """Whole steps, so that what is done for somebody who is there fits into the first."""
    assert ask(api, "/otp", email="timed@example.com").status == 200
    for email in ("timed@example.com", "untimed@example.com"):
        began = time.monotonic()
        assert ask(api, "/recover", email=email).status == 200
        assert time.monotonic() - began >= STEP_SECONDS


def test_all_mail_of_an_hour_is_bounded_and_what_is_not_sent_does_not_count(
    suite_servers: dict[str, str], redis_url: str
) -> None:
    here = {**suite_servers, **ENVIRONMENT, "REDIS_URL": redis_url, "OGEL_AUTH_MAILS": "2"}
    with World(**here) as api:
        for place in range(5):
            assert ask(api, "/recover", email=f"stranger{place}@example.com").status == 200
        for place in range(2):
            assert ask(api, "/otp", email=f"new{place}@example.com").status == 200
        for path, email in (("/otp", "new3@example.com"), ("/recover", "stranger9@example.com")):
            refused = ask(api, path, email=email)
            assert (refused.status, refused.json["error_code"]) == (429, "over_email_send_rate_limit")
            assert int(refused.headers["retry-after"]) > 0
