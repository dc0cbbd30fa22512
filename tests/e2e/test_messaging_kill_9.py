"""A worker dies while a provider has its request: another sends the message, and the log says what is not known."""

from __future__ import annotations

from pathlib import Path

from tests.support.carriers import TWILIO_PATH, Carriers
from tests.support.process import Ogel, eventually
from tests.support.receiver import Answer


def test_a_dead_worker_loses_no_message(database_url: str, redis_url: str, tmp_path: Path) -> None:
    with Carriers() as carriers:
        carriers.script(TWILIO_PATH, Answer(201, after_seconds=60))
        servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
        environment = {**servers, **carriers.environment, "OGEL_LEASE_SECONDS": "1.5"}
        worker = Ogel("worker", "messaging", log=tmp_path / "worker.log", **environment)
        with Ogel("api", log=tmp_path / "api.log", **environment) as ogel, worker:
            wanted = {"channel": "sms", "to": "+4915112345678", "text": "hello"}
            [item] = ogel.api.ok("POST", "/api/messages", wanted)["items"]
            carriers.wait_for(TWILIO_PATH)
            worker.kill()
            worker.start()
            message = eventually(
                lambda: (
                    (found := ogel.api.ok("GET", f"/api/messages/{item['id']}"))["status"] == "sent" and found
                ),
                20,
                "another attempt",
            )
        lost, sent = message["log"]
        assert (lost["outcome"], lost["provider"], lost["duration_seconds"]) == ("unknown", None, None)
        assert (sent["outcome"], sent["provider"], message["attempts"]) == ("sent", "twilio", 2)
        assert len(carriers.requests(TWILIO_PATH)) == 2
