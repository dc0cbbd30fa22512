"""The OpenAPI document says what the routes do."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest
import schemathesis

from ogel.runtime.http.access import OPEN, Access
from ogel.runtime.http.openapi import document
from ogel.runtime.http.pagination import Page, PageQuery
from ogel.runtime.http.route import Call, Content, Form, Redirect, Route, Streaming, Text, Timestamp


class NewThing(msgspec.Struct, forbid_unknown_fields=True):
    """What it takes to make a thing."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=20, pattern="^[a-z]+$")]
    size: Annotated[int, msgspec.Meta(ge=1, le=9)] = 1


class Thing(msgspec.Struct):
    id: str
    created_at: Timestamp


class Things(PageQuery, frozen=True, kw_only=True):
    name: str | None = None


async def handler(call: Call[Any, Any]) -> None:
    raise AssertionError("a document needs no answers")


READ, WRITE = Access("key", "things:read", "read"), Access("key", "things:write", "write")
ROUTES = [
    ("things", Route("POST", "/api/things", handler, WRITE, "Make", Thing, NewThing, status=201)),
    ("things", Route("GET", "/api/things", handler, READ, "List", Page[Thing], query=Things)),
    ("things", Route("DELETE", "/api/things/{id}", handler, WRITE, "Delete")),
    ("text", Route("GET", "/metrics", handler, OPEN, "Numbers", returns=Text)),
]


@pytest.fixture(scope="module")
def openapi() -> Any:
    return document(ROUTES)


def test_it_is_valid_openapi(openapi: Any) -> None:
    schemathesis.openapi.from_dict(openapi).validate()


def test_operations(openapi: Any) -> None:
    ids = {op["operationId"]: op for path in openapi["paths"].values() for op in path.values()}
    assert set(ids) == {"post_things", "get_things", "delete_things_id", "get_metrics"}
    assert ids["post_things"]["security"] == [{"bearer": ["things:write"]}]
    assert ids["post_things"]["tags"] == ["things"]
    assert set(ids["post_things"]["responses"]) == {
        "201", "400", "401", "403", "408", "413", "422", "429", "503", "default",
    }  # fmt: skip
    assert set(ids["delete_things_id"]["responses"]) == {
        "204", "400", "401", "403", "404", "422", "429", "503", "default",
    }  # fmt: skip
    assert ids["get_metrics"]["security"] == []


def test_two_operations_of_one_id_are_refused() -> None:
    twice = Route("GET", "/api/metrics", handler, OPEN, "Numbers again", returns=Thing)
    with pytest.raises(ValueError, match="get_metrics"):
        document([*ROUTES, ("text", twice)])
    named = msgspec.structs.replace(twice, name="get_metrics_json")
    assert document([*ROUTES, ("text", named)])["paths"]["/api/metrics"]["get"]["operationId"] == named.name


def test_bodies_carry_their_rules(openapi: Any) -> None:
    schema = openapi["components"]["schemas"]["NewThing"]
    assert schema["required"] == ["name"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["name"]["pattern"] == "^[a-z]+$"
    assert schema["properties"]["size"]["maximum"] == 9
    assert openapi["components"]["schemas"]["Thing"]["properties"]["created_at"]["format"] == "date-time"


def test_query_fields_become_parameters(openapi: Any) -> None:
    parameters = {each["name"]: each for each in openapi["paths"]["/api/things"]["get"]["parameters"]}
    assert set(parameters) == {"limit", "after", "name"}
    assert parameters["limit"]["schema"]["minimum"] == 1
    assert parameters["limit"]["schema"]["default"] == 25
    assert parameters["after"]["schema"]["type"] == "string"
    assert parameters["name"]["required"] is False
    assert "Things" not in openapi["components"]["schemas"]


def test_path_parameters_are_required(openapi: Any) -> None:
    (parameter,) = openapi["paths"]["/api/things/{id}"]["delete"]["parameters"]
    assert (parameter["name"], parameter["in"], parameter["required"]) == ("id", "path", True)


def test_bodies_and_answers_that_are_no_json() -> None:
    everything = [
        ("files", Route("POST", "/api/files/{key:path}", handler, WRITE, "Put", body=Streaming("image/png"))),
        (
            "files",
            Route("GET", "/api/files/{key:path}", handler, READ, "Get", Content, media_type="image/png"),
        ),
        ("files", Route("PUT", "/api/form", handler, WRITE, "Say", Redirect, Form(NewThing), status=303)),
    ]
    openapi = document(everything)
    schemathesis.openapi.from_dict(openapi).validate()
    put, get = (openapi["paths"]["/api/files/{key}"][method] for method in ("post", "get"))
    assert list(put["requestBody"]["content"]) == ["image/png"]
    assert list(get["responses"]["200"]["content"]) == ["image/png"]
    assert [parameter["name"] for parameter in get["parameters"]] == ["key"]
    said = openapi["paths"]["/api/form"]["put"]
    assert list(said["requestBody"]["content"]) == ["application/x-www-form-urlencoded"]
    assert "content" not in said["responses"]["303"]
