"""What looks for malware in objects."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.cli.doctor.finding import Finding, ill, well
from ogel.cli.doctor.patient import Patient
from ogel.features.storage.settings import StorageSettings

_ADVICE = "check OGEL_CLAMAV: until it answers, objects of scanned buckets can be read by nobody; clamd needs TCPSocket"


async def scanner(patient: Patient) -> Sequence[Finding]:
    """Has it look through a few bytes, as it will through objects."""
    from ogel.adapters.clamav import Clamav
    from ogel.kernel.errors import Unavailable
    from ogel.runtime.objects import one
    from ogel.runtime.scanning import NotScanned

    address = patient.settings.of(StorageSettings).clamav
    if address is None:
        return []
    try:
        await Clamav(*address).scan(one(b"ogel"))
    except (Unavailable, NotScanned) as error:
        return [ill("scanner", str(error), _ADVICE)]
    return [well("scanner", f"{address[0]}:{address[1]} scans")]
