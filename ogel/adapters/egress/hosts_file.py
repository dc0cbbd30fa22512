"""The hosts file, for names that the C library is asked for in a form that it does not find there."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

HOSTS = Path("/etc/hosts")
# Some block millions of names with it; a thread that looks up one of ours must not read for ever.
MAX_BYTES = 16 * 1024 * 1024


def addresses_in_hosts(host: str, path: Path = HOSTS) -> tuple[str, ...]:
    """All lines of this name, in their order (hosts(5)). Blocks. `host` is lower case, and ASCII."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES).lower()
    except OSError:
        return ()
    name = host.encode("ascii")
    if name not in data:
        return ()
    lines = [line.partition(b"#")[0].split() for line in data.splitlines() if name in line]
    named = [fields[0].decode("ascii", "replace") for fields in lines if name in fields[1:]]
    return tuple(dict.fromkeys(address for address in named if _is_address(address)))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
