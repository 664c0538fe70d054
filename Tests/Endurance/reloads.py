#!/usr/bin/env python3
"""How many pushes a reload costs: 128 clients that never try again push for a minute, while certificate
and passwords are changed and read anew 200 times. Kanmon, then nginx and HAProxy in the same way.

  Tests/Endurance/reloads.py [SECONDS] [RELOADS]

Needs: a release build (make build), prometheus-pushgateway, nginx, haproxy. Loopback only. Ends with 1
when Kanmon has lost a push, or has not taken each reload."""

import asyncio
import sys

import clients
import proxies


async def measure(proxy, seconds, reloads):
    tally, stop = clients.Tally(), asyncio.Event()
    load = asyncio.create_task(clients.load(clients.Target(proxy.port), tally, stop))
    await asyncio.sleep(1)
    pause = seconds / reloads
    for _ in range(reloads):
        proxy.reload()
        await asyncio.sleep(pause)
    stop.set()
    await load
    return tally


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60
    reloads = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    good = True
    for make in [proxies.Kanmon, proxies.Nginx, proxies.HAProxy]:
        with proxies.Pushgateway() as upstream, make(upstream) as proxy:
            tally = asyncio.run(measure(proxy, seconds, reloads))
            print(f"{proxy.name}: {reloads} reloads in {seconds:.0f} s: {tally}", flush=True)
            if proxy.name == "kanmon":
                good = tally.failed() == 0 and "reload refused" not in proxy.log()
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
