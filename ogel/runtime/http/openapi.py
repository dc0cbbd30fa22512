"""Builds the OpenAPI 3.1 document from the routes and types that answer requests."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any

import msgspec

from ogel import __version__
from ogel.runtime.http.access import OPEN
from ogel.runtime.http.credentials import KEY_PARAMETER
from ogel.runtime.http.input import IDEMPOTENCY_KEY_PATTERN
from ogel.runtime.http.intake import FORM
from ogel.runtime.http.openapi_schemas import Json, Schemas
from ogel.runtime.http.problem import Problem
from ogel.runtime.http.route import Call, Chunks, Content, Form, Redirect, Route, Stream, Streaming, Text

Routes = Sequence[tuple[str, Route]]
Streams = Sequence[tuple[str, Stream]]

_FORM_WITH_FILE = "multipart/form-data"
_BYTES: Json = {"type": "string", "format": "binary"}
_FILE: Json = {"type": "object", "properties": {"file": _BYTES}, "required": ["file"]}


class Example(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    One exchange, as it went: `path` and `query` are parameters by name, `body` is what was sent, `answers` what came
    back, by status.
    """

    path: dict[str, str] = {}
    query: dict[str, Any] = {}
    body: Any = None
    answers: dict[str, Any] = {}


# Returns the examples by operation id; called when the document is built.
Examples = Mapping[str, Example]
AskExamples = Callable[[], Examples]
NO_EXAMPLES: Examples = {}

# Headers of a 429. RateLimit and RateLimit-Policy are sent with every other rate-limited answer, too.
_LIMITS = {
    "RateLimit-Policy": {
        "description": "The policies that count this request: quota and window in seconds.",
        "schema": {"type": "string"},
        "example": '"read";q=10000;w=10',
    },
    "RateLimit": {
        "description": "Of each of them, how many requests may come within how many seconds.",
        "schema": {"type": "string"},
        "example": '"read";r=0;t=1',
    },
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
}


def openapi_route(routes: Routes, streams: Streams, examples: AskExamples) -> Route:
    """A route whose document is built on the first request: processes that are never asked need not build it."""

    @cache
    def encoded() -> bytes:
        return msgspec.json.encode(document(routes, streams, examples()))

    async def openapi(call: Call[Any, Any]) -> Text:
        return Text(encoded(), "application/json")

    return Route(
        "GET", "/openapi.json", openapi, OPEN, "This document", returns=Text, media_type="application/json"
    )


def document(routes: Routes, streams: Streams = (), examples: Examples = NO_EXAMPLES) -> Json:
    """Builds the document. Raises ValueError when two operations share an id, or two types a name."""
    streams = [(feature, stream) for feature, stream in streams if stream.described]
    schemas = _schemas_of([route for _, route in routes], [stream for _, stream in streams])
    paths: Json = {}
    for feature, route in routes:
        example = examples.get(operation_id(route), Example())
        operation = {"tags": [feature], **_operation(route, schemas, example)}
        paths.setdefault(route.path.replace(":path}", "}"), {})[route.method.lower()] = operation
    for feature, stream in streams:
        example = examples.get(_id_of("GET", stream.path), Example())
        paths[stream.path] = {"get": {"tags": [feature], **_stream_operation(stream, schemas, example)}}
    _check_ids(paths)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Ogel",
            "version": __version__,
            "description": "The backend suite for Railway.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(feature for feature, _ in [*routes, *streams])],
        "paths": paths,
        "components": {
            "schemas": schemas.components(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                KEY_PARAMETER: {"type": "apiKey", "in": "query", "name": KEY_PARAMETER},
            },
        },
    }


def operation_id(route: Route) -> str:
    """`post_webhooks_id_test`: made from method and path, so that it survives renaming the handler."""
    return route.name or _id_of(route.method, route.path)


def _id_of(method: str, path: str) -> str:
    words = re.findall(r"[A-Za-z0-9]+", path.removeprefix("/api"))
    return "_".join([method.lower(), *words])


def _check_ids(paths: Json) -> None:
    ids = Counter(operation["operationId"] for path in paths.values() for operation in path.values())
    if twice := [id for id, count in ids.items() if count > 1]:
        raise ValueError(f"two operations share an id, and one of them needs a `name`: {twice}")


def _schemas_of(routes: Sequence[Route], streams: Sequence[Stream]) -> Schemas:
    bodies = [
        each.type if isinstance(each, Form) else each
        for route in routes
        for each in (route.body, route.returns, *route.also.values())
        if each not in (None, Text, Chunks, Content, Redirect) and not isinstance(each, Streaming)
    ]
    queries = [route.query for route in routes if route.query is not None]
    return Schemas([Problem, *bodies], [*queries, *(stream.query for stream in streams)])


def _operation(route: Route, schemas: Schemas, example: Example) -> Json:
    operation: Json = {
        "operationId": operation_id(route),
        "summary": route.summary,
        "parameters": _parameters(route, schemas, example),
        "responses": _responses(route, schemas, example),
        "security": [],
    }
    if (scope := route.access.scope) is not None:
        operation["security"] = [{"bearer": [scope]}]
        operation["x-scope"] = scope
    elif route.access.who != "open":
        operation["security"] = [{"bearer": []}]
    if route.body is not None:
        content = _body(route.body, schemas, example.body)
        operation["requestBody"] = {
            "description": _size_of_body(route),
            "required": not route.body_optional,
            "content": content,
        }
    return operation


def _body(body: Any, schemas: Schemas, example: Any) -> Json:
    if isinstance(body, Streaming):
        return {body.media_type: {"schema": _FILE if body.media_type == _FORM_WITH_FILE else _BYTES}}
    if isinstance(body, Form):
        return {FORM: {"schema": schemas.of(body.type), **_example(example)}}
    return _json(schemas.of(body), example)


def _size_of_body(route: Route) -> str:
    if route.access.max_body_bytes is None:
        return "At most as many bytes as the server takes (`OGEL_MAX_BODY_BYTES`)."
    return f"At most {route.access.max_body_bytes} bytes, and what the server takes (`OGEL_MAX_BODY_BYTES`)."


def _stream_operation(stream: Stream, schemas: Schemas, example: Example) -> Json:
    """OpenAPI cannot describe the frames of a WebSocket; `x-messages` shows some."""
    began: Json
    scope = stream.access.scope
    if stream.media_type is None:
        frames = example.answers.get("101", [])
        began = {"101": {"description": "A WebSocket, whose text frames are JSON", "x-messages": frames}}
    else:
        content = _text(stream.media_type, example.answers.get("200"))
        began = {"200": {"description": "A stream that goes on", "content": content}}
    return {
        "operationId": _id_of("GET", stream.path),
        "summary": stream.summary,
        "parameters": [
            _in_query(name, schema, required, example.query)
            for name, schema, required in schemas.fields(stream.query)
        ],
        "responses": {**began, **_failures([401, 403, 422, 429, 503], schemas)},
        "security": [{"bearer": [scope]}, {KEY_PARAMETER: [scope]}],
        "x-scope": scope,
    }


def _parameters(route: Route, schemas: Schemas, example: Example) -> list[Json]:
    parameters: list[Json] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1},
            **_example(example.path.get(name)),
        }
        for name in re.findall(r"{(\w+)(?::path)?}", route.path)
    ]
    if route.query is not None:
        parameters += [_in_query(*field, example.query) for field in schemas.fields(route.query)]
    if route.idempotent:
        schema = {"type": "string", "pattern": IDEMPOTENCY_KEY_PATTERN}
        parameters.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": schema})
    return parameters


def _in_query(name: str, schema: Json, required: bool, examples: Mapping[str, Any]) -> Json:
    return {
        "name": name,
        "in": "query",
        "required": required,
        "schema": schema,
        **_example(examples.get(name)),
    }


def _responses(route: Route, schemas: Schemas, example: Example) -> Json:
    success = "204" if route.returns is None else str(route.status)
    responses: Json = {success: {"description": _phrase(success)}}
    if route.returns in (Text, Chunks, Content):
        responses[success]["content"] = _text(route.media_type, example.answers.get(success))
    elif route.returns not in (None, Redirect):
        answer = example.answers.get(success)
        responses[success]["content"] = _json(schemas.of(route.returns), answer)
    for status, kind in route.also.items():
        content = _json(schemas.of(kind), example.answers.get(str(status)))
        responses[str(status)] = {"description": _phrase(status), "content": content}
    return {**_failures(_failing(route), schemas), **responses}


def _failures(statuses: Sequence[int], schemas: Schemas) -> Json:
    problem = {"application/problem+json": {"schema": schemas.of(Problem)}}
    failures: Json = {str(each): {"description": _phrase(each), "content": problem} for each in statuses}
    if "429" in failures:
        failures["429"]["headers"] = _LIMITS
    return {**failures, "default": {"description": "Any other problem", "content": problem}}


def _failing(route: Route) -> list[int]:
    statuses = {422}  # every route refuses unknown parameters
    if route.access.who != "open":
        statuses |= {401, 403, 503}
    if route.access.rate != "none":
        statuses.add(429)
    if "{" in route.path:
        statuses |= {400, 404}
    if route.idempotent:
        statuses.add(409)
    if route.query is not None:
        statuses.add(400)
    if route.body is not None:
        statuses |= {400, 408, 413}
    return sorted(statuses)


def _json(schema: Json, example: Any) -> Json:
    return {"application/json": {"schema": schema, **_example(example)}}


def _text(media_type: str, example: str | None) -> Json:
    kind = "object" if media_type == "application/json" else "string"
    return {media_type: {"schema": {"type": kind}, **_example(example)}}


def _example(value: Any) -> Json:
    return {} if value is None else {"example": value}


def _phrase(status: int | str) -> str:
    return HTTPStatus(int(status)).phrase
