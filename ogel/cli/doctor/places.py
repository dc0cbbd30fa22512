"""Where servers are, in the words of an advice; and an error's first line."""

from __future__ import annotations

from ogel.cli.doctor.patient import Patient
from ogel.kernel.server_urls.parts import BadUrl, ServerUrl

_LOOPBACKS = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104 - compared only


def reason_of(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def containers_hint(patient: Patient, url: str) -> str:
    """To be added to the advice where the address cannot be meant from where we are."""
    try:
        hosts = [host for host, _ in ServerUrl.parse(url).places]
    except BadUrl:
        return ""
    if patient.in_container and any(host in _LOOPBACKS for host in hosts):
        return "; in a container, localhost is the container itself: name the service or the host"
    if not patient.on_railway and any(host.endswith(".railway.internal") for host in hosts):
        return "; names in railway.internal are known inside the Railway project only"
    return ""
