"""Objects by the door of Supabase's clients."""

from __future__ import annotations

from tests.support.world import World


def test_an_object_is_stored_served_in_parts_and_deleted_with_its_bytes(api: World) -> None:
    assert api("POST", "/storage/v1/bucket", {"name": "first"}).json == {"name": "first"}
    sent = {"content-type": "text/plain"}
    stored = api("POST", "/storage/v1/object/first/a/%C3%BC.txt", raw=b"hello world", headers=sent)
    assert stored.status == 200, stored.body
    assert stored.json["Key"] == "first/a/ü.txt"
    again = api("POST", "/storage/v1/object/first/a/%C3%BC.txt", raw=b"other", headers=sent)
    assert (again.status, again.json["code"]) == (409, "KeyAlreadyExists")
    got = api("GET", "/storage/v1/object/authenticated/first/a/%C3%BC.txt", headers={"range": "bytes=6-"})
    assert (got.status, got.raw, got.headers["content-type"]) == (206, b"world", "text/plain")
    missing = api("GET", "/storage/v1/object/authenticated/first/b")
    assert (missing.status, missing.json["statusCode"]) == (404, "404")
    assert api("DELETE", "/storage/v1/bucket/first").json["code"] == "ResourceNotEmpty"
