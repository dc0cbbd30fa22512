"""Who judges which kind of service, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from msgspec import Struct

from ogel.features.consolidation.judgement import gotrue, kong, minio, mongodb, postgres_meta, realtime
from ogel.features.consolidation.judgement.verdict import Judgement, keep, name_of, unknown
from ogel.features.consolidation.kinds import MARKS, Kind
from ogel.features.consolidation.recognition import WEIGHTS
from ogel.features.consolidation.seen import Seen


class Knowledge(Struct, frozen=True):
    """
    What judgements need besides the service.

    days        how far back logs and metrics were looked at.
    translated  plugins of Kong's that Ogel has settings for.
    speaks      prefixes that Ogel answers itself.
    """

    now: datetime
    days: float
    translated: Collection[str]
    speaks: Collection[str]


def judge(seen: Seen, knowing: Knowledge) -> Judgement:
    marks = MARKS[seen.kind]
    if seen.kind == "studio":
        return keep("It is what people work in. Ogel's gateway can stand before it (docs/gateway.md).")
    if not marks.audited:
        return keep(_not_audited(seen))
    if seen.recognised.certainty == "by name":
        return unknown(
            seen,
            f"Only its name says that it is {marks.title}.",
            look=[f"railway ssh --service {name_of(seen)}"],
        )
    if any(each.weight >= WEIGHTS["image"] for each in seen.recognised.against):
        other = MARKS[_other(seen)].title
        return unknown(
            seen,
            f"The evidence contradicts itself: it may be {marks.title} or {other}.",
            look=["See its evidence."],
        )
    match seen.kind:
        case "kong":
            return kong.judge(seen, knowing.translated)
        case "gotrue":
            return gotrue.judge(seen)
        case "postgres_meta":
            return postgres_meta.judge(seen)
        case "minio":
            return minio.judge(seen)
        case "mongodb":
            return mongodb.judge(seen, knowing.now, knowing.days)
        case _:
            return realtime.judge(seen, knowing.speaks, knowing.now, knowing.days)


def _other(seen: Seen) -> Kind:
    return max(seen.recognised.against, key=lambda each: each.weight).says or "other"


def _not_audited(seen: Seen) -> str:
    match seen.kind:
        case "other":
            return "It is none of the services that this audit is about."
        case "storage_api":
            return "It is not audited. Ogel speaks its dialect at /storage/v1 (docs/supabase-storage.md)."
        case "ogel":
            return "It is Ogel."
        case "postgres" | "redis" | "mysql":
            return "A database of the project: this audit never removes one."
        case _:
            return f"{MARKS[seen.kind].title} is not audited: Ogel has nothing that takes its place."
