"""/api/messages and /api/devices: texts and push, from the request to the provider and back to whoever asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.carriers import (
    FCM_PATH,
    PROJECT,
    SECRETS,
    TOKEN_PATH,
    TWILIO_PATH,
    VAPID_PRIVATE,
    VONAGE_PATH,
    Browser,
    Carriers,
    fcm_error,
    twilio_error,
)
from tests.support.cli import ogel, ogel_here
from tests.support.contract import all_pages, assert_problem
from tests.support.process import SECRET, Client, Ogel, eventually
from tests.support.receiver import Answer, Receiver

NUMBERS = iter(range(10_000_000, 99_999_999))


@pytest.fixture(scope="module")
def suite(
    suite_servers: dict[str, str], carriers: Carriers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ogel]:
    log = tmp_path_factory.mktemp("suite") / "ogel.log"
    environment = {**suite_servers, **carriers.environment}
    with Ogel("api", "--with", "worker,scheduler", log=log, **environment) as suite:
        yield suite
        text = suite.log_text()
        assert not [secret for secret in SECRETS if secret in text]


def number() -> str:
    return f"+4915{next(NUMBERS)}"


def text(api: Client, to: Any, **more: Any) -> list[Any]:
    items: list[Any] = api.ok("POST", "/api/messages", {"channel": "sms", "to": to, "text": "hello", **more})[
        "items"
    ]
    return items


def push(api: Client, to: Any, **more: Any) -> list[Any]:
    body = {"channel": "push", "to": to, "title": "Hi", "body": "there", **more}
    items: list[Any] = api.ok("POST", "/api/messages", body)["items"]
    return items


def app(api: Client, token: str, **more: Any) -> Any:
    return api.ok("POST", "/api/devices", {"provider": "fcm", "token": token, **more})


def browser(api: Client, browser: Browser, endpoint: str, **more: Any) -> Any:
    wanted = {"provider": "webpush", "subscription": browser.subscription(endpoint), **more}
    return api.ok("POST", "/api/devices", wanted)


def ended(api: Client, id: str, status: str, seconds: float = 20.0) -> Any:
    def look() -> Any:
        found = api.ok("GET", f"/api/messages/{id}")
        return found if found["status"] == status else None

    return eventually(look, seconds, f"message {id} to be {status}")


def events(api: Client, type: str, id: str) -> list[Any]:
    found = api.ok("GET", f"/api/events?type={type}&limit=100")["items"]
    return [each["data"] for each in found if each["data"]["id"] == id]


def job_of(message: Any) -> str:
    return "job_" + message["id"].removeprefix("msg_")


def test_a_text_goes_out_by_twilio(api: Client, carriers: Carriers) -> None:
    to = [number(), number()]
    items = text(api, to, text="grüße & 100% 🎉")
    assert [(each["to"], each["status"]) for each in items] == [(each, "queued") for each in to]
    for item in items:
        message = ended(api, item["id"], "sent")
        assert message["title"] is None
        assert "100%" not in json.dumps([message, api.ok("GET", "/api/messages")], ensure_ascii=False)
        assert (message["provider"], message["provider_message_id"]) == ("twilio", f"SM{item['to']}")
        assert (message["attempts"], message["error"], message["next_attempt_at"]) == (1, None, None)
        [attempt] = message["log"]
        assert (attempt["provider"], attempt["outcome"], attempt["error"]) == ("twilio", "sent", None)
        [sent] = events(api, "message.sent", item["id"])
        assert (sent["to"], sent["channel"], sent["provider"]) == (item["to"], "sms", "twilio")
        assert "text" not in sent
    bodies = {form["To"]: form["Body"] for form in carriers.forms(TWILIO_PATH)}
    assert [bodies[each] for each in to] == ["grüße & 100% 🎉"] * 2
    audit = api.ok("GET", f"/api/audit-logs?resource_id={items[0]['id']}")["items"]
    assert [each["action"] for each in audit] == ["message.send"]


def test_vonage_takes_what_twilio_cannot(api: Client, carriers: Carriers) -> None:
    carriers.script(TWILIO_PATH, Answer(503))
    [item] = text(api, number(), text="naïve ☃")
    message = ended(api, item["id"], "sent")
    assert (message["provider"], message["provider_message_id"]) == ("vonage", f"V{item['to'][1:]}")
    tried = [(each["provider"], each["outcome"]) for each in message["log"]]
    assert tried == [("twilio", "failed"), ("vonage", "sent")]
    assert message["attempts"] == 2
    [form] = [each for each in carriers.forms(VONAGE_PATH) if each["to"] == item["to"][1:]]
    assert (form["text"], form["type"], form["client-ref"]) == ("naïve ☃", "unicode", item["id"])


def test_a_number_that_is_none_fails_for_good(api: Client, carriers: Carriers) -> None:
    carriers.script(TWILIO_PATH, twilio_error(21211))
    [item] = text(api, number())
    message = ended(api, item["id"], "failed")
    assert "21211" in message["error"]
    assert [each["provider"] for each in message["log"]] == ["twilio"]
    [failed] = events(api, "message.failed", item["id"])
    assert failed["error"] == message["error"]
    # Its job is dead until somebody decides; a retry revives both, and so does a retry of the job.
    assert api.ok("GET", f"/api/jobs/{job_of(item)}")["status"] == "dead"
    carriers.script(TWILIO_PATH, twilio_error(21614))
    again = api.ok("POST", f"/api/messages/{item['id']}/retry")
    assert (again["status"], again["finished_at"]) == ("queued", None)
    message = ended(api, item["id"], "failed")
    assert "21614" in message["error"] and len(message["log"]) == 2
    api.ok("POST", f"/api/jobs/{job_of(item)}/retry")
    assert len(ended(api, item["id"], "sent")["log"]) == 3
    assert_problem(api("POST", f"/api/messages/{item['id']}/retry"), 409)


def test_a_push_service_that_asks_for_an_hour_stops_nobody_else(api: Client, carriers: Carriers) -> None:
    with Receiver(lambda _: Answer(429, headers={"retry-after": "3600"})) as hostile:
        device = browser(api, Browser(), hostile.url("/push"))
        [item] = push(api, device["id"])
        waiting = eventually(
            lambda: (found := api.ok("GET", f"/api/messages/{item['id']}"))["log"] and found, 10, "an attempt"
        )
        assert waiting["status"] == "queued" and waiting["next_attempt_at"]
        other = browser(api, Browser(), carriers.push_url("other"))
        ended(api, push(api, other["id"])[0]["id"], "sent")
        # Its job is discarded, and then it has failed; a retry makes a new one.
        for times in (1, 2):
            assert api("DELETE", f"/api/jobs/{job_of(item)}").status == 204
            message = ended(api, item["id"], "failed")
            assert (message["error"], message["next_attempt_at"]) == ("its job was discarded", None)
            assert len(events(api, "message.failed", item["id"])) == times
            if times == 1:
                assert api.ok("POST", f"/api/messages/{item['id']}/retry")["status"] == "queued"
                eventually(
                    lambda: api.ok("GET", f"/api/messages/{item['id']}")["next_attempt_at"], 10, "a wait"
                )


def test_a_push_to_an_app(api: Client, carriers: Carriers) -> None:
    device = app(api, "token-of-app:1", subject="user/1")
    assert (device["service"], device["state"], device["subject"]) == ("fcm", "enabled", "user/1")
    assert "token-of-app" not in json.dumps(device)
    [item] = push(api, device["id"], data={"order": "17"}, ttl_seconds=3600)
    message = ended(api, item["id"], "sent")
    assert message["provider_message_id"] == f"projects/{PROJECT}/messages/token-of-app:1"
    assert message["title"] == "Hi"
    assert not {"content", "body", "data"} & message.keys()
    [request] = carriers.requests(FCM_PATH, "token-of-app:1")
    sent = json.loads(request.body)["message"]
    assert sent["notification"] == {"title": "Hi", "body": "there"}
    assert sent["data"] == {"order": "17"}
    assert 3500 < int(sent["android"]["ttl"].rstrip("s")) <= 3600
    assert int(sent["webpush"]["headers"]["TTL"]) == int(sent["android"]["ttl"].rstrip("s"))
    ended(api, push(api, device["id"])[0]["id"], "sent")
    assert len(carriers.requests(TOKEN_PATH)) == 1, "the token is used until shortly before it expires"


def test_a_push_waits_as_long_as_fcm_asks(api: Client, carriers: Carriers) -> None:
    device = app(api, "busy-app")
    carriers.script(FCM_PATH, fcm_error(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", retry_after="1"))
    [item] = push(api, device["id"])
    message = ended(api, item["id"], "sent")
    first, second = message["log"]
    assert (first["outcome"], second["outcome"]) == ("failed", "sent")
    assert "QUOTA_EXCEEDED" in first["error"]
    assert second["started_at"] > first["started_at"]


def test_a_push_to_a_browser_that_only_it_can_read(api: Client, carriers: Carriers) -> None:
    own = Browser()
    device = browser(api, own, carriers.push_url("one"), subject="user/2")
    assert device["service"] == carriers.url
    assert "/push/" not in json.dumps(device)
    [item] = push(api, [device["id"]], title="Grüße", data={"url": "/orders/17"}, ttl_seconds=0)
    message = ended(api, item["id"], "sent")
    assert (message["provider"], message["log"][0]["provider"]) == ("webpush", "webpush")
    [request] = carriers.requests("/push/one")
    assert json.loads(own.decrypt(request.body)) == {
        "title": "Grüße",
        "body": "there",
        "data": {"url": "/orders/17"},
    }
    assert request.headers["ttl"] == "0"
    public = api("GET", "/api/messages/vapid-public-key", key="").json["public_key"]
    assert f"k={public}" in request.headers["authorization"]


@pytest.mark.parametrize("kind", ["fcm", "webpush"])
def test_a_device_that_is_gone_is_disabled(api: Client, carriers: Carriers, kind: str) -> None:
    if kind == "fcm":
        path, device = FCM_PATH, app(api, "gone-app", subject="user/3")
        carriers.script(path, fcm_error(404, "NOT_FOUND", "UNREGISTERED"))
    else:
        path = "/push/gone"
        device = browser(api, Browser(), carriers.push_url("gone"), subject="user/3")
        carriers.script(path, Answer(410))
    [item] = push(api, device["id"])
    message = ended(api, item["id"], "failed")
    disabled = api.ok("GET", f"/api/devices/{device['id']}")
    assert (disabled["state"], disabled["disabled_reason"]) == ("disabled", message["error"])
    [gone] = events(api, "device.gone", device["id"])
    assert gone == {
        "id": device["id"],
        "provider": kind,
        "subject": "user/3",
        "reason": disabled["disabled_reason"],
    }
    # Later messages have failed at once, and nobody is asked.
    asked = len(carriers.requests(path))
    [late] = push(api, device["id"])
    assert late["status"] == "failed"
    found = api.ok("GET", f"/api/messages/{late['id']}")
    assert (found["error"], found["log"]) == (disabled["disabled_reason"], [])
    assert len(events(api, "message.failed", late["id"])) == 1
    assert len(carriers.requests(path)) == asked
    assert_problem(api("POST", f"/api/messages/{late['id']}/retry"), 409)


@pytest.mark.parametrize(
    ("status", "said", "shown"),
    [
        (
            401,
            b'{"code":401,"errno":109,"error":"Unauthorized","message":"InvalidSignature"}',
            "InvalidSignature",
        ),
        (403, b"permission denied: invalid JWT provided\n", "permission denied: invalid JWT provided"),
        (403, b'{"reason":"BadJwtToken"}', "BadJwtToken"),
        (401, b'{"code":401,"errno":109,"message":"VAPID public key mismatch"}', "VAPID public key mismatch"),
    ],
)
def test_a_push_service_that_refuses_our_token_costs_no_message(
    api: Client, carriers: Carriers, status: int, said: bytes, shown: str
) -> None:
    name = f"refused-{status}-{len(said)}"
    device = browser(api, Browser(), carriers.push_url(name))
    carriers.script(f"/push/{name}", Answer(status, body=said))
    [item] = push(api, device["id"])
    path = f"/api/messages/{item['id']}"
    waiting = eventually(lambda: (found := api.ok("GET", path))["log"] and found, 10, "an attempt")
    said_of_it = f"the push service answered {status}: {shown}"
    assert (waiting["status"], waiting["error"]) == ("queued", said_of_it)
    assert [each["error"] for each in waiting["log"]] == [said_of_it]
    assert api.ok("GET", f"/api/devices/{device['id']}")["state"] == "enabled"
    # Its service goes on with the others.
    [other] = push(api, browser(api, Browser(), carriers.push_url(f"{name}-other"))["id"])
    ended(api, other["id"], "sent")


def test_registering_again_enables_a_device(api: Client, carriers: Carriers) -> None:
    own, url = Browser(), carriers.push_url("again")
    device = browser(api, own, url, subject="user/4")
    carriers.script("/push/again", Answer(404))
    [item] = push(api, device["id"])
    ended(api, item["id"], "failed")
    other = Browser(secret=b"fedcba9876543210")
    wanted = {"provider": "webpush", "subscription": other.subscription(url), "subject": "user/5"}
    answer = api("POST", "/api/devices", wanted)
    assert answer.status == 200
    again = answer.json
    assert (again["id"], again["state"], again["subject"]) == (device["id"], "enabled", "user/5")
    api.ok("POST", f"/api/messages/{item['id']}/retry")
    ended(api, item["id"], "sent")
    assert json.loads(other.decrypt(carriers.requests("/push/again")[-1].body))["title"] == "Hi"
    listed = all_pages(api, "/api/devices", 1, subject="user/5")
    assert [each["id"] for each in listed] == [device["id"]]


def test_a_deleted_device_gets_nothing_more(api: Client, carriers: Carriers) -> None:
    device = browser(api, Browser(), carriers.push_url("deleted"))
    carriers.script("/push/deleted", Answer(503, headers={"retry-after": "1"}))
    [item] = push(api, device["id"])
    carriers.wait_for("/push/deleted")
    assert api("DELETE", f"/api/devices/{device['id']}").status == 204
    assert_problem(api("DELETE", f"/api/devices/{device['id']}"), 404)
    message = ended(api, item["id"], "failed")
    assert message["error"] == "its device was deleted"
    assert_problem(api("POST", f"/api/messages/{item['id']}/retry"), 409)
    assert_problem(api("POST", "/api/messages", _push_to(device["id"])), 422, "body.to")
    assert_problem(api("POST", "/api/messages", _push_to([device["id"]])), 422, "body.to[0]")


def _push_to(to: Any) -> dict[str, Any]:
    return {"channel": "push", "to": to, "title": "a", "body": "b"}


def test_a_key_stands_for_one_request(api: Client, carriers: Carriers) -> None:
    to = number()
    wanted = {"channel": "sms", "to": [to], "text": "once", "idempotency_key": "order-1"}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: api("POST", "/api/messages", wanted), range(24)))
    assert {each.status for each in answers} == {202}
    assert len({each.raw for each in answers}) == 1
    [item] = answers[0].json["items"]
    ended(api, item["id"], "sent")
    assert len([form for form in carriers.forms(TWILIO_PATH) if form["To"] == to]) == 1
    # The header says the same, and the order of fields does not matter.
    bare = {"text": "once", "to": [to], "channel": "sms"}
    answer = api("POST", "/api/messages", bare, headers={"Idempotency-Key": "order-1"})
    assert (answer.status, answer.raw) == (202, answers[0].raw)
    assert_problem(api("POST", "/api/messages", {**wanted, "text": "twice"}), 409)
    both = api("POST", "/api/messages", wanted, headers={"Idempotency-Key": "order-2"})
    assert_problem(both, 422, "body.idempotency_key")
    for wrong in ("", "a b", "x" * 256):
        refused = api("POST", "/api/messages", bare, headers={"Idempotency-Key": wrong})
        assert_problem(refused, 422, "header.Idempotency-Key")


def test_messages_are_found_by_what_they_are(api: Client, carriers: Carriers) -> None:
    to = number()
    ids = [text(api, to)[0]["id"] for _ in range(3)]
    for id in ids:
        ended(api, id, "sent")
    assert [each["id"] for each in all_pages(api, "/api/messages", 2, to=to)] == ids[::-1]
    assert all_pages(api, "/api/messages", 2, to=to, status="failed") == []
    assert all_pages(api, "/api/messages", 2, to=to, channel="push") == []
    assert len(all_pages(api, "/api/messages", 2, to=to, channel="sms", status="sent")) == 3
    assert_problem(api("GET", "/api/messages/msg_none"), 404)


def test_webhooks_hear_of_messages(api: Client, carriers: Carriers) -> None:
    with Receiver() as receiver:
        hook = api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": ["message.*"]})
        [item] = text(api, number())
        receiver.wait_for(lambda all: any(item["id"].encode() in each.body for each in all), 15)
        api.ok("DELETE", f"/api/webhooks/{hook['id']}")


def test_the_command_line_sends_and_shows(
    api: Client, carriers: Carriers, suite_servers: dict[str, str]
) -> None:
    environment = {**suite_servers, **carriers.environment, "OGEL_SECRET": SECRET}
    to = number()
    sent = ogel("messages", "send", "--to", to, "--text", "from a shell", "--json", **environment)
    assert sent.code == 0, sent.err
    [item] = json.loads(sent.out)["items"]
    ended(api, item["id"], "sent")
    shown = ogel("messages", "show", item["id"], **environment)
    assert to in shown.out and "twilio" in shown.out and "from a shell" not in shown.out
    listed = ogel("messages", "list", "--to", to, "--json", **environment)
    assert [each["id"] for each in json.loads(listed.out)["items"]] == [item["id"]]
    for wrong, said in (
        (("--to", to, "--to", "123", "--text", "a"), "Error: --to 123: takes "),
        (("--to", to, "--to", to, "--text", "a"), f"Error: --to {to}: stands in the list already"),
        (("--to", to, "--text", ""), "Error: --text: "),
        (("--to", to, "--text", "a", "--ttl", "60"), "--ttl are of a push"),
        (("--device", "dev_none", "--title", "a", "--text", "b"), "--text is of a text"),
        (("--device", "dev_none", "--title", "a"), "Error: --device dev_none: there is no device"),
        (("--device", "dev_none", "--title", "a", "--ttl", "-1"), "Error: --ttl: "),
        (("--device", "dev_none", "--title", "a", "--data", "from=b"), "Error: --data: "),
    ):
        refused = ogel_here("messages", "send", *wrong, **environment)
        assert (refused.code, refused.out) == (2, "")
        assert said in refused.err and "body." not in refused.err, refused.err
    assert not [secret for secret in SECRETS if secret in shown.out + sent.out + listed.out]
    assert VAPID_PRIVATE not in ogel_here("settings", **environment).out
