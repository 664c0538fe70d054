"""D: clients that are slow, many, or both."""

import socket
import ssl
import threading
import time

from gate import BODY, GOOD, login, push, request
from hello import hello
from recorder import OK
from table import Does, Elsewhere, NotHere, Row, expect_forwarded
from wire import expect

TIMES = ("handshake_timeout: 2s, head_timeout: 1s, body_timeout: 3s, body_rate_min: {bytes_per_second: 100, after: 1s}, "
         "idle_timeout: 2s, write_timeout: 1s")
SHORT = {"settings": f"limits: {{{TIMES}, connections_per_address_max: 2000}}\n"}
PLAIN_BODY_TIME = {"settings": "limits: {body_timeout: 2s, body_rate_min: {bytes_per_second: 1, after: 1s}}\n"}


def limited(**limits):
    return {"settings": "limits: {%s}\n" % ", ".join(f"{name}: {value}" for name, value in limits.items())}


class Watch:
    """How long something takes."""

    def __init__(self):
        self.began = time.monotonic()

    def expect_between(self, least, most, what):
        took = time.monotonic() - self.began
        expect(least <= took <= most, f"{what} after {took:.1f} s, not {least} to {most}")


def drip(gate, count, opening, piece, pause, status, most):
    """So many clients send a piece each pause; each is told why and cut in time, and good pushes go on."""
    connections = []
    for _ in range(count):
        connections.append(gate.connect())
        connections[-1].send(opening)
    end = time.monotonic() + most
    waiting = dict.fromkeys(connections)
    while waiting and time.monotonic() < end:
        for connection in list(waiting):
            try:
                connection.send(piece)
            except (OSError, ssl.SSLError):
                pass
            connection.socket.setblocking(False)
            try:
                data = connection.socket.recv(1, socket.MSG_PEEK)
                waiting.pop(connection)
            except BlockingIOError:
                continue
            except OSError:
                waiting.pop(connection)
        gate.push_good()
        time.sleep(pause)
    expect(not waiting, f"{len(waiting)} of {count} still drip after {most} s")
    for connection in connections:
        answer = connection.answer(3)
        expect(answer is not None and answer.status == status and answer.closes, f"{answer and answer.status}")
        connection.socket.close()


def slow_heads(gate):
    drip(gate, 200, b"POST /metrics/job/attack HTTP/1.1\r\nX: ", b"x", 0.1, 408, 4)


def slow_bodies(gate):
    before = len(gate.recorder.pushes)
    drip(gate, 50, request(b"Content-Length: 100000"), b"#", 0.2, 408, 5)
    drip(gate, 50, request(b"Transfer-Encoding: chunked"), b"1\r\n#\r\n", 0.2, 408, 5)
    expect_forwarded(gate, before, [])


def slow_whole_bodies(gate):
    """Fast enough for the least pace, and still over at the time for the whole."""
    drip(gate, 20, request(b"Content-Length: 100000"), b"#" * 100, 0.1, 408, 5)


def never_reads(gate):
    """Who takes nothing of his answers is gone when the time to write is over, and parsing stops long before."""
    before = len(gate.recorder.pushes)
    with gate.connect(receive_buffer=1024) as connection:
        data = push() * 30_000

        def send():
            try:
                for start in range(0, len(data), 8000):
                    connection.send(data[start:start + 8000])
            except (OSError, ssl.SSLError):
                pass
        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        sender.join(15)
        expect(not sender.is_alive(), "still taken in")
    forwarded = len(gate.recorder.pushes) - before
    expect(forwarded < 30_000, f"{forwarded} pushes though no answer was read")


def hoarders(gate):
    """Hundreds that connect and do nothing more: others are served, each is gone at its time, little is held."""
    before = gate.resident_bytes()
    connections = [gate.connect(source=f"127.0.1.{number % 250 + 1}") for number in range(300)]
    for connection in connections[:150]:
        connection.send(push(path=GOOD))
    for connection in connections[:150]:
        expect(connection.answer().status == 200, "a hoarder's own push")
    each = (gate.resident_bytes() - before) / 300
    gate.push_good()
    for connection in connections:
        expect(connection.is_closed(15), "held for longer than its time")
        connection.socket.close()
    expect(each < 40_000, f"{each:.0f} bytes for each")


def first_request_is_due(gate):
    """Idle from the start ends at the time of a head, idle behind a request at the time to idle."""
    with gate.connect() as used:
        used.send(push(path=GOOD))
        expect(used.answer().status == 200, "the first")
        watch = Watch()
        fresh = gate.connect()
        answer = fresh.answer(4)
        expect(answer is None or answer.status == 408, "an answer to nothing")
        watch.expect_between(0.5, 2.2, "the fresh one ends")
        fresh.socket.close()
        expect(used.is_closed(4), "held")
        watch.expect_between(1.5, 4, "the used one ends")


def empty_lines(gate):
    """Empty lines between requests do not make the time to idle anew."""
    with gate.connect() as connection:
        connection.send(push(path=GOOD))
        expect(connection.answer().status == 200, "the first")
        watch = Watch()
        for _ in range(2):
            time.sleep(0.5)
            try:
                connection.send(b"\r\n")
            except OSError:
                break
        answer = connection.answer(5)
        expect(answer is None or answer.status in (400, 408), "an answer to nothing")
        watch.expect_between(0.5, 4, "the end")


def address_limit(gate):
    """At the limit of an address one that never logged in gives way; those that have, and who comes, are served."""
    known = gate.connect()
    known.send(push(path=GOOD))
    expect(known.answer().status == 200, "the first")
    strangers = [gate.connect() for _ in range(4)]
    extra = gate.connect()
    left = [stranger for stranger in strangers if not stranger.is_closed(0.5)]
    expect(len(left) == 3, f"{len(left)} of 4 strangers are left")
    for connection in (known, extra, *left):
        connection.send(push(path=GOOD))
        expect(connection.answer().status == 200, "who may stay is not served")
    expect(gate.ask(push(path=GOOD), source="127.0.1.4").status == 200, "another address suffers")
    for connection in (known, extra, *strangers):
        connection.socket.close()
    time.sleep(0.5)


def gate_limit(gate):
    """When the gate is full who knocks waits in the kernel, and is served as soon as somebody goes."""
    held = [gate.connect(source=f"127.0.1.{number}") for number in range(1, 11)]
    waiting = gate.connect(source="127.0.1.99", shakes=False)
    done = threading.Event()

    def wait():
        waiting.shake_hands()
        waiting.send(push(path=GOOD))
        if waiting.answer().status == 200:
            done.set()
    waiter = threading.Thread(target=wait, daemon=True)
    waiter.start()
    expect(not done.wait(0.5), "let in though the gate is full")
    for connection in held:
        connection.socket.close()
    expect(done.wait(5), "not served when there is room")
    waiting.socket.close()


def handshake_limit(gate):
    """At the limit the handshake that has taken longest gives way."""
    halves = []
    for number in range(8):
        half = socket.create_connection(("127.0.0.1", gate.port), timeout=3)
        half.sendall(hello()[:20])
        halves.append(half)
        time.sleep(0.05)
    # They go through four at a time, each with its second.
    gate.push_good(seconds=4)
    gone = 0
    for half in halves[:4]:
        try:
            gone += half.recv(1) == b""
        except ConnectionError:
            gone += 1
        except TimeoutError:
            pass
    expect(gone >= 3, f"{gone} of the oldest gave way")
    for half in halves:
        half.close()


def storm(gate):
    """Thousands of connections that are reset at once: no spinning, no descriptor lost."""
    def knock():
        for _ in range(500):
            peer = socket.socket()
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            peer.bind(("127.0.1.8", 0))
            peer.setblocking(False)
            peer.connect_ex(("127.0.0.1", gate.port))
            peer.close()
    knockers = [threading.Thread(target=knock) for _ in range(4)]
    for knocker in knockers:
        knocker.start()
    for knocker in knockers:
        knocker.join()
    gate.push_good(seconds=5)
    time.sleep(0.5)
    before = gate.processor_seconds()
    time.sleep(0.5)
    expect(gate.processor_seconds() - before < 0.2, "the gate is busy with nobody")


def crowd(gate):
    """400 that knock at the same moment are all served."""
    connections = [gate.connect(source=f"127.0.1.{number % 250 + 1}", shakes=False) for number in range(400)]
    for connection in connections:
        connection.shake_hands(seconds=20)
        connection.send(push(path=GOOD))
    for connection in connections:
        expect(connection.answer(20).status == 200, "somebody is not served")
        connection.socket.close()


def partial_record(gate):
    for opening in (b"\x16", b"\x16\x03\x01", b"\x16\x03\x01\x02"):
        with socket.create_connection(("127.0.0.1", gate.port), timeout=5) as connection:
            connection.sendall(opening)
            watch = Watch()
            try:
                expect(len(connection.recv(100)) < 20, "an answer to nothing")
            except ConnectionError:
                pass
            watch.expect_between(1, 4, "the end of a part of a record")
    with gate.connect() as connection:
        connection.tls.write(push())
        connection.send_raw(connection.outgoing.read()[:4])
        watch = Watch()
        expect(connection.is_closed(5), "held")
        watch.expect_between(0.5, 4, "the end of a part of a record")


def gone_while_checked(gate):
    """Clients that go while their password is waited for: nobody's password is checked."""
    for number in range(100):
        connection = gate.connect(source=f"127.0.1.{number + 1}")
        connection.send(push(auth=login(f"nobody{number}", "x")))
        connection.reset()
    end = time.monotonic() + 5
    while gate.metric("kanmon_password_queue_length") and time.monotonic() < end:
        time.sleep(0.1)
    expect(gate.metric("kanmon_password_queue_length") == 0, "a queue for nobody")


def gone_while_forwarded(gate):
    gate.recorder.reply = lambda connection, _: time.sleep(0.2) or connection.sendall(OK) or True
    for _ in range(20):
        connection = gate.connect()
        connection.send(push())
        time.sleep(0.01)
        connection.reset()
    gate.recorder.reply = OK
    expect(gate.ask(push()).status == 200, "the next push")


def unanswered_goodbye(gate):
    """Who never answers the gate's goodbye is gone two seconds later."""
    connections = [gate.connect() for _ in range(50)]
    for connection in connections:
        connection.send(push(b"Connection: close", path=GOOD))
        expect(connection.answer().status == 200, "the push")
    before = gate.count_descriptors()
    time.sleep(3)
    expect(before - gate.count_descriptors() >= 45, f"{gate.count_descriptors()} of {before} descriptors are still there")
    for connection in connections:
        connection.socket.close()


def pipelined(gate):
    """A thousand pushes in advance, no answer read: only some are taken on, then what is read is whole."""
    gate.recorder.reply = lambda connection, _: time.sleep(0.005) or connection.sendall(OK) or True
    before = len(gate.recorder.pushes)
    with gate.connect() as connection:
        connection.send(push() * 200)
        memory = gate.resident_bytes()
        for number in range(200):
            expect(connection.answer().status == 200, f"answer {number}")
        expect(gate.resident_bytes() - memory < 8 << 20, "memory")
    gate.recorder.reply = OK
    expect_forwarded(gate, before, [BODY] * 200)


def tiny_records(gate):
    """A body in records of one byte each is as slow as its bytes, not as its records."""
    with gate.connect() as connection:
        connection.send(request(b"Content-Length: 100000"))
        end = time.monotonic() + 5
        try:
            while time.monotonic() < end:
                connection.send(b"#")
                time.sleep(0.02)
        except (OSError, ssl.SSLError):
            pass
        answer = connection.answer(3)
        expect(answer.status == 408, f"{answer.status}")


def greedy(gate):
    """One that pipelines without end delays nobody."""
    stop = threading.Event()

    def run():
        with gate.connect(source="127.0.1.5") as connection:
            while not stop.is_set():
                connection.send(push() * 32)
                for _ in range(32):
                    connection.answer()
    greedy_ones = [threading.Thread(target=run, daemon=True) for _ in range(2)]
    for thread in greedy_ones:
        thread.start()
    times = []
    try:
        with gate.connect() as connection:
            for _ in range(100):
                began = time.monotonic()
                connection.send(push(path=GOOD))
                expect(connection.answer().status == 200, "not served")
                times.append(time.monotonic() - began)
    finally:
        stop.set()
        for thread in greedy_ones:
            thread.join(10)
    expect(sorted(times)[90] < 0.5, f"p90 {sorted(times)[90]:.2f} s")


ROWS = [
    Row("D001", "200 heads, a byte at a time", Does("cut"), slow_heads, gate=SHORT),
    Elsewhere("D002", "a head that comes just in time for every single read", "a head that drips in does not move its deadline"),
    Row("D003", "bodies a byte at a time, by length and in chunks", Does("cut"), slow_bodies, gate=SHORT),
    Row("D004", "bodies that are fast enough and never end", Does("cut"), slow_whole_bodies, gate=PLAIN_BODY_TIME),
    Elsewhere("D005", "HTTP/2 data a byte at a time (B033)", "Tests/Attacks/family_b.py"),
    Row("D006", "who never reads his answers", Does("cut"), never_reads, gate=SHORT),
    Elsewhere("D007", "a window of HTTP/2 that stays shut (B069)", "Tests/Attacks/family_b.py"),
    Row("D008", "hundreds of connections held", Does("cut"), hoarders, gate=limited(head_timeout="10s", idle_timeout="8s")),
    Row("D009", "nothing behind the handshake", Does("cut"), first_request_is_due, gate=SHORT),
    Row("D010", "empty lines between requests", Does("cut"), empty_lines, gate=SHORT),
    Row("D011", "an address at its limit", Does("cut"), address_limit, gate=limited(connections_per_address_max=5)),
    Row("D012", "a gate at its limit", Does("waits"), gate_limit,
        gate=limited(connections_max=10, connections_per_address_max=10)),
    Row("D013", "handshakes at their limit", Does("cut"), handshake_limit, gate=limited(handshakes_max=4)),
    Row("D014", "connections that are reset before they are accepted", Does("unharmed"), storm),
    Row("D015", "a crowd at the door", Does("served"), crowd),
    Row("D016", "a part of a record's header", Does("cut"), partial_record, gate=SHORT),
    NotHere("D017", "a peer whose network is gone", "needs a network that loses packets; the times of D001 to D010 count "
            "without a packet from the peer"),
    NotHere("D018", "a window that is zero for ever", "the same to the gate as who never reads (D006)"),
    Row("D019", "gone while the password is checked", Does("forgotten"), gone_while_checked, gate={"cost": 10}),
    Row("D020", "gone while the Pushgateway is waited for", Does("forgotten"), gone_while_forwarded),
    Row("D021", "a goodbye that is never answered", Does("cut"), unanswered_goodbye),
    Elsewhere("D022", "many times to keep", "a deadline comes when it is due, and not before"),
    Row("D023", "pushes in advance without end", Does("bounded"), pipelined),
    Row("D024", "a body in records of one byte", Does("cut"), tiny_records, gate=SHORT),
    Row("D025", "a greedy one beside others", Does("served"), greedy),
    NotHere("D026", "a network with loss and long ways", "needs a network made for it; the least pace is 1 KiB/s, a hundredth "
            "of such a network's"),
]
