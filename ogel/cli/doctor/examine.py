"""Every check, side by side, each within its time; one that fails tells so, and stops no other."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence

from ogel.cli.doctor import agreement, keys, machine, outgoing, postgres, redis, stores, suite, variables
from ogel.cli.doctor.finding import Ask, Finding, Look, ill
from ogel.cli.doctor.patient import Patient

SECONDS = 15.0

# In the order in which they are shown.
CHECKS: Sequence[tuple[str, Look | Ask]] = (
    ("settings", variables.read),
    ("settings", variables.ignored),
    ("settings", agreement.look),
    ("secrets", keys.look),
    ("port", machine.port),
    ("data directory", machine.data_directory),
    ("open files", machine.open_files),
    ("time zone", machine.time_zone),
    ("embedded servers", suite.embedded_servers),
    ("postgres", postgres.postgres),
    ("schema", postgres.schema),
    ("redis", redis.redis),
    ("mongo", stores.mongo),
    ("storage", stores.storage),
    ("smtp", outgoing.smtp),
    ("mail templates", outgoing.templates),
    ("egress proxy", outgoing.proxy),
    ("sentry", outgoing.sentry),
    ("queues", suite.worker_queues),
    ("schedules", suite.schedules),
    ("suite", suite.at_work),
)


async def examine(patient: Patient) -> list[Finding]:
    found = await asyncio.gather(*(_checked(subject, check, patient) for subject, check in CHECKS))
    return [finding for findings in found for finding in findings]


async def _checked(subject: str, check: Look | Ask, patient: Patient) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(SECONDS):
            if inspect.iscoroutinefunction(check):
                findings: Sequence[Finding] = await check(patient)
            else:
                findings = await asyncio.to_thread(check, patient)  # type: ignore[arg-type]
            return findings
    except TimeoutError:
        return [
            ill(subject, f"no answer within {SECONDS:g} s", "look at it by hand: everything else was checked")
        ]
    except Exception as error:  # noqa: BLE001 - what a doctor did not foresee is a finding, too
        lines = str(error).strip().splitlines() or [""]
        detail = f"could not be checked: {type(error).__name__}: {lines[0]}"
        return [ill(subject, detail, "that is a defect of Ogel's: please report it")]
