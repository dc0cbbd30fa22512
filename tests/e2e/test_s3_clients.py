"""Client libraries of S3 as PyPI and npm have them, and the aws command, against a running suite."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.client import Config
from botocore.exceptions import ClientError
from minio import Minio

from tests.support import npm
from tests.support.process import Client, Ogel

# By its address it is the suite that it is elsewhere; by this name, S3 alone.
ENVIRONMENT = {"OGEL_RATE_READ": "off", "OGEL_RATE_WRITE": "off", "OGEL_S3_HOST": "localhost"}
MEGABYTE = 1024 * 1024
JAVASCRIPT = "@aws-sdk/client-s3@3.1023.0"


@pytest.fixture(scope="module")
def key(suite: Ogel) -> tuple[str, str]:
    made = suite.api.ok("POST", "/api/s3-keys", {"name": "clients"})
    return made["access_key_id"], made["secret_access_key"]


@pytest.fixture(scope="module")
def endpoint(suite: Ogel) -> str:
    return f"http://127.0.0.1:{suite.port}/s3"


@pytest.fixture(scope="module")
def s3(endpoint: str, key: tuple[str, str]) -> Any:
    return client(endpoint, *key)


def client(endpoint: str, id: str, secret: str, token: str | None = None) -> Any:
    config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1})
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="local",
        aws_access_key_id=id,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=config,
    )


def some_bytes(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def failure(call: Any, **parameters: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as raised:
        call(**parameters)
    answered = raised.value.response
    return answered["Error"]["Code"], answered["ResponseMetadata"]["HTTPStatusCode"]


def test_boto3(s3: Any) -> None:
    s3.create_bucket(Bucket="boto")
    assert failure(s3.create_bucket, Bucket="boto") == ("BucketAlreadyOwnedByYou", 409)
    assert failure(s3.head_object, Bucket="boto", Key="a")[1] == 404
    assert failure(s3.get_object, Bucket="boto", Key="a") == ("NoSuchKey", 404)
    assert failure(s3.list_objects_v2, Bucket="none") == ("NoSuchBucket", 404)
    for name in ("a", "dir/ü n/+%&=?#.txt", "dir/", "dir//b", "日本語", "~!*'();:@,[]"):
        metadata = {"colour": "blau", "n": "1"}
        s3.put_object(Bucket="boto", Key=name, Body=name.encode(), Metadata=metadata, ContentType="text/x")
        got = s3.get_object(Bucket="boto", Key=name, ChecksumMode="ENABLED")
        assert got["Body"].read() == name.encode(), name
        assert (got["Metadata"], got["ContentType"]) == (metadata, "text/x")
        url = s3.generate_presigned_url("get_object", {"Bucket": "boto", "Key": name}, 60)
        assert urlopen(url).read() == name.encode()
    listed = s3.list_objects_v2(Bucket="boto", Delimiter="/")
    assert [each["Key"] for each in listed["Contents"]] == ["a", "~!*'();:@,[]", "日本語"]
    assert [each["Prefix"] for each in listed["CommonPrefixes"]] == ["dir/"]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="boto", PaginationConfig={"PageSize": 2})
    assert sum(len(page["Contents"]) for page in pages) == 6
    pages = s3.get_paginator("list_objects").paginate(
        Bucket="boto", Delimiter="/", PaginationConfig={"PageSize": 1}
    )
    names = [each["Key"] for page in pages for each in page.get("Contents", ())]
    assert names == ["a", "~!*'();:@,[]", "日本語"]
    s3.copy_object(Bucket="boto", Key="copy", CopySource={"Bucket": "boto", "Key": "dir/ü n/+%&=?#.txt"})
    assert s3.get_object(Bucket="boto", Key="copy", Range="bytes=0-3")["Body"].read() == b"dir/"
    assert failure(s3.get_object, Bucket="boto", Key="copy", IfMatch='"x"') == ("PreconditionFailed", 412)
    assert failure(s3.put_object, Bucket="boto", Key="copy", Body=b"", IfNoneMatch="*")[1] == 412
    assert failure(s3.get_object, Bucket="boto", Key="copy", Range="bytes=900-") == ("InvalidRange", 416)
    assert failure(s3.get_bucket_acl, Bucket="boto") == ("NotImplemented", 501)
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        s3.put_object(Bucket="boto", Key="sum", Body=io.BytesIO(b"sum"), ChecksumAlgorithm=algorithm)
    everything = [{"Key": each["Key"]} for each in s3.list_objects_v2(Bucket="boto")["Contents"]]
    deleted = s3.delete_objects(Bucket="boto", Delete={"Objects": [*everything, {"Key": "none"}]})
    assert len(deleted["Deleted"]) == len(everything) + 1 and "Errors" not in deleted
    s3.delete_bucket(Bucket="boto")


def test_boto3_in_parts(s3: Any) -> None:
    s3.create_bucket(Bucket="parts")
    content = some_bytes(12 * MEGABYTE + 17)
    config = TransferConfig(multipart_threshold=5 * MEGABYTE, multipart_chunksize=5 * MEGABYTE)
    s3.upload_fileobj(io.BytesIO(content), "parts", "big", Config=config)
    got = io.BytesIO()
    s3.download_fileobj("parts", "big", got, Config=config)
    assert got.getvalue() == content
    head = s3.head_object(Bucket="parts", Key="big")
    assert head["ETag"].endswith('-3"') and head["ContentLength"] == len(content)
    second = s3.get_object(Bucket="parts", Key="big", PartNumber=2)
    assert second["Body"].read() == content[5 * MEGABYTE : 10 * MEGABYTE]
    s3.copy({"Bucket": "parts", "Key": "big"}, "parts", "copied", Config=config)
    assert s3.get_object(Bucket="parts", Key="copied")["Body"].read() == content
    id = s3.create_multipart_upload(Bucket="parts", Key="x")["UploadId"]
    part = {"Bucket": "parts", "Key": "x", "UploadId": id}
    small = s3.upload_part(**part, PartNumber=3, Body=b"three")["ETag"]
    again = s3.upload_part(**part, PartNumber=3, Body=b"other")["ETag"]
    first = s3.upload_part(**part, PartNumber=1, Body=content[: 5 * MEGABYTE])["ETag"]
    assert [each["PartNumber"] for each in s3.list_parts(**part)["Parts"]] == [1, 3]
    assert [each["Key"] for each in s3.list_multipart_uploads(Bucket="parts")["Uploads"]] == ["x"]
    one, three = {"PartNumber": 1, "ETag": first}, {"PartNumber": 3, "ETag": again}

    def complete(*parts: Any) -> tuple[str, int]:
        return failure(s3.complete_multipart_upload, **part, MultipartUpload={"Parts": list(parts)})

    assert complete(three, one) == ("InvalidPartOrder", 400)
    assert complete(one, {"PartNumber": 3, "ETag": small}) == ("InvalidPart", 400)
    assert complete(one, {"PartNumber": 2, "ETag": first}) == ("InvalidPart", 400)
    assert failure(s3.complete_multipart_upload, **part) == ("MalformedXML", 400)
    s3.complete_multipart_upload(**part, MultipartUpload={"Parts": [one, three]})
    assert s3.get_object(Bucket="parts", Key="x")["Body"].read() == content[: 5 * MEGABYTE] + b"other"
    assert complete(one, three) == ("NoSuchUpload", 404)
    id = s3.create_multipart_upload(Bucket="parts", Key="y")["UploadId"]
    s3.upload_part(Bucket="parts", Key="y", UploadId=id, PartNumber=1, Body=b"1")
    s3.abort_multipart_upload(Bucket="parts", Key="y", UploadId=id)
    assert failure(s3.list_parts, Bucket="parts", Key="y", UploadId=id) == ("NoSuchUpload", 404)


def test_a_form_uploads_what_its_policy_says(s3: Any) -> None:
    s3.create_bucket(Bucket="forms")

    def post(filename: str, content: bytes, **changed: str) -> tuple[int, bytes]:
        made = s3.generate_presigned_post(
            "forms",
            "up/${filename}",
            Fields={"Content-Type": "text/plain"},
            Conditions=[["starts-with", "$Content-Type", "text/"], ["content-length-range", 2, 10]],
        )
        fields = {**made["fields"], **changed}
        lines = [
            f'--b\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        ]
        lines.append(f'--b\r\ncontent-disposition: form-data; name="file"; filename="{filename}"\r\n\r\n')
        body = "".join(lines).encode() + content + b"\r\n--b--\r\n"
        request = Request(
            made["url"], body, {"content-type": "multipart/form-data; boundary=b"}, method="POST"
        )
        try:
            with urlopen(request) as answer:
                return answer.status, answer.read()
        except OSError as error:
            return error.code, error.read()  # type: ignore[attr-defined] # urllib's HTTPError

    assert post("a.txt", b"content")[0] == 204
    assert s3.get_object(Bucket="forms", Key="up/a.txt")["Body"].read() == b"content"
    for content, changed, expected in (
        (b"x", {}, (400, b"EntityTooSmall")),
        (b"x" * 11, {}, (400, b"EntityTooLarge")),
        (b"content", {"Content-Type": "image/png"}, (403, b"AccessDenied")),
        (b"content", {"x-amz-meta-more": "1"}, (403, b"AccessDenied")),
        (b"content", {"key": "elsewhere"}, (403, b"AccessDenied")),
        (b"content", {"policy": "e30="}, (403, b"SignatureDoesNotMatch")),
    ):
        status, said = post("b.txt", content, **changed)
        assert status == expected[0] and expected[1] in said, (changed, said)
    assert [each["Key"] for each in s3.list_objects_v2(Bucket="forms")["Contents"]] == ["up/a.txt"]


def test_a_key_may_what_it_was_made_for(suite: Ogel, endpoint: str, s3: Any) -> None:
    api: Client = suite.api
    for name in ("mine", "theirs"):
        s3.create_bucket(Bucket=name)
        s3.put_object(Bucket=name, Key="a", Body=name.encode())

    def made(**what: Any) -> tuple[str, Any]:
        key = api.ok("POST", "/api/s3-keys", {"name": "test", **what})
        return key["access_key_id"], client(endpoint, key["access_key_id"], key["secret_access_key"])

    id, some = made(buckets=["mine"])
    assert [each["Name"] for each in some.list_buckets()["Buckets"]] == ["mine"]
    assert some.get_object(Bucket="mine", Key="a")["Body"].read() == b"mine"
    for call, parameters in (
        (some.get_object, {"Bucket": "theirs", "Key": "a"}),
        (some.list_objects_v2, {"Bucket": "theirs"}),
        (some.put_object, {"Bucket": "theirs", "Key": "b"}),
        (some.create_bucket, {"Bucket": "another"}),
        (some.copy_object, {"Bucket": "mine", "Key": "b", "CopySource": "theirs/a"}),
    ):
        assert failure(call, **parameters) == ("AccessDenied", 403)
    _, reader = made(read_only=True)
    assert reader.get_object(Bucket="theirs", Key="a")["Body"].read() == b"theirs"
    for call, parameters in (
        (reader.put_object, {"Bucket": "mine", "Key": "b"}),
        (reader.delete_object, {"Bucket": "mine", "Key": "a"}),
        (reader.create_bucket, {"Bucket": "another"}),
        (reader.create_multipart_upload, {"Bucket": "mine", "Key": "b"}),
    ):
        assert failure(call, **parameters) == ("AccessDenied", 403)
    assert api("DELETE", f"/api/s3-keys/{id}").status == 204
    assert failure(some.list_buckets) == ("InvalidAccessKeyId", 403)


def test_minio(suite: Ogel, key: tuple[str, str]) -> None:
    """Its client takes no endpoint with a path."""
    client = Minio(f"localhost:{suite.port}", key[0], key[1], secure=False, region="local")
    client.make_bucket("minio")
    content = some_bytes(6 * MEGABYTE)
    client.put_object("minio", "ä b/c", io.BytesIO(content), -1, part_size=5 * MEGABYTE, metadata={"k": "v"})
    with client.get_object("minio", "ä b/c", offset=5, length=10) as got:
        assert got.read() == content[5:15]
    assert client.stat_object("minio", "ä b/c").metadata["x-amz-meta-k"] == "v"
    assert [each.object_name for each in client.list_objects("minio", recursive=True)] == ["ä b/c"]
    url = client.presigned_get_object("minio", "ä b/c")
    assert urlopen(url).read() == content
    client.remove_object("minio", "ä b/c")
    client.remove_bucket("minio")


# The aws command, many times in one process: it takes a second to begin.
AWS = """
import json, sys
from awscli.clidriver import create_clidriver
sys.exit(any(create_clidriver().main(arguments) for arguments in json.loads(sys.argv[1])))
"""


def test_the_aws_command(tmp_path: Path, endpoint: str, key: tuple[str, str], s3: Any) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    (there / "sub").mkdir(parents=True)
    content = some_bytes(20 * MEGABYTE)
    (there / "big.bin").write_bytes(content)
    (there / "sub" / "ü +.txt").write_text("small")
    s3.create_bucket(Bucket="cli")
    commands = (
        ["sync", "there", "s3://cli/dir"],
        ["ls", "--recursive", "s3://cli"],
        ["cp", "--recursive", "s3://cli/dir", "back"],
        ["mv", "s3://cli/dir/big.bin", "s3://cli/moved"],
        ["rm", "--recursive", "s3://cli"],
    )
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": key[0],
        "AWS_SECRET_ACCESS_KEY": key[1],
        "AWS_DEFAULT_REGION": "local",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    arguments = [["--endpoint-url", endpoint, "s3", *command] for command in commands]
    finished = subprocess.run(
        [sys.executable, "-c", AWS, json.dumps(arguments)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "dir/sub/ü +.txt" in finished.stdout
    assert hashlib.sha256((back / "big.bin").read_bytes()).digest() == hashlib.sha256(content).digest()
    assert (back / "sub" / "ü +.txt").read_text() == "small"
    assert "Contents" not in s3.list_objects_v2(Bucket="cli")


SCRIPT = """
import { S3Client, CreateBucketCommand, PutObjectCommand, GetObjectCommand, DeleteObjectsCommand, ListObjectsV2Command }
  from "@aws-sdk/client-s3";
import { Readable } from "node:stream";
const [endpoint, accessKeyId, secretAccessKey] = process.argv.slice(2);
const credentials = { accessKeyId, secretAccessKey };
const s3 = new S3Client({ endpoint, region: "local", forcePathStyle: true, credentials });
const Bucket = "js", said = {};
await s3.send(new CreateBucketCommand({ Bucket }));
await s3.send(new PutObjectCommand({ Bucket, Key: "ä/b c", Body: "hello", Metadata: { k: "v" } }));
const Body = Readable.from([Buffer.alloc(70000, "a"), Buffer.from("end")]);
await s3.send(new PutObjectCommand({ Bucket, Key: "stream", Body, ContentLength: 70003 }));
const got = await s3.send(new GetObjectCommand({ Bucket, Key: "ä/b c" }));
said.body = await got.Body.transformToString();
said.metadata = got.Metadata;
said.stream = (await (await s3.send(new GetObjectCommand({ Bucket, Key: "stream" }))).Body.transformToString()).length;
said.keys = (await s3.send(new ListObjectsV2Command({ Bucket }))).Contents.map((each) => each.Key);
try { await s3.send(new GetObjectCommand({ Bucket, Key: "none" })); } catch (error) { said.error = error.name; }
const Objects = said.keys.map((Key) => ({ Key }));
said.deleted = (await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }))).Deleted.length;
console.log(JSON.stringify(said));
"""


@pytest.mark.long
@npm.needs_npm(JAVASCRIPT)
def test_javascript(tmp_path: Path, endpoint: str, key: tuple[str, str]) -> None:
    npm.install(tmp_path, JAVASCRIPT)
    (tmp_path / "page.mjs").write_text(SCRIPT)
    finished = subprocess.run(
        ["node", "page.mjs", endpoint, *key], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert json.loads(finished.stdout) == {
        "body": "hello",
        "metadata": {"k": "v"},
        "stream": 70003,
        "keys": ["stream", "ä/b c"],
        "error": "NoSuchKey",
        "deleted": 2,
    }
