"""This machine: the port, the data directory and its disk, open files, the time zone."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from ogel.cli.doctor.finding import Finding, ill, well
from ogel.cli.doctor.patient import Patient
from ogel.kernel.errors import ConfigError
from ogel.kernel.quantities import size

_LEAST_FREE_BYTES = 256 * 1024 * 1024
_LEAST_FREE_SHARE = 0.01
# A process of 500 jobs in flight, with streams and connections beside them.
_LEAST_FILES = 4096
_FULL_FILES_SHARE = 0.7  # clients' connections alone may take three quarters


def port(patient: Patient) -> Sequence[Finding]:
    from ogel.runtime.http.server import bind

    settings = patient.given
    if "port" in patient.sourced.wrong:
        return []
    if patient.answers is not None:
        if patient.embedded and patient.pid is None:
            others = f"an Ogel answers on {settings.port} that does not run in {settings.data_dir.absolute()}"
            return [
                ill("port", others, "set PORT to a free one, or OGEL_DATA_DIR to that of the one that runs")
            ]
        if patient.answers.ready:
            return [well("port", f"an Ogel answers on {settings.port}, and is ready")]
        failing = ", ".join(patient.answers.failing) or "it says"
        advice = "look at its log; what it leans on is below"
        return [ill("port", f"an Ogel answers on {settings.port}, and is not ready: {failing}", advice)]
    try:
        for sock in bind(settings.host or ("localhost" if patient.embedded else "::"), settings.port):
            sock.close()
    except ConfigError as error:
        advice = "set PORT to a free one, or stop what listens there (`ss -ltnp` says what)"
        if settings.port == 0 or settings.host is not None:
            advice += "; OGEL_HOST takes an address of this machine"
        return [ill("port", f"PORT {settings.port}: {error.message}", advice)]
    if settings.port == 0:
        return [well("port", "PORT is 0: a free one is taken")]
    if patient.pid is not None:
        other = f"the `ogel up` that runs here (process {patient.pid}) listens elsewhere, or does not answer"
        return [well("port", f"{settings.port} is free; {other}")]
    return [well("port", f"{settings.port} is free")]


def data_directory(patient: Patient) -> Sequence[Finding]:
    directory = patient.given.data_dir.absolute()
    problem = _writing(directory)
    if problem is not None and problem.endswith(os.strerror(errno.ENOSPC)):
        return list(_disk(directory))
    if problem is not None and not patient.embedded:
        # As in an image of which every process but one reads alone.
        return [well("data directory", f"{directory} {problem}; only what keeps backups there needs it")]
    if problem is not None:
        advice = "set OGEL_DATA_DIR to a directory that this user can write to"
        return [ill("data directory", f"{directory} {problem}", advice)]
    return [well("data directory", f"{directory} can be written to"), *_disk(directory)]


def _writing(directory: Path) -> str | None:
    """Why not. Of one that is not there yet, the directory it would be made in is asked; nothing is made."""
    place = directory
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        return f"cannot be used: {place} is not a directory"
    if place != directory:
        return (
            None if os.access(place, os.W_OK | os.X_OK) else f"cannot be made: {place} cannot be written to"
        )
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(b"ogel" * 1024)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return f"cannot be written to: {error.strerror or error}"
    return None


def _disk(directory: Path) -> Iterator[Finding]:
    place = next(each for each in (directory, *directory.parents) if each.exists())
    usage, files = shutil.disk_usage(place), os.statvfs(place)
    said = f"{size(usage.free)} of {size(usage.total)} are free for {directory}"
    if usage.free < _LEAST_FREE_BYTES or usage.free < _LEAST_FREE_SHARE * usage.total:
        yield ill("disk", said, "make room, or set OGEL_DATA_DIR to a larger disk", "disk-full.md")
    elif files.f_files and not files.f_favail:
        yield ill(
            "disk", f"{said}, and not one more file can be made", "delete files: the disk has no inodes left"
        )
    else:
        yield well("disk", said)


def open_files(patient: Patient) -> Sequence[Finding]:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < _LEAST_FILES:
        advice = f"raise it: `ulimit -Hn {_LEAST_FILES}` or more, LimitNOFILE= of systemd, `--ulimit nofile=` of Docker"
        return [ill("open files", f"a process may open {hard:,} files at most (ulimit -n)", advice)]
    findings = [well("open files", "no limit" if hard == resource.RLIM_INFINITY else f"{hard:,} at most")]
    return [*findings, *_of_running(patient.pid)]


def _of_running(pid: int | None) -> Iterator[Finding]:
    """Where the system tells it (Linux), and lets us know."""
    if pid is None:
        return
    try:
        lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
        held = len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return
    limit = next((line.split()[3] for line in lines if line.startswith("Max open files")), "")
    if limit.isdigit() and held > _FULL_FILES_SHARE * int(limit):
        yield ill(
            "open files",
            f"the `ogel up` that runs (process {pid}) holds {held:,} of the {int(limit):,} files it may open",
            "raise its limit (ulimit -n) and start it again",
        )


def time_zone(patient: Patient) -> Sequence[Finding]:
    """Ogel reckons in UTC; a TZ that is mistyped is taken for UTC by everything else, without a word."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    name = patient.environ.get("TZ", "").strip().removeprefix(":")
    if not name or name.startswith("/") or any(character in name for character in "0123456789,<"):
        return []  # a file, or a rule in POSIX's words
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        advice = "names are such as Europe/Berlin; schedules have zones of their own"
        return [ill("time zone", f"TZ is {name!r}, which is no time zone", advice)]
    return []
