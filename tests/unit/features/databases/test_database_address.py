"""What a URL, or the parts of one, say about a database."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ogel.features.databases.registry.address import DatabaseAddress, address_of, read_url
from ogel.features.databases.registry.database import NewDatabase, password_hint
from ogel.kernel.errors import Invalid
from ogel.runtime.database.registered import Target


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        (
            "postgresql://u%40x:p%2Fw@db.internal:6543/shop%20x?sslmode=require",
            ("postgresql", "db.internal", 6543, "shop x", "u@x", "p/w", "require", None),
        ),
        ("postgres://h", ("postgresql", "h", 5432, "postgres", None, None, "prefer", None)),
        ("postgresql://[fd12::1]/d", ("postgresql", "fd12::1", 5432, "d", None, None, "prefer", None)),
        ("redis://:secret@h", ("redis", "h", 6379, "0", None, "secret", "disable", None)),
        ("rediss://u:p@h:1/7", ("redis", "h", 1, "7", "u", "p", "verify-full", None)),
        ("mongodb://h", ("mongodb", "h", 27017, "admin", None, None, "disable", None)),
        ("mongodb://u:p@h/shop", ("mongodb", "h", 27017, "shop", "u", "p", "disable", "shop")),
        (
            "mongodb://u:p@h/shop?authSource=admin&tls=true",
            ("mongodb", "h", 27017, "shop", "u", "p", "verify-full", "admin"),
        ),
    ],
)
def test_a_url_says_it_all(url: str, parts: Any) -> None:
    assert read_url(url) == DatabaseAddress(*parts)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "db.internal",
        "mongodb+srv://u:hunter2@h/d",
        "postgresql:///d?host=/var/run",
        "postgresql://u:hunter2@h/d?service=other",
        "postgresql://u:hunter2@h,i/d",
        "postgresql://u:hunter2@h/d?sslmode=verify-ca",
        "postgresql://u:hunter2#@h/d",
        "mongodb://u:hunter2@h/?tls=maybe",
        "mongodb://u:hunter2@h/?replicaSet=rs0",
        "redis://:hunter2@h/99999999",
        "redis://:hunter2@h/²",
        "redis://:hunter2@\U0001f4a9.la",
        "redis://:hunter2@a\u200db.example",
        "redis://:hunter2@" + "ü" * 60,
    ],
)
def test_a_url_that_cannot_be_used_is_not_quoted(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_url(url)
    assert [error.path for error in caught.value.errors] == ["body.url"]
    assert "hunter2" not in str(caught.value) + repr(caught.value.errors)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("straße.example", "xn--strae-oqa.example"),
        ("ΒΌΛΟΣ。com", "xn--nxasmq6b.com"),
        ("\uff11\uff16\uff19.254.1.1", "169.254.1.1"),
        ("db_1.internal", "db_1.internal"),
        ("db.example.", "db.example."),
    ],
)
def test_a_host_is_the_one_that_was_written(host: str, name: str) -> None:
    new = msgspec.convert({"name": "a", "type": "redis", "host": host}, NewDatabase)
    assert address_of(new).host == name
    assert read_url(f"redis://u:pä@{host}:1").host == name


def test_parts_have_their_types_defaults() -> None:
    new = msgspec.convert({"name": "a", "type": "redis", "host": "h"}, NewDatabase)
    assert address_of(new) == DatabaseAddress("redis", "h", 6379, "0", None, None, "disable")


def test_a_hint_tells_little() -> None:
    assert password_hint(None) is None
    assert password_hint("short") == "****"
    assert password_hint("a-long-password-xy") == "****xy"


def test_a_target_shows_no_password() -> None:
    target = Target("postgresql", "h", 1, "d", "u", "hunter2-hunter2", "prefer")
    assert "hunter2" not in repr(target) + str(target) + f"{[target]}"
    assert target.without_password("it said hunter2-hunter2!") == "it said ****!"
    assert target.without_password("no such user u:hunter2%2Dhunter2@h") == "no such user u:****@h"
