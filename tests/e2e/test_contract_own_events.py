"""Nobody but Ogel publishes the types of Ogel's own events, through whichever door; everybody may listen to them."""

from __future__ import annotations

from tests.support.cli import ogel
from tests.support.process import ADMIN_KEY, SECRET, Ogel

SOME = "webhook.endpoint.disabled"
YEARLY = "0 0 1 1 *"


def test_the_command_line_is_a_door_too(suite_servers: dict[str, str]) -> None:
    secrets = {"OGEL_ADMIN_KEY": ADMIN_KEY, "OGEL_SECRET": SECRET}
    refused = ogel("schedules", "create", "forged", YEARLY, "--event", SOME, **suite_servers, **secrets)
    assert refused.code == 2
    assert SOME in refused.err and "Traceback" not in refused.err


def test_ogel_itself_still_does(suite: Ogel) -> None:
    sent = suite.api.ok("POST", "/api/test-webhook")
    assert suite.api.ok("GET", f"/api/events/{sent['id']}")["type"] == "webhook.test"
