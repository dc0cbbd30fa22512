"""Secrets of endpoints: which may be alive, what is shown of them, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.contract import assert_problem
from tests.support.process import Client
from tests.unit.features.webhooks.secrets.vectors import V1, V2, V3, V3_PUBLIC

DAY = 86_400


def hook(api: Client, **wanted: Any) -> Any:
    return api.ok("POST", "/api/webhooks", {"url": "http://127.0.0.1:1/", "events": ["no.one"], **wanted})


def path(hook: Any, action: str = "rotate-secret") -> str:
    return f"/api/webhooks/{hook['id']}/{action}"


def secrets(api: Client, hook: Any) -> list[Any]:
    page = api.ok("GET", path(hook, "secrets"))
    assert page["next"] is None
    return list(page["items"])


def near(time: str, seconds_from_now: float) -> bool:
    wanted = datetime.now(UTC) + timedelta(seconds=seconds_from_now)
    return abs(datetime.fromisoformat(time) - wanted) < timedelta(seconds=20)


@pytest.mark.parametrize("raw", [b"", b"{}"])
def test_without_a_word_a_new_secret_of_the_same_kind_overlaps_for_a_day(api: Client, raw: bytes) -> None:
    for signing, prefix in (("v1", "whsec_"), ("v1a", "whsk_")):
        made = hook(api, signing=signing)
        assert (made["signing"], made["secret"].startswith(prefix)) == (signing, True)
        answer = api("POST", path(made), raw=raw)
        assert answer.status == 200
        rotated = answer.json
        assert (rotated["id"], rotated["signing"]) == (made["id"], signing)
        assert rotated["secret"].startswith(prefix)
        assert rotated["secret"] != made["secret"]
        assert near(rotated["old_secrets_until"], DAY)
        new, old = secrets(api, made)
        assert (new["id"], new["expires_at"]) == (rotated["secret_id"], None)
        assert old["expires_at"] == rotated["old_secrets_until"]
        assert new["created_at"] > old["created_at"]


def test_given_secrets_are_taken_and_shown_by_hint_and_public_key_only(api: Client) -> None:
    made = hook(api, secret=V1.secret)
    assert (made["secret"], made["public_key"]) == (V1.secret, None)
    rotated = api.ok("POST", path(made), {"secret": V3.secret})
    assert (rotated["secret"], rotated["public_key"], rotated["signing"]) == (V3.secret, V3_PUBLIC, "v1a")
    new, old = secrets(api, made)
    assert set(new) == {"id", "signing", "created_at", "expires_at", "hint", "public_key"}
    assert (new["signing"], new["hint"], new["public_key"]) == ("v1a", "whsk_…6Kvg", V3_PUBLIC)
    assert (old["signing"], old["hint"], old["public_key"]) == ("v1", "whsec_…LaSw", None)


def test_a_secret_is_shown_as_receivers_must_hold_it(api: Client) -> None:
    """The prefix and the padding that the caller left out are there."""
    made = hook(api, secret="QUFB" * 10 + "QQ")
    assert made["secret"] == "whsec_" + "QUFB" * 10 + "QQ=="


def test_ten_may_be_alive_and_the_next_must_wait_or_end_the_others(api: Client) -> None:
    made = hook(api)
    for _ in range(9):
        api.ok("POST", path(made), {"overlap_seconds": 7 * DAY})
    before = secrets(api, made)
    assert len(before) == 10
    assert_problem(api("POST", path(made)), 409)
    assert secrets(api, made) == before
    rotated = api.ok("POST", path(made), {"overlap_seconds": 0})
    assert rotated["old_secrets_until"] is None
    assert [each["id"] for each in secrets(api, made)] == [rotated["secret_id"]]


def test_a_rotation_shortens_earlier_overlaps_and_lengthens_none(api: Client) -> None:
    made = hook(api)
    api.ok("POST", path(made), {"overlap_seconds": 100})
    api.ok("POST", path(made), {"overlap_seconds": DAY})
    _, second, first = secrets(api, made)
    assert near(first["expires_at"], 100)
    assert near(second["expires_at"], DAY)
    api.ok("POST", path(made), {"overlap_seconds": 60})
    _, *ending = secrets(api, made)
    assert len(ending) == 3
    assert all(near(each["expires_at"], 60) for each in ending)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"overlap_seconds": -1}, "body.overlap_seconds"),
        ({"overlap_seconds": 7 * DAY + 1}, "body.overlap_seconds"),
        ({"overlap_seconds": 1.5}, "body.overlap_seconds"),
        ({"overlap_seconds": None}, "body.overlap_seconds"),
        ({"signing": "v2"}, "body.signing"),
        ({"secret": "whsec_" + "!" * 40}, "body.secret"),
        ({"secret": "short"}, "body.secret"),
        ({"secret": "whsk_" + "A" * 86 + "=="}, "body.secret"),
        ({"secret": V1.secret, "signing": "v1a"}, "body.secret"),
        ({"secret": V3.secret, "signing": "v1"}, "body.secret"),
        ({"secret": V2.secret}, "body.secret"),
        ({"overlap": 1}, "body.overlap"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(api: Client, wanted: Any, field: str) -> None:
    made = hook(api, secret=V2.secret)
    before = secrets(api, made)
    assert_problem(api("POST", path(made), wanted), 422, field)
    assert secrets(api, made) == before


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"signing": "ed25519"}, "body.signing"),
        ({"signing": "v1a", "secret": V1.secret}, "body.secret"),
        ({"signing": "v1a", "compatibility": "appwrite"}, "body.compatibility"),
        ({"compatibility": "hooks"}, "body.compatibility"),
        ({"headers": {"X-Appwrite-Webhook-Signature": "x"}}, "body.headers.X-Appwrite-Webhook-Signature"),
    ],
)
def test_an_endpoint_that_cannot_be_signed_for_is_not_made(api: Client, wanted: Any, field: str) -> None:
    answer = api("POST", "/api/webhooks", {"url": "http://127.0.0.1:1/", "events": ["no.one"], **wanted})
    assert_problem(answer, 422, field)


def test_an_endpoint_with_appwrites_headers_keeps_a_shared_key(api: Client) -> None:
    made = hook(api, compatibility="appwrite")
    assert_problem(api("POST", path(made), {"signing": "v1a"}), 422, "body.signing")
    assert_problem(api("POST", path(made), {"secret": V3.secret}), 422, "body.secret")
    other = hook(api, signing="v1a")
    one = f"/api/webhooks/{other['id']}"
    assert_problem(api("PATCH", one, {"compatibility": "appwrite"}), 422, "body.compatibility")
    api.ok("POST", path(other), {"signing": "v1"})
    assert api.ok("PATCH", one, {"compatibility": "appwrite"})["compatibility"] == "appwrite"
    assert api.ok("PATCH", one, {"compatibility": None})["compatibility"] is None


def test_what_is_not_there_has_no_secrets(api: Client) -> None:
    made = hook(api)
    api.ok("DELETE", f"/api/webhooks/{made['id']}")
    for gone in (made, {"id": "wh_never"}):
        assert_problem(api("GET", path(gone, "secrets")), 404)
        assert_problem(api("POST", path(gone)), 404)
