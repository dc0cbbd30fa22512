"""supabase-auth as PyPI has it."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import httpx
from supabase_auth import SyncGoTrueClient
from supabase_auth.errors import AuthError

from tests.golden.gotrue.clients.client import Answer, Called


class PythonClient:
    def __init__(self, url: str, anon_key: str, admin_key: str) -> None:
        self._url = url
        self._anon_key = anon_key
        self._answers: list[Answer] = []
        self._http = httpx.Client(event_hooks={"response": [self._record]}, timeout=30)
        self._clients = {
            "implicit": self._client(anon_key, "implicit"),
            "pkce": self._client(anon_key, "pkce"),
            "admin": self._client(admin_key, "implicit"),
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def sign_in(self, person: Any) -> str:
        """Returns the refresh token."""
        session = self._clients["implicit"].sign_in_with_password(person).session
        assert session is not None
        return session.refresh_token

    def refresh_elsewhere(self, refresh_token: str) -> str:
        """As another tab or process does that was given the token."""
        session = self._client(self._anon_key, "implicit").refresh_session(refresh_token).session
        assert session is not None
        return session.refresh_token

    def call(self, client: str, method: str, args: Sequence[Any]) -> Called:
        self._answers = []
        target: Any = self._clients[client]
        for part in method.split("."):
            target = getattr(target, part)
        if method == "unlink_identity":
            args = [self._clients[client].get_user_identities().identities[0]]
        try:
            result = {"data": _told(target(*args)), "error": None}
        except AuthError as error:
            result = {"data": None, "error": _described(error)}
        return Called(result, self._answers)

    def _client(self, key: str, flow: Any) -> SyncGoTrueClient:
        return SyncGoTrueClient(
            url=self._url,
            headers={"Authorization": f"Bearer {key}", "apikey": key},
            auto_refresh_token=False,
            http_client=self._http,
            flow_type=flow,
        )

    def _record(self, response: httpx.Response) -> None:
        response.read()
        path = str(response.request.url).removeprefix(self._url)
        headers = dict(response.headers)
        self._answers.append(
            Answer(response.request.method, path, response.status_code, headers, response.text)
        )


def _told(result: Any) -> Any:
    """Named as the transcripts name it: of a session and a user only whether they are there."""
    if result is None or isinstance(result, dict):
        return result if result is None else "dict"
    if isinstance(result, list):
        return [f"<{type(each).__name__}>" for each in result]
    name = type(result).__name__
    if name == "UserResponse":
        return "<UserResponse>"
    has = {part: getattr(result, part, None) is not None for part in ("user", "session")}
    return {"type": name, **has}


def _described(error: AuthError) -> dict[str, Any]:
    return {
        "name": error.name,
        "message": error.message,
        "status": getattr(error, "status", None),
        "code": error.code,
    }
