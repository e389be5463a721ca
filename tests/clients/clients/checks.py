"""What the Python clients share: result lines, inputs, and a plain HTTP client for presigned URLs.

Given by ../run: S3_ENDPOINT, S3_BUCKET, S3_FILES (what to upload), S3_WORK (scratch), S3_KEYS
(odd keys, operation<TAB>key), S3_CHECKSUMS (of 200k.bin,
operation<TAB>algorithm<TAB>checksum<TAB>the checksum that the server answers, or -), S3_CA (only for
https), AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, S3_TEMPORARY (access
key id, secret and session token of temporary credentials, with a space between; may be missing).
"""

import hashlib
import http.client
import os
import re
import ssl
import subprocess
import sys
import time
import traceback
from pathlib import Path
from urllib.parse import urlsplit

ENDPOINT = os.environ["S3_ENDPOINT"]
BUCKET = os.environ["S3_BUCKET"]
FILES = Path(os.environ["S3_FILES"])
WORK = Path(os.environ["S3_WORK"])
CA = os.environ.get("S3_CA")
REGION = os.environ["AWS_REGION"]
ACCESS_KEY_ID = os.environ["AWS_ACCESS_KEY_ID"]
SECRET_ACCESS_KEY = os.environ["AWS_SECRET_ACCESS_KEY"]
OTHER_SECRET = "not" + SECRET_ACCESS_KEY[3:]
UNKNOWN_KEY_ID = "AKIAUNKNOWNEXAMPLE00"
PART = 5 * 1024 * 1024

TEMPORARY = os.environ.get("S3_TEMPORARY", "").split()


def _table(name):
    lines = Path(os.environ[name]).read_text(encoding="utf-8").splitlines()
    return [tuple(line.split("\t")) for line in lines]


ODD_KEYS = _table("S3_KEYS")
CHECKSUMS = _table("S3_CHECKSUMS")


class Refused(Exception):
    """The server refused; the words are its error codes."""


class Failure(Exception):
    """The server's answer was wrong."""


class Checks:
    """`refusal(error)` gives the server's error code, or None where `error` is no refusal."""

    def __init__(self, refusal):
        self._refusal = refusal

    def refusal(self, error):
        return str(error) if isinstance(error, Refused) else self._refusal(error)

    def attempt(self, operation, function, *arguments):
        """Run one operation and print its result line."""
        try:
            function(*arguments)
            outcome, detail = "ok", ""
        except Exception as error:  # every way of failing is a result
            code = self.refusal(error)
            outcome, detail = ("refused", code) if code else ("fail", repr(error))
            print(f"==== {operation}", file=sys.stderr)
            traceback.print_exc()
        print(operation, outcome, re.sub(r"\s+", " ", detail), sep="\t", flush=True)

    def must_refuse(self, *functions):
        """Every one of them must be refused; ends the operation as refused."""
        codes = []
        for index, function in enumerate(functions):
            try:
                function()
            except Exception as error:
                code = self.refusal(error)
                if not code:
                    raise
                codes.append(code)
            else:
                raise Failure(f"attempt {index + 1} of {len(functions)} was not refused")
        raise Refused(" ".join(codes))


def content(name):
    """The bytes of one of the files to upload."""
    return (FILES / name).read_bytes()


def md5(data):
    return hashlib.md5(data).hexdigest()


def equal(what, actual, expected):
    if actual != expected:
        shown = [
            f"{len(x)} bytes, md5 {md5(x)}" if isinstance(x, bytes) and len(x) > 99 else repr(x)
            for x in (actual, expected)
        ]
        raise Failure(f"{what} is {shown[0]}, not {shown[1]}")


def fetch(url, method="GET", body=None, headers=None):
    """Send one plain request with the target exactly as in `url`."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=CA)
        connection = http.client.HTTPSConnection(parts.netloc, timeout=30, context=context)
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        target = url[url.index(parts.netloc) + len(parts.netloc) :]
        connection.request(method, target, body=body, headers=headers or {})
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    if response.status >= 400:
        code = re.search(r"<Code>(\w+)</Code>", answer.decode(errors="replace"))
        raise Refused(f"{response.status} {code.group(1) if code else answer[:99]}")
    return answer


def upload(url, fields, name, data):
    """Post a form, encoded as `requests` does."""
    from urllib3.filepost import encode_multipart_formdata

    body, media = encode_multipart_formdata([*fields.items(), ("file", (name, data))])
    return fetch(url, "POST", body, {"content-type": media})


def upload_by_curl(url, fields, name):
    """Post one of the files to upload."""
    command = ["curl", "--silent", "--show-error", "--fail", "--noproxy", "*"]
    command += ["--cacert", CA] if CA else []
    for field, value in fields.items():
        command += ["--form-string", f"{field}={value}"]
    command += ["--form", f"file=@{FILES / name}", url]
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout


def expired(url):
    """Use a URL that lives for one second."""
    time.sleep(3)
    return fetch(url)


def tampered_get(url, key, other):
    """The presigned GET URL of `key`, changed in one place at a time."""
    last = re.search("X-Amz-Signature=[0-9a-f]{63}([0-9a-f])", url)
    flipped = "1" if last.group(1) == "0" else "0"
    return [
        lambda: fetch(url.replace(f"/{key}?", f"/{other}?")),
        lambda: fetch(url[: last.start(1)] + flipped + url[last.end(1) :]),
        lambda: fetch(re.sub("X-Amz-Expires=[0-9]+", "X-Amz-Expires=86400", url)),
        lambda: fetch(url + "&response-content-type=text%2Fhtml"),
        lambda: fetch(url, method="DELETE"),
    ]
