"""MinIO: no longer maintained, so that what it holds should move; where it holds nothing, it can go."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ogel.features.consolidation.evidence import quoted
from ogel.features.consolidation.judgement.verdict import (
    Judgement,
    listed,
    many,
    name_of,
    people,
    refer,
    removal,
    remove,
    return_of,
    unknown,
    unseen_use,
)
from ogel.features.consolidation.seen import Seen
from ogel.kernel.quantities import size

# A bucket of the platform costs a tenth of a volume, and its bytes out cost nothing (docs/consolidate.md).
# What S3 takes; others are strangers' words, and do not stand in a command.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,62}")
_UNMAINTAINED = "MinIO's repository says that it is no longer maintained"


def judge(seen: Seen) -> Judgement:
    store = seen.store
    if store is not None and store.objects:
        more = "" if store.whole else " and more"
        return _replace(
            seen,
            f"It holds {many(store.objects, 'object')}{more} ({size(store.size_bytes)}) in "
            f"{many(len(store.buckets), 'bucket')}. "
            f"{_UNMAINTAINED}; Ogel keeps files in a bucket of the platform, and speaks S3 at /s3.",
            [
                *_copies(store.buckets),
                "ogel storage verify   # what is known of the store, and what is in it",
            ],
        )
    if store is not None and store.whole and not seen.referrers:
        if seen.used:
            return unknown(
                seen, "It is empty, and nobody refers to it, but it gets requests.", look=_look(seen)
            )
        if seen.referrers is not None:
            return remove(
                seen,
                "It holds no objects, and no service refers to it.",
                "A program with its address in the code would find nobody; nothing is lost.",
            )
    if seen.referrers:
        empty = store is not None and store.whole
        held = "It holds no objects yet" if empty else "What it holds was not counted (--look-inside)"
        return _replace(
            seen,
            f"{refer(seen.referrers)}. {held}. {_UNMAINTAINED}; Ogel speaks S3 at /s3.",
            [] if empty else _copies(()),
        )
    why = "it gets requests" if seen.used else unseen_use(seen)
    return unknown(
        seen,
        "Whether it holds anything was not seen" + (f", and {why}." if why else "; nobody refers to it."),
        look=[
            "ogel consolidate --look-inside   # counts its objects with the keys that its variables hold",
            *_look(seen),
        ],
    )


def _replace(seen: Seen, reason: str, copies: Sequence[str]) -> Judgement:
    return Judgement(
        "replace",
        reason,
        "medium",
        "What is written while it is copied has to be copied again: repeat the copy before you switch.",
        steps=[
            "ogel s3-keys create copying   # for rclone's remote ogel, as docs/storage.md has it",
            *copies,
            *(
                [f"Point {people(seen.referrers)} at Ogel's /s3, with keys of `ogel s3-keys create`."]
                if seen.referrers
                else []
            ),
            *removal(seen),
        ],
        back=return_of(
            seen, also=["Point the clients back; what was written to Ogel since is copied back with rclone."]
        ),
    )


def _copies(buckets: Sequence[str]) -> Sequence[str]:
    named = [each for each in buckets if _BUCKET.fullmatch(each)][:5] or ["BUCKET"]
    others = [quoted(each, 60) for each in buckets if each not in named]
    rest = [f"… and for {listed(others)} likewise."] if others else []
    return [
        *(
            line
            for name in named
            for line in (f"ogel storage mb {name}", f"rclone copy minio:{name} ogel:{name}")
        ),
        *rest,
    ]


def _look(seen: Seen) -> Sequence[str]:
    return [
        f"railway ssh --service {name_of(seen)} -- du -sh /data",
        f"railway logs --service {name_of(seen)} --lines 200",
    ]
