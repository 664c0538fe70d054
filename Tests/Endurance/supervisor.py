#!/usr/bin/env python3
"""How long the gate is away when it dies. A supervisor holds the listening socket, as systemd does, and starts
the gate again at once; the gate is killed (SIGKILL) at random moments while clients that never try again push
on new connections. Then how long the gate takes from its start until it says that it is ready.

  Tests/Endurance/supervisor.py [KILLS] [STARTS]

Needs: a release build (make build), prometheus-pushgateway. Loopback only. Ends with 1 when a connection was
refused, or a goal was missed: the first push accepted within 100 ms in 99 of 100 cases, ready within 50 ms,
with 10,000 users within 200 ms."""

import asyncio
import collections
import multiprocessing
import os
import random
import signal
import socket
import sys
import time

import clients
import proxies

PUSHERS = 4


class SupervisedKanmon(proxies.Proxy):
    changes = 1

    def __init__(self, upstream):
        super().__init__()
        self.make_changes(cost=5)
        self.put_in_place(0)
        (self.folder / "kanmon.yml").write_text(
            f"listen: 127.0.0.1:{self.port}\nallow: [127.0.0.1]\n"
            "tls: {cert_file: tls.crt, key_file: tls.key}\nauth: {users_file: htpasswd}\n"
            f'upstream: {{url: "http://127.0.0.1:{upstream.port}"}}\nlog: {{level: warn}}\n')
        self.command = [proxies.KANMON, "serve", "--config", str(self.folder / "kanmon.yml")]

    def add_users(self, count):
        name, verifier = (self.folder / "htpasswd").read_text().strip().split(":")
        lines = [f"{name}:{verifier}"] + [f"user{number}:{verifier}" for number in range(count - 1)]
        (self.folder / "htpasswd").write_text("\n".join(lines) + "\n")


def start(command, listener, log, notify=None):
    """Starts the gate with the listening socket at 3. Says its process id."""
    process = os.fork()
    if process:
        return process
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.dup2(listener.fileno(), 3)
    os.set_inheritable(3, True)  # Which dup2 leaves as it was when it is 3 already.
    environment = dict(os.environ, LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
    if notify:
        environment["NOTIFY_SOCKET"] = notify
    os.execve(command[0], command, environment)


def supervise(command, listener, log, current):
    """Starts it again whenever it has ended, until this process is told to end."""
    def end(*_):
        os.kill(current.value, signal.SIGTERM)
        os._exit(0)
    signal.signal(signal.SIGTERM, end)
    while True:
        current.value = start(command, listener, log)
        os.waitpid(current.value, 0)


def push_forever(port, queue, stop):
    """Clients in a process of their own: what each push came to, and when it began and ended."""
    async def pusher(target, number):
        while not stop.is_set():
            began, outcome = time.monotonic(), "accepted"
            try:
                connection = await asyncio.wait_for(target.connect(), 20)
                status, _ = await asyncio.wait_for(
                    clients.push(*connection, target.request(number)), 20)
                outcome = "accepted" if status == 200 else f"status {status}"
                connection[1].transport.abort()
            except Exception as error:  # Every reason counts, whatever its kind.
                outcome = type(error).__name__
            queue.put((began, time.monotonic(), outcome))

    async def main():
        target = clients.Target(port)
        await asyncio.gather(*(pusher(target, number) for number in range(PUSHERS)))
    asyncio.run(main())


def measure_kills(gate, kills):
    listener = socket.create_server(("127.0.0.1", gate.port), backlog=4096)
    log = os.open(gate.folder / "log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    current, queue, stop = multiprocessing.Value("i", 0), multiprocessing.Queue(), multiprocessing.Event()
    supervisor = multiprocessing.Process(target=supervise, args=(gate.command, listener, log, current))
    supervisor.start()
    pusher = multiprocessing.Process(target=push_forever, args=(gate.port, queue, stop))
    pusher.start()
    pushes, moments = [queue.get(timeout=30)], []
    for _ in range(kills):
        end = time.monotonic() + random.uniform(0.3, 0.8)
        while time.monotonic() < end:
            pushes.append(queue.get(timeout=30))
        moments.append(time.monotonic())
        os.kill(current.value, signal.SIGKILL)
    end = time.monotonic() + 1
    while time.monotonic() < end:
        pushes.append(queue.get(timeout=30))
    stop.set()
    while pusher.is_alive() or not queue.empty():
        while not queue.empty():
            pushes.append(queue.get())
        pusher.join(0.05)
    supervisor.terminate()
    supervisor.join()
    listener.close()
    return pushes, moments


def measure_starts(gate, starts):
    """Milliseconds from the start of the program to its word that it is ready."""
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(gate.folder / "notify"))
    manager.settimeout(20)
    log = os.open(gate.folder / "log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    times = []
    with socket.create_server(("127.0.0.1", gate.port)) as listener:
        for _ in range(starts):
            began = time.monotonic()
            process = start(gate.command, listener, log, str(gate.folder / "notify"))
            while b"READY=1" not in manager.recv(4096):
                pass
            times.append((time.monotonic() - began) * 1000)
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
    manager.close()
    os.unlink(gate.folder / "notify")
    return times


def share(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def describe(values):
    return (f"median {share(values, 0.5):.0f} ms, p99 {share(values, 0.99):.0f} ms, "
            f"max {max(values):.0f} ms of {len(values)}")


def main():
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    starts = int(sys.argv[2]) if len(sys.argv) > 2 else 30
    good = True
    with proxies.Pushgateway() as upstream, SupervisedKanmon(upstream) as gate:
        pushes, moments = measure_kills(gate, kills)
        outcomes = collections.Counter(outcome for _, _, outcome in pushes)
        away = []
        for moment in moments:
            accepted = [end for began, end, outcome in pushes if outcome == "accepted" and began > moment]
            away.append((min(accepted) - moment) * 1000)
        refused = outcomes["ConnectionRefusedError"]
        print(f"killed {kills} times under {len(pushes)} pushes on new connections: {refused} refused; "
              f"from the kill to the first accepted push {describe(away)}")
        print("  " + ", ".join(f"{count} {kind}" for kind, count in outcomes.most_common()))
        good &= refused == 0 and share(away, 0.99) <= 100
        for users, goal in [(1, 50), (10_000, 200)]:
            gate.add_users(users)
            times = measure_starts(gate, starts)
            print(f"from start to ready with {users} users: {describe(times)} (goal {goal} ms)")
            good &= share(times, 0.5) <= goal
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
