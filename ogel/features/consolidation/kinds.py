"""The kinds of services that a Supabase-style project has, and how each is known without asking it anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from re import Pattern
from typing import Literal

from msgspec import Struct

Kind = Literal[
    "kong",
    "gotrue",
    "postgres_meta",
    "minio",
    "mongodb",
    "realtime",
    "studio",
    "postgrest",
    "storage_api",
    "imgproxy",
    "edge_functions",
    "logflare",
    "supavisor",
    "pgbouncer",
    "envoy",
    "nginx",
    "postgres",
    "redis",
    "mysql",
    "ogel",
    "other",
]


class Marks(Struct, frozen=True):
    """
    title       what people call it.
    image       found in the name of its image, without registry and tag.
    name        what people call services of it; a hint only.
    variables   names that it alone reads.
    own         names that its clients have too, as references: they count where the value is the service's own.
    least       how many of these it takes.
    ports       where it listens if nothing says otherwise, the most telling first.
    port_names  variables that say otherwise.
    audited     there is a judgement of it; what is not audited is kept.
    """

    title: str
    image: Pattern[str]
    name: Pattern[str]
    variables: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()
    least: int = 1
    ports: tuple[int, ...] = ()
    port_names: tuple[str, ...] = ("PORT",)
    audited: bool = False


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _image(pattern: str, supabase: str = "") -> Pattern[str]:
    """`supabase`: what the image is called in somebody's copy of the whole suite (`someone/supabase-auth`)."""
    whole = rf"(?:^|/)(?:{pattern})$"
    return re.compile(f"{whole}|supabase[/-](?:{supabase})$" if supabase else whole)


def _name(pattern: str) -> Pattern[str]:
    return re.compile(rf"(?:^|[\W_])(?:{pattern})(?:$|[\W_])", re.IGNORECASE)


MARKS: Mapping[Kind, Marks] = {
    "kong": Marks(
        "Kong",
        _image("kong(?:-gateway|-ee)?", "kong"),
        _name("kong"),
        _words(
            "KONG_DATABASE KONG_DECLARATIVE_CONFIG KONG_DECLARATIVE_CONFIG_STRING KONG_PLUGINS"
            " KONG_ADMIN_LISTEN KONG_PROXY_LISTEN KONG_PG_HOST KONG_DNS_ORDER"
        ),
        ports=(8001, 8000),
        audited=True,
    ),
    "gotrue": Marks(
        "GoTrue (Auth)",
        _image("gotrue", "auth|gotrue"),
        _name("gotrue|auth"),
        _words(
            "GOTRUE_SITE_URL GOTRUE_DB_DRIVER GOTRUE_DB_DATABASE_URL GOTRUE_JWT_SECRET GOTRUE_API_HOST"
            " GOTRUE_JWT_AUD GOTRUE_API_PORT"
        ),
        ports=(9999,),
        port_names=("PORT", "GOTRUE_API_PORT"),
        audited=True,
    ),
    "postgres_meta": Marks(
        "Postgres Meta",
        _image("postgres-meta|pg-meta", "meta|postgres-meta|pg-meta"),
        _name(r"postgres[\s_-]?meta|pg[\s_-]?meta|meta"),
        _words("PG_META_PORT PG_META_HOST PG_META_DB_HOST PG_META_DB_USER PG_META_DB_PASSWORD PG_META_DB_URL"),
        ports=(8080,),
        port_names=("PG_META_PORT", "PORT"),
        audited=True,
    ),
    "minio": Marks(
        "MinIO",
        _image("minio", "minio"),
        _name("minio"),
        _words("MINIO_BROWSER MINIO_SERVER_URL MINIO_BROWSER_REDIRECT_URL"),
        _words("MINIO_ROOT_USER MINIO_ROOT_PASSWORD"),
        ports=(9000,),
        port_names=(),
        audited=True,
    ),
    "mongodb": Marks(
        "MongoDB",
        _image("mongo|mongodb(?:-(?:community|enterprise)-server)?|percona-server-mongodb"),
        _name("mongo(?:db)?"),
        _words("MONGO_INITDB_ROOT_USERNAME MONGO_INITDB_ROOT_PASSWORD MONGO_INITDB_DATABASE"),
        ports=(27017,),
        port_names=(),
        audited=True,
    ),
    "realtime": Marks(
        "Realtime",
        _image("realtime", "realtime"),
        _name("realtime"),
        _words("API_JWT_SECRET METRICS_JWT_SECRET DB_ENC_KEY SEED_SELF_HOST SECRET_KEY_BASE DB_AFTER_CONNECT_QUERY"),
        least=2,
        ports=(4000,),
        audited=True,
    ),
    "studio": Marks(
        "Studio",
        _image("studio", "studio"),
        _name("studio"),
        _words("STUDIO_PG_META_URL STUDIO_DEFAULT_ORGANIZATION SNIPPETS_MANAGEMENT_FOLDER DEFAULT_PROJECT_NAME"),
        ports=(3000,),
        audited=True,
    ),
    "postgrest": Marks(
        "PostgREST",
        _image("postgrest", "rest|postgrest"),
        _name("postgrest|rest"),
        _words("PGRST_DB_URI PGRST_DB_ANON_ROLE PGRST_SERVER_PORT"),
        ports=(3000,),
        port_names=("PGRST_SERVER_PORT", "PORT"),
    ),
    "storage_api": Marks(
        "Supabase Storage",
        _image("storage-api", "storage|storage-api"),
        _name(r"storage[\s_-]?api|storage"),
        _words("FILE_STORAGE_BACKEND_PATH GLOBAL_S3_BUCKET STORAGE_PUBLIC_URL"),
        ports=(5000,),
    ),
    "imgproxy": Marks(
        "imgproxy",
        _image("imgproxy", "imgproxy"),
        _name("imgproxy"),
        _words("IMGPROXY_BIND IMGPROXY_KEY IMGPROXY_USE_ETAG IMGPROXY_LOCAL_FILESYSTEM_ROOT"),
        ports=(8080,),
    ),
    "edge_functions": Marks(
        "Edge Functions",
        _image("edge-runtime", "functions|edge-functions"),
        _name(r"(?:edge[\s_-]?)?functions"),
        ports=(9000,),
    ),
    "logflare": Marks(
        "Logflare (Analytics)",
        _image("logflare", "analytics|logflare"),
        _name("logflare|analytics"),
        _words("LOGFLARE_SINGLE_TENANT LOGFLARE_SUPABASE_MODE"),
        ports=(4000,),
    ),
    "supavisor": Marks(
        "Supavisor", _image("supavisor", "pooler|supavisor"), _name("supavisor|pooler"), ports=(4000,)
    ),
    "pgbouncer": Marks(
        "PgBouncer", _image("pgbouncer"), _name("pgbouncer"), _words("PGBOUNCER_POOL_MODE"), port_names=()
    ),
    "envoy": Marks("Envoy", _image("envoy(?:-[a-z-]+)?", "envoy"), _name("envoy"), ports=(8000,)),
    "nginx": Marks("nginx", _image("nginx(?:-unprivileged)?|openresty"), _name("nginx"), ports=(80,)),
    "postgres": Marks(
        "Postgres",
        _image("postgres(?:ql)?(?:-ssl|-ha)?|postgis|pgvector|timescaledb(?:-ha)?", "postgres|db"),
        _name("postgres(?:ql)?"),
        _words("POSTGRES_INITDB_ARGS PGDATA"),
        port_names=(),
    ),
    "redis": Marks(
        "Redis",
        _image("redis(?:-stack(?:-server)?)?|valkey|keydb|dragonfly"),
        _name("redis|valkey"),
        port_names=(),
    ),
    "mysql": Marks(
        "MySQL", _image("mysql|mariadb|percona-server"), _name("mysql|mariadb"), _words("MYSQL_INITDB"), port_names=()
    ),
    "ogel": Marks(
        "Ogel",
        _image("ogel"),
        _name("ogel"),
        own=_words("OGEL_SECRET OGEL_ADMIN_KEY OGEL_UPSTREAMS"),
        ports=(8080,),
    ),
    "other": Marks("another service", re.compile("(?!)"), re.compile("(?!)")),
}  # fmt: skip

_REGISTRY = re.compile(r"[^/]*[.:][^/]*|localhost")


def repository_of(image: str) -> str:
    """`quay.io/minio/minio:RELEASE…@sha256:…` → `minio/minio`."""
    name = image.partition("@")[0].strip().lower()
    first, slash, rest = name.partition("/")
    if slash and _REGISTRY.fullmatch(first):
        name = rest
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]
