"""What to say of a server that does not answer well: its reason in a line, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ogel.cli.doctor.patient import Patient
from ogel.runtime.server_urls.parts import BadUrl, ServerUrl

_NOT_MET = re.compile(
    r"refused|[Tt]imeout|timed out|no connection|not known|resolve|translate|did not answer"
)
_LOOPBACKS = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104 - compared only


def reason_of(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def advice_on(reason: str, known: Sequence[tuple[str, str]], otherwise: str) -> str:
    """Of the first pattern that the reason holds."""
    return next((advice for pattern, advice in known if re.search(pattern, reason)), otherwise)


def containers_hint(patient: Patient, url: str, reason: str) -> str:
    """To be added to the advice where nobody is met at an address that cannot be meant from where we are."""
    if not _NOT_MET.search(reason):
        return ""
    try:
        hosts = [host for host, _ in ServerUrl.parse(url).places]
    except BadUrl:
        return ""
    if patient.in_container and any(host in _LOOPBACKS for host in hosts):
        return "; in a container, localhost is the container itself: name the service or the host"
    if not patient.on_railway and any(host.endswith(".railway.internal") for host in hosts):
        return "; names in railway.internal are known inside the Railway project only"
    return ""
