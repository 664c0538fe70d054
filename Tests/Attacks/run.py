#!/usr/bin/python3
"""The catalogue of attacks, tried on a running gate: every row with its verdict, after each row a good push that has
to succeed, and a Pushgateway that may have got nothing but canonical bytes.

  Tests/Attacks/run.py [FAMILY or ROW...]

Runs the program in $KANMON, .build/debug/kanmon when there is none. Loopback only."""

import concurrent.futures
import importlib
import pathlib
import sys
import time

from table import Elsewhere, Gates, NotHere, Row, names_of_tests

FAMILIES = sorted(file.stem[-1] for file in pathlib.Path(__file__).parent.glob("family_?.py"))


def run_family(name, wanted):
    """The lines that tell of each row of a family, and how many there are of each kind."""
    module = importlib.import_module(f"family_{name}")
    rows = [row for row in module.ROWS if not wanted or row.id in wanted or name.upper() in wanted]
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    tests = names_of_tests()
    with Gates() as gates:
        for row in rows:
            kind, line = judge(row, gates, tests)
            counts[kind] += 1
            print(line, flush=True)
        slowest = gates.slowest_good
    if rows:
        print(f"{name.upper()}    slowest good push after a row: {slowest * 1000:.0f} ms", flush=True)
    return counts


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
    except Exception as error:  # Whatever it is, the rows behind it are tried.
        return "failed", f"{row.id} FAILED     {row.name}: {error!r}"
    took = time.monotonic() - began
    return "passed", f"{row.id} {row.word:<10} {row.name}" + (f" ({took:.1f} s)" if took > 2 else "")


def main():
    wanted = {argument.upper() for argument in sys.argv[1:]}
    families = [name for name in FAMILIES if not wanted or any(id.startswith(name.upper()) for id in wanted)]
    total = {"passed": 0, "failed": 0, "skipped": 0}
    with concurrent.futures.ProcessPoolExecutor(len(families)) as pool:
        for counts in pool.map(run_family, families, [wanted] * len(families)):
            for kind, count in counts.items():
                total[kind] += count
    print(", ".join(f"{count} {kind}" for kind, count in total.items()))
    sys.exit(1 if total["failed"] else 0)


if __name__ == "__main__":
    main()
