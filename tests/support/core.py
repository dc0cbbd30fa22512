"""The core that features are built with, on a database and a queue of the test's; everything else of it is nowhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ogel.platform.platform import Platform
from ogel.runtime.core import Core
from ogel.runtime.database.database import Database
from ogel.runtime.jobs.keys import JobKeys
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.outbox import Outbox
from ogel.settings import NOWHERE


def a_core(database: Database, jobs: JobQueue, **changes: Any) -> Core:
    core = replace(
        Platform(NOWHERE).core,
        database=database,
        workers_database=database,
        jobs=jobs,
        keys=JobKeys(jobs),
        outbox=Outbox(jobs),
    )
    return replace(core, **changes)
