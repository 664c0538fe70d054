#!/usr/bin/python3
"""The catalogue of attacks, tried on a running gate: every row with its verdict, after each row a good push that has
to succeed, and a Pushgateway that may have got nothing but canonical bytes.

  Tests/Attacks/run.py [FAMILY or ROW...]

A family is a letter of the catalogue, or `conformance` or `clients`.

Runs the program in $KANMON, .build/debug/kanmon when there is none. Loopback only."""

import concurrent.futures
import importlib
import pathlib
import sys
import time

from table import Elsewhere, Gates, NotHere, Row, Skipped, names_of_tests

LETTERS = sorted(file.stem[-1].upper() for file in pathlib.Path(__file__).parent.glob("family_?.py"))
FAMILIES = {letter: f"family_{letter.lower()}" for letter in LETTERS} | {
    "CONFORMANCE": "conformance", "CLIENTS": "clients", "STREAMS": "streams"}


def rows_of(name, wanted):
    rows = importlib.import_module(FAMILIES[name]).ROWS
    return [row for row in rows if not wanted or row.id.upper() in wanted or name in wanted]


def run_family(name, wanted):
    """Prints a line for each row of a family, and gives how many there are of each kind and the lines that failed."""
    rows = rows_of(name, wanted)
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    failures = []
    tests = names_of_tests()
    with Gates() as gates:
        for row in rows:
            kind, line = judge(row, gates, tests)
            counts[kind] += 1
            if kind == "failed":
                failures.append(line)
            print(line, flush=True)
        slowest = gates.slowest_good
    print(f"{name:<4} slowest good push after a row: {slowest * 1000:.0f} ms", flush=True)
    return counts, failures


def judge(row, gates, tests):
    if isinstance(row, NotHere):
        return "skipped", f"{row.id} no such    {row.name}: {row.reason}"
    if isinstance(row, Elsewhere):
        if row.test not in tests:
            return "failed", f"{row.id} FAILED     {row.name}: there is no test {row.test}"
        return "skipped", f"{row.id} elsewhere  {row.name}: {row.test}"
    assert isinstance(row, Row)
    began = time.monotonic()
    try:
        row.run(gates)
    except Skipped as error:
        return "skipped", f"{row.id} skipped    {row.name}: there is no {error}"
    except Exception as error:  # Whatever it is, the rows behind it are tried.
        return "failed", f"{row.id} FAILED     {row.name}: {error!r}"
    took = time.monotonic() - began
    return "passed", f"{row.id} {row.word:<10} {row.name}" + (f" ({took:.1f} s)" if took > 2 else "")


def main():
    wanted = {argument.upper() for argument in sys.argv[1:]}
    families = [name for name in FAMILIES if rows_of(name, wanted)]
    total = {"passed": 0, "failed": 0, "skipped": 0}
    failures = []
    with concurrent.futures.ProcessPoolExecutor(len(families)) as pool:
        for counts, failed in pool.map(run_family, families, [wanted] * len(families)):
            for kind, count in counts.items():
                total[kind] += count
            failures += failed
    for line in failures:  # Again where they are found, below all that passed.
        print(line)
    print(", ".join(f"{count} {kind}" for kind, count in total.items()))
    sys.exit(1 if total["failed"] else 0)


if __name__ == "__main__":
    main()
