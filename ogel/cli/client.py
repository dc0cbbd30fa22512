"""The client of operators' commands: one request of the API after the other, over HTTP or in this process."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import urlencode

import click
import msgspec

from ogel import interrupts
from ogel.cli.profiles import Remote, in_use, named
from ogel.kernel.clock import rfc3339, utc_now
from ogel.kernel.errors import (
    Conflict,
    FieldError,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    OgelError,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from ogel.runtime.http.pagination import encode_cursor
from ogel.runtime.log.terminal import printable

if TYPE_CHECKING:
    from ogel.settings import Settings

Value = TypeVar("Value")
Query = Mapping[str, object]
NOTHING: Query = MappingProxyType({})
NO_HEADERS: Mapping[str, str] = MappingProxyType({})

TIMEOUT_SECONDS = 60.0
# An answer that is longer is no answer of the API's.
MOST_BYTES = 64 * 1024 * 1024
PAGE = 100  # as many as the API gives at once
# Of a server that asks to be left alone for longer, the operator is told instead.
MOST_WAITS, MOST_WAIT_SECONDS = 5, 60.0
_SHOWN_CHARACTERS = 200
_ERRORS: Mapping[int, type[OgelError]] = {
    kind.status: kind
    for kind in (
        Malformed, Unauthenticated, Forbidden, NotFound, Conflict, TooLarge, Invalid, RateLimited, Unavailable
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """`headers` by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def as_(self, kind: type[Value]) -> Value:
        """Its JSON. Raises OgelError when it is not what this version of Ogel would have answered."""
        return decoded(self.body, kind)


@dataclass(frozen=True, slots=True)
class Streamed:
    """An answer whose body is read once, as it comes. `headers` by lower-case name."""

    status: int
    headers: Mapping[str, str]
    pieces: Iterator[bytes]

    def whole(self) -> Answer:
        """Raises OgelError when it is longer than answers are."""
        pieces, size = [], 0
        for piece in self.pieces:
            size += len(piece)
            if size > MOST_BYTES:
                raise OgelError(f"the answer has more than {MOST_BYTES >> 20} MiB")
            pieces.append(piece)
        return Answer(self.status, self.headers, b"".join(pieces))


class Transport(Protocol):
    """`where`: who answers, for people."""

    where: str

    def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None, seconds: float
    ) -> Answer:
        """
        `target` is a path with its query, percent-encoded. Raises Unavailable when nobody answers within so many
        seconds, or not in HTTP.
        """

    def stream(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: Iterable[bytes] | None,
        seconds: float,
    ) -> AbstractContextManager[Streamed]:
        """
        Likewise, of any size: `body` is taken as fast as it is read there. So many seconds may pass without a byte.
        What is not read is given up. Raises what `send` raises, also while it is read.
        """


@dataclass(frozen=True, slots=True)
class Listed:
    """A list's items as they came, as many as were asked for; `next`: the cursor of those behind them."""

    items: Sequence[msgspec.Raw]
    next: str | None = None

    def as_(self, kind: type[Value]) -> list[Value]:
        return [decoded(item, kind) for item in self.items]


class Client:
    """`settings`: those of this machine, if it is this process that answers."""

    def __init__(self, transport: Transport, settings: Settings | None = None) -> None:
        self._transport = transport
        self.settings = settings

    @property
    def where(self) -> str:
        return self._transport.where

    def request(
        self,
        method: str,
        path: str,
        query: Query = NOTHING,
        body: object = None,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> Answer:
        """
        The answer of success. Raises the OgelError that the API would have raised in this process, with its fields,
        and what Transport.send raises.
        """
        answer = self.send(method, path, query, body, headers=headers, timeout_seconds=timeout_seconds)
        if not answer.ok:
            raise error_of(answer, self.where)
        if answer.body and answer.media_type not in (
            "application/json",
            "application/x-ndjson",
            "text/plain",
        ):
            raise OgelError(f"{_strange(answer, self.where)}: is this the address of an Ogel?")
        return answer

    def send(
        self,
        method: str,
        path: str,
        query: Query = NOTHING,
        body: object = None,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> Answer:
        """
        Whatever is answered. `path` is percent-encoded; of `query`, None is left out, and several values are one
        with commas. `body`: bytes as they are, anything else as JSON, None for none. A server that is asked too often
        is asked again when it says so.
        """
        target = path + _query_string(query)
        content = body if body is None or isinstance(body, bytes) else encoded(body)
        sent = {**({} if content is None else {"content-type": "application/json"}), **headers}
        for _ in range(MOST_WAITS):
            answer = self._transport.send(method, target, sent, content, timeout_seconds)
            seconds = _asked_to_wait(answer)
            if seconds is None or seconds > MOST_WAIT_SECONDS:
                return answer
            click.echo(f"{self.where} asks to wait {seconds:.0f} s …", err=True)
            time.sleep(seconds)
        return self._transport.send(method, target, sent, content, timeout_seconds)

    @contextmanager
    def streamed(
        self,
        method: str,
        path: str,
        query: Query = NOTHING,
        *,
        body: Iterable[bytes] | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> Iterator[Streamed]:
        """
        The answer of success, of any size. `body` goes in chunks, or as long as a `content-length` among `headers`
        says. `timeout_seconds` may pass without a byte. Raises what `request` raises; nothing is asked twice.
        """
        target = path + _query_string(query)
        with self._transport.stream(method, target, headers, body, timeout_seconds) as answer:
            if not 200 <= answer.status < 300:
                raise error_of(answer.whole(), self.where)
            yield answer

    def whole(self, path: str, query: Query = NOTHING) -> Listed:
        """A list that has one page."""
        return Listed(self.request("GET", path, query).as_(_Page).items)

    def listed(
        self,
        path: str,
        limit: int,
        after: str | None = None,
        query: Query = NOTHING,
        cursor: str | None = None,
    ) -> Listed:
        """Up to `limit` items of all pages, from behind the item whose place is `after`, or behind a `cursor`."""
        items: list[msgspec.Raw] = []
        cursor = cursor if after is None else encode_cursor(after)
        while True:
            wanted = {**query, "limit": min(PAGE, limit - len(items)), "after": cursor}
            page = self.request("GET", path, wanted).as_(_Page)
            items += page.items
            cursor = page.next
            if cursor is None or len(items) >= limit or not page.items:
                return Listed(items, cursor)


class _Page(msgspec.Struct):
    items: list[msgspec.Raw]
    next: str | None = None


class _Problem(msgspec.Struct):
    type: str
    detail: str
    status: int
    errors: list[_Field] = []


class _StorageError(msgspec.Struct, rename="camel"):
    """As storage answers in the words of Supabase's."""

    status_code: str
    message: str
    code: str


class _Field(msgspec.Struct):
    path: str
    message: str


@contextmanager
def connected(profile: str | None = None, seals: bool = False) -> Iterator[Client]:
    """
    To the suite that `profile` or OGEL_URL names, that of the database in the settings, of the profile in use, or the
    `ogel up` beside us, in this order. Raises ConfigError when there is none, or when what is asked of it `seals`, or
    needs what is sealed, and this process would have to without OGEL_SECRET.
    """
    remote = chosen(profile)
    if remote is not None:
        with over_http(remote) as client:
            yield client
        return
    from ogel.cli.process import settings_beside
    from ogel.settings import require_secret

    settings = settings_beside()
    if seals:
        require_secret(settings)
    with in_process(settings) as client:
        yield client


def chosen(profile: str | None = None) -> Remote | None:
    """None: what is asked is answered in this process."""
    if remote := named(profile):
        return remote
    from ogel.cli.process import settings_of_environment

    return in_use() if settings_of_environment().database_url is None else None


@contextmanager
def over_http(remote: Remote) -> Iterator[Client]:
    from ogel.cli.over_http import OverHttp

    interrupts.raise_again()
    with OverHttp(remote.url, remote.key) as transport:
        yield Client(transport)


@contextmanager
def in_process(settings: Settings) -> Iterator[Client]:
    from ogel.cli.in_process import InProcess

    interrupts.raise_again()
    with InProcess(settings) as transport:
        yield Client(transport, settings)


def error_of(answer: Answer, where: str) -> OgelError:
    """As the API raised it; from others that answered in its place, what they said."""
    kind = _ERRORS.get(answer.status, OgelError)
    retry_after = _retry_after(answer)
    seconds = None if retry_after is None else int(retry_after)
    if answer.media_type == "application/problem+json":
        try:
            problem = msgspec.json.decode(answer.body, type=_Problem)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        else:
            fields = tuple(FieldError(each.path, each.message) for each in problem.errors)
            return kind(problem.detail, errors=fields, retry_after_seconds=seconds)
    if (said := _of_storage(answer)) is not None:
        return kind(said, retry_after_seconds=seconds)
    if 300 <= answer.status < 400:
        place = answer.headers.get("location", "elsewhere").partition("?")[0]
        return OgelError(f"{where} sends us to {place}: if that is your Ogel, name that address")
    # That somebody else has no such path says nothing about an id.
    kind = OgelError if kind in (NotFound, Conflict) else kind
    return kind(f"{_strange(answer, where)}: {_beginning(answer)}", retry_after_seconds=seconds)


def _of_storage(answer: Answer) -> str | None:
    if answer.media_type != "application/json":
        return None
    try:
        return msgspec.json.decode(answer.body, type=_StorageError).message
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def decoded(content: bytes | msgspec.Raw, kind: type[Value]) -> Value:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        from ogel import __version__

        raise OgelError(
            f"the answer is not what Ogel {__version__} answers ({error}): is it another version?"
        ) from error


def encoded(value: object) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        raise click.UsageError("what is sent must be valid Unicode text") from None


def _query_string(query: Query) -> str:
    pairs = [(name, _text(value)) for name, value in query.items() if value is not None and value != ()]
    return f"?{urlencode(pairs)}" if pairs else ""


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return rfc3339(value)
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _asked_to_wait(answer: Answer) -> float | None:
    """Seconds, of an answer that says to come again; None of all others."""
    return _retry_after(answer) if answer.status == RateLimited.status else None


def _retry_after(answer: Answer) -> float | None:
    """Its header in seconds, which may be a number or a date (RFC 9110 §10.2.3)."""
    value = answer.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, (parsedate_to_datetime(value) - utc_now()).total_seconds())
    except (ValueError, TypeError):  # TypeError: a date without an offset
        return None


def _strange(answer: Answer, where: str) -> str:
    kind = f" with {printable(answer.media_type)}" if answer.media_type else ""
    return f"{where} answered {answer.status}{kind}, not as Ogel does"


def _beginning(answer: Answer) -> str:
    """Of a body that others wrote; pages for people say nothing on a terminal."""
    if not answer.body or answer.media_type == "text/html":
        return "is this the address of an Ogel?"
    text = answer.body[: 4 * _SHOWN_CHARACTERS].decode("utf-8", "replace")
    return printable(" ".join(text.split())[:_SHOWN_CHARACTERS])
