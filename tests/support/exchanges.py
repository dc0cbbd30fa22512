"""
Every operation of the API asked once, as a user would: the exchanges become the examples of the OpenAPI document.

`make examples` writes them to ogel/examples.json; a test asks again and compares.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import msgspec

from ogel.adapters.embedded import EmbeddedServers
from ogel.kernel.clock import rfc3339, utc_now
from ogel.runtime.http.openapi import Example
from tests.support.carriers import TWILIO_PATH, Carriers, twilio_error
from tests.support.outside import Outside, an_outside_database
from tests.support.process import ADMIN_KEY, Client, Ogel, Response, eventually
from tests.support.receiver import Answer, Receiver, Request

FILE = Path(__file__).parents[2] / "ogel" / "examples.json"
EXAMPLES: Mapping[str, Example] = msgspec.json.decode(FILE.read_bytes(), type=dict[str, Example])
# Of a list, so many show how it goes on.
MOST_ITEMS = 2
MOST_LINES = 6
SETTINGS = {
    "OGEL_WEBHOOK_RETRY_DELAYS": "0.05",
    "OGEL_MAIL_FROM": "Shop <shop@example.com>",
    "OGEL_MAIL_PROVIDERS": "outbox",
    "OGEL_USAGE_FLUSH_SECONDS": "1",
    "OGEL_COMMIT": "8f14e45fceea167a5a36dedd4bea2543ab5c1f7e",
    "RAILWAY_DEPLOYMENT_ID": "0c5b9a3e-2f4d-4c4e-9a55-6d1f0f8f2a11",
}
MIGRATION = {
    "name": "0001_create_orders.sql",
    "sql": "CREATE TABLE orders (id bigint PRIMARY KEY, total numeric)",
}
# Of things that are somewhere else, or nowhere, in the reader's world.
_PLAIN = {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLw", "pid": 7, "user_agent": "curl/8.5.0"}


@dataclass
class Exchanges:
    """`by_id` are those of the document whose `paths` are given."""

    api: Client
    paths: Mapping[str, Any]
    plain: Mapping[str, str]
    by_id: dict[str, Example] = field(default_factory=dict)

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        form: Mapping[str, tuple[str, bytes]] | None = None,
        **parameters: str,
    ) -> Any:
        """
        `path` as the document has it, what it takes in `parameters`; `form`: files by field, with their names. Returns
        the answer, which must be a success.
        """
        operation = self.paths[path][method.lower()]
        where = path.format(**{name: quote(value, safe="") for name, value in parameters.items()})
        target = f"{where}?{urlencode(query)}" if query else where
        response = self.api(method, target, body, **({} if form is None else _encoded_form(form)))
        status = str(response.status)
        assert 200 <= response.status < 300 and status in operation["responses"], (
            f"{method} {where}: {status} {response.raw[:2000]!r}"
        )
        known = self.by_id.get(operation["operationId"])
        answer = _answer(response)
        example = Example(
            path=self._as_shown(parameters),
            query=self._as_shown(dict(query or {})),
            body=self._as_shown(body),
            answers={
                **(known.answers if known else {}),
                **({status: self._as_shown(answer)} if answer else {}),
            },
        )
        self.by_id[operation["operationId"]] = example
        return answer

    def told(self, method: str, path: str, body: Any, status: int, answer: Any, **parameters: str) -> None:
        """
        An exchange that takes servers, or an amount of something, which this suite does not have, as a test knows it.
        """
        operation = self.paths[path][method.lower()]
        assert str(status) in operation["responses"]
        known = self.by_id.get(operation["operationId"])
        self.by_id[operation["operationId"]] = Example(
            path=parameters,
            query={},
            body=body,
            answers={**(known.answers if known else {}), str(status): answer},
        )

    def _as_shown(self, value: Any) -> Any:
        text = json.dumps(_shortened(value))
        for real, shown in self.plain.items():
            text = text.replace(real, shown)
        return json.loads(text)


def _encoded_form(form: Mapping[str, tuple[str, bytes]]) -> dict[str, Any]:
    """As what a Client sends."""
    raw = b"".join(
        b'--form\r\nContent-Disposition: form-data; name="%b"; filename="%b"\r\n\r\n%b\r\n'
        % (field.encode(), filename.encode(), content)
        for field, (filename, content) in form.items()
    )
    return {"raw": raw + b"--form--\r\n", "headers": {"content-type": "multipart/form-data; boundary=form"}}


def _answer(response: Response) -> Any:
    """Of a text, its beginning."""
    if response.headers.get("content-type") == "application/json":
        return response.json
    return "".join(line + "\n" for line in response.raw.decode().splitlines()[:MOST_LINES])


def _shortened(value: Any) -> Any:
    if isinstance(value, list):
        return [_shortened(each) for each in value[:MOST_ITEMS]]
    if isinstance(value, dict):
        return {name: _plain(name, _shortened(each)) for name, each in value.items()}
    return value


def _plain(name: str, value: Any) -> Any:
    return _PLAIN[name] if name in _PLAIN and value is not None else value


@contextmanager
def exchanges(servers: Mapping[str, str], directory: Path) -> Iterator[Exchanges]:
    def answer(request: Request) -> Answer:
        return Answer(500 if request.path == "/broken" else 204)

    with (
        Receiver(answer) as receiver,
        Carriers() as carriers,
        an_outside_database(servers["DATABASE_URL"]) as outside,
        Ogel(
            "api",
            "--with",
            "worker,scheduler,realtime",
            log=directory / "ogel.log",
            OGEL_DATA_DIR=str(directory / "data"),
            **servers,
            **SETTINGS,
            **carriers.environment,
        ) as ogel,
    ):
        plain = {
            f'"host": "{outside.host}"': '"host": "db.example.com"',
            outside.name: "shop",
            outside.role: "shop",
            f"127.0.0.1:{receiver.port}": "shop.example.com",
            f":{outside.port}": ":5432",
            f'"port": {outside.port}': '"port": 5432',
            str(directory): "/data",
            socket.gethostname(): "ogel-1",
        }
        ask = Exchanges(ogel.api, ogel.api.ok("GET", "/openapi.json")["paths"], plain)
        _all(ask, receiver, carriers, outside)
        yield ask


def _all(ask: Exchanges, receiver: Receiver, carriers: Carriers, outside: Outside) -> None:
    _webhooks_and_events(ask, receiver)
    _listener(ask)
    _channels(ask)
    _streams(ask)
    _jobs(ask)
    _replays(ask)
    _messages(ask, carriers)
    _mail(ask)
    _databases(ask, outside)
    _schedules(ask)
    _backups(ask)
    _keys(ask)
    _teams(ask)
    _people(ask)
    _sessions(ask)
    _gateway(ask)
    _releases(ask)
    _storage(ask)
    _operators(ask)


def _webhooks_and_events(ask: Exchanges, receiver: Receiver) -> None:
    one = "/api/webhooks/{id}"
    new = {"url": receiver.url(), "events": ["order.*"], "description": "The shop", "max_in_flight": 8}
    id = ask("POST", "/api/webhooks", new)["id"]
    ask("GET", "/api/webhooks", query={"limit": 2})
    ask("PATCH", one, {"events": ["order.*", "customer.created"]}, id=id)
    ask("POST", f"{one}/test", id=id)
    ask("POST", "/api/test-webhook", {"url": receiver.url("/try")})
    ask("POST", f"{one}/rotate-secret", {"overlap_seconds": 86400}, id=id)
    ask("GET", f"{one}/secrets", id=id)
    event = {"type": "order.created", "data": {"total": 42}, "id": "order-1", "subject": "order/1"}
    ask("POST", "/api/events", event)
    ask("GET", "/api/events", query={"type": "order.created", "limit": 2})
    ask("GET", "/api/events/{id}", id="order-1")
    receiver.wait_for_ids(["order-1"], 15)
    eventually(lambda: _delivery(ask.api, "order-1")["status"] == "delivered", 15, "order-1 to be delivered")
    ask("GET", one, id=id)
    ask("GET", "/api/deliveries", query={"event": "order-1"})
    ask("GET", "/api/deliveries/{id}", id=_delivery(ask.api, "order-1")["id"])
    hour_ago = rfc3339(utc_now() - timedelta(hours=1))
    ask("GET", "/api/attempts", query={"since": hour_ago, "webhook": id, "outcome": "delivered,failed"})
    ask("GET", f"{one}/waiting", id=id)
    broken = ask.api.ok("POST", "/api/webhooks", {"url": receiver.url("/broken"), "events": ["broken.*"]})
    ids = [_failed(ask.api, number) for number in range(4)]
    ask("POST", "/api/deliveries/{id}/retry", id=ids[0])
    unused = ask.api.ok("POST", "/api/webhooks", {"url": receiver.url("/unused"), "events": ["unused"]})
    ask("DELETE", one, id=unused["id"])
    assert broken["id"]


def _listener(ask: Exchanges) -> None:
    wanted = {"kind": "listener", "url": "http://localhost:3000/hook", "events": ["laptop.*"]}
    id = ask.api.ok("POST", "/api/webhooks", wanted)["id"]
    ask.api.ok("POST", f"/api/webhooks/{id}/handovers?wait=0")
    ask.api.ok("POST", "/api/events", {"type": "laptop.opened", "data": {}, "id": "laptop-1"})
    taken = ask("POST", "/api/webhooks/{id}/handovers", query={"wait": 10}, id=id)
    said = {"answered": {"status": 200, "headers": [["content-type", "text/plain"]], "body": "b2s="}}
    ask("POST", "/api/webhooks/{id}/handovers/{handover}", said, id=id, handover=taken["items"][0]["id"])
    ask.api.ok("DELETE", f"/api/webhooks/{id}")


def _failed(api: Client, number: int) -> str:
    api.ok("POST", "/api/events", {"type": "broken.order", "data": number, "id": f"broken-{number}"})
    eventually(lambda: _delivery(api, f"broken-{number}")["status"] == "failed", 15, "it to have failed")
    return str(_delivery(api, f"broken-{number}")["id"])


def _delivery(api: Client, event: str) -> Any:
    return api.ok("GET", f"/api/deliveries?event={event}")["items"][0]


def _gateway(ask: Exchanges) -> None:
    ask("PUT", "/api/maintenance", {"message": "Back at noon.", "retry_after_seconds": 600})
    ask("GET", "/api/maintenance")
    ask("DELETE", "/api/maintenance")


def _releases(ask: Exchanges) -> None:
    ask("GET", "/api/release")


def _channels(ask: Exchanges) -> None:
    rules = {
        "history_size": 500,
        "history_seconds": 86400,
        "subscribe_roles": ["users"],
        "publish_roles": ["team:support"],
    }
    ask("PUT", "/api/realtime/namespaces/{name}", rules, name="chat")
    ask("GET", "/api/realtime/namespaces")
    message = {"data": {"text": "Hello"}, "tags": {"from": "ann"}, "idempotency_key": "msg-17"}
    ask("POST", "/api/channels/{name}/publish", message, name="chat:17")
    batch = [{"channel": "chat:17", "data": {"text": "How are you?"}}, {"channel": "scores", "data": [2, 1]}]
    ask("POST", "/api/channels/publish", batch)
    ask("GET", "/api/channels", query={"prefix": "chat:"})
    ask("GET", "/api/channels/{name}/history", query={"since": 0}, name="chat:17")
    ask(
        "POST",
        "/api/channels/{name}/token",
        {"user": "5f0c6e0e-6d7c-4c5e-9d0a-1f1f0c6f0d3a", "seconds": 600},
        name="chat:17",
    )
    ask("DELETE", "/api/realtime/namespaces/{name}", name="chat")


def _streams(ask: Exchanges) -> None:
    eventually(lambda: b"feed_connected 1.0" in ask.api("GET", "/metrics").raw, 10, "the feed")
    query = {"events": "order.*,chat.said"}

    async def publish() -> None:
        await asyncio.to_thread(ask.api.ok, "POST", "/api/events", {"type": "chat.said", "data": "Hello"})

    async def heard() -> tuple[list[Any], str]:
        headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
        base = f"http://127.0.0.1:{ask.api.port}"
        async with (
            asyncio.timeout(20),
            aiohttp.ClientSession(base, headers=headers) as http,
            http.ws_connect("/realtime/websocket", params=query) as socket,
            http.get("/realtime/sse", params=query) as stream,
        ):
            ready = await socket.receive_json(), await stream.content.readuntil(b"\n\n")
            await publish()
            event = await socket.receive_json(), await stream.content.readuntil(b"\n\n")
        return [ready[0], event[0]], (ready[1] + event[1]).decode()

    frames, text = asyncio.run(heard())
    ask.by_id["get_realtime_websocket"] = Example(query=query, answers={"101": frames})
    ask.by_id["get_realtime_sse"] = Example(query=query, answers={"200": text})


def _jobs(ask: Exchanges) -> None:
    def dead() -> list[str]:
        found = ask.api.ok("GET", "/api/jobs?queue=webhooks&status=dead")["items"]
        return [each["id"] for each in found]

    eventually(lambda: len(dead()) == 4, 15, "dead jobs")
    ask("GET", "/api/jobs", query={"queue": "webhooks", "status": "dead", "limit": 2})
    first, second, *_ = dead()
    ask("GET", "/api/jobs/{id}", id=first)
    ask("POST", "/api/jobs/{id}/retry", id=first)
    ask("DELETE", "/api/jobs/{id}", id=second)
    ask("POST", "/api/jobs/retry", {"queue": "webhooks", "kind": "webhooks.deliver"})
    ask("POST", "/api/jobs/purge", {"queue": "webhooks"})
    ask("GET", "/api/queues")
    ask("POST", "/api/queues/{name}/pause", name="webhooks")
    ask.api.ok("POST", "/api/events", {"type": "order.paid", "data": 42, "id": "order-2"})
    waiting = ask.api.ok("GET", "/api/jobs?queue=webhooks&status=pending&limit=1")["items"][0]
    ask("POST", "/api/jobs/{id}/cancel", id=waiting["id"])
    ask("POST", "/api/queues/{name}/resume", name="webhooks")
    ask("GET", "/api/workers")


def _replays(ask: Exchanges) -> None:
    hour_ago = rfc3339(utc_now() - timedelta(hours=1))
    [webhook] = [
        each["id"]
        for each in ask.api.ok("GET", "/api/webhooks")["items"]
        if each["description"] == "The shop"
    ]
    # More than go out while it is looked at.
    ask.api.ok("POST", "/api/events", [{"type": "order.shipped", "data": number} for number in range(50)])
    wanted = {"since": hour_ago, "only": "all", "events": ["order.*"]}
    ask("POST", "/api/webhooks/{id}/replay", {**wanted, "dry_run": True}, id=webhook)
    id = ask("POST", "/api/webhooks/{id}/replay", {**wanted, "per_second": 1}, id=webhook)["id"]
    ask("GET", "/api/replays", query={"webhook": webhook})
    ask("GET", "/api/replays/{id}", id=id)
    for change in ("pause", "resume", "cancel"):
        ask("POST", f"/api/replays/{{id}}/{change}", id=id)


def _messages(ask: Exchanges, carriers: Carriers) -> None:
    ask("GET", "/api/messages/vapid-public-key")
    new = {"provider": "fcm", "token": "token-of-the-app", "subject": "customer/7"}
    device = ask("POST", "/api/devices", new)["id"]
    ask("POST", "/api/devices", new)
    ask("GET", "/api/devices", query={"subject": "customer/7"})
    ask("GET", "/api/devices/{id}", id=device)
    carriers.script(TWILIO_PATH, twilio_error(21211))
    wanted = {"channel": "sms", "to": "+15005550009", "text": "Your order is on its way."}
    id = ask("POST", "/api/messages", wanted)["items"][0]["id"]
    eventually(lambda: ask.api.ok("GET", f"/api/messages/{id}")["status"] == "failed", 15, "it to be refused")
    ask("GET", "/api/messages", query={"channel": "sms"})
    ask("GET", "/api/messages/{id}", id=id)
    ask("POST", "/api/messages/{id}/retry", id=id)
    ask("DELETE", "/api/devices/{id}", id=device)


def _mail(ask: Exchanges) -> None:
    ask("GET", "/api/mail/templates")
    welcome = {"app": "Shop", "name": "Ann", "url": "https://shop.example.com/start"}
    letter = {
        "to": "ann@example.com",
        "template": "welcome",
        "data": welcome,
        "idempotency_key": "welcome-ann",
    }
    id = ask("POST", "/api/mail", letter)["items"][0]["id"]
    eventually(lambda: ask.api.ok("GET", f"/api/mail/{id}")["status"] == "sent", 15, "it to be sent")
    ask("GET", "/api/mail", query={"status": "sent"})
    ask("GET", "/api/mail/{id}", id=id)
    ask(
        "POST",
        "/api/mail/suppressions",
        {"address": "bob@example.com", "reason": "manual", "detail": "asked by phone"},
    )
    ask("GET", "/api/mail/suppressions")
    kept = ask.api.ok("POST", "/api/mail", {"to": "bob@example.com", "subject": "Hello", "text": "Hello Bob"})
    ask("DELETE", "/api/mail/suppressions/{address}", address="bob@example.com")
    ask("POST", "/api/mail/{id}/retry", id=kept["items"][0]["id"])


def _databases(ask: Exchanges, outside: Outside) -> None:
    one = "/api/databases/{id}"
    id = ask("POST", "/api/databases", {"name": "orders-eu", **outside.parts})["id"]
    ask("GET", "/api/databases", query={"type": "postgresql"})
    ask("PATCH", one, {"labels": {"team": "shop"}}, id=id)
    ask("POST", f"{one}/check", id=id)
    eventually(
        lambda: ask.api.ok("GET", f"/api/databases/{id}")["check"]["state"] == "reachable", 25, "a check"
    )
    ask("GET", one, id=id)
    ask("GET", f"{one}/stats", id=id)
    ask("POST", f"{one}/migrations", {"files": [MIGRATION], "dry_run": True}, id=id)
    run = ask("POST", f"{one}/migrations", {"files": [MIGRATION]}, id=id)["id"]
    url = f"/api/databases/{id}/migrations/{run}"
    eventually(lambda: ask.api.ok("GET", url)["status"] == "succeeded", 25, "the migrations to be applied")
    ask("GET", f"{one}/migrations", id=id)
    ask("GET", f"{one}/migrations/{{run}}", id=id, run=run)
    ask("GET", f"{one}/schemas", id=id)
    ask("GET", f"{one}/tables", query={"schema": "public"}, id=id)
    for kind in ("columns", "indexes"):
        ask("GET", f"{one}/{kind}", query={"schema": "public", "table": "orders"}, id=id)
    ask("GET", f"{one}/extensions", id=id)
    ask.api.ok("POST", "/api/queues/databases/pause")
    more = {"name": "0002_add_note.sql", "sql": "ALTER TABLE orders ADD COLUMN note text"}
    waiting = ask.api.ok("POST", f"/api/databases/{id}/migrations", {"files": [MIGRATION, more]})["id"]
    ask("POST", f"{one}/migrations/{{run}}/cancel", id=id, run=waiting)
    ask.api.ok("POST", "/api/queues/databases/resume")
    ask("DELETE", one, id=id)


def _schedules(ask: Exchanges) -> None:
    one = "/api/schedules/{name}"
    new = {"name": "nightly-report", "cron": "30 2 * * mon-fri", "timezone": "Europe/Berlin"}
    ask("POST", "/api/schedules", {**new, "event": {"type": "report.due", "data": {"of": "sales"}}})
    ask("GET", "/api/schedules", query={"limit": 2})
    ask("PATCH", one, {"cron": "0 3 * * mon-fri"}, name="nightly-report")
    ask("POST", f"{one}/run", name="nightly-report")
    ask("GET", one, name="nightly-report")
    for change in ("pause", "resume"):
        ask("POST", f"{one}/{change}", name="nightly-report")
    ask("DELETE", one, name="nightly-report")


def _backups(ask: Exchanges) -> None:
    id = ask("POST", "/api/backups", {"note": "before the move"})["id"]
    eventually(lambda: ask.api.ok("GET", f"/api/backups/{id}")["status"] == "complete", 30, "the backup")
    ask("GET", "/api/backups", query={"status": "complete"})
    ask("GET", "/api/backups/{id}", id=id)
    ask("POST", "/api/backups/{id}/verify", id=id)
    verified = "verified_at"
    eventually(lambda: ask.api.ok("GET", f"/api/backups/{id}")[verified], 30, "its verification")
    ask("DELETE", "/api/backups/{id}", id=id)


def _buckets(ask: Exchanges) -> None:
    rules = {"allowed_mime_types": ["image/*"], "permissions": {"read": ["users"], "update": ["owner"]}}
    lifecycle = [{"prefix": "drafts/", "age_days": 30}]
    ask("POST", "/api/storage/buckets", {"id": "photos", "quota_bytes": 10_000_000_000, **rules})
    ask("GET", "/api/storage/buckets")
    ask("GET", "/api/storage/buckets/{bucket}", bucket="photos")
    ask("PATCH", "/api/storage/buckets/{bucket}", {"lifecycle": lifecycle}, bucket="photos")
    empty = "/api/storage/buckets/{bucket}/empty"
    ask("POST", empty, bucket="photos")
    ask.told("POST", empty, None, 202, {"done": False}, bucket="photos")  # what a job goes on with
    ask("DELETE", "/api/storage/buckets/{bucket}", bucket="photos")


def _storage(ask: Exchanges) -> None:
    _buckets(ask)
    ask("POST", "/api/storage/upload", form={"file": ("report.pdf", b"%PDF-1.7")})
    ask("GET", "/api/storage/usage")
    key = ask("POST", "/api/s3-keys", {"name": "photos", "buckets": ["photos"], "read_only": True})
    ask("GET", "/api/s3-keys", query={"limit": 2})
    ask("GET", "/api/s3-keys/{id}", id=key["access_key_id"])
    ask("DELETE", "/api/s3-keys/{id}", id=key["access_key_id"])
    ask("POST", "/api/storage/gc")
    ask("POST", "/api/storage/verify", {"sample": 0.1})
    _direct_uploads(ask)


def _direct_uploads(ask: Exchanges) -> None:
    new = {"bucket": "uploads", "name": "film.mp4", "size": 734003200, "content_type": "video/mp4"}
    id = "0b6f9a6e-6d7c-4c5e-9d0a-1f1f0c6f0d3a"
    url = "https://bucket.storage.railway.app/blobs/5f/5f3c?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=9d1b"
    begun = {
        "id": id,
        "method": "PUT",
        "url": url,
        "headers": {"content-length": "734003200", "content-type": "video/mp4"},
        "expires_at": "2026-11-29T13:00:00.000000Z",
    }
    stored = {
        "id": "7f1a3a52-8a3e-4c53-a2a8-6f0f6f6f2f10",
        "etag": '"a2fbd87f6f2a4fbd6f0c3d9f3e2f1a0b"',
        **new,
    }
    ask.told("POST", "/api/storage/direct-uploads", new, 201, begun)
    ask.told("POST", "/api/storage/direct-uploads/{id}/confirm", None, 200, stored, id=id)


def _keys(ask: Exchanges) -> None:
    one = "/api/keys/{id}"
    id = ask(
        "POST", "/api/keys", {"name": "shop", "scopes": ["events:write"], "networks": ["203.0.113.0/24"]}
    )["id"]
    ask("GET", "/api/keys", query={"limit": 2})
    new = ask("POST", f"{one}/rotate", {"overlap_seconds": 3600}, id=id)["id"]
    ask("GET", one, id=id)
    ask("DELETE", one, id=new)


def _teams(ask: Exchanges) -> None:
    one, members, invitations = "/api/teams/{id}", "/api/teams/{id}/members", "/api/teams/{id}/invitations"
    ada, ben = (_signed_in(ask.api, name) for name in ("ada", "ben"))
    id = ask("POST", "/api/teams", {"name": "Blue", "owner": ada["user"]["id"]})["id"]
    ask("GET", "/api/teams", query={"limit": 2})
    ask("GET", one, id=id)
    ask("PATCH", one, {"name": "Blue whales"}, id=id)
    invited = {"email": "ben@example.com", "roles": ["editor"], "send": False}
    token = ask("POST", invitations, invited, id=id)["url"].partition("team_invitation=")[2]
    ask("GET", invitations, id=id)
    as_ben = Exchanges(Client(ask.api.port, key=ben["access_token"]), ask.paths, ask.plain, ask.by_id)
    member = as_ben("POST", "/api/teams/invitations/accept", {"token": token})["id"]
    ask("GET", members, query={"limit": 2}, id=id)
    ask("PATCH", f"{members}/{{member}}", {"roles": ["editor", "admin"]}, id=id, member=member)
    ask("DELETE", f"{members}/{{member}}", id=id, member=member)
    ask("POST", members, {"user_id": ben["user"]["id"], "roles": ["member"]}, id=id)
    other = ask.api.ok("POST", f"/api/teams/{id}/invitations", {**invited, "email": "cleo@example.com"})["id"]
    ask("DELETE", f"{invitations}/{{invitation}}", id=id, invitation=other)
    ask("DELETE", one, id=id)


def _signed_in(api: Client, name: str) -> Any:
    """A session of somebody new."""
    link = api.ok(
        "POST", "/auth/v1/admin/generate_link", {"type": "magiclink", "email": f"{name}@example.com"}
    )
    proof = {"type": link["verification_type"], "token_hash": link["hashed_token"]}
    return api.ok("POST", "/auth/v1/verify", proof)


def _people(ask: Exchanges) -> None:
    one = "/api/users/{id}"
    grace = {"email": "grace@example.com", "email_confirmed": True, "user_metadata": {"name": "Grace"}}
    id = ask("POST", "/api/users", grace)["id"]
    ask("GET", "/api/users", query={"filter": "grace", "limit": 2})
    moved = {
        "id": "3f1cde00-7a42-4b0e-8c1f-5d5ff7a30d10",
        "email": "ada@example.com",
        "email_confirmed_at": "2024-05-01T08:00:00Z",
        "password_hash": "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
        "user_metadata": {"name": "Ada"},
    }
    ask("POST", "/api/users/import", {"users": [moved]})
    ask("GET", one, id=id)
    ask("PATCH", one, {"labels": ["beta"], "app_metadata": {"plan": "pro"}}, id=id)
    ask("DELETE", one, {"soft": False}, id=id)
    hedy = _signed_in(ask.api, "hedy")
    as_hedy = Client(ask.api.port, key=hedy["access_token"])
    factor = as_hedy.ok("POST", "/auth/v1/factors", {"factor_type": "totp", "friendly_name": "phone"})
    of = {"id": hedy["user"]["id"], "factor_id": factor["id"]}
    ask("DELETE", one + "/factors/{factor_id}", **of)


def _sessions(ask: Exchanges) -> None:
    alan = _signed_in(ask.api, "alan")
    as_alan = Exchanges(Client(ask.api.port, key=alan["access_token"]), ask.paths, ask.plain, ask.by_id)
    [own] = as_alan("GET", "/api/me/sessions")["items"]
    id = alan["user"]["id"]
    ask("GET", "/api/users/{id}/sessions", id=id)
    as_alan("DELETE", "/api/me/sessions/{id}", id=own["id"])
    _signed_in(ask.api, "alan")
    [other] = ask.api.ok("GET", f"/api/users/{id}/sessions")["items"]
    ask("DELETE", "/api/sessions/{id}", id=other["id"])
    ask("DELETE", "/api/users/{id}/sessions", id=id)
    ask("GET", "/api/signing-keys")
    ask("POST", "/api/signing-keys/rotate", {"at_once": False})


def _operators(ask: Exchanges) -> None:
    for name, path in (
        ("stats.resources", "/api/resources/latest"),
        ("health.check", "/api/health/history"),
        ("stats.roll_up", "/api/usage?metric=events.published"),
    ):
        ask.api.ok("POST", f"/api/schedules/{name}/run")
        eventually(lambda path=path: ask.api.ok("GET", path)["items"], 25, path)
    ask("GET", "/api/usage", query={"metric": "events.published", "limit": 2})
    ask("GET", "/api/usage/summary")
    ask.api.ok("POST", "/api/schedules/costs.read/run")
    eventually(lambda: ask.api("GET", "/api/cost").status == 200, 25, "what it costs to be read")
    ask("GET", "/api/cost")
    ask("GET", "/api/cost/periods", query={"limit": 1})
    ask("GET", "/api/resources", query={"name": "database.size_bytes", "limit": 2})
    ask("GET", "/api/resources/latest")
    ask("GET", "/api/health/history", query={"limit": 2})
    ask("GET", "/api/slo")
    ask("GET", "/api/alerts/check")
    ask("GET", "/api/network")
    ask("GET", "/api/cleanup")
    ask("POST", "/api/cleanup/{kind}/run", {"dry_run": True}, kind="events")
    ask("POST", "/api/cleanup/{kind}/run", {"older_than_days": 90}, kind="events")
    ask("GET", "/api/audit-logs", query={"action": "webhook.create", "limit": 2})
    ask.told("GET", "/api/audit-logs/export", None, 200, SEALED)  # nothing is, so early
    ask("GET", "/api/audit-logs/verification")
    for path in ("/api/me", "/metrics", "/api/metrics", "/health/live", "/health/ready", "/api/health"):
        ask("GET", path)


SEALED = (
    '{"seq":1,"id":"aud_01kb6z0g3kf4r8m3n2v5x7y9zc","actor":"admin","action":"key.create","resource_type":"key",'
    '"resource_id":"key_01kb6z0g3jf2vq8w9x1y2z3a4b","metadata":{},"created_at":"2026-01-01T00:00:00.000000Z",'
    '"previous":"0000000000000000000000000000000000000000000000000000000000000000",'
    '"hash":"9b74c9897bac770ffc029102a200c5de6f1a3e8a0a2b6a7c2a3f0d7c1e5b4a39"}\n'
)


def encoded(examples: Mapping[str, Example]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(dict(sorted(examples.items()))), indent=1) + b"\n"


def main() -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        path = Path(directory)
        with EmbeddedServers.start(path / "servers") as running:
            assert running.database_url and running.redis_url
            servers = {"DATABASE_URL": running.database_url, "REDIS_URL": running.redis_url}
            with exchanges(servers, path) as ask:
                FILE.write_bytes(encoded(ask.by_id))
    print(f"{len(ask.by_id)} exchanges: {FILE.name}", file=sys.stderr)


if __name__ == "__main__":
    main()
