"""pyarrow's file system, which is the AWS SDK for C++. It uploads everything in parts, and each
part is a stream with an unsigned trailer, over plain http too."""

import os
import re
import sys
from urllib.parse import urlsplit

from pyarrow import fs

sys.path.append(os.path.dirname(os.path.abspath(__file__)))
from checks import *  # noqa: E402,F403


def client(key_id=ACCESS_KEY_ID, secret=SECRET_ACCESS_KEY):
    parts = urlsplit(ENDPOINT)
    return fs.S3FileSystem(
        access_key=key_id,
        secret_key=secret,
        region=REGION,
        scheme=parts.scheme,
        endpoint_override=parts.netloc,
        allow_bucket_creation=True,
        allow_bucket_deletion=True,
        connect_timeout=5,
        request_timeout=30,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=1),
        **({"tls_ca_file_path": CA} if CA else {}),
    )


def refusal(error):
    """AWS Error CODE during ..., or for a code that the SDK does not know
    AWS Error UNKNOWN (HTTP status 501) during ...: Unable to parse ExceptionName: Code ..."""
    known = re.search(r"AWS Error (\w+) ", str(error))
    other = re.search(r"ExceptionName: (\w+)", str(error))
    return (other or known) and (other or known).group(1)


s3 = client()
checks = Checks(refusal)


def write(by, key, data):
    with by.open_output_stream(f"{BUCKET}/{key}") as stream:
        stream.write(data)


def put(name):
    data = content(name)
    write(s3, name, data)
    with s3.open_input_file(f"{BUCKET}/{name}") as file:
        equal("object", file.read(), data)
        equal("range", file.read_at(5, 3), data[3:8])
    equal("size", s3.get_file_info(f"{BUCKET}/{name}").size, len(data))


def list_buckets():
    names = [entry.path for entry in s3.get_file_info(fs.FileSelector(""))]
    equal("own bucket listed", BUCKET in names, True)


def refused_to(by):
    checks.must_refuse(
        lambda: by.get_file_info(fs.FileSelector(BUCKET)),
        lambda: write(by, "never.txt", b"x"),
        lambda: by.get_file_info(fs.FileSelector("")),
    )


def delete_bucket():
    equal("what refused writes left", s3.get_file_info(f"{BUCKET}/never.txt").type, fs.FileType.NotFound)
    s3.delete_dir(BUCKET)


attempt = checks.attempt
attempt("create-bucket", s3.create_dir, BUCKET)
attempt("list-buckets", list_buckets)
attempt("put-small", put, "small.txt")
attempt("put-multipart", put, "12m.bin")
attempt("wrong-secret", lambda: refused_to(client(secret=OTHER_SECRET)))
attempt("unknown-key", lambda: refused_to(client(key_id=UNKNOWN_KEY_ID)))
attempt("delete-bucket", delete_bucket)
