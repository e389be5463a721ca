"""What a browser can do with the gateway's upload page, and with forms of other pages.

    check.py GATEWAY WORK SCREENSHOTS

GATEWAY is the program, WORK a folder for everything that is written, SCREENSHOTS one for pictures.
The browser is spoken to by the WebDriver protocol (W3C), in Python's own library. Forms that the
gateway has not issued are signed here, by the specification and not by the library that is tested.
"""

import base64
import hashlib
import hmac
import html
import http.server
import json
import re
import signal
import subprocess
import sys
import threading
import time
import traceback
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

GATEWAY, WORK, SCREENSHOTS = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
KEY_ID, SECRET = "AKIABROWSER0EXAMPLE0", "browser/own+secret/key/EXAMPLE0000000000"
REGION, BUCKET, FOLDER = "us-east-1", "demo", "inbox"
LIMIT = 3_000_000
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


# ---- signing, as the documents of AWS have it


def signature(date, text):
    key = ("AWS4" + SECRET).encode()
    for part in (date, REGION, "s3", "aws4_request", text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()


def scope(now):
    return f"{now:%Y%m%d}/{REGION}/s3/aws4_request"


def presigned(method, path, host):
    now = datetime.now(timezone.utc)
    query = "&".join(
        (
            "X-Amz-Algorithm=AWS4-HMAC-SHA256",
            f"X-Amz-Credential={quote(f'{KEY_ID}/{scope(now)}', safe='')}",
            f"X-Amz-Date={now:%Y%m%dT%H%M%SZ}",
            "X-Amz-Expires=60",
            "X-Amz-SignedHeaders=host",
        )
    )
    request = f"{method}\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
    text = (
        f"AWS4-HMAC-SHA256\n{now:%Y%m%dT%H%M%SZ}\n{scope(now)}\n"
        f"{hashlib.sha256(request.encode()).hexdigest()}"
    )
    return f"http://{host}{path}?{query}&X-Amz-Signature={signature(f'{now:%Y%m%d}', text)}"


def form(conditions, fields, life=600):
    """The fields of a form; one that has expired if its life is negative."""
    now = datetime.now(timezone.utc)
    own = {
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": f"{KEY_ID}/{scope(now)}",
        "x-amz-date": f"{now:%Y%m%dT%H%M%SZ}",
    }
    policy = {
        "expiration": f"{now + timedelta(seconds=life):%Y-%m-%dT%H:%M:%SZ}",
        "conditions": [{"bucket": BUCKET}, *[{name: own[name]} for name in own], *conditions],
    }
    encoded = base64.b64encode(json.dumps(policy).encode()).decode()
    signed = signature(f"{now:%Y%m%d}", encoded)
    return {**fields, "policy": encoded, **own, "x-amz-signature": signed}


def send(method, url, headers=None):
    """Status, headers and body."""
    request = urllib.request.Request(url, method=method, headers=headers or {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=20) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers, answer.read()


# ---- programs


def started(arguments, log, pattern):
    """Starts a program and waits until it says something."""
    process = subprocess.Popen(arguments, stdout=log.open("wb"), stderr=subprocess.STDOUT, cwd=WORK)
    running.append(process)
    for _ in range(200):
        found = re.search(pattern, log.read_text(errors="replace"))
        if found:
            return found.group(1)
        if process.poll() is not None:
            break
        time.sleep(0.1)
    sys.exit(f"{arguments[0]} did not start:\n{log.read_text(errors='replace')}")


class Pages(http.server.BaseHTTPRequestHandler):
    """Pages of somebody else: an empty one, and a form without any script."""

    form = ""

    def do_GET(self):
        body = f"<!doctype html><meta charset=utf-8><title>page</title>{Pages.form}".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Browser:
    def __init__(self, driver):
        self.driver = driver
        options = {
            "args": [
                "--headless=new",
                "--no-sandbox",
                "--disable-dev-shm-usage",
                "--no-proxy-server",
                "--window-size=860,950",
                "--lang=en-GB",
                "--hide-scrollbars",
                f"--user-data-dir={WORK / 'profile'}",
            ]
        }
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self.session = ""
        made = self("POST", "", {"capabilities": {"alwaysMatch": wanted}})
        self.session = "/" + made["sessionId"]
        self.version = made["capabilities"]["browserVersion"]

    def __call__(self, method, path, body=None):
        data = None if method in ("GET", "DELETE") else json.dumps(body or {}).encode()
        request = urllib.request.Request(
            f"{self.driver}/session{self.session}{path}",
            data,
            {"Content-Type": "application/json"},
            method=method,
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise Wrong(json.load(error)["value"]["message"].splitlines()[0]) from None

    def open(self, url):
        self("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        return self("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def wait_for(self, script, *arguments):
        """The result of a promise."""
        promised = f"(async (...args) => {{ {script} }})(...arguments)"
        script = f"{promised}.then(arguments[arguments.length - 1], (e) => done(String(e)))"
        script = f"const done = arguments[arguments.length - 1]; {script}"
        return self("POST", "/execute/async", {"script": script, "args": list(arguments)})

    def find(self, selector):
        found = self("POST", "/element", {"using": "css selector", "value": selector})
        return f"/element/{found[ELEMENT]}"

    def type(self, selector, text):
        self("POST", f"{self.find(selector)}/value", {"text": text})

    def click(self, selector):
        self("POST", f"{self.find(selector)}/click")

    def press(self, key):
        actions = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        self("POST", "/actions", {"actions": [{"type": "key", "id": "k", "actions": actions}]})

    def command(self, name, **parameters):
        self("POST", "/goog/cdp/execute", {"cmd": name, "params": parameters})

    def console(self):
        return [entry["message"] for entry in self("POST", "/se/log", {"type": "browser"})]

    def picture(self, name):
        data = base64.b64decode(self("GET", "/screenshot"))
        (SCREENSHOTS / f"{name}.png").write_bytes(data)


# ---- checks


class Wrong(Exception):
    """Something is not as it has to be."""


def equal(what, actual, expected):
    if actual != expected:
        raise Wrong(f"{what} is {actual!r}, not {expected!r}")


def true(what, actual):
    if not actual:
        raise Wrong(what)


passed = failed = 0


def check(name, function):
    global passed, failed
    try:
        function()
        passed += 1
        print(f"ok    {name}", flush=True)
    except Exception as error:  # every way of failing is a result
        failed += 1
        print(f"FAIL  {name}: {error}", flush=True)
        if not isinstance(error, Wrong):
            traceback.print_exc()
        browser.picture(f"failed-{failed}")


def until(what, function, seconds=20):
    """What the function says, once it says something."""
    end = time.monotonic() + seconds
    while not (result := function()):
        if time.monotonic() > end:
            raise Wrong(f"{what}: not within {seconds} s")
        time.sleep(0.05)
    return result


def files(*wanted):
    """Makes files of these names and sizes."""
    paths = []
    for name, size in wanted:
        path = WORK / "files" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(hashlib.shake_128(name.encode()).digest(size))
        paths.append(path)
    return paths


def stored(key):
    status, _, body = send("GET", presigned("GET", f"/{BUCKET}/{quote(key)}", host))
    return body if status == 200 else None


ROWS = """return [...document.querySelectorAll('#uploads > li')].map((row) => ({
    name: row.querySelector('.name').textContent, kind: row.classList[1] ?? '',
    state: row.querySelector('.state').textContent, value: row.querySelector('progress').value,
    action: row.querySelector('button').hidden ? '' : row.querySelector('button').textContent }))"""


def row(name):
    """The newest row of a file."""
    return next((row for row in browser.run(ROWS) if row["name"] == name), None)


def ended(name):
    return until(f"the end of {name}", lambda: (found := row(name)) and found["kind"] and found)


def give(*paths):
    browser.type("#files", "\n".join(map(str, paths)))


def throttled(bytes_per_second):
    """As over a line that is so fast; -1 is without a limit."""
    browser.command("Network.enable")
    browser.command(
        "Network.emulateNetworkConditions",
        offline=False,
        latency=0,
        downloadThroughput=-1,
        uploadThroughput=bytes_per_second,
    )


def page():
    browser.open(f"{url}/_/upload")
    place = "return document.getElementById('place').textContent"
    until("the list", lambda: browser.run(place) != "\u2026")


def meddle(change, *arguments):
    """Lets something happen to each form between the gateway and the page."""
    script = (
        "const args = arguments; const real = window.real ??= window.fetch;"
        "window.fetch = async (path, options) => { const answer = await real(path, options);"
        " if (path !== 'form') return answer; const issued = await answer.json();"
        f" {change}; return new Response(JSON.stringify(issued)) }}"
    )
    browser.run(script, *arguments)


def who_is_asked():
    def by(secret):
        login = base64.b64encode(f"{KEY_ID}:{secret}".encode()).decode()
        return send("GET", f"{url}/_/upload", {"Authorization": f"Basic {login}"})[0]

    status, headers, _ = send("GET", f"{url}/_/upload")
    equal("status without a login", status, 401)
    true("a login is asked for", headers["WWW-Authenticate"].startswith("Basic "))
    equal("status with a wrong secret", by("x"), 401)
    equal("status", by(SECRET), 200)


def log_in():
    login = f"{KEY_ID}:{quote(SECRET, safe='')}"
    browser.open(f"http://{login}@{host}/_/upload")
    page()
    equal("title", browser.run("return document.title"), "Upload files")
    text = "return document.getElementById(arguments[0]).textContent"
    equal("place", browser.run(text, "place"), f"{BUCKET}/{FOLDER}/")
    equal("limit", browser.run(text, "limit"), "Up to 3.0 MB each")
    equal("list", browser.run(text, "arrived-note"), "Nothing yet.")


THREE = [("holiday photos.zip", 2_200_000), ("report.pdf", 90_000), ("grün & \u201eneu\u201c.txt", 40)]


def three_files():
    paths = files(*THREE)
    throttled(1_200_000)
    give(*paths)
    seen, pictured = {}, False

    def all_ended():
        nonlocal pictured
        rows = browser.run(ROWS)
        for found in rows:
            if not found["kind"]:
                seen.setdefault(found["name"], []).append(found["value"])
        on_its_way = (found["value"] > 55 for found in rows if found["name"] == THREE[0][0])
        if not pictured and any(on_its_way):
            browser.picture("uploading")
            pictured = True
        return len(rows) == 3 and all(found["kind"] for found in rows) and rows

    rows = until("the end of all", all_ended)
    throttled(-1)
    equal("outcomes", {found["kind"] for found in rows}, {"stored"})
    between = [value for value in seen[THREE[0][0]] if 0 < value < 100]
    true(f"progress was seen on the way: {seen}", len(set(between)) >= 3)
    for values in seen.values():
        equal("progress", values, sorted(values))
    for path in paths:
        true(f"{path.name} as it was", stored(f"{FOLDER}/{path.name}") == path.read_bytes())


def arrived():
    cells = "[...document.querySelectorAll('#arrived td:first-child')]"
    names = f"return {cells}.map((td) => td.textContent).sort()"
    until("the list", lambda: browser.run(names) == sorted(name for name, _ in THREE))
    browser.picture("arrived")


def for_everybody():
    region = "[role=status][aria-live=polite]"
    said = browser.run("return document.querySelector(arguments[0]).textContent", region)
    true(f"what is said: {said}", said.endswith(": Stored"))
    browser.run("document.activeElement?.blur()")
    browser.press("\ue004")
    equal("first in the order of keys", browser.run("return document.activeElement.id"), "files")
    label = browser("GET", f"{browser.find('#files')}/computedlabel")
    equal("label", label, "Choose files or drop them here")
    for name, _ in THREE:
        bar = browser.find(f'progress[aria-label="Progress of {name}"]')
        equal("role", browser("GET", f"{bar}/computedrole"), "progressbar")
    equal("role", browser("GET", f"{browser.find('#uploads')}/computedrole"), "list")


def small_and_dark():
    size = {"width": 360, "height": 780, "deviceScaleFactor": 1, "mobile": True}
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.command("Emulation.setDeviceMetricsOverride", **size)
    browser.command("Emulation.setEmulatedMedia", features=dark)
    try:
        width = browser.run("return document.documentElement.scrollWidth")
        equal("width", width, size["width"])
        paper = "return getComputedStyle(document.body).backgroundColor"
        equal("colour", browser.run(paper), "rgb(18, 22, 28)")
        browser.picture("small-dark")
    finally:
        browser.command("Emulation.clearDeviceMetricsOverride")
        browser.command("Emulation.setEmulatedMedia", features=[])


def dropped():
    script = """const files = new DataTransfer()
        files.items.add(new File(['dropped'], 'dropped.txt', { type: 'text/plain' }))
        document.getElementById('drop').dispatchEvent(
            new DragEvent('drop', { dataTransfer: files, bubbles: true, cancelable: true }))"""
    browser.run(script)
    equal("outcome", ended("dropped.txt")["kind"], "stored")
    equal("object", stored(f"{FOLDER}/dropped.txt"), b"dropped")


def refused(name, code, key=None):
    found = ended(name)
    equal("outcome", found["kind"], "refused")
    true(f"{found['state']!r} says {code}", found["state"].startswith(code))
    equal("object", stored(key or f"{FOLDER}/{name}"), None)


def forbidden_key():
    meddle("issued.form.fields.key = 'elsewhere/${filename}'")
    give(*files(("forbidden.txt", 9)))
    refused("forbidden.txt", "AccessDenied: Invalid according to Policy", "elsewhere/forbidden.txt")


def changed_policy():
    fields = "issued.form.fields"
    meddle(f"{fields}.policy = btoa(atob({fields}.policy).replace('inbox/', ''))")
    give(*files(("policy.txt", 9)))
    refused("policy.txt", "SignatureDoesNotMatch")


def too_large():
    page()
    give(*files(("large.bin", LIMIT + 1)))
    refused("large.bin", "The file is larger than")
    meddle("issued.max *= 2")
    give(*files(("larger.bin", LIMIT + 1)))
    refused("larger.bin", "EntityTooLarge")


def expired():
    conditions = [["starts-with", "$key", f"{FOLDER}/"], ["starts-with", "$Content-Type", ""]]
    old = form(conditions, {"key": f"{FOLDER}/${{filename}}"}, life=-1)
    meddle("issued.form.fields = args[0]", old)
    give(*files(("late.txt", 9)))
    refused("late.txt", "AccessDenied: Invalid according to Policy: Policy expired")
    browser.picture("refused")


def again():
    browser.run("window.fetch = window.real")
    equal("action", row("late.txt")["action"], "Try again")
    browser.click("#uploads > li:first-child button")
    until("late.txt", lambda: row("late.txt")["kind"] == "stored")
    true("it is stored", stored(f"{FOLDER}/late.txt"))


def cancelled():
    throttled(100_000)
    give(*files(("slow.bin", 2_000_000)))
    until("some of it", lambda: (row("slow.bin") or {"value": 0})["value"] > 0)
    browser.click("#uploads > li:first-child button")
    found = ended("slow.bin")
    throttled(-1)
    equal("state", (found["kind"], found["state"]), ("refused", "Cancelled."))
    time.sleep(0.3)
    equal("object", stored(f"{FOLDER}/slow.bin"), None)


def quiet_console():
    """Requests that were refused are told by the browser; nothing else may be."""
    told = "the server responded with a status of 4"
    equal("console", [line for line in browser.console() if told not in line], [])


def stored_document():
    """A document that somebody stored has no part in the page's origin."""
    fields = {"key": "evil.html", "Content-Type": "text/html"}
    fields = form([{name: value} for name, value in fields.items()], fields)
    script = """const body = new FormData()
        for (const [name, value] of Object.entries(args[0])) body.append(name, value)
        body.append('file', new Blob(['<title>still</title><script>document.title = "ran"</script>']))
        return (await fetch(args[1], { method: 'POST', body, credentials: 'omit' })).status"""
    equal("status", browser.wait_for(script, fields, f"/{BUCKET}"), 204)
    browser.open(presigned("GET", f"/{BUCKET}/evil.html", host))
    equal("title", browser.run("return document.title"), "still")
    browser.console()


POST_FROM_ELSEWHERE = """const body = new FormData()
    for (const [name, value] of Object.entries(args[0])) body.append(name, value)
    body.append('file', new Blob(['from elsewhere']))
    const answer = await fetch(args[1], { method: 'POST', body })
    return `${answer.status} ${answer.headers.get('etag')}`"""


def other_origins():
    fields = form([{"key": "elsewhere.txt"}], {"key": "elsewhere.txt"})
    tag = hashlib.md5(b"from elsewhere").hexdigest()
    browser.open(f"http://127.0.0.1:{other}/")
    answer = browser.wait_for(POST_FROM_ELSEWHERE, fields, f"{url}/{BUCKET}")
    equal("answer", answer, f'204 "{tag}"')
    options = "{ method: 'PUT', body: 'put', headers: { 'x-a': 'b' } }"
    put = f"return String((await fetch(args[0], {options})).status)"
    target = presigned("PUT", f"/{BUCKET}/put.txt", host)
    equal("PUT after a preflight", browser.wait_for(put, target), "200")
    equal("object", stored("put.txt"), b"put")
    wrong = {**fields, "key": "other.txt"}
    answer = browser.wait_for(POST_FROM_ELSEWHERE, wrong, f"{url}/{BUCKET}")
    equal("a refusal", answer, "403 null")
    browser.open(f"http://localhost:{other}/")
    nothing = "TypeError: Failed to fetch"
    answer = browser.wait_for(POST_FROM_ELSEWHERE, fields, f"{url}/{BUCKET}")
    equal("another origin", answer, nothing)
    equal("another origin's PUT", browser.wait_for(put, target), nothing)
    options = "{ method: 'POST', credentials: 'include' }"
    form_of_page = f"return String((await fetch(args[0], {options})).status)"
    equal("a form for it", browser.wait_for(form_of_page, f"{url}/_/form"), nothing)


def plain_form():
    """Without a script: the browser encodes the form and follows the answer."""
    back = f"http://127.0.0.1:{other}/done"
    exact = {"success_action_redirect": back, "x-amz-meta-note": "a & \u00fc"}
    conditions = [["starts-with", "$key", "plain/"], *[{name: exact[name]} for name in exact]]
    fields = form(conditions, {"key": "plain/${filename}", **exact})
    inputs = "".join(
        f'<input type=hidden name="{name}" value="{html.escape(value)}">'
        for name, value in fields.items()
    )
    Pages.form = (
        f'<form action="{url}/{BUCKET}" method=post enctype=multipart/form-data>{inputs}'
        "<input type=file name=file><button>Upload</button></form>"
    )
    browser.open(f"http://127.0.0.1:{other}/form")
    (path,) = files(('a "b" \u00fc%.txt', 300_000))
    browser.type("input[type=file]", str(path))
    browser.click("button")
    until("the way back", lambda: browser("GET", "/url").startswith(back))
    query = dict(parse_qsl(urlsplit(browser("GET", "/url")).query))
    true(f"{query}", query["bucket"] == BUCKET and query["key"].startswith("plain/a "))
    equal("etag", query["etag"], f'"{hashlib.md5(path.read_bytes()).hexdigest()}"')
    equal("object", stored(query["key"]) == path.read_bytes(), True)


# ---- run

credentials = WORK / "credentials"
credentials.touch(0o600)
credentials.write_text(f"[default]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n")
pages = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
threading.Thread(target=pages.serve_forever, daemon=True).start()
other = pages.server_address[1]
options = ["--listen", "127.0.0.1:0", "--data", "data", "--credentials", "credentials"]
options += ["--region", REGION, "--max-body", str(LIMIT), "--upload-page", f"{BUCKET}/{FOLDER}"]
options += ["--allow-origin", f"http://127.0.0.1:{other}"]
browser, running = None, []
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
try:
    url = started([GATEWAY, *options], WORK / "gateway.log", r"listening on (http://\S+)")
    host = urlsplit(url).netloc
    port = started(["chromedriver", "--port=0"], WORK / "driver.log", r"on port (\d+)\.")
    equal("bucket", send("PUT", presigned("PUT", f"/{BUCKET}", host))[0], 200)
    browser = Browser(f"http://127.0.0.1:{port}")
    print(f"Chromium {browser.version}, {url}", flush=True)
    check("the page asks for a key, and takes no wrong one", who_is_asked)
    check("the page opens and shows where files go", log_in)
    check("three files: progress, success, same bytes", three_files)
    check("the list shows what arrived", arrived)
    check("labels, keyboard, what is said to those who cannot see", for_everybody)
    check("a small and dark screen", small_and_dark)
    check("a file that is dropped", dropped)
    check("a forbidden key is refused", forbidden_key)
    check("a changed policy is refused", changed_policy)
    check("too large a file is refused, by the page and by the gateway", too_large)
    check("an expired form is refused", expired)
    check("trying again, with a fresh form", again)
    check("an upload that is cancelled", cancelled)
    check("the console is quiet: nothing against the page's policy", quiet_console)
    check("a stored document runs no script", stored_document)
    check("other origins: those that are allowed, and no others", other_origins)
    check("a form without a script, and its redirect", plain_form)
finally:
    if browser:
        browser("DELETE", "")
    for process in reversed(running):
        process.terminate()
        process.wait(10)
print(f"{passed} passed, {failed} failed; screenshots are in {SCREENSHOTS}")
sys.exit(1 if failed or not passed else 0)
