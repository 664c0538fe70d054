"""B: HTTP/2 that is meant to exhaust, to confuse, or to smuggle."""

import gzip
import random
import signal
import ssl
import threading
import time

from frames import (ACK, CALM, CLOSED, COMPRESSION, CONTINUATION, END_HEADERS, END_STREAM, FLOW_CONTROL, FRAME_SIZE,
                    NO_ERROR, PREFACE, PRIORITY, PROTOCOL, REFUSED, SETTINGS, SETTINGS_TIMEOUT, WINDOW_SIZE, WINDOW_UPDATE,
                    Alive, Ended, Peer, Reset, data, frame, get, goaway, head, headers, literal, ping, post, post_head,
                    priority, reset, section, settings, widen)
from gate import BODY, PATH, Gate, login
from recorder import OK
from table import Does, Elsewhere, NotHere, Row, expect_forwarded
from wire import client_context, expect

CONFORMANCE = "Tests/Attacks/conformance.py"
ODD = range(1, 1 << 31, 2)
QUICK = {"settings": "limits: {head_timeout: 1s, idle_timeout: 2s, write_timeout: 1s, body_timeout: 3s, "
                     "body_rate_min: {bytes_per_second: 1KiB, after: 1s}, requests_per_connection_max: 500}\n"}
SMALL = {"settings": "limits: {buffered_bytes_max: 1MiB, body_bytes_max: 128KiB}\n"}
ended_calmly = Ended(CALM)
broken = Reset(PROTOCOL)


def authorization(*user):
    return b"authorization", login(*user).partition(b": ")[2]


def say_until_ended(peer, frames, batch=50):
    """Goes on until the gate has ended the connection."""
    group = []
    for found in frames:
        group.append(found)
        if len(group) == batch:
            peer.say(*group)
            group = []
            if peer.wait(lambda: peer.goaways, 0.001):
                return
    peer.say(*group)


class Flooded:
    """A hundred are taken and some thousands are not: ENHANCE_YOUR_CALM, before so many streams were opened."""

    word = "calmed"

    def __init__(self, most=1):
        self.most = most

    def check(self, gate, attempt):
        memory = gate.resident_bytes()
        with Peer(gate) as peer:
            for first in range(0, 100, 10):
                peer.say(*(attempt(stream) for stream in ODD[first:first + 10]))
                peer.expect_alive()
            say_until_ended(peer, (attempt(stream) for stream in ODD[100:3000]))
            peer.expect_end(CALM)
            last = peer.goaways[0][0]
            expect(last < 2 * self.most, f"{last // 2} streams were taken")
        expect(gate.resident_bytes() - memory < 8 << 20, "memory")


class MadeToReset:
    """Each time the stream is reset with one of these codes, but not more often than so many times in a burst."""

    word = "calmed"

    def __init__(self, *codes):
        self.codes = codes

    def check(self, gate, attempt):
        with Peer(gate) as peer:
            for _, stream in zip(range(120), ODD):
                peer.say(attempt(stream))
            peer.expect_end(CALM)
            resets = [found.reset for found in peer.streams.values() if found.reset is not None]
            expect(40 <= len(resets) <= 60, f"{len(resets)} resets")
            expect(set(resets) <= set(self.codes), f"{set(resets)}")


class Unserved:
    """Reset as malformed, or refused; nothing is forwarded, and the gate goes on."""

    word = "refused"

    def __init__(self, *statuses):
        self.statuses = statuses or (400, 404, 405)

    def check(self, gate, attempt):
        before = len(gate.recorder.pushes)
        with Peer(gate) as peer:
            peer.say(attempt)
            found = peer.streams[1]
            peer.wait(lambda: found.has_ended or found.reset is not None or peer.goaways)
            expect(found.reset == PROTOCOL or found.status in self.statuses, f"{found.status}: {peer.last_words}")
        expect_forwarded(gate, before, [])


def served(peer, stream, body=BODY, **others):
    """A push on this connection succeeds."""
    peer.say(post_head(stream=stream, **others))
    expect(peer.send_body(body, stream), "no room for a body")
    peer.expect_status(200, stream)


# Resets

def rapid_reset(stream):
    return post_head(stream=stream, method=b"DELETE") + reset(stream)


def rapid_reset_reaches_nobody(gate):
    before = len(gate.recorder.pushes)
    Flooded(130).check(gate, rapid_reset)
    expect(len(gate.recorder.pushes) - before <= 130, "the Pushgateway was called more often")


def slow_rapid_reset(gate):
    """Each request reaches the Pushgateway and is then taken back, never fast enough to be a flood: the Pushgateway
    has no more connections than it may, and others are served."""
    now, most, lock = [0], [0], threading.Lock()

    def slow(connection, _):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.1)
        with lock:
            now[0] -= 1
        connection.sendall(OK)
        return True
    gate.recorder.reply = slow
    try:
        peers = [Peer(gate) for _ in range(20)]
        for turn in range(8):
            for peer in peers:
                peer.say(post(stream=2 * turn + 1))
            time.sleep(0.05)
            for peer in peers:
                peer.say(reset(2 * turn + 1))
            gate.push_good()
        for peer in peers:
            peer.expect_alive()
            peer.socket.close()
    finally:
        gate.recorder.reply = OK
    expect(0 < most[0] <= 64, f"{most[0]} at once")


def too_many_streams(gate):
    """Bodies that are awaited hold their streams: more than 32 are refused, and who insists, a thousand times and
    more, is sent away. Clients of good will begin with hundreds, before they know how many they may."""
    with Peer(gate, acknowledges=False) as peer:
        peer.say(*(post_head(stream=stream) for _, stream in zip(range(32), ODD)))
        peer.expect_alive()
        say_until_ended(peer, (post_head(stream=stream) for _, stream in zip(range(1300), ODD[32:])), batch=10)
        peer.expect_end(CALM)
        refused = [found for found in peer.streams.values() if found.reset == REFUSED]
        expect(1000 < len(refused) <= 1060, f"{len(refused)} were refused")


def gone_silent(gate):
    """Closed on its side and never acknowledging, with a push that the Pushgateway does not answer."""
    is_over = threading.Event()
    gate.recorder.reply = lambda *_: is_over.wait(8) and False
    try:
        with Peer(gate, acknowledges=False) as peer:
            peer.say(post())
            peer.finish()
            expect(peer.ended(), "the connection stays")
    finally:
        is_over.set()
        gate.recorder.reply = OK


# Header sections

def endless_section(payload):
    def tried(peer):
        first = section(head())
        peer.say(headers(first, flags=END_STREAM))
        say_until_ended(peer, (frame(CONTINUATION, 0, 1, payload) for _ in range(200)), batch=1)
    return tried


def unfinished_section(gate):
    for first in (headers(section(head())[:20], flags=END_STREAM),
                  post(stream=1) + headers(section(head()), stream=3, flags=END_STREAM) + frame(CONTINUATION, 0, 3, b"")):
        began = time.monotonic()
        with Peer(gate) as peer:
            peer.say(first)
            peer.expect_end(CALM, seconds=5)
        expect(0.5 < time.monotonic() - began < 4, "not at its deadline")


def bomb(references, trailer=False, size=3900):
    """A field of this size that is remembered, and then named again and again by a single byte."""
    def tried(peer):
        peer.say(headers(section(head()) + literal(b"x", bytes([97]) * size, 0x40)))
        peer.expect_status(404)
        if trailer:
            peer.say(post_head(stream=3), headers(b"\xbe" * references, stream=3))
        else:
            peer.say(headers(section(head()) + b"\xbe" * references, stream=3))
    return tried


def held_bombs(gate):
    """Many of them on one connection that takes no answers."""
    memory = gate.resident_bytes()
    with Peer(gate, (WINDOW_SIZE, 0)) as peer:
        peer.say(headers(section(head()) + literal(b"x", b"y", 0x40)))
        peer.say(*(headers(section(head()) + b"\xbe" * 16000, stream=stream) for stream in ODD[1:250]))
        peer.expect_end(CALM)
        expect(peer.goaways[0][0] == 3, f"{peer.goaways}")
    expect(gate.resident_bytes() - memory < 2 << 20, "memory")


def crumbs(count):
    return get(*([(b"cookie", b"a")] * count))


def large_but_legible(gate):
    """A section that is too large, but not by far, is told so."""
    for fields in ([(b"x%d" % number, b"1") for number in range(100)], [(b"x", b"y" * 10000)], [(b"cookie", b"a")] * 100):
        with Peer(gate) as peer:
            peer.say(get(*fields))
            peer.expect_status(431)
            served(peer, 3)


def table_churn(gate):
    """The table made smaller and larger a thousand times in one section costs nothing worth speaking of."""
    before = gate.processor_seconds()
    with Peer(gate) as peer:
        peer.say(headers(b"\x20\x3f\xe1\x1f" * 1000 + section(head())))
        found = peer.streams[1]
        peer.wait(lambda: found.has_ended or peer.goaways)
        expect(found.status == 404 or peer.codes == [COMPRESSION], f"{peer.last_words}")
    expect(gate.processor_seconds() - before < 0.5, "processor time")


# Control frames

def unread_pings(gate):
    """Who does not read its echoes is cut off, and they are not piled up."""
    memory = gate.resident_bytes()
    with Peer(gate, receive_buffer=1024) as peer:
        try:
            peer.socket.settimeout(5)
            for _ in range(2000):
                peer.tls.write(ping())
                peer.socket.sendall(peer.outgoing.read())
        except OSError:
            pass
        expect(peer.ended(), "the connection stays")
    expect(gate.resident_bytes() - memory < 1 << 20, "memory")


def churned_windows(peer):
    peer.say(*(post_head(stream=stream) for _, stream in zip(range(32), ODD)))
    say_until_ended(peer, (settings((WINDOW_SIZE, turn % 2 * ((1 << 31) - 1))) for turn in range(2000)))


def data_to_reset_stream(peer):
    """The stream was ours to end; what still comes for it costs little, and not for ever."""
    peer.say(headers(head((b"X", b"1")), flags=END_HEADERS))
    expect(peer.wait(lambda: peer.streams[1].reset == PROTOCOL), "no reset")
    peer.say(*(data(b"x" * 100, flags=0) for _ in range(100)))
    peer.expect_alive()
    say_until_ended(peer, (data(b"x" * 100, flags=0) for _ in range(400)))


def resets_of_closed(peer):
    peer.say(get())
    peer.answer()
    say_until_ended(peer, (reset() for _ in range(1000)))


# Bodies

def dribble(gate):
    """A byte a frame, a few a second: cut at the pace that is demanded, one stream without the other."""
    with Peer(gate) as peer:
        peer.say(post_head(stream=1))
        found = peer.streams[1]
        end = time.monotonic() + 6
        while time.monotonic() < end and found.status is None:
            peer.say(data(b"a", flags=0))
            peer.wait(lambda: found.status is not None, 0.05)
        peer.expect_status(408)
        served(peer, 3)


def padded_body(gate):
    """Padding takes of the window and is given back."""
    before = len(gate.recorder.pushes)
    body = b"".join(b"attack%d %d\n" % (number, number) for number in range(150))
    with Peer(gate) as peer:
        peer.say(post_head())
        expect(peer.send_body(body, piece=1, padding=255), f"the window is lost: {peer.room}")
        peer.expect_status(200)
    expect_forwarded(gate, before, [body])


def early_bodies(gate):
    """Before our settings are acknowledged, and before it is known who it is, a client has few bytes of ours."""
    memory = gate.resident_bytes()
    peers = []
    for number in range(50):
        peer = Peer(gate, acknowledges=False)
        peer.say(post_head(auth=authorization("costly", f"guess {number}")))
        peer.send_body(b"#" * 65535, seconds=1)
        peers.append(peer)
    expect(gate.resident_bytes() - memory < 50 * (160 << 10), f"{gate.resident_bytes() - memory} bytes")
    for peer in peers:
        expect(peer.room <= 0, "more room than for what came")
        peer.socket.close()


def still_coming(length, status, auth):
    """The answer comes to its end; the stream lingers, is ended without an error, and the connection serves on."""
    def tried(gate):
        with Peer(gate) as peer:
            peer.say(post_head((b"content-length", b"%d" % length), auth=auth), data(bytes(16000), flags=0))
            peer.expect_status(status)
            peer.say(*(data(bytes(16000), flags=0) for _ in range(2)))
            served(peer, 3, b"# " + b"x" * 50000 + b"\n" + BODY)
            expect(peer.wait(lambda: peer.streams[1].reset is not None), "no RST_STREAM")
            expect(peer.streams[1].reset == NO_ERROR, f"{peer.streams[1].reset}")
            served(peer, 5, b"# " + b"x" * 100000 + b"\n" + BODY)
    return tried


def window_leak(gate):
    """Bodies that were broken off, in each way, give the window of the connection back."""
    with Peer(gate) as peer:
        served(peer, 1)
        for stream in ODD[1:80]:
            peer.say(post_head(stream=stream, path=PATH if stream % 4 == 1 else b"/"))
            expect(peer.wait(lambda: peer.room >= 16384), f"the window is lost at {stream}")
            peer.room -= 16384
            peer.say(data(b"#" * 16384, stream, 0))
            if stream % 8 < 4:
                peer.wait(lambda: False, 0.01)
            peer.say(reset(stream))
        served(peer, 201, (b"# " + b"x" * 997 + b"\n") * 300 + BODY)


def unread_answer(gate):
    """A window of nothing: the answer is waited for as long as writing may take, others are served."""
    with Peer(gate, (WINDOW_SIZE, 0)) as peer:
        peer.say(get())
        expect(peer.wait(lambda: peer.streams[1].reset is not None or peer.goaways, 4), "it waits for ever")
        expect(not peer.codes and peer.streams[1].status == 404, f"{peer.last_words}")
        peer.say(settings((WINDOW_SIZE, 65535)))
        served(peer, 3)


def narrow_answer(gate):
    """A byte at a time it comes through, or is broken off."""
    with Peer(gate, (WINDOW_SIZE, 1)) as peer:
        peer.say(get())
        found = peer.streams[1]
        for _ in range(200):
            if peer.wait(lambda: found.has_ended or found.reset is not None, 0.02):
                break
            peer.say(widen(1, 1))
        expect(found.has_ended or found.reset is not None, f"{peer.last_words}")


# The end of connections

def farewell_then_more(gate):
    """After GOAWAY of its own a client is still answered, or let go; many GOAWAY are too many."""
    with Peer(gate) as peer:
        peer.say(goaway(), post(stream=1), post(stream=3))
        peer.wait(lambda: peer.streams[3].has_ended)
        expect(not peer.codes and (peer.streams[3].status in (None, 200)), f"{peer.last_words}")
    with Peer(gate) as peer:
        peer.say(post_head())
        say_until_ended(peer, (goaway() for _ in range(1000)))
        expect(peer.ended(), "the connection stays")


def streams_after_goaway(gate):
    """Behind the last request that a connection may carry nothing is looked at."""
    before = len(gate.recorder.pushes)
    with Peer(gate) as peer:
        for first in range(0, 490, 10):
            streams = ODD[first:first + 10]
            peer.say(*(get(stream=stream) for stream in streams))
            for stream in streams:
                peer.answer(stream)
        for stream in ODD[490:500]:
            peer.say(post_head(stream=stream))
        expect(peer.wait(lambda: peer.goaways), "nothing is told")
        expect(peer.goaways == [(ODD[499], NO_ERROR)], f"{peer.goaways}")
        peer.say(*(post(stream=stream) for stream in ODD[500:510]), *(data(stream=stream) for stream in ODD[490:500]))
        for stream in ODD[490:500]:
            peer.expect_status(200, stream)
        expect(peer.ended(), "the connection stays")
        expect(not any(peer.streams[stream].status for stream in ODD[500:510]), "more were answered")
    expect_forwarded(gate, before, [BODY] * 10)


def drain(_):
    """SIGTERM: told at once, cut off only when what was asked is answered."""
    with Gate(settings="limits: {drain_timeout: 10s}\n") as gate:
        gate.recorder.reply = lambda connection, _: time.sleep(1.5) or connection.sendall(OK) or True
        with Peer(gate) as peer, Peer(gate) as idle:
            peer.say(post(stream=1), post_head(stream=3))
            peer.expect_alive()
            idle.expect_alive()
            gate.signal(signal.SIGTERM)
            expect(peer.wait(lambda: peer.goaways), "nothing is told")
            expect(peer.goaways == [((1 << 31) - 1, NO_ERROR)], f"{peer.goaways}")
            peer.say(data(stream=3), post(stream=5))
            for stream in (1, 3, 5):
                peer.expect_status(200, stream)
            expect(peer.ended(), "the connection stays")
            expect([code for _, code in peer.goaways] == [NO_ERROR, NO_ERROR], f"{peer.goaways}")
            expect(peer.goaways[1][0] == 5, f"{peer.goaways}")
            expect(idle.ended() and not idle.codes and len(idle.goaways) == 2, f"{idle.last_words}")
        gate.process.wait(10)
        expect(gate.process.returncode == 0, f"{gate.process.returncode}")


def pings_do_not_keep(gate):
    """An idle connection ends in its time, however often it is asked whether it lives."""
    began = time.monotonic()
    with Peer(gate) as peer:
        peer.say(get())
        peer.answer()
        while not peer.is_over and time.monotonic() - began < 8:
            peer.say(ping())
            peer.wait(lambda: False, 0.2)
        expect(peer.goaways == [(1, NO_ERROR)], f"{peer.goaways}")
    expect(1.5 < time.monotonic() - began < 5, "not at its deadline")


def malformed_and_silent(gate):
    """Requests that are malformed do not keep a connection that is idle otherwise, nor are they a reproach."""
    for first in (get((b"X", b"1")), get((b"X", b"1")) + ping(), get((b"X", b"1")) + get(path=None, stream=3)):
        began = time.monotonic()
        with Peer(gate) as peer:
            peer.say(first)
            expect(peer.ended(6) and [code for _, code in peer.goaways] == [NO_ERROR], f"{first}: {peer.last_words}")
        expect(time.monotonic() - began > 1.5, "at once")


def silent_client(gate):
    """Connected, and nothing said, or a preface that is cut, or comes byte by byte."""
    for first, pause in ((b"", 0), (PREFACE[:10], 0), (PREFACE, 0), (PREFACE + settings(), 0), (PREFACE, 0.1)):
        began = time.monotonic()
        with Peer(gate, begins=False) as peer:
            for index in range(len(first) if pause else 0):
                peer.say(first[index:index + 1])
                peer.wait(lambda: False, pause)
            peer.say(first)
            expect(peer.ended(5), f"{first} and then nothing")
        expect(time.monotonic() - began < 5, "late")


# Protocols below

def weak_suites(gate):
    """HTTP/2 over TLS 1.2 is there, and with the suites that RFC 9113 forbids it is not."""
    context = client_context(maximum_version=ssl.TLSVersion.TLSv1_2)
    context.set_alpn_protocols(["h2"])
    with Peer(gate, context=context) as peer:
        served(peer, 1)
    for suite in ("AES128-SHA", "AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA256"):
        context.set_ciphers(suite + ":@SECLEVEL=0")
        try:
            Peer(gate, context=context).socket.close()
        except ssl.SSLError:
            continue
        raise AssertionError(f"HTTP/2 with {suite}")


# Many streams

def sequential_streams(gate):
    """Requests that are over leave nothing behind."""
    with Peer(gate) as peer:
        memory = 0
        for first in range(0, 6000, 30):
            streams = ODD[first:first + 30]
            peer.say(widen(30 * 200), *(get(stream=stream) for stream in streams))
            for stream in streams:
                peer.answer(stream)
            peer.heard.clear()
            if first == 1500:
                memory = gate.resident_bytes()
        expect(gate.resident_bytes() - memory < 256 << 10, f"{gate.resident_bytes() - memory} bytes more")


def many_slow_bodies(gate):
    """What bodies may hold of the memory is bounded: of one address by as much as it leaves to others, which are served
    meanwhile. The rest is told 503 at once."""
    memory, peers = gate.resident_bytes(), [Peer(gate) for _ in range(6)]
    for peer in peers:
        peer.say(*(post_head((b"content-length", b"%d" % (64 << 10)), stream=stream) for stream in ODD[:32]))
    expected = 6 * 32 - 8
    refused = []
    for peer in peers:
        peer.wait(lambda: False, 0.3)
        refused += [found for found in peer.streams.values() if found.status == 503]
    expect(len(refused) == expected, f"{len(refused)}, not {expected} are told 503")
    expect(gate.resident_bytes() - memory < 8 << 20, "memory")
    with Peer(gate, source="127.0.1.79") as other:
        other.say(post())
        other.expect_status(200)
    for peer in peers:
        peer.socket.close()
    time.sleep(0.2)


def interleaved(gate):
    """Bodies in pieces, mixed by a fixed seed: each is taken as it was sent, or refused for what is in it."""
    chance = random.Random(80)
    before = len(gate.recorder.pushes)
    bodies = {stream: b"".join(b"attack%d %d\n" % (stream, line) for line in range(1)) + b"# " + b"x" * 900 + b"\n"
              for stream in ODD[:32]}
    wrong = set(ODD[3:32:7])
    for stream in wrong:
        bodies[stream] += b"this is no line of metrics{\n"
    with Peer(gate) as peer:
        peer.say(*(post_head(stream=stream) for stream in bodies))
        left = dict(bodies)
        while left:
            stream = chance.choice(list(left))
            count = chance.randint(1, 200)
            piece, left[stream] = left[stream][:count], left[stream][count:]
            is_last = not left[stream]
            peer.say(data(piece, stream, END_STREAM if is_last else 0))
            if is_last:
                del left[stream]
        for stream in bodies:
            peer.expect_status(400 if stream in wrong else 200, stream)
    forwarded = sorted(push.body for push in gate.recorder.pushes[before:])
    expect(forwarded == sorted(body for stream, body in bodies.items() if stream not in wrong), "other bodies")


def sibling(gate):
    """A login is a request's, not its connection's."""
    with Peer(gate) as peer:
        peer.say(post(stream=1), post(stream=3, auth=None), post(stream=5, auth=authorization("good", "wrong")))
        peer.expect_status(200, 1)
        peer.expect_status(401, 3)
        peer.expect_status(401, 5)


def bytewise(gate):
    """A byte a record: the verdict stays."""
    whole = settings() + ping() + post(stream=1) + get(stream=3) + widen(1)
    for sent, verdict in ((whole, lambda peer: (peer.expect_status(200), peer.expect_status(404, 3))),
                          (whole + frame(6, 0, 0, bytes(7)), lambda peer: peer.expect_end(FRAME_SIZE)),
                          (whole + data(stream=3), lambda peer: peer.expect_reset(CLOSED, stream=3)),
                          (whole + priority(5, 5), lambda peer: peer.expect_end(PROTOCOL))):
        for size in (1, 2, 13):
            with Peer(gate) as peer:
                peer.send_pieces([sent[index:index + size] for index in range(0, len(sent), size)])
                verdict(peer)


def sections_in_pieces(gate):
    """A section that is cut is whole when its rest comes, whatever this and other connections said meanwhile."""
    before = len(gate.recorder.pushes)
    first, second = post_head(stream=3, path=PATH + b"/one/1"), post_head(auth=authorization("other"), path=PATH + b"/other/1")
    for cut in range(1, len(first), 3):
        with Peer(gate) as peer, Peer(gate) as other:
            other.say(second[:cut])
            peer.say(post(stream=1, path=PATH + b"/whole/1"), first[:cut])
            peer.expect_status(200, 1)
            other.say(second[cut:], data())
            other.expect_status(200)
            peer.say(first[cut:], data(stream=3))
            peer.expect_status(200, 3)
    # A push of the row before, whose connection has ended, may come as late as now.
    paths = [push.path.rsplit(b"/", 2)[1] for push in gate.recorder.pushes[before:] if push.path != PATH]
    expect(paths == [b"whole", b"other", b"one"] * (len(paths) // 3), f"{paths}")


RECORDED = [
    settings((WINDOW_SIZE, 65535)), settings(flags=ACK), widen(1 << 20), priority(3, 0), post(stream=1),
    headers(section(head())[:9], stream=3, flags=END_STREAM), frame(CONTINUATION, END_HEADERS, 3, section(head())[9:]), ping(),
    post_head(stream=5), data(BODY[:9], 5, 0), widen(100, 5), data(BODY[9:], 5, 0), headers([(b"x", b"1")], stream=5),
    post((b"content-encoding", b"gzip"), stream=7, body=gzip.compress(BODY)), get(stream=9), reset(9),
    post_head((b"expect", b"100-continue"), stream=11), data(stream=11), goaway()]


def broken_off(gate):
    """What a good client has said, cut at every eleventh place."""
    whole = b"".join(RECORDED)
    for cut in range(0, len(whole), 11):
        with Peer(gate) as peer:
            peer.say(whole[:cut])
            peer.finish()
            expect(peer.ended() and not set(peer.codes) - {PROTOCOL}, f"cut at {cut}: {peer.last_words}")
            expect(all(stream.status in (None, 200, 404) for stream in peer.streams.values()), f"cut at {cut}")


def mutated(gate):
    """The same with bytes and frames changed, doubled, left out, by a fixed seed: the gate goes on."""
    chance = random.Random(85)
    for number in range(500):
        frames = list(RECORDED)
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(frames))
            kind = chance.randrange(5)
            if kind == 0:
                frames.insert(place, chance.choice(RECORDED))
            elif kind == 1 and len(frames) > 1:
                del frames[place]
            elif frames[place]:
                changed = bytearray(frames[place])
                changed[chance.randrange(len(changed))] = chance.choice((0, 1, 0x7f, 0x80, 0xff, chance.randrange(256)))
                frames[place] = bytes(changed)
        with Peer(gate) as peer:
            peer.say(*frames)
            peer.wait(lambda: peer.goaways or peer.streams[11].has_ended, 0.05)
        if number % 50 == 0:
            gate.push_good()


def with_path(*values):
    return [post(path=value) for value in values]


def with_field(*fields):
    return [post(field) for field in fields]


def last_stream(peer):
    peer.say(get(stream=(1 << 31) - 1))
    peer.expect_status(404, stream=(1 << 31) - 1)
    peer.say(get(stream=1))


ROWS = [
    Row("B001", "requests that are taken back at once", Does("calmed"), rapid_reset_reaches_nobody),
    Row("B002", "requests that are taken back when they have reached the Pushgateway", Does("served"), slow_rapid_reset),
    Row("B003", "a WINDOW_UPDATE by nothing", Ended(PROTOCOL), post_head() + widen(0, 1)),
    Row("B004", "a window that overflows", Ended(FLOW_CONTROL), post_head() + widen((1 << 31) - 1, 1) * 2),
    Row("B005", "DATA behind the end", Ended(CLOSED), post() + data(), get() + data()),
    Row("B006", "HEADERS behind the end", Ended(CLOSED), post() + get(), get() + get()),
    Row("B007", "PRIORITY on itself", Ended(PROTOCOL), get() + priority(1, 1)),
    Row("B007", "PRIORITY of another length", Ended(FRAME_SIZE), post_head() + frame(PRIORITY, 0, 1, bytes(4))),
    Row("B008", "resets that malformed requests provoke", MadeToReset(PROTOCOL), lambda stream: get((b"X", b"1"), stream=stream),
        lambda stream: post((b"content-length", b"1"), stream=stream), lambda stream: get(path=None, stream=stream)),
    Row("B009", "streams beyond their number", Does("calmed"), too_many_streams),
    Row("B010", "CONTINUATION without an end", ended_calmly, endless_section(literal(b"x", b"y" * 1000))),
    Row("B011", "CONTINUATION of nothing without an end", ended_calmly, endless_section(b"")),
    Row("B012", "a header section that never ends", Does("ended"), unfinished_section, gate=QUICK),
    Row("B013", "a field remembered and named a thousand times", ended_calmly, bomb(100), bomb(16000)),
    Row("B014", "many such sections, with no room for answers", Does("calmed"), held_bombs),
    Row("B014", "a section of tiny fields", ended_calmly, bomb(16000, size=1)),
    Row("B015", "a cookie in thousands of crumbs", ended_calmly, crumbs(1600), crumbs(300)),
    Row("B015", "a section that is too large is told so", Does("told"), large_but_legible),
    Row("B016", "the same in a trailer section", ended_calmly, bomb(16000, trailer=True), bomb(300, trailer=True, size=1)),
    Row("B017", "the table's size changed a thousand times", Does("bounded"), table_churn),
    Elsewhere("B018", "a table larger than allowed, or changed in the middle (7541-6.3, 7541-4.2)", CONFORMANCE),
    Elsewhere("B019", "integers without an end (7541-5.1)", CONFORMANCE),
    Elsewhere("B020", "an index that is none (7541-6.1, 7541-2.3.3)", CONFORMANCE),
    Elsewhere("B021", "Huffman codes with other padding (7541-5.2)", CONFORMANCE),
    Elsewhere("B022", "a string longer than its section (7541-5.2)", CONFORMANCE),
    Row("B023", "a flood of PING", Flooded(), lambda _: ping()),
    Row("B024", "a flood of PING by who does not read", Does("bounded"), unread_pings, gate=QUICK),
    Row("B025", "a flood of SETTINGS", Flooded(), lambda _: settings()),
    Row("B025", "acknowledgements of nothing", Ended(PROTOCOL), settings(flags=ACK) * 2),
    Row("B026", "SETTINGS with many entries", ended_calmly, settings(*[(3, 100)] * 33), settings(*[(0xff, 1)] * 2730)),
    Row("B027", "settings that are never acknowledged", Ended(SETTINGS_TIMEOUT, acknowledges=False), b"", post(), get(),
        gate=QUICK),
    Row("B027", "the same, by who has closed his side", Does("ended"), gone_silent, gate=QUICK),
    Row("B028", "windows of many streams changed again and again", ended_calmly, churned_windows),
    Elsewhere("B029", "settings out of their bounds (6.5.2)", CONFORMANCE),
    Row("B030", "a flood of PRIORITY", Flooded(), lambda stream: priority(stream, 0), lambda _: priority(7, 5)),
    Row("B031", "a flood of empty DATA", Flooded(5), lambda stream: (post_head() if stream == 1 else b"") + data(b"", 1, 0)),
    Row("B032", "names of nothing", Unserved(400, 431), get((b"", b"")), get(*[(b"", b"")] * 60), post((b"", b"x"))),
    Row("B033", "a body that dribbles", Does("408"), dribble, gate=QUICK),
    Row("B034", "a flood of RST_STREAM for a stream that is over", ended_calmly, resets_of_closed),
    Row("B035", "a flood of WINDOW_UPDATE", Flooded(), lambda _: widen(1)),
    Elsewhere("B036", "windows by nothing, or too large (6.9, 6.9.1)", CONFORMANCE),
    Row("B037", "DATA for a stream that was reset", ended_calmly, data_to_reset_stream),
    Row("B038", "more padding than body", Does("accepted"), padded_body),
    Row("B039", "a flood of frames that are unknown", Flooded(), lambda _: frame(0xfe, 0xff, 0, b"x" * 100)),
    Elsewhere("B040", "PUSH_PROMISE from a client (8.4)", CONFORMANCE),
    Elsewhere("B041", "a stream of even number (5.1.1)", CONFORMANCE),
    Elsewhere("B042", "a stream of lower number (5.1.1)", CONFORMANCE),
    Row("B043", "the last stream that there is", Ended(PROTOCOL), last_stream),
    Elsewhere("B044", "one stream too many (5.1.2)", CONFORMANCE),
    Row("B045", "bodies before anything is known of the client", Does("bounded"), early_bodies),
    Row("B046", "silence instead of a preface, or within it", Does("ended"), silent_client, gate=QUICK),
    Elsewhere("B047", "frames that are too large (4.2)", CONFORMANCE),
    Elsewhere("B048", "frames of another length than they have (6.3 to 6.9)", CONFORMANCE),
    Row("B049", "what comes behind the end of the connection", Ended(FRAME_SIZE),
        frame(SETTINGS, payload=bytes(5)) + frame(WINDOW_UPDATE, length=(1 << 24) - 1) + bytes(4),
        frame(SETTINGS, payload=bytes(5)) + get() + data() + frame(WINDOW_UPDATE, payload=bytes(3)) + settings()),
    Row("B050", "a byte a record", Does("the same"), bytewise),
    Row("B050", "header sections in pieces, among others", Does("apart"), sections_in_pieces),
    Row("B051", "bytes that no path has", Unserved(), *with_path(
        PATH + b" HTTP/1.1", PATH + b" x", PATH + b"\rx", PATH + b"\nx", PATH + b"\r\nX: 1", PATH + b"\0", PATH + b"#x", PATH + b"\xff",
        PATH + b"\xc3\xa9", PATH + b" HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"/\t", PATH + b"\x7f", PATH + b"\\x", PATH + b'"')),
    Row("B052", "paths of another form", Unserved(), *with_path(
        b"", b"*", b"metrics/job/attack", b"https://localhost" + PATH, b"//localhost" + PATH, b"?", b"x")),
    Row("B053", "a request within the method", Unserved(400, 405), *(post(method=value) for value in (
        b"", b"POST ", b" POST", b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nx:", b"GET?", b"post", b"P\0ST", b"POST\n", b"(", b"x" * 100))),
    Row("B054", "authorities that are none", Unserved(), *(post(authority=value) for value in (
        b"", b"localhost\r\nX: 1", b"user@localhost", b"a:b@localhost", b"localhost:99999", b"localhost/x", b"a b", b"[::1", b"a?b", b"a#b")),
        post((b"host", b"elsewhere")), post((b"host", b"localhost"), (b"host", b"localhost"))),
    Row("B055", "schemes that are none", Unserved(), *(post(scheme=value) for value in (
        b"", b"http://localhost/?", b"https ", b"ht\rtps", b"ftp", b"javascript"))),
    Elsewhere("B056", "pseudo-header fields that are missing, twice, unknown, or late (8.3, 8.3.1)", CONFORMANCE),
    Elsewhere("B057", "pseudo-header fields in a trailer section (8.3)", CONFORMANCE),
    Row("B058", "names that are none", Unserved(400), *with_field(*((name, b"1") for name in (
        b"Content-Length", b"foo: b\r\nte", b"foo:", b"fo o", b" foo", b"foo ", b"foo\r", b"foo\n", b"foo\0", b"f\xc3\xb6", b"\xff", b"f\x7f",
        b"transfer_encoding", b"content_length")))),
    Row("B059", "values that are none", Unserved(400), *with_field(*((b"x", value) for value in (
        b"a\rb", b"a\nb", b"a\0b", b"\ra", b"a\n", b"a\r\nTransfer-Encoding: chunked")))),
    Row("B060", "fields about a connection", broken, *with_field(
        (b"connection", b"close"), (b"connection", b"content-length"), (b"keep-alive", b"timeout=5"), (b"upgrade", b"h2c"),
        (b"proxy-connection", b"keep-alive"))),
    Row("B061", "a coding of HTTP/1.1", broken, *with_field(
        (b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"identity"), (b"transfer-encoding", b"")),
        post_head((b"transfer-encoding", b"chunked")) + data(b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n")),
    Row("B062", "another length than DATA have", Unserved(400), *(post((b"content-length", value)) for value in (
        b"28", b"30", b"0", b"+29", b"-1", b"", b"029x", b"0x1d", b"29, 29", b"99999999999999999999", b" ")),
        post((b"content-length", b"29"), (b"content-length", b"29")), post((b"content-length", b"29"), (b"content-length", b"30"))),
    Row("B063", "te other than trailers", broken, *with_field((b"te", b"chunked"), (b"te", b"trailers, chunked"), (b"te", b""))),
    Row("B064", "CONNECT", Unserved(), get(method=b"CONNECT"), get(method=b"CONNECT", scheme=None, path=None),
        headers([(b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"https"), (b":path", PATH),
                 (b":authority", b"localhost")])),
    Row("B065", "a request within a value", Unserved(400), post((b"x", b"a\r\n\r\nGET / HTTP/1.1\r\nHost: localhost")),
        post((b"user-agent", b"a\nPOST /metrics/job/smuggled HTTP/1.1"))),
    Row("B066", "a body that still comes when it is refused", Does("lingers"),
        still_coming(10 << 20, 413, authorization("good"))),
    Row("B067", "a body of 1 GiB from nobody known", Does("lingers"), still_coming(1 << 30, 401, None)),
    Row("B068", "bodies that are broken off", Does("served"), window_leak),
    Row("B069", "an answer for which there is never room", Does("reset"), unread_answer, gate=QUICK),
    Row("B070", "room for a byte at a time", Does("bounded"), narrow_answer),
    Row("B071", "GOAWAY from a client", Does("bounded"), farewell_then_more),
    Row("B072", "streams behind our GOAWAY", Does("ignored"), streams_after_goaway, gate=QUICK),
    Row("B073", "going down in two steps", Does("drained"), drain),
    Row("B074", "idle, but for PING", Does("ended"), pings_do_not_keep, gate=QUICK),
    Row("B074", "idle, but for a malformed request", Does("ended"), malformed_and_silent, gate=QUICK),
    Row("B075", "suites that HTTP/2 forbids", Does("refused"), weak_suites),
    Elsewhere("B076", "renegotiation", "Tests/Attacks/family_c.py"),
    NotHere("B077", "a certificate asked for after the handshake", "the gate asks in the handshake or not at all"),
    Row("B078", "thousands of requests one after another", Does("bounded"), sequential_streams),
    Row("B079", "slow bodies on all streams", Does("bounded"), many_slow_bodies, gate=SMALL),
    Row("B080", "32 bodies interleaved", Does("apart"), interleaved),
    Row("B081", "a login on one stream, none on the next", Does("401"), sibling),
    Row("B082", "a reset behind the answer", Alive(), get() + reset(), post() + reset()),
    Elsewhere("B083", "the whole of RFC 9113 and RFC 7541", CONFORMANCE),
    Row("B084", "a good conversation that is broken off", Does("ended"), broken_off),
    Row("B085", "a good conversation with mistakes", Does("survived"), mutated),
]
