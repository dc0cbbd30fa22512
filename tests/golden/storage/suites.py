"""The suite that transcripts are played against: in this process, with tokens that the tester makes."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import jwt
import psycopg

from ogel.cli.in_process import _Collected
from tests.support.process import Response
from tests.support.world import World

# The shared secret of the Supabase project that people come from.
LEGACY_SECRET = "golden-legacy-secret-golden-legacy-secret-golden"
ENVIRONMENT: Mapping[str, str] = {
    "OGEL_AUTH_LEGACY_JWT_SECRET": LEGACY_SECRET,
    "OGEL_STORAGE_UPLOAD_URL_SECONDS": "120",
    "OGEL_RATE_READ": "off",
    "OGEL_RATE_WRITE": "off",
    "OGEL_RATE_WRONG_KEYS": "off",
}
_SECONDS = 30.0
_HOUR = 3600
_CLEAN = """
TRUNCATE storage.objects, storage.buckets, ogel.storage_uploads, ogel.storage_quotas, ogel.s3_keys CASCADE;
DO $$
DECLARE
  item record;
BEGIN
  FOR item IN SELECT policyname, tablename FROM pg_policies WHERE schemaname = 'storage' AND policyname !~ '^ogel_' LOOP
    EXECUTE format('DROP POLICY %I ON storage.%I', item.policyname, item.tablename);
  END LOOP;
END
$$
"""
_SESSION = """
INSERT INTO auth.sessions (id, user_id, token_key, not_after) VALUES (%s, %s, '', now() + interval '1 hour')
"""


class GoldenStorage:
    """One for all transcripts; `clean` leaves it as it was when it began."""

    def __init__(self, world: World, connection: psycopg.Connection[Any]) -> None:
        self.world = world
        self._connection = connection
        # In the order in which they were when they were recorded.
        ids = sorted(str(uuid.uuid4()) for _ in range(2))
        self.users = {
            name: self._signed_up(name, id) for name, id in zip(("user1", "user2"), ids, strict=True)
        }

    def ask(
        self, method: str, target: str, headers: Mapping[str, str], content: bytes, *, chunked: bool = False
    ) -> Response:
        """Sends these headers and no others. What would be a 500 fails the test."""
        answer = self.world.run(self._ask(method, target, headers, content, chunked))
        assert answer.status < 500 or answer.status == 501, (
            f"{method} {target}: {answer.status} {answer.raw!r}"
        )
        return answer

    def sql(self, statements: str) -> list[Any]:
        """As the owner of all."""
        found = self._connection.execute(statements.encode())
        return found.fetchall() if found.description else []

    def clean(self) -> None:
        self._connection.execute(_CLEAN)

    def tokens(self) -> Mapping[str, str]:
        """By their placeholders."""
        one, two = self.users["user1"], self.users["user2"]
        expired = {**one, "exp": int(time.time()) - _HOUR}
        return {
            "<service_role>": _signed({"role": "service_role"}),
            "<anon>": _signed({"role": "anon"}),
            "<user1>": _signed(one),
            "<user2>": _signed(two),
            "<expired>": _signed(expired),
            "<wrong_secret>": _signed(one, "another-secret-" * 3),
            "<alg_none>": jwt.encode({**one, "exp": int(time.time()) + _HOUR}, None, "none"),
            "<unknown_role>": _signed({"role": "nobody_knows_it"}),
            "<no_role>": _signed({"sub": one["sub"]}),
            "<not_a_jwt>": "not-a-jwt",
            "<anything>": "anything",
            "<uuid:user1>": one["sub"],
            "<uuid:user2>": two["sub"],
        }

    def _signed_up(self, name: str, user: str) -> dict[str, str]:
        """The claims of a token."""
        session = str(uuid.uuid4())
        self.world.ok("POST", "/auth/v1/admin/users", {"id": user, "email": f"{name}@example.com"})
        self._connection.execute(_SESSION.encode(), [session, user])
        return {"sub": user, "session_id": session, "aud": "authenticated", "role": "authenticated"}

    async def _ask(
        self, method: str, target: str, headers: Mapping[str, str], content: bytes, chunked: bool
    ) -> Response:
        path, _, query = target.partition("?")
        sent = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        if chunked:
            sent.append((b"transfer-encoding", b"chunked"))
        elif content or method not in ("GET", "HEAD"):
            sent.append((b"content-length", b"%d" % len(content)))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": method,
            "path": unquote(path),
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": sent,
            "client": None,
            "server": None,
        }
        collected = _Collected(content)
        async with asyncio.timeout(_SECONDS):
            await self.world._app(scope, collected.receive, collected.send)
        answer = collected.answer()
        return Response(answer.status, answer.headers, answer.body)


def _signed(claims: Mapping[str, Any], secret: str = LEGACY_SECRET) -> str:
    now = int(time.time())
    return jwt.encode({"iat": now, "exp": now + _HOUR, **claims}, secret, "HS256")
