"""
What happened between the recorded lines: people who had an account already, time that passed, codes that somebody's
phone showed. Each step is taken before the line it stands beside.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, urlsplit

from tests.golden.gotrue.replay import Replay
from tests.golden.gotrue.transcript import read
from tests.support.process import Response

PASSWORD = "Correct-horse-1"
Step = Callable[[Replay], None]


def signed_up(
    email: str,
    *,
    n: int | None = None,
    user: str | None = None,
    profile: str = "confirm",
    password: str = PASSWORD,
    **data: object,
) -> Step:
    """Somebody who has confirmed; the session is `access<n>` and `r<n>`, and `user` the placeholder of their id."""

    def step(replay: Replay) -> None:
        mailbox = replay.suite(profile)
        mailbox.mails()
        body = {"email": email, "password": password, **({"data": data} if data else {})}
        answer = _asked(replay, profile, "/signup", body)
        if mails := mailbox.mails():
            code = {"type": "signup", "email": email, "token": mails[0]["token"]}
            answer = _asked(replay, profile, "/verify", code)
        _remember(replay, answer, n)
        if user is not None:
            replay.labels.bind(user, answer.json["user"]["id"])

    return step


def signed_in(email: str, n: int, r: int | None = None, *, profile: str = "confirm") -> Step:
    """`access<n>`, and `r<n>` or another."""

    def step(replay: Replay) -> None:
        body = {"email": email, "password": PASSWORD}
        _remember(replay, _asked(replay, profile, "/token", body, {"grant_type": "password"}), n, r)

    return step


def refreshed(n: int, *, profile: str = "confirm") -> Step:
    """The session of `r<n>` gets new tokens, called the same."""

    def step(replay: Replay) -> None:
        body = {"refresh_token": f"<refresh_token:r{n}>"}
        _remember(replay, _asked(replay, profile, "/token", body, {"grant_type": "refresh_token"}), n)

    return step


def made_by_admin(*emails: str, profile: str) -> Step:
    def step(replay: Replay) -> None:
        for email in emails:
            _asked(replay, profile, "/admin/users", {"email": email, "email_confirm": True}, admin=True)

    return step


def passes(what: str, *, profile: str = "confirm") -> Step:
    """SQL that makes what there is older, in place of waiting."""

    def step(replay: Replay) -> None:
        replay.suite(profile).sql(what)

    return step


def code_of_phone(placeholder: str, secret: str, steps: int = 0) -> Step:
    """What an authenticator shows (RFC 6238), now or some steps of 30 s from now."""

    def step(replay: Replay) -> None:
        key = replay.labels.value(secret)
        assert key is not None
        moment = int(time.time()) // 30 + steps
        digest = hmac.digest(
            base64.b32decode(key + "=" * (-len(key) % 8)), moment.to_bytes(8, "big"), hashlib.sha1
        )
        at = digest[-1] & 15
        number = int.from_bytes(digest[at : at + 4], "big") & 0x7FFFFFFF
        replay.labels.bind(placeholder, f"{number % 1_000_000:06}")

    return step


def verifier(number: int, challenge: str) -> Step:
    """A client's own: the challenge is made of it (RFC 7636). A library that runs has one already."""

    def step(replay: Replay) -> None:
        if replay.labels.value(challenge) is not None:
            return
        text = f"golden-code-verifier-golden-code-verifier-{number:04}"
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        replay.labels.bind(f"<secret:code_verifier{number}>", text)
        replay.labels.bind(challenge, digest)

    return step


def followed(token: str, kind: str, code: str) -> Step:
    """The link of a mail, in a browser; `code` is what the address that it leads to is given."""

    def step(replay: Replay) -> None:
        request = {"method": "GET", "path": "/verify", "query": {"token": token, "type": kind}}
        location = replay.ask("confirm", request).headers["location"]
        replay.labels.bind(code, parse_qs(urlsplit(location).query)["code"][0])

    return step


def tampered(of: str, placeholder: str) -> Step:
    def step(replay: Replay) -> None:
        token = replay.labels.value(of)
        assert token is not None
        replay.labels.bind(placeholder, token[:-8] + ("A" if token[-8] != "A" else "B") + token[-7:])

    return step


def burst(file: str, name: str) -> Step:
    """The line is asked as often as it is answered, and not more than a caller in a hurry would."""
    [line] = [each for each in read(file) if each.name == name]

    def step(replay: Replay) -> None:
        for _ in range(60):
            if replay.ask(line.profile, line.request).status == 429:
                return

    return step


def _asked(
    replay: Replay,
    profile: str,
    path: str,
    body: object,
    query: Mapping[str, str] | None = None,
    admin: bool = False,
) -> Response:
    headers = {"Authorization": "Bearer <service_role>"} if admin else {}
    request = {"method": "POST", "path": path, "query": query or {}, "headers": headers, "body": body}
    answer = replay.ask(profile, request)
    assert answer.status == 200, f"{path}: {answer.status} {answer.raw!r}"
    return answer


def _remember(replay: Replay, answer: Response, n: int | None, r: int | None = None) -> None:
    if n is not None:
        replay.labels.bind(f"<jwt:access{n}>", answer.json["access_token"])
        replay.labels.bind(f"<refresh_token:r{r or n}>", answer.json["refresh_token"])
