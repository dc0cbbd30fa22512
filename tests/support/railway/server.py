"""The HTTP server: tokens, documents held to the schema, and every way in which Railway's answers have been odd."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationType,
    build_schema,
    execute_sync,
    get_operation_ast,
    parse,
    validate,
)

from tests.support.in_thread import ServerInThread
from tests.support.railway.mutations import Mutation
from tests.support.railway.principals import principal_of
from tests.support.railway.resolvers import Query
from tests.support.railway.world import Environment, World

PATH = "/graphql/v2"


@dataclass(frozen=True)
class Asked:
    """One request, as it came. `operation`: its name."""

    operation: str
    query: str
    variables: Mapping[str, Any]
    headers: Mapping[str, str]


@dataclass
class Oddity:
    """
    when     in the document, for it to count; `times` it still will, None: always.
    status, headers, body   instead of an answer, and nothing has been done; headers alone come with one.
    seconds  before anything is said.
    cut      the connection ends in the middle.
    null, missing, error   a path in `data` (`project.name`, `usage[].value`): null; not there; null, with an error.
    edit     changes the document of the answer.
    """

    when: str = ""
    times: int | None = 1
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    seconds: float = 0.0
    cut: bool = False
    null: str | None = None
    missing: str | None = None
    error: str | None = None
    message: str = "Problem processing request"
    edit: Callable[[dict[str, Any]], None] | None = None


class RailwayServer(ServerInThread):
    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.asked: list[Asked] = []
        self._oddities: list[Oddity] = []
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"

    def variables(self, environment: Environment | None = None) -> dict[str, str]:
        """Of a process that is to speak to it: as the account, or with a token of that environment's project."""
        if environment is None:
            return {"OGEL_RAILWAY_API": self.url, "RAILWAY_API_TOKEN": self.world.api_token}
        return {"OGEL_RAILWAY_API": self.url, "RAILWAY_TOKEN": environment.token()}

    def misbehave(self, **how: Any) -> Oddity:
        """See Oddity. The first that fits a request is done to it."""
        self._oddities.append(Oddity(**how))
        return self._oddities[-1]

    def behave(self) -> None:
        self._oddities.clear()

    def operations(self) -> list[str]:
        return [each.operation for each in self.asked]

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                target, headers, body = await _request(reader)
                await self._answer(writer, target, headers, body)
        writer.close()

    async def _answer(
        self, writer: asyncio.StreamWriter, target: str, headers: Mapping[str, str], body: bytes
    ) -> None:
        oddity = self._oddity(body)
        if oddity is not None and oddity.seconds:
            await asyncio.sleep(oddity.seconds)
        fields = {"Content-Type": "application/json"}
        if target != PATH:
            status, document = 404, "<html>404 Not Found</html>"
        elif oddity is not None and (oddity.status != 200 or oddity.body is not None):
            self._note(headers, body)
            status, document = oddity.status, oddity.body or ""
            fields = {"Content-Type": "text/html; charset=utf-8"}
        else:
            status, answer = self._answered(headers, body)
            if oddity is not None:
                odd(answer, oddity)
            document = json.dumps(answer)
        if oddity is not None:
            fields |= oddity.headers
        content = document.encode()
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        writer.write(f"HTTP/1.1 {status} X\r\n{head}Content-Length: {len(content)}\r\n\r\n".encode())
        if oddity is not None and oddity.cut:
            writer.write(content[: len(content) // 2])
            await writer.drain()
            raise ConnectionResetError
        writer.write(content)
        await writer.drain()

    def _oddity(self, body: bytes) -> Oddity | None:
        text = body.decode(errors="replace")
        found = next((each for each in self._oddities if each.when in text and each.times != 0), None)
        if found is not None and found.times is not None:
            found.times -= 1
        return found

    def _answered(self, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        asked = self._note(headers, body)
        if asked is None:
            words = "POST body missing, invalid Content-Type, or JSON object has no keys."
            return 400, {"errors": [{"message": words}]}
        return answered(self.world, headers, asked.query, asked.variables)

    def _note(self, headers: Mapping[str, str], body: bytes) -> Asked | None:
        """None: it is no request in JSON."""
        try:
            given = json.loads(body)
            query, variables = given["query"], given.get("variables") or {}
        except (ValueError, KeyError, TypeError):
            return None
        if not headers.get("content-type", "").startswith("application/json"):
            return None
        name = re.search(r"\b(?:query|mutation)\s+(\w+)", query)
        self.asked.append(Asked(name[1] if name else "", query, variables, headers))
        return self.asked[-1]


def answered(
    world: World, headers: Mapping[str, str], query: str, variables: Mapping[str, Any]
) -> tuple[int, dict[str, Any]]:
    try:
        document = parse(query)
    except GraphQLSyntaxError as error:
        return 400, {"errors": [_told(error, "GRAPHQL_PARSE_FAILED")]}
    if wrong := validate(schema(), document):
        return 400, {"errors": [_told(error, "GRAPHQL_VALIDATION_FAILED") for error in wrong]}
    try:
        principal = principal_of(world, headers)
    except GraphQLError as error:
        return 200, {"errors": [_told(error)], "data": None}
    operation = get_operation_ast(document)
    root = Mutation() if operation and operation.operation == OperationType.MUTATION else Query()
    result = execute_sync(schema(), document, root, principal, dict(variables))
    answer: dict[str, Any] = {"data": result.data}
    if result.errors:
        answer = {"errors": [_told(error) for error in result.errors], **answer}
    return 200, answer


def _told(error: GraphQLError, code: str = "INTERNAL_SERVER_ERROR") -> dict[str, Any]:
    """What is no error of Railway's is a defect here, and must not look like one of theirs."""
    if error.original_error is not None and not isinstance(error.original_error, GraphQLError):
        raise error.original_error
    given = error.extensions or {}
    if error.path is None and code == "INTERNAL_SERVER_ERROR" and error.message.startswith("Variable "):
        code = "BAD_USER_INPUT"
    told: dict[str, Any] = {"message": error.message, "extensions": {"code": given.get("code", code)}}
    if error.path:
        told["path"] = error.path
    return {**told, "traceId": "1234567890"}


@cache
def schema() -> GraphQLSchema:
    return build_schema((Path(__file__).parent / "schema.graphql").read_text())


def odd(answer: dict[str, Any], oddity: Oddity) -> None:
    for path, change in ((oddity.null, _null), (oddity.missing, _drop), (oddity.error, _null)):
        if path is not None:
            _at(answer["data"], path.split("."), change)
    if oddity.error is not None:
        path_of_error = [part.removesuffix("[]") for part in oddity.error.split(".")]
        answer["errors"] = [{"message": oddity.message, "path": path_of_error}]
    if oddity.edit is not None:
        oddity.edit(answer)


def _at(value: Any, path: list[str], change: Callable[[Any, str], None]) -> None:
    """`[]` behind a name: in each of that list."""
    name, *rest = path
    if not rest:
        change(value, name)
        return
    inner = value[name.removesuffix("[]")]
    for each in inner if name.endswith("[]") else [inner]:
        _at(each, rest, change)


def _null(value: Any, name: str) -> None:
    value[name] = None


def _drop(value: Any, name: str) -> None:
    del value[name]


async def _request(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in head[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in fields}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return head[0].split(" ")[1], headers, body
