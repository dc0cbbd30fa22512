"""Logs: one JSON line per event on stdout, the standard library's loggers included."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

_SECRET_NAME = re.compile(r"(?i)(password|secret|authorization|api_?key|token|dsn)")
# As far as the last @: a password may hold one that nobody escaped.
_URL_PASSWORD = re.compile(r"(?<=://)([^/\s:@]*):\S+@")


def configure_logging(level: str, stream: TextIO | None = None) -> None:
    """
    Once per process, before anything logs. Railway reads `level` and `message` from each line. `stream`: instead of
    stdout.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _mask_secrets,
        structlog.processors.EventRenamer("message"),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared[:3],
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared[:4],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *shared[4:],
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for noisy in ("rq.worker", "rq.job", "hypercorn.error", "hypercorn.access", "psycopg.pool", "asyncio"):
        # They repeat what our own logs say with ids; their warnings still come through.
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def _mask_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A last line of defence: nothing should hand a secret to the log in the first place."""
    for name, value in event.items():
        if _SECRET_NAME.search(name):
            event[name] = "***"
        elif isinstance(value, str) and "://" in value:
            event[name] = _URL_PASSWORD.sub(r"\1:***@", value)
    return event
