"""Errors that come in place of a recorded answer, in the shape that the request asks for."""

from __future__ import annotations

from dataclasses import dataclass

from tests.golden.gotrue.transcript import Json, Line


@dataclass(frozen=True)
class Refused:
    """In place of the whole answer: an error."""

    status: int
    code: str
    text: str = "<any>"

    def answer(self, line: Line) -> Json:
        headers = {"Content-Type": "application/json", "X-Sb-Error-Code": self.code}
        body: Json = {"code": self.status, "error_code": self.code, "msg": self.text}
        if self.status == 429:
            headers["Retry-After"] = "<any>"
        if is_newer(line):
            headers["X-Supabase-Api-Version"] = "2024-01-01"
            body = {"code": self.code, "message": self.text}
        return {"status": self.status, "headers": headers, "body": body, "mails": [], "decoded": {}}


def is_newer(line: Line) -> bool:
    """Whether the request asks for errors of the newer shape."""
    headers = {name.lower(): text for name, text in line.request.get("headers", {}).items()}
    return headers.get("x-supabase-api-version", "") in ("2024-01-01", "2030-01-01")
