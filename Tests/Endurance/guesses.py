#!/usr/bin/env python3
"""What 256 connections that guess passwords at cost 12 do to everybody else.

  Tests/Endurance/guesses.py [SECONDS]

In the calm, and then while an address guesses: two clients push whose password is known, one of them from
the guessing address. Meanwhile three users log in whom the gate does not know yet: from elsewhere, from the
guessing address, and there as the user whose password is being guessed; each tries again after a second when
it is told 429 or 503. Prints success and p99, and the CPU time of the loop's turns.

Ends with 1 when a known user's push fails or its p99 is more than twice the calm one, when one of the three
does not get in, or when more than one turn in a hundred took over 5 ms.

Needs: a release build (make build), prometheus-pushgateway. Loopback only; 2 processors."""

import asyncio
import collections
import itertools
import multiprocessing
import os
import subprocess
import sys
import time
import urllib.request

import clients
import proxies

GUESSERS = 256
GUESSING, ELSEWHERE = "127.0.0.2", "127.0.0.3"
PUSHES_PER_SECOND = 100
# Who tries to get in during the attack, and from where.
COLD = {"stranger": ELSEWHERE, "neighbour": GUESSING, "victim": GUESSING}


class Gate(proxies.Kanmon):
    changes = 1

    def make_changes(self, cost=12):
        super().make_changes(cost)
        for user in COLD:
            subprocess.run(
                [proxies.KANMON, "passwd", self.folder / "0" / "htpasswd", user, "--cost", str(cost)],
                input=b"right-password\n", check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Pusher:
    """Pushes at a steady pace on one connection."""

    def __init__(self, port, source):
        self.target, self.source = clients.Target(port), source
        self.times, self.failures = [], collections.Counter()

    async def run(self, seconds):
        self.times.clear()
        connection = await self.target.connect(self.source)
        loop = asyncio.get_running_loop()
        begin = loop.time()
        for number in range(int(seconds * PUSHES_PER_SECOND)):
            await asyncio.sleep(max(0, begin + number / PUSHES_PER_SECOND - loop.time()))
            began = time.monotonic()
            status, _ = await clients.push(*connection, self.target.request(0))
            self.times.append(time.monotonic() - began)
            if status != 200:
                self.failures[status] += 1
        connection[1].transport.abort()


async def log_in(port, user, source, end):
    """Tries the right password until it gets in. Says after how many seconds and tries; nil when never."""
    target, began = clients.Target(port, f"{user}:right-password"), time.monotonic()
    for tries in itertools.count(1):
        if time.monotonic() > end:
            return None
        connection = await target.connect(source)
        status, _ = await clients.push(*connection, target.request(1))
        connection[1].transport.abort()
        if status == 200:
            return time.monotonic() - began, tries
        await asyncio.sleep(1)


async def guess(port, number, answers, end):
    """Another password with each request, as fast as it is told no."""
    target, connection = clients.Target(port), None
    for tried in itertools.count():
        if time.monotonic() > end:
            return
        target.log_in_as(f"victim:guess-{number}-{tried}")
        try:
            connection = connection or await target.connect(GUESSING)
            status, is_kept = await clients.push(*connection, target.request(2))
            answers[status] += 1
            if not is_kept:
                connection = None
        except (OSError, asyncio.IncompleteReadError):
            answers["cut"] += 1
            connection = None


def attack(port, end, result):
    # In life they are elsewhere: here they give way to those who are measured, who would wait for the end of their
    # slice whatever their niceness.
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    answers = collections.Counter()

    async def all_of_them():
        await asyncio.wait([asyncio.create_task(guess(port, number, answers, end))
                            for number in range(GUESSERS)], timeout=end - time.monotonic() + 1)

    asyncio.run(all_of_them())
    result.put(dict(answers))


def turns(admin):
    """How many turns took at most so many seconds of CPU time."""
    page = urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=10).read().decode()
    counts = {}
    for line in page.splitlines():
        if line.startswith("kanmon_loop_turn_cpu_seconds_bucket"):
            counts[line.split('"')[1]] = int(line.split()[-1])
    return counts


async def measure(gate, admin, seconds):
    pushers = [Pusher(gate.port, "127.0.0.1"), Pusher(gate.port, GUESSING)]
    await asyncio.gather(*(pusher.run(2) for pusher in pushers))
    await asyncio.gather(*(pusher.run(seconds) for pusher in pushers))
    calm = [p99(pusher.times) for pusher in pushers]
    before, end = turns(admin), time.monotonic() + seconds + 5
    result = multiprocessing.Queue()
    attacker = multiprocessing.Process(target=attack, args=(gate.port, end, result))
    attacker.start()
    await asyncio.sleep(4)
    *_, logins = await asyncio.gather(
        *(pusher.run(seconds) for pusher in pushers),
        asyncio.gather(*(log_in(gate.port, user, source, end) for user, source in COLD.items())))
    after = turns(admin)
    answers = result.get(timeout=60)
    attacker.join()
    return pushers, calm, logins, answers, {bound: after[bound] - before[bound] for bound in after}


def p99(seconds):
    return sorted(seconds)[len(seconds) * 99 // 100] * 1000


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 30
    admin = proxies.free_port()
    settings = f"admin: {{listen: 127.0.0.1:{admin}}}\n"
    with proxies.Pushgateway() as upstream, Gate(upstream, settings) as gate:
        pushers, calm, logins, answers, counts = asyncio.run(measure(gate, admin, seconds))
    good = True
    for pusher, before in zip(pushers, calm):
        during = p99(pusher.times)
        good = good and not pusher.failures and during <= 2 * before
        print(f"known user from {pusher.source}: {sum(pusher.failures.values())} of {len(pusher.times)} pushes "
              f"failed {dict(pusher.failures) or ''}, p99 {during:.2f} ms, in the calm {before:.2f} ms")
    for (user, source), login in zip(COLD.items(), logins):
        good = good and login is not None
        print(f"right password of {user}, not known yet, from {source}: "
              + (f"let in after {login[0]:.1f} s and {login[1]} tries" if login else "never let in"))
    slow = counts["+Inf"] - counts["0.005"]
    good = good and slow * 100 <= counts["+Inf"]
    print(f"guesses: {answers}; turns that were measured: {counts['+Inf']}, over 1 ms "
          f"{counts['+Inf'] - counts['0.001']}, over 5 ms {slow}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
