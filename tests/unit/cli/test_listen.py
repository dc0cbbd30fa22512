"""`ogel listen` goes on whatever becomes of the suite that it asks."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from ogel.cli import listen
from ogel.cli.client import Answer, Client
from ogel.kernel.errors import Forbidden, NotFound, OgelError, Unavailable

MADE = Answer(201, {}, b'{"id":"wh_2","secret":"whsec_1"}')
NOTHING = Answer(200, {}, b'{"items":[]}')


class Suite:
    """Answers in this order, and notes what it was asked."""

    def __init__(self, *answers: Answer | OgelError) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, str]] = []
        self.made: list[Any] = []

    def request(self, method: str, path: str, *_: object, body: Any = None, **__: object) -> Answer:
        self.asked.append((method, path))
        if path == "/api/webhooks":
            self.made.append(json.loads(json.dumps(body)))
        answer = self._answers.pop(0)
        if isinstance(answer, OgelError):
            raise answer
        return answer


def listener(suite: Suite) -> listen._Listener:
    return listen._Listener(cast(Client, suite), cast(Any, None), {"secret": "whsec_1"}, as_json=True)


def test_one_that_was_forgotten_is_made_anew_once_somebody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "_PAUSES", (0.0,))
    gone = NotFound("There is nothing at this path.")
    suite = Suite(gone, Unavailable("Nobody answers."), gone, MADE, Unavailable("Nobody answers."), NOTHING)
    assert listener(suite)._asked() == []
    assert [path for _, path in suite.asked[1:4]] == ["/api/webhooks"] * 3
    assert suite.asked[-1] == ("POST", "/api/webhooks/wh_2/handovers")
    assert suite.made == [{"secret": "whsec_1"}] * 3


def test_a_key_that_is_good_no_more_ends_it() -> None:
    with pytest.raises(Forbidden):
        listener(Suite(NotFound("Forgotten."), Forbidden("This key lacks the scope.")))._asked()
