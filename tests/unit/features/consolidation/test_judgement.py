"""Keep, replace, remove, or not known: each of the audit's questions with its answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from ogel.features.consolidation.evidence import Evidence
from ogel.features.consolidation.judgement.judge import Knowledge, judge
from ogel.features.consolidation.judgement.verdict import Judgement
from ogel.features.consolidation.kinds import Kind
from ogel.features.consolidation.recognition import Certainty, Recognised
from ogel.features.consolidation.seen import Referrer, Seen
from ogel.features.consolidation.use.references import Reference
from ogel.features.consolidation.use.requests import Requests
from ogel.features.consolidation.use.tables import Tables
from ogel.features.consolidation.wire.facts import AuthFacts, KongFacts
from ogel.runtime.railway import Instance
from ogel.runtime.surveys import BucketsSeen, DocumentsSeen, TableSeen

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
KNOWING = Knowledge(NOW, 7.0, frozenset({"key-auth", "acl", "cors", "rate-limiting"}), frozenset())
QUIET = [Requests("own log", probes=900, lines=900)]
BUSY = [Requests("own log", answered=40, lines=40, paths=[("/tables", 30), ("/schemas", 10)])]
BLIND = [Requests("own log", lines=20, tells=False)]


def seen(kind: Kind, certainty: Certainty = "certain", **known: object) -> Seen:
    values = {"referrers": [], "requests": QUIET, **known}
    return Seen(Instance("s1", "svc", "e1"), Recognised(kind, certainty, (), ()), **values)  # type: ignore[arg-type]


def by(*kinds: Kind) -> Sequence[Referrer]:
    return [Referrer(Reference(kind, kind.title(), "URL", "reference"), kind) for kind in kinds]


def judged(kind: Kind, **known: object) -> Judgement:
    return judge(seen(kind, **known), KNOWING)


def rows(schema: str, name: str, count: int | None, labels: Sequence[str] = ()) -> TableSeen:
    return TableSeen(schema, name, count, True, labels=labels)


def pg(*tables: TableSeen) -> Sequence[Tables]:
    return [Tables("pg", tables)]


def kong(plugins: Sequence[str] | None, routes: int = 3) -> KongFacts:
    return KongFacts(2, routes, plugins, source="its Admin API")


@pytest.mark.parametrize(
    ("known", "answer", "risk", "says"),
    [
        ({"kong": kong([]), "referrers": by("studio")}, "replace", "low", "nothing else"),
        ({"kong": kong(["cors", "key-auth"]), "referrers": by("studio")}, "replace", "medium", "cors, key-auth"),
        ({"kong": kong(["cors", "openid-connect", "saml"]), "requests": BUSY}, "keep", "none", "openid-connect, saml"),
        ({"kong": kong(["openid-connect"])}, "remove", "low", "no request came"),
        ({"kong": kong([], routes=0), "requests": BLIND}, "remove", "low", "no routes"),
        ({"referrers": by("studio")}, "unknown", "none", "Admin API"),
        ({"requests": BLIND}, "unknown", "none", "Admin API"),
        ({"referrers": None}, "unknown", "none", "Admin API"),
        ({"requests": []}, "unknown", "none", "Admin API"),
    ],
)  # fmt: skip
def test_kong(known: dict[str, object], answer: str, risk: str, says: str) -> None:
    found = judged("kong", **known)
    assert (found.answer, found.risk) == (answer, risk)
    assert says in found.reason


def test_kong_s_own_tables_tell_its_plugins() -> None:
    tables = [rows("public", name, 3) for name in ("schema_meta", "services", "routes", "consumers")]
    plugins = rows("public", "plugins", 2, ["acl", "grpc-web"])
    found = judged("kong", databases=pg(*tables, plugins), referrers=by("studio"))
    assert found.answer == "keep" and "grpc-web (as its tables says)" in found.reason
    # A shop's own tables of these names are none of Kong's.
    found = judged("kong", databases=pg(*tables[1:3], plugins), referrers=by("studio"))
    assert found.answer == "unknown"


@pytest.mark.parametrize(
    ("known", "answer", "says"),
    [
        ({"auth": AuthFacts(["github", "google"]), "referrers": by("studio", "other")}, "keep", "github, google"),
        ({"auth": AuthFacts([], saml=True), "referrers": by("studio")}, "keep", "SAML"),
        ({"auth": AuthFacts([]), "referrers": by("studio", "kong")}, "replace", "Nobody but Studio"),
        ({"auth": AuthFacts([]), "referrers": by("studio", "other")}, "replace", "Other (URL)"),
        ({"auth": AuthFacts([])}, "remove", "nobody has signed in"),
        ({}, "remove", "nobody has signed in"),
        ({"requests": BLIND}, "unknown", "/settings"),
        ({"referrers": by("studio")}, "unknown", "/settings"),
        ({"databases": pg(rows("auth", "users", 12)), "auth": AuthFacts([])}, "replace", "12 users"),
        ({"databases": pg(rows("auth", "oauth_clients", 2)), "auth": AuthFacts([])}, "keep", "2 programs of"),
        (
            {
                "databases": pg(rows("auth", "identities", 9, ["email"])),
                "auth": AuthFacts(["github"]),
                "referrers": by("studio"),
            },
            "replace", "address and number alone",
        ),
    ],
)  # fmt: skip
def test_gotrue(known: dict[str, object], answer: str, says: str) -> None:
    found = judged("gotrue", **known)
    assert found.answer == answer
    assert says in found.reason


@pytest.mark.parametrize(
    ("known", "answer", "says"),
    [
        ({"referrers": by("studio")}, "keep", "Studio needs it"),
        ({}, "remove", "nobody has asked"),
        ({"requests": BUSY}, "replace", "/schemas, /tables alone"),
        ({"requests": [Requests("own log", answered=1, lines=1, paths=[("/query", 1)])]}, "keep", "/query"),
        ({"referrers": by("other"), "requests": BLIND}, "keep", "used by Other (URL)"),
        ({"requests": BLIND}, "unknown", "not seen"),
        ({"referrers": None}, "unknown", "not seen"),
    ],
)
def test_postgres_meta(known: dict[str, object], answer: str, says: str) -> None:
    found = judged("postgres_meta", **known)
    assert found.answer == answer
    assert says in found.reason


def store(objects: int, whole: bool = True) -> BucketsSeen:
    return BucketsSeen(["photos", "a b"], objects, objects * 1000, NOW, whole)


@pytest.mark.parametrize(
    ("known", "answer", "says"),
    [
        ({"store": store(1200), "requests": BLIND}, "replace", "1,200 objects (1.1 MiB)"),
        ({"store": store(0), "requests": BLIND}, "remove", "no objects"),
        ({"store": store(0), "requests": BLIND, "referrers": by("other")}, "replace", "no objects yet"),
        ({"store": store(0), "requests": BUSY}, "unknown", "it gets requests"),
        ({"store": store(0), "requests": BLIND, "referrers": None}, "unknown", "not seen"),
        ({"store": store(0, whole=False), "requests": QUIET}, "unknown", "not seen"),
        ({"referrers": by("storage_api"), "requests": BLIND}, "replace", "--look-inside"),
        ({"requests": BLIND}, "unknown", "not seen"),
        ({}, "unknown", "nobody refers to it"),
    ],
)
def test_minio(known: dict[str, object], answer: str, says: str) -> None:
    found = judged("minio", **known)
    assert found.answer == answer
    assert says in found.reason


def test_names_of_buckets_do_not_become_commands() -> None:
    nasty = ["-rf", "a;reboot", "photos", "x" * 300, "\x1b[2J"]
    found = judged("minio", store=BucketsSeen(nasty, 1, 1, None, True))
    commands = [each for each in found.steps if each.startswith(("ogel storage mb", "rclone"))]
    assert commands == ["ogel storage mb photos", "rclone copy minio:photos ogel:photos"]
    [rest] = [each for each in found.steps if each.startswith("…")]
    assert "a;reboot" in rest and "\x1b" not in rest and len(rest) < 400


def documents(count: int | None, **known: object) -> DocumentsSeen:
    values = {
        "databases": [],
        "size_bytes": 0,
        "connections": 0,
        "writes": 0,
        "uptime_seconds": 86_400 * 30,
        **known,
    }
    return DocumentsSeen("8.0", documents=count, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("known", "answer", "says"),
    [
        ({"referrers": by("other"), "documents": documents(0)}, "keep", "Other (URL) refers to it"),
        ({"referrers": by("other")}, "keep", "refers to it"),
        ({"documents": documents(0)}, "remove", "no documents"),
        ({"documents": documents(0, uptime_seconds=60)}, "remove", "no documents"),
        ({"documents": documents(0, connections=3)}, "unknown", "connected (3)"),
        ({"documents": documents(0, writes=5)}, "unknown", "written to lately"),
        (
            {"documents": documents(70, newest=NOW - timedelta(days=90))},
            "remove",
            "nothing was written for 7 days",
        ),
        ({"documents": documents(70, newest=NOW - timedelta(days=1))}, "unknown", "written to lately"),
        ({"documents": documents(70, uptime_seconds=3600)}, "unknown", "has not run"),
        ({"documents": documents(None)}, "unknown", "not seen"),
        ({"documents": documents(0), "referrers": None}, "unknown", "not seen"),
        ({}, "unknown", "not seen"),
    ],
)
def test_mongodb(known: dict[str, object], answer: str, says: str) -> None:
    found = judged("mongodb", **known)
    assert found.answer == answer
    assert says in found.reason


@pytest.mark.parametrize(
    ("known", "answer", "says"),
    [
        ({"requests": [Requests("own log", connected=8, lines=9)]}, "keep", "in these days: 8"),
        ({"referrers": by("kong", "other")}, "keep", "Other (URL) refers to it"),
        ({"referrers": by("kong")}, "remove", "Nobody subscribes"),
        ({"referrers": by("kong"), "requests": BLIND}, "unknown", "not seen"),
        (
            {"requests": BLIND, "databases": pg(rows("realtime", "subscription", 0))},
            "remove", "Nobody subscribes",
        ),
        ({"databases": pg(rows("realtime", "subscription", 4))}, "keep", "4 subscriptions to"),
        ({"referrers": None}, "unknown", "not seen"),
    ],
)  # fmt: skip
def test_realtime(known: dict[str, object], answer: str, says: str) -> None:
    found = judged("realtime", **known)
    assert found.answer == answer
    assert says in found.reason


def test_realtime_is_replaced_by_an_ogel_that_speaks_its_dialect() -> None:
    knowing = Knowledge(NOW, 7.0, frozenset(), frozenset({"/realtime/v1"}))
    assert judge(seen("realtime", requests=BUSY), knowing).answer == "replace"


@pytest.mark.parametrize("kind", ["studio", "postgrest", "postgres", "redis", "storage_api", "ogel", "other"])
def test_what_is_not_audited_is_kept_and_so_is_studio(kind: Kind) -> None:
    for known in ({}, {"requests": BLIND}, {"referrers": None}):
        assert judged(kind, **known).answer == "keep"


KINDS: Sequence[Kind] = ("kong", "gotrue", "postgres_meta", "minio", "mongodb", "realtime")


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_goes_for_lack_of_sight(kind: Kind) -> None:
    """Whatever is missing: variables of others, logs, or both; and logs that do not reach back."""
    short = [Requests("own log", probes=5000, lines=5000, complete=False)]
    for known in ({"referrers": None}, {"requests": []}, {"requests": BLIND}, {"requests": short}):
        found = judged(kind, **known)
        assert found.answer == "unknown", (known, found)
        assert found.look and not found.steps


@pytest.mark.parametrize("kind", ["kong", "gotrue", "postgres_meta", "realtime"])
def test_the_edge_alone_sees_no_private_network(kind: Kind) -> None:
    edge = Requests("HTTP log", probes=3, lines=3)
    found = judged(kind, requests=[edge, *BLIND])
    assert (found.answer, found.risk) == ("remove", "medium")
    assert "Requests over the private network would not be seen" in found.hazard
    assert judged(kind, requests=[edge]).answer == "unknown"
    assert "private network" not in judged(kind, requests=[edge, *QUIET]).hazard


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_goes_for_its_name_or_against_the_evidence(kind: Kind) -> None:
    assert judge(seen(kind, "by name"), KNOWING).answer == "unknown"
    against = [Evidence("image", "the service's image", "nginx:1", "nginx", 3)]
    torn = Seen(
        Instance("s", "svc", "e"), Recognised(kind, "likely", (), against), referrers=[], requests=QUIET
    )
    found = judge(torn, KNOWING)
    assert found.answer == "unknown" and "nginx" in found.reason


@pytest.mark.parametrize("kind", KINDS)
def test_whoever_goes_has_steps_a_way_back_and_a_risk(kind: Kind) -> None:
    known: dict[str, object] = {"documents": documents(0), "store": store(0), "kong": kong([])}
    found = judged(kind, **known)
    assert found.answer == "remove"
    assert any(step.startswith("railway down --service svc --yes") for step in found.steps)
    assert found.back and found.hazard and found.risk in ("low", "medium")


def test_a_name_is_quoted_where_a_shell_would_take_it_apart() -> None:
    odd = Seen(
        Instance("s", "My Kong; rm -rf ~", "e"),
        Recognised("kong", "certain", (), ()),
        referrers=[],
        requests=QUIET,
    )
    assert "--service 'My Kong; rm -rf ~' " in judge(odd, KNOWING).steps[0]
