"""Requests to the deployment: each within what is left of the time, each failure with its cause."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from ogel.cli.client import NO_HEADERS, NOTHING, Answer, Query, Transport, encoded, error_of
from ogel.cli.smoke.problem import Cause, Problem
from ogel.kernel.errors import Forbidden, NotFound, OgelError, RateLimited, Unauthenticated, Unavailable
from ogel.runtime.log.terminal import printable

Value = TypeVar("Value")

ANSWER_SECONDS = 5.0
LOOK_SECONDS = 0.25
_TRIES = 3
_MOST_PAGES = 40
# While one deployment takes the place of another, the edge answers so.
_PASSING = (502, 503, 504)
_PROBLEM = "application/problem+json"
_JSON = ("application/json", _PROBLEM)
_LACKS_SCOPE = "lacks the scope"


class Deadline:
    """When everything has to be over."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    @property
    def left(self) -> float:
        return max(0.0, self._at - time.monotonic())

    def within(self, seconds: float) -> Deadline:
        """So many seconds from now, and no later than this one."""
        return Deadline(min(seconds, self.left))


class _EdgeError(msgspec.Struct):
    """As Railway's edge answers in place of an application."""

    status: Literal["error"]
    code: int
    message: str


class _Page(msgspec.Struct):
    items: list[msgspec.Raw]
    next: str | None = None


class Suite:
    """The deployment, as a client elsewhere sees it."""

    def __init__(self, transport: Transport, deadline: Deadline) -> None:
        self._transport = transport
        self.deadline = deadline

    @property
    def where(self) -> str:
        return self._transport.where

    def ask(
        self,
        cause: Cause,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Query = NOTHING,
        headers: Mapping[str, str] = NO_HEADERS,
        seconds: float = ANSWER_SECONDS,
        again: bool = True,
        also: Sequence[int] = (),
    ) -> Answer:
        """
        The answer of success, or of the statuses that are `also` one. Raises Problem, with `cause` where the request
        itself is what failed. `again`: it may be made twice, and is while nobody answers.
        """
        for tries_left in reversed(range(_TRIES if again else 1)):
            try:
                return self._ask_once(cause, method, path, body, query, headers, seconds, also)
            except Problem as problem:
                if not (problem.passing and tries_left):
                    raise
            time.sleep(min(LOOK_SECONDS, self.deadline.left))
        raise AssertionError("the last try has an end")

    def read(
        self,
        cause: Cause,
        path: str,
        kind: type[Value],
        *,
        query: Query = NOTHING,
        also: Sequence[int] = (),
    ) -> Value:
        answer = self.ask(cause, "GET", path, query=query, also=also)
        return read(answer, kind, cause, self.where)

    def listed(self, cause: Cause, path: str, kind: type[Value], filters: Query = NOTHING) -> Iterator[Value]:
        """The items of a list, of its first pages."""
        query: Query = filters
        for _ in range(_MOST_PAGES):
            page = self.read(cause, path, _Page, query=query)
            for item in page.items:
                yield _decoded(item, kind, cause, self.where)
            if page.next is None:
                return
            query = {**filters, "after": page.next}

    def _ask_once(
        self,
        cause: Cause,
        method: str,
        path: str,
        body: object,
        query: Query,
        headers: Mapping[str, str],
        seconds: float,
        also: Sequence[int],
    ) -> Answer:
        target = f"{path}?{urlencode(query)}" if query else path
        content = body if body is None or isinstance(body, bytes) else encoded(body)
        kind = {} if content is None else {"content-type": "application/json"}
        while True:
            answer = self._send(method, target, {**kind, **headers}, content, seconds)
            if answer.status in also and _is_of_ogel(answer):
                return answer
            problem = _problem_of(answer, cause, self.where)
            if problem is None:
                return answer
            waits = _asked_to_wait(answer)
            if waits is None or waits >= self.deadline.left:
                raise problem
            time.sleep(max(waits, LOOK_SECONDS))

    def _send(
        self, method: str, target: str, headers: Mapping[str, str], content: bytes | None, seconds: float
    ) -> Answer:
        seconds = min(seconds, self.deadline.left)
        if seconds <= 0:
            raise Problem("time", "the time is over")
        try:
            return self._transport.send(method, target, headers, content, seconds)
        except Unavailable as error:
            raise Problem(_cause_of(error), error.message, passing=True) from error
        except OgelError as error:  # of what is no answer of an Ogel's
            raise Problem("not_ogel", error.message) from error


def read(answer: Answer, kind: type[Value], cause: Cause, where: str) -> Value:
    """The JSON of an answer."""
    return _decoded(answer.body, kind, cause, where)


def _decoded(content: bytes | msgspec.Raw, kind: type[Value], cause: Cause, where: str) -> Value:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(cause, f"{where} does not answer as Ogel does: {error}") from error


def until(deadline: Deadline, look: Callable[[], Value]) -> Value:
    """What `look` returns once it raises no Problem; its last one when the time is over."""
    while True:
        try:
            return look()
        except Problem as problem:
            if deadline.left <= LOOK_SECONDS or problem.cause in ("key", "scopes"):
                raise
        time.sleep(LOOK_SECONDS)


def _cause_of(error: BaseException) -> Cause:
    from urllib3.exceptions import SSLError

    return "tls" if isinstance(error.__cause__, SSLError) else "unreachable"


def _is_of_ogel(answer: Answer) -> bool:
    return answer.media_type in _JSON and _of_edge(answer) is None


def _problem_of(answer: Answer, cause: Cause, where: str) -> Problem | None:
    if answer.ok and answer.media_type != "text/html":
        return None
    if answer.ok:
        return Problem("not_ogel", f"{where} answers with a page for people: is this the address of an Ogel?")
    if 300 <= answer.status < 400:
        return _redirected(answer, where)
    if (said := _of_edge(answer)) is not None:
        return said
    return _of_error(error_of(answer, where), answer, cause, where)


def _redirected(answer: Answer, where: str) -> Problem:
    place = answer.headers.get("location", "elsewhere").partition("?")[0]
    if _is_only_safer(where, place):
        why = "say https://, because on the way from http:// a POST becomes a GET"
    else:
        why = "if that is your Ogel, name that address"
    return Problem("redirected", f"{where} sends us to {printable(place)}: {why}")


def _is_only_safer(here: str, there: str) -> bool:
    """Whether it is the same host, by https:// instead."""
    try:
        one, other = urlsplit(here), urlsplit(there)
        return (one.scheme, other.scheme, one.hostname) == ("http", "https", other.hostname)
    except ValueError:
        return False


def _of_edge(answer: Answer) -> Problem | None:
    """What Railway answers by itself: nothing runs behind the domain, or it does not listen where the domain leads."""
    said = f"with {answer.status}"
    try:
        said = printable(msgspec.json.decode(answer.body, type=_EdgeError).message[:200])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        if answer.headers.get("x-railway-fallback", "").lower() != "true":
            return None
    if answer.status == NotFound.status:
        why = "nothing is deployed behind this domain, or it is paused"
    else:
        why = "the process is not up, or the port of the domain is not its PORT"
    return Problem("no_application", f"Railway answers in its place ({said}): {why}", passing=True)


def _of_error(error: OgelError, answer: Answer, cause: Cause, where: str) -> Problem:
    speaks = answer.media_type == _PROBLEM
    match error:
        case Unauthenticated() if speaks:
            return Problem("key", f"{where} does not know this key: {error.message}")
        case Forbidden() if speaks:
            kind: Cause = "scopes" if _LACKS_SCOPE in error.message else "key"
            return Problem(kind, error.message)
        case RateLimited():
            return Problem("limited", error.message)
        case Unavailable() if speaks and cause == "key":  # nobody is let in: maintenance, for example
            return Problem("not_ready", error.message, passing=True)
    if answer.media_type not in _JSON:
        strange: Cause = "no_application" if answer.status in _PASSING else "not_ogel"
        return Problem(strange, error.message, passing=answer.status in _PASSING)
    return Problem(cause, error.message, passing=answer.status in _PASSING)


def _asked_to_wait(answer: Answer) -> float | None:
    """Seconds, where a number of them is asked for."""
    if answer.status != RateLimited.status:
        return None
    value = answer.headers.get("retry-after", "")
    return float(value[:9]) if value.isascii() and value.isdigit() else None
