"""/api/webhooks/{id}/rotate-secret and …/secrets: up to ten alive, each shown once, none ever again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.cli import ogel
from tests.support.contract import all_pages
from tests.support.process import Client, Ogel
from tests.support.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def hook(api: Client, **wanted: Any) -> Any:
    return api.ok("POST", "/api/webhooks", {"url": "http://127.0.0.1:1/", "events": ["no.one"], **wanted})


def path(hook: Any, action: str = "rotate-secret") -> str:
    return f"/api/webhooks/{hook['id']}/{action}"


def secrets(api: Client, hook: Any) -> list[Any]:
    page = api.ok("GET", path(hook, "secrets"))
    assert page["next"] is None
    return list(page["items"])


def test_a_rotation_is_on_record_and_its_secret_nowhere(suite: Ogel, receiver: Receiver) -> None:
    api = suite.api
    made = hook(api, url=receiver.url(), events=["kept.*"])
    shown = [
        api.ok("POST", path(made), {"signing": "v1a"}),
        api.ok("POST", path(made), {"signing": "v1", "overlap_seconds": 60}),
    ]
    api.ok("POST", "/api/events", {"type": "kept.safe", "data": 0})
    receiver.wait_for_count(1)
    records = all_pages(api, "/api/audit-logs", 10, resource_id=made["id"])
    assert [record["action"] for record in records] == ["webhook.rotate_secret"] * 2 + ["webhook.create"]
    assert records[0]["metadata"] == {"secret": shown[1]["secret_id"], "signing": "v1", "overlap_seconds": 60}

    lists = ("/api/webhooks", "/api/audit-logs", "/api/deliveries", "/api/jobs", "/api/events")
    seen = [json.dumps(all_pages(api, each, 100)) for each in lists]
    seen += [json.dumps(secrets(api, made)), suite.log_text()]
    for secret in (made["secret"], *(each["secret"] for each in shown)):
        bare = secret.partition("_")[2]
        assert all(bare not in text and bare[:40] not in text for text in seen)


def test_reading_needs_less_than_rotating(suite: Ogel, suite_servers: dict[str, str]) -> None:
    made = hook(suite.api)
    key = json.loads(ogel("keys", "create", "ci", "--scope", "webhooks:read", "--json", **suite_servers).out)[
        "key"
    ]
    assert suite.api("GET", path(made, "secrets"), key=key).status == 200
    assert suite.api("POST", path(made), key=key).status == 403
