"""
Configures logging: all sources, the standard library's loggers and warnings included, in one format without secrets.
"""

from __future__ import annotations

import io
import logging
import re
import sys
import threading
import time
import warnings
from collections.abc import Callable, MutableMapping
from functools import lru_cache
from types import TracebackType
from typing import Any, Literal, TextIO

import structlog

from ogel.runtime.log.lines import Renderer, as_json, for_people
from ogel.runtime.log.writer import LineWriter
from ogel.runtime.secrets.scrub import NOTHING_SECRET, Scrubber

Form = Literal["json", "text"]

_SECRET_NAME = re.compile(
    r"(?i)(passw|secret|authorization|cookie|credential|api_?key|admin_?key|private_?key|token|dsn)"
)
# A password may contain an @, or stand there without a user name.
_URL_PASSWORD = re.compile(r"""(?<=://)([^/:@]*):.+@""")
_AROUND_URLS = re.compile(r"""([\s"'<>]+)""")
_NAMED_SECRET = re.compile(
    r"""(?i)\b(bearer|basic)(\s+)[\w.~+/=-]{12,}|\b(password|passwd|secret|api_?key|token)(=)[^\s&"',;)]+"""
)
# Most values are one word without these characters (ids, paths, addresses, times) and cannot hold a secret.
_OF_INTEREST = re.compile(r"[\s=@]")
# Lines of these levels may quote text of others. Searching all other lines, too, would slow down every request.
_WHAT_OTHERS_SAID = frozenset({"warning", "error", "critical"})
_stamp = structlog.processors.TimeStamper(fmt="iso", utc=True, key="time")
# Levels that no handler added by others listens to, and the keys of an event that only the standard library's way of
# logging can process.
_OURS_ALONE = frozenset({"debug", "info", "warning"})
_NEED_MORE = frozenset({"exc_info", "stack_info", "positional_args"})
# The deepest nesting of our own events.
_MOST_DEPTH = 5
# Code has few names longer than this; the limit keeps the cache of names small.
_USUAL_NAME = 64
# These loggers repeat what our own logs say with ids, so only their warnings are kept.
_NOISY = (
    "rq.worker",
    "rq.job",
    "rq_scheduler.scheduler",
    "hypercorn.error",
    "hypercorn.access",
    "psycopg.pool",
    "asyncio",
)


def log_form(wanted: Form | None, stream: TextIO) -> Form:
    """Chooses readable lines on a terminal and JSON elsewhere, unless OGEL_LOG says otherwise."""
    return wanted or ("text" if stream.isatty() else "json")


def configure_logging(
    level: str,
    stream: TextIO | None = None,
    form: Form | None = None,
    scrub: Scrubber = NOTHING_SECRET,
    beside: bool = False,
) -> None:
    """
    Once per process, before anything logs. Railway reads `level` and `message` from each line of JSON. On stdout, what
    nobody caught in this process is logged too; with another `stream` the process is a command that answers there.
    `scrub` is for warnings and errors, and for what gives an `error`. `beside`: a thread writes the lines, for a
    process whose event loop must not wait for whoever reads them.
    """
    if stream is None:
        _log_what_nobody_caught()
        stream = sys.stdout
    render = as_json(stream) if log_form(form, stream) == "json" else for_people(stream)
    handler = _handler(stream, render, beside)

    def without_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if event.get("level") in _WHAT_OTHERS_SAID or "error" in event:
            for name, value in event.items():
                event[name] = scrub.within(value)
        return event

    def at_once(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """A fast path: events that only our own handler would get, which are most, skip the LogRecord."""
        if event["level"] not in _OURS_ALONE or not _NEED_MORE.isdisjoint(event):
            return event
        try:
            handler.write(
                render(None, "", without_secrets(None, "", _mask_secrets(None, "", _stamp(None, "", event))))
            )
        except Exception:  # noqa: BLE001 - by the detour, which knows what to say when a line cannot be written
            return event
        raise structlog.DropEvent

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _stamp,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _mask_secrets,
        without_secrets,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared[:3],
            at_once,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared[:4],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *shared[4:],
                render,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    warnings.showwarning = _log_warning


def seconds_of_silence() -> float:
    """Returns for how many seconds this process has logged nothing."""
    return time.monotonic() - _Handler.last_at


class _Handler(logging.Handler):
    """Formats records and passes them to `write_line`; `flush_lines` is called when the process ends."""

    last_at = 0.0

    def __init__(self, write_line: Callable[[str], None], flush_lines: Callable[[], None]) -> None:
        super().__init__()
        self._write_line = write_line
        self._flush_lines = flush_lines

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.write(self.format(record))
        except Exception:  # noqa: BLE001 - as every handler of the standard library: it says so on stderr
            self.handleError(record)

    def write(self, line: str) -> None:
        _Handler.last_at = time.monotonic()
        self._write_line(line)

    def flush(self) -> None:
        self._flush_lines()


def _handler(stream: TextIO, render: Renderer, beside: bool) -> _Handler:
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")  # a terminal without all letters must not lose a line

    def write_line(line: str) -> None:
        stream.write(f"{line}\n")
        stream.flush()

    if not beside or (fd := _descriptor(stream)) is None:
        return _Handler(write_line, lambda: None)
    stream.flush()

    def line_of_lost(lines: int) -> str:
        return render(
            None, "", _stamp(None, "", {"event": "log.lines_lost", "level": "warning", "lines": lines})
        )

    writer = LineWriter(fd, stream.encoding, line_of_lost)
    return _Handler(writer.write, writer.flush)


def _descriptor(stream: TextIO) -> int | None:
    """Returns the file descriptor; None for a stream in memory."""
    try:
        return stream.fileno()
    except io.UnsupportedOperation:
        return None


def _mask_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Masks secrets as a last line of defence: none should reach the log in the first place."""
    for name, value in event.items():
        if type(value) is not str or _is_secret(name) or _OF_INTEREST.search(value):
            event[name] = _masked(name, value, _MOST_DEPTH)
    return event


def _masked(name: object, value: Any, depth: int) -> Any:
    if isinstance(name, str) and _is_secret(name):
        return "***"
    if isinstance(value, str):
        return _masked_text(value)
    if isinstance(value, dict):
        return {key: _masked(key, each, depth - 1) for key, each in value.items()} if depth else "…"
    if isinstance(value, list | tuple):
        return [_masked(None, each, depth - 1) for each in value] if depth else "…"
    return value


def _is_secret(name: str) -> bool:
    return _is_usual_secret(name) if len(name) <= _USUAL_NAME else _SECRET_NAME.search(name) is not None


@lru_cache(maxsize=1024)
def _is_usual_secret(name: str) -> bool:
    """Cached, because every line asks this of its names, which are nearly always the same few."""
    return _SECRET_NAME.search(name) is not None


def _masked_text(text: str) -> str:
    if "://" in text and "@" in text:
        text = "".join(map(_without_password, _AROUND_URLS.split(text)))
    if "=" in text or len(text.split(None, 1)) > 1:
        text = _NAMED_SECRET.sub(r"\1\2\3\4***", text)
    return text


def _without_password(word: str) -> str:
    """Removes a password up to the last @. A regex that searched for that would try it from every :// in the text."""
    end = word.rfind("@") + 1
    return _URL_PASSWORD.sub(r"\1:***@", word[:end]) + word[end:] if end else word


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    log = structlog.get_logger("py.warnings")
    log.warning(str(message), category=category.__name__, place=f"{filename}:{lineno}")


def _log_what_nobody_caught() -> None:
    log = structlog.get_logger("ogel")

    def main(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
        else:
            log.critical("process.failed", exc_info=error)

    def thread(caught: threading.ExceptHookArgs) -> None:
        name = None if caught.thread is None else caught.thread.name
        log.error("thread.failed", thread=name, exc_info=caught.exc_value)

    def nobody(caught: sys.UnraisableHookArgs) -> None:
        log.error("process.ignored_an_error", said=caught.err_msg, exc_info=caught.exc_value)

    sys.excepthook, threading.excepthook, sys.unraisablehook = main, thread, nobody
