#!/usr/bin/env python3
"""Real faults of a real gate and a real Pushgateway, each repaired or told within two minutes. A run begins every
PERIOD seconds, as a timer would have it. Only systemctl is a stand-in, which starts and stops the real processes.

  Tests/Watchdog/faults.py

KANMON_OPS and KANMON are the programs, those of .build/debug when they are not set. Takes two minutes and a half."""

import shutil
import signal
import socket
import sys
import time

import ward
from stack import KANMON, Stack

PERIOD = 20
failed = []


def holds(sentence, truth, details=""):
    took = f" ({truth:.0f} s)" if isinstance(truth, float) else ""
    print(("ok  " if truth else "FAILED  ") + sentence + (took if truth else f": {details}"), flush=True)
    if not truth:
        failed.append(sentence)


def until(stack, condition, seconds=120):
    """Runs the watchdog on and on; after how many seconds the condition held, None when it did not in time."""
    began = time.monotonic()
    # The worst case: it has just looked.
    next_run = began + PERIOD
    while time.monotonic() - began < seconds:
        if time.monotonic() >= next_run:
            next_run = time.monotonic() + PERIOD
            code, took, said = stack.watch()
            if code not in (0, 1) or took > 60:
                holds("a run ends within a minute, with 0 or 1", False, f"{code} after {took:.0f} s: {said}")
        if condition():
            return time.monotonic() - began
        time.sleep(0.2)
    return None


def told(stack, *words):
    return any(all(word in text for word in words) for text in stack.discord.texts())


def healthy(stack):
    code, took, said = stack.watch()
    holds("all is well in the beginning", code == 0, said)
    holds("and a run takes little", took < 15, f"{took:.1f} s")
    holds("nobody is told anything", not stack.discord.received, stack.discord.texts())


def stopped(stack):
    stack.stop("kanmon.service")
    after = until(stack, stack.is_well)
    holds("a gate that was killed serves again within two minutes", after, "it does not")
    holds("by one restart", len(stack.restarts("kanmon.service")) == 1, stack.restarts("kanmon.service"))
    holds("which is told", told(stack, "gate", "well again after a repair"), stack.discord.texts())


def hung(stack):
    stack.signal("kanmon.service", signal.SIGSTOP)
    after = until(stack, stack.is_well)
    holds("a gate that hangs serves again within two minutes", after, "it does not")
    holds("which is told", told(stack, "gate-answers", "no answer in time"), stack.discord.texts())


def dead_store(stack):
    gate = stack.pid("kanmon.service")
    stack.stop("pushgateway.service")
    after = until(stack, stack.is_well)
    holds("a Pushgateway that died is there again within two minutes", after, "it is not")
    holds("and the gate was left alone", stack.pid("kanmon.service") == gate, "it was restarted")


def hopeless_store(stack):
    gate = stack.pid("kanmon.service")
    text = (stack.folder / "pushgateway.service.command").read_text()
    stack.command("pushgateway.service", "/bin/false")
    stack.stop("pushgateway.service")
    after = until(stack, lambda: told(stack, "pushgateway", "Repairs are held back"))
    holds("a Pushgateway that cannot be started is told within two minutes", after, stack.discord.texts())
    holds("and the gate was left alone", stack.pid("kanmon.service") == gate, "it was restarted")
    stack.command("pushgateway.service", *text.splitlines())
    stack.systemctl("start", "pushgateway.service")
    after = until(stack, lambda: told(stack, "pushgateway: well again"))
    holds("and its recovery is told", after, stack.discord.texts())


def taken_port(stack):
    stack.stop("kanmon.service")
    time.sleep(0.5)
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", stack.port))
        thief.listen()
        after = until(stack, lambda: told(stack, "gate", "held back"))
        holds("a gate whose port is taken is told within two minutes", after, stack.discord.texts())
        saved = list((stack.folder / "state/incidents").glob("*-gate.log"))
        holds("its journal is kept, which has the reason",
              any("holds the port" in path.read_text() for path in saved), [path.read_text()[-300:] for path in saved])
    times = stack.restarts("kanmon.service")
    holds("and there were at most three restarts in ten minutes", len(times) <= 3, times)


def main():
    missing = [name for name in ("prometheus-pushgateway", "curl") if not shutil.which(name)]
    missing += [program for program in (KANMON, str(ward.PROGRAM)) if not shutil.which(program)]
    if missing:
        print("skipped: faults of the stack need " + ", ".join(missing))
        return 0
    for faults in ([healthy, stopped, hung, dead_store], [hopeless_store], [taken_port]):
        with Stack() as stack:
            for fault in faults:
                fault(stack)
    print(f"watchdog, real faults: {len(failed)} not so")
    return 1 if failed else 0


sys.exit(main())
