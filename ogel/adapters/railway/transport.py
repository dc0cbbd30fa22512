"""One request to Railway's API, within bounds of time, size and number, and its answer as a type."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from ogel.adapters.railway.documents import document
from ogel.adapters.railway.faults import Fault, NotAuthorized, limited, of_faults
from ogel.runtime.egress import EgressError, Exchange
from ogel.runtime.outgoing import Outgoing
from ogel.runtime.railway import RailwayError
from ogel.runtime.secrets.scrub import Scrubber

TIMEOUT_SECONDS = 30.0
# What changes something is answered when it is done, and Railway's edge gives up after a minute.
CHANGE_SECONDS = 75.0
# Five thousand lines of logs are the largest answer.
MAX_ANSWER_BYTES = 32 * 1024 * 1024
# Hobby is allowed ten requests a second.
AT_ONCE = 4
# How long a token that was answered is taken for one that Railway still knows.
GOOD_SECONDS = 60.0
_UNKNOWN = "; whether it was done is not known"
# Less than that is no second try.
_LEAST_SECONDS = 1.0
# Also of a short value: what a variable holds is not quoted.
_LEAST_CHARACTERS = 3

Data = TypeVar("Data")
# One without an offset would be compared with none that has one.
Moment = Annotated[datetime, Meta(tz=True)]


class Token(Struct, frozen=True):
    kind: Literal["project", "account"]
    value: str

    @property
    def variable(self) -> str:
        return {"project": "RAILWAY_TOKEN", "account": "RAILWAY_API_TOKEN"}[self.kind]

    @property
    def header(self) -> tuple[str, str]:
        if self.kind == "project":
            return "Project-Access-Token", self.value
        return "Authorization", f"Bearer {self.value}"


class _Envelope(Struct):
    data: Raw = Raw(b"null")
    errors: list[Fault] | None = None


class Transport:
    def __init__(self, outgoing: Outgoing, url: str, token: Token) -> None:
        self.token = token
        self._outgoing = outgoing
        self._url = url
        self._scrub = Scrubber([token.value])
        self._places = asyncio.Semaphore(AT_ONCE)
        self._limited_until = 0.0
        self._good_until = 0.0

    async def call(
        self, operation: str, variables: Mapping[str, Any], kind: type[Data], secrets: Iterable[str] = ()
    ) -> Data:
        """Sends an operation of the documents beside. `secrets` of the variables are not quoted in errors."""
        return await self.ask(document(operation), variables, kind, secrets)

    async def ask(
        self, text: str, variables: Mapping[str, Any], kind: type[Data], secrets: Iterable[str] = ()
    ) -> Data:
        """
        Variables that are None are left out: to Railway, null says something. An answer with errors is an error,
        whatever else is in it. Raises RailwayError.
        """
        scrub = Scrubber([self.token.value, *secrets], _LEAST_CHARACTERS) if secrets else self._scrub
        given = {name: value for name, value in variables.items() if value is not None}
        body = msgspec.json.encode({"query": text, "variables": given})
        try:
            data = await self._answered(body, is_read=text.startswith("query"), scrub=scrub)
        except NotAuthorized as error:
            raise await self._denied(error) from None
        self._good_until = time.monotonic() + GOOD_SECONDS
        return decoded(data, kind)

    async def _answered(self, body: bytes, *, is_read: bool, scrub: Scrubber) -> Raw:
        if (seconds := self._limited_until - time.monotonic()) > 0:
            raise RailwayError(
                "limited", f"Railway takes more requests of this token in {seconds:.0f} s", seconds
            )
        async with self._places:
            answer = await self._exchanged(body, is_read)
        try:
            return _data(answer, is_read, scrub)
        except RailwayError as error:
            if error.cause == "limited" and error.retry_seconds is not None:
                self._limited_until = time.monotonic() + error.retry_seconds
            raise

    async def _exchanged(self, body: bytes, is_read: bool) -> Exchange:
        """What only reads, and was not answered, is asked once more in the time that is left."""
        if not is_read:
            try:
                return await self._sent(body, CHANGE_SECONDS)
            except EgressError as error:
                raise away(error, _UNKNOWN) from error
        until = time.monotonic() + TIMEOUT_SECONDS
        try:
            return await self._sent(body, TIMEOUT_SECONDS)
        except EgressError as error:
            seconds = until - time.monotonic()
            if seconds < _LEAST_SECONDS:
                raise away(error) from error
        try:
            return await self._sent(body, seconds)
        except EgressError as error:
            raise away(error) from error

    async def _sent(self, body: bytes, seconds: float) -> Exchange:
        return await self._outgoing.request(
            "POST",
            self._url,
            headers=[
                ("Content-Type", "application/json"),
                ("Accept", "application/json"),
                ("User-Agent", "Ogel"),
                self.token.header,
            ],
            body=body,
            timeout_seconds=seconds,
            max_body_bytes=MAX_ANSWER_BYTES,
        )

    async def _denied(self, denial: NotAuthorized) -> RailwayError:
        """
        Railway says the same of a token that it does not know, of one that is for something else, and of what is not
        there. So a token that was not answered of late is tried on what every one of its kind may ask.
        """
        variable = self.token.variable
        try:
            if denial.certain:
                raise denial
            if time.monotonic() >= self._good_until:
                await self._probe()
        except NotAuthorized:
            return RailwayError(
                "bad_token", f"Railway does not know the token in {variable}: {denial.message}"
            )
        except RailwayError as error:
            return error
        of = "one environment's" if self.token.kind == "project" else "an account's or a workspace's"
        return RailwayError(
            "forbidden", f"not there, or not for {variable}, which is {of}; Railway says: {denial.message}"
        )

    async def _probe(self) -> None:
        text = document("ProjectToken" if self.token.kind == "project" else "ApiToken")
        await self._answered(msgspec.json.encode({"query": text}), is_read=True, scrub=self._scrub)
        self._good_until = time.monotonic() + GOOD_SECONDS


def _data(answer: Exchange, is_read: bool, scrub: Scrubber) -> Raw:
    if answer.status == 429:
        raise limited(answer)
    if answer.status >= 500:
        meaning = "" if is_read else _UNKNOWN
        raise RailwayError("away", f"Railway's API answered {answer.status}{meaning}")
    if answer.truncated:
        raise RailwayError("changed", f"Railway's answer has more than {MAX_ANSWER_BYTES >> 20} MiB")
    envelope = _envelope(answer)
    if envelope is not None and envelope.errors:
        raise of_faults(envelope.errors, answer, scrub)
    if answer.status in (401, 403) and envelope is not None:
        raise NotAuthorized(f"answered {answer.status}")
    if answer.status != 200:
        raise RailwayError(
            "refused", f"Railway's API answered {answer.status}; is OGEL_RAILWAY_API its address?"
        )
    if envelope is None:
        what = (answer.header("content-type") or "something").partition(";")[0][:80]
        raise RailwayError(
            "changed", f"Railway's API answered no JSON, but {what}; is OGEL_RAILWAY_API its address?"
        )
    return envelope.data


def _envelope(answer: Exchange) -> _Envelope | None:
    try:
        return msgspec.json.decode(answer.body, type=_Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def decoded(data: Raw, kind: type[Data]) -> Data:
    """Raises RailwayError("changed") that names the field, and no value."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        why, _, where = str(error).partition(" - at `$")
        field = where.rstrip("`").lstrip(".")
        if isinstance(error, msgspec.ValidationError):
            raise changed(field or "data", why) from None
        raise changed("data", "not the JSON that was expected") from None


def changed(field: str, why: str) -> RailwayError:
    return RailwayError("changed", f"Railway's answer has changed: {field}: {why}")


def away(error: EgressError, meaning: str = "") -> RailwayError:
    return RailwayError("away", f"no answer of Railway's API: {error.message}{meaning}")
