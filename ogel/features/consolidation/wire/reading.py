"""What an answer says of who gave it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ogel.features.consolidation.evidence import Evidence, quoted
from ogel.features.consolidation.kinds import Kind
from ogel.features.consolidation.recognition import WEIGHTS
from ogel.features.consolidation.wire.answer import Answer

_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{0,200})", re.IGNORECASE)
_AT_MOST = 8
_SOME = WEIGHTS["variables"]
_STRONG = WEIGHTS["wire"]
# What stands there instead of a service's own, where it was asked by a public name.
_EDGE = "railway-edge"
_NO_ROUTE = ("no Route matched with those values", "no route and no API found with those values")


def read(answer: Answer) -> Iterator[Evidence]:
    """
    Yields what the answer points to. One that came through a gateway tells of the gateway alone: the rest is somebody's
    behind it.
    """
    if (gateway := _gateway(answer)) is not None:
        yield gateway
        return
    for reader in (_kong, _gotrue, _postgres_meta, _storage_service, _realtime, _studio, _others):
        found = reader(answer)
        if found is not None:
            yield found


def said(answer: Answer, what: str, kind: Kind, weight: int = _STRONG) -> Evidence:
    return Evidence("wire", f"GET {answer.path}", f"{answer.status}, {quoted(what)}", kind, weight)


def _gateway(answer: Answer) -> Evidence | None:
    via, server = answer.header("via"), answer.header("server")
    if "kong/" in via.lower():
        return said(answer, f"Via: {via}", "kong")
    names = [name for name in answer.headers if name.startswith("x-kong-") and name != "x-kong-admin-latency"]
    if names:
        return said(answer, f"header {sorted(names)[0]}", "kong")
    if (
        server.lower().startswith("kong/")
        and "x-kong-admin-latency" not in answer.headers
        and not _is_admin(answer)
    ):
        return said(answer, f"Server: {server}", "kong")
    if server.lower() == "envoy":
        return said(answer, "Server: envoy", "envoy", _SOME)
    return None


def _is_admin(answer: Answer) -> bool:
    return _text(answer.fields.get("tagline")).lower().startswith("welcome to kong")


def _kong(answer: Answer) -> Evidence | None:
    if answer.path == "/" and _is_admin(answer):
        return said(answer, f"“Welcome to kong”, version {_text(answer.fields.get('version'))}", "kong")
    if answer.status == 404 and answer.fields.get("message") in _NO_ROUTE:
        return said(answer, f"“{answer.fields['message']}”", "kong")
    return None


def _gotrue(answer: Answer) -> Evidence | None:
    fields = answer.fields
    if answer.path == "/health" and fields.get("name") == "GoTrue":
        return said(answer, f"name GoTrue, version {_text(fields.get('version'))}", "gotrue")
    if (
        answer.path == "/settings"
        and isinstance(fields.get("external"), dict)
        and "mailer_autoconfirm" in fields
    ):
        on = sorted(str(name)[:40] for name, value in fields["external"].items() if value is True)
        return said(answer, f"settings of sign-in; on: {', '.join(on[:_AT_MOST]) or 'none'}", "gotrue")
    return None


def _postgres_meta(answer: Answer) -> Evidence | None:
    fields = answer.fields
    if answer.path == "/" and _text(fields.get("documentation")).endswith("supabase/postgres-meta"):
        return said(answer, f"postgres-meta, version {_text(fields.get('version'))}", "postgres_meta")
    if answer.path == "/config/version" and "max_connections" in fields:
        return said(answer, _text(fields.get("version")), "postgres_meta")
    if answer.path == "/health" and fields.keys() == {"date"}:
        return said(answer, "a date, as postgres-meta answers", "postgres_meta", _SOME)
    return None


def _storage_service(answer: Answer) -> Evidence | None:
    server = answer.header("server")
    if server.lower().startswith("minio") or "x-minio-deployment-id" in answer.headers:
        return said(answer, f"Server: {server or 'with x-minio-deployment-id'}", "minio")
    if _title(answer) == "MinIO Console":
        return said(answer, "title MinIO Console", "minio")
    if b"<Error>" in answer.body[:2000] and b"<Code>" in answer.body[:4000]:
        whose = f", Server: {server}" if server and server != _EDGE else ""
        return said(answer, f"an error of S3{whose}", "minio", _SOME)
    return None


def _realtime(answer: Answer) -> Evidence | None:
    if answer.path == "/api/openapi" and _info_title(answer) == "Realtime":
        return said(answer, "OpenAPI document of Realtime", "realtime")
    if answer.path == "/" and "realtime" in (title := _title(answer)).lower():
        return said(answer, f"title {title}", "realtime")
    if answer.path == "/healthcheck" and answer.status == 200 and answer.text == "ok":
        return said(answer, "ok", "realtime", WEIGHTS["name"])
    if answer.path == "/socket/websocket" and answer.status in (400, 403, 426):
        return said(answer, "a WebSocket of Phoenix, which wants a key", "realtime", _SOME)
    return None


def _studio(answer: Answer) -> Evidence | None:
    if answer.path == "/":
        if answer.status in (302, 307, 308) and answer.header("location").endswith("/project/default"):
            return said(answer, "leads to /project/default", "studio")
        if "supabase" in (title := _title(answer)).lower() and "realtime" not in title.lower():
            return said(answer, f"title {title}", "studio")
    if answer.path == "/api/platform/profile" and answer.status == 200 and "primary_email" in answer.fields:
        return said(answer, "the profile of Studio's one user", "studio")
    return None


def _others(answer: Answer) -> Evidence | None:
    server = answer.header("server").lower()
    if server.startswith("postgrest/"):
        return said(answer, f"Server: {server}", "postgrest")
    if server.startswith(("nginx", "openresty")):
        return said(answer, f"Server: {server}", "nginx", _SOME)
    if server == "imgproxy" or (answer.path == "/health" and answer.text.strip() == "imgproxy is running"):
        return said(answer, "imgproxy is running", "imgproxy")
    if answer.path == "/api/health" and answer.fields.keys() >= {"status", "checks", "timestamp"}:
        return said(answer, f"health of Ogel: {_text(answer.fields['status'])}", "ogel", _SOME)
    return None


def _title(answer: Answer) -> str:
    found = _TITLE.search(answer.text)
    return quoted(found[1], 80) if found else ""


def _info_title(answer: Answer) -> object:
    info = answer.fields.get("info")
    return info.get("title") if isinstance(info, dict) else None


def _text(value: Any) -> str:
    return quoted(value, 80) if isinstance(value, str) else ""
