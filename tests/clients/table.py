"""Compare what the clients did with what is expected of them; print a table and a summary.

    table.py EXPECTED RESULTS CLIENT...

EXPECTED has tab-separated columns: client, operation, expected, answer, remark. Of the rows for a
client and an operation the first of these counts: both named, operation `*`, client `*`.
RESULTS is a directory with one CLIENT.tsv for each client: operation, outcome, detail.
"""

import re
import sys
from pathlib import Path

OUTCOMES = {"ok", "refused", "-"}


def rows(path, columns):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        cells = line.split("\t")
        if len(cells) > columns:
            sys.exit(f"{path}:{number}: {len(cells)} columns, at most {columns} are known")
        yield number, cells + [""] * (columns - len(cells))


def read_expected(path):
    """{(client, operation): (outcome, answer)}, and the operations in their order."""
    expected, operations = {}, []
    for number, (client, operation, outcome, answer, _remark) in rows(path, 5):
        if outcome not in OUTCOMES:
            sys.exit(f"{path}:{number}: {outcome!r} is none of {sorted(OUTCOMES)}")
        if (client, operation) in expected:
            sys.exit(f"{path}:{number}: a second row for {client} {operation}")
        expected[client, operation] = outcome, answer
        if operation not in (*operations, "*"):
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


def main():
    expected, operations = read_expected(Path(sys.argv[1]))
    clients = sys.argv[3:]
    results = {client: read_results(Path(sys.argv[2], f"{client}.tsv")) for client in clients}
    for client, result in results.items():
        operations += [operation for operation in result if operation not in operations]

    passed, failures, table = 0, [], []
    for operation in operations:
        cells = []
        for client in clients:
            rows_that_apply = ((client, operation), (client, "*"), ("*", operation))
            wanted = next((expected[row] for row in rows_that_apply if row in expected), ("-", ""))
            cell, wrong = judge(wanted, results[client].get(operation))
            cells.append(cell)
            passed += cell in ("ok", "refused")
            if wrong:
                failures.append(f"{client} {operation}: {wrong}")
        if set(cells) != {"-"}:
            table.append([operation, *cells])

    table.insert(0, ["", *clients])
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    if failures:
        print("\nFailures:")
        print("\n".join(f"  {failure}" for failure in failures))
    print(f"\n{passed} passed, {len(failures)} failed")
    sys.exit(1 if failures or not passed else 0)


main()
