"""J: a Pushgateway, or whoever sits in its place, that answers nonsense, late, or not at all."""

import gzip
import itertools
import signal
import socket
import struct
import threading
import time

import lots
from gate import BODY, Pushgateway, push
from recorder import OK
from table import Does, Elsewhere, NotHere, Row
from wire import expect

SHORT = {"upstream_settings": ", connect_timeout: 500ms, first_byte_timeout: 1s, timeout: 2s, connections_max: 4"}
CHUNKED_OK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\n"

# Each worker has connections to the Pushgateway of its own.
ALONE = {"settings": "workers: 1\n"}


def says(data, then="keep"):
    """A reply of these bytes, after which the connection is kept, finished or reset."""
    def reply(connection, _):
        connection.sendall(data)
        if then == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return then == "keep"
    reply.__name__ = repr(data)[:100] + " " + then
    return reply


class Answers:
    """What the client is told when the Pushgateway replies like this, in the gate's own words; a good push finds
    its way right after, on another connection where this one is of no more use."""

    def __init__(self, *statuses, reuses=False):
        self.statuses, self.reuses = statuses, reuses
        self.word = " or ".join(map(str, statuses))

    def check(self, gate, attempt):
        gate.recorder.reply = attempt
        try:
            answer = gate.ask(push())
        finally:
            gate.recorder.reply = OK
        expect(answer and answer.status in self.statuses, f"{answer and (answer.status, answer.text)}")
        expect("attacker" not in answer.text and "attacker" not in str(answer.fields), f"passed on: {answer.text}")
        used = gate.recorder.connections[-1]
        expect(gate.ask(push()).status == 200, "the next push")
        if not self.reuses:
            expect(gate.recorder.connections[-1] is not used, "the connection is used again")


nonsense = Answers(502)
passes = Answers(200, reuses=True)


def replies(*values, then="close"):
    return [says(value, then) for value in values]


def refused_then_back(gate):
    """Nobody listens: 503 at once, with Retry-After; and served again as soon as somebody does."""
    recorder = gate.recorder
    recorder.hang_up()
    began = time.monotonic()
    answer = gate.ask(push())
    expect(answer.status == 503 and int(answer.fields["retry-after"]) > 0, f"{answer.status}")
    expect(time.monotonic() - began < 1, "that took long")
    recorder.listen()
    expect(gate.ask(push()).status == 200, "not served again")


def never_answers(gate):
    """Taken and never answered: 504 at first_byte_timeout, and not sent twice."""
    before = len(gate.recorder.pushes)
    gate.recorder.reply = lambda connection, _: time.sleep(1.5) or False
    began = time.monotonic()
    answer = gate.ask(push())
    gate.recorder.reply = OK
    expect(answer.status == 504 and 0.8 < time.monotonic() - began < 4, f"{answer.status}")
    expect(len(gate.recorder.pushes) == before + 1, "sent more than once")


def closed_when_reused(gate):
    """Closed exactly when it is used again: sent once more, on a new connection. A new one that is closed is not."""
    before, turn = len(gate.recorder.pushes), itertools.count()
    expect(gate.ask(push()).status == 200, "the first")
    gate.recorder.reply = lambda connection, _: next(turn) > 0 and (connection.sendall(OK) or True)
    expect(gate.ask(push()).status == 200, "no second try")
    expect(len(gate.recorder.pushes) == before + 3, f"{len(gate.recorder.pushes) - before} pushes")
    gate.recorder.reply = lambda connection, _: False
    answer = gate.ask(push())
    gate.recorder.reply = OK
    expect(answer.status == 502 and "may have been stored" in answer.text, f"{answer.status} {answer.text}")


def drips(data, pause):
    def reply(connection, _):
        try:
            for index in range(len(data)):
                connection.sendall(data[index:index + 1])
                time.sleep(pause)
        except OSError:
            pass
        return False
    return reply


def too_slow(gate):
    for data in (HEAD + b"Content-Length: 0\r\n\r\n", OK[:-5] + b"100\r\n\r\n" + b"x" * 100):
        gate.recorder.reply = drips(data, 0.2)
        began = time.monotonic()
        answer = gate.ask(push())
        gate.recorder.reply = OK
        expect(answer.status == 504 and time.monotonic() - began < 5, f"{answer.status}")


def late_bytes(gate):
    """Bytes that come on an idle connection are nobody's answer."""
    def reply(connection, _):
        connection.sendall(OK)
        time.sleep(0.1)
        connection.sendall(b"HTTP/1.1 500 attacker\r\nContent-Length: 0\r\n\r\n")
        return True
    gate.recorder.reply = reply
    expect(gate.ask(push()).status == 200, "the first")
    gate.recorder.reply = OK
    time.sleep(0.3)
    expect(gate.ask(push()).status == 200, "the second got the first one's leftovers")


def tells_nothing_of_others(gate):
    """What a Pushgateway says about other groups stays with the operator."""
    said = b'collected metric "attack" { label:<name:"job" value:"attacker-job" > gauge:<value:1 > } is not a COUNTER'
    gate.recorder.reply = says(b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said))
    answer = gate.ask(push())
    gate.recorder.reply = OK
    expect(answer.status == 400 and "attacker" not in answer.text, answer.text)
    time.sleep(0.3)
    expect("attacker" in gate.log(), "the operator is not told")


def stands_still(gate):
    """A Pushgateway that is stopped: pushes end with 503 or 504, memory stays, and all is well when it goes on."""
    before, statuses = gate.resident_bytes(), []
    gate.recorder.signal(signal.SIGSTOP)

    def ask():
        statuses.append(gate.ask(push(), seconds=20).status)

    askers = [threading.Thread(target=ask) for _ in range(60)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    gate.recorder.signal(signal.SIGCONT)
    expect(len(statuses) == 60 and set(statuses) <= {503, 504}, set(statuses))
    expect(gate.resident_bytes() - before < 32 << 20, "memory")
    expect(gate.ask(push()).status == 200, "not served again")


def aborts(gate):
    """Clients that go away while they wait take no connection to the Pushgateway with them."""
    gate.recorder.reply = lambda connection, _: time.sleep(0.3) or connection.sendall(OK) or True
    for _ in range(100):
        connection = gate.connect()
        connection.send(push())
        connection.reset()
    gate.recorder.reply = OK
    time.sleep(0.5)
    for _ in range(8):
        expect(gate.ask(push()).status == 200, "no connection is left")


ROWS = [
    Row("J001", "nobody listens", Does("503"), refused_then_back, gate=SHORT),
    Elsewhere("J002", "a connection that is never made",
              "a Pushgateway that takes no connection is given up after connect_timeout"),
    Row("J003", "taken and never answered", Does("504"), never_answers, gate=SHORT),
    Row("J004", "closed or reset before, in the middle of, and behind half of an answer", nonsense,
        *(says(OK[:count], then) for count in (0, 5, 17, 30) for then in ("close", "reset")),
        *(says(HEAD + b"Content-Length: 5\r\n\r\n" + b"x" * count, then) for count in (0, 3) for then in ("close", "reset"))),
    Row("J005", "closed when it is used again", Does("200"), closed_when_reused, gate=ALONE),
    Elsewhere("J006", "stored, and the answer lost", "a push without an answer in time is not sent twice"),
    Row("J007", "an answer byte by byte, slower than its time", Does("504"), too_slow, gate=SHORT),
    Row("J008", "a status line that is none", nonsense, *replies(*(
        line + b"\r\nContent-Length: 0\r\n\r\n" for line in (
            b"HTTP/0.9 200 OK", b"HTTP/1.1 0", b"HTTP/1.1 2OO OK", b"HTTP/1.1 999 x", b"HTTP/1.1 600 x", b"HTTP/1.1 20 OK",
            b"HTTP/1.1 2000 OK", b"HTTP/2 200 OK", b"HTTP/1.1  200 OK", b"http/1.1 200 OK", b"200 OK", b"", b"\0",
            b"HTTP/1.1 200 O\0K", b"HTTP/1.1 200 O\rK", b"HTTP/1.1 -20 OK", b"HTTP/1.1 200")),
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", b"attacker", b"SSH-2.0-x\r\n", b"\x15\x03\x01\0\x02\x02\x46")),
    Row("J009", "fields too long, too many or malformed", nonsense, *replies(*(
        HEAD + field + b"\r\nContent-Length: 0\r\n\r\n" for field in (
            b"X: " + b"x" * 20_000, b"\r\n".join([b"x: y"] * 10_000), b"X: a\0b", b"X: a\nY: b", b"X: a\r\n b", b"X : y",
            b": y", b"X", b"\tX: y", b"X: a\rb", b"X\x80: y")))),
    Row("J010", "a body longer than the answer to a push can be", nonsense, *replies(
        HEAD + b"Content-Length: 70000\r\n\r\n" + b"x" * 70_000, HEAD + b"Content-Length: 9999999999\r\n\r\n",
        CHUNKED_OK + b"11170\r\n" + b"x" * 70_000 + b"\r\n0\r\n\r\n", HEAD + b"\r\n" + b"x" * 70_000)),
    Row("J011", "a length or chunks that contradict or are none", nonsense, *replies(*(
        HEAD + fields + b"\r\n\r\n" + body for fields, body in (
            (b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"), (b"Content-Length: 5\r\nContent-Length: 6", b"x" * 6),
            (b"Content-Length: 0\r\nContent-Length: 0", b""), (b"Content-Length: -1", b""), (b"Content-Length: 0x5", b"x" * 5),
            (b"Content-Length: 1, 1", b"x"), (b"Content-Length: +0", b""), (b"Content-Length:", b""), (b"Content-Length: 00", b""),
            (b"Content-Length: 99999999999999999999", b""), (b"Transfer-Encoding: gzip, chunked", b"0\r\n\r\n"),
            (b"Transfer-Encoding: xchunked", b""), (b"Transfer-Encoding: chunked, chunked", b"0\r\n\r\n"),
            (b"Transfer-Encoding: chunked", b"ZZ\r\n"), (b"Transfer-Encoding: chunked", b"5\nhello\r\n0\r\n\r\n"),
            (b"Transfer-Encoding: chunked", b"5\r\nhel"), (b"Transfer-Encoding: chunked", b"FFFFFFFFFFFFFFFFF\r\n"),
            (b"Transfer-Encoding: chunked", b"5\r\nhelloX0\r\n\r\n"), (b"Content-Length: 10", b"hello")))),
        says(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "close")),
    Row("J012", "101, and interim answers without end", nonsense, *replies(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 9 + OK,
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000, b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n" + OK)),
    Row("J012", "a few interim answers", passes, *replies(b"HTTP/1.1 100 Continue\r\n\r\n" * 8 + OK, then="keep")),
    Row("J013", "a body where none may be", nonsense, *replies(
        b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", b"HTTP/1.1 304 Not Modified\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),
    Row("J013", "a success without a body, of another store too, is 200", passes, *replies(
        b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", then="keep")),
    Row("J014", "bytes behind an answer", Answers(200), *replies(
        OK + OK, OK + b"attacker", OK + b"\0", OK + b"\r\n", CHUNKED_OK + b"0\r\n\r\nx", then="keep")),
    Row("J014", "bytes that come later, on an idle connection", Does("200"), late_bytes),
    Row("J015", "a redirection is not followed, and not passed on", Answers(502, reuses=True), *replies(*(
        b"HTTP/1.1 %d x\r\nLocation: http://attacker/\r\nContent-Length: 0\r\n\r\n" % status
        for status in (300, 301, 302, 303, 307, 308)), then="keep")),
    Row("J016", "no field of an answer is passed on", passes, *replies(
        HEAD + b"Server: attacker\r\nSet-Cookie: attacker=1\r\nStrict-Transport-Security: attacker\r\nX-Attacker: attacker\r\n"
        b"Access-Control-Allow-Origin: attacker\r\nContent-Length: 8\r\n\r\nattacker", then="keep")),
    Row("J017", "what is said about other groups is not passed on", Does("400"), tells_nothing_of_others),
    Elsewhere("J018", "a no that comes before all of the body was sent",
              "a large push that is refused before all of it has come is told of it"),
    NotHere("J019", "a circuit that opens after failures", "none is built: a connection that is refused costs a "
            "millisecond, one that hangs is bounded by connections_max and connect_timeout (J001, J021)"),
    Row("J019", "errors of a Pushgateway's own", Answers(502, 503, reuses=True), *replies(*(
        b"HTTP/1.1 %d attacker\r\nContent-Length: 8\r\n\r\nattacker" % status for status in (500, 501, 502, 503, 504, 404,
                                                                                            405, 418, 401, 403)), then="keep")),
    Elsewhere("J020", "restarts under load", "restarts under load are told as such, and no yes is a lie"),
    Row("J021", "a real Pushgateway that stands still", Does("503, 504"), stands_still, gate={**SHORT, "upstream": Pushgateway}),
    Elsewhere("J022", "a peer that is gone without a word", "connections that wait for a push are looked after by the kernel"),
    Elsewhere("J023", "more pushes than connections", "who waits longest goes first, and who has gone gives up his place"),
    Row("J024", "clients that go away while they wait", Does("200"), aborts, gate=SHORT),
    Row("J025", "chunks with extensions and trailers, a body in gzip", passes, *replies(
        CHUNKED_OK + b"5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(gzip.compress(BODY, mtime=0)),
                                                                         gzip.compress(BODY, mtime=0)), then="keep")),
    Elsewhere("J026", "a Pushgateway that is poisoned",
              "a Pushgateway that cannot be scraped makes the gate not ready, and is told of"),
    Elsewhere("J027", "a socket that is missing, replaced or closed to the gate",
              "a socket that comes, goes and is another's is used as it is there"),
    Elsewhere("J028", "two addresses of which one is down",
              "addresses are kept as long as the place is the same, and only its own are learned"),
    Elsewhere("J029", "an answer that comes while the gate goes down", "a request in flight is answered, then the gate ends with 0"),
    Row("J030", "a clock that is wrong", passes, *replies(
        HEAD + b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nExpires: 0\r\nAge: 99999999999\r\nContent-Length: 0\r\n\r\n",
        HEAD + b"Date: nonsense\r\nContent-Length: 0\r\n\r\n", then="keep")),
    *lots.ROWS,
    Elsewhere("J031", "a Pushgateway whose file was poisoned", "a Pushgateway that cannot be scraped is named with the group to blame"),
]
