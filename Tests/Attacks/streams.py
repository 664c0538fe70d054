"""What the gate does for one request it does for each stream: the rest of its rules, over HTTP/2."""

import contextlib
import gzip
import random
import time

from family_b import ODD, QUICK, authorization, served
from frames import NO_ERROR, WINDOW_SIZE, Peer, data, get, ping, post, post_head, reset, settings, widen
from gate import BODY, PATH, Gate
from recorder import OK
from table import Does, Row, expect_forwarded
from wire import expect

SLOW = {"upstream_settings": ", connections_max: 1, timeout: 5s"}
TIGHT = {"settings": "limits: {buffered_bytes_max: 8MiB, body_bytes_max: 1MiB}\n"}
GZIP = (b"content-encoding", b"gzip")
LINE = b"# " + b"x" * 997 + b"\n"
LINES = LINE * 1000 + BODY


def slow_reply(seconds):
    return lambda connection, _: time.sleep(seconds) or connection.sendall(OK) or True


def gzip_bodies(gate):
    """Undone piece by piece, on several streams at once, whatever the pieces."""
    before = len(gate.recorder.pushes)
    with Peer(gate) as peer:
        small, large = gzip.compress(BODY), gzip.compress(LINES)
        for stream in (1, 3):
            peer.say(post_head(GZIP, stream=stream))
        for index in range(len(small)):
            is_last = index == len(small) - 1
            peer.say(*(data(small[index:index + 1], stream, int(is_last)) for stream in (1, 3)))
        for stream in (1, 3):
            peer.expect_status(200, stream)
        peer.say(post_head(GZIP, stream=5))
        peer.send_body(large, 5, piece=100)
        peer.expect_status(200, 5)
        expect_forwarded(gate, before, [BODY, BODY, LINES])
        for stream, sent, status in ((7, small[:-1], 400), (9, small + b"x", 400), (11, b"", 400), (13, BODY, 400),
                                     (15, gzip.compress(bytes(1 << 24)), 413), (17, gzip.compress(LINES * 5), 413)):
            peer.say(post_head(GZIP, stream=stream))
            peer.send_body(sent, stream)
            peer.expect_status(status, stream)
        served(peer, 19)


def health(gate):
    with Peer(gate) as peer:
        peer.say(get(path=b"/-/healthy"), get(path=b"/-/healthy", method=b"HEAD", stream=3), get(path=b"/-/healthy?x=1", stream=5))
        whole = peer.expect_status(200)
        empty = peer.expect_status(200, 3)
        expect(whole.body and not empty.body, f"{whole.body} {empty.body}")
        expect(int(empty.fields["content-length"]) == len(whole.body), f"{empty.fields}")
        peer.answer(5)


def continues(gate):
    """100 when the body is wanted, the final answer at once when it is not."""
    before = len(gate.recorder.pushes)
    wish = (b"expect", b"100-continue")
    with Peer(gate) as peer:
        peer.say(post_head(wish))
        expect(peer.wait(lambda: peer.streams[1].interim == [100]), "no 100")
        peer.say(data())
        peer.expect_status(200)
        peer.say(post_head(wish, stream=3, auth=None), post_head(wish, stream=5, path=b"/"),
                 post_head(wish, (b"content-length", b"10000000"), stream=7))
        for stream, status in ((3, 401), (5, 404), (7, 413)):
            expect(not peer.expect_status(status, stream).interim, "100, and then no")
        peer.say(post(wish, stream=9))
        peer.expect_status(200, 9)
    expect_forwarded(gate, before, [BODY] * 2)


def revoked(gate, takes_away):
    """Requests under way end by what held when they began; the next is told no, and that is the end."""
    gate.recorder.reply = slow_reply(1)
    with Peer(gate, source="127.0.1.9") as peer:
        peer.say(post_head(auth=authorization("other")), post(stream=3, auth=authorization("other")))
        expect(wait_for(lambda: gate.recorder.pushes), "not forwarded")
        takes_away()
        expect(gate.reload() == 200, "no reload")
        peer.say(data(), post(stream=5, auth=authorization("other")))
        for stream, status in ((1, 200), (3, 200), (5, 403)):
            peer.expect_status(status, stream)
        expect(peer.ended() and peer.goaways == [(5, NO_ERROR)], f"{peer.last_words}")


def wait_for(condition, seconds=5):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def address_taken_away(_):
    with Gate() as gate:
        revoked(gate, lambda: gate.write(gate.configuration(allow="[127.0.0.1]")))


def user_taken_away(_):
    def takes_away():
        file = gate.folder / "htpasswd"
        file.write_text("".join(line for line in file.read_text().splitlines(True) if not line.startswith("other:")))
    with Gate() as gate:
        revoked(gate, takes_away)


def anything_in_any_order(gate, seed=7):
    """Requests of all kinds on many streams, in pieces and in any order, by a fixed seed, taken back or left: each that
    came to its end has the answer it should have, and nothing is held afterwards."""
    chance = random.Random(seed)
    gate.recorder.reply = lambda connection, _: time.sleep(chance.choice((0, 0, 0.01))) or connection.sendall(OK) or True
    for _ in range(25):
        with Peer(gate) as peer:
            under_way, expected = {}, {}
            for stream in ODD[:150]:
                begin_something(peer, stream, chance, under_way, expected)
                while len(under_way) > chance.randint(0, 20):
                    go_on_with_something(peer, chance, under_way, expected)
                if chance.random() < 0.1:
                    peer.say(ping(), settings((WINDOW_SIZE, chance.choice((0, 1, 100, 65535)))), settings((WINDOW_SIZE, 65535)))
            while under_way and chance.random() < 0.9:
                go_on_with_something(peer, chance, under_way, expected)
            peer.expect_alive()
            for stream, status in expected.items():
                if stream not in under_way:
                    peer.expect_status(status, stream)
    gate.recorder.reply = OK
    expect(wait_for(lambda: gate.metric('kanmon_connections{state="active"}') == 0), "something is under way for ever")
    # All the memory there is, by an address for each megabyte.
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(Peer(gate, source=f"127.0.1.{number}")) for number in range(1, 10)]
        for peer in peers:
            peer.say(post_head((b"content-length", b"%d" % (1 << 20))))
            peer.wait(lambda: peer.streams[1].status, 0.1)
        statuses = [peer.streams[1].status for peer in peers]
        expect(statuses == [None] * 8 + [503], f"memory is held for ever: {statuses}")


def begin_something(peer, stream, chance, under_way, expected):
    def is_open(number):
        return number in under_way or not peer.streams[number].has_ended
    end = time.monotonic() + 10
    while sum(map(is_open, expected)) >= 30:
        expect(time.monotonic() < end and not peer.is_over, f"nothing goes on: {peer.last_words}")
        if under_way:
            go_on_with_something(peer, chance, under_way, expected)
        else:
            peer.wait(lambda: sum(map(is_open, expected)) < 30, 0.5)
    kind = chance.randrange(8)
    body, fields, others = LINE * chance.choice((0, 0, 3, 60)) + BODY, [], {}
    expected[stream] = 200
    if kind == 0:
        expected[stream] = 404
        return peer.say(get(stream=stream))
    if kind == 1:
        return peer.say(get(path=b"/-/healthy", stream=stream))
    if kind == 2:
        body, expected[stream] = body + b"nonsense{\n", 400
    elif kind == 3:
        body, fields = gzip.compress(body), [GZIP]
    elif kind == 4:
        fields = [(b"content-length", b"%d" % len(body))]
    elif kind == 5:
        others, expected[stream] = {"auth": authorization("good", "wrong")}, 401
    elif kind == 6:
        others, expected[stream] = {"path": b"/nowhere"}, 404
    peer.say(post_head(*fields, stream=stream, **others))
    under_way[stream] = body


def go_on_with_something(peer, chance, under_way, expected):
    """A piece of some body, or the last of it, if there is room; sometimes the request is taken back."""
    stream = chance.choice(list(under_way))
    body, found = under_way[stream], peer.streams[stream]
    count = min(len(body), chance.choice((1, 100, 5000, 16384)))
    if chance.random() < 0.02:
        peer.say(reset(stream))
        del under_way[stream], expected[stream]
    elif found.has_ended or found.reset is not None:
        # Answered before its end: no more is sent, and in two seconds the gate takes it back.
        peer.say(reset(stream, NO_ERROR))
        del under_way[stream]
    elif peer.wait(lambda: min(peer.room, found.room) >= count or found.has_ended, 0.5) and not found.has_ended:
        peer.room, found.room, under_way[stream] = peer.room - count, found.room - count, body[count:]
        peer.say(data(body[:count], stream, int(count == len(body))))
        if count == len(body):
            del under_way[stream]


def reloaded(_):
    """A request is judged by the configuration that holds when it begins, on a connection from before too."""
    rights = "auth: {users_file: htpasswd, users: {good: {groups: [{job: attacks-good}]}}}"
    with Gate() as gate, Peer(gate) as peer:
        served(peer, 1)
        old = gate.configuration()
        gate.write(old.replace("auth: {users_file: htpasswd}", rights))
        expect(gate.reload() == 200, "no reload")
        for stream in (3, 5):
            peer.say(post(stream=stream))
            peer.expect_status(403, stream)
        gate.write(old)
        expect(gate.reload() == 200, "no reload")
        for stream in (7, 9):
            served(peer, stream)


def verified_late(gate):
    """Bodies come while passwords are looked at: they wait within their windows, and none is lost."""
    with Gate(cost=12) as gate:
        before = len(gate.recorder.pushes)
        body = LINE * 60 + BODY
        with Peer(gate) as peer:
            for stream in (1, 3):
                peer.say(post_head(stream=stream, auth=authorization("costly")))
            peer.say(post(stream=5))
            peer.say(*(data(piece, stream, 0) for stream in (1, 3) for piece in (body[:15000], body[15000:30000])))
            peer.room -= 60000 + len(BODY)
            expect(peer.expect_status(200, 5) and peer.streams[1].status is None, "the others do not wait")
            for stream in (1, 3):
                peer.streams[stream].room -= 30000
                expect(peer.send_body(body[30000:], stream), "the window is lost")
                peer.expect_status(200, stream)
        expect_forwarded(gate, before, [BODY, body, body])


def wrong_in_flight(gate):
    """A login that turns out wrong with all that the windows allow waiting: told no, and the windows are given back."""
    with Peer(gate) as peer:
        for stream in ODD[:12]:
            peer.say(post_head(stream=stream, auth=authorization("good", f"guess {stream}")))
            expect(peer.send_body(b"#" * 60000, stream), f"the window is lost: {stream}")
            peer.expect_status(401, stream)
        served(peer, 101)


def queue_for_one(gate):
    """All streams wait for a single connection to a slow Pushgateway: each in turn, none lost, others are told."""
    before = len(gate.recorder.pushes)
    gate.recorder.reply = slow_reply(0.03)
    try:
        with Peer(gate) as peer:
            peer.say(*(post(stream=stream, path=PATH + b"/stream/%d" % stream) for stream in ODD[:31]))
            peer.say(get(stream=ODD[31], path=b"/-/healthy"))
            peer.expect_status(200, ODD[31])
            expect(peer.streams[ODD[30]].status is None, "nobody waits")
            for stream in ODD[:31]:
                peer.expect_status(200, stream)
    finally:
        gate.recorder.reply = OK
    paths = [push.path for push in gate.recorder.pushes[before:]]
    expect(paths == [PATH + b"/stream/%d" % stream for stream in ODD[:31]], f"{paths}")


def taken_back_in_queue(gate):
    """Who takes a request back while it waits, or is on its way, takes no other's place."""
    gate.recorder.reply = slow_reply(0.1)
    try:
        with Peer(gate) as peer:
            peer.say(*(post(stream=stream) for stream in ODD[:20]))
            peer.wait(lambda: False, 0.05)
            peer.say(*(reset(stream) for stream in ODD[:20:2]))
            for stream in ODD[1:20:2]:
                peer.expect_status(200, stream)
            peer.expect_alive()
    finally:
        gate.recorder.reply = OK


def gone_with_all(gate):
    """A client that goes, in each way, with everything under way."""
    for way in ("reset", "say_goodbye", "finish"):
        gate.recorder.reply, before = slow_reply(0.5), len(gate.recorder.pushes)
        with Peer(gate) as peer:
            peer.say(*(post(stream=stream) for stream in ODD[:10]), *(post_head(stream=stream) for stream in ODD[10:20]),
                     post_head(stream=61)[:30])
            expect(wait_for(lambda: len(gate.recorder.pushes) > before), "no push is on its way")
            getattr(peer, way)()
            if way == "say_goodbye":
                for stream in ODD[:10]:
                    peer.expect_status(200, stream)
            if way == "reset":
                expect(wait_for(lambda: "client gone before its answer" in gate.log()), "nothing is told of pushes on their way")
            else:
                expect(peer.ended(), "the connection stays")
        gate.recorder.reply = OK
        gate.push_good()


def dead_upstream(gate):
    """Nobody listens: 503 on each stream, with the connection as it was, and served once somebody does."""
    gate.recorder.hang_up()
    with Peer(gate) as peer:
        peer.say(*(post(stream=stream) for stream in ODD[:20]))
        for stream in ODD[:20]:
            expect(int(peer.expect_status(503, stream).fields["retry-after"]) > 0, "no Retry-After")
        gate.recorder.listen()
        served(peer, 101)


def silent_upstream(gate):
    """A Pushgateway that does not answer costs each stream its time, and no more."""
    gate.recorder.reply = lambda connection, _: time.sleep(3) or False
    try:
        with Peer(gate) as peer:
            began = time.monotonic()
            peer.say(*(post(stream=stream) for stream in ODD[:4]))
            for stream in ODD[:4]:
                expect(peer.answer(stream).status in (503, 504), f"{peer.streams[stream].status}")
            expect(time.monotonic() - began < 8, "that took long")
            gate.recorder.reply = OK
            served(peer, 101)
    finally:
        gate.recorder.reply = OK


def never_reads(gate):
    """Answers that are never read end the connection at write_timeout, with what waits for it."""
    with Peer(gate, (WINDOW_SIZE, 1 << 20), receive_buffer=1024) as peer:
        peer.say(widen(1 << 24))
        try:
            peer.socket.settimeout(5)
            for stream in ODD[:400]:
                peer.tls.write(get(stream=stream))
                peer.socket.sendall(peer.outgoing.read())
        except OSError:
            pass
        expect(peer.ended(8), "the connection stays")


def window_of_all(gate):
    """The windows of all streams together are the connection's: 256 KiB once somebody has logged in."""
    with Peer(gate) as peer:
        served(peer, 1)
        peer.expect_alive()
        expect(0 <= (256 << 10) - peer.room <= len(BODY), f"{peer.room}")
        peer.say(*(post_head(stream=stream) for stream in ODD[1:32]))
        for stream in ODD[1:32]:
            expect(peer.send_body(LINE * 64 + BODY, stream), "the window is lost")
            peer.expect_status(200, stream)


ROWS = [
    Row("gzip", "bodies in gzip, in any pieces", Does("accepted"), gzip_bodies),
    Row("health", "GET and HEAD of the health", Does("answered"), health),
    Row("expect", "100-continue", Does("answered"), continues),
    Row("address", "a reload takes the address of an open connection away", Does("ended"), address_taken_away),
    Row("user", "a reload takes the user of an open connection away", Does("ended"), user_taken_away),
    Row("reload", "a reload changes what an open connection may do", Does("refused"), reloaded),
    Row("late", "passwords that take their time", Does("accepted"), verified_late),
    Row("wrong", "wrong passwords, with bodies behind them", Does("refused"), wrong_in_flight),
    Row("queue", "many streams wait for one connection", Does("accepted"), queue_for_one, gate=SLOW),
    Row("taken back", "requests taken back while they wait", Does("apart"), taken_back_in_queue, gate=SLOW),
    Row("gone", "a client that goes with everything under way", Does("freed"), gone_with_all),
    Row("dead", "a Pushgateway that is not there", Does("503"), dead_upstream),
    Row("silent", "a Pushgateway that says nothing", Does("504"), silent_upstream,
        gate={"upstream_settings": ", first_byte_timeout: 1s, timeout: 2s, connections_max: 4"}),
    Row("unread", "a client that never reads", Does("ended"), never_reads, gate=QUICK),
    Row("anything", "anything in any order", Does("answered"), anything_in_any_order, gate=TIGHT),
    Row("windows", "the windows of all streams", Does("bounded"), window_of_all),
]
