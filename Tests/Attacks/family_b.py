"""B: HTTP/2 and HPACK."""

import random
import signal
import struct
import time

from frames import (ACK, COMPRESSION_ERROR, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR,
                    FRAME_SIZE_ERROR, GOAWAY, HEADERS, NO_ERROR, PADDED, PING, PREFACE, PRIORITY,
                    PROTOCOL_ERROR, PUSH_PROMISE, RESET, SETTINGS, SETTINGS_TIMEOUT, STREAM_CLOSED, WINDOW_UPDATE, Client, Stream,
                    block, data, field, frame, headers, integer, request_fields)
from gate import BODY, GOOD, Gate, login
from table import Does, Elsewhere, NotHere, Row, expect_forwarded
from wire import expect

PUSH = headers() + data(BODY)
QUICK = {"settings": "limits: {head_timeout: 1s, body_timeout: 2s, body_rate_min: {bytes_per_second: 100, after: 1s}, "
                     "idle_timeout: 2s, write_timeout: 1s}\n"}


def update(count, stream=0):
    return frame(WINDOW_UPDATE, stream=stream, payload=struct.pack(">I", count))


def setting(*pairs):
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", *pair) for pair in pairs))


def reset(stream, code=8):
    return frame(RESET, stream=stream, payload=struct.pack(">I", code))


class Ended:
    """The whole connection: GOAWAY with one of these codes, or with none of them demanded, then the end."""

    word = "ended"

    def __init__(self, *codes):
        self.codes = codes

    def check(self, gate, attempt):
        before = len(gate.recorder.pushes)
        with Client(gate.port) as client:
            client.send(attempt)
            expect(client.listen(lambda: client.away not in (None, NO_ERROR) or client.is_gone), "it goes on")
            expect(client.away is None or not self.codes or client.away in self.codes,
                   f"GOAWAY {client.away}, not {self.codes}")
            expect(client.listen(lambda: client.is_gone, 4), "GOAWAY, and it goes on")
        expect_forwarded(gate, before, [])


class Refused:
    """The stream, by RST_STREAM or a status, or the connection with it; nothing is forwarded."""

    word = "refused"

    def __init__(self, *statuses, stream=1):
        self.statuses, self.stream = statuses or (400,), stream

    def check(self, gate, attempt):
        before = len(gate.recorder.pushes)
        with Client(gate.port) as client:
            client.send(attempt)
            found = client.outcome(self.stream)
            expect(found.reset is not None or client.away is not None or client.is_gone or found.status in self.statuses,
                   f"status {found.status} {found.body}")
            expect(found.status is None or found.status in self.statuses, f"status {found.status}")
        expect_forwarded(gate, before, [])


class Accepted:
    """Each of these streams is answered 200, and forwarded."""

    word = "accepted"

    def __init__(self, *streams):
        self.streams = streams or (1,)

    def check(self, gate, attempt):
        before = len(gate.recorder.pushes)
        with Client(gate.port) as client:
            client.send(attempt)
            for number in self.streams:
                found = client.outcome(number)
                expect(found.status == 200, f"stream {number}: {found.status} {found.body} {found.reset} {client.away}")
        expect_forwarded(gate, before, [BODY] * len(self.streams))


calm = Ended(ENHANCE_YOUR_CALM, PROTOCOL_ERROR)
broken = Ended(PROTOCOL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR, FLOW_CONTROL_ERROR, COMPRESSION_ERROR)
refused = Refused()


def with_fields(*pairs, **others):
    return headers(others=pairs, **others) + data(BODY)


def flood(piece, count=20_000, codes=(ENHANCE_YOUR_CALM, PROTOCOL_ERROR, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, STREAM_CLOSED), opening=b""):
    """A piece again and again, by its number, until the connection ends: it has to, and the gate stays small."""
    def tried(gate):
        memory = gate.resident_bytes()
        with Client(gate.port) as client:
            client.send(opening)
            for start in range(0, count, 200):
                if client.is_gone:
                    break
                client.send(b"".join(piece(number) for number in range(start, start + 200)))
            expect(client.listen(lambda: client.is_gone), f"{count} of them, and it goes on")
            expect(client.away is None or client.away in codes, f"GOAWAY {client.away}")
        expect(gate.resident_bytes() - memory < 8 << 20, f"{gate.resident_bytes() - memory} bytes more")
    return tried


def rapid_reset(number):
    return headers(2 * number + 1, fields=request_fields()) + reset(2 * number + 1)


def made_you_reset(fault):
    """Streams that the gate has to take back, each because of an error of ours."""
    return flood(lambda number: headers(2 * number + 1) + fault(2 * number + 1), count=2000)


def bomb(gate):
    """An entry of 4 KiB in the table, and thousands of references to it, a byte each."""
    memory = gate.resident_bytes()
    with Client(gate.port) as client:
        entry = field(b"x", b"y" * 4000, 0x40)
        client.send(headers(payload=block(*request_fields()) + entry + b"\xbe" * 10_000, flags=END_HEADERS | END_STREAM))
        found = client.outcome(1)
        expect(client.away is not None or client.is_gone or found.reset is not None or found.status == 431, f"{found.status}")
    expect(gate.resident_bytes() - memory < 2 << 20, f"{gate.resident_bytes() - memory} bytes more")


def silence_within(opening, most=6):
    """What is begun and not finished ends at its time."""
    def tried(gate):
        with Client(gate.port, acknowledges=False) as client:
            client.send(opening)
            began = time.monotonic()
            found = client.outcome(1, most)
            expect(client.is_gone or client.away is not None or found.reset is not None or found.status == 408,
                   f"still there after {most} s")
            expect(time.monotonic() - began > 0.3, "gone at once")
    return tried


def interleaved(gate):
    """32 bodies whose pieces come in any order: each is judged by itself, and is whole."""
    chance = random.Random(80)
    bodies = {2 * number + 1: b"# TYPE attack gauge\n" + b'attack{n="%d"} 1\n' % number * 1 for number in range(32)}
    before = len(gate.recorder.pushes)
    with Client(gate.port) as client:
        for stream in bodies:
            client.send(headers(stream, path=b"/metrics/job/attack/n/%d" % stream, fields=None))
        left = {stream: list(body[index:index + 5] for index in range(0, len(body), 5)) for stream, body in bodies.items()}
        while left:
            stream = chance.choice(list(left))
            piece = left[stream].pop(0)
            client.send(data(piece, stream, 0 if left[stream] else END_STREAM))
            if not left[stream]:
                del left[stream]
        for stream in bodies:
            found = client.outcome(stream)
            expect(found.status in (200, 400), f"stream {stream}: {found.status} {found.body}")
    for push in gate.recorder.pushes[before:]:
        expect(push.body in bodies.values(), f"bodies ran into each other: {push.body}")


def too_many(gate):
    """One stream more than may be is refused; those that are there are served."""
    with Client(gate.port) as client:
        for number in range(40):
            client.send(headers(2 * number + 1))
        client.listen(lambda: client.count(RESET) >= 8 or client.is_gone, 3)
        expect(client.count(RESET) == 8, f"{client.count(RESET)} of 40 were refused, not 8")
        client.send(data(BODY, 1))
        expect(client.outcome(1).status == 200, "a stream that may be")


def each_by_itself(gate):
    """A stream without a login is not let in by the login of its sibling."""
    with Client(gate.port) as client:
        client.send(headers(1, path=GOOD) + data(BODY, 1) + headers(3, auth=None) + data(BODY, 3)
                    + headers(5, auth=login("good", "x")) + data(BODY, 5))
        expect([client.outcome(number).status for number in (1, 3, 5)] == [200, 401, 401], "who is let in")


def early_answers(*statuses_and_streams):
    """An answer before the body is over, and the connection is good for more."""
    def tried(gate):
        for status, opening in statuses_and_streams:
            with Client(gate.port) as client:
                client.send(opening)
                found = client.outcome(1)
                expect(found.status == status, f"{found.status}, not {status}")
                client.send(headers(3, path=GOOD) + data(BODY, 3))
                expect(client.outcome(3).status == 200, f"after {status} the connection is of no use")
    return tried


def windows_come_back(gate):
    """Bodies that are cut off give back what of the window they took."""
    with Client(gate.port) as client:
        for number in range(40):
            stream = 2 * number + 1
            client.send(headers(stream) + data(b"#" * 16_000, stream, 0) + reset(stream))
            client.listen(lambda: client.is_gone, 0.02)
        client.send(headers(1001, path=GOOD) + data(b"#" * 14_000 + b"\n", 1001, 0) + data(BODY, 1001))
        expect(client.outcome(1001).status == 200, "no window is left")


def never_read(gate):
    """Who opens no window for his answer is let go."""
    with Client(gate.port, settings=struct.pack(">HI", 4, 0)) as client:
        client.send(headers(1, auth=None) + data(BODY))
        began = time.monotonic()
        client.listen(lambda: client.is_gone or client.away is not None or client.streams.get(1) and client.streams[1].is_over, 6)
        expect(client.is_gone or client.away is not None or client.streams[1].is_over, "held")
        expect(time.monotonic() - began < 6, "held for long")


def small_window(gate):
    """An answer through a window of one byte arrives."""
    with Client(gate.port, settings=struct.pack(">HI", 4, 1)) as client:
        client.send(headers(1, path=GOOD) + data(BODY))
        for _ in range(200):
            client.listen(lambda: 1 in client.streams and client.streams[1].is_over, 0.02)
            if 1 in client.streams and client.streams[1].is_over:
                break
            client.send(update(1, 1))
        expect(client.outcome(1).status == 200 and b"accepted" in client.outcome(1).body, "the answer never came")


def pings(gate):
    """PINGs do not make the time to idle anew."""
    with Client(gate.port) as client:
        client.send(headers(1, path=GOOD) + data(BODY))
        expect(client.outcome(1).status == 200, "the first")
        end = time.monotonic() + 6
        while not client.is_gone and time.monotonic() < end:
            client.send(frame(PING, payload=bytes(8)))
            client.listen(lambda: client.is_gone, 0.5)
        expect(client.is_gone, "kept alive by PING")


def preface(*openings):
    def tried(gate):
        for opening in openings:
            with Client(gate.port, opening=opening) as client:
                expect(client.listen(lambda: client.is_gone, 5), f"{opening[:30]!r} goes on")
                expect(not any(stream.status for stream in client.streams.values()), "an answer")
    return tried


def byte_by_byte(gate):
    """A push in records of one byte each is the same push."""
    before = len(gate.recorder.pushes)
    with Client(gate.port) as client:
        client.send_pieces([bytes([byte]) for byte in frame(PING, payload=bytes(8)) + PUSH])
        expect(client.outcome(1).status == 200, "another verdict")
    expect_forwarded(gate, before, [BODY])


def heads_in_pieces(gate):
    """A head whose first part comes behind another request, its rest alone, at every place it can be cut."""
    second = headers(3, path=GOOD) + data(BODY, 3)
    for place in range(1, len(second), 7):
        # An acknowledgement in the middle of a frame would be a part of it.
        with Client(gate.port, acknowledges=False) as client:
            client.send(headers(1, path=GOOD) + data(BODY, 1) + second[:place])
            expect(client.outcome(1).status == 200, "the first request")
            client.send(second[place:])
            expect(client.outcome(3).status == 200, f"cut after {place}: {client.outcome(3).status}")


def heads_of_two(gate):
    """Heads of two clients that come in turns, piece by piece: neither gets what the other one has said."""
    before = len(gate.recorder.pushes)
    good, stranger = headers(1) + data(BODY), headers(1, auth=None, path=b"/metrics/job/stranger") + data(BODY)
    for size in (1, 7, 40):
        pairs = [(Client(gate.port), Client(gate.port)) for _ in range(4)]
        for start in range(0, max(len(good), len(stranger)), size):
            for first, second in pairs:
                first.send(good[start:start + size] or b"")
                second.send(stranger[start:start + size] or b"")
        for first, second in pairs:
            expect((first.outcome().status, second.outcome().status) == (200, 401), "heads ran into each other: "
                   f"{first.outcome().status}, {second.outcome().status}")
            first.socket.close()
            second.socket.close()
    expect_forwarded(gate, before, [BODY] * 12)


def never_acknowledged(gate):
    """Who never takes note of our settings is let go, whatever else he does."""
    with Client(gate.port, acknowledges=False) as client:
        end = time.monotonic() + 14
        number = 1
        while not client.is_gone and client.away is None and time.monotonic() < end:
            client.send(headers(number, path=GOOD) + data(BODY, number))
            client.listen(lambda: client.is_gone, 0.4)
            number += 2
        expect(client.away in (SETTINGS_TIMEOUT, None) and (client.is_gone or client.away), "still there")


def bodies_before_settings(gate):
    before = len(gate.recorder.pushes)
    with Client(gate.port, acknowledges=False) as client:
        client.send(PUSH)
        expect(client.outcome().status == 200, "not served")
    expect_forwarded(gate, before, [BODY])


def late_reset(gate):
    """A reset of a stream that is over changes nothing."""
    with Client(gate.port) as client:
        for number in (1, 3, 5):
            client.send(headers(number, path=GOOD) + data(BODY, number))
            expect(client.outcome(number).status == 200, f"stream {number}")
            client.send(reset(number))


def goaway(gate):
    """What was asked before a GOAWAY of the client is answered."""
    with Client(gate.port) as client:
        client.send(headers(1, path=GOOD) + data(BODY, 1) + frame(GOAWAY, payload=bytes(8)))
        expect(client.outcome(1).status == 200, "a stream before the GOAWAY")


def going_down(_):
    """A gate that goes down says so, answers what it has begun, then it ends."""
    with Gate() as leaving, Client(leaving.port) as client:
        client.send(headers(1, path=GOOD))
        expect(client.listen(lambda: client.count(SETTINGS) > 1, 5), "no settings")
        client.streams.setdefault(1, Stream())
        leaving.signal(signal.SIGTERM)
        expect(client.listen(lambda: client.count(GOAWAY) > 0, 5) and client.away == NO_ERROR, f"GOAWAY {client.away}")
        client.send(data(BODY, 1))
        expect(client.listen(lambda: client.streams[1].is_over, 5), "what was begun is not answered")
        expect(client.streams[1].status == 200, f"what was begun: {client.streams[1].status}")
        expect(client.listen(lambda: client.is_gone, 8) and client.away == NO_ERROR, "it never ends")


def many_streams(gate):
    memory = None
    with Client(gate.port) as client:
        for number in range(600):
            stream = 2 * number + 1
            client.send(headers(stream, path=GOOD) + data(BODY, stream))
            expect(client.outcome(stream).status == 200, f"stream {stream}")
            del client.streams[stream]
            client.frames.clear()
            if number == 100:
                memory = gate.resident_bytes()
    expect(gate.resident_bytes() - memory < 1 << 20, f"{gate.resident_bytes() - memory} bytes for 500 streams")


def random_frames(gate):
    """Frames with anything in them, from a fixed seed: an answer or an end, never more."""
    chance = random.Random(85)
    for _ in range(300):
        with Client(gate.port) as client:
            whole = bytearray(PUSH + frame(PING, payload=bytes(8)) + update(100) + headers(3, auth=None) + data(BODY, 3))
            for _ in range(chance.randrange(1, 6)):
                whole[chance.randrange(len(whole))] = chance.randrange(256)
            client.send(bytes(whole))
            client.listen(lambda: client.is_gone or client.away is not None, 0.02)


def raw_block(payload):
    return headers(payload=payload, flags=END_HEADERS | END_STREAM)


def huffman(payload):
    """A path whose value is these bytes as Huffman code."""
    return raw_block(block((b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"x"))
                     + b"\x04" + bytes([0x80 | len(payload)]) + payload)


PSEUDO = {b":method": b"POST", b":scheme": b"https", b":path": b"/metrics/job/attack", b":authority": b"localhost"}


def ordered(*pairs):
    """A push with exactly these pseudo-header fields, and its login."""
    return headers(fields=[*pairs, (b"authorization", login().partition(b": ")[2])]) + data(BODY)


ROWS = [
    Row("B001", "requests that are taken back at once", Does("ended"), flood(rapid_reset)),
    NotHere("B002", "the same slowly, on 200 connections", "what is under way at the Pushgateway is bounded by "
            "connections_max of upstream, whoever asks (J021)"),
    Row("B003", "streams that we have to take back: a window that grows by nothing", Does("ended"),
        made_you_reset(lambda stream: update(0, stream))),
    Row("B004", "a window beyond all windows", Does("ended"),
        made_you_reset(lambda stream: update(0x7FFFFFFF, stream) * 2)),
    Row("B005", "data behind the end of its stream", Does("ended"), made_you_reset(
        lambda stream: data(BODY, stream) + data(BODY, stream))),
    Row("B006", "headers behind the end of their stream", Does("ended"), made_you_reset(
        lambda stream: data(b"", stream) + headers(stream, flags=END_HEADERS | END_STREAM))),
    Row("B007", "a priority that is none", Does("ended"),
        made_you_reset(lambda stream: frame(PRIORITY, stream=stream, payload=struct.pack(">IB", stream, 1))),
        made_you_reset(lambda stream: frame(PRIORITY, stream=stream, payload=b"1234"))),
    Row("B008", "heads that are malformed, again and again", Does("ended"), flood(
        lambda number: headers(2 * number + 1, fields=[(b"X", b"y")]), count=2000)),
    Row("B009", "streams beyond the number that may be, again and again", Does("ended"), flood(
        lambda number: headers(2 * number + 1), count=2000)),
    Row("B010", "CONTINUATION without end", calm, headers(flags=0) + b"".join(
        frame(CONTINUATION, 0, 1, field(b"x", b"y")) for _ in range(1000))),
    Row("B011", "empty CONTINUATION without end", calm, headers(flags=0) + frame(CONTINUATION, 0, 1) * 1000),
    Row("B012", "a head that is never finished", Does("ended"), silence_within(headers(flags=0)), gate=QUICK),
    Row("B013", "a table entry that is referred to thousands of times", Does("bounded"), bomb),
    Row("B014", "the same on many streams", Does("ended"), flood(lambda number: headers(
        2 * number + 1, payload=block(*request_fields()) + field(b"x", b"y", 0x40) + b"\xbe" * 5000), count=400)),
    Row("B015", "a cookie in thousands of crumbs", Refused(431), headers(
        payload=block(*request_fields()) + field(b"cookie", b"a") * 1500)),
    Row("B016", "trailers that are too many", Refused(400, 431), headers() + data(BODY, 1, 0) + headers(
        payload=field(b"x", b"y") * 2000, flags=END_HEADERS | END_STREAM)),
    Row("B017", "a table that changes its size all the time, as often as fits into one head", refused, raw_block((b"\x20" + integer(4096, 5, 0x20)) * 500)),
    Row("B018", "a table larger than allowed, or changed too late", broken, raw_block(integer(1 << 20, 5, 0x20)),
        raw_block(block(*request_fields()) + b"\x20")),
    Row("B019", "numbers of HPACK without end", broken, raw_block(b"\x7f" + b"\x80" * 20), raw_block(b"\xff" + b"\xff" * 10),
        raw_block(b"\x00\x7f\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01")),
    Row("B020", "an index that is none", broken, raw_block(b"\x80"), raw_block(b"\xff\x20"), raw_block(b"\xc0")),
    Row("B021", "Huffman code with wrong ends", broken, huffman(b"\xff\xff\xff\xff"), huffman(b"\x1c\xff\xff"),
        huffman(b"\x18\x00")),
    Row("B022", "a string longer than its block", broken, raw_block(b"\x00\x05ab"), raw_block(b"\x04\x7f\x80\x01x")),
    Row("B023", "a flood of PING", Does("ended"), flood(lambda number: frame(PING, payload=bytes(8)), 100_000)),
    Row("B024", "a flood of PING whose answers nobody reads", Does("ended"), flood(
        lambda number: frame(PING, payload=bytes(8)) * 10, 50_000)),
    Row("B025", "a flood of SETTINGS", Does("ended"), flood(lambda number: frame(SETTINGS), 50_000)),
    Row("B026", "one SETTINGS with thousands of entries", calm, setting(*[(3, 100)] * 2700)),
    Row("B027", "settings that are never acknowledged", Does("ended"), never_acknowledged, gate=QUICK),
    Row("B028", "windows that change all the time", Does("ended"), flood(
        lambda number: setting((4, number % 2 * 0x7FFFFFFF)), 20_000, opening=headers(1) + headers(3))),
    Row("B029", "settings that are none", broken, setting((2, 2)), setting((5, 1 << 24)), setting((5, 100)),
        setting((4, 1 << 31))),
    Row("B030", "a flood of PRIORITY", Does("ended"), flood(lambda number: frame(
        PRIORITY, stream=2 * number + 1, payload=struct.pack(">IB", 0, 1)), 50_000)),
    Row("B031", "a flood of empty DATA", Does("ended"), flood(lambda number: data(b"", 1, 0), 50_000, opening=headers())),
    Row("B032", "fields without a name", refused, headers(payload=block(*request_fields()) + field(b"", b"") * 5) + data(BODY)),
    Row("B033", "a body that dribbles", Does("ended"), silence_within(headers() + data(b"#", 1, 0)), gate=QUICK),
    Row("B034", "a reset of a stream that never was", broken, reset(7), reset(0)),
    Row("B035", "a flood of WINDOW_UPDATE", Does("ended"), flood(lambda number: update(1), 100_000)),
    Row("B036", "the connection's window: nothing, and beyond all", broken, update(0), update(0x7FFFFFFF) * 2),
    Row("B037", "data to streams that are over", Does("ended"), flood(
        lambda number: data(b"x" * 100, 1, 0), 20_000, opening=headers() + reset(1))),
    Row("B038", "padding that is longer than its frame", broken, headers() + frame(DATA, PADDED, 1, b"\xff1234"),
        frame(HEADERS, PADDED | END_HEADERS, 1, b"\xffabc")),
    Row("B038", "padding that is mostly of nothing is counted, and dropped", Accepted(), headers() + b"".join(
        frame(DATA, PADDED, 1, b"\x10" + BODY[index:index + 1] + bytes(16)) for index in range(len(BODY))) + data(b"")),
    Row("B039", "frames of a kind that there is not", Does("ended"), flood(
        lambda number: frame(0xFE, payload=b"x"), 50_000)),
    Row("B039", "one of them is passed over", Accepted(), frame(0xFE, payload=b"x") + PUSH),
    Row("B039", "another frame within a head", broken, headers(flags=0) + frame(0xFE, payload=b"x"),
        headers(flags=0) + frame(PING, payload=bytes(8)), headers(flags=0) + data(BODY),
        headers(flags=0) + frame(CONTINUATION, END_HEADERS, 3)),
    Row("B040", "a push by the client", broken, frame(PUSH_PROMISE, END_HEADERS, 1, struct.pack(">I", 2))),
    Row("B041", "an even stream", broken, headers(2)),
    Row("B042", "streams that go backwards, or come again", broken, headers(5) + headers(3),
        headers(0)),
    Row("B043", "the last stream that can be", Accepted(0x7FFFFFFF), headers(0x7FFFFFFF) + data(BODY, 0x7FFFFFFF)),
    Row("B044", "a stream more than may be", Does("refused"), too_many),
    Row("B045", "a body before our settings are acknowledged", Does("accepted"), bodies_before_settings),
    Row("B046", "a preface that is none", Does("ended"), preface(
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + bytes(20), b"GET / HTTP/1.1\r\n\r\n" + bytes(40), PREFACE + frame(PING, payload=bytes(8)),
        bytes(60))),
    Row("B046", "a preface that stops", Does("ended"), preface(PREFACE[:10], b"", PREFACE), gate=QUICK),
    Row("B047", "frames that are too long", broken, headers() + data(b"#" * 16_385), headers(payload=b"\0" * 16_385)),
    Row("B048", "frames of a wrong length", broken, frame(SETTINGS, payload=bytes(5)), frame(PING, payload=bytes(7)),
        frame(WINDOW_UPDATE, payload=bytes(3)), headers() + frame(RESET, stream=1, payload=bytes(3)),
        frame(SETTINGS, ACK, 0, bytes(6)), frame(SETTINGS, 0, 1), frame(PING, 0, 1, bytes(8)), frame(GOAWAY, payload=b"x")),
    Row("B049", "a malformed frame behind the end", Does("ended"), flood(
        lambda number: frame(SETTINGS, payload=bytes(5)) + frame(WINDOW_UPDATE, payload=b"1234", length=(1 << 24) - 1), 200,
        codes=(FRAME_SIZE_ERROR, PROTOCOL_ERROR))),
    Row("B050", "a push in records of a byte", Does("accepted"), byte_by_byte),
    Row("B050", "a head in two records, behind another request", Does("accepted"), heads_in_pieces),
    Row("B050", "heads of two clients, in turns", Does("apart"), heads_of_two),
    Row("B051", "a path with what no path has", refused, *(with_fields(path=b"/metrics/job/a" + text) for text in (
        b" HTTP/1.1\r\nX: y", b"\r\n", b"\n", b"\0", b"#x", b"\xff", b" ", b"\x7f", b'"'))),
    Row("B052", "a path that is none", Refused(400, 404), *(with_fields(path=path) for path in (
        b"", b"*", b"metrics/job/a", b"https://localhost/metrics/job/a", b"?", b"\\x"))),
    Row("B053", "a method with a request in it", Refused(400, 404, 405), *(with_fields(method=method) for method in (
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nx:", b"GET?", b"", b"PO ST", b"post", b"G\0"))),
    Row("B054", "an authority that is none, or not Host", refused, *(with_fields(authority=authority) for authority in (
        b"localhost\r\nX: y", b"u@localhost", b"", b"a b", b"a/b")), with_fields((b"host", b"other.example"))),
    Row("B055", "a scheme that is none", refused, *(with_fields(scheme=scheme) for scheme in (
        b"http://localhost/?", b"ftp", b"", b"https:", b"ht tp"))),
    Row("B056", "pseudo-header fields that are missing, twice, unknown, late or of an answer", refused,
        *(ordered(*(pair for pair in PSEUDO.items() if pair[0] != missing)) for missing in (b":method", b":scheme", b":path")),
        *(ordered(*PSEUDO.items(), (name, PSEUDO[name])) for name in PSEUDO), ordered(*PSEUDO.items(), (b":x", b"y")),
        ordered(*PSEUDO.items(), (b":status", b"200")), ordered((b"x", b"y"), *PSEUDO.items())),
    Row("B057", "pseudo-header fields in trailers", refused, headers() + data(BODY, 1, 0) + headers(
        fields=[(b":path", b"/x")], flags=END_HEADERS | END_STREAM)),
    Row("B058", "names with capitals, colons, blanks and controls", refused, *(with_fields((name, b"x")) for name in (
        b"Foo", b"foo: b\r\nte", b"fo o", b"fo\0o", b"fo:o", b"foo\n", b"\xff", b"f\x7f"))),
    Row("B059", "values with line ends, NUL, and blanks at their ends", refused, *(with_fields((b"foo", value)) for value in (
        b"a\r\nb: c", b"a\nb", b"a\0b", b"a\r"))),
    Row("B060", "fields of a connection", refused, *(with_fields(pair) for pair in (
        (b"connection", b"close"), (b"keep-alive", b"timeout=1"), (b"upgrade", b"h2c"), (b"proxy-connection", b"close")))),
    Row("B061", "chunks in HTTP/2", refused, with_fields((b"transfer-encoding", b"chunked")),
        with_fields((b"transfer-encoding", b"identity"))),
    Row("B062", "a length that is not that of the data", refused, *(with_fields((b"content-length", value)) for value in (
        b"5", b"30", b"0", b"+29", b"", b"29, 29", b"0x1d", b"-1", b"029")),
        with_fields((b"content-length", b"29"), (b"content-length", b"29")),
        with_fields((b"content-length", b"29"), (b"content-length", b"30"))),
    Row("B063", "TE other than trailers", refused, with_fields((b"te", b"chunked")), with_fields((b"te", b"trailers, gzip"))),
    Row("B064", "CONNECT", Refused(400, 404, 405), headers(fields=[(b":method", b"CONNECT"), (b":authority", b"localhost:443")]),
        headers(fields=[(b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"https"), (b":path", b"/"),
                        (b":authority", b"localhost")])),
    Row("B065", "a request within a value", refused, with_fields((b"x", b"a\r\n\r\nGET / HTTP/1.1\r\nHost: b"))),
    Row("B066", "too large, and the body goes on", Does("refused"), early_answers(
        (413, with_fields((b"content-length", b"999999999"))[:-9 - len(BODY)] + data(b"#" * 1000, 1, 0)))),
    Row("B067", "no login, and the body goes on", Does("refused"), early_answers(
        (401, headers(auth=None) + data(b"#" * 16_000, 1, 0)), (404, headers(path=b"/x") + data(b"#" * 16_000, 1, 0)),
        (401, headers(auth=None, others=[(b"content-length", b"1073741824")])))),
    Row("B068", "bodies that are cut off give their window back", Does("accepted"), windows_come_back),
    Row("B069", "an answer that nobody makes room for", Does("ended"), never_read, gate=QUICK),
    Row("B070", "an answer through a window of a byte", Does("accepted"), small_window),
    Row("B071", "a flood of GOAWAY", Does("ended"), flood(lambda number: frame(GOAWAY, payload=bytes(8)), 20_000)),
    Row("B072", "a GOAWAY behind a request", Does("accepted"), goaway),
    Row("B073", "a gate that goes down", Does("answered"), going_down),
    Row("B074", "PING keeps nobody alive", Does("ended"), pings, gate=QUICK),
    NotHere("B075", "a suite that HTTP/2 forbids", "none of them is spoken (C036 to C040)"),
    NotHere("B076", "a renegotiation under HTTP/2", "there is none at all (C008)"),
    NotHere("B077", "a client certificate after the handshake", "none is asked for, and TLS 1.3 has it only where it is"),
    Row("B078", "streams one behind the other cost no memory", Does("bounded"), many_streams),
    Elsewhere("B079", "slow bodies on many streams and connections",
              "where no byte may be buffered any more it is 503 at once"),
    Row("B080", "32 bodies at once", Does("accepted"), interleaved),
    Row("B081", "each stream says by itself who sends it", Does("refused"), each_by_itself),
    Row("B082", "a reset of a stream that is over", Does("accepted"), late_reset),
    NotHere("B083", "the whole of h2spec", "is run by hand; what it asks for stands in the rows above"),
    NotHere("B084", "recorded conversations", "none are kept; those of the rows above are changed at random (B085)"),
    Row("B085", "frames with anything in them", Does("survived"), random_frames),
]
