"""schemathesis makes requests from /openapi.json, valid ones and not: none may be answered with a 5xx."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode

from tests.support.carriers import Carriers
from tests.support.outside import register
from tests.support.process import ADMIN_KEY, Client, Ogel

EXAMPLES = 8
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


@pytest.fixture(scope="module")
def ogel(suite_servers: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ogel]:
    """Without workers: nothing goes out to the URLs that are made up here, and jobs stay to be looked at."""
    log = tmp_path_factory.mktemp("suite") / "ogel.log"
    nowhere = Carriers.environment_at("http://127.0.0.1:1")
    with Ogel("api", log=log, **suite_servers, **nowhere) as ogel:
        yield ogel


def rows(api: Client, database_url: str) -> dict[str, str]:
    """An id of each kind that exists, by the start of the paths it belongs to."""
    hook = api.ok("POST", "/api/webhooks", {"url": "http://127.0.0.1:1/", "events": ["fuzz.it"]})
    event = api.ok("POST", "/api/events", {"type": "fuzz.it", "data": {"a": [1]}})
    [delivery] = api.ok("GET", f"/api/deliveries?event={event['id']}&webhook={hook['id']}")["items"]
    mail = {"to": "a@example.com", "from": "b@example.com", "subject": "s", "text": "t"}
    [letter] = api.ok("POST", "/api/mail", mail)["items"]
    api.ok("POST", "/api/mail/suppressions", {"address": "out@example.com"})
    [job] = api.ok("GET", "/api/jobs?queue=webhooks&limit=1")["items"]
    device = api.ok("POST", "/api/devices", {"provider": "fcm", "token": "fuzz"})
    wanted = {"channel": "push", "to": device["id"], "title": "a", "body": "b"}
    [message] = api.ok("POST", "/api/messages", wanted)["items"]
    # One that answers, so that questions to it come to it.
    database = register(api, url=database_url)
    schedule = {"name": "fuzzed", "cron": "0 0 1 1 *", "event": {"type": "fuzz.it"}}
    api("POST", "/api/schedules", schedule)
    return {
        "/api/databases/": database["id"],
        "/api/webhooks/": hook["id"],
        "/api/events/": event["id"],
        "/api/deliveries/": delivery["id"],
        "/api/jobs/": job["id"],
        "/api/mail/suppressions/": "out@example.com",
        "/api/mail/": letter["id"],
        "/api/cleanup/": "events",
        "/api/devices/": device["id"],
        "/api/messages/": message["id"],
        "/api/schedules/": "fuzzed",
    }


def test_no_request_makes_a_server_error(ogel: Ogel, suite_servers: dict[str, str]) -> None:
    schema = schemathesis.openapi.from_dict(ogel.api.ok("GET", "/openapi.json"))
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > 20
    calls = 0
    with requests.Session() as session:
        session.headers["authorization"] = f"Bearer {ADMIN_KEY}"
        for operation in operations:
            known = rows(ogel.api, suite_servers["DATABASE_URL"])
            mine = [id for start, id in known.items() if operation.path.startswith(start)]
            calls += attack(operation, mine, session, f"http://127.0.0.1:{ogel.port}")
    assert calls > len(operations) * EXAMPLES
    assert '"http.error"' not in ogel.log_text()


def attack(operation: Any, known_ids: list[str], session: requests.Session, base_url: str) -> int:
    """Every other request is for a row that exists, so that it gets past the look-up."""
    calls = 0
    for mode in MODES:
        if mode is GenerationMode.NEGATIVE and not (
            operation.body or operation.query or operation.path_parameters
        ):
            continue

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
        def one(case: Case, known: bool) -> None:
            nonlocal calls
            if known and known_ids:
                case.path_parameters = dict.fromkeys(case.path_parameters, known_ids[0])
            response = case.call(base_url=base_url, session=session, timeout=30)
            calls += 1
            assert response.status_code < 500, f"{case.as_curl_command()}\n{response.content!r}"

        one()
    return calls
