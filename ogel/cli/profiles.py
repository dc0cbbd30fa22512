"""Suites that commands may speak to: named on the command line, in the environment, or kept by `ogel login`."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import click
import msgspec

from ogel.kernel.errors import ConfigError
from ogel.kernel.text import no_such

DEFAULT = "default"
URL, KEY, PROFILE = "OGEL_URL", "OGEL_KEY", "OGEL_PROFILE"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_KEY = re.compile(r"[\x21-\x7e]{1,1024}")
_MOST_BYTES = 1024 * 1024
_OTHERS_MAY = 0o077


class Remote(msgspec.Struct, frozen=True):
    """`url`: without a slash at its end; `key`: what goes into `Authorization: Bearer`."""

    url: str
    key: str


class Profiles(msgspec.Struct):
    """By name; `current` is used where nothing else is said."""

    current: str | None = None
    profiles: dict[str, Remote] = {}


def named(profile: str | None) -> Remote | None:
    """What `--profile`, OGEL_PROFILE or OGEL_URL names. Raises ConfigError when it is none that can be used."""
    if name := profile or os.environ.get(PROFILE):
        kept = load().profiles
        if name not in kept:
            known = no_such("profile", name, sorted(kept)) if kept else f"no profile {name!r}"
            raise ConfigError(f"there is {known}; `ogel login URL --profile {name}` makes it")
        return kept[name]
    if url := os.environ.get(URL):
        key = os.environ.get(KEY)
        if not key:
            raise ConfigError(f"{URL} is set, which needs {KEY} too")
        return Remote(clean_url(url, URL), clean_key(key, KEY))
    return None


def in_use() -> Remote | None:
    kept = load()
    return kept.profiles.get(kept.current or "")


def path() -> Path:
    """XDG's place for it, or that of the system."""
    return Path(click.get_app_dir("ogel")) / "profiles.json"


def load() -> Profiles:
    """Raises ConfigError when the file cannot be read."""
    file = path()
    try:
        with file.open("rb") as stream:
            content = stream.read(_MOST_BYTES)
            mode = os.fstat(stream.fileno()).st_mode
    except FileNotFoundError:
        return Profiles()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror or error}") from error
    if os.name == "posix" and mode & _OTHERS_MAY:
        click.echo(f"ogel: {file} holds keys, and others can read it: chmod 600 it", err=True)
    try:
        return msgspec.json.decode(content, type=Profiles)
    except msgspec.DecodeError as error:
        raise ConfigError(f"{file} is no file of `ogel login`: {error}") from error


def save(profiles: Profiles) -> None:
    """Whole or not at all, and for nobody but its owner. Raises ConfigError."""
    file = path()
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as stream:
            stream.write(msgspec.json.format(msgspec.json.encode(profiles)) + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, file)
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            partial.unlink()


def clean_name(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise click.BadParameter(f"{name!r} is no profile's name: letters, digits, _, - and dots, 64 at most")
    return name


def clean_url(url: str, source: str) -> str:
    """As people paste it; a path before `/api` stays. Raises ConfigError that does not quote what may be secret."""
    url = url.strip()
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"{source} is no URL: {error}") from None
    if parts.scheme.lower() not in ("http", "https") or not host:
        raise ConfigError(f"{source} takes a URL such as https://ogel.example.com")
    if parts.username is not None or parts.password is not None:
        raise ConfigError(f"{source} names a user: keys are no part of it, see `ogel login --help`")
    if parts.query or parts.fragment:
        raise ConfigError(f"{source} has a query or a fragment, which mean nothing here")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ConfigError(
            f"{source} takes ASCII alone: write the host as xn--…, and the path percent-encoded"
        )
    place = f"[{host}]" if ":" in host else host
    netloc = place if port is None else f"{place}:{port}"
    return urlunsplit((parts.scheme.lower(), netloc, parts.path.rstrip("/"), "", ""))


def clean_key(key: str, source: str) -> str:
    """Raises ConfigError, which does not show it."""
    key = key.strip()
    if _KEY.fullmatch(key) is None:
        raise ConfigError(f"{source} holds no key: those are 1 to 1024 visible ASCII characters")
    return key
