"""MongoDB URLs. The specification says to warn about unknown options and to go on without them."""

from __future__ import annotations

from dataclasses import replace

from ogel.runtime.server_urls.parts import (
    BadUrl,
    Check,
    Cleaned,
    ServerUrl,
    anything,
    checked_value,
    names,
    number,
    one_of,
)

SHAPE = "mongodb://[user:password@]host:port"
# Names are compared in lower case. An application's name may contain an @: Azure writes @name@.
FREE = ("appName", "appname")
_BOOL = one_of("true", "false")
_MILLISECONDS = number(0, 100_000_000)
KNOWN: dict[str, Check] = {
    **dict.fromkeys(
        names(
            "appname authmechanism authmechanismproperties authsource compressors readconcernlevel readpreference",
            "readpreferencetags replicaset srvservicename tlscafile tlscertificatekeyfile",
            "tlscertificatekeyfilepassword uuidrepresentation w",
        ),
        anything,
    ),
    **dict.fromkeys(
        names(
            "directconnection journal loadbalanced retryreads retrywrites ssl tls tlsallowinvalidcertificates",
            "tlsallowinvalidhostnames tlsinsecure tlsdisableocspendpointcheck",
        ),
        _BOOL,
    ),
    **dict.fromkeys(
        names(
            "connecttimeoutms heartbeatfrequencyms localthresholdms maxidletimems sockettimeoutms timeoutms",
            "serverselectiontimeoutms waitqueuetimeoutms wtimeoutms maxpoolsize minpoolsize maxconnecting",
            "srvmaxhosts",
        ),
        _MILLISECONDS,
    ),
    "maxstalenessseconds": lambda value: value == "-1" or _MILLISECONDS(value),
    "zlibcompressionlevel": lambda value: value == "-1" or number(0, 9)(value),
}


def clean(text: str) -> Cleaned:
    """Raises BadUrl."""
    url = ServerUrl.parse(text, free=FREE)
    if url.scheme not in ("mongodb", "mongodb+srv"):
        raise BadUrl("its scheme is another one")
    if not all(host for host, _ in url.places):
        raise BadUrl("it has no host")
    if url.scheme == "mongodb+srv" and (len(url.places) > 1 or url.places[0][1] is not None):
        raise BadUrl("mongodb+srv:// takes one host, without a port")
    kept, ignored = [], []
    for name, value in url.options:
        if name.lower() in KNOWN:
            checked_value(name.lower(), value, KNOWN)
            kept.append((name, value.replace("@", "%40")))
        else:
            ignored.append(f"option {name}")
    return Cleaned(str(replace(url, options=tuple(kept))), tuple(ignored))
