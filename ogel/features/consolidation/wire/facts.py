"""What services tell of themselves, beyond who they are: routes and plugins, ways of signing in, connections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from ogel.features.consolidation.evidence import quoted
from ogel.features.consolidation.wire.answer import Answer

_AT_MOST = 200


class KongFacts(Struct, frozen=True):
    """
    plugins   in use, of enabled ones; None where nobody told, or not of all.
    requests  that it has taken since it started, health checks and ours included.
    whole     there were no more pages of services and routes.
    source    what told it.
    """

    services: int | None = None
    routes: int | None = None
    plugins: Sequence[str] | None = None
    requests: int | None = None
    whole: bool = True
    source: str = ""


class AuthFacts(Struct, frozen=True):
    """`external`: other sites where people can sign in with, that are on; without mail, phone and nobody."""

    external: Sequence[str]
    saml: bool = False


class MetaFacts(Struct, frozen=True):
    """Connections of the database that it asks, its own included."""

    connections: int | None = None


_OWN_WAYS = ("email", "phone", "anonymous_users")


def kong_facts(answers: Mapping[str, Answer]) -> KongFacts | None:
    """By the path that was asked, without its query. None where it is no Admin API that answers."""
    services, routes, plugins, status = (
        answers.get(path) for path in ("/services", "/routes", "/plugins", "/status")
    )
    if services is None or not isinstance(services.fields.get("data"), list):
        return None
    return KongFacts(
        services=len(services.fields["data"]),
        routes=len(found) if (found := _data(routes)) is not None else None,
        # A part of them would look like all.
        plugins=None if (listed := _data(plugins)) is None or _has_more(plugins) else plugin_names(listed),
        requests=_number(_within(status, "server"), "total_requests"),
        whole=not any(map(_has_more, (services, routes))),
        source="its Admin API",
    )


def plugin_names(plugins: Iterable[Any]) -> list[str]:
    """Each once, of those that are on."""
    names = {
        quoted(each["name"], 60)
        for each in plugins
        if isinstance(each, dict)
        and isinstance(each.get("name"), str)
        and each.get("enabled", True) is not False
    }
    return sorted(names)[:_AT_MOST]


def declared_facts(document: Mapping[str, Any]) -> KongFacts | None:
    """Of a declarative file of Kong's. None where it is none."""
    if not isinstance(document.get("services"), list):
        return None
    services = [each for each in document["services"] if isinstance(each, dict)]
    routes = [
        each
        for owner in (document, *services)
        for each in _list(owner.get("routes"))
        if isinstance(each, dict)
    ]
    plugins = [each for owner in (document, *services, *routes) for each in _list(owner.get("plugins"))]
    return KongFacts(
        services=len(services),
        routes=len(routes),
        plugins=plugin_names(plugins),
        source="KONG_DECLARATIVE_CONFIG_STRING",
    )


def auth_facts(answers: Mapping[str, Answer]) -> AuthFacts | None:
    settings = answers.get("/settings")
    external = settings.fields.get("external") if settings else None
    if settings is None or not isinstance(external, dict):
        return None
    on = sorted(
        quoted(name, 40) for name, is_on in external.items() if is_on is True and name not in _OWN_WAYS
    )
    return AuthFacts(on[:_AT_MOST], settings.fields.get("saml_enabled") is True)


def meta_facts(answers: Mapping[str, Answer]) -> MetaFacts | None:
    version = answers.get("/config/version")
    if version is None or "max_connections" not in version.fields:
        return None
    return MetaFacts(_number(version.fields, "active_connections"))


def _has_more(answer: Answer | None) -> bool:
    return answer is not None and bool(answer.fields.get("next"))


def _data(answer: Answer | None) -> list[Any] | None:
    data = answer.fields.get("data") if answer else None
    return data if isinstance(data, list) else None


def _within(answer: Answer | None, name: str) -> Mapping[str, Any]:
    found = answer.fields.get(name) if answer else None
    return found if isinstance(found, dict) else {}


def _number(fields: Mapping[str, Any], name: str) -> int | None:
    value = fields.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return quoted(value, 80) if isinstance(value, str) else None
