#!/usr/bin/env python3
"""Half an hour of a watchdog over a real gate and a real Pushgateway with faults at random: killed, stopped still, the
port taken, a Pushgateway that dies, a state that is damaged, a run that is killed. The watchdog never stops, there is
no storm of restarts, and in the end all is well.

  Tests/Endurance/watchdog.py [MINUTES] [SEED]

Needs: kanmon and kanmon-ops (KANMON, KANMON_OPS), prometheus-pushgateway, curl. Only systemctl is a stand-in, which
starts and stops the real processes. Loopback only."""

import os
import pathlib
import random
import signal
import socket
import sys
import threading
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "Watchdog"))

from stack import UNITS, Stack  # noqa: E402

MINUTES = float(sys.argv[1]) if len(sys.argv) > 1 else 30
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(10 ** 6)
PERIOD = 15
RUN_SECONDS_MAX = 75


def kill_gate(stack, _):
    stack.stop("kanmon.service")


def hang_gate(stack, _):
    stack.signal("kanmon.service", signal.SIGSTOP)


def kill_store(stack, _):
    stack.stop("pushgateway.service")


def take_port(stack, chance):
    stack.stop("kanmon.service")
    time.sleep(0.2)
    thief = socket.socket()
    thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        thief.bind(("127.0.0.1", stack.port))
        thief.listen()
    except OSError:  # The gate is faster.
        thief.close()
        return
    threading.Timer(chance.uniform(5, 40), thief.close).start()


def damage_state(stack, chance):
    path = stack.folder / "state/state.json"
    if path.exists():
        text = path.read_bytes()
        path.write_bytes(text[:chance.randrange(len(text) + 1)])


FAULTS = [kill_gate, hang_gate, kill_store, take_port, damage_state]


class Timer(threading.Thread):
    """Begins a run every PERIOD seconds, never a second one, as systemd's timer does."""

    def __init__(self, stack):
        super().__init__(daemon=True)
        self.stack, self.runs, self.faults, self.longest = stack, 0, [], 0.0
        self.ends = threading.Event()

    def run(self):
        while not self.ends.is_set():
            began = time.monotonic()
            try:
                code, took, said = self.stack.watch()
                self.longest = max(self.longest, took)
                if code not in (0, 1):
                    self.faults.append(f"a run ended with {code}: {said[-300:]}")
            except Exception as error:  # Whatever it was, it is what is looked for.
                self.faults.append(str(error))
            self.runs += 1
            self.ends.wait(max(0, PERIOD - (time.monotonic() - began)))


def storms(times, most=3, within=600):
    """The moments at which more restarts than that had happened."""
    return [moment for moment in times if sum(moment - within < other <= moment for other in times) > most]


def main():
    chance = random.Random(SEED)
    print(f"seed {SEED}, {MINUTES:.0f} minutes", flush=True)
    failed, counts = [], {}
    with Stack() as stack:
        timer = Timer(stack)
        timer.start()
        end = time.monotonic() + MINUTES * 60
        while time.monotonic() < end:
            time.sleep(chance.uniform(10, 60))
            fault = chance.choice(FAULTS)
            counts[fault.__name__] = counts.get(fault.__name__, 0) + 1
            print(f"{MINUTES * 60 - (end - time.monotonic()):5.0f} s  {fault.__name__}", flush=True)
            fault(stack, chance)
        # A limit may be reached: ten minutes later it is not any more, and here nobody waits for that.
        began = time.monotonic()
        while not stack.is_well() and time.monotonic() - began < 700:
            time.sleep(1)
        is_well, recovered = stack.is_well(), time.monotonic() - began
        timer.ends.set()
        timer.join(120)
        failed += timer.faults
        if not is_well:
            failed.append("all is not well in the end")
        if timer.longest > RUN_SECONDS_MAX:
            failed.append(f"a run took {timer.longest:.0f} s")
        # A state that was damaged forgets what was restarted before: as many more as there were damages.
        most = 3 + 3 * counts.get("damage_state", 0)
        for unit in UNITS:
            times = stack.restarts(unit)
            print(f"{unit}: {len(times)} restarts")
            if storms(times, most):
                failed.append(f"{unit} was restarted over {most} times in ten minutes")
        print(f"{timer.runs} runs, the longest {timer.longest:.0f} s; {sum(counts.values())} faults "
              f"({', '.join(f'{name} {count}' for name, count in sorted(counts.items()))}); "
              f"well again {recovered:.0f} s after the last; {len(stack.discord.received)} messages")
    for sentence in failed:
        print("FAILED  " + sentence)
    return 1 if failed else 0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    sys.exit(main())
