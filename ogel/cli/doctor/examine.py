"""Every check, those of servers side by side, each within its time; one that fails tells so, and stops no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

from ogel.cli.doctor import (
    agreement,
    keys,
    machine,
    network,
    outgoing,
    postgres,
    railway,
    redis,
    scanner,
    sign_in,
    stores,
    suite,
    variables,
)
from ogel.cli.doctor.finding import Ask, Finding, Look, ill
from ogel.cli.doctor.patient import Patient

SECONDS = 15.0

# Of the settings and this machine.
LOOKS: Sequence[tuple[str, Look]] = (
    ("settings", variables.read),
    ("settings", variables.ignored),
    ("settings", agreement.look),
    ("secrets", keys.look),
    ("port", machine.port),
    ("data directory", machine.data_directory),
    ("open files", machine.open_files),
    ("time zone", machine.time_zone),
    ("embedded servers", suite.embedded_servers),
    ("network", network.public_hops),
    ("mail templates", outgoing.templates),
    ("sign-in", sign_in.callback),
    ("queues", suite.worker_queues),
    ("schedules", suite.schedules),
)
# Of servers.
ASKS: Sequence[tuple[str, Ask]] = (
    ("postgres", postgres.postgres),
    ("schema", postgres.schema),
    ("redis", redis.redis),
    ("mongo", stores.mongo),
    ("storage", stores.storage),
    ("storage", stores.blobs),
    ("scanner", scanner.scanner),
    ("storage", stores.blobs),
    ("smtp", outgoing.smtp),
    ("egress proxy", outgoing.proxy),
    ("sentry", outgoing.sentry),
    ("sign-in", sign_in.issuers),
    ("upstreams", outgoing.upstreams),
    ("railway", railway.token),
    ("suite", suite.at_work),
)


async def examine(patient: Patient) -> list[Finding]:
    found = []
    # One after the other, and before the asks: threads that import the same modules at once get into each other's way.
    for subject, look in LOOKS:
        found.append(await _limited(subject, asyncio.to_thread(look, patient)))
    found += await asyncio.gather(*(_limited(subject, ask(patient)) for subject, ask in ASKS))
    return [finding for findings in found for finding in findings]


async def _limited(subject: str, checking: Awaitable[Sequence[Finding]]) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(SECONDS):
            return await checking
    except TimeoutError:
        return [
            ill(subject, f"no answer within {SECONDS:g} s", "look at it by hand: everything else was checked")
        ]
    except Exception as error:  # noqa: BLE001 - what a doctor did not foresee is a finding, too
        lines = str(error).strip().splitlines() or [""]
        detail = f"could not be checked: {type(error).__name__}: {lines[0]}"
        return [ill(subject, detail, "that is a defect of Ogel's: please report it")]
