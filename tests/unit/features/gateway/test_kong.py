"""`ogel gateway import`: what a declarative file of Kong's becomes, and files that mean no good."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from ogel.cli.gateway import command
from ogel.environ import read_settings
from ogel.features.gateway.kong.reading import MAX_BYTES, read
from ogel.features.gateway.kong.translating import Translation, translate
from ogel.features.gateway.upstreams.upstream import upstreams_of
from ogel.kernel.errors import ConfigError

FILE = Path(__file__).parent / "kong.yml"


def of(*plugins: Any, service: Any = None, route: Any = None, **beside: Any) -> Translation:
    """Of one service with one route, `/s`."""
    mine = {"name": "r", "paths": ["/s"], "plugins": list(plugins), **(route or {})}
    return translate(
        {"services": [{"name": "s", "url": "http://s:1", "routes": [mine], **(service or {})}], **beside}, []
    )


def plugin(name: str, **config: Any) -> Any:
    return {"name": name, "config": config}


def test_a_whole_file_becomes_settings_that_can_be_read() -> None:
    shown = CliRunner().invoke(command, ["import", str(FILE), "--json"])
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)
    assert found["upstreams"] == [
        "/rest/v1=http://rest:3000;auth=key;cors=yes",
        "/graphql/v1=http://rest:3000/rpc/graphql;auth=key;cors=yes;set=Content-Profile: graphql_public",
        "/functions/v1=http://functions:9000;auth=open;timeout=150;idle=150;cors=yes",
        "/meta=http://meta:8080;auth=admin",
        "/api-of-studio/mcp=403",
        "/=http://studio:3000;auth=admin;cors=yes",
    ]
    assert found["settings"]["OGEL_CORS_ORIGINS"] == "*"
    sources = read_settings(found["settings"]).sources
    assert {sources["gateway.upstreams"], sources["cors_origins"]} == {"OGEL_UPSTREAMS", "OGEL_CORS_ORIGINS"}
    notes = {note["what"]: note["why"] for note in found["notes"]}
    assert (
        notes["route auth-v1-open: /auth/v1/verify"] == "Ogel answers /auth/v1 itself: nothing is to be set"
    )
    assert {
        "consumer anon",
        "consumer service_role",
        "route functions-v1-all: cors: credentials",
        "cors: every origin",
    } <= set(notes)
    assert "route rest-v1-all: request-transformer: add.headers: Authorization" in notes


def test_it_is_printed_for_people_and_for_a_file() -> None:
    shown = CliRunner().invoke(command, ["import", str(FILE)])
    assert "OGEL_UPSTREAMS=/rest/v1=http://rest:3000;auth=key;cors=yes,/graphql" in shown.stdout
    assert "left: consumer anon: " in shown.stderr
    lines = CliRunner().invoke(command, ["import", str(FILE), "--env"]).stdout.splitlines()
    assert lines[-1] == "OGEL_CORS_ORIGINS=*"
    assert lines[-2].startswith('OGEL_UPSTREAMS="/rest/v1=')
    assert all(line.startswith(("#", "OGEL_")) for line in lines)


@pytest.mark.parametrize(
    ("given", "options"),
    [
        (plugin("rate-limiting", second=5, minute=100, policy="local"), "auth=open;rate=5/1s, 100/1m"),
        (plugin("ip-restriction", allow=["10.0.0.0/8", "192.168.0.1"]), "auth=open;allow=10.0.0.0/8 192.168.0.1/32"),
        (plugin("request-size-limiting", allowed_payload_size=8), "auth=open;max_body=8MiB"),
        (plugin("request-size-limiting", allowed_payload_size=9, size_unit="bytes"), "auth=open;max_body=9B"),
        (plugin("jwt"), "auth=user"),
        (plugin("acl", allow=["editors"]), "auth=kong:editors"),
        (plugin("request-transformer", remove={"headers": ["X-A"]}, add={"headers": ["X-B:c"]}),
         "auth=open;set=X-B: c;remove=x-a"),
        (plugin("response-transformer", remove={"headers": ["Server"]}), "auth=open;answer_remove=server"),
    ],
)  # fmt: skip
def test_plugins_become_options(given: Any, options: str) -> None:
    assert of(given).upstreams == [f"/s=http://s:1;{options}"]


def test_routes_and_services_become_options() -> None:
    found = of(
        service={"retries": 9, "url": None, "protocol": "https", "host": "h", "port": 8443, "path": "/p"}
    )
    assert found.upstreams == ["/s=https://h:8443/p;auth=open;retries=5"]
    found = of(route={"strip_path": False, "preserve_host": True, "paths": ["/s", "/t/"]})
    assert found.upstreams == [f"{path}=http://s:1;auth=open;strip=no;host=client" for path in ("/s", "/t")]
    balanced = {"name": "pool", "targets": [{"target": "a:1"}, {"target": "b:1"}]}
    found = of(service={"url": None, "host": "pool", "port": 80}, upstreams=[balanced])
    assert (found.upstreams, len(found.notes)) == (["/s=http://a:80;auth=open"], 1)


def test_a_plugin_of_a_route_comes_before_that_of_its_service_and_of_all() -> None:
    sizes = [plugin("request-size-limiting", allowed_payload_size=size) for size in (1, 2, 3)]
    found = of(sizes[0], service={"plugins": [sizes[1]]}, plugins=[sizes[2]])
    assert found.upstreams == ["/s=http://s:1;auth=open;max_body=1MiB"]
    assert of(plugins=[{**sizes[2], "service": "s"}, {**sizes[1], "route": {"name": "r"}}]).upstreams == [
        "/s=http://s:1;auth=open;max_body=2MiB"
    ]
    assert of({**sizes[0], "enabled": False}).upstreams == ["/s=http://s:1;auth=open"]


@pytest.mark.parametrize(
    ("found", "what"),
    [
        (of(plugin("post-function", access=["return 1"])), "route r: plugin post-function"),
        (of(plugin("oauth2")), "route r: plugin oauth2"),
        (of(plugin("acl", deny=["x"])), "route r: acl: deny"),
        (of(plugin("ip-restriction", allow=["nowhere"])), "route r: ip-restriction: allow"),
        (of(plugin("rate-limiting", month=1)), "route r: rate-limiting: month"),
        (of(plugin("jwt"), plugin("bot-detection")), "route r: plugin bot-detection"),
        (of(plugin("response-transformer", add={"json": ["a:b"]})), "route r: response-transformer: add.json"),
        (of(plugin("request-transformer", add={"headers": ["X: a;b"]})), "route r"),
        (of(plugin("request-transformer", add={"headers": ["X: a\r\nY: b"]})), "route r"),
        (of(route={"hosts": ["a.example.com"]}), "route r: hosts"),
        (of(route={"methods": ["GET"]}), "route r: methods"),
        (of(route={"paths": ["~/a/(?<id>[0-9]+)$"]}), "route r: ~/a/(?<id>[0-9]+)$"),
        (of(route={"paths": ["/a b"]}), "route r"),
        (of(route={"paths": ["/s", "/s/"]}), "route r: /s"),
        (of(service={"url": "grpc://s:1"}), "service s"),
        (of(service={"url": "http://s:1;auth=open"}), "service s"),
        (of(service={"url": "http://s/x;forward=authorization"}), "route r: /s"),
        (of(service={"url": "403"}), "service s"),
        (of(service={"routes": []}), "service s"),
        (of(service={"enabled": False}), "service s"),
        (of(vaults=[{}]), "vaults"),
    ],
)  # fmt: skip
def test_what_is_left_behind_is_listed(found: Translation, what: str) -> None:
    assert what in [note.what for note in found.notes]
    assert all("\n" not in text and "\r" not in text for text in found.upstreams)


def _bomb() -> bytes:
    lines = ["services: []", "a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"services",
        b"[1, 2]",
        b"kind: Pod",
        b"services: [",
        b"\xff\xfe\x00",
        b"services: !!python/object/apply:os.system ['touch /tmp/owned']",
        b"services: !!python/name:os.system",
        b"services: !mine []",
        _bomb(),
        b"services: " + b"[" * 1000 + b"]" * 1000,
        b"services: [" + b"1," * 60_000 + b"]",
        b"services: 2026-99-99",
        b"services: " + b"9" * 10_000,
        b"services: " + b"x" * MAX_BYTES,
        b"--- \nservices: []\n--- \nservices: []",
    ],
    ids=range(16),
)
def test_a_hostile_file_is_refused_in_a_line(content: bytes) -> None:
    began = time.monotonic()
    with pytest.raises(ConfigError) as refused:
        read(content)
    assert "\n" not in refused.value.message
    assert time.monotonic() - began < 10


ODD_ROUTES: list[Any] = [
    {"paths": {"a": 1}},
    {"paths": [None, 5], "plugins": [{"name": ["x"]}]},
    {"plugins": [{"name": "acl", "config": 5}]},
    {"plugins": [{"name": "rate-limiting", "config": {"minute": "many"}}]},
]


@pytest.mark.parametrize(
    "services",
    [1, "x", None, [1], [{"routes": 5}], [{"url": 7}], [{"url": "http://s", "routes": ODD_ROUTES}]],
)
def test_what_has_another_shape_breaks_nothing(services: Any) -> None:
    found = translate(read(yaml.safe_dump({"services": services}).encode()), ["/api"])
    assert isinstance(found.notes, list)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("studio=http://s", "'studio' is no path such as /studio"),
        ("/s", "'/s' is no path such as /studio, with = and an address behind it"),
        ("/s/=http://s", "no path such as"),
        ("/a/../b=http://s", "no path such as"),
        ("/s=ftp://s", "/s: its address is no http(s)://host:port"),
        ("/s=http://u:p@s", "/s: its address is no http(s)://host:port: it holds a user name or password"),
        ("/s=http://s?x=1", "takes no options behind a question mark"),
        ("/s=302", "/s: its address is no"),
        ("/s=http://s;auth=root", "/s: auth takes open, key, user, admin, a scope"),
        ("/s=http://s;tiemout=5", "did you mean timeout?"),
        ("/s=http://s;timeout=0", "/s: timeout takes seconds"),
        ("/s=http://s;max_body=1 TB", "/s: max_body takes a size"),
        ("/s=http://s;set=Host: x", "/s: set takes Name: value"),
        ("/s=http://s;set=X: a\tb", "/s: set takes Name: value"),
        ("/s=http://s;allow=here", "/s: allow takes networks"),
        ("/s=http://s;retries=99", "/s: retries takes 0 to 5"),
        ("/s=http://s,/s=http://t", "/s is there twice"),
    ],
)
def test_a_wrong_upstream_is_named(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        read_settings({"OGEL_UPSTREAMS": text})
    assert words in wrong.value.message
    assert "\n" not in wrong.value.message


def test_upstreams_are_separated_by_commas_and_lines_and_written_as_they_were() -> None:
    text = "/a=http://a;auth=open;rate=1/1s, 2/1m;set=X: a, b\n/b=https://b:8443/base;auth=x:y, /c=404"
    found = upstreams_of(text)
    assert [each.path for each in found] == ["/a", "/b", "/c"]
    assert upstreams_of("\n".join(map(str, found))) == found
