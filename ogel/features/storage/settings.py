"""The settings of object storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ogel.knobs import Section, Takes, host_name, knob, place, whole
from ogel.runtime.network.server import NamedServer

_GIGABYTE = 1024**3


def _host_and_port(value: str) -> tuple[str, int]:
    host, _, port = value.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
        raise ValueError
    return str(host_name().parse(host.removeprefix("[").removesuffix("]"))), int(port)


@dataclass(frozen=True, slots=True)
class StorageSettings(Section):
    most_bytes: int = knob(
        "OGEL_STORAGE_FILE_SIZE_LIMIT",
        "FILE_SIZE_LIMIT",
        takes=whole(1, 50 * _GIGABYTE, "bytes"),
        default=50 * 1024 * 1024,
        meaning="Largest object; buckets may take less. What is larger is answered 413.",
    )
    upload_url_seconds: int = knob(
        "OGEL_STORAGE_UPLOAD_URL_SECONDS",
        "UPLOAD_SIGNED_URL_EXPIRATION_TIME",
        takes=whole(1, 7 * 24 * 3600, "seconds"),
        default=7200,
        meaning="How long a signed URL for an upload is good.",
    )
    user_bytes: int = knob(
        "OGEL_STORAGE_USER_BYTES",
        takes=whole(0, 2**50, "bytes"),
        default=0,
        meaning="How much each user may store; 0: as much as there is. What exceeds it is answered 413.",
    )
    upload_hours: int = knob(
        "OGEL_STORAGE_UPLOAD_HOURS",
        takes=whole(1, 168, "hours"),
        default=24,
        meaning="How long an upload in several requests (TUS) may take; what came is deleted then.",
    )
    s3_host: str | None = knob(
        "OGEL_S3_HOST",
        takes=host_name(),
        default=None,
        meaning="A name of this server's (`s3.example.com`) at whose root S3's clients find `/s3`; and, if names below "
        "it lead here, too, buckets by theirs.",
    )
    clamav: tuple[str, int] | None = knob(
        "OGEL_CLAMAV",
        takes=Takes("host:port", _host_and_port),
        default=None,
        meaning="A clamd, which scans objects of buckets that want it (usually port 3310).",
    )

    def servers(self) -> Sequence[NamedServer]:
        if self.clamav is None:
            return []
        host, port = self.clamav
        return [NamedServer("scanner", "tcp", f"tcp://{place(host)}:{port}", "clamav")]
