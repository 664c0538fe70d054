#!/usr/bin/env python3
"""Half an hour at half load with faults: do memory and descriptors stay where they are?

  Tests/Endurance/soak.py [MINUTES] [SEED]

Every few seconds something goes wrong: the Pushgateway hangs, dies and comes back; a reload brings a bad
file, then a good one; strangers send garbage, leave handshakes half done or guess passwords; bodies are
wrong; the audit file is moved away. Prints memory and descriptors of every minute, what the pushes came
to, and ends with 1 when either has grown, or when a push failed while nothing was broken.

Needs: a release build (make build), prometheus-pushgateway. Loopback only."""

import asyncio
import os
import random
import signal
import sys
import time

import clients
import proxies

# After these a push may rightly be told 502, 503 or 504 for a moment.
UPSTREAM_FAULTS = ("pushgateway_hangs", "pushgateway_dies")


class Faults:
    def __init__(self, gate, upstream, seed):
        self.gate, self.upstream, self.random = gate, upstream, random.Random(seed)
        self.target = clients.Target(gate.port)
        self.counts = {}

    async def one(self):
        name = self.random.choice([name for name in dir(self) if name.startswith(("pushgateway_", "gate_", "stranger_"))])
        self.counts[name] = self.counts.get(name, 0) + 1
        await getattr(self, name)()
        return name

    async def pushgateway_hangs(self):
        self.upstream.signal(signal.SIGSTOP)
        await asyncio.sleep(2)
        self.upstream.signal(signal.SIGCONT)

    async def pushgateway_dies(self):
        self.upstream.process.kill()
        self.upstream.process.wait()
        await asyncio.sleep(0.5)
        self.upstream.run()

    async def gate_reloads(self):
        for _ in range(20):
            self.gate.reload()
            await asyncio.sleep(0.01)

    async def gate_reloads_what_is_bad(self):
        path = self.gate.folder / "kanmon.yml"
        good = path.read_text()
        path.write_text(good + "nonsense: 1\n")
        self.gate.signal(signal.SIGHUP)
        await asyncio.sleep(0.5)
        path.write_text(good)
        self.gate.signal(signal.SIGHUP)

    async def gate_loses_its_audit_file(self):
        path = self.gate.folder / "audit.jsonl"
        if path.exists():
            os.rename(path, self.gate.folder / "audit.moved")

    async def stranger_sends_garbage(self):
        for _ in range(50):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.gate.port)
            writer.write(self.random.randbytes(300))
            writer.transport.abort()

    async def stranger_leaves_handshakes(self):
        opened = [await asyncio.open_connection("127.0.0.1", self.gate.port) for _ in range(100)]
        await asyncio.sleep(1)
        for _, writer in opened:
            writer.transport.abort()

    async def stranger_guesses(self):
        await self.send_many(clients.Target(self.gate.port, "load:wrong"), [401, 429])

    async def stranger_sends_bad_bodies(self):
        for body in [b"a 1", b"a{ 1\n", b"a 1\na 1\n", b"\0" * 500, b"x" * 70000]:
            request = self.target.request(0).split(b"\r\n")
            head = b"\r\n".join(line for line in request[:4] if not line.startswith(b"Content-Length"))
            await self.send(self.target, head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body, [400])

    async def send_many(self, target, expected):
        await asyncio.gather(*(self.send(target, target.request(0), expected) for _ in range(20)))

    async def send(self, target, request, expected):
        try:
            reader, writer = await target.connect()
            status, _ = await asyncio.wait_for(clients.push(reader, writer, request), 30)
            writer.transport.abort()
            if status not in expected:
                print(f"expected one of {expected}, got {status}", flush=True)
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            pass  # A stranger need not be answered.


def resources(pid):
    with open(f"/proc/{pid}/statm") as statm:
        pages = int(statm.read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024, len(os.listdir(f"/proc/{pid}/fd"))


async def run(gate, upstream, minutes, seed):
    tally, stop = clients.Tally(), asyncio.Event()
    load = asyncio.create_task(clients.load(clients.Target(gate.port), tally, stop, clients=32, pause=0.05))
    faults, samples, unexplained = Faults(gate, upstream, seed), [], 0
    end = time.monotonic() + minutes * 60
    next_sample = time.monotonic() + 60
    while time.monotonic() < end:
        await asyncio.sleep(2)
        before = tally.failed()
        name = await faults.one()
        # What is in flight at the end of a fault has time to be told of it.
        await asyncio.sleep(6 if name in UPSTREAM_FAULTS else 1)
        if name not in UPSTREAM_FAULTS:
            unexplained += tally.failed() - before
        if time.monotonic() >= next_sample:
            samples.append(resources(gate.process.pid))
            next_sample += 60
            print(f"minute {len(samples)}: {samples[-1][0]} KiB, {samples[-1][1]} descriptors", flush=True)
    stop.set()
    await load
    await asyncio.sleep(3)
    print(f"{tally}\nfaults: {faults.counts}\nfailed while nothing was broken: {unexplained}")
    return samples, unexplained


def slope(values):
    """Growth in an hour, by least squares over the second half: the first is for tables to fill."""
    values = values[len(values) // 2:]
    if len(values) < 3:
        return 0.0
    mean_x, mean_y = (len(values) - 1) / 2, sum(values) / len(values)
    spread = sum((x - mean_x) ** 2 for x in range(len(values)))
    return 60 * sum((x - mean_x) * (y - mean_y) for x, y in enumerate(values)) / spread


def main():
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 30
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with proxies.Pushgateway() as upstream:
        settings = "audit: {file: audit.jsonl, max_bytes: 1MiB, retain: 2}\n"
        with proxies.Kanmon(upstream, settings) as gate:
            samples, unexplained = asyncio.run(run(gate, upstream, minutes, seed))
            idle = resources(gate.process.pid)
            memory, descriptors = slope([s[0] for s in samples]), slope([s[1] for s in samples])
            print(f"at rest: {idle[0]} KiB, {idle[1]} descriptors; "
                  f"growth in an hour: {memory:.0f} KiB, {descriptors:.1f} descriptors")
            # A megabyte an hour is noise of the allocator in so short a time, ten are a leak.
            sys.exit(1 if unexplained or memory > 10240 or descriptors > 10 else 0)


if __name__ == "__main__":
    main()
