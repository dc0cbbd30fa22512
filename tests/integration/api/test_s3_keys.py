"""Keys of programs that speak S3: made, looked at, ended, and never more than their maker."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
import structlog

from ogel.features.storage.s3_keys.key import NewS3Key
from ogel.kernel.errors import Forbidden, RateLimited
from ogel.kernel.principal import Caller, Principal
from tests.support.cli import ogel_here
from tests.support.process import ADMIN_KEY, SECRET
from tests.support.s3 import S3, code
from tests.support.world import World

ENVIRONMENT = {"OGEL_RATE_WRONG_KEYS": "5/1m"}


def key(api: World, *scopes: str, **more: Any) -> str:
    made = api("POST", "/api/keys", {"name": "maker", "scopes": list(scopes), **more})
    assert made.status == 201, made.raw
    return str(made.json["key"])


def test_a_key_is_shown_once_and_ended_at_once(api: World) -> None:
    made = api("POST", "/api/s3-keys", {"name": "photos", "buckets": ["b", "a", "a"], "read_only": True})
    assert made.status == 201, made.raw
    id, secret = made.json["access_key_id"], made.json["secret_access_key"]
    assert (made.json["buckets"], made.json["read_only"], made.json["last_used_at"]) == (
        ["a", "b"],
        True,
        None,
    )
    assert S3(api, id, secret)("GET", "/").status == 200
    shown = api("GET", f"/api/s3-keys/{id}")
    assert shown.json["last_used_at"] is not None and "secret_access_key" not in shown.json
    for n in range(3):
        assert api("POST", "/api/s3-keys", {"name": f"more {n}"}).status == 201
    pages, after = [], ""
    while after is not None:
        page = api("GET", f"/api/s3-keys?limit=2{after and f'&after={after}'}").json
        pages += [each["access_key_id"] for each in page["items"]]
        after = page["next"]
    assert len(pages) == len(set(pages)) == 4 and pages[-1] == id
    assert api("DELETE", f"/api/s3-keys/{id}").status == 204
    assert code(S3(api, id, secret)("GET", "/")) == "InvalidAccessKeyId"
    assert api("DELETE", f"/api/s3-keys/{id}").status == 404
    assert api("GET", f"/api/s3-keys/{id}").json["revoked_at"] is not None
    assert api("GET", "/api/s3-keys/none").status == 404
    audited = api("GET", f"/api/audit-logs?resource_id={id}").json["items"]
    assert {each["action"] for each in audited} == {"s3_key.create", "s3_key.revoke"}
    assert secret not in str(audited)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "body.name"),
        ({"name": ""}, "body.name"),
        ({"name": "a\nb"}, "body.name"),
        ({"name": "x" * 201}, "body.name"),
        ({"name": "a", "buckets": []}, "body.buckets"),
        ({"name": "a", "buckets": [""]}, "body.buckets[0]"),
        ({"name": "a", "buckets": ["a\x00"]}, "body.buckets[0]"),
        ({"name": "a", "buckets": "all"}, "body.buckets"),
        ({"name": "a", "read_only": "yes"}, "body.read_only"),
        ({"name": "a", "secret_access_key": "mine"}, "body.secret_access_key"),
    ],
)
def test_what_is_no_key_names_the_field(api: World, body: dict[str, Any], path: str) -> None:
    refused = api("POST", "/api/s3-keys", body)
    assert (refused.status, [each["path"] for each in refused.json["errors"]]) == (422, [path]), refused.raw


def test_whoever_tries_ids_is_slowed_down(api: World) -> None:
    service = api.platform.features["storage.s3_keys"].offers.keys
    good = api("POST", "/api/s3-keys", {"name": "good"}).json["access_key_id"]
    for n in range(5):
        assert api.run(service.find(f"OGEL{'ABCDE'[n] * 16}", "192.0.2.1")) is None
        assert api.run(service.find(good, "192.0.2.1")) is not None
    assert api.run(service.find("OGEL" + "A" * 16, "192.0.2.1")) is None  # the same counts once
    with pytest.raises(RateLimited):
        api.run(service.find("OGEL" + "F" * 16, "192.0.2.1"))
    assert api.run(service.find("OGEL" + "F" * 16, "192.0.2.2")) is None


def test_a_key_may_no_more_than_who_made_it(api: World) -> None:
    reader, writer = key(api, "s3-keys:*", "storage:read"), key(api, "s3-keys:write", "storage:*")
    assert api("POST", "/api/s3-keys", {"name": "x"}, key=reader).status == 403
    read_only = api("POST", "/api/s3-keys", {"name": "x", "read_only": True}, key=reader)
    assert read_only.status == 201
    made = api("POST", "/api/s3-keys", {"name": "x"}, key=writer)
    assert made.status == 201
    assert api("GET", "/api/s3-keys", key=writer).status == 403
    assert api("DELETE", f"/api/s3-keys/{made.json['access_key_id']}", key=reader).status == 403
    assert api("DELETE", f"/api/s3-keys/{read_only.json['access_key_id']}", key=reader).status == 204
    assert api("POST", "/api/s3-keys", {"name": "x"}, key=key(api, "storage:*")).status == 403
    here = Caller(
        Principal("key", "key_1", frozenset({"*"}), claims={"networks": ("203.0.113.0/24",)}), "req_1"
    )
    service = api.platform.features["storage.s3_keys"].offers.keys
    with pytest.raises(Forbidden, match="networks"):
        api.run(service.make(here, NewS3Key(name="x")))


def test_keys_are_made_listed_and_ended_at_a_terminal(api: World, suite_servers: dict[str, str]) -> None:
    def run(*arguments: str) -> str:
        # Its logging is for whole processes.
        with mock.patch("ogel.runtime.log.setup.configure_logging"), structlog.testing.capture_logs():
            settings = {"OGEL_ADMIN_KEY": ADMIN_KEY, "OGEL_SECRET": SECRET, **suite_servers}
            finished = ogel_here("s3-keys", *arguments, **settings)
        assert (finished.code, finished.err) == (0, ""), finished.err
        return finished.out

    made = dict(
        line.split("=", 1) for line in run("create", "shop", "--bucket", "b", "--read-only").splitlines()
    )
    id, secret = made["AWS_ACCESS_KEY_ID"], made["AWS_SECRET_ACCESS_KEY"]
    assert S3(api, id, secret)("GET", "/").status == 200
    [line] = [line for line in run("list").splitlines() if id in line]
    assert line.split() == [id, "active", "read", "shop", "b"]
    assert run("revoke", id) == f"{id} revoked\n"
    [line] = [line for line in run("list").splitlines() if id in line]
    assert "revoked" in line
    assert secret not in run("show", id)
