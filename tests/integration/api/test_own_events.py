"""Types of events that are Ogel's own: no door takes them from others."""

from __future__ import annotations

from typing import Any

import pytest

from ogel.platform.platform import Platform
from ogel.settings import NOWHERE
from tests.support.contract import assert_problem
from tests.support.process import Client

OWN = sorted(type for feature in Platform(NOWHERE).features.all() for type in feature.events)


SOME = "webhook.endpoint.disabled"


YEARLY = "0 0 1 1 *"


LOOKALIKES = [
    f" {SOME}", f"{SOME} ", f"{SOME}\n", f"{SOME}.", f".{SOME}", f"{SOME}\x00", f"{SOME}\u200b", f"\ufeff{SOME}",
    "w\u0435bhook.endpoint.disabled", "\uff57ebhook.endpoint.disabled", "webhook\u2024endpoint\u2024disabled",
    "webhook..endpoint.disabled", "webhook. endpoint.disabled",
]  # fmt: skip


def event(type: str) -> dict[str, Any]:
    return {"type": type, "data": {}}


@pytest.mark.parametrize("type", OWN)
def test_no_door_takes_a_type_of_ours(api: Client, type: str) -> None:
    for written in (type, type.upper(), type.title()):
        assert_problem(api("POST", "/api/events", event(written)), 422, "body.type")
        batch = [event("order.paid"), event(written)]
        assert_problem(api("POST", "/api/events", batch), 422, "body[1].type")
        new = {"name": "forged", "cron": YEARLY, "event": event(written)}
        assert_problem(api("POST", "/api/schedules", new), 422, "body.event.type")
    api.ok("POST", "/api/webhooks", {"url": "http://127.0.0.1:1/", "events": [type, f"{type}*"]})
    assert api.ok("GET", f"/api/events?type={type}")["items"] == []


@pytest.mark.parametrize("type", LOOKALIKES, ids=ascii)
def test_what_looks_like_one_is_no_type(api: Client, type: str) -> None:
    assert_problem(api("POST", "/api/events", event(type)), 422, "body.type")


def test_what_only_begins_like_one_is_anybodys(api: Client) -> None:
    for type in (
        f"{SOME}.twice",
        f"my.{SOME}",
        "webhook.endpoint",
        "webhook.received",
        "mail.opened",
        "platform.x",
    ):
        assert api("POST", "/api/events", event(type)).status == 202


def test_a_schedule_is_not_changed_to_one(api: Client) -> None:
    api.ok("POST", "/api/schedules", {"name": "honest", "cron": YEARLY, "event": event("order.due")})
    refused = api("PATCH", "/api/schedules/honest", {"event": event("Mail.Sent")})
    assert_problem(refused, 422, "body.event.type")
    assert api.ok("GET", "/api/schedules/honest")["event"]["type"] == "order.due"
