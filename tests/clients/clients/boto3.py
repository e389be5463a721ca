"""boto3, the AWS SDK for Python. Run with `python -I`: this file's own name must not be importable.

There are two of it: signed by Python, and, where BOTO_DISABLE_CRT is not set, by the AWS Common
Runtime, which brings more checksums too.
"""

import io
import os
import sys
import time

import boto3
from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

sys.path.append(os.path.dirname(os.path.abspath(__file__)))
from checks import *  # noqa: E402,F403

# What it calculates; of any other algorithm it has to be given the checksum.
CALCULATED = {"CRC32", "SHA1", "SHA256", "SHA512"}
if "BOTO_DISABLE_CRT" not in os.environ:
    CALCULATED |= {"CRC32C", "CRC64NVME", "XXHASH64", "XXHASH3", "XXHASH128"}
TRANSFER = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)


def client(key_id=ACCESS_KEY_ID, secret=SECRET_ACCESS_KEY, token=None, signature_version="s3v4"):
    return boto3.client(
        "s3",
        endpoint_url=ENDPOINT,
        region_name=REGION,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        aws_session_token=token,
        verify=CA,
        config=Config(
            signature_version=signature_version,
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 1},
            connect_timeout=5,
            read_timeout=30,
        ),
    )


def refusal(error):
    if isinstance(error, S3UploadFailedError):
        error = error.__context__
    if not isinstance(error, ClientError):
        return None
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return f"{status} {error.response['Error']['Code']}"


s3 = client()
checks = Checks(refusal)


def get(key, **options):
    return s3.get_object(Bucket=BUCKET, Key=key, **options)["Body"].read()


def keys(listing):
    return [entry["Key"] for entry in listing.get("Contents", [])]


def exists(key):
    return key in keys(s3.list_objects_v2(Bucket=BUCKET, Prefix=key))


def location():
    answer = s3.get_bucket_location(Bucket=BUCKET)["LocationConstraint"]
    equal("location", answer or "us-east-1", REGION)


def list_buckets():
    names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    equal("own bucket listed", BUCKET in names, True)


def put(key, name):
    data = content(name)
    etag = s3.put_object(Bucket=BUCKET, Key=key, Body=data)["ETag"]
    equal("ETag", etag, f'"{md5(data)}"')
    equal("object", get(key), data)


def put_multipart():
    s3.upload_file(str(FILES / "12m.bin"), BUCKET, "12m.bin", Config=TRANSFER)
    equal("end of ETag", s3.head_object(Bucket=BUCKET, Key="12m.bin")["ETag"][-3:], '-3"')
    equal("object", get("12m.bin"), content("12m.bin"))


def put_stream():
    class Pipe(io.RawIOBase):
        """What cannot be rewound."""

        def __init__(self, data):
            self._data = io.BytesIO(data)

        def readable(self):
            return True

        def readinto(self, buffer):
            return self._data.readinto(buffer)

    s3.upload_fileobj(Pipe(content("1m.bin")), BUCKET, "stream.bin")
    equal("object", get("stream.bin"), content("1m.bin"))


def multipart_abort():
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="aborted.bin")
    known = {"Bucket": BUCKET, "Key": "aborted.bin", "UploadId": upload["UploadId"]}
    etag = s3.upload_part(PartNumber=1, Body=content("1m.bin"), **known)["ETag"]
    parts = s3.list_parts(**known)["Parts"]
    equal("parts", [(p["PartNumber"], p["ETag"]) for p in parts], [(1, etag)])
    s3.abort_multipart_upload(**known)
    equal("object exists", exists("aborted.bin"), False)


def get_object():
    s3.download_file(BUCKET, "12m.bin", str(WORK / "12m.bin"), Config=TRANSFER)
    equal("object", (WORK / "12m.bin").read_bytes(), content("12m.bin"))


def get_range():
    equal("range", get("1m.bin", Range="bytes=1000-4999"), content("1m.bin")[1000:5000])
    equal("suffix", get("1m.bin", Range="bytes=-77"), content("1m.bin")[-77:])


def head():
    answer = s3.head_object(Bucket=BUCKET, Key="1m.bin")
    equal("length", answer["ContentLength"], len(content("1m.bin")))
    equal("ETag", answer["ETag"], f'"{md5(content("1m.bin"))}"')


def make_tree():
    for key in ("tree/a/1", "tree/a/2", "tree/b/3", "tree/c", "tree/d e+f"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())


def list_v1():
    make_tree()
    listing = s3.list_objects(Bucket=BUCKET, Prefix="tree/")
    equal("keys", keys(listing), ["tree/a/1", "tree/a/2", "tree/b/3", "tree/c", "tree/d e+f"])


def list_v2():
    make_tree()
    listing = s3.list_objects_v2(Bucket=BUCKET, Prefix="tree/", Delimiter="/")
    equal("keys", keys(listing), ["tree/c", "tree/d e+f"])
    prefixes = [p["Prefix"] for p in listing["CommonPrefixes"]]
    equal("prefixes", prefixes, ["tree/a/", "tree/b/"])
    listing = s3.list_objects_v2(Bucket=BUCKET, Prefix="tree/d e+")
    equal("keys under an odd prefix", keys(listing), ["tree/d e+f"])


def list_pages():
    make_tree()
    for name in ("list_objects", "list_objects_v2"):
        pages = s3.get_paginator(name).paginate(
            Bucket=BUCKET, Prefix="tree/", PaginationConfig={"PageSize": 2}
        )
        found = [keys(page) for page in pages]
        expected = [["tree/a/1", "tree/a/2"], ["tree/b/3", "tree/c"], ["tree/d e+f"]]
        equal(f"pages of {name}", found, expected)


def odd_key(key):
    data = key.encode()
    s3.put_object(Bucket=BUCKET, Key=key, Body=data)
    equal("object", get(key), data)
    equal("listed", exists(key), True)


def copy():
    s3.put_object(Bucket=BUCKET, Key="copy from +ü.txt", Body=content("small.txt"))
    source = {"Bucket": BUCKET, "Key": "copy from +ü.txt"}
    s3.copy_object(Bucket=BUCKET, Key="copy.txt", CopySource=source)
    equal("copy", get("copy.txt"), content("small.txt"))


def copy_multipart():
    source = {"Bucket": BUCKET, "Key": "12m.bin"}
    s3.copy(source, BUCKET, "12m-copy.bin", Config=TRANSFER)
    equal("copy", get("12m-copy.bin"), content("12m.bin"))


def delete():
    s3.put_object(Bucket=BUCKET, Key="doomed", Body=b"x")
    s3.delete_object(Bucket=BUCKET, Key="doomed")
    equal("object exists", exists("doomed"), False)
    s3.delete_object(Bucket=BUCKET, Key="doomed")


def multi_delete():
    doomed = ["doomed/1", "doomed/2 +ü&<>"]
    for key in doomed:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    wanted = {"Objects": [{"Key": key} for key in doomed]}
    answer = s3.delete_objects(Bucket=BUCKET, Delete=wanted)
    equal("deleted", sorted(entry["Key"] for entry in answer["Deleted"]), doomed)
    equal("keys left", keys(s3.list_objects_v2(Bucket=BUCKET, Prefix="doomed/")), [])


def metadata():
    sent = {"plain": "value", "spaces": "two  spaces", "comma": "a,b"}
    s3.put_object(
        Bucket=BUCKET,
        Key="metadata.txt",
        Body=b"x",
        Metadata=sent,
        ContentType="text/x-test; charset=utf-8",
    )
    answer = s3.head_object(Bucket=BUCKET, Key="metadata.txt")
    equal("metadata", answer["Metadata"], sent)
    equal("type", answer["ContentType"], "text/x-test; charset=utf-8")


def checksum(algorithm, value, kept):
    data, known = content("200k.bin"), {"Bucket": BUCKET, "Key": "checksum.bin"}
    uploads = [{f"Checksum{algorithm}": value}]
    if algorithm in CALCULATED:
        uploads.append({"ChecksumAlgorithm": algorithm})
    for upload in uploads:
        s3.put_object(Body=data, **known, **upload)
        answer = s3.get_object(ChecksumMode="ENABLED", **known)
        equal("checksum", answer.get(f"Checksum{algorithm}", "-"), kept)
        equal("object", answer["Body"].read(), data)
        s3.delete_object(**known)


def checksum_wrong():
    """The checksum of another body."""

    def put(algorithm, value):
        return lambda: s3.put_object(
            Bucket=BUCKET, Key="never.txt", Body=b"x", **{f"Checksum{algorithm}": value}
        )

    try:
        checks.must_refuse(*[put(algorithm, value) for _, algorithm, value, _ in CHECKSUMS])
    finally:
        equal("object exists", exists("never.txt"), False)


def presign(method, key, expires=300, by=s3, **options):
    parameters = {"Bucket": BUCKET, "Key": key, **options}
    return by.generate_presigned_url(method, Params=parameters, ExpiresIn=expires)


def presigned_get():
    equal("object", fetch(presign("get_object", "1m.bin")), content("1m.bin"))
    equal("object", fetch(presign("get_object", ODD_KEYS[0][1])), ODD_KEYS[0][1].encode())


def presigned_put():
    fetch(presign("put_object", "presigned.bin"), method="PUT", body=content("1m.bin"))
    equal("object", get("presigned.bin"), content("1m.bin"))


def presigned_headers():
    """A header that the signature covers must be sent, and as signed."""
    url = presign("put_object", "never.txt", ContentType="text/plain", Metadata={"a": "b"})
    # What was signed; the two are in X-Amz-SignedHeaders.
    fetch(url, method="PUT", body=b"x", headers={"content-type": "text/plain", "x-amz-meta-a": "b"})
    equal("object", get("never.txt"), b"x")
    s3.delete_object(Bucket=BUCKET, Key="never.txt")
    try:
        checks.must_refuse(
            lambda: fetch(url, method="PUT", body=b"x"),
            lambda: fetch(
                url,
                method="PUT",
                body=b"x",
                headers={"content-type": "text/html", "x-amz-meta-a": "b"},
            ),
            lambda: fetch(
                url,
                method="PUT",
                body=b"x",
                headers={"content-type": "text/plain", "x-amz-meta-a": "b", "x-amz-meta-c": "d"},
            ),
        )
    finally:
        equal("object exists", exists("never.txt"), False)


def form(key="form/${filename}", fields=None, conditions=(), expires=300, by=s3):
    """A browser's form: where to post it, and its fields."""
    issued = by.generate_presigned_post(
        BUCKET,
        key,
        Fields=fields,
        Conditions=[{name: value} for name, value in (fields or {}).items()] + list(conditions),
        ExpiresIn=expires,
    )
    return issued["url"], issued["fields"]


def form_post():
    data = content("1m.bin")
    fields = {"Content-Type": "image/x-test", "x-amz-meta-a": "b c", "success_action_status": "201"}
    exact = [["content-length-range", len(data), len(data)]]
    for by in [s3, *([client(*TEMPORARY)] if TEMPORARY else [])]:
        answer = upload(*form(fields=fields, conditions=exact, by=by), "ü &.bin", data).decode()
        location = f"<Location>{ENDPOINT}/{BUCKET}/form/%C3%BC%20%26.bin</Location>"
        for element in (location, f"<Bucket>{BUCKET}</Bucket>", "<Key>form/ü &amp;.bin</Key>", md5(data)):
            equal(f"{element} in {answer}", element in answer, True)
        answer = s3.get_object(Bucket=BUCKET, Key="form/ü &.bin")
        equal("object", answer["Body"].read(), data)
        equal("type", answer["ContentType"], "image/x-test")
        equal("metadata", answer["Metadata"], {"a": "b c"})
        s3.delete_object(Bucket=BUCKET, Key="form/ü &.bin")
    upload_by_curl(*form(), "12m.bin")
    equal("object", get("form/12m.bin"), content("12m.bin"))
    s3.delete_object(Bucket=BUCKET, Key="form/12m.bin")


def form_refused(name, function):
    """Nothing is stored of what is refused."""
    try:
        checks.must_refuse(function)
    finally:
        equal("object exists", exists(name), False)


def form_forbidden():
    """Another key than the form is for."""
    url, fields = form()
    form_refused("never", lambda: upload(url, {**fields, "key": "never/x"}, "x", b"x"))


def form_too_large():
    form_of = form(conditions=[["content-length-range", 1, 200 << 10]])
    form_refused("form/", lambda: upload(*form_of, "x", content("200k.bin") + b"x"))


def form_expired():
    form_of = form(expires=1)
    time.sleep(3)
    form_refused("form/", lambda: upload(*form_of, "x", b"x"))


def temporary(by):
    by.put_object(Bucket=BUCKET, Key="temporary.txt", Body=b"temporary")
    equal("object", get("temporary.txt"), b"temporary")
    equal("object", fetch(presign("get_object", "temporary.txt", by=by)), b"temporary")


def refused_to(by):
    """Neither reads nor writes for this client."""
    try:
        checks.must_refuse(
            lambda: by.get_object(Bucket=BUCKET, Key="1m.bin"),
            lambda: by.put_object(Bucket=BUCKET, Key="never.txt", Body=b"x"),
            lambda: by.list_objects_v2(Bucket=BUCKET),
            lambda: fetch(presign("get_object", "1m.bin", by=by)),
        )
    finally:
        equal("object exists", exists("never.txt"), False)


def delete_bucket():
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for key in keys(page):
            s3.delete_object(Bucket=BUCKET, Key=key)
    s3.delete_bucket(Bucket=BUCKET)


attempt = checks.attempt
attempt("create-bucket", lambda: s3.create_bucket(Bucket=BUCKET))
attempt("head-bucket", lambda: s3.head_bucket(Bucket=BUCKET))
attempt("location", location)
attempt("list-buckets", list_buckets)
attempt("put-empty", put, "empty.bin", "empty.bin")
attempt("put-small", put, "small.txt", "small.txt")
attempt("put-1m", put, "1m.bin", "1m.bin")
attempt("put-multipart", put_multipart)
attempt("put-stream", put_stream)
attempt("multipart-abort", multipart_abort)
attempt("get", get_object)
attempt("get-range", get_range)
attempt("head", head)
attempt("list-v1", list_v1)
attempt("list-v2", list_v2)
attempt("list-pages", list_pages)
for operation, key in ODD_KEYS:
    attempt(operation, odd_key, key)
attempt("copy", copy)
attempt("copy-multipart", copy_multipart)
attempt("delete", delete)
attempt("multi-delete", multi_delete)
attempt("metadata", metadata)
for operation, *known in CHECKSUMS:
    attempt(operation, checksum, *known)
attempt("checksum-wrong", checksum_wrong)
attempt("presigned-get", presigned_get)
attempt("presigned-put", presigned_put)
attempt("presigned-headers", presigned_headers)
attempt("presigned-expired", lambda: checks.must_refuse(lambda: expired(presign("get_object", "1m.bin", 1))))
attempt(
    "presigned-tampered",
    lambda: checks.must_refuse(*tampered_get(presign("get_object", "1m.bin"), "1m.bin", "small.txt")),
)
attempt("form-post", form_post)
attempt("form-forbidden", form_forbidden)
attempt("form-too-large", form_too_large)
attempt("form-expired", form_expired)
attempt("signature-v2", lambda: refused_to(client(signature_version="s3")))
if TEMPORARY:
    key_id, secret, token = TEMPORARY
    attempt("temporary-key", lambda: temporary(client(key_id, secret, token)))
    attempt("temporary-no-token", lambda: refused_to(client(key_id, secret)))
    attempt("temporary-foreign", lambda: refused_to(client(token=token)))
attempt("wrong-secret", lambda: refused_to(client(secret=OTHER_SECRET)))
attempt("unknown-key", lambda: refused_to(client(key_id=UNKNOWN_KEY_ID)))
attempt("delete-bucket", delete_bucket)
