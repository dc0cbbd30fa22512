"""URLs as people paste them: options of others are left out with a word, mistakes refused, no password shown."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict
from pymongo.common import URI_OPTIONS_VALIDATOR_MAP
from redis.connection import parse_url

from ogel.environ import read_settings, read_what_can_be_read, value_of
from ogel.features.databases.registry.address import DatabaseAddress, read_url
from ogel.kernel.errors import ConfigError, Invalid
from ogel.runtime.server_urls import mongo, postgres, redis
from ogel.runtime.server_urls.parts import BadUrl, ServerUrl

SECRET = "hunter2"
# What people's password generators put into passwords; each stands in the middle of one.
STRAY = [
    "@",
    "/",
    "#",
    "?",
    "%",
    ":",
    "[",
    "]",
    "%zz",
    "@@",
    ":/",
    "?a=",
    "#@",
    "/@",
    " ",
    "\\",
    "é",
    "+",
    "&",
    "=",
]
URLS = {
    "DATABASE_URL": "postgresql://user:{}@db.example:5432/d",
    "REDIS_URL": "redis://user:{}@cache.example:6379/0",
    "MONGO_URL": "mongodb://user:{}@mongo.example:27017/d",
    "SMTP_URL": "smtp://user:{}@mail.example:587",
    "OGEL_EGRESS_PROXY": "http://user:{}@proxy.example:3128",
    "SENTRY_DSN": "https://user:{}@sentry.example/1",
    "S3_ENDPOINT": "https://user:{}@s3.example",
    "RESEND_BASE_URL": "https://user:{}@resend.example",
    "POSTGRES_HOST": "postgres://user:{}@db.example",
    "SMTP_HOST": "user:{}@mail.example",
    "PORT": "redis://user:{}@cache.example",
    "LOG_LEVEL": "postgresql://user:{}@db.example/d",
}


@pytest.mark.parametrize(("name", "stray"), [(name, stray) for name in URLS for stray in STRAY])
def test_a_stray_character_of_a_password_is_its_own_or_is_refused_without_a_part_of_it(
    name: str, stray: str
) -> None:
    password = f"{SECRET}{stray}{SECRET}"
    sourced = read_what_can_be_read({name: URLS[name].format(password)})
    assert SECRET not in " ".join(sourced.mistakes)
    if sourced.mistakes:
        [mistake] = sourced.mistakes
        assert mistake.startswith(f"{name} got ") and "; it takes " in mistake and "\n" not in mistake
        return
    [field] = [field for field, source in sourced.sources.items() if source == name]
    parts = urlsplit(value_of(sourced.settings, field))
    assert unquote(parts.password or "") == password
    assert parts.hostname == urlsplit(URLS[name].format("x")).hostname


@pytest.mark.parametrize("stray", ["@", "%", ":", "[", "+", "é", "@@"])
def test_every_client_reads_the_password_that_was_meant(stray: str) -> None:
    from pymongo.uri_parser import parse_uri

    password = f"a{stray}b"
    assert conninfo_to_dict(postgres.clean(f"postgresql://u:{password}@h/d").url)["password"] == password
    assert parse_url(redis.clean(f"redis://u:{password}@h").url)["password"] == password
    assert parse_uri(mongo.clean(f"mongodb://u:{password}@h").url)["password"] == password


def test_what_is_escaped_stays_as_it_is() -> None:
    for url in ("postgresql://u%40x:p%2Fw%25@h:5/d?sslmode=require", "postgresql://:@%2Frun%2Fpg/d"):
        assert postgres.clean(url).url == url
    assert ServerUrl.parse("redis://u:%ff@h").password == "%FF"


@pytest.mark.parametrize(
    ("url", "cleaned", "ignored"),
    [
        ("postgres://h/d?schema=public&pgbouncer=true&connection_limit=1&pool_timeout=0&sslmode=require",
         "postgres://h/d?sslmode=require", ["schema", "pgbouncer", "connection_limit", "pool_timeout"]),
        ("postgresql://h/d?sslaccept=strict", "postgresql://h/d", ["sslaccept"]),
        ("postgresql://h/d?sslmode=require&channel_binding=require",
         "postgresql://h/d?sslmode=require&channel_binding=require", []),
        ("postgresql://h/d?channel_binding=require", "postgresql://h/d", ["channel_binding"]),
        ("postgresql://h/d?options=endpoint%3Dep-cool-1&sslmode=require", "postgresql://h/d?sslmode=require",
         ["options"]),
        ("postgresql://h/d?options=project%3Dx%20-c%20geqo%3Doff", "postgresql://h/d?options=-c%20geqo%3Doff",
         ["options"]),
        ("postgresql://h/d?options=-c%20geqo%3Doff", "postgresql://h/d?options=-c%20geqo%3Doff", []),
        ("postgresql://h/d?supa=base-pooler.x&workaround=supabase-pooler.vercel", "postgresql://h/d",
         ["supa", "workaround"]),
        ("postgresql+psycopg://h/d", "postgresql://h/d", ["+psycopg"]),
        ("postgresql+asyncpg://h/d?ssl=require&prepared_statement_cache_size=0",
         "postgresql://h/d?sslmode=require", ["+asyncpg", "prepared_statement_cache_size"]),
        ("postgis://h/d?conn_max_age=60", "postgresql://h/d", ["conn_max_age"]),
        ("postgresql://h/d?ssl=true", "postgresql://h/d?sslmode=require", []),
        ("postgresql://h/d?currentSchema=a&ApplicationName=b", "postgresql://h/d",
         ["currentSchema", "ApplicationName"]),
        ("postgresql:///d?host=/run/pg", "postgresql:///d?host=/run/pg", []),
        ("postgresql://a:1,b:2/d?target_session_attrs=read-write",
         "postgresql://a:1,b:2/d?target_session_attrs=read-write", []),
    ],
)  # fmt: skip
def test_postgres_options_of_others_are_named_and_left_out(
    url: str, cleaned: str, ignored: list[str]
) -> None:
    found = postgres.clean(url)
    assert found.url == cleaned
    assert len(found.ignored) == len(ignored)
    assert all(
        word in part for word, part in zip(sorted(ignored), sorted(found.ignored, key=_word), strict=True)
    )


def _word(part: str) -> str:
    return part.partition(" ")[2]


@pytest.mark.parametrize(
    ("url", "cleaned", "ignored"),
    [
        ("redis://h?family=0", "redis://h", ["option family"]),
        ("redis://h/1?db=2", "redis://h/1?db=2", []),
        ("redis://h?ssl_cert_reqs=CERT_NONE", "redis://h", ["option ssl_cert_reqs"]),
        ("rediss://h?ssl_cert_reqs=CERT_NONE", "rediss://h?ssl_cert_reqs=none", []),
        ("rediss://h?ssl_cert_reqs=none&tls=true", "rediss://h?ssl_cert_reqs=none", ["option tls"]),
        ("redis://h?decode_responses=True&socket_timeout=1&max_connections=4", "redis://h",
         ["option decode_responses", "option socket_timeout", "option max_connections"]),
        ("redis://h?dial_timeout=5s&pool_size=10", "redis://h", ["option dial_timeout", "option pool_size"]),
        ("redis://h?maxRetriesPerRequest=0&enableReadyCheck=false", "redis://h",
         ["option maxRetriesPerRequest", "option enableReadyCheck"]),
        ("valkeys://h:6380", "rediss://h:6380", []),
        ("redis://h?", "redis://h", []),
    ],
)  # fmt: skip
def test_redis_options_of_others_are_named_and_left_out(url: str, cleaned: str, ignored: list[str]) -> None:
    assert redis.clean(url) == (cleaned, tuple(ignored))


def test_mongo_options_that_nobody_knows_are_named_and_left_out() -> None:
    found = mongo.clean(
        "mongodb://h/?retryWrites=true&w=majority&appName=@name@&socketKeepAlive=true&poolSize=4"
    )
    assert found.url == "mongodb://h/?retryWrites=true&w=majority&appName=%40name%40"
    assert found.ignored == ("option socketKeepAlive", "option poolSize")


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("DATABASE_URL", "postgresql://h/d?sslmod=require", "the option 'sslmod', which is not known here"),
        ("DATABASE_URL", "postgresql://h/d?sslmode=no-verify", "its option sslmode cannot have this value"),
        ("DATABASE_URL", "postgresql://h/d?connect_timeout=soon", "its option connect_timeout"),
        ("DATABASE_URL", "postgresql://h/d?client_encoding=latin1", "its option client_encoding"),
        ("DATABASE_URL", "postgresql://h/d?sslmode", "its option sslmode"),
        ("DATABASE_URL", "postgresql://h:543x/d", "its host or port cannot be read"),
        ("DATABASE_URL", "postgresql://h:0/d", "its host or port cannot be read"),
        ("DATABASE_URL", "postgresql:///d", "it has no host"),
        ("DATABASE_URL", "postgresql://h/50%", "%25"),
        ("DATABASE_URL", '"postgresql://h/d"', "in quotes that are a part of it"),
        ("DATABASE_URL", "postgresql://h/my db", "a space or a line break"),
        ("DATABASE_URL", "jdbc:postgresql://h/d", "it is no URL"),
        ("DATABASE_URL", "mysql+pymysql://h/d", "its scheme is another one"),
        ("REDIS_URL", "redis://h?prefix=x", "the option 'prefix': Ogel's keys take no prefix"),
        ("REDIS_URL", "redis://h?keyPrefix=x", "the option 'keyPrefix'"),
        ("REDIS_URL", "redis://h?database=1", "the option 'database': the database's number is written"),
        ("REDIS_URL", "redis://h?tls=true", "with TLS, its scheme is rediss://"),
        ("REDIS_URL", "redis://h?db=x", "its option db cannot have this value"),
        ("REDIS_URL", "redis://h?protocol=4", "its option protocol"),
        ("REDIS_URL", "redis://h/cache", "is not the number of a database"),
        ("REDIS_URL", "redis://a:1,b:2", "it needs one host"),
        ("REDIS_URL", "redis://h?nonsense=1", "the option 'nonsense', which is not known here"),
        ("MONGO_URL", "mongodb://h/?tls=maybe", "its option tls"),
        ("MONGO_URL", "mongodb+srv://h:27017/", "one host, without a port"),
        ("SMTP_URL", "smtp://h?encryption=ssl", "smtps:// is TLS"),
        ("SMTP_URL", "smtp://h/inbox", "something stands behind its host"),
        ("OGEL_EGRESS_PROXY", "http://proxy.example", "it has no port"),
        ("S3_ENDPOINT", "https://h?x=1", "it takes no options"),
    ],
)  # fmt: skip
def test_a_real_mistake_is_one_line_that_says_why(name: str, value: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings({name: value})
    assert caught.value.message.startswith(f"{name} got ")
    assert why in caught.value.message
    assert "\n" not in caught.value.message


def test_libpq_knows_what_is_kept_and_nothing_that_is_left_out() -> None:
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    assert postgres.LIBPQ.keys() <= known
    assert not known & postgres.FOREIGN


def test_pymongo_knows_what_is_kept() -> None:
    assert mongo.KNOWN.keys() <= URI_OPTIONS_VALIDATOR_MAP.keys()


@pytest.mark.parametrize(
    "text", ["", "://", "a", "redis:/h", "redis://[::1", "redis://[::1]x", "redis://h:99999", "1://h"]
)
def test_what_is_no_url_is_refused(text: str) -> None:
    with pytest.raises(BadUrl):
        ServerUrl.parse(text)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@h/d?sslmode=require&channel_binding=require", ("postgresql", "h", "d", "require")),
        ("postgresql://u:p@h/d?schema=public&pgbouncer=true", ("postgresql", "h", "d", "prefer")),
        ("postgresql+psycopg://u:p@h/d?options=endpoint%3Dep-1", ("postgresql", "h", "d", "prefer")),
        ("redis://u:p@h/1?family=0", ("redis", "h", "1", "disable")),
        ("redis://u:p@h?db=3", ("redis", "h", "3", "disable")),
        ("rediss://u:p@h?ssl_cert_reqs=CERT_NONE", ("redis", "h", "0", "require")),
        ("mongodb://u:p@h/d?retryWrites=true&w=majority&appName=x", ("mongodb", "h", "d", "disable")),
    ],
)
def test_a_registered_database_may_have_a_url_made_for_others(url: str, expected: tuple[str, ...]) -> None:
    found = read_url(url)
    assert (found.type, found.host, found.database, found.ssl_mode) == expected
    assert found.password == "p"


@pytest.mark.parametrize("stray", STRAY)
@pytest.mark.parametrize("scheme", ["postgresql", "redis", "mongodb"])
def test_a_registered_database_keeps_its_password_to_itself(scheme: str, stray: str) -> None:
    password = f"{SECRET}{stray}{SECRET}"
    said, found = _said_of(f"{scheme}://user:{password}@h.example")
    assert SECRET not in said
    assert found is None or (found.password, found.host) == (password, "h.example")


def _said_of(url: str) -> tuple[str, DatabaseAddress | None]:
    try:
        return "", read_url(url)
    except Invalid as error:
        return f"{error} {error.errors}", None
