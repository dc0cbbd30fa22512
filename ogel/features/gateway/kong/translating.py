"""A declarative file of Kong's as settings: each path of a route an upstream, and a note of all that is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from ogel.features.gateway.kong.plugins import PLUGINS, Left
from ogel.features.gateway.upstreams.upstream import MAX_RETRIES, Upstream, upstream_at, upstreams_of
from ogel.runtime.server_urls.parts import BadUrl

_ROUTE_KEYS = frozenset(
    {"name", "paths", "strip_path", "preserve_host", "plugins", "service", "protocols", "tags", "id"}
)
# They choose nothing that a path does not.
_HARMLESS = frozenset({"path_handling", "regex_priority", "https_redirect_status_code", "request_buffering",
                       "response_buffering", "created_at", "updated_at"})  # fmt: skip


class Note(Struct, frozen=True):
    """What could not be taken over, or not as it was, and why."""

    what: str
    why: str


class Translation(Struct):
    """`settings` by their names; `upstreams` is what OGEL_UPSTREAMS among them says."""

    settings: dict[str, str]
    upstreams: list[str]
    notes: list[Note]


def translate(document: Mapping[str, Any], own: Sequence[str]) -> Translation:
    """`own` are paths that Ogel answers itself."""
    return _Translator(document, own).translated()


class _Translator:
    def __init__(self, document: Mapping[str, Any], own: Sequence[str]) -> None:
        self._document = document
        self._own = own
        self._found: dict[str, Upstream] = {}
        self._origins: dict[str, None] = {}
        self._notes: list[Note] = []
        self._plugins = _mappings(document.get("plugins"))

    def translated(self) -> Translation:
        services = _mappings(self._document.get("services"))
        loose = _mappings(self._document.get("routes"))
        for service in services:
            name = _name(service)
            if service.get("enabled", True) is False:
                self._note(f"service {name}", "it is switched off")
                continue
            mine = [
                *_mappings(service.get("routes")),
                *(r for r in loose if _names(r.get("service")) == name),
            ]
            if not mine:
                self._note(f"service {name}", "no route leads to it")
            for route in mine:
                self._route(service, route)
        for consumer in _mappings(self._document.get("consumers")):
            name = str(consumer.get("username", "?"))[:60]
            self._note(f"consumer {name}", "keys are made anew: `ogel keys create NAME --scope …`")
        known = {"services", "routes", "consumers", "plugins", "upstreams", "acls", "keyauth_credentials", "targets",
                 "basicauth_credentials"}  # fmt: skip
        for key in self._document.keys() - known:
            if not str(key).startswith("_"):
                self._note(f"{str(key)[:60]}", "Ogel has nothing of the kind")
        return self._result()

    def _result(self) -> Translation:
        settings = {}
        texts = [str(each) for each in self._found.values()]
        if texts:
            settings["OGEL_UPSTREAMS"] = ",".join(texts)
        if self._origins:
            settings["OGEL_CORS_ORIGINS"] = "*" if "*" in self._origins else ",".join(self._origins)
        return Translation(settings, texts, self._notes)

    def _route(self, service: Mapping[str, Any], route: Mapping[str, Any]) -> None:
        name = _name(route)
        where = f"route {name}"
        for key in ("hosts", "methods", "headers", "snis", "sources", "destinations"):
            if route.get(key):
                self._note(f"{where}: {key}", "routes are chosen by their path alone")
        for key in (
            route.keys() - _ROUTE_KEYS - _HARMLESS - {"hosts", "methods", "headers", "snis", "sources"}
        ):
            self._note(f"{where}: {str(key)[:60]}", "Ogel has nothing of the kind")
        base = self._service(service)
        if base is None:
            return
        base = replace(
            base,
            strips=route.get("strip_path", True) is not False,
            host="client" if route.get("preserve_host") is True else "upstream",
        )
        paths = route.get("paths") or ["/"]
        for path in paths if isinstance(paths, list) else [paths]:
            self._path(where, str(path), base, self._of(service, route))

    def _service(self, service: Mapping[str, Any]) -> Upstream | None:
        where = f"service {_name(service)}"
        url = service.get("url")
        if not url:
            port = f":{service['port']}" if service.get("port") else ""
            url = f"{service.get('protocol', 'http')}://{self._target(service, where)}{port}{service.get('path') or ''}"
        try:
            upstream: Upstream | None = upstream_at("/", str(url))
        except BadUrl:
            upstream = None
        if upstream is None or upstream.url is None:
            self._note(where, f"{str(url)[:100]} is no http(s)://host:port")
            return None
        if isinstance(timeout := service.get("read_timeout"), int) and 100 <= timeout <= 86_400_000:
            upstream = replace(upstream, timeout=timeout / 1000, idle=timeout / 1000)
        if isinstance(retries := service.get("retries"), int) and retries >= 0:
            upstream = replace(upstream, retries=min(retries, MAX_RETRIES))
        for key in ("client_certificate", "ca_certificates", "tls_verify"):
            if service.get(key) is not None:
                self._note(f"{where}: {key}", "certificates are verified by the system's authorities")
        return upstream

    def _target(self, service: Mapping[str, Any], where: str) -> str:
        """Returns the host to ask; in the file it may be the name of several targets."""
        host = str(service.get("host", ""))
        named = (each for each in _mappings(self._document.get("upstreams")) if each.get("name") == host)
        targets = [str(each.get("target")) for found in named for each in _mappings(found.get("targets"))]
        if len(targets) > 1:
            self._note(where, "of several targets the first is taken: let the platform balance them")
        if not targets:
            return host
        service_port = service.get("port")
        return targets[0].rpartition(":")[0] if service_port and ":" in targets[0] else targets[0]

    def _of(self, service: Mapping[str, Any], route: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
        """Returns plugins by name; those of a route come before those of its service, and these before those of all."""
        found: dict[str, Mapping[str, Any]] = {}
        loose = self._plugins
        for each in (
            *(p for p in loose if not p.get("service") and not p.get("route") and not p.get("consumer")),
            *(p for p in loose if p.get("service") and _names(p["service"]) == _name(service)),
            *_mappings(service.get("plugins")),
            *(p for p in loose if p.get("route") and _names(p["route"]) == _name(route)),
            *_mappings(route.get("plugins")),
        ):
            if each.get("enabled", True) is not False:
                found[str(each.get("name"))] = each
        return found

    def _path(self, where: str, path: str, base: Upstream, plugins: Mapping[str, Mapping[str, Any]]) -> None:
        if path.startswith("~"):
            self._note(f"{where}: {path[:100]}", "paths are taken as they are, not as patterns")
            return
        path = "/" + path.strip("/")
        if own := next((each for each in self._own if path == each or path.startswith(f"{each}/")), None):
            self._note(f"{where}: {path[:100]}", f"Ogel answers {own} itself: nothing is to be set")
            return
        upstream = replace(base, path=path, auth="open")
        for name, plugin in plugins.items():
            config = plugin.get("config")
            apply = PLUGINS.get(name)
            if apply is None:
                self._note(f"{where}: plugin {name[:60]}", "Ogel has nothing of the kind")
                continue
            left: list[Left] = []
            upstream = apply(upstream, config if isinstance(config, dict) else {}, left)
            for each in left:
                self._note(f"{where}: {name}{each.option and f': {each.option}'}", each.why)
            if name == "cors":
                self._origins |= dict.fromkeys(_origins(config))
                if "*" in self._origins:
                    self._note(
                        "cors: every origin",
                        "one list is for all: any page may ask Ogel's own API, too",
                    )
        self._add(where, upstream)

    def _add(self, where: str, upstream: Upstream) -> None:
        if upstream.path in self._found:
            self._note(f"{where}: {upstream.path}", "another route has this path, and came first")
            return
        try:
            read = upstreams_of(str(upstream))
        except BadUrl as error:
            self._note(where, str(error))
            return
        if len(read) != 1 or str(read[0]) != str(upstream):
            self._note(
                f"{where}: {upstream.path[:100]}", "a value of it has a semicolon, or a comma before a slash"
            )
            return
        self._found[upstream.path] = upstream

    def _note(self, what: str, why: str) -> None:
        note = Note(what, why)
        if note not in self._notes:
            self._notes.append(note)


def _origins(config: Any) -> list[str]:
    origins = config.get("origins") if isinstance(config, dict) else None
    return [str(each) for each in origins] if isinstance(origins, list) and origins else ["*"]


def _name(of: Mapping[str, Any]) -> str:
    return str(of.get("name", "without a name"))[:60]


def _names(reference: Any) -> str:
    """Returns the name that a reference has: itself, or in an object."""
    return str(reference.get("name") if isinstance(reference, dict) else reference)


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
