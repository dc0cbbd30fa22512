"""`ogel storage` beside a suite that is somewhere else: files go in, come out, and go on where they were broken off."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest
from urllib3.exceptions import ReadTimeoutError

from ogel.cli.over_http import OverHttp
from ogel.cli.storage import counted, sending
from ogel.cli.storage.fetching import _Partial
from ogel.cli.storage.places import Place
from ogel.kernel.errors import OgelError
from tests.support.cli import Finished, findings, ogel, ogel_here
from tests.support.process import ADMIN_KEY, Client, Ogel

Run = Callable[..., Finished]
OBJECT = "/storage/v1/object"
MOST = 2_000_000
SETTINGS = ("DATABASE_URL", "REDIS_URL", "OGEL_SECRET", "OGEL_ADMIN_KEY", "PORT", "XDG_CONFIG_HOME")


@pytest.fixture(scope="module")
def suite(suite_servers: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ogel]:
    directory = tmp_path_factory.mktemp("suite")
    limit = {"OGEL_STORAGE_FILE_SIZE_LIMIT": str(MOST)}
    here = {**suite_servers, **limit, "OGEL_DATA_DIR": str(directory / "data")}
    with Ogel("api", "--with", "worker,scheduler", log=directory / "ogel.log", **here) as ogel:
        yield ogel


@pytest.fixture
def there(suite: Ogel, tmp_path: Path) -> dict[str, str]:
    return {
        "OGEL_URL": f"http://127.0.0.1:{suite.port}",
        "OGEL_KEY": ADMIN_KEY,
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }


@pytest.fixture
def run(there: dict[str, str]) -> Run:
    def run(*arguments: str, stdin: bytes = b"") -> Finished:
        with mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin))):
            return ogel_here("storage", *arguments, **there)

    return run


@pytest.fixture
def bucket(api: Client, request: pytest.FixtureRequest) -> str:
    name = hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    api.ok("POST", "/storage/v1/bucket", {"name": name})
    return name


def test_a_file_goes_in_and_comes_out(run: Run, bucket: str, tmp_path: Path, there: dict[str, str]) -> None:
    content = bytes(range(256)) * 3000
    source = tmp_path / "Übersicht 100%+#?.bin"
    source.write_bytes(content)
    sent = run("cp", str(source), f"{bucket}:a/")
    assert (sent.code, sent.err) == (0, "1 copied (768.0 kB)\n"), sent.err
    got = run("cp", f"{bucket}:a/{source.name}", str(tmp_path / "back"))
    assert got.code == 0, got.err
    assert (tmp_path / "back").read_bytes() == content
    # Into a directory it keeps its name, and what is there is replaced unless --keep says not to.
    (tmp_path / "in").mkdir()
    for _ in range(2):
        assert run("cp", f"{bucket}:a/{source.name}", str(tmp_path / "in")).code == 0
    assert [each.name for each in (tmp_path / "in").iterdir()] == [source.name]
    source.write_bytes(b"other")
    kept = run("cp", "--keep", str(source), f"{bucket}:a/")
    assert kept.code == 1 and "already exists" in kept.err
    # The standard input and output, in a process of its own: nothing but the content is written.
    assert run("cp", "-", f"{bucket}:piped", stdin=b"from\0stdin").code == 0
    assert ogel("storage", "cp", f"{bucket}:piped", "-", **there).out == "from\0stdin"


def test_what_is_wrong_is_said_in_a_line(run: Run, bucket: str, tmp_path: Path, api: Client) -> None:
    (tmp_path / "a").write_bytes(b"a")
    for arguments, said in {
        ("a", "b"): "neither SOURCE nor TARGET is BUCKET:NAME",
        ("-r", "-", f"{bucket}:"): "--recursive means nothing",
        ("-", f"{bucket}:"): "needs a NAME",
        (f"{tmp_path}", f"{bucket}:"): "--recursive",
        (f"{tmp_path}/none", f"{bucket}:"): "does not exist",
        (f"{bucket}:", str(tmp_path)): "names no object",
        (f"{bucket}:", f"{bucket}:copy"): "names no object",
        ("-r", f"{bucket}:", f"{bucket}:copy/"): "copies would be copied again",
    }.items():
        refused = run("cp", *arguments)
        assert refused.code == 2 and said in refused.err, (arguments, refused.err)
    for arguments, said in {
        (f"{tmp_path}/a", "nowhere:"): "Bucket not found",
        (f"{tmp_path}/a", f"{bucket}:../a"): "Invalid key",
        (f"{bucket}:none", f"{tmp_path}/none"): "Object not found",
        (f"{bucket}:none", f"{tmp_path}/a/none"): "File exists",
    }.items():
        refused = run("cp", *arguments)
        assert refused.code == 1 and said in refused.err, (arguments, refused.err)
    assert [each.name for each in tmp_path.iterdir()] == ["a"]
    # Also while it is still being sent, whether its length was said or not.
    large = tmp_path / "large"
    large.write_bytes(b"x" * 4 * MOST)
    for refused in (
        run("cp", str(large), f"{bucket}:"),
        run("cp", "-", f"{bucket}:large", stdin=large.read_bytes()),
    ):
        assert refused.code == 1 and f"maximum allowed size: {MOST} bytes" in refused.err, refused.err
    with mock.patch.object(sending, "RESUMABLE_BYTES", 4 * MOST + 1):
        assert "larger" in run("cp", str(large), f"{bucket}:").err


def test_a_download_goes_on_where_it_was_broken_off(
    run: Run, bucket: str, tmp_path: Path, api: Client
) -> None:
    content = bytes(range(256)) * 4000
    stored = api("POST", f"{OBJECT}/{bucket}/big", raw=content, headers={"content-type": "a/b"})
    assert stored.status == 200
    etag = api("GET", f"{OBJECT}/authenticated/{bucket}/big").headers["etag"]
    target = tmp_path / "big"
    partial = _Partial(target, Place(bucket, "big"))

    def broken_off(begun: bytes, tag: str) -> None:
        with partial.opened(0, tag) as file:
            file.write(begun)

    # What is there is not asked for again; were it, the letter would be gone, which the check then finds.
    broken_off(b"X" + content[1:300_000], etag)
    assert "not what is stored" in run("cp", f"{bucket}:big", str(target)).err
    for begun, tag in ((content[:300_000], etag), (content, etag), (b"of another", '"other"'), (b"", "")):
        broken_off(begun, tag)
        assert run("cp", f"{bucket}:big", str(target)).code == 0
        assert target.read_bytes() == content
    assert [each.name for each in tmp_path.iterdir()] == ["big"]


def test_an_upload_goes_on_where_it_was_broken_off(
    run: Run, bucket: str, tmp_path: Path, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "RESUMABLE_BYTES", 100_000)
    monkeypatch.setattr(sending, "CHUNK_BYTES", 100_000)
    content = bytes(range(256)) * 2000
    source = tmp_path / "Übersicht.bin"
    source.write_bytes(content)
    chunk, offsets = sending.Sender._chunk, list[int]()

    def torn(self: sending.Sender, where: str, offset: int, piece: bytes) -> int:
        offsets.append(offset)
        if offset >= 200_000:
            raise OgelError("the cable was pulled")
        return chunk(self, where, offset, piece)

    def counted(self: sending.Sender, where: str, offset: int, piece: bytes) -> int:
        offsets.append(offset)
        return chunk(self, where, offset, piece)

    with monkeypatch.context() as broken:
        broken.setattr(sending.Sender, "_chunk", torn)
        broken_off = run("cp", str(source), f"{bucket}:big/")
        assert broken_off.code == 1 and "the cable was pulled" in broken_off.err
    monkeypatch.setattr(sending.Sender, "_chunk", counted)
    sent = run("cp", "--json", str(source), f"{bucket}:big/")
    assert (sent.code, json.loads(sent.out)["bytes"]) == (0, len(content)), sent.err
    assert offsets == [0, 100_000, 200_000, 200_000, 300_000, 400_000, 500_000]
    assert run("cp", f"{bucket}:big/{source.name}", str(tmp_path / "back")).code == 0
    assert (tmp_path / "back").read_bytes() == content
    # Once it is whole nothing of it is remembered, and what the file became since is another upload.
    assert list((tmp_path / "config").rglob("uploads/*")) == []
    kept = run("cp", "--keep", str(source), f"{bucket}:big/")
    assert kept.code == 1 and "already exists" in kept.err
    wrong = run("cp", str(source), "nowhere:big")
    assert wrong.code == 1 and "Bucket not found" in wrong.err


def test_usage_is_shown_for_people_and_for_machines(run: Run, bucket: str, api: Client) -> None:
    api("POST", f"{OBJECT}/{bucket}/a", raw=b"12345", headers={"content-type": "a/b"})
    shown = run("usage")
    assert shown.code == 0 and f"{bucket}  " in shown.out and "5 bytes" in shown.out
    told = json.loads(run("usage", "--json").out)
    assert {"bucket": bucket, "objects": 1, "bytes": 5, "max_bytes": None} in told["buckets"]


def test_a_tree_goes_in_and_comes_out_and_what_is_the_same_stays(
    run: Run, bucket: str, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    files = {
        "a.txt": b"a",
        "b/c d.txt": b"b" * 100_000,
        "b/ü/日本.bin": b"\0\1",
        "z/.hidden": b"",
        "b.txt": b"b",
    }
    for name, content in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content)
    (tree / "loop").symlink_to(tree)
    sent = run("cp", "-r", str(tree), f"{bucket}:up/", "--json")
    assert json.loads(sent.out) == {"copied": 5, "bytes": 100_004, "unchanged": 0, "failed": {}}, sent.err
    again = run("cp", "-r", "-u", str(tree), f"{bucket}:up", "--json")
    assert json.loads(again.out)["unchanged"] == 5
    (tree / "a.txt").write_bytes(b"c")
    assert json.loads(run("cp", "-r", "-u", str(tree), f"{bucket}:up", "--json").out)["copied"] == 1

    listed = run("ls", f"{bucket}:up/")
    assert [line.split("  ")[0] for line in listed.out.splitlines()] == [
        "NAME",
        "up/a.txt",
        "up/b.txt",
        "up/b/",
        "up/z/",
    ]
    items = json.loads(run("ls", "-r", "--json", f"{bucket}:").out)["items"]
    assert [each["name"] for each in items] == sorted(f"up/{name}" for name in files)
    few = json.loads(run("ls", "-r", "--json", "--limit", "2", f"{bucket}:").out)
    assert (len(few["items"]), few["more"]) == (2, True)

    # From there to here, and from there to there.
    assert run("cp", "-r", f"{bucket}:up/", str(tmp_path / "back")).code == 0
    assert run("cp", "-r", f"{bucket}:up/", f"{bucket}:copy/").code == 0
    for copied in (("-r", f"{bucket}:up/", f"{bucket}:copy/"), (f"{bucket}:up/a.txt", f"{bucket}:copy/")):
        assert json.loads(run("cp", "-u", "--json", *copied).out)["copied"] == 0
    assert run("cp", "-r", f"{bucket}:copy/b/", str(tmp_path / "part")).code == 0
    for name, content in {**files, "a.txt": b"c"}.items():
        assert (tmp_path / "back" / name).read_bytes() == content
    assert (tmp_path / "part" / "ü/日本.bin").read_bytes() == b"\0\1"
    kept = json.loads(run("cp", "-r", "--keep", "--json", f"{bucket}:up/", str(tmp_path / "back")).out)
    assert (kept["copied"], kept["unchanged"]) == (0, 5)


def test_names_that_no_file_can_have_are_left_there(
    run: Run, bucket: str, tmp_path: Path, api: Client
) -> None:
    for name in ("a", "a/b", "c/", "d//e"):
        body = {"content-type": "a/b"}
        assert api("POST", f"{OBJECT}/{bucket}/{name}", raw=b"x", headers=body).status == 200, name
    got = run("cp", "-r", "--json", f"{bucket}:", str(tmp_path / "here"))
    told = json.loads(got.out)
    assert got.code == 1 and set(told["failed"]) >= {f"{bucket}:c/", f"{bucket}:d//e"}, told
    assert (tmp_path / "here" / "a").exists()


def test_what_cannot_be_sent_is_named_and_the_rest_is_sent(run: Run, bucket: str, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "good").write_bytes(b"good")
    Path(os.fsdecode(bytes(tree) + b"/b\xffd")).write_bytes(b"bad")
    os.mkfifo(tree / "pipe")
    (tree / "gone").symlink_to("nowhere")
    (tree / ("ü" * 120)).write_bytes(b"long")
    sent = run("cp", "-r", "--json", str(tree), f"{bucket}:")
    told = json.loads(sent.out)
    assert (sent.code, told["copied"], len(told["failed"])) == (1, 2, 1), sent.err
    assert "its name is not UTF-8" in sent.err

    def shrinking(path: Path, place: Place, most: int) -> str:
        path.write_bytes(b"x" * 300_000)
        read = sending._exactly

        def shorter(file: Any, size: int) -> bytes:
            os.truncate(path, 1000)
            return read(file, size)

        with (
            mock.patch.object(sending, "_exactly", shorter),
            mock.patch.object(sending, "RESUMABLE_BYTES", most),
        ):
            return run("cp", str(path), str(place)).err

    for most in (1, 10**9):
        assert "became shorter while it was read" in shrinking(tree / "good", Place(bucket, "shrunk"), most)
    assert run("ls", f"{bucket}:shrunk").out == "no objects\n"


def test_an_answer_that_was_lost_is_asked_for_again(run: Run, bucket: str, tmp_path: Path) -> None:
    """As when a suite is deployed anew while files go in and out."""
    for name, size in (("small", 10), ("large", 300_000)):
        (tmp_path / name).write_bytes(b"x" * size)
        opened, lost = OverHttp._asked, [2]

        def asked(
            self: OverHttp, method: str, *arguments: Any, opened: Any = opened, lost: list[int] = lost
        ) -> Any:
            if method in ("POST", "PATCH", "GET") and lost[0]:
                lost[0] -= 1
                raise ReadTimeoutError(None, "/", "the cable was pulled")  # type: ignore[arg-type]
            return opened(self, method, *arguments)

        with (
            mock.patch.object(sending, "RESUMABLE_BYTES", 100_000),
            mock.patch.object(counted, "_FIRST_SECONDS", 0.01),
        ):
            with mock.patch.object(OverHttp, "_asked", asked):
                sent = run("cp", str(tmp_path / name), f"{bucket}:")
            assert (sent.code, lost) == (0, [0]), sent.err
            lost[0] = 2
            with mock.patch.object(OverHttp, "_asked", asked):
                assert ogel_fetch(run, bucket, name, tmp_path) == b"x" * size


def ogel_fetch(run: Run, bucket: str, name: str, tmp_path: Path) -> bytes:
    assert run("cp", "-r", f"{bucket}:{name}", str(tmp_path / "back")).code == 0
    return (tmp_path / "back" / name).read_bytes()


def test_objects_and_buckets_are_deleted(run: Run, bucket: str, api: Client) -> None:
    for name in ("a", "b/1", "b/2", "c"):
        api("POST", f"{OBJECT}/{bucket}/{name}", raw=b"x", headers={"content-type": "a/b"})
    assert run("rm", f"{bucket}:").code == 2
    assert run("rm", f"{bucket}:a", f"{bucket}:none").err.splitlines() == [
        "1 deleted",
        f"{bucket}:none: there is no such object",
    ]
    assert run("rm", "-r", "--yes", "--json", f"{bucket}:b/").out == '{"removed":2,"missing":[]}\n'
    assert run("rm", "--bucket", f"{bucket}:", stdin=b"n\n").code == 130
    assert run("ls", f"{bucket}:b/").out == "no objects\n"
    again = run("mb", bucket)
    assert (again.code, again.err) == (1, f"ogel: the bucket {bucket} already exists\n")
    assert run("rm", "--bucket", "--yes", f"{bucket}:").code == 0
    gone = run("ls", f"{bucket}:")
    assert (gone.code, gone.err) == (1, "ogel: Bucket not found\n")
    # Its bytes go when the reaper comes: ten minutes later.
    assert run("gc").code == 0


def test_what_is_lost_and_what_is_nobodys_is_found(run: Run, bucket: str, api: Client, suite: Ogel) -> None:
    for name in ("kept", "lost", "changed"):
        api("POST", f"{OBJECT}/{bucket}/{name}", raw=b"content", headers={"content-type": "a/b"})
    assert run("verify", "--sample", "1").out.splitlines()[-1] == "nothing is wrong"
    blobs = Path(suite.environment["OGEL_DATA_DIR"], "storage", "blobs")
    with psycopg.connect(suite.environment["DATABASE_URL"]) as connection:
        query = """
          SELECT o.name, b.key FROM storage.objects AS o JOIN ogel.storage_blobs AS b USING (version)
          WHERE o.bucket_id = %s
        """
        keys = dict(connection.execute(query, (bucket,)).fetchall())
    (blobs.parent / keys["lost"]).unlink()
    (blobs.parent / keys["changed"]).write_bytes(b"CONTENT")
    nobodys = blobs / "aa" / ("aa" + "0" * 30)
    nobodys.parent.mkdir(exist_ok=True)
    nobodys.write_bytes(b"old")
    os.utime(nobodys, (0, 0))
    found = run("verify", "--sample", "1")
    assert found.code == 1
    for said in (
        "missing_blob: 1",
        "hash_mismatch: 1",
        "unknown_blob: 1",
        f"{bucket}:lost",
        f"{bucket}:changed",
    ):
        assert said in found.out, found.out
    fixed = run("verify", "--fix", "--json")
    assert (fixed.code, nobodys.exists()) == (1, False)
    assert json.loads(fixed.out)["counts"] == {"missing_blob": 1, "unknown_blob": 1}
    assert json.loads(fixed.out)["fixed"] == 1
    [event] = api.ok("GET", "/api/events?type=storage.inconsistent&limit=1")["items"]
    assert event["data"]["counts"] == {"missing_blob": 1, "unknown_blob": 1}
    assert b'ogel_storage_inconsistencies{kind="missing_blob"} 1.0' in api("GET", "/metrics").raw
    # Whoever owns the object deletes it, and all is well.
    api("DELETE", f"{OBJECT}/{bucket}/lost")
    assert run("verify").code == 0


def test_another_store_is_told_from_that_of_the_suite(
    run: Run, bucket: str, api: Client, suite: Ogel, tmp_path: Path
) -> None:
    """As on the laptop of somebody who knows the database of a suite, and has a directory of their own."""
    api("POST", f"{OBJECT}/{bucket}/a", raw=b"content", headers={"content-type": "a/b"})
    (tmp_path / "a").write_bytes(b"a")
    theirs = {**suite.environment, "PORT": "0", "XDG_CONFIG_HOME": str(tmp_path)}
    for directory, is_theirs in ((theirs["OGEL_DATA_DIR"], True), (str(tmp_path / "data"), False)):
        here = {name: value for name, value in theirs.items() if name in SETTINGS} | {
            "OGEL_DATA_DIR": directory
        }
        copied = ogel_here("storage", "cp", str(tmp_path / "a"), f"{bucket}:b", **here)
        assert (copied.code == 0) is is_theirs, copied.err
        assert ("it is another one" in copied.err) is not is_theirs
        found = findings(ogel_here("doctor", "--json", **here))
        assert any("it is another one" in each["detail"] for each in found) is not is_theirs
    assert json.loads(run("usage", "--json").out)["store"] == "ours"
