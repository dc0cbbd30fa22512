"""Appwrite's headers, as its receivers check them."""

from __future__ import annotations

import re

from ogel.features.webhooks.secrets.compatibility import appwrite_headers, appwrite_signature


def test_the_signature_is_appwrites() -> None:
    signature = appwrite_signature("key", "https://x.test/hook", b'{"a":1}')
    assert signature == "vAETURGJMJYp1FuPJtCZ5gezM+8="


def test_the_whole_set() -> None:
    headers = appwrite_headers("wh_1", "Orders", "https://x.test/hook", "order.created", b'{"a":1}', "key")
    assert headers == [
        ("x-appwrite-webhook-id", "wh_1"),
        ("x-appwrite-webhook-events", "order.created"),
        ("x-appwrite-webhook-name", "Orders"),
        ("x-appwrite-webhook-user-id", ""),
        ("x-appwrite-webhook-project-id", "default"),
        ("x-appwrite-webhook-signature", "vAETURGJMJYp1FuPJtCZ5gezM+8="),
    ]


def test_without_a_shared_key_there_is_no_signature() -> None:
    names = [name for name, _ in appwrite_headers("wh_1", "", "https://x.test/", "a.b", b"", None)]
    assert "x-appwrite-webhook-signature" not in names


def test_a_name_cannot_break_out_of_its_header() -> None:
    name = " É\r\nX-Other: 1\x00\t" + "n" * 500
    shown = dict(appwrite_headers("wh_1", name, "https://x.test/", "a.b", b"", None))[
        "x-appwrite-webhook-name"
    ]
    assert shown.startswith("%C3%89%0D%0AX-Other: 1%00%09nnn")
    assert re.fullmatch(r"[\x20-\x7e]{1,500}", shown)
