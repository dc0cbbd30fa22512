"""Real deliveries, verified by what is not ours: `standardwebhooks`, `svix` and PyCryptodome, through rotations."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from typing import Any

import pytest
from Crypto.Signature import eddsa
from standardwebhooks import Webhook, WebhookVerificationError
from svix import Webhook as SvixWebhook
from svix.webhooks import WebhookVerificationError as SvixVerificationError

from tests.support.cli import ogel_here
from tests.support.process import Client, eventually
from tests.support.receiver import Answer, Receiver, Request

ENVIRONMENT = {"OGEL_WEBHOOK_RETRY_DELAYS": "1.1"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def hook(api: Client, receiver: Receiver, **wanted: Any) -> Any:
    path = f"/{len(receiver.requests)}"
    return api.ok("POST", "/api/webhooks", {"url": receiver.url(path), "events": ["signed.*"], **wanted})


def rotate(api: Client, hook: Any, **wanted: Any) -> Any:
    return api.ok("POST", f"/api/webhooks/{hook['id']}/rotate-secret", wanted)


def deliver(api: Client, receiver: Receiver, data: Any = "ä\u2028\U0001f600") -> Request:
    event = api.ok("POST", "/api/events", {"type": "signed.now", "data": data})
    requests = receiver.wait_for_ids([event["id"]], 10)
    [request] = [request for request in requests if request.id == event["id"]]
    return request


@pytest.fixture(autouse=True)
def _alone(api: Client) -> Iterator[None]:
    """Each test's endpoints hear its own events only."""
    yield
    for made in api.ok("GET", "/api/webhooks?limit=100")["items"]:
        api.ok("DELETE", f"/api/webhooks/{made['id']}")


def versions(request: Request) -> list[str]:
    return [token.partition(",")[0] for token in request.headers["webhook-signature"].split(" ")]


def both_verify(request: Request, secret: str) -> bool:
    """The two libraries of others; they must agree."""
    verdicts = set()
    for library, refusal in ((Webhook, WebhookVerificationError), (SvixWebhook, SvixVerificationError)):
        try:
            library(secret).verify(request.body, request.headers)
            verdicts.add(True)
        except refusal:
            verdicts.add(False)
    [verdict] = verdicts
    return verdict


def public_key_verifies(request: Request, public_key: str) -> bool:
    """Neither library knows `v1a`: by an Ed25519 that is not the one that signed (RFC 8032)."""
    raw = base64.b64decode(public_key.removeprefix("whpk_"))
    verifier = eddsa.new(eddsa.import_public_key(raw), "rfc8032")
    content = f"{request.id}.{request.headers['webhook-timestamp']}.".encode() + request.body
    for token in request.headers["webhook-signature"].split(" "):
        version, _, signature = token.partition(",")
        if version == "v1a":
            try:
                verifier.verify(content, base64.b64decode(signature))
            except ValueError:
                continue
            return True
    return False


def test_v1_through_a_rotation(api: Client, receiver: Receiver) -> None:
    made = hook(api, receiver)
    first = deliver(api, receiver)
    assert versions(first) == ["v1"]
    assert both_verify(first, made["secret"])

    new = rotate(api, made)["secret"]
    during = deliver(api, receiver)
    assert versions(during) == ["v1", "v1"]
    assert both_verify(during, made["secret"])
    assert both_verify(during, new)
    assert not both_verify(first, new)
    newest = during.headers["webhook-signature"].split(" ")[0]
    assert both_verify(_signed_by(during, newest), new)

    last = rotate(api, made, overlap_seconds=0)["secret"]
    after = deliver(api, receiver)
    assert versions(after) == ["v1"]
    assert both_verify(after, last)
    assert not both_verify(after, made["secret"])
    assert not both_verify(after, new)


def test_v1a_and_back(api: Client, receiver: Receiver) -> None:
    made = hook(api, receiver, signing="v1a")
    first = deliver(api, receiver)
    assert versions(first) == ["v1a"]
    assert public_key_verifies(first, made["public_key"])

    shared = rotate(api, made, signing="v1")
    newer = rotate(api, made, signing="v1a")
    during = deliver(api, receiver)
    assert versions(during) == ["v1a", "v1", "v1a"]
    assert both_verify(during, shared["secret"])
    assert public_key_verifies(during, made["public_key"])
    assert public_key_verifies(during, newer["public_key"])
    assert not public_key_verifies(first, newer["public_key"])


def test_ten_keys_all_sign(api: Client, receiver: Receiver) -> None:
    made = hook(api, receiver)
    secrets = [made["secret"], *(rotate(api, made, overlap_seconds=604_800)["secret"] for _ in range(9))]
    request = deliver(api, receiver)
    signatures = request.headers["webhook-signature"].split(" ")
    assert len(signatures) == 10
    for secret, signature in zip(reversed(secrets), signatures, strict=True):
        assert both_verify(_signed_by(request, signature), secret)


def test_an_overlap_ends_by_itself(api: Client, receiver: Receiver) -> None:
    made = hook(api, receiver)
    rotate(api, made, overlap_seconds=2)
    assert versions(deliver(api, receiver)) == ["v1", "v1"]
    eventually(lambda: versions(deliver(api, receiver)) == ["v1"], 10, "the old secret to end")
    [alone] = api.ok("GET", f"/api/webhooks/{made['id']}/secrets")["items"]
    assert alone["expires_at"] is None


def test_each_attempt_has_its_own_time_and_the_same_id_and_body(api: Client, receiver: Receiver) -> None:
    made = hook(api, receiver)
    receiver.answer = lambda _: Answer(503 if len(receiver.requests) == 1 else 204)
    api.ok("POST", "/api/events", {"type": "signed.twice", "data": {"n": 1.50}})
    first, second = receiver.wait_for_count(2)
    assert (first.id, first.body) == (second.id, second.body)
    assert int(second.headers["webhook-timestamp"]) > int(first.headers["webhook-timestamp"])
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    assert both_verify(first, made["secret"])
    assert both_verify(second, made["secret"])


def test_appwrites_headers_come_besides(api: Client, receiver: Receiver) -> None:
    made = hook(api, receiver, compatibility="appwrite", description="Bestellungen für alle")
    request = deliver(api, receiver)
    assert both_verify(request, made["secret"])
    assert _appwrite_set(request) == {
        "id": made["id"],
        "events": "signed.now",
        "name": "Bestellungen f%C3%BCr alle",
        "user-id": "",
        "project-id": "default",
        "signature": _appwrite_signature(made, request),
    }
    made |= rotate(api, made)
    request = deliver(api, receiver)
    assert _appwrite_set(request)["signature"] == _appwrite_signature(made, request)
    api.ok("PATCH", f"/api/webhooks/{made['id']}", {"compatibility": None})
    assert _appwrite_set(deliver(api, receiver)) == {}


def test_a_captured_request_is_verified_by_the_command(
    api: Client, receiver: Receiver, tmp_path: Any
) -> None:
    made = hook(api, receiver, signing="v1a")
    shared = rotate(api, made, signing="v1")
    request = deliver(api, receiver)
    body, headers = tmp_path / "body", tmp_path / "headers"
    body.write_bytes(request.body)
    lines = [f"{name.title()}: {value}\r\n" for name, value in request.headers.items()]
    headers.write_text(f"POST {request.path} HTTP/1.1\r\n{''.join(lines)}\r\n", newline="")

    def verified(*key: str) -> tuple[int, str]:
        done = ogel_here("webhooks", "verify", *key, "--headers", str(headers), str(body))
        return done.code, done.out

    assert verified("--secret", shared["secret"]) == (0, "valid\n")
    assert verified("--public-key", made["public_key"]) == (0, "valid\n")
    body.write_bytes(request.body + b"\n")
    assert verified("--secret", shared["secret"])[0] == 1


def _signed_by(request: Request, signature: str) -> Request:
    return Request(request.path, {**request.headers, "webhook-signature": signature}, request.body)


def _appwrite_set(request: Request) -> dict[str, str]:
    prefix = "x-appwrite-webhook-"
    return {k.removeprefix(prefix): v for k, v in request.headers.items() if k.startswith(prefix)}


def _appwrite_signature(made: Any, request: Request) -> str:
    content = made["url"].encode() + request.body
    return base64.b64encode(hmac.new(made["secret"].encode(), content, hashlib.sha1).digest()).decode()
