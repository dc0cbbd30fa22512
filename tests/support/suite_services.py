"""The services of a Supabase-style suite, as far as they answer when they are asked who they are and what they do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from tests.support.receiver import Answer, Receiver, Request

_SITES = (
    "anonymous_users", "apple", "azure", "bitbucket", "discord", "facebook", "figma", "fly", "github", "gitlab",
    "google", "keycloak", "kakao", "linkedin", "linkedin_oidc", "notion", "spotify", "slack", "slack_oidc", "workos",
    "twitch", "twitter", "email", "phone", "zoom",
)  # fmt: skip


def service(answers: Mapping[str, Answer], otherwise: Answer | None = None) -> Receiver:
    """Answers by path, without its query."""
    missing = otherwise or Answer(404, b"not found", {"Content-Type": "text/plain"})

    def answer(request: Request) -> Answer:
        return answers.get(request.path.partition("?")[0], missing)

    return Receiver(answer)


def as_json(value: object, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): each for name, each in headers.items()}
    return Answer(
        status, json.dumps(value).encode(), {"Content-Type": "application/json; charset=utf-8", **named}
    )


def kong_admin(routes: Mapping[str, str], plugins: Sequence[str] = ()) -> Receiver:
    """Kong's Admin API. `routes`: paths, and the URLs behind them."""
    server = {"Server": "kong/3.9.1", "X-Kong-Admin-Latency": "2"}

    def listed(items: Sequence[object]) -> Answer:
        return as_json({"data": items, "next": None}, **server)

    names = {path: path.strip("/").replace("/", "-") for path in routes}
    root = {
        "version": "3.9.1",
        "tagline": "Welcome to kong",
        "hostname": "4b1f6f0ac8d2",
        "node_id": "6a72192c-a3a1-4c8d-95c6-efabae9fb969",
        "lua_version": "LuaJIT 2.1.0-20231117",
        "configuration": {"database": "off", "pg_password": "******"},
        "plugins": {"available_on_server": {"cors": {"priority": 2000}}, "enabled_in_cluster": list(plugins)},
    }
    return service(
        {
            "/": as_json(root, **server),
            "/services": listed([{"id": names[path], "host": url} for path, url in routes.items()]),
            "/routes": listed([{"id": names[path], "paths": [path], "strip_path": True} for path in routes]),
            "/plugins": listed([{"id": f"p-{each}", "name": each, "enabled": True} for each in plugins]),
            "/status": as_json(
                {"database": {"reachable": True}, "server": {"total_requests": 8123}}, **server
            ),
        },
        as_json({"message": "Not found"}, 404, **server),
    )


def kong_proxy() -> Receiver:
    """What it passes on has its headers; what it does not know has its words."""
    return service({}, as_json({"message": "no Route matched with those values"}, 404, Server="kong/3.9.1"))


def gotrue(*sites: str, saml: bool = False) -> Receiver:
    external = {name: name in ("email", *sites) for name in _SITES}
    return service(
        {
            "/health": as_json(
                {
                    "version": "v2.186.0",
                    "name": "GoTrue",
                    "description": "GoTrue is a user registration and authentication API",
                }
            ),
            "/settings": as_json(
                {
                    "external": external,
                    "disable_signup": False,
                    "mailer_autoconfirm": False,
                    "phone_autoconfirm": False,
                    "sms_provider": "twilio",
                    "saml_enabled": saml,
                }
            ),
        },
        as_json({"code": 404, "error_code": "not_found", "msg": "Not Found"}, 404),
    )


def postgres_meta() -> Receiver:
    return service(
        {
            "/": as_json(
                {
                    "status": 200,
                    "name": "@supabase/postgres-meta",
                    "version": "0.95.2",
                    "documentation": "https://github.com/supabase/postgres-meta",
                }
            ),
            "/health": as_json({"date": "2026-11-29T15:00:00.000Z"}),
            "/config/version": as_json(
                {
                    "version": "PostgreSQL 15.8 on aarch64-unknown-linux-gnu",
                    "version_number": 150008,
                    "active_connections": 7,
                    "max_connections": 100,
                }
            ),
        },
        as_json({"error": "Not found"}, 404),
    )


def realtime() -> Receiver:
    html = {"Content-Type": "text/html; charset=utf-8", "Server": "Cowboy"}
    return service(
        {
            "/": Answer(
                200, b"<!DOCTYPE html><html><head><title>Supabase Realtime</title></head></html>", html
            ),
            "/healthcheck": Answer(200, b"ok", {"Content-Type": "text/plain; charset=utf-8"}),
            "/api/openapi": as_json(
                {"openapi": "3.0.0", "info": {"title": "Realtime", "version": "1.0"}, "paths": {}}
            ),
            "/socket/websocket": Answer(403, b""),
        },
        Answer(404, b"Not Found", html),
    )


def studio() -> Receiver:
    page = b"<html><head><title>404: This page could not be found</title></head></html>"
    profile = {"id": 1, "primary_email": "johndoe@supabase.io", "username": "johndoe"}
    return service(
        {
            "/": Answer(307, b"", {"Location": "/project/default"}),
            "/api/platform/profile": as_json(profile),
        },
        Answer(404, page, {"Content-Type": "text/html"}),
    )
