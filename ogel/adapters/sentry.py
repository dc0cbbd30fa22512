"""Reports logged errors to Sentry, with their tracebacks."""

from __future__ import annotations

import logging
import sys
from typing import Any

from ogel import __version__
from ogel.kernel.errors import ConfigError
from ogel.runtime.secrets.scrub import NOTHING_SECRET, Scrubber


def start_sentry(dsn: str, scrub: Scrubber = NOTHING_SECRET) -> None:
    """
    Once per process, after logging is configured. `scrub` is for what errors say. Raises ConfigError without the
    `sentry` extra or for a bad DSN.
    """
    try:
        import sentry_sdk
        from sentry_sdk.integrations.atexit import AtexitIntegration
        from sentry_sdk.integrations.dedupe import DedupeIntegration
        from sentry_sdk.utils import BadDsn
    except ImportError:
        raise ConfigError("SENTRY_DSN is set, but the extra is missing: pip install 'ogel[sentry]'") from None
    try:
        sentry_sdk.init(
            dsn,
            release=f"ogel@{__version__}",
            # No integrations with libraries: they cost memory, and our log already says what went wrong where.
            default_integrations=False,
            integrations=[AtexitIntegration(callback=lambda pending, timeout: None), DedupeIntegration()],
            include_local_variables=False,
            send_default_pii=False,
            before_send=lambda event, _: scrub.within(event),
        )
    except BadDsn:
        raise ConfigError(
            "SENTRY_DSN got something else (hidden); it takes https://key@host/project"
        ) from None
    logging.getLogger().addHandler(_Report(level=logging.ERROR))


class _Report(logging.Handler):
    """structlog hands its event dictionary over as the record's message; other loggers a text."""

    def emit(self, record: logging.LogRecord) -> None:
        import sentry_sdk

        fields: dict[str, Any] = dict(record.msg) if isinstance(record.msg, dict) else {}
        message = str(fields.pop("event", None) or record.getMessage())
        with sentry_sdk.new_scope() as scope:
            scope.set_tag("logger", record.name)
            scope.set_tag("event", message[:200])
            error = _exception(fields.pop("exc_info", record.exc_info))
            # Ids and kinds say where to look; values may be anyone's data and stay in our own log.
            for name in ("request_id", "kind", "job", "queue", "path"):
                if name in fields:
                    scope.set_tag(name, str(fields[name])[:200])
            if error is None:
                sentry_sdk.capture_message(message, level="error")
            else:
                sentry_sdk.capture_exception(error)


def _exception(exc_info: Any) -> BaseException | None:
    """`exc_info` as logging and structlog take it: True, an exception, a triple, or nothing."""
    if exc_info is True:
        return sys.exc_info()[1]
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
    return exc_info if isinstance(exc_info, BaseException) else None
