"""/api/webhooks: what an endpoint is told, when it is not, and who sees its secret."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.contract import all_pages, assert_problem, assert_unchanged, delivery_of, settled
from tests.support.process import Client, Ogel, eventually
from tests.support.receiver import Answer, Receiver

GIVEN_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def test_names_that_cannot_be_public_are_refused_while_loopback_alone_is_open(api: Client) -> None:
    """As with embedded servers, where localhost is what everybody begins with."""
    hook = api.ok("POST", "/api/webhooks", {"url": "http://localhost:9000/hook", "events": ["no.one"]})
    hosts = ["redis.railway.internal", "redis", "printer.local", "nas.lan", "db.home.arpa", "a.onion"]
    for url in (f"http://{host}:9000/hook" for host in hosts):
        for method, path, body in (
            ("POST", "/api/webhooks", {"url": url, "events": ["no.one"]}),
            ("PATCH", f"/api/webhooks/{hook['id']}", {"url": url}),
            ("POST", "/api/test-webhook", {"url": url}),
        ):
            assert_problem(api(method, path, body), 422, "body.url")
    assert_unchanged(hook, api.ok("GET", f"/api/webhooks/{hook['id']}"))
    for host in ("127.0.0.1", "app.localhost", "straße.example"):
        api.ok("PATCH", f"/api/webhooks/{hook['id']}", {"url": f"http://{host}:9000/"})


def test_an_endpoint_from_its_creation_to_its_end(api: Client, receiver: Receiver) -> None:
    wanted = {
        "url": receiver.url(),
        "events": ["life.*", "other.type"],
        "description": "Écoute",
        "headers": {"Authorization": "Bearer theirs", "X-Tab": "a\tb"},
        "max_in_flight": 3,
        "timeout_seconds": 2.5,
    }
    created = api("POST", "/api/webhooks", wanted)
    assert created.status == 201
    assert created.json["secret"].startswith("whsec_")
    masked = {**wanted, "headers": {"Authorization": "****", "X-Tab": "****"}}
    assert {name: created.json[name] for name in wanted} == masked
    assert created.json["state"] == "enabled"
    path = f"/api/webhooks/{created.json['id']}"
    shown = api.ok("GET", path)
    assert_unchanged(created.json, shown)
    assert "secret" not in shown

    changed = api.ok("PATCH", path, {"description": "", "events": ["life.*"], "headers": {"X-Only": "1"}})
    assert (changed["description"], changed["events"]) == ("", ["life.*"])
    assert changed["url"] == wanted["url"]
    assert changed["updated_at"] > created.json["updated_at"]
    api.ok("POST", "/api/events", {"type": "other.type", "data": 0})
    event = api.ok("POST", "/api/events", {"type": "life.begins", "data": 0})
    [request] = receiver.wait_for_count(1)
    assert request.id == event["id"]
    assert request.headers["x-only"] == "1"
    assert "authorization" not in request.headers

    assert api("DELETE", path).status == 204
    for method in ("GET", "DELETE"):
        assert_problem(api(method, path), 404)
    assert_problem(api("PATCH", path, {}), 404)
    assert_problem(api("POST", f"{path}/test"), 404)
    assert api.ok("POST", "/api/events", {"type": "life.begins", "data": 0})["deliveries"] == 0


def test_a_secret_is_shown_once_and_written_nowhere(suite: Ogel, receiver: Receiver) -> None:
    api = suite.api
    given = {"url": receiver.url(), "events": ["secret.*"], "secret": GIVEN_SECRET}
    created = api.ok("POST", "/api/webhooks", given)
    assert created["secret"] == GIVEN_SECRET
    made = api.ok("POST", "/api/webhooks", {"url": receiver.url("/other"), "events": ["secret.*"]})
    event = api.ok("POST", "/api/events", {"type": "secret.kept", "data": 0})
    receiver.wait_for_count(2)
    by_path = {request.path: request for request in receiver.requests}
    receiver.requests[:] = [by_path["/hook"]]
    receiver.verify_all(GIVEN_SECRET)
    receiver.requests[:] = [by_path["/other"]]
    receiver.verify_all(made["secret"])

    seen = [
        json.dumps(all_pages(api, path, 100))
        for path in ("/api/webhooks", "/api/audit-logs", "/api/deliveries", "/api/jobs", "/api/events")
    ]
    seen.append(json.dumps(api.ok("GET", f"/api/webhooks/{created['id']}")))
    seen.append(json.dumps(api.ok("PATCH", f"/api/webhooks/{created['id']}", {"description": "x"})))
    seen.append(json.dumps(api.ok("GET", f"/api/events/{event['id']}")))
    seen.append(suite.log_text())
    for secret in (GIVEN_SECRET, made["secret"]):
        bare = secret.removeprefix("whsec_")
        assert all(bare not in text for text in seen)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_!!!!" + "a" * 40, "whsec_c2hvcnQ=" + "A" * 12, "é" * 40])
def test_a_secret_that_is_none_is_refused(api: Client, secret: str) -> None:
    wanted = {"url": "http://127.0.0.1:1/", "events": ["a.b"], "secret": secret}
    assert_problem(api("POST", "/api/webhooks", wanted), 422, "body.secret")


def test_globs_choose_the_events(api: Client, receiver: Receiver) -> None:
    hooks = {
        glob: api.ok("POST", "/api/webhooks", {"url": receiver.url(f"/{n}"), "events": [glob]})
        for n, glob in enumerate(["gl.*", "gl.a_b", "*", "*.c", "gl.*.d"])
    }
    wanted = {
        "gl.a_b": {"gl.*", "gl.a_b", "*"},
        "gl.axb": {"gl.*", "*"},
        "gl.a.c": {"gl.*", "*", "*.c"},
        "gl.x.y.d": {"gl.*", "*", "gl.*.d"},
        "glow.a": {"*"},
    }
    for type, globs in wanted.items():
        event = api.ok("POST", "/api/events", {"type": type, "data": 0})
        deliveries = api.ok("GET", f"/api/deliveries?event={event['id']}")["items"]
        assert {each["webhook"] for each in deliveries} == {hooks[glob]["id"] for glob in globs}, type
        assert event["deliveries"] == len(globs)
    for hook in hooks.values():
        api.ok("DELETE", f"/api/webhooks/{hook['id']}")


def test_a_paused_endpoint_waits_and_then_hears_everything(api: Client, receiver: Receiver) -> None:
    hook = api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": ["pause.*"]})
    path = f"/api/webhooks/{hook['id']}"
    assert api.ok("PATCH", path, {"state": "paused"})["state"] == "paused"
    ids = [api.ok("POST", "/api/events", {"type": "pause.on", "data": n})["id"] for n in range(3)]
    assert {delivery_of(api, id)["status"] for id in ids} == {"pending"}
    held = api.ok("GET", "/api/jobs?queue=webhooks&status=held")["items"]
    assert {job["key"] for job in held} == {hook["id"]}
    assert len(held) == 3
    assert_problem(api("POST", f"{path}/test"), 409)
    assert receiver.requests == []

    api.ok("PATCH", path, {"state": "enabled"})
    receiver.wait_for_ids(ids, 10)
    for id in ids:
        assert settled(api, id, "delivered")["attempts"] == 1
    assert sum(receiver.ids().values()) == 3


def test_a_retry_waits_for_a_paused_endpoint_too(api: Client, receiver: Receiver) -> None:
    hook = api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": ["again.*"]})
    path = f"/api/webhooks/{hook['id']}"
    event = api.ok("POST", "/api/events", {"type": "again.please", "data": 0})
    delivery = settled(api, event["id"], "delivered")
    api.ok("PATCH", path, {"state": "paused"})
    api.ok("POST", f"/api/deliveries/{delivery['id']}/retry")
    [job] = api.ok("GET", "/api/jobs?queue=webhooks&status=held")["items"]
    assert job["payload"] == {"delivery": delivery["id"]}
    api.ok("PATCH", path, {"state": "enabled"})
    receiver.wait_for_count(2)
    assert receiver.ids() == {event["id"]: 2}


def test_a_paused_test_endpoint_is_not_tested(api: Client, receiver: Receiver) -> None:
    receiver.answer = lambda _: Answer(after_seconds=2)
    sent = api.ok("POST", "/api/test-webhook", {"url": receiver.url("/paused")})
    api.ok("PATCH", f"/api/webhooks/{sent['webhook']}", {"state": "paused"})
    assert_problem(api("POST", "/api/test-webhook", {"url": receiver.url("/paused")}), 409)


def test_deleting_an_endpoint_cancels_what_waits_for_it(api: Client, receiver: Receiver) -> None:
    hook = api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": ["gone.*"]})
    path = f"/api/webhooks/{hook['id']}"
    api.ok("PATCH", path, {"state": "paused"})
    event = api.ok("POST", "/api/events", {"type": "gone.soon", "data": 0})
    assert api("DELETE", path).status == 204
    found = delivery_of(api, event["id"])
    assert (found["status"], found["attempts"], found["next_attempt_at"]) == ("cancelled", 0, None)
    assert found["finished_at"]
    assert [job for job in api.ok("GET", "/api/jobs")["items"] if job["key"] == hook["id"]] == []
    assert_problem(api("POST", f"/api/deliveries/{found['id']}/retry"), 409)
    assert receiver.requests == []


def test_a_test_reaches_one_endpoint_only(api: Client, receiver: Receiver) -> None:
    hook = api.ok("POST", "/api/webhooks", {"url": receiver.url("/asked"), "events": ["nothing.here"]})
    api.ok("POST", "/api/webhooks", {"url": receiver.url("/other"), "events": ["webhook.tested"]})
    sent = api("POST", f"/api/webhooks/{hook['id']}/test")
    assert sent.status == 202
    assert (sent.json["deliveries"], sent.json["webhook"], sent.json["secret"]) == (1, hook["id"], None)
    [request] = receiver.wait_for_ids([sent.json["id"]], 10)
    assert request.path == "/asked"
    receiver.verify_all(hook["secret"])
    assert json.loads(request.body)["type"] == "webhook.test"
    assert api.ok("GET", f"/api/events/{sent.json['id']}")["deliveries"] == 1


def test_the_seeds_test_route_sends_to_a_url(api: Client, receiver: Receiver) -> None:
    sent = api("POST", "/api/test-webhook", {"url": receiver.url("/once")})
    assert sent.status == 202
    receiver.wait_for_ids([sent.json["id"]], 10)
    receiver.verify_all(sent.json["secret"])
    again = api.ok("POST", "/api/test-webhook", {"url": receiver.url("/once")})
    settled(api, again["id"], "delivered")
    api.ok("POST", "/api/events", {"type": "some.thing", "data": 0})
    assert len(receiver.requests) == 2


@pytest.mark.parametrize("status", [200, 503, 410])
def test_a_test_of_a_url_leaves_nothing_behind_but_its_log(
    api: Client, receiver: Receiver, status: int
) -> None:
    before = {each["id"] for each in all_pages(api, "/api/webhooks", 100)}
    receiver.answer = lambda _: Answer(status)
    sent = api.ok("POST", "/api/test-webhook", {"url": receiver.url("/nobody")})
    assert {each["id"] for each in all_pages(api, "/api/webhooks", 100)} == before
    delivery = settled(api, sent["id"], "delivered" if status == 200 else "failed")
    eventually(lambda: api("GET", f"/api/webhooks/{sent['webhook']}").status == 404, 10, "it to be forgotten")
    [attempt] = api.ok("GET", f"/api/deliveries/{delivery['id']}")["log"]
    assert attempt["response_status"] == status
    assert [
        job for job in api.ok("GET", "/api/jobs?limit=100")["items"] if job["key"] == sent["webhook"]
    ] == []
    again = api.ok("POST", "/api/test-webhook", {"url": receiver.url("/nobody")})
    assert again["webhook"] != sent["webhook"]


def test_a_test_of_a_url_whose_job_is_discarded_is_forgotten_too(api: Client, receiver: Receiver) -> None:
    receiver.answer = lambda _: Answer(after_seconds=1)
    first = api.ok("POST", "/api/test-webhook", {"url": receiver.url("/busy")})
    receiver.wait_for_ids([first["id"]], 10)  # otherwise the pause could come before its request
    # It waits for the first one's place.
    second = api.ok("POST", "/api/test-webhook", {"url": receiver.url("/busy")})
    assert second["webhook"] == first["webhook"]
    path = f"/api/webhooks/{first['webhook']}"
    api.ok("PATCH", path, {"state": "paused"})
    settled(api, first["id"], "delivered")
    assert api("GET", path).status == 200
    job = delivery_of(api, second["id"])["id"].replace("dlv_", "job_")
    api.ok("DELETE", f"/api/jobs/{job}")
    eventually(lambda: api("GET", path).status == 404, 10, "it to be forgotten")


def test_a_test_endpoint_that_is_given_events_stays(api: Client, receiver: Receiver) -> None:
    receiver.answer = lambda _: Answer(after_seconds=1)
    sent = api.ok("POST", "/api/test-webhook", {"url": receiver.url("/kept")})
    path = f"/api/webhooks/{sent['webhook']}"
    api.ok("PATCH", path, {"events": ["kept.*"]})
    receiver.answer = lambda _: Answer()
    settled(api, sent["id"], "delivered")
    event = api.ok("POST", "/api/events", {"type": "kept.one", "data": 0})
    settled(api, event["id"], "delivered")
    assert api.ok("GET", path)["events"] == ["kept.*"]
    api.ok("DELETE", path)


@pytest.mark.parametrize("raw", [b"", b"{}", b'{"url":null}'])
def test_without_a_url_everyone_who_listens_is_tested(api: Client, receiver: Receiver, raw: bytes) -> None:
    hook = api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": ["webhook.*"]})
    sent = api("POST", "/api/test-webhook", raw=raw)
    assert sent.status == 202
    assert sent.json["deliveries"] == 1
    receiver.wait_for_ids([sent.json["id"]], 10)
    api.ok("DELETE", f"/api/webhooks/{hook['id']}")


def test_endpoints_come_in_pages_newest_first(api: Client) -> None:
    made = [
        api.ok("POST", "/api/webhooks", {"url": f"http://127.0.0.1:1/{n}", "events": ["no.one"]})["id"]
        for n in range(7)
    ]
    listed = [hook["id"] for hook in all_pages(api, "/api/webhooks", 3)]
    assert listed[:7] == made[::-1]
    assert len(set(listed)) == len(listed)


def test_every_change_is_on_record(api: Client, receiver: Receiver) -> None:
    hook = api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": ["audit.*"]})
    path = f"/api/webhooks/{hook['id']}"
    api.ok("PATCH", path, {"state": "paused"})
    api.ok("PATCH", path, {"state": "enabled", "description": "x"})
    api.ok("POST", f"{path}/test")
    api.ok("DELETE", path)
    records = all_pages(api, "/api/audit-logs", 2, resource_id=hook["id"])
    actions = [record["action"] for record in records]
    assert actions == ["webhook.delete", "webhook.test", "webhook.update", "webhook.update", "webhook.create"]
    assert records[2]["metadata"] == {"changed": ["description", "state"]}
    assert {record["actor"] for record in records} == {"admin"}
