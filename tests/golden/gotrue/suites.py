"""Ogel in a recorded server's place: a profile's settings, a database of its own, and what its mail queue holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg

from tests.conftest import Servers, migrated
from tests.golden.gotrue.profiles import PROFILES
from tests.golden.gotrue.transcript import Json
from tests.support.process import ADMIN_KEY
from tests.support.world import World

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


class GoldenSuite:
    def __init__(self, world: World, database_url: str) -> None:
        self.world = world
        self._url = database_url
        self._last = ""
        self._keys: dict[str, str] = {}

    def keys(self) -> Mapping[str, str]:
        if not self._keys:
            made = self.world("POST", "/api/keys", {"name": "golden", "kind": "publishable"})
            self._keys = {"<service_role>": ADMIN_KEY, "<anon_key>": made.json["key"]}
        return self._keys

    def sql(self, statements: str) -> None:
        with psycopg.connect(self._url, options="-c search_path=auth,ogel") as connection:
            connection.execute(statements)

    def mails(self) -> list[Json]:
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                "SELECT m.id, m.recipient, r.id, r.template, r.sealed"
                " FROM ogel.mail_messages AS m JOIN ogel.mail_requests AS r ON r.id = m.request_id"
                " WHERE m.id > %s ORDER BY m.id",
                [self._last],
            ).fetchall()
        if rows:
            self._last = rows[-1][0]
        return [self._mail(to, request, template, sealed) for _, to, request, template, sealed in rows]

    def _mail(self, to: str, request: str, template: str, sealed: bytes) -> Json:
        from ogel.features.mail.sealed import unseal

        words = unseal(self.world.platform.core.vault, request, sealed)
        code, _, link = (words[1] or "").strip().partition("\n")
        mail: Json = {"kind": KINDS[template], "to": [to], "token": code}
        if link:
            mail |= {"confirmation_url": link, "token_hash": parse_qs(urlsplit(link).query)["token"][0]}
        return mail


@contextmanager
def golden_suite(
    profile: str, servers: Servers, template: str, redis_url: str, directory: Path, **environment: str
) -> Iterator[GoldenSuite]:
    _write_templates(directory)
    with migrated(servers, template) as url:
        settings = {**PROFILES[profile], "OGEL_MAIL_TEMPLATES": str(directory), **environment}
        with World(DATABASE_URL=url, REDIS_URL=redis_url, **settings) as world:
            yield GoldenSuite(world, url)


def _write_templates(directory: Path) -> None:
    """That say what is in a mail and nothing else."""
    (directory / "en").mkdir(parents=True, exist_ok=True)
    for name in KINDS:
        (directory / "en" / f"{name}.subject.jinja").write_text("Golden")
        (directory / "en" / f"{name}.txt.jinja").write_text(_TEXT)
