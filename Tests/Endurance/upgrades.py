#!/usr/bin/env python3
"""How many pushes an upgrade costs: 128 clients that never try again push for a minute, while the gate's program
is replaced by itself 20 times, and five times by one that is broken.

  Tests/Endurance/upgrades.py [SECONDS] [UPGRADES]

Needs: a release build (make build), prometheus-pushgateway. Loopback only. Ends with 1 when a push was lost, an
upgrade did not come about, or a broken program did harm."""

import asyncio
import os
import re
import shutil
import signal
import sys

import clients
import proxies

BROKEN = ["#!/bin/sh\nexit 1\n", "#!/bin/sh\nexit 78\n", "#!/bin/sh\nkill -SEGV $$\n",
          "#!/bin/sh\nexec sleep 60\n", "nothing that can be run\n"]


class UpgradedKanmon(proxies.Kanmon):
    changes = 1

    def __init__(self, upstream):
        proxies.Proxy.__init__(self)
        self.make_changes()
        self.put_in_place(0)
        self.configure(upstream)
        path = self.folder / "kanmon.yml"
        path.write_text(path.read_text().replace("level: warn", "level: info"))
        self.program = self.folder / "kanmon"
        self.replace(None)
        self.start(str(self.program), "serve", "--config", str(path))
        proxies.wait_for_port(self.port)

    def replace(self, script):
        new = self.folder / "kanmon.new"
        if script is None:
            shutil.copy(proxies.KANMON, new)
        else:
            new.write_text(script)
            os.chmod(new, 0o755)
        os.rename(new, self.program)

    def started(self):
        return [int(number) for number in re.findall(r'"upgrade begins".* pid=(\d+)', self.log())]

    def handed_over(self):
        return [int(number) for number in re.findall(r'"handed over, draining" pid=(\d+)', self.log())]

    def upgrade(self):
        os.kill((self.handed_over() or [self.process.pid])[-1], signal.SIGUSR2)

    async def wait(self, what, count):
        for _ in range(1000):
            if self.log().count(what) >= count:
                return
            await asyncio.sleep(0.02)
        raise SystemExit(f"{what}: {self.log().count(what)} of {count}")

    def __exit__(self, *arguments):
        for process in self.started():
            try:
                os.kill(process, signal.SIGTERM)
            except ProcessLookupError:
                pass
        super().__exit__(*arguments)


async def measure(gate, seconds, upgrades):
    tally, stop = clients.Tally(), asyncio.Event()
    load = asyncio.create_task(clients.load(clients.Target(gate.port), tally, stop))
    await asyncio.sleep(1)
    for number in range(upgrades):
        gate.upgrade()
        await gate.wait("handed over, draining", number + 1)
        if number % 4 == 0 and number // 4 < len(BROKEN):
            gate.replace(BROKEN[number // 4])
            gate.upgrade()
            await gate.wait("upgrade failed, this gate goes on", number // 4 + 1)
            gate.replace(None)
        await asyncio.sleep(seconds / upgrades)
    stop.set()
    await load
    return tally


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60
    upgrades = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    with proxies.Pushgateway() as upstream, UpgradedKanmon(upstream) as gate:
        tally = asyncio.run(measure(gate, seconds, upgrades))
        broken = gate.log().count("upgrade failed")
        print(f"{len(gate.handed_over())} upgrades and {broken} broken programs in about {seconds:.0f} s: {tally}")
    sys.exit(1 if tally.failed() else 0)


if __name__ == "__main__":
    main()
