"""Somebody at their device, with a second factor if they like."""

from __future__ import annotations

import time
from base64 import b32decode
from typing import Any
from uuid import UUID

from msgspec import Struct

from ogel.features.accounts.factors.totp import PERIOD_SECONDS, code_of
from ogel.features.accounts.sessions.session import Issued
from ogel.features.accounts.users.user import User
from tests.support.people import People
from tests.support.process import Response
from tests.support.world import World

AUTH = "/auth/v1"


class Person(Struct):
    """A user with a session. Asks as their client would."""

    world: World
    user: User
    token: str
    refresh_token: str

    @property
    def id(self) -> str:
        return str(self.user.id)

    def __call__(self, method: str, path: str, body: Any = None) -> Response:
        return self.world(method, AUTH + path, body, key=self.token)

    def ok(self, method: str, path: str, body: Any = None) -> Any:
        answer = self(method, path, body)
        assert answer.status < 300, f"{method} {path}: {answer.status} {answer.raw!r}"
        return answer.json if answer.raw else None

    def refused(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """The status and the error code."""
        answer = self(method, path, body)
        assert answer.status >= 400, f"{method} {path}: {answer.status} {answer.raw!r}"
        return answer.status, answer.json["error_code"]

    def goes_on(self, session: Any) -> None:
        """With the tokens that an answer holds."""
        self.token, self.refresh_token = session["access_token"], session["refresh_token"]

    def another(self) -> Person:
        """The same user at another device."""
        return _signed_in(self.world, self.user)


class Authenticator(Struct):
    """An app that shows codes. Each is good once, so that it shows the next one when it is asked again."""

    secret: bytes
    shown: int = 0

    @classmethod
    def of(cls, enrolled: Any) -> Authenticator:
        return cls(b32decode(enrolled["totp"]["secret"]))

    def code(self) -> str:
        self.shown = max(int(time.time() // PERIOD_SECONDS), self.shown + 1)
        return code_of(self.secret, self.shown)


def somebody(world: World, **columns: Any) -> Person:
    return _signed_in(world, People(world).somebody(**columns))


def _signed_in(world: World, user: User) -> Person:
    issued: Issued = People(world).signs_in(user)
    return Person(world, user, issued.access_token, issued.refresh_token)


def by_id(world: World, id: str) -> Person:
    """A user who was made by another way."""
    people = People(world)
    user = people.within(lambda tx: people.accounts.user_store.get(tx, UUID(id)))
    assert user is not None
    return _signed_in(world, user)
