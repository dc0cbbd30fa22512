"""Domain names: how people write them, how DNS, TLS and HTTP take them, and which are reserved."""

from __future__ import annotations

import re

MAX_DOMAIN_CHARACTERS = 253

# Host names have no underscores (RFC 1123), but many hosts are named with them.
_ASCII_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.ASCII)
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+", re.ASCII)
_ENCODED = "xn--"

# Reserved domains, each with all names below it: they are for private networks and will never be delegated. RFC 6761,
# RFC 6762 (with its appendix G), RFC 8375, and what ICANN reserved; `internal` covers *.railway.internal. `example` is
# not among them: it is for documentation, and resolves to nothing.
_PRIVATE = frozenset(
    {"localhost", "localdomain", "local", "internal", "test", "home.arpa"}
    | {"lan", "home", "corp", "mail", "intranet", "private"}
)
# Domains that are never looked up in DNS: RFC 6761, RFC 7686, RFC 9476.
_NOWHERE = frozenset({"invalid", "onion", "alt"})


class InvalidDomain(ValueError):
    """The message completes "the host name …"."""


def ascii_domain(text: str) -> str:
    """
    Lower case, each label as IDNA 2008 encodes it, without the dot that may end a name. Raises InvalidDomain.

    Other letters are mapped first, as UTS 46 does it (non-transitional): capitals, widths and dots of all kinds make no
    difference, while ß, ς and joiners do, as they do to those who register names.
    """
    name = text.lower() if text.isascii() else _mapped(text)
    name = name.removesuffix(".")
    if not name.isascii() or _ENCODED in name:
        name = ".".join(map(_encoded, name.split(".")))
    if len(name) > MAX_DOMAIN_CHARACTERS or not _ASCII_NAME.fullmatch(name):
        raise InvalidDomain("is not valid")
    return name


def ends_in_number(name: str) -> bool:
    """Whether the last label is a number. Some parsers take such a name for an IPv4 address, others do not."""
    return _NUMBER.fullmatch(name.rpartition(".")[2]) is not None


def is_private(name: str) -> bool:
    """
    Whether the name cannot be in the public DNS: it is a single label, or below a reserved domain. `name` is a result
    of `ascii_domain`.
    """
    return "." not in name or _is_below(name, _PRIVATE) or leads_nowhere(name)


def leads_nowhere(name: str) -> bool:
    """Whether the name cannot resolve in a private network either."""
    return _is_below(name, _NOWHERE)


def _is_below(name: str, domains: frozenset[str]) -> bool:
    while name:
        if name in domains:
            return True
        name = name.partition(".")[2]
    return False


def _mapped(text: str) -> str:
    import idna  # late, because its tables are a megabyte and most names are ASCII

    try:
        return idna.uts46_remap(text, std3_rules=False)
    except idna.IDNAError as error:
        raise InvalidDomain("holds a character that no domain has") from error


def _encoded(label: str) -> str:
    import idna

    if label.startswith(_ENCODED):
        return _checked(label)
    try:
        return label if label.isascii() else idna.alabel(label).decode("ascii")
    except ValueError as error:
        raise InvalidDomain(f"is not valid: {label[:63]!r} is no label of IDNA 2008") from error


def _checked(label: str) -> str:
    """
    Checks an encoded label. It must be what its decoded form encodes to; otherwise two names could look the same. Some
    registries have labels that IDNA 2008 refuses (💩.la): they are accepted in ASCII form.
    """
    import idna

    encoded = label.removeprefix(_ENCODED)
    try:
        shown = encoded.encode("ascii").decode("punycode")
        canonical = not shown.isascii() and "." not in shown and idna.uts46_remap(shown) == shown
        if canonical and shown.encode("punycode").decode("ascii") == encoded:
            return label
    except ValueError:
        pass  # it decodes to nothing, or to characters that no name may contain
    raise InvalidDomain(f"is not valid: {label[:63]!r} encodes no name")
