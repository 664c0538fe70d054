"""Small pushes that are ready in the same turn go out together on one connection, and are answered one after another:
what becomes of the others when one of them, or the Pushgateway, goes wrong."""

import re
import threading
import time
import urllib.request

from frames import Peer, post, reset
from gate import BODY, PATH, Pushgateway
from recorder import OK
from table import Does, Row
from wire import expect

# A turn, and so what goes out together, is one worker's.
SHORT = {"settings": "workers: 1\n", "upstream_settings": ", connect_timeout: 500ms, first_byte_timeout: 1s, timeout: 2s"}
STREAMS = (1, 3, 5, 7, 9)
LARGE = b"# " + b"x" * 5000 + b"\n" + BODY


def path(stream):
    return PATH + b"/stream/%d" % stream


class Lot:
    """Pushes of five streams in one record, once there is a connection for them, and what they are answered; `replies`
    are by stream what the Pushgateway says to each time it hears of it, the last one again and again."""

    def __init__(self, gate, replies=None, bodies=None):
        self.gate, self.replies, self.bodies = gate, replies or {}, bodies or {}
        self.heard = {stream: [] for stream in STREAMS}

    def __enter__(self):
        self.peer = Peer(self.gate).__enter__()
        self.gate.push_good()
        self.gate.recorder.reply = self.reply
        self.peer.say(*(post(stream=stream, path=path(stream), body=self.bodies.get(stream, BODY)) for stream in STREAMS))
        return self

    def __exit__(self, *reason):
        self.gate.recorder.reply = OK
        self.peer.__exit__(*reason)
        self.gate.push_good()

    def reply(self, connection, push):
        stream = int(push.path.rpartition(b"/")[2])
        replies = self.replies.get(stream, [OK])
        reply = replies[min(len(self.heard[stream]), len(replies) - 1)]
        self.heard[stream].append(connection)
        if callable(reply):
            reply = reply()
        if reply is None:
            return False
        connection.sendall(reply)
        return True

    def expect_statuses(self, **odd):
        for stream in STREAMS:
            self.peer.expect_status(odd.get(f"of_{stream}", 200), stream)

    def wait_until_heard_of(self, stream):
        end = time.monotonic() + 5
        while not self.heard[stream] and time.monotonic() < end:
            time.sleep(0.01)

    def times_heard(self):
        return [len(self.heard[stream]) for stream in STREAMS]

    def connections(self):
        return len({id(connection) for heard in self.heard.values() for connection in heard})


def answer(status, text=b""):
    return b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n%s" % (status, len(text), text)


def one_connection(gate):
    """They share a connection, each has the answer that is its own, and nobody is heard of twice."""
    with Lot(gate, {3: [answer(400, b"no")], 5: [answer(503)], 7: [answer(202)]}) as lot:
        lot.expect_statuses(of_3=400, of_5=503, of_7=202)
        expect(lot.connections() == 1 and lot.times_heard() == [1] * 5, f"{lot.connections()} {lot.times_heard()}")


def large_alone(gate):
    """A large one has a connection of its own, and keeps nobody waiting."""
    with Lot(gate, {5: [lambda: time.sleep(0.5) or OK]}, {5: LARGE}) as lot:
        for stream in (1, 3, 7, 9):
            lot.peer.expect_status(200, stream)
        expect(lot.peer.streams[5].status is None, "they waited for the large one")
        lot.expect_statuses()
        alone = [id(connection) for connection in lot.heard[5]]
        expect(all(id(connection) not in alone for stream in (1, 3, 7, 9) for connection in lot.heard[stream]), "not alone")


def closed_behind_first(gate):
    """The connection ends behind the first answer, announced or not: the others are sent once more."""
    for last in (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", OK):
        with Lot(gate, {1: [last], 3: [None, OK]}) as lot:
            lot.expect_statuses()
            expect(lot.times_heard()[0] == 1 and max(lot.times_heard()) <= 2, f"{lot.times_heard()}")


def closed_before_first(gate):
    """It ends before any answer: all are sent once more, each on its own, and the one to blame is told no alone."""
    with Lot(gate, {1: [None]}) as lot:
        lot.expect_statuses(of_1=502)
        expect(lot.times_heard() == [2, 1, 1, 1, 1], f"{lot.times_heard()}")


def cut_in_the_middle(gate):
    """An answer that ends in its middle is that one's loss."""
    with Lot(gate, {1: [OK], 3: [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nx"], 5: [None, OK]}) as lot:
        lot.expect_statuses(of_3=502)


def nonsense_first(gate):
    """An answer that makes no sense is nobody else's."""
    with Lot(gate, {3: [b"HTTP/1.1 2OO OK\r\n\r\n"]}) as lot:
        lot.expect_statuses(of_3=502)


def too_many_answers(gate):
    """More answers than requests: each has its own, and the connection is not used again."""
    with Lot(gate, {9: [OK + answer(400)]}) as lot:
        lot.expect_statuses()
        used = lot.heard[9][0]
    gate.recorder.reply = OK
    expect(gate.recorder.connections[-1] is used, "it was not the last one heard of")
    with Lot(gate) as lot:
        lot.expect_statuses()
        expect(lot.heard[1][0] is not used, "the connection is used again")


def silent(gate):
    """One that is not answered in time ends the wait of those behind it too; each is told that it may be stored."""
    with Lot(gate, {3: [lambda: time.sleep(2.5)]}) as lot:
        lot.peer.expect_status(200, 1)
        for stream in STREAMS[1:]:
            expect("may have been stored" in str(lot.peer.expect_status(504, stream).body), "not told")


class HeldBack:
    """An answer that does not come before it is let go."""

    def __init__(self, answer):
        self.answer, self.go = answer, threading.Event()

    def __call__(self):
        self.go.wait(5)
        return self.answer


def taken_back(gate):
    """Who takes a request back, first or last, on its way or before, takes no other's answer."""
    for gone in ((1,), (9,), (1, 3, 5, 7)):
        first = HeldBack(answer(400))
        with Lot(gate, {1: [first]}) as lot:
            lot.wait_until_heard_of(1)
            lot.peer.say(*(reset(stream) for stream in gone))
            lot.peer.expect_alive()
            first.go.set()
            for stream in STREAMS:
                if stream not in gone:
                    lot.peer.expect_status(400 if stream == 1 else 200, stream)
            expect(lot.times_heard() == [1] * 5, f"{lot.times_heard()}")


def all_taken_back(gate):
    """When nobody waits any more, the connection is of no more use."""
    first = HeldBack(OK)
    with Lot(gate, {1: [first]}) as lot:
        lot.wait_until_heard_of(1)
        lot.peer.say(*map(reset, STREAMS))
        lot.peer.expect_alive()
        first.go.set()
        used = lot.heard[1][0]
    with Lot(gate) as lot:
        lot.expect_statuses()
        expect(lot.heard[1][0] is not used, "the connection is used again")


def stored_as_pushed(gate):
    """What goes out together to a real Pushgateway is stored group by group as it was pushed, the last push of each."""
    pushed = {}
    with Peer(gate) as peer:
        for round in range(20):
            streams = range(1 + 40 * round, 41 + 40 * round, 2)
            for stream in streams:
                pushed[f"lot{stream % 40}"] = stream
            peer.say(*(post(stream=stream, path=b"/metrics/job/lot%d" % (stream % 40), body=b"lot %d\n" % stream)
                       for stream in streams))
            for stream in streams:
                peer.expect_status(200, stream)
    with urllib.request.urlopen(f"http://127.0.0.1:{gate.recorder.port}/metrics", timeout=5) as answer:
        page = answer.read().decode()
    stored = {job: int(value) for job, value in re.findall(r'^lot\{instance="",job="(lot\d+)"\} (\d+)$', page, re.M)}
    expect(stored == pushed, f"{stored} {pushed}")


ROWS = [
    Row("J032", "what goes out together is stored as it was pushed", Does("200"), stored_as_pushed,
        gate={**SHORT, "upstream": Pushgateway}),
    Row("J032", "small pushes of one turn share a connection", Does("200"), one_connection, gate=SHORT),
    Row("J032", "a large one beside them", Does("200"), large_alone, gate=SHORT),
    Row("J032", "closed behind the first of several answers", Does("200"), closed_behind_first, gate=SHORT),
    Row("J032", "closed before the first of several answers", Does("200, 502"), closed_before_first, gate=SHORT),
    Row("J032", "one of several answers cut", Does("200, 502"), cut_in_the_middle, gate=SHORT),
    Row("J032", "one of several answers makes no sense", Does("200, 502"), nonsense_first, gate=SHORT),
    Row("J032", "more answers than requests", Does("200"), too_many_answers, gate=SHORT),
    Row("J032", "one of several answers does not come", Does("504"), silent, gate=SHORT),
    Row("J032", "one of several taken back", Does("200"), taken_back, gate=SHORT),
    Row("J032", "all of several taken back", Does("200"), all_taken_back, gate=SHORT),
]
