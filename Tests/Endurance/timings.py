#!/usr/bin/env python3
"""Whether the time of a refused login tells why it was refused.

  Tests/Endurance/timings.py [EACH]

Tries, in random order, EACH times a user that does not exist, a wrong password of one that does, a password
longer than bcrypt reads, and one with a NUL, each try with another password. Prints Welch's t of each kind
against the wrong password; ends with 1 when one is 4.5 or more.

Needs: a release build (make build), prometheus-pushgateway. Loopback only."""

import random
import statistics
import sys
import time

import clients
import held
import proxies

LIMITS = "limits: {failed_logins_per_minute_max: {user: 1000000, address: 1000000}}\n"
KINDS = {
    "wrong password": "load:wrong-%d",
    "no such user": "nobody-%d:wrong",
    "over-long password": "load:" + 80 * "x" + "%d",
    "NUL in the password": "load:wro\0ng-%d",
}
T_MAX = 4.5


def measure(port, each):
    """Milliseconds of each try, by kind."""
    target, times = clients.Target(port), {kind: [] for kind in KINDS}
    connection = held.connect(target)
    order = [kind for kind in KINDS for _ in range(each)]
    random.Random(7).shuffle(order)
    for number, kind in enumerate(order):
        # Requests enough for one connection.
        if number % 5000 == 4999:
            connection.close()
            connection = held.connect(target)
        target.log_in_as(KINDS[kind] % number)
        request, began = target.request(0), time.perf_counter()
        if held.push(connection, request) != 401:
            raise SystemExit(f"{kind}: not told 401")
        times[kind].append((time.perf_counter() - began) * 1000)
    return times


def without_outliers(times):
    """What the scheduler did to a few of them is no secret of the gate's."""
    return sorted(times)[: len(times) * 95 // 100]


def welch(one, other):
    error = (statistics.variance(one) / len(one) + statistics.variance(other) / len(other)) ** 0.5
    return (statistics.fmean(one) - statistics.fmean(other)) / error


def main():
    each = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
    with proxies.Pushgateway() as upstream, proxies.Kanmon(upstream, LIMITS) as gate:
        times = {kind: without_outliers(times) for kind, times in measure(gate.port, each).items()}
    good = True
    for kind in list(KINDS)[1:]:
        t = welch(times[kind], times["wrong password"])
        good = good and abs(t) < T_MAX
        print(f"{kind}: mean {statistics.fmean(times[kind]):.3f} ms, of a wrong password "
              f"{statistics.fmean(times['wrong password']):.3f} ms, t {t:.1f}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
