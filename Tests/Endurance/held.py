#!/usr/bin/env python3
"""What a connection costs that only waits, and whether thousands of them are in anybody's way.

  Tests/Endurance/held.py [MEASURED] [HELD]

Opens MEASURED idle TLS 1.3 connections, each of which has pushed once, at Kanmon and at nginx with the same
certificate, over HTTP/1.1 and over HTTP/2, and prints what each adds to the process. Then holds HELD
connections from many addresses of the loopback at Kanmon, while a client pushes. Ends with 1 when a connection
costs more than 14 KiB, over HTTP/2 more than 24 KiB, a push fails, or one of those held is gone.

Needs: a release build (make build), prometheus-pushgateway, nginx, 20,000 descriptors. Loopback only."""

import pathlib
import resource
import socket
import sys
import time

import clients
import proxies

KIB_MAX = {"http/1.1": 14.0, "h2": 24.0}
# The gate's default is 256 for each address.
PER_ADDRESS = 200
SETTINGS = "limits: {connections_max: 12000, connections_per_address_max: 100000, idle_timeout: 10m}\n"
HOLDING = "limits: {connections_max: 12000, idle_timeout: 10m}\n"


def anonymous_kib(pid):
    """The memory that is the process's own: without the pages of programs and libraries."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0])


def connect(target, source="127.0.0.1"):
    plain = socket.create_connection((target.address, target.port), 20, (source, 0))
    return target.tls.wrap_socket(plain, server_hostname="localhost")


def push_frames(connection, request):
    """The same push in HTTP/2 (RFC 9113): fields as literals that nobody remembers, then the body."""
    head, body = request.split(b"\r\n\r\n", 1)
    line, *fields = head.split(b"\r\n")
    method, path, _ = line.split(b" ")
    pairs = [(b":method", method), (b":scheme", b"https"), (b":path", path), (b":authority", b"localhost")]
    pairs += [tuple(field.split(b": ", 1)) for field in fields if not field.startswith(b"Host")]
    block = b"".join(b"\x10" + bytes([len(name)]) + name.lower() + bytes([len(value)]) + value for name, value in pairs)
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 4, 1, block)
                       + frame(0, 1, 1, body) + frame(4, 1, 0, b""))
    received = b""
    while True:
        piece = connection.recv(16384)
        if not piece:
            return 0
        received += piece
        rest = received
        while len(rest) >= 9 and len(rest) >= 9 + int.from_bytes(rest[:3], "big"):
            length, kind, flags = int.from_bytes(rest[:3], "big"), rest[3], rest[4]
            # 200 is the eighth entry of HPACK's static table, and the first field of an answer; before it
            # may stand how large the table is.
            if kind == 1:
                status = 200 if 0x88 in rest[9:13] else 500
            if kind in (0, 1) and flags & 1:
                return status
            rest = rest[9 + length:]


def frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def push(connection, request):
    if connection.selected_alpn_protocol() == "h2":
        return push_frames(connection, request)
    connection.sendall(request)
    answer = b""
    while b"\r\n\r\n" not in answer:
        piece = connection.recv(4096)
        if not piece:
            return 0
        answer += piece
    return int(answer.split()[1])


def idle(target, count):
    """Connections that have each pushed once."""
    request, connections = target.request(0), []
    for _ in range(count):
        connections.append(connect(target))
        if push(connections[-1], request) != 200:
            raise SystemExit("a push was refused")
    return connections


def cost(proxy, count, protocol):
    """KiB of each of `count` idle connections, beside a process that has some already."""
    target = clients.Target(proxy.port)
    target.tls.set_alpn_protocols([protocol])
    earlier = idle(target, 500)
    time.sleep(12)
    before = anonymous_kib(proxy.worker())
    connections = idle(target, count)
    # After write_timeout it is known that every answer was taken.
    time.sleep(12)
    after = anonymous_kib(proxy.worker())
    for connection in earlier + connections:
        connection.close()
    return (after - before) / count


def p99(seconds):
    return sorted(seconds)[len(seconds) * 99 // 100] * 1000


def timed(target, count):
    """The times of `count` pushes on one connection, and how many of them failed."""
    connection, times, failed = connect(target), [], 0
    for _ in range(count):
        began = time.monotonic()
        failed += push(connection, target.request(0)) != 200
        times.append(time.monotonic() - began)
    connection.close()
    return times, failed


def is_open(connection):
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except OSError:
        return True


def hold(proxy, count):
    """Pushes in the calm, and beside `count` connections that wait; True when all is well."""
    target = clients.Target(proxy.port)
    calm, _ = timed(target, 2000)
    before, connections = anonymous_kib(proxy.worker()), []
    for number in range(count):
        source = f"127.0.{1 + number // PER_ADDRESS // 250}.{1 + number // PER_ADDRESS % 250}"
        connections.append(connect(target, source))
        if push(connections[-1], target.request(0)) != 200:
            raise SystemExit(f"connection {number}: its push was refused")
    beside, failed = timed(target, 2000)
    after, still = anonymous_kib(proxy.worker()), sum(map(is_open, connections))
    print(f"{still} of {count} held, {(after - before) / 1024:.0f} MiB; pushes beside them: {failed} of "
          f"{len(beside)} failed, p99 {p99(beside):.2f} ms, in the calm {p99(calm):.2f} ms", flush=True)
    return still == count and failed == 0


def main():
    measured = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    held = int(sys.argv[2]) if len(sys.argv) > 2 else 10000
    resource.setrlimit(resource.RLIMIT_NOFILE, [resource.getrlimit(resource.RLIMIT_NOFILE)[1]] * 2)
    good = True
    with proxies.Pushgateway() as upstream:
        for protocol, most in KIB_MAX.items():
            for make in [lambda: proxies.Kanmon(upstream, SETTINGS), lambda: proxies.Nginx(upstream, 20000)]:
                with make() as proxy:
                    kib = cost(proxy, measured, protocol)
                    good = good and (proxy.name != "kanmon" or kib <= most)
                    print(f"{proxy.name}: {kib:.2f} KiB for each of {measured} idle connections of {protocol}",
                          flush=True)
        with proxies.Kanmon(upstream, HOLDING) as proxy:
            good = hold(proxy, held) and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
