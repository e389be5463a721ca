"""minio, the MinIO SDK for Python. Run with `python -I`: this file's own name must not be importable."""

import io
import os
import sys
import time
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.commonconfig import CopySource
from minio.datatypes import PostPolicy
from minio.deleteobjects import DeleteObject
from minio.error import S3Error

sys.path.append(os.path.dirname(os.path.abspath(__file__)))
from checks import *  # noqa: E402,F403


def client(key_id=ACCESS_KEY_ID, secret=SECRET_ACCESS_KEY):
    parts = urlsplit(ENDPOINT)
    return Minio(
        parts.netloc,
        access_key=key_id,
        secret_key=secret,
        secure=parts.scheme == "https",
        http_client=urllib3.PoolManager(retries=False, timeout=30, ca_certs=CA),
    )


def refusal(error):
    if not isinstance(error, S3Error):
        return None
    return f"{error.response.status} {error.code}"


s3 = client()
checks = Checks(refusal)


def get(key, **options):
    response = s3.get_object(BUCKET, key, **options)
    try:
        return response.read()
    finally:
        response.close()
        response.release_conn()


def put_bytes(key, data, **options):
    return s3.put_object(BUCKET, key, io.BytesIO(data), len(data), **options)


def keys(prefix, **options):
    return [entry.object_name for entry in s3.list_objects(BUCKET, prefix=prefix, **options)]


def exists(key):
    return key in keys(key, recursive=True)


def put(key, name):
    data = content(name)
    equal("ETag", put_bytes(key, data).etag, md5(data))
    equal("object", get(key), data)


def put_multipart():
    s3.fput_object(BUCKET, "12m.bin", str(FILES / "12m.bin"), part_size=PART)
    equal("end of ETag", s3.stat_object(BUCKET, "12m.bin").etag[-2:], "-3")
    equal("object", get("12m.bin"), content("12m.bin"))


def put_stream():
    stream = io.BytesIO(content("12m.bin"))
    s3.put_object(BUCKET, "stream.bin", stream, -1, part_size=PART)
    equal("object", get("stream.bin"), content("12m.bin"))


def get_object():
    s3.fget_object(BUCKET, "12m.bin", str(WORK / "12m.bin"))
    equal("object", (WORK / "12m.bin").read_bytes(), content("12m.bin"))


def get_range():
    equal("range", get("1m.bin", offset=1000, length=4000), content("1m.bin")[1000:5000])


def head():
    answer = s3.stat_object(BUCKET, "1m.bin")
    equal("length", answer.size, len(content("1m.bin")))
    equal("ETag", answer.etag, md5(content("1m.bin")))


def make_tree():
    for key in ("tree/a/1", "tree/a/2", "tree/b/3", "tree/c", "tree/d e+f"):
        put_bytes(key, key.encode())


def list_v1():
    make_tree()
    found = keys("tree/", recursive=True, use_api_v1=True)
    equal("keys", found, ["tree/a/1", "tree/a/2", "tree/b/3", "tree/c", "tree/d e+f"])


def list_v2():
    make_tree()
    found = keys("tree/")
    equal("keys", sorted(found), ["tree/a/", "tree/b/", "tree/c", "tree/d e+f"])


def odd_key(key):
    data = key.encode()
    put_bytes(key, data)
    equal("object", get(key), data)
    equal("listed", exists(key), True)


def copy():
    put_bytes("copy from +ü.txt", content("small.txt"))
    s3.copy_object(BUCKET, "copy.txt", CopySource(BUCKET, "copy from +ü.txt"))
    equal("copy", get("copy.txt"), content("small.txt"))


def delete():
    put_bytes("doomed", b"x")
    s3.remove_object(BUCKET, "doomed")
    equal("object exists", exists("doomed"), False)


def multi_delete():
    doomed = ["doomed/1", "doomed/2 +ü&<>"]
    for key in doomed:
        put_bytes(key, b"x")
    equal("errors", list(s3.remove_objects(BUCKET, map(DeleteObject, doomed))), [])
    equal("keys left", keys("doomed/", recursive=True), [])


def metadata():
    put_bytes(
        "metadata.txt", b"x", metadata={"plain": "value", "comma": "a,b"}, content_type="text/x-test"
    )
    answer = s3.stat_object(BUCKET, "metadata.txt").metadata
    equal("plain", answer["x-amz-meta-plain"], "value")
    equal("comma", answer["x-amz-meta-comma"], "a,b")
    equal("type", answer["content-type"], "text/x-test")


def presign(key, seconds=300, by=s3):
    return by.presigned_get_object(BUCKET, key, expires=timedelta(seconds=seconds))


def presigned_get():
    equal("object", fetch(presign("1m.bin")), content("1m.bin"))


def presigned_put():
    fetch(s3.presigned_put_object(BUCKET, "presigned.bin"), method="PUT", body=content("1m.bin"))
    equal("object", get("presigned.bin"), content("1m.bin"))


def form(key, shortest=1, longest=5 * PART, life=300):
    """A browser's form for keys below form/, filled in: where to post it, and its fields."""
    policy = PostPolicy(BUCKET, datetime.now(timezone.utc) + timedelta(seconds=life))
    policy.add_starts_with_condition("key", "form/")
    policy.add_content_length_range_condition(shortest, longest)
    return f"{ENDPOINT}/{BUCKET}", {**s3.presigned_post_policy(policy), "key": key}


def form_post():
    upload(*form("form/${filename}"), "ü &.bin", content("1m.bin"))
    equal("object", get("form/ü &.bin"), content("1m.bin"))


def form_refused(key, data=b"x", wait=0, **options):
    """Nothing is stored of what is refused."""
    url, fields = form(key, **options)
    time.sleep(wait)
    try:
        checks.must_refuse(lambda: upload(url, fields, "x", data))
    finally:
        equal("object exists", exists(key), False)


def refused_to(by):
    """Neither reads nor writes for this client."""
    try:
        checks.must_refuse(
            lambda: by.list_buckets(),
            lambda: by.get_object(BUCKET, "1m.bin"),
            lambda: by.put_object(BUCKET, "never.txt", io.BytesIO(b"x"), 1),
        )
    finally:
        equal("object exists", exists("never.txt"), False)


def delete_bucket():
    for key in keys("", recursive=True):
        s3.remove_object(BUCKET, key)
    s3.remove_bucket(BUCKET)


attempt = checks.attempt
attempt("create-bucket", lambda: s3.make_bucket(BUCKET))
attempt("head-bucket", lambda: equal("exists", s3.bucket_exists(BUCKET), True))
attempt(
    "list-buckets",
    lambda: equal("own bucket listed", BUCKET in [b.name for b in s3.list_buckets()], True),
)
attempt("put-empty", put, "empty.bin", "empty.bin")
attempt("put-small", put, "small.txt", "small.txt")
attempt("put-1m", put, "1m.bin", "1m.bin")
attempt("put-multipart", put_multipart)
attempt("put-stream", put_stream)
attempt("get", get_object)
attempt("get-range", get_range)
attempt("head", head)
attempt("list-v1", list_v1)
attempt("list-v2", list_v2)
for operation, key in ODD_KEYS:
    attempt(operation, odd_key, key)
attempt("copy", copy)
attempt("delete", delete)
attempt("multi-delete", multi_delete)
attempt("metadata", metadata)
attempt("presigned-get", presigned_get)
attempt("presigned-put", presigned_put)
attempt("presigned-expired", lambda: checks.must_refuse(lambda: expired(presign("1m.bin", 1))))
attempt(
    "presigned-tampered",
    lambda: checks.must_refuse(*tampered_get(presign("1m.bin"), "1m.bin", "small.txt")),
)
attempt("form-post", form_post)
attempt("form-forbidden", form_refused, "never")
attempt("form-too-large", lambda: form_refused("form/x", content("200k.bin"), longest=200 * 1024 - 1))
attempt("form-expired", lambda: form_refused("form/x", wait=3, life=1))
attempt("wrong-secret", lambda: refused_to(client(secret=OTHER_SECRET)))
attempt("unknown-key", lambda: refused_to(client(key_id=UNKNOWN_KEY_ID)))
attempt("delete-bucket", delete_bucket)
