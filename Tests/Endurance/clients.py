"""Clients that push and never try again: whatever goes wrong is counted, with its reason."""

import asyncio
import base64
import collections
import ssl
import time

BODY = b"".join(
    b'# TYPE endurance_%s gauge\nendurance_%s{site="here"} %d.25\n' % (name, name, number)
    for number, name in enumerate([b"load1", b"memory_bytes", b"cpu_ratio", b"processes"]))


class Tally:
    """What became of the pushes of all clients."""

    def __init__(self):
        self.pushes = collections.Counter()
        self.failures = collections.Counter()
        self.slowest = 0.0

    def failed(self):
        return sum(self.failures.values())

    def __str__(self):
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.pushes.items()))
        reasons = "; ".join(f"{count} x {why}" for why, count in self.failures.most_common(8))
        return (f"{sum(self.pushes.values())} pushes ({kinds}), {self.failed()} failed, "
                f"slowest {self.slowest * 1000:.0f} ms" + (f": {reasons}" if reasons else ""))


class Target:
    """Where and as whom to push. Certificates change meanwhile, so none is verified here."""

    def __init__(self, port, login="load:load-password", address="127.0.0.1"):
        self.port, self.address = port, address
        self.log_in_as(login)
        self.tls = ssl.create_default_context()
        self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE

    def log_in_as(self, login):
        self.login = base64.b64encode(login.encode()).decode()

    def request(self, number):
        head = (f"POST /metrics/job/endurance/client/{number} HTTP/1.1\r\nHost: localhost\r\n"
                f"Authorization: Basic {self.login}\r\nContent-Length: {len(BODY)}\r\n\r\n")
        return head.encode() + BODY

    async def connect(self, source=None):
        return await asyncio.open_connection(
            self.address, self.port, ssl=self.tls, local_addr=source and (source, 0))


async def push(reader, writer, request):
    """Pushes once. Says the status and whether the connection may carry another request."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    fields = head.lower()
    length = int(fields.split(b"content-length:")[1].split(b"\r\n")[0])
    await reader.readexactly(length)
    return int(head.split()[1]), b"connection: close" not in fields


class Client:
    """Pushes until it is told to stop: on one connection as long as that is kept, or on a new one each time."""

    def __init__(self, target, tally, number, keeps, pause=0.0, source=None):
        self.target, self.tally, self.number, self.source = target, tally, number, source
        self.kind = "kept alive" if keeps else "on a new connection"
        self.keeps, self.pause = keeps, pause

    async def run(self, stop):
        connection = None
        while not stop.is_set():
            began = time.monotonic()
            try:
                connection = connection or await asyncio.wait_for(self.target.connect(self.source), 20)
                status, is_kept = await asyncio.wait_for(
                    push(*connection, self.target.request(self.number)), 60)
                if status != 200:
                    self.fail(f"status {status}")
                if not (is_kept and self.keeps):
                    connection = self.close(connection)
            except Exception as error:  # Every reason counts, whatever its kind.
                self.fail(f"{type(error).__name__} {error}"[:80])
                connection = self.close(connection)
            self.tally.pushes[self.kind] += 1
            self.tally.slowest = max(self.tally.slowest, time.monotonic() - began)
            if self.pause:
                await asyncio.sleep(self.pause)
        self.close(connection)

    def fail(self, reason):
        self.tally.failures[f"{self.kind}: {reason}"] += 1

    @staticmethod
    def close(connection):
        if connection:
            connection[1].transport.abort()


async def load(target, tally, stop, clients=128, pause=0.0, source=None):
    """Half of the clients keep their connection, half make a new one for each push."""
    await asyncio.gather(*(
        Client(target, tally, number, number % 2 == 0, pause, source).run(stop)
        for number in range(clients)))
