#!/usr/bin/env python3
"""A thousand connections that are slow on purpose: in the head, in the body, in reading the answers.

  Tests/Endurance/slow.py [CONNECTIONS]

Lets slowhttptest attack a gate with its own limits, except that one address may have all the connections,
while somebody else pushes. Four times a second the kernel's table tells which connections the gate still
has: none may be older than its deadlines together allow. (slowhttptest itself counts a connection as open as
long as it has bytes of its own to read.) Ends with 1 when one is older, or when a push fails.

Needs: a release build (make build), prometheus-pushgateway, slowhttptest. Loopback only."""

import asyncio
import resource
import subprocess
import sys
import time

import clients
import proxies

RATE = 250
# The gate's defaults: for a head, for a body before its rate counts and is looked at, for an answer to be
# taken, for a farewell.
HEAD, PACE, WRITE, FAREWELL = 10, 6, 10, 2
# Half of it for the loop, half for how seldom the table is read.
GRACE = 1
SETTINGS = "limits: {connections_per_address_max: 100000}\n"
PUSHING = "127.0.0.9"
# Established, close-wait, and closed here with bytes that are not taken yet.
HELD = {"01", "08", "04", "09", "0B"}


def attacks(target):
    """Each with its name, its options, and how old a connection may become."""
    push, login = "/metrics/job/slow", f"Authorization: Basic {target.login}"
    return [
        ("-H, a head that does not end", ["-H", "-i", "3", "-x", "20", "-u", push], HEAD),
        ("-B, a body without a login", ["-B", "-i", "3", "-x", "20", "-s", "8192", "-u", push], FAREWELL),
        # The option's value goes into the head as it is, and so brings the login.
        ("-B, a body of a user", ["-B", "-i", "3", "-x", "20", "-s", "8192", "-m", f"*/*\r\n{login}", "-u", push],
         PACE),
        ("-X, answers that nobody reads", ["-X", "-k", "10", "-w", "1", "-y", "16", "-n", "5", "-z", "4", "-u", push],
         WRITE),
    ]


class Table:
    """The connections that the kernel has for the gate, each by its client's port: first and last seen when."""

    def __init__(self, port):
        self.local, self.seen = f"0100007F:{port:04X}", {}

    def read(self):
        now = time.monotonic()
        with open("/proc/net/tcp") as table:
            for row in table:
                _, local, remote, state = row.split()[:4]
                if local == self.local and state in HELD and remote.startswith("0100007F:"):
                    first, _ = self.seen.get(remote, (now, now))
                    self.seen[remote] = (first, now)

    async def watch(self, ended):
        """Until the attack is over, and the last connection too."""
        while True:
            self.read()
            latest = max((last for _, last in self.seen.values()), default=time.monotonic())
            if ended.is_set() and time.monotonic() - latest > GRACE:
                return [last - first for first, last in self.seen.values()]
            await asyncio.sleep(0.25)


async def run(gate, name, options, age_max, count):
    target, tally, stop, ended = clients.Target(gate.port), clients.Tally(), asyncio.Event(), asyncio.Event()
    load = asyncio.create_task(clients.load(target, tally, stop, clients=8, pause=0.05, source=PUSHING))
    watch = asyncio.create_task(Table(gate.port).watch(ended))
    *options, path = options
    attack = await asyncio.create_subprocess_exec(
        "slowhttptest", "-c", str(count), "-r", str(RATE), "-l", str(count // RATE + age_max + 15), *options,
        f"https://127.0.0.1:{gate.port}{path}", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    await attack.wait()
    ended.set()
    ages = await watch
    stop.set()
    await load
    older = sum(age > age_max + GRACE for age in ages)
    print(f"{name}: {len(ages)} connections, {older} older than {age_max} s, the oldest {max(ages):.1f} s; "
          f"meanwhile {tally}", flush=True)
    # Who is told no at once is gone before the table is read.
    seen_min = 1 if age_max == FAREWELL else count
    return older == 0 and len(ages) >= seen_min and tally.failed() == 0


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    resource.setrlimit(resource.RLIMIT_NOFILE, [resource.getrlimit(resource.RLIMIT_NOFILE)[1]] * 2)
    good = True
    with proxies.Pushgateway() as upstream, proxies.Kanmon(upstream, SETTINGS) as gate:
        for attack in attacks(clients.Target(gate.port)):
            good = asyncio.run(run(gate, *attack, count)) and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
