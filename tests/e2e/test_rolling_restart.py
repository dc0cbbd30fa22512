"""A deployment replaces one API process by the next while events keep being published: none of it is to be noticed."""

from __future__ import annotations

import http.client
import json
import threading
from collections import Counter
from pathlib import Path

import pytest

from tests.support.balancer import Balancer
from tests.support.process import ADMIN_KEY, Ogel, eventually

EACH = 20


class Publisher(threading.Thread):
    """
    Publishes without a pause until told to stop, on a connection for each event or on one for as long as the server
    keeps it.
    """

    def __init__(self, port: int, name: str, keeps: bool) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._label = name
        self._keeps = keeps
        self._ended = threading.Event()
        self.answers: Counter[str] = Counter()

    @property
    def accepted(self) -> int:
        return self.answers["202"]

    def run(self) -> None:
        connection = None
        while not self._ended.is_set():
            connection = connection or http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
            try:
                stays = self._publish(connection) and self._keeps
            except (OSError, http.client.HTTPException) as error:
                self.answers[repr(error)] += 1
                stays = False
            if not stays:
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def end(self) -> None:
        self._ended.set()
        self.join(30)

    def _publish(self, connection: http.client.HTTPConnection) -> bool:
        """True when the server means to keep the connection."""
        event = {"id": f"{self._label}-{self.answers.total()}", "type": "order.created", "data": {}}
        headers = {"authorization": f"Bearer {ADMIN_KEY}", "content-type": "application/json"}
        connection.request("POST", "/api/events", body=json.dumps(event), headers=headers)
        response = connection.getresponse()
        response.read()
        self.answers[str(response.status)] += 1
        return not response.will_close


@pytest.mark.parametrize("replacements", [1, pytest.param(4, marks=pytest.mark.long)])
def test_nothing_is_refused_or_cut_while_processes_replace_each_other(
    tmp_path: Path, database_url: str, redis_url: str, replacements: int
) -> None:
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    old, new = (Ogel("api", log=tmp_path / f"{name}.log", **servers) for name in ("one", "other"))
    old.start()
    with Balancer([old.port, new.port]) as balancer:
        publishers = [Publisher(balancer.port, f"p{n}", keeps=n % 2 == 0) for n in range(4)]
        for publisher in publishers:
            publisher.start()

        def all_go_on() -> None:
            before = [publisher.accepted for publisher in publishers]
            eventually(
                lambda: all(p.accepted >= b + EACH for p, b in zip(publishers, before, strict=True)),
                30,
                "every publisher to go on",
            )

        try:
            for _ in range(replacements):
                all_go_on()
                new.start()
                all_go_on()
                assert old.terminate() == 0
                all_go_on()
                old, new = new, old
        finally:
            for publisher in publishers:
                publisher.end()
            for each in (old, new):
                if each.process is not None:
                    each.terminate()
    answers = sum((publisher.answers for publisher in publishers), Counter())
    assert set(answers) == {"202"}, answers
