"""`ogel storage cp`"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ogel.cli.operator import api, json_option, say_json
from ogel.cli.sizes import size
from ogel.cli.storage.copying import Copying, Summary, Transfer
from ogel.cli.storage.fetching import PARTIAL, Fetcher, md5_of
from ogel.cli.storage.places import STREAM, Place, place_of
from ogel.cli.storage.remote import PREFIX, Item, Remote
from ogel.cli.storage.sending import Sender
from ogel.cli.storage.usage import ANOTHER
from ogel.kernel.errors import ConfigError

if TYPE_CHECKING:
    from ogel.cli.client import Client

Given = Place | Path


@click.command("cp")
@click.argument("source")
@click.argument("target")
@click.option("-r", "--recursive", is_flag=True, help="All that is below SOURCE.")
@click.option("-u", "--update", is_flag=True, help="Leave out what is the same there already.")
@click.option("--keep", is_flag=True, help="Never replace what is there.")
@click.option("--type", "content_type", metavar="TYPE/SUBTYPE", help="Instead of what the name's end says.")
@click.option(
    "--cache-control", "cache", metavar="VALUE", help="What downloads will say, such as max-age=3600."
)
@json_option
def command(
    source: str,
    target: str,
    recursive: bool,
    update: bool,
    keep: bool,
    content_type: str | None,
    cache: str | None,
    as_json: bool,
) -> None:
    """
    Copy files into buckets, out of them, or from one to another.

    SOURCE and TARGET are files, or BUCKET:NAME; `-` is the standard input or output. What was broken off goes on where
    it was when the same is said again. Exit 1 when something could not be copied.

    \b
        ogel storage cp beach.jpg photos:2026/
        ogel storage cp -r ./site web:
        ogel storage cp -r photos:2026/ ./2026
        pg_dump shop | ogel storage cp - dumps:shop.sql
    """
    given, wanted = place_of(source), place_of(target)
    if STREAM in (source, target) and recursive:
        raise click.UsageError(f"{STREAM} is one file: --recursive means nothing there")
    if isinstance(given, Path) and isinstance(wanted, Path):
        raise click.UsageError("neither SOURCE nor TARGET is BUCKET:NAME")
    with api() as ogel:
        _check_store(ogel)
        copying = Copying("storage cp")
        sender = Sender(ogel, overwrites=not keep, content_type=content_type, cache=cache)
        way = _Way(ogel, sender, copying, update=update, keep=keep)
        summary = copying.run(way.transfers(given, wanted, recursive))
    _say(summary, as_json)
    sys.exit(1 if summary.failed else 0)


def _check_store(ogel: Client) -> None:
    """Where this process answers, a directory of this machine may be no suite's. Raises ConfigError."""
    if ogel.settings is None:
        return
    from ogel.features.storage.usage.service import StorageUsage

    if ogel.request("GET", "/api/storage/usage").as_(StorageUsage).store == "another":
        raise ConfigError(f"{ANOTHER}; OGEL_URL and OGEL_KEY ask the suite itself")


class _Way:
    """What is to be copied where, as it is found."""

    def __init__(self, client: Client, sender: Sender, copying: Copying, *, update: bool, keep: bool) -> None:
        self._client = client
        self._remote = Remote(client)
        self._sender = sender
        self._fetcher = Fetcher(client)
        self._copying = copying
        self._update = update
        self._keep = keep

    def transfers(self, source: Given, target: Given, recursive: bool) -> Iterator[Transfer]:
        match source, target:
            case Path(), Place():
                return self._up_all(source, target) if recursive else self._up_one(source, target)
            case Place(), Path():
                return self._down_all(source, target) if recursive else self._down_one(source, target)
            case Place(), Place():
                return self._across(source, target, recursive)
        raise AssertionError("one of both is in a bucket")

    def _up_one(self, source: Path, target: Place) -> Iterator[Transfer]:
        if str(source) == STREAM:
            if not target.name or target.name.endswith("/"):
                raise click.UsageError("what comes from the standard input needs a NAME behind the bucket")
            stdin = sys.stdin.buffer
            yield Transfer(str(target), None, lambda moved: self._sender.stream(stdin, target, moved))
            return
        if source.is_dir():
            raise click.UsageError(f"{source} is a directory: --recursive takes all that is in it")
        if not source.exists():
            raise click.UsageError(f"{source} does not exist")
        place = _named(target, source.name)
        known = self._item(place) if self._update else None
        yield from self._up(source, place, known)

    def _up_all(self, source: Path, target: Place) -> Iterator[Transfer]:
        if not source.is_dir():
            raise click.UsageError(f"{source} is no directory")
        there = self._there(target.bucket, target.name) if self._update else {}
        for path in self._files(source):
            place = target.below(path.relative_to(source).as_posix())
            try:
                place.name.encode()
            except UnicodeEncodeError:
                self._copying.fail(str(path), "its name is not UTF-8, which all names of objects are")
                continue
            yield from self._up(path, place, there.get(place.name))

    def _files(self, directory: Path) -> Iterator[Path]:
        """All below it, by name; links to directories are not gone into, since they may lead back."""

        def unreadable(error: OSError) -> None:
            self._copying.fail(str(error.filename), error.strerror or str(error))

        for root, directories, names in os.walk(directory, onerror=unreadable):
            directories.sort()
            for name in sorted(names):
                path = Path(root, name)
                if path.is_file() and not name.startswith(PARTIAL):
                    yield path

    def _up(self, path: Path, place: Place, known: Item | None) -> Iterator[Transfer]:
        if known is not None and _is_same(path, known):
            self._copying.summary.unchanged += 1
            return
        size = None
        with suppress(OSError):  # where it is gone by now, sending it says so
            size = path.stat().st_size
        yield Transfer(str(path), size, lambda moved: self._sender.file(path, place, moved))

    def _down_one(self, source: Place, target: Path) -> Iterator[Transfer]:
        _check_object(source)
        if str(target) == STREAM:
            stdout = sys.stdout.buffer
            yield Transfer(str(source), None, lambda moved: self._fetcher.stream(source, stdout, moved))
            return
        path = target / _last(source.name) if target.is_dir() else target
        yield from self._down(self._item(source) or Item(source.name), source, path)

    def _down_all(self, source: Place, target: Path) -> Iterator[Transfer]:
        beginning = source.name.rpartition("/")[0] + "/" if "/" in source.name else ""
        for item in self._remote.objects(source.bucket, source.name):
            place = Place(source.bucket, item.name)
            segments = item.name.removeprefix(beginning).split("/")
            if any(segment in ("", ".", "..") or "\0" in segment for segment in segments):
                self._copying.fail(str(place), "no file can be called so; copy it by itself")
                continue
            yield from self._down(item, place, target.joinpath(*segments))

    def _down(self, item: Item, place: Place, path: Path) -> Iterator[Transfer]:
        if path.exists() and (self._keep or (self._update and _is_same(path, item))):
            self._copying.summary.unchanged += 1
            return
        yield Transfer(str(place), item.size, lambda moved: self._fetcher.file(place, path, moved))

    def _across(self, source: Place, target: Place, recursive: bool) -> Iterator[Transfer]:
        if not recursive:
            _check_object(source)
            new = _named(target, _last(source.name))
            if not (self._update and _is_alike(self._item(source), self._item(new))):
                yield self._copied(source, new)
            else:
                self._copying.summary.unchanged += 1
            return
        if source.bucket == target.bucket and target.name.startswith(source.name):
            raise click.UsageError(f"{target} begins as {source} does: copies would be copied again")
        there = self._there(target.bucket, target.name) if self._update else {}
        beginning = source.name.rpartition("/")[0] + "/" if "/" in source.name else ""
        for item in self._remote.objects(source.bucket, source.name):
            new = target.below(item.name.removeprefix(beginning))
            if _is_alike(item, there.get(new.name)):
                self._copying.summary.unchanged += 1
            else:
                yield self._copied(Place(source.bucket, item.name), new)

    def _copied(self, source: Place, target: Place) -> Transfer:
        """By the server: nothing comes here."""
        body = {
            "bucketId": source.bucket,
            "sourceKey": source.name,
            "destinationBucket": target.bucket,
            "destinationKey": target.name,
        }

        def copy(moved: object) -> None:
            headers = {"x-upsert": str(not self._keep).lower()}
            self._client.request("POST", f"{PREFIX}/object/copy", body=body, headers=headers)

        return Transfer(str(source), None, copy)

    def _item(self, place: Place) -> Item | None:
        """It comes first of all whose names begin as its own."""
        first = next(self._remote.objects(place.bucket, place.name), None)
        return first if first is not None and first.name == place.name else None

    def _there(self, bucket: str, prefix: str) -> dict[str, Item]:
        return {item.name: item for item in self._remote.objects(bucket, prefix)}


def _check_object(source: Place) -> None:
    if not source.name or source.name.endswith("/"):
        raise click.UsageError(f"{source} names no object: --recursive takes all whose names begin so")


def _named(target: Place, name: str) -> Place:
    return target.below(name) if not target.name or target.name.endswith("/") else target


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _is_same(path: Path, item: Item) -> bool:
    with suppress(OSError):
        found = path.stat()
        if found.st_size != item.size:
            return False
        if item.md5 is not None:
            return md5_of(path) == item.md5
        return item.updated_at is not None and found.st_mtime <= item.updated_at.timestamp()
    return False


def _is_alike(one: Item | None, other: Item | None) -> bool:
    """By what both are known by; of what came in parts the ETag tells of the parts as well."""
    if one is None or other is None or one.metadata is None or other.metadata is None:
        return False
    return (one.size, one.metadata.e_tag) == (other.size, other.metadata.e_tag)


def _say(summary: Summary, as_json: bool) -> None:
    if as_json:
        say_json(summary)
        return
    parts = [f"{summary.copied} copied ({size(summary.bytes)})"]
    if summary.unchanged:
        parts.append(f"{summary.unchanged} left out")
    if summary.failed:
        parts.append(f"{len(summary.failed)} failed")
    click.echo(", ".join(parts), err=True)
