"""Compare what the clients did with what is expected of them; print tables and a summary.

    table.py EXPECTED PAYLOADS RESULTS LOGS LANE,... CLIENT...

EXPECTED has tab-separated columns: client, operation, expected, answer, remark. An operation may be
a pattern (`checksum-*`), a client may be `*`. Of the rows for a client and an operation the first
of these counts: both named; its own pattern, the longest first; client `*`. What a client can do at
all, a row of client `(proxy)` replaces in the lanes through a proxy.
RESULTS is a directory with one LANE-CLIENT.tsv for each client in each lane, which is a way to the
server: operation, outcome, detail. Every lane has a table.

PAYLOADS has the columns client, http, https: how uploads are sent, in words of the table below.
LOGS is a directory with the gateways' LANE.log, which has a line for each request that was
verified; if it is empty (a server that is not ours), how uploads were sent is not compared.
"""

import re
import sys
from fnmatch import fnmatchcase
from pathlib import Path

OUTCOMES = {"ok", "refused", "-"}
# In the lanes through a proxy.
PROXY = "(proxy)"
# x-amz-content-sha256 of an upload, in short; anything else is the digest of its body.
PAYLOADS = {
    "UNSIGNED-PAYLOAD": "unsigned",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": "signed-chunks",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": "signed-trailer",
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER": "unsigned-trailer",
}
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
# An upload to a client's bucket that was verified.
UPLOAD = re.compile(
    r" admitted id=\w+ method=PUT path=/clients-(?P<client>[\w-]+)-\d+/\S+ "
    r"version=(?P<version>\S+) mechanism=(?P<mechanism>\w+) content=(?P<content>\S+)"
)


def rows(path, columns):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        cells = line.split("\t")
        if len(cells) > columns:
            sys.exit(f"{path}:{number}: {len(cells)} columns, at most {columns} are known")
        yield number, cells + [""] * (columns - len(cells))


def is_pattern(operation):
    return "*" in operation


def read_expected(path):
    """{(client, operation): (outcome, answer)}, and the operations in their order."""
    expected, operations = {}, []
    for number, (client, operation, outcome, answer, _remark) in rows(path, 5):
        if outcome not in OUTCOMES:
            sys.exit(f"{path}:{number}: {outcome!r} is none of {sorted(OUTCOMES)}")
        if (client, operation) in expected:
            sys.exit(f"{path}:{number}: a second row for {client} {operation}")
        expected[client, operation] = outcome, answer
        if operation not in operations and not is_pattern(operation):
            operations.append(operation)
    return expected, operations


def read_results(path):
    """{operation: (outcome, detail)}"""
    if not path.exists():
        return {}
    results = {}
    for _number, (operation, outcome, detail) in rows(path, 3):
        if operation in results:
            outcome, detail = "fail", "reported twice"
        results[operation] = outcome, detail
    return results


def read_payloads(path, lane):
    """{client: how it uploads}"""
    column = 1 if lane.endswith("http") else 2
    return {cells[0]: set(cells[column].split()) for _number, cells in rows(path, 3)}


def read_log(path):
    """{client: how it uploaded}; bodies of nothing tell nothing."""
    seen = {}
    for found in UPLOAD.finditer(path.read_text(encoding="utf-8", errors="replace")):
        client = seen.setdefault(found["client"], set())
        if found["version"] != "HTTP/1.1":
            client.add(found["version"].lower())
        if found["mechanism"] == "Query":
            client.add("presigned")
        elif found["content"] != EMPTY:
            client.add(PAYLOADS.get(found["content"], "digest"))
    return seen


def wanted(expected, client, operation, lane):
    """What the row that counts says."""
    usual = wanted_anywhere(expected, client, operation)
    if not lane.startswith("proxy-") or usual[0] == "-":
        return usual
    proxied = (row for row in expected if row[0] == PROXY and fnmatchcase(operation, row[1]))
    return next((expected[row] for row in proxied), usual)


def wanted_anywhere(expected, client, operation):
    own = [row for row in expected if row[0] == client and is_pattern(row[1])]
    own.sort(key=lambda row: -len(row[1]))
    matching = [row for row in own if fnmatchcase(operation, row[1])]
    candidates = ((client, operation), *matching, ("*", operation))
    return next((expected[row] for row in candidates if row in expected), ("-", ""))


def judge(expected, result):
    """The table's cell and, for a failure, what went wrong."""
    outcome, answer = expected
    if outcome == "-":
        return ("-", None) if result is None else ("FAIL", f"no result expected, got {result}")
    if result is None:
        return "FAIL", "no result"
    if result[0] != outcome:
        return "FAIL", f"expected {outcome} {answer}, got {result[0]} {result[1]}".replace(" ,", ",")
    # Where an operation makes several attempts, each of their answers must be the expected one.
    if outcome == "refused" and not re.fullmatch(rf"(\d* ?({answer or '.*'})( |$))+", result[1]):
        return "FAIL", f"expected to be refused with {answer}, got {result[1]}"
    return outcome, None


def show(title, table):
    print(title)
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print()


def main():
    expected, operations = read_expected(Path(sys.argv[1]))
    payloads, directory, logs = Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
    lanes, clients = sys.argv[5].split(","), sys.argv[6:]
    passed, failures = 0, []
    for lane in lanes:
        results = {
            client: read_results(directory / f"{lane}-{client}.tsv") for client in clients
        }
        for result in results.values():
            operations += [operation for operation in result if operation not in operations]
        table = [["", *clients]]
        for operation in operations:
            cells = []
            for client in clients:
                result = results[client].get(operation)
                cell, wrong = judge(wanted(expected, client, operation, lane), result)
                cells.append(cell)
                passed += cell in ("ok", "refused")
                if wrong:
                    failures.append(f"{lane} {client} {operation}: {wrong}")
            if set(cells) != {"-"}:
                table.append([operation, *cells])
        if logs:
            table.append(["payloads"])
            uploads, seen = read_payloads(payloads, lane), read_log(Path(logs, f"{lane}.log"))
            for client in clients:
                sent, known = seen.get(client, set()), uploads.get(client, set())
                table[-1].append("ok" if sent == known else "FAIL")
                passed += sent == known
                if sent != known:
                    both = [" ".join(sorted(words)) or "nothing" for words in (sent, known)]
                    failures.append(f"{lane} {client} payloads: {both[0]}, not {both[1]}")
        show(lane, table)

    if failures:
        print("Failures:")
        print("\n".join(f"  {failure}" for failure in failures))
        print()
    print(f"{passed} passed, {len(failures)} failed")
    sys.exit(1 if failures or not passed else 0)


main()
