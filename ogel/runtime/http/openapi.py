"""The OpenAPI 3.1 document, made from the same routes and types that answer requests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any

import msgspec

from ogel import __version__
from ogel.runtime.http.input import IDEMPOTENCY_KEY_PATTERN
from ogel.runtime.http.problem import Problem
from ogel.runtime.http.route import Call, Route, Text

Json = dict[str, Any]
_REF = "#/components/schemas/{name}"


def openapi_route(routes: Sequence[tuple[str, Route]]) -> Route:
    """Built when first asked for: a process that nobody asks should not pay for it."""

    @cache
    def encoded() -> bytes:
        return msgspec.json.encode(document(routes))

    async def openapi(call: Call[Any, Any]) -> Text:
        return Text(encoded(), "application/json")

    return Route("GET", "/openapi.json", openapi, None, "This document", returns=Text)


def document(routes: Sequence[tuple[str, Route]]) -> Json:
    schemas = _Schemas([route for _, route in routes])
    paths: Json = {}
    for feature, route in routes:
        operation = _operation(feature, route, schemas)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Ogel", "version": __version__, "description": "The backend suite for Railway."},
        "tags": [{"name": name} for name in dict.fromkeys(feature for feature, _ in routes)],
        "paths": paths,
        "components": {
            "schemas": schemas.components(),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


class _Schemas:
    """The JSON schema of each type in use; made all at once, so that equal names are told apart."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._queries = [route.query for route in routes if route.query is not None]
        others = [
            each
            for route in routes
            for each in (route.body, route.returns, *route.also.values())
            if each not in (None, Text)
        ]
        types = [Problem, *self._queries, *others]
        schemas, self._components = msgspec.json.schema_components(types, ref_template=_REF)
        self._by_type = dict(zip(types, schemas, strict=True))

    def of(self, kind: Any) -> Json:
        schema: Json = self._by_type[kind]
        return schema

    def fields(self, query: Any) -> Iterator[tuple[str, Json, bool]]:
        """Name, schema, required: of each field of a query struct."""
        struct = self._components[self._name(query)]
        for name, schema in struct["properties"].items():
            yield name, _without_null(schema), name in struct["required"]

    def components(self) -> Json:
        """Query structs are spelled out as parameters, and need no place of their own."""
        spelled_out = {self._name(query) for query in self._queries}
        return {name: schema for name, schema in self._components.items() if name not in spelled_out}

    def _name(self, kind: Any) -> str:
        reference: str = self.of(kind)["$ref"]
        return reference.rpartition("/")[2]


def _operation(feature: str, route: Route, schemas: _Schemas) -> Json:
    operation: Json = {
        "operationId": _operation_id(route),
        "tags": [feature],
        "summary": route.summary,
        "parameters": _parameters(route, schemas),
        "responses": _responses(route, schemas),
        "security": [],
    }
    if route.scope is not None:
        operation["security"] = [{"bearer": [route.scope]}]
        operation["x-scope"] = route.scope
    if route.body is not None:
        content = {"application/json": {"schema": schemas.of(route.body)}}
        operation["requestBody"] = {"required": not route.body_optional, "content": content}
    return operation


def _operation_id(route: Route) -> str:
    """`post_webhooks_id_test`: from method and path, so it is unique and survives a renamed handler."""
    words = re.findall(r"[A-Za-z0-9]+", route.path.removeprefix("/api"))
    return "_".join([route.method.lower(), *words])


def _parameters(route: Route, schemas: _Schemas) -> list[Json]:
    parameters: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    if route.query is not None:
        parameters += [
            {"name": name, "in": "query", "required": required, "schema": schema}
            for name, schema, required in schemas.fields(route.query)
        ]
    if route.idempotent:
        schema = {"type": "string", "pattern": IDEMPOTENCY_KEY_PATTERN}
        parameters.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": schema})
    return parameters


def _responses(route: Route, schemas: _Schemas) -> Json:
    problem = {"application/problem+json": {"schema": schemas.of(Problem)}}
    responses: Json = {_success(route): _success_response(route, schemas)}
    for status, kind in route.also.items():
        content = {"application/json": {"schema": schemas.of(kind)}}
        responses[str(status)] = {"description": HTTPStatus(status).phrase, "content": content}
    for status in _failures(route):
        responses[str(status)] = {"description": HTTPStatus(status).phrase, "content": problem}
    responses["default"] = {"description": "Any other problem", "content": problem}
    return responses


def _success(route: Route) -> str:
    return "204" if route.returns is None else str(route.status)


def _success_response(route: Route, schemas: _Schemas) -> Json:
    response: Json = {"description": HTTPStatus(int(_success(route))).phrase}
    if route.returns is Text:
        response["content"] = {"*/*": {}}
    elif route.returns is not None:
        response["content"] = {"application/json": {"schema": schemas.of(route.returns)}}
    return response


def _failures(route: Route) -> list[int]:
    statuses = {422}  # every route refuses parameters that it does not know
    if route.scope is not None:
        statuses |= {401, 403, 503}
    if "{" in route.path:
        statuses |= {400, 404}
    if route.idempotent:
        statuses.add(409)
    if route.query is not None:
        statuses.add(400)
    if route.body is not None:
        statuses |= {400, 408, 413}
    return sorted(statuses)


def _without_null(schema: Json) -> Json:
    """A query parameter that is not wanted is left out, not sent as null."""
    kept = {key: value for key, value in schema.items() if not (key == "default" and value is None)}
    options = [each for each in kept.get("anyOf", []) if each != {"type": "null"}]
    if len(options) == 1:
        del kept["anyOf"]
        return {**options[0], **kept}
    return {**kept, "anyOf": options} if options else kept
