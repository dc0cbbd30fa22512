"""Buckets by our own API: their rules, what is wrong in them, and who may do what by their permissions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.support.contract import assert_problem
from tests.support.people import People
from tests.support.process import Response
from tests.support.world import World

ALL = "/api/storage/buckets"
OBJECT = "/storage/v1/object"


@pytest.fixture(scope="module")
def people(api: World) -> People:
    return People(api)


def made(api: World, **fields: Any) -> str:
    answer = api("POST", ALL, {"id": f"b-{uuid4().hex[:12]}", **fields})
    assert answer.status == 201, answer.raw
    return str(answer.json["id"])


def test_a_bucket_has_every_rule_that_is_given_to_it(api: World) -> None:
    rules = {
        "public": True,
        "file_size_limit": 1000,
        "allowed_mime_types": ["image/png", "text/*"],
        "permissions": {"read": ["any"], "create": ["users/verified"], "delete": ["owner", "team:x/admin"]},
        "lifecycle": [{"age_days": 7, "prefix": "tmp/", "action": "delete"}],
        "quota_bytes": 5000,
        "scanned": False,
        "encrypted": True,
        "redirects": True,
    }
    id = f"Bücher {uuid4().hex[:8]}"
    bucket = api("POST", ALL, {"id": id, **rules})
    assert bucket.status == 201, bucket.raw
    assert {name: bucket.json[name] for name in rules} == rules
    assert (bucket.json["owner_id"], bucket.json["used_bytes"]) == (None, 0)
    at = f"{ALL}/B%C3%BCcher%20{id.rpartition(' ')[2]}"
    assert api("GET", at).json == bucket.json
    for field, value in {**rules, "public": False, "lifecycle": [], "quota_bytes": None}.items():
        changed = api("PATCH", at, {field: value})
        assert changed.json[field] == value
    for field in ("file_size_limit", "allowed_mime_types", "permissions", "quota_bytes"):
        assert api("PATCH", at, {field: None}).json[field] is None
    assert api("PATCH", at, {}).json["encrypted"] is True
    assert api("POST", ALL, {"id": id}).json["status"] == 409
    audited = api("GET", "/api/audit-logs?action=bucket.update").json["items"]
    assert audited[0]["resource_id"] == id
    assert api("DELETE", at).status == 204
    assert_problem(api("GET", at), 404)
    assert api("PATCH", at, {"public": True}).status == api("DELETE", at).status == 404


def test_what_is_wrong_in_a_bucket_is_named(api: World) -> None:
    for fields, path in (
        ({"id": ""}, "body.id"),
        ({"id": "x" * 101}, "body.id"),
        ({"id": "a\nb"}, "body.id"),
        ({"file_size_limit": -1}, "body.file_size_limit"),
        ({"file_size_limit": "1MB"}, "body.file_size_limit"),
        ({"quota_bytes": -1}, "body.quota_bytes"),
        ({"quota_bytes": 2**60}, "body.quota_bytes"),
        ({"public": "yes"}, "body.public"),
        ({"permissions": {"write": ["any"]}}, "body.permissions.write"),
        ({"permissions": {"read": ["everybody"]}}, "body.permissions.read[0]"),
        ({"permissions": {"read": ["any", "team:"]}}, "body.permissions.read[1]"),
        ({"permissions": {"create": ["owner"]}}, "body.permissions.create[0]"),
        ({"permissions": {"read": "any"}}, "body.permissions"),
        ({"permissions": {"read": ["any"] * 51}}, "body.permissions"),
        ({"lifecycle": [{"age_days": 0}]}, "body.lifecycle[0].age_days"),
        ({"lifecycle": [{"prefix": "a"}]}, "body.lifecycle[0]"),
        ({"lifecycle": [{"age_days": 1, "action": "archive"}]}, "body.lifecycle[0].action"),
        ({"lifecycle": [{"age_days": 1}] * 51}, "body.lifecycle"),
        ({"name": "a"}, "body"),
    ):
        answer = api("POST", ALL, {"id": "wrong", **fields})
        assert_problem(answer, 422)
        found = [error["path"] for error in answer.json["errors"]]
        assert found[0].startswith(path), (fields, answer.json)
    assert api("POST", ALL, {"id": "wrong", "allowed_mime_types": ["image"]}).status == 415
    assert api("POST", ALL, {"id": "wrong", "file_size_limit": 2**40}).status == 413
    assert api("GET", f"{ALL}/wrong").status == 404
    for id in ("a/b", " a", "a ", "..", "."):
        assert api("POST", ALL, {"id": id}).status in (400, 422), id


def test_buckets_are_listed_by_pages(api: World) -> None:
    ids = sorted(made(api) for _ in range(5))
    listed, after = list[str](), ""
    while True:
        answer = api("GET", f"{ALL}?limit=2{after}").json
        listed += [each["id"] for each in answer["items"]]
        if answer["next"] is None:
            break
        after = f"&after={answer['next']}"
    assert [id for id in listed if id in ids] == ids
    assert len(listed) == len(set(listed))


def test_a_bucket_is_emptied_and_only_then_deleted(api: World) -> None:
    id = made(api)
    for name in ("a", "b/c"):
        assert api("POST", f"{OBJECT}/{id}/{name}", raw=b"x").status == 200
    assert api("DELETE", f"{ALL}/{id}").status == 409
    assert api("POST", f"{ALL}/{id}/empty").json == {"done": True}
    assert api("DELETE", f"{ALL}/{id}").status == 204


def test_only_keys_with_the_scope_make_buckets(api: World, people: People) -> None:
    for scopes, status in (
        (["storage:read"], 403),
        (["webhooks:*"], 403),
        (["storage:write"], 201),
        (["*"], 201),
    ):
        key = api("POST", "/api/keys", {"name": "k", "scopes": scopes}).json["key"]
        assert api("POST", ALL, {"id": f"k-{uuid4().hex}"}, key=key).status == status
    user = people.signs_in(people.somebody()).access_token
    assert api("POST", ALL, {"id": "x"}, key=user).status == 403
    assert api("GET", ALL, key="").status == 401


def test_a_type_that_a_bucket_does_not_take_is_stored_at_no_door(api: World) -> None:
    id = made(api, allowed_mime_types=["image/png", "text/*", "application/pdf;charset=utf-8"])
    for type, status in (
        ("image/png", 200),
        ("IMAGE/PNG", 200),
        ("text/plain; charset=utf-8", 200),
        ("text/html", 200),
        ("application/pdf", 200),
        ("application/json", 415),
        ("image/jpeg", 415),
        ("image/pngx", 415),
        ("application/octet-stream", 415),
    ):
        sent = {"content-type": type, "x-upsert": "true"}
        content = {"image/png": b"\x89PNG\r\n\x1a\n", "application/pdf": b"%PDF-1.7"}.get(type.lower(), b"{}")
        answer = api("POST", f"{OBJECT}/{id}/{uuid4().hex}", raw=content, headers=sent)
        assert answer.status == status, (type, answer.raw)
    assert api("PATCH", f"{ALL}/{id}", {"allowed_mime_types": ["*"]}).status == 200
    assert api("POST", f"{OBJECT}/{id}/any", raw=b"x", headers={"content-type": "a/b"}).status == 200


def test_a_size_limit_holds_whether_the_length_is_said_or_not(api: World) -> None:
    id = made(api, file_size_limit=10)
    assert api("POST", f"{OBJECT}/{id}/a", raw=b"x" * 10).status == 200
    for body in (b"x" * 11, b"x" * 100_000):
        answer = api("POST", f"{OBJECT}/{id}/b", raw=body)
        assert (answer.status, answer.json["code"]) == (413, "EntityTooLarge")
    none = made(api, file_size_limit=0)
    assert api("POST", f"{OBJECT}/{none}/a", raw=b"x").status == 413


def test_permissions_decide_for_those_who_have_a_role(api: World, people: People) -> None:
    owner, member, stranger = (people.somebody() for _ in range(3))
    team = api("POST", "/api/teams", {"name": "T", "owner": str(owner.id)}).json["id"]
    added = api("POST", f"/api/teams/{team}/members", {"user_id": str(member.id), "roles": ["editor"]})
    assert added.status == 201, added.raw
    id = made(
        api,
        permissions={
            "read": ["users"],
            "create": [f"team:{team}"],
            "update": ["owner", f"team:{team}/editor"],
            "delete": ["owner"],
        },
    )
    as_owner, as_member, as_stranger = (
        people.signs_in(each).access_token for each in (owner, member, stranger)
    )
    publishable = api("POST", "/api/keys", {"name": "p", "kind": "publishable"}).json["key"]
    ask = asking(api, id)
    assert ask("POST", "a", as_stranger) == 403
    assert ask("POST", "a", "") in (401, 403)
    assert ask("POST", "a", as_owner) == 200
    for token, status in ((as_owner, 200), (as_member, 200), (as_stranger, 200), ("", 404)):
        assert ask("GET", "a", token) in (status, 401 if token == "" else status), token
    assert ask("GET", "a", publishable) == 404
    # An editor may change it, and owns it then; so its maker may no longer delete it.
    assert ask("POST", "a", as_stranger, upsert=True) == 403
    assert ask("POST", "a", as_member, upsert=True) == 200
    assert ask("DELETE", "a", as_stranger) == ask("DELETE", "a", as_owner) == 403
    assert ask("DELETE", "a", as_member) == 200
    reader = api("POST", "/api/keys", {"name": "r", "scopes": ["storage:read"]}).json["key"]
    writer = api("POST", "/api/keys", {"name": "w", "scopes": ["storage:*"]}).json["key"]
    assert ask("POST", "k", reader) == 403
    assert ask("POST", "k", writer) == 200
    assert ask("GET", "k", reader) == 200
    assert api("PATCH", f"{ALL}/{id}", {"permissions": {"read": ["any"]}}).status == 200
    assert ask("POST", "b", as_owner) == 403
    assert ask("GET", "k", publishable) == ask("GET", "k", as_stranger) == 200
    assert ask("POST", "b", publishable) == ask("DELETE", "k", publishable) == 403


def asking(api: World, bucket: str) -> Callable[..., int]:
    def ask(method: str, name: str, key: str, *, upsert: bool = False) -> int:
        door = "/authenticated" if method == "GET" else ""
        sent = {"x-upsert": str(upsert).lower()}
        raw = b"x" if method == "POST" else None
        answer: Response = api(method, f"{OBJECT}{door}/{bucket}/{name}", raw=raw, key=key, headers=sent)
        return answer.status

    return ask
