"""What a service's own variables say for signing in to it; the hosts in them are not asked, only the project's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import unquote

from ogel.features.consolidation.wire.places import Place
from ogel.runtime.database.registered import DatabaseType, SslMode, Target
from ogel.runtime.server_urls.parts import BadUrl, ServerUrl

_POSTGRES_URLS = ("DATABASE_PUBLIC_URL", "DATABASE_URL", "POSTGRES_URL", "DATABASE_PRIVATE_URL")
_MONGO_URLS = ("MONGO_PUBLIC_URL", "MONGO_URL", "MONGODB_URL", "MONGODB_URI")
_S3_KEYS = (("MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"), ("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"))


def postgres_target(place: Place, variables: Mapping[str, str]) -> Target | None:
    """`variables` with what references stand for. None where they hold no login."""
    for url in _urls(variables, _POSTGRES_URLS, ("postgres", "postgresql")):
        database = unquote(url.path.strip("/")) or "postgres"
        return _target("postgresql", place, database, url.user, url.password, "prefer")
    user = variables.get("PGUSER") or variables.get("POSTGRES_USER") or "postgres"
    password = variables.get("PGPASSWORD") or variables.get("POSTGRES_PASSWORD")
    if password:
        database = variables.get("PGDATABASE") or variables.get("POSTGRES_DB") or "postgres"
        return _target("postgresql", place, database, user, password, "prefer")
    return None


def open_mongo(place: Place) -> Target:
    """Does not sign in."""
    return _target("mongodb", place, "admin", None, None, "disable")


def mongo_target(place: Place, variables: Mapping[str, str]) -> Target | None:
    """`variables` likewise. None where they hold no login."""
    for url in _urls(variables, _MONGO_URLS, ("mongodb",)):
        return _target("mongodb", place, "admin", url.user, url.password, "disable")
    user, password = variables.get("MONGO_INITDB_ROOT_USERNAME"), variables.get("MONGO_INITDB_ROOT_PASSWORD")
    return _target("mongodb", place, "admin", user, password, "disable") if user and password else None


def store_keys(variables: Mapping[str, str]) -> tuple[str, str] | None:
    for user, password in _S3_KEYS:
        if variables.get(user) and variables.get(password):
            return variables[user], variables[password]
    return None


def secrets_of(variables: Mapping[str, str]) -> Sequence[str]:
    """For a Scrubber: whatever a variable holds may be one."""
    return [value for value in variables.values() if len(value) >= 8]


def _urls(variables: Mapping[str, str], names: Sequence[str], schemes: Sequence[str]) -> Sequence[ServerUrl]:
    found = []
    for name in names:
        try:
            url = ServerUrl.parse(variables.get(name, ""))
        except BadUrl:
            continue
        if url.scheme in schemes and url.user and url.password:
            found.append(url)
    return found


def _target(
    type: DatabaseType, place: Place, database: str, user: str | None, password: str | None, ssl: SslMode
) -> Target:
    return Target(
        type,
        place.host,
        place.port,
        database,
        unquote(user) if user is not None else None,
        unquote(password) if password is not None else None,
        ssl,
        "admin" if type == "mongodb" else None,
    )
