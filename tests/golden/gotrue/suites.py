"""Ogel in a recorded server's place: a profile's settings, a database of its own, and what its mail queue holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any, Protocol
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import psycopg
from starlette.types import ASGIApp, Receive, Scope, Send

from ogel.features.accounts.passwords import hasher
from ogel.features.mail.sealed import unseal
from tests.conftest import Servers, migrated
from tests.golden.gotrue.forged import admin_token
from tests.golden.gotrue.profiles import PROFILES
from tests.golden.gotrue.transcript import Json
from tests.support.process import ADMIN_KEY, Client, eventually
from tests.support.world import World

Connection = psycopg.Connection[tuple[Any, ...]]
# What the recorded sink called the mails of our templates.
KINDS = {
    "verify_email": "confirmation",
    "magic_link": "magic_link",
    "reset_password": "recovery",
    "invitation": "invite",
    "email_change": "email_change",
    "reauthentication": "reauthentication",
}
_TEXT = "{{ code | default('') }}\n{{ url | default('') }}"


class _OnDatabase:
    """`world` answers requests: in this process, or over HTTP."""

    def __init__(self, world: Client, connection: Connection) -> None:
        self.world = world
        self._connection = connection

    def sql(self, statements: str) -> None:
        self._connection.execute(statements)


class GoldenSuite(_OnDatabase):
    """In this process. Nothing sends its mail, which is read where it waits."""

    def __init__(self, world: World, connection: Connection) -> None:
        super().__init__(world, connection)
        self._vault = world.platform.core.vault
        self._last = ""

    def keys(self) -> Mapping[str, str]:
        """Those of the Supabase project that people come from: tokens under its secret."""
        return {"<service_role>": admin_token("service_role"), "<anon_key>": admin_token("anon")}

    def mails(self, count: int | None = None) -> list[Json]:
        rows = self._connection.execute(
            "SELECT m.id, m.recipient, r.id, r.template, r.sealed"
            " FROM ogel.mail_messages AS m JOIN ogel.mail_requests AS r ON r.id = m.request_id"
            " WHERE m.id > %s ORDER BY m.id",
            [self._last],
        ).fetchall()
        if rows:
            self._last = rows[-1][0]
        return [
            _mail(template, to, unseal(self._vault, request, sealed)[1] or "")
            for _, to, request, template, sealed in rows
        ]


class RunningSuite(_OnDatabase):
    """A process, whose mail is in the outbox of its data directory."""

    def __init__(self, api: Client, connection: Connection, outbox: Path) -> None:
        super().__init__(api, connection)
        self._outbox = outbox
        self._read: set[str] = set()
        self._keys: dict[str, str] = {}

    def keys(self) -> Mapping[str, str]:
        """Ogel's own."""
        if not self._keys:
            made = self.world.ok("POST", "/api/keys", {"name": "golden", "kind": "publishable"})
            self._keys = {"<service_role>": ADMIN_KEY, "<anon_key>": made["key"]}
        return self._keys

    def mails(self, count: int | None = None) -> list[Json]:
        """Waits until there are `count`."""
        new = eventually(lambda: self._new(count), 10, f"{count} mails") if count else self._new(None)
        self._read |= {path.name for path in new or ()}
        letters = [message_from_bytes(path.read_bytes(), policy=default) for path in new or ()]
        return [_mail(str(each["subject"]), str(each["to"]), each.get_content()) for each in letters]

    def _new(self, count: int | None) -> list[Path] | None:
        new = [path for path in sorted(self._outbox.glob("*.eml")) if path.name not in self._read]
        return new if count is None or len(new) >= count else None


def _behind_a_proxy(app: ASGIApp) -> ASGIApp:
    """One whose X-Real-IP is believed: see the profile `limited`."""

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "client": ("127.0.0.1", 1)}, receive, send)

    return answered


class Mailbox(Protocol):
    def mails(self, count: int | None = None) -> list[Json]: ...


def _mail(template: str, to: str, text: str) -> Json:
    """As the recorded sink told it."""
    code, *links = text.split()
    mail: Json = {"kind": KINDS[template], "to": [to], "token": code}
    for link in links:
        mail |= {"confirmation_url": link, "token_hash": parse_qs(urlsplit(link).query)["token"][0]}
    return mail


@contextmanager
def golden_suite(
    profile: str, servers: Servers, template: str, redis_url: str, directory: Path, **environment: str
) -> Iterator[GoldenSuite]:
    write_templates(directory)
    settings = {**PROFILES[profile], "OGEL_MAIL_TEMPLATES": str(directory), **environment}
    with (
        mock.patch.multiple(hasher, ROUNDS=1, MEMORY_KIB=8),  # passwords here protect nobody
        migrated(servers, template) as url,
        World(DATABASE_URL=url, REDIS_URL=redis_url, **settings) as world,
        connected(url) as connection,
    ):
        if profile == "limited":
            world._app = _behind_a_proxy(world._app)
        yield GoldenSuite(world, connection)


def connected(url: str) -> Connection:
    """Ours are the first tables that a name is looked for in."""
    return psycopg.connect(url, autocommit=True, options="-c search_path=auth,ogel")


def write_templates(directory: Path) -> None:
    """That say what is in a mail and nothing else."""
    (directory / "en").mkdir(parents=True, exist_ok=True)
    for name in KINDS:
        (directory / "en" / f"{name}.subject.jinja").write_text(name)
        (directory / "en" / f"{name}.txt.jinja").write_text(_TEXT)
