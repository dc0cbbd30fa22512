"""schemathesis makes requests from /openapi.json, valid ones and not: none may be answered with a 5xx."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar
from uuid import uuid4

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode

from tests.support.carriers import Carriers
from tests.support.outside import register
from tests.support.process import ADMIN_KEY, Client, Ogel

FEW, MANY = 2, 40
# Side by side, so that no process of the suite is left alone with all operations.
SHARES = 4
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


@pytest.fixture(scope="module")
def ogel(suite_servers: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ogel]:
    """Without workers: nothing goes out to the URLs that are made up here, and jobs stay to be looked at."""
    log = tmp_path_factory.mktemp("suite") / "ogel.log"
    nowhere = Carriers.environment_at("http://127.0.0.1:1")
    with Ogel("api", log=log, **suite_servers, **nowhere) as ogel:
        yield ogel


class Rows:
    """Makes what the paths of `BY_PATH` are about; each returns an id that exists."""

    def __init__(self, api: Client, database_url: str) -> None:
        self._api = api
        self._database_url = database_url

    def of(self, path: str) -> str | None:
        starts = [start for start in self.BY_PATH if path.startswith(start)]
        return self.BY_PATH[max(starts, key=len)](self) if starts else None

    def webhook(self) -> str:
        return self._new("/api/webhooks", {"url": "http://127.0.0.1:1/", "events": ["fuzz.it"]})

    def event(self) -> str:
        return self._new("/api/events", {"type": "fuzz.it", "data": {"a": [1]}})

    def delivery(self) -> str:
        webhook, event = self.webhook(), self.event()
        return self._first(f"/api/deliveries?event={event}&webhook={webhook}")

    def job(self) -> str:
        self.delivery()
        return self._first("/api/jobs?queue=webhooks&limit=1")

    def letter(self) -> str:
        mail = {"to": "a@example.com", "from": "b@example.com", "subject": "s", "text": "t"}
        return str(self._api.ok("POST", "/api/mail", mail)["items"][0]["id"])

    def suppression(self) -> str:
        self._api.ok("POST", "/api/mail/suppressions", {"address": "out@example.com"})
        return "out@example.com"

    def device(self) -> str:
        return self._new("/api/devices", {"provider": "fcm", "token": "fuzz"})

    def message(self) -> str:
        wanted = {"channel": "push", "to": self.device(), "title": "a", "body": "b"}
        return str(self._api.ok("POST", "/api/messages", wanted)["items"][0]["id"])

    def database(self) -> str:
        """One that answers, so that questions to it come to it."""
        return str(register(self._api, url=self._database_url)["id"])

    def schedule(self) -> str:
        self._api("POST", "/api/schedules", {"name": "fuzzed", "cron": "0 0 1 1 *", "event": {"type": "a.b"}})
        return "fuzzed"

    def user(self) -> str:
        return self._new("/api/users", {"email": f"{uuid4()}@example.com"})

    def team(self) -> str:
        return self._new("/api/teams", {"name": "fuzzed", "owner": self.user()})

    def _new(self, path: str, body: Any) -> str:
        return str(self._api.ok("POST", path, body)["id"])

    def _first(self, path: str) -> str:
        return str(self._api.ok("GET", path)["items"][0]["id"])

    BY_PATH: ClassVar[Mapping[str, Callable[[Rows], str]]] = {
        "/api/databases/": database,
        "/api/webhooks/": webhook,
        "/api/events/": event,
        "/api/deliveries/": delivery,
        "/api/jobs/": job,
        "/api/mail/suppressions/": suppression,
        "/api/mail/": letter,
        "/api/cleanup/": lambda _: "events",
        "/api/devices/": device,
        "/api/messages/": message,
        "/api/schedules/": schedule,
        "/api/teams/": team,
        "/api/users/": user,
    }


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize(
    "examples", [FEW, pytest.param(MANY, marks=[pytest.mark.long, pytest.mark.timeout(1200)])]
)
def test_no_request_makes_a_server_error(
    ogel: Ogel, suite_servers: dict[str, str], examples: int, share: int
) -> None:
    schema = schemathesis.openapi.from_dict(ogel.api.ok("GET", "/openapi.json"))
    operations = [result.ok() for result in schema.get_all_operations()][share::SHARES]
    assert len(operations) > 20
    calls = 0
    with requests.Session() as session:
        session.headers["authorization"] = f"Bearer {ADMIN_KEY}"
        rows = Rows(ogel.api, suite_servers["DATABASE_URL"])
        for operation in operations:
            known = rows.of(operation.path)
            calls += attack(operation, examples, known, session, f"http://127.0.0.1:{ogel.port}")
    assert calls > len(operations) * examples
    assert '"http.error"' not in ogel.log_text()


def attack(
    operation: Any, examples: int, known_id: str | None, session: requests.Session, base_url: str
) -> int:
    """Every other request is for a row that exists, so that it gets past the look-up."""
    calls = 0
    for mode in MODES:
        if mode is GenerationMode.NEGATIVE and not (
            operation.body or operation.query or operation.path_parameters
        ):
            continue

        @settings(
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
        def one(case: Case, known: bool) -> None:
            nonlocal calls
            if known and known_id:
                case.path_parameters = dict.fromkeys(case.path_parameters, known_id)
            response = case.call(base_url=base_url, session=session, timeout=30)
            calls += 1
            assert response.status_code < 500, f"{case.as_curl_command()}\n{response.content!r}"

        one()
    return calls
