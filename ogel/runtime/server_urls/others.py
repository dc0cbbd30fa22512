"""URLs of servers that are no databases: mail servers, proxies, and HTTP services that Ogel calls."""

from __future__ import annotations

from dataclasses import replace

from ogel.runtime.server_urls.parts import BadUrl, Cleaned, ServerUrl, names, unknown_option

SMTP_SHAPE = "smtp://[user:password@]host[:port]"
PROXY_SHAPE = "http://[user:password@]host:port"
DSN_SHAPE = "https://key@host/project"
_SMTP_SCHEMES = ("smtp", "smtps", "smtp+plain")
# Options that Symfony, Rails and Nodemailer know.
_SMTP_FOREIGN = frozenset(
    names(
        "auth authentication auth_mode auth_method tls starttls requiretls require_tls auto_tls",
        "opportunistictls enable_starttls enable_starttls_auto local_domain domain name verify_peer verify",
        "openssl_verify_mode peer_fingerprint restart_threshold restart_threshold_sleep ping_threshold",
        "max_per_second pool maxconnections maxmessages connectiontimeout greetingtimeout sockettimeout",
        "timeout debug logger",
    )
)
_SMTP_TLS_WORDS = ("encryption", "secure", "ssl", "ignoretls", "security")


def clean_smtp(text: str) -> Cleaned:
    """Raises BadUrl."""
    url = _of_one_host(text, _SMTP_SCHEMES)
    _no_path(url)
    ignored = []
    for name, _ in url.options:
        if name.lower() in _SMTP_TLS_WORDS:
            raise BadUrl(
                f"it has the option {name!r}; smtps:// is TLS, smtp:// STARTTLS and smtp+plain:// neither"
            )
        if name.lower() not in _SMTP_FOREIGN:
            raise unknown_option(name)
        ignored.append(f"option {name}")
    return Cleaned(str(replace(url, path="", options=())), tuple(ignored))


def clean_proxy(text: str) -> Cleaned:
    """Raises BadUrl."""
    url = _of_one_host(text, ("http",))
    _no_path(url)
    _no_options(url)
    if url.places[0][1] is None:
        raise BadUrl("it has no port")
    return Cleaned(str(url))


def clean_dsn(text: str) -> Cleaned:
    """A Sentry DSN. Raises BadUrl."""
    url = _of_one_host(text, ("http", "https"))
    _no_options(url)
    if not url.user:
        raise BadUrl("it has no key")
    if not url.path.rpartition("/")[2].isdigit():
        raise BadUrl("it does not end in the number of a project")
    return Cleaned(str(url))


def clean_endpoint(text: str) -> Cleaned:
    """Cleans the URL of an HTTP service, whose credentials have settings of their own. Raises BadUrl."""
    url = _of_one_host(text, ("http", "https"))
    if url.user is not None:
        raise BadUrl("it holds a user name or password; those have variables of their own")
    _no_options(url)
    return Cleaned(str(url))


def _of_one_host(text: str, schemes: tuple[str, ...]) -> ServerUrl:
    url = ServerUrl.parse(text)
    if url.scheme not in schemes:
        raise BadUrl("its scheme is another one")
    if len(url.places) != 1 or not url.places[0][0]:
        raise BadUrl("it needs one host")
    return url


def _no_path(url: ServerUrl) -> None:
    if url.path not in ("", "/"):
        raise BadUrl("something stands behind its host")


def _no_options(url: ServerUrl) -> None:
    if url.options:
        raise BadUrl("it takes no options behind a question mark")
