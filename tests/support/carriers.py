"""Twilio, Vonage, FCM and a push service, as local servers that hold requests to what each of them documents."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.support.receiver import Answer, Receiver, Request

TWILIO_SID, TWILIO_TOKEN, TWILIO_FROM = "AC00000000000000000000000000000000", "twilio-token", "+15005550006"
VONAGE_KEY, VONAGE_SECRET, VONAGE_FROM = "abcd1234", "vonage-secret", "Ogel"
PROJECT, ACCOUNT, KEY_ID = "shop-1", "push@shop-1.iam.gserviceaccount.com", "key-1"
VAPID_PRIVATE, VAPID_SUBJECT = "PcoRlGzER0aMU8bf1xOre2dqxskRY38aPhW-RBlWneY", "mailto:ops@example.com"
SECRETS = (TWILIO_TOKEN, VONAGE_SECRET, VAPID_PRIVATE, "PRIVATE KEY")
TWILIO_PATH = f"/2010-04-01/Accounts/{TWILIO_SID}/Messages.json"
VONAGE_PATH, TOKEN_PATH = "/sms/json", "/token"
FCM_PATH = f"/v1/projects/{PROJECT}/messages:send"


@cache
def google_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def service_account(url: str) -> dict[str, str]:
    """A key file, for the token server at `url`."""
    pem = google_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": KEY_ID,
        "private_key": pem.decode(),
        "client_email": ACCOUNT,
        "token_uri": url + TOKEN_PATH,
    }


def fault(status: int, headers: Mapping[str, str] | None = None, /, **document: Any) -> Answer:
    return Answer(status, json.dumps(document).encode(), dict(headers or {}))


def twilio_error(code: int, status: int = 400, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return fault(status, named, code=code, message=f"error {code}", status=status)


def vonage_status(status: str, text: str = "") -> Answer:
    parts = [{"to": "x", "status": status, "error-text": text}]
    return fault(200, None, **{"message-count": "1", "messages": parts})


def fcm_error(status: int, code: str, word: str | None = None, **headers: str) -> Answer:
    details = [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": word}]
    error = {"code": status, "status": code, "message": "no", "details": details if word else []}
    return fault(status, {name.replace("_", "-"): value for name, value in headers.items()}, error=error)


@dataclass
class Browser:
    """A browser's half of RFC 8291: its keys, and decryption."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    secret: bytes = b"0123456789abcdef"

    def subscription(self, endpoint: str) -> dict[str, Any]:
        """As `PushSubscription.toJSON()` gives it."""
        keys = {"p256dh": base64url(point(self.key)), "auth": base64url(self.secret)}
        return {"endpoint": endpoint, "expirationTime": None, "keys": keys}

    def decrypt(self, body: bytes) -> bytes:
        salt, record_size, key_length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
        sender_point, sealed = body[21 : 21 + key_length], body[21 + key_length :]
        assert len(sealed) <= record_size == 4096
        sender = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender_point)
        shared = self.key.exchange(ec.ECDH(), sender)
        keying = hkdf(self.secret, shared, b"WebPush: info\0" + point(self.key) + sender_point, 32)
        key = hkdf(salt, keying, b"Content-Encoding: aes128gcm\0", 16)
        nonce = hkdf(salt, keying, b"Content-Encoding: nonce\0", 12)
        plain, delimiter, padding = AESGCM(key).decrypt(nonce, sealed, None).rpartition(b"\x02")
        assert delimiter and not padding.strip(b"\0")
        return plain


class Carriers:
    """
    All four on one port. Answers of one path are taken from its script, then it takes everything. What a provider
    would refuse as malformed (a wrong password, a bad signature) fails the test that asks `taken`.
    """

    def __init__(self) -> None:
        self._receiver = Receiver(self._answer)
        self._scripts: dict[str, list[Answer]] = {}
        self._wrong: list[str] = []
        self._lock = threading.Lock()
        self.tokens: list[str] = []
        self.token_seconds = 3600

    def __enter__(self) -> Carriers:
        self._receiver.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._receiver.__exit__(kind, error, trace)

    @property
    def url(self) -> str:
        return self._receiver.url("")

    @property
    def environment(self) -> dict[str, str]:
        return self.environment_at(self.url)

    @staticmethod
    def environment_at(url: str) -> dict[str, str]:
        """The settings that make all four known, at this address."""
        return {
            "OGEL_SMS_PROVIDERS": "twilio,vonage",
            "OGEL_TWILIO_URL": url,
            "TWILIO_ACCOUNT_SID": TWILIO_SID,
            "TWILIO_AUTH_TOKEN": TWILIO_TOKEN,
            "TWILIO_FROM": TWILIO_FROM,
            "OGEL_VONAGE_URL": url + "/",
            "VONAGE_API_KEY": VONAGE_KEY,
            "VONAGE_API_SECRET": VONAGE_SECRET,
            "VONAGE_FROM": VONAGE_FROM,
            "OGEL_FCM_URL": url,
            "OGEL_FCM_SERVICE_ACCOUNT": json.dumps(service_account(url)),
            "OGEL_VAPID_PRIVATE_KEY": VAPID_PRIVATE,
            "OGEL_VAPID_SUBJECT": VAPID_SUBJECT,
        }

    def push_url(self, path: str) -> str:
        return f"{self.url}/push/{path}"

    def script(self, path: str, *answers: Answer) -> None:
        """What the next requests for this path are answered."""
        with self._lock:
            self._scripts[path] = list(answers)

    def requests(self, path: str, about: str = "") -> list[Request]:
        """Of this path, with that text in their bodies; AssertionError when one of any path was malformed."""
        assert self._wrong == []
        found = [each for each in list(self._receiver.requests) if each.path == path]
        return [each for each in found if about.encode() in each.body]

    def forms(self, path: str, about: str = "") -> list[dict[str, str]]:
        return [form_of(each) for each in self.requests(path, about)]

    def wait_for(self, path: str, count: int = 1, seconds: float = 15.0) -> list[Request]:
        def enough(requests: Sequence[Request]) -> bool:
            return sum(each.path == path for each in requests) >= count

        self._receiver.wait_for(enough, seconds, f"{count} requests for {path}")
        return self.requests(path)

    def _answer(self, request: Request) -> Answer:
        answers: dict[str, Callable[[Request], Answer]] = {
            TWILIO_PATH: self._twilio,
            VONAGE_PATH: self._vonage,
            TOKEN_PATH: self._token,
            FCM_PATH: self._fcm,
        }
        try:
            answer = answers.get(request.path, self._push)(request)
        except Exception as error:  # noqa: BLE001 - the test asks for it, in its own thread
            self._wrong.append(f"{request.path}: {type(error).__name__} {error}")
            return Answer(500)
        with self._lock:
            script = self._scripts.get(request.path)
            return script.pop(0) if script else answer

    def _twilio(self, request: Request) -> Answer:
        form = form_of(request)
        scheme, _, credentials = request.headers["authorization"].partition(" ")
        assert scheme == "Basic"
        assert base64.b64decode(credentials).decode() == f"{TWILIO_SID}:{TWILIO_TOKEN}"
        assert form.keys() == {"To", "From", "Body"} and form["From"] == TWILIO_FROM
        return fault(201, None, sid=f"SM{form['To']}", status="queued", error_code=None)

    def _vonage(self, request: Request) -> Answer:
        form = form_of(request)
        assert (form["api_key"], form["api_secret"], form["from"]) == (VONAGE_KEY, VONAGE_SECRET, VONAGE_FROM)
        assert form["to"].isdigit() and form["type"] in ("text", "unicode")
        parts = [{"to": form["to"], "message-id": f"V{form['to']}", "status": "0"}]
        return fault(200, None, **{"message-count": "1", "messages": parts})

    def _token(self, request: Request) -> Answer:
        form = form_of(request)
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        assert jwt.get_unverified_header(form["assertion"])["kid"] == KEY_ID
        claims = jwt.decode(
            form["assertion"],
            google_key().public_key(),
            algorithms=["RS256"],
            audience=self.url + TOKEN_PATH,
            options={"require": ["iss", "scope", "aud", "exp", "iat"]},
        )
        assert claims["iss"] == ACCOUNT
        assert claims["scope"] == "https://www.googleapis.com/auth/firebase.messaging"
        assert claims["exp"] - claims["iat"] <= 3600
        with self._lock:
            self.tokens.append(f"token-{len(self.tokens) + 1}")
            granted = {"access_token": self.tokens[-1], "expires_in": self.token_seconds}
        return fault(200, None, **granted, token_type="Bearer")

    def _fcm(self, request: Request) -> Answer:
        scheme, _, token = request.headers["authorization"].partition(" ")
        assert scheme == "Bearer" and request.headers["content-type"] == "application/json"
        if token not in self.tokens[-1:]:
            return fcm_error(401, "UNAUTHENTICATED")
        message = json.loads(request.body)["message"]
        assert {"token", "notification", "data", "android", "apns", "webpush"} == message.keys()
        return fault(200, None, name=f"projects/{PROJECT}/messages/{message['token']}")

    def _push(self, request: Request) -> Answer:
        assert request.path.startswith("/push/")
        scheme, _, parameters = request.headers["authorization"].partition(" ")
        given = dict(each.strip().split("=", 1) for each in parameters.split(","))
        assert scheme == "vapid" and given.keys() == {"t", "k"}
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unbase64url(given["k"]))
        claims = jwt.decode(given["t"], public, algorithms=["ES256"], audience=self.url)
        assert claims["sub"] == VAPID_SUBJECT
        assert request.headers["content-encoding"] == "aes128gcm"
        assert request.headers["ttl"].isdigit()
        topic = request.headers["topic"]
        assert len(topic) <= 32 and topic.replace("-", "").replace("_", "").isalnum()
        return Answer(201, headers={"location": f"{self.url}/message/1"})


def form_of(request: Request) -> dict[str, str]:
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    fields = parse_qs(request.body.decode(), strict_parsing=True, keep_blank_values=True)
    assert all(len(values) == 1 for values in fields.values())
    return {name: values[0] for name, values in fields.items()}


def point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def hkdf(salt: bytes, material: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(material)


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unbase64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
