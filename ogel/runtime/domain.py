"""Names of domains: as people write them, as DNS, TLS and HTTP take them, and which of them nobody can own."""

from __future__ import annotations

import re

MAX_DOMAIN_CHARACTERS = 253

# Underscores are in no host name (RFC 1123), and in the names of many hosts.
_ASCII_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.ASCII)
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+", re.ASCII)
_ENCODED = "xn--"

# Each with all names below it: used in private networks, and never to be delegated to anybody. RFC 6761, RFC 6762
# (with its appendix G), RFC 8375, and what ICANN reserved; `internal` covers *.railway.internal. Not `example`: that
# is for documentation, and resolves to nothing.
_PRIVATE = frozenset(
    {"localhost", "localdomain", "local", "internal", "test", "home.arpa"}
    | {"lan", "home", "corp", "mail", "intranet", "private"}
)
# For what is not looked up in DNS at all: RFC 6761, RFC 7686, RFC 9476.
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
    """Such a name is an IPv4 address to some readers, however few numbers it has, and to others none."""
    return _NUMBER.fullmatch(name.rpartition(".")[2]) is not None


def is_private(name: str) -> bool:
    """No name on the public DNS: one label, or below a domain that is set aside. `name` is as `ascii_domain` has it."""
    return "." not in name or _is_below(name, _PRIVATE) or leads_nowhere(name)


def leads_nowhere(name: str) -> bool:
    """Not in a private network, either."""
    return _is_below(name, _NOWHERE)


def _is_below(name: str, domains: frozenset[str]) -> bool:
    while name:
        if name in domains:
            return True
        name = name.partition(".")[2]
    return False


def _mapped(text: str) -> str:
    import idna  # its tables are a megabyte, and most names are ASCII

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
    One that is encoded already must be what the name it shows is encoded to, or two that look the same would be two.
    There are registries with labels that IDNA 2008 refuses (💩.la): as what they are, in ASCII, they are taken.
    """
    import idna

    encoded = label.removeprefix(_ENCODED)
    try:
        shown = encoded.encode("ascii").decode("punycode")
        canonical = not shown.isascii() and "." not in shown and idna.uts46_remap(shown) == shown
        if canonical and shown.encode("punycode").decode("ascii") == encoded:
            return label
    except ValueError:
        pass  # it decodes to nothing, or to what no name holds
    raise InvalidDomain(f"is not valid: {label[:63]!r} encodes no name")
