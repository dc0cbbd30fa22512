"""Reads the hosts file for names in a form that the C library does not find there (with a final dot)."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

HOSTS = Path("/etc/hosts")
# Some use it to block millions of names; a look-up must not read for ever.
MAX_BYTES = 16 * 1024 * 1024


def addresses_in_hosts(host: str, path: Path = HOSTS) -> tuple[str, ...]:
    """Returns the addresses on all lines with this name, in order (hosts(5)). Blocks. `host` is in lower-case ASCII."""
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
