"""Object storage in a directory of this machine."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
import tempfile
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

from ogel.adapters.storage.digests import Digests
from ogel.adapters.storage.room import Room
from ogel.adapters.storage.threads import BATCH_BYTES, behind, in_pages, in_thread
from ogel.kernel.errors import Unavailable
from ogel.kernel.ids import random_uuid
from ogel.runtime.objects import Entry, ObjectMissing, StoreFull, Written, check_key, check_prefix

Answer = TypeVar("Answer")

_READ_BYTES = 256 * 1024
# As much as this is flushed to the disk while more comes.
_FLUSHED_BYTES = 16 * 1024 * 1024
# Of our own: a disk that hangs must not keep others from looking up names.
_THREADS = 8
# The directory of files that are being written; no key begins with a dot.
_UNFINISHED = ".unfinished"
# Errors for a full disk, a quota, or the limit of a file's size.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# A directory may be deleted with its last object just before another object is moved into it; then the move is retried.
_MOVES = 5
_MOST_SETTLED = 4096
# Directories with names of so many characters spread keys. They stay when they are empty: the next key needs them, and
# other processes may have found them settled.
_SPREADING = 2


class LocalObjects:
    """
    A key is a file's path below `root`. Files are written elsewhere in it, flushed to the disk and renamed, so they are
    there whole or not at all, whatever is killed or loses its power. Only the user Ogel runs as may read them.
    """

    in_bucket = False

    def __init__(self, root: Path, most_bytes: int = 0) -> None:
        """`most_bytes` is what may be in it; 0: as much as the disk takes."""
        self._root = root
        self._room = Room(root, most_bytes)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="files")
        # Directories that are on the disk themselves, with those above them.
        self._settled: set[Path] = set()

    async def put(self, key: str, content: AsyncIterable[bytes], length: int | None = None) -> Written:
        file = _Unfinished(self._root, self._path(key), self._settled, self._room)
        if length is not None and length > BATCH_BYTES:
            await self._do(lambda: self._room.take(0, to_come=length))
        putting = _Putting(file, self._do)
        try:
            written = await behind(content, putting.store)
        except BaseException:
            await putting.give_up()
            raise
        assert written is not None
        return written

    @asynccontextmanager
    async def get(
        self, key: str, first: int = 0, end: int | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        path = self._path(key)
        left = sys.maxsize if end is None else max(end - first, 0)
        opened = await self._do(lambda: _opened(path, first, min(_READ_BYTES, left)))
        if opened is None:
            raise ObjectMissing(key)
        file, beginning = opened

        async def pieces() -> AsyncIterator[bytes]:
            """Ends where a piece is shorter than it may be, which only the last one is."""
            rest, piece = left, beginning
            while piece:
                yield piece
                rest -= len(piece)
                if len(piece) < _READ_BYTES or not rest:
                    return
                piece = await self._do(partial(file.read, min(_READ_BYTES, rest)))

        with file:
            yield pieces()

    async def copy(self, source: str, target: str) -> None:
        """Both keys then have one file, which takes no more room."""
        found, wanted = self._path(source), self._path(target)
        if not await self._do(lambda: self._link(found, wanted)):
            raise ObjectMissing(source)

    def presigned_get(
        self, key: str, seconds: int, *, content_type: str | None = None, disposition: str | None = None
    ) -> str | None:
        return None

    def presigned_put(
        self, key: str, seconds: int, length: int, *, content_type: str | None = None
    ) -> str | None:
        return None

    async def stat(self, key: str) -> Entry | None:
        path = self._path(key)
        return await self._do(lambda: self._entry(path))

    async def list(self, prefix: str) -> AsyncIterator[Entry]:
        start = self._root / check_prefix(prefix)
        with _explained(self._root):
            async for entry in in_pages(self._walk(start), self._threads):
                yield entry

    async def delete(self, key: str) -> None:
        path = self._path(key)
        await self._do(lambda: self._delete(path))

    async def sweep(self, prefix: str, before: datetime) -> int:
        check_prefix(prefix)
        return await self._do(lambda: self._sweep(before.timestamp()))

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _path(self, key: str) -> Path:
        return self._root / check_key(key)

    async def _do(self, work: Callable[[], Answer]) -> Answer:
        with _explained(self._root):
            return await in_thread(work, self._threads)

    def _link(self, source: Path, target: Path) -> bool:
        """Returns whether the source was there."""
        _make(self._root / _UNFINISHED)
        link = self._root / _UNFINISHED / random_uuid().hex
        try:
            os.link(source, link)
        except (FileNotFoundError, NotADirectoryError):
            return False
        try:
            _move(link, target, self._root, self._settled)
        finally:
            link.unlink(missing_ok=True)  # where both were one file already, nothing is moved
        return True

    def _entry(self, path: Path) -> Entry | None:
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not path.is_file():
            return None
        modified_at = datetime.fromtimestamp(status.st_mtime, UTC)
        return Entry(path.relative_to(self._root).as_posix(), status.st_size, modified_at)

    def _walk(self, directory: Path) -> Iterator[Entry]:
        """In the order of keys, where a directory's name goes on with a slash."""
        try:
            with os.scandir(directory) as found:
                names = sorted(f"{each.name}/" if each.is_dir() else each.name for each in found)
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in names:
            if name.startswith("."):
                continue
            if name.endswith("/"):
                yield from self._walk(directory / name)
            elif (entry := self._entry(directory / name)) is not None:
                yield entry

    def _delete(self, path: Path) -> None:
        with suppress(FileNotFoundError, NotADirectoryError):
            status = path.stat()
            path.unlink()
            self._room.give_back(status.st_size if status.st_nlink == 1 else 0)
        for directory in path.parents:
            if directory == self._root or len(directory.name) == _SPREADING:
                return
            try:
                directory.rmdir()
            except OSError:
                return  # it is not empty
            self._settled.discard(directory)

    def _sweep(self, before: float) -> int:
        gone = 0
        with suppress(FileNotFoundError), os.scandir(self._root / _UNFINISHED) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    if entry.stat().st_mtime < before:
                        os.unlink(entry.path)
                        gone += 1
        return gone


class _Putting:
    """Spreads the work on a file over threads: its MD5 takes longer than all else, and the disk longer than that."""

    def __init__(self, file: _Unfinished, do: Callable[[Callable[[], Any]], Awaitable[Any]]) -> None:
        self._file = file
        self._do = do
        self._unflushed = 0
        self._flushing: asyncio.Future[None] | None = None

    async def store(self, batch: Sequence[bytes], is_last: bool) -> Written | None:
        """Returns what was written when it is the last batch."""
        file = self._file
        if is_last:
            await self._flushed()
            written: Written = await self._do(lambda: file.end(batch))
            return written
        await asyncio.gather(self._do(lambda: file.store(batch)), self._do(lambda: file.update_md5(batch)))
        self._unflushed += sum(map(len, batch))
        if self._unflushed >= _FLUSHED_BYTES and (self._flushing is None or self._flushing.done()):
            await self._flushed()
            self._unflushed = 0
            self._flushing = asyncio.ensure_future(self._do(file.flush))
        return None

    async def give_up(self) -> None:
        if self._flushing is not None:
            await asyncio.gather(self._flushing, return_exceptions=True)
        await self._do(self._file.give_up)

    async def _flushed(self) -> None:
        if self._flushing is not None:
            await self._flushing


class _Unfinished:
    """A file that is being written, in threads; only the user may read it."""

    def __init__(self, root: Path, target: Path, settled: set[Path], room: Room) -> None:
        self._root = root
        self._target = target
        self._settled = settled
        self._room = room
        self._path = root / _UNFINISHED / random_uuid().hex
        self._descriptor: int | None = None
        self._digests = Digests()
        self._taken = 0

    def store(self, batch: Sequence[bytes]) -> int:
        """Leaves the MD5 to `update_md5`. Returns the descriptor."""
        size = sum(map(len, batch))
        self._room.take(size)
        self._taken += size
        if self._descriptor is None:
            self._descriptor = self._begun()
        for piece in batch:
            _write(self._descriptor, piece)
            self._digests.update_all_but_md5(piece)
        return self._descriptor

    def update_md5(self, batch: Sequence[bytes]) -> None:
        self._digests.update_md5(batch)

    def flush(self) -> None:
        """Before the end there is then little left to flush; others may store meanwhile."""
        assert self._descriptor is not None
        os.fdatasync(self._descriptor)

    def end(self, batch: Sequence[bytes]) -> Written:
        """With the last batch it is where it belongs, and on the disk."""
        descriptor = self.store(batch)
        self.update_md5(batch)
        os.fsync(descriptor)
        _move(self._path, self._target, self._root, self._settled)
        self._close()
        return self._digests.written()

    def give_up(self) -> None:
        self._room.give_back(self._taken)
        if self._descriptor is not None:
            self._close()
            with suppress(OSError):
                os.unlink(self._path)

    def _begun(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            return os.open(self._path, flags, 0o600)
        except FileNotFoundError:
            _make(self._path.parent)
            return os.open(self._path, flags, 0o600)

    def _close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)


def check_writable(directory: Path) -> None:
    """Creates the directory if needed, and writes and deletes a file. Raises Unavailable."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(b"ogel")
            file.flush()
    except OSError as error:
        raise Unavailable(f"{directory} cannot be written to: {error.strerror or error}") from error


@contextmanager
def _explained(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StoreFull(f"{root} has no room left: {error.strerror}") from error
        raise Unavailable(f"{root} cannot be used: {error.strerror or error}") from error


def _opened(path: Path, first: int, most: int) -> tuple[IO[bytes], bytes] | None:
    """Returns the file with what it has from there on, or None if there is none."""
    try:
        file = path.open("rb", buffering=0)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    try:
        file.seek(first)
        return file, file.read(most)
    except BaseException:
        file.close()
        raise


def _move(file: Path, target: Path, root: Path, settled: set[Path]) -> None:
    """Puts a file in its place, for good. `settled` are directories that need no care any more."""
    parent = target.parent
    for tries in range(1, _MOVES + 1):
        try:
            os.replace(file, target)
            break
        except FileNotFoundError:
            if tries == _MOVES:
                raise
            settled.discard(parent)
            _make(parent)
    if parent in settled:
        _sync_directory(parent)
        return
    # New directories survive a crash only once the directories that contain them are flushed.
    for directory in target.parents:
        _sync_directory(directory)
        if directory == root:
            break
    if len(settled) >= _MOST_SETTLED:
        settled.clear()
    settled.add(parent)


def _make(directory: Path) -> None:
    """
    Creates a directory and its missing parents, all for the user alone; mkdir's `parents` would leave those open to
    others.
    """
    if not directory.is_dir():
        _make(directory.parent)
        with suppress(FileExistsError):
            directory.mkdir(mode=0o700)


def _write(descriptor: int, piece: bytes) -> None:
    """Writes all the data; the system may take less per call."""
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
