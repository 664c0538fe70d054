"""A: how a request of HTTP/1.1 is framed and parsed, and how another one is smuggled in it."""

import functools
import http.client
import random
import time

import smuggling
from gate import BODY, LOGIN, PATH, chunked, login, push, request
from table import Accepted, Does, NotHere, Refused, Row, expect_forwarded
from wire import CONTEXT, expect, Failure

CHUNKED = b"Transfer-Encoding: chunked"
ONE_CHUNK = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
SMUGGLED = push(path=b"/metrics/job/smuggled")
refused = Refused(400)


def chunk(size_line, data=BODY):
    """One chunk whose size line is these bytes, and the last chunk."""
    return chunked(size_line + b"\r\n" + data + b"\r\n0\r\n\r\n")


def lengths(*values):
    """A push for each of these values of Content-Length."""
    return [request(b"Content-Length: " + value, body=BODY) for value in values]


def codings(*values, fields=(), body=ONE_CHUNK):
    """A push for each of these values of Transfer-Encoding."""
    return [request(b"Transfer-Encoding:" + value, *fields, body=body) for value in values]


def lines(*values, **others):
    """A push for each of these request lines."""
    return [request(b"Content-Length: %d" % len(BODY), line=line, body=BODY, **others) for line in values]


def fields(*values):
    """A push with each of these field lines beside its own."""
    return [push(value) for value in values]


def hosts(*values):
    return [push(host=b"Host: " + value) for value in values]


def targets(*values):
    return lines(*(b"POST " + value + b" HTTP/1.1" for value in values))


def versions(*values):
    return lines(*(b"POST " + PATH + b" " + value for value in values))


# Conversations that have more than one turn

def status_of(answer):
    return answer and answer.status


def ends_without_a_push(gate):
    """Half of a push, then the end of the connection, in each way it can end."""
    before = len(gate.recorder.pushes)
    for half in (push()[:-5], chunked(b"5\r\nattac"), chunked(b"%x\r\n%s\r\n" % (len(BODY), BODY))):
        for end in ("finish", "say_goodbye", "reset"):
            with gate.connect() as connection:
                connection.send(half)
                getattr(connection, end)()
                expect(end == "reset" or connection.answer(3) is None, "half a push is answered")
    expect_forwarded(gate, before, [])


def half_a_push_and_silence(gate):
    before = len(gate.recorder.pushes)
    with gate.connect() as length, gate.connect() as chunks:
        length.send(push()[:-5])
        chunks.send(chunked(b"%x\r\n%s\r\n" % (len(BODY), BODY)))
        for connection in (length, chunks):
            Refused(408).expect(connection)
    expect_forwarded(gate, before, [])


def push_and_nul(gate):
    with gate.connect() as connection:
        connection.send(chunked(ONE_CHUNK) + b"\x00")
        expect(status_of(connection.answer()) == 200, "the push itself is not taken")
        refused.expect(connection)


def pipeline(gate):
    for count in (2, 16, 100):
        before = len(gate.recorder.pushes)
        bodies = [b"attack %d\n" % number for number in range(count)]
        with gate.connect() as connection:
            connection.send(b"".join(push(body=body) for body in bodies))
            for _ in bodies:
                expect(status_of(connection.answer()) == 200, "a pipelined push is not taken")
        expect_forwarded(gate, before, bodies)


def after_close(gate):
    before = len(gate.recorder.pushes)
    with gate.connect() as connection:
        connection.send(push(b"Connection: close") + SMUGGLED)
        answer = connection.answer()
        expect(answer.status == 200 and answer.closes, "close is not agreed to")
        expect(connection.is_closed(), "the connection stays")
    expect_forwarded(gate, before, [BODY])


def continues(gate):
    for sent in (request(b"Expect: 100-continue", b"Content-Length: %d" % len(BODY)),
                 request(b"expect:100-Continue", CHUNKED)):
        with gate.connect() as connection:
            connection.send(sent)
            expect(status_of(connection.answer(has_body=False)) == 100, "no 100")
            connection.send(ONE_CHUNK if b"chunked" in sent else BODY)
            expect(status_of(connection.answer()) == 200, "not taken after 100")


def does_not_continue(*attempts):
    """The final status comes at once, no 100, and a body that is sent all the same is never parsed as a request."""
    def tried(gate):
        before = len(gate.recorder.pushes)
        for status, sent in attempts:
            with gate.connect() as connection:
                connection.send(sent)
                answer = connection.answer()
                expect(answer.status == status, f"{answer.status}, not {status}")
                expect(answer.closes, f"{status}, and the connection is kept")
                try:
                    connection.send(SMUGGLED)
                except OSError:
                    pass
                expect(connection.is_closed(), "what came behind was answered")
        expect_forwarded(gate, before, [])
    return tried


def no_100_where_none_belongs(gate):
    old = push(b"Expect: 100-continue").replace(b"HTTP/1.1", b"HTTP/1.0")
    empty = push(b"Expect: 100-continue", body=b"", method=b"PUT")
    for sent in (old, empty):
        status = gate.ask(sent).status
        expect(status != 100, "100 where none belongs")
        expect(status == 200, f"{status}")


def upgrades(gate):
    before = len(gate.recorder.pushes)
    attempts = [
        [b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"],
        [b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13",
         b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
        [b"Connection: upgrade", b"Upgrade: TLS/1.2, foo/7"],
        [b"Upgrade: h2c"],
    ]
    for attempt in attempts:
        with gate.connect() as connection:
            connection.send(push(*attempt) + push(*attempt).replace(b"HTTP/1.1", b"HTTP/1.0"))
            for _ in range(2):
                expect(status_of(connection.answer()) == 200, "an upgrade, or no answer")
    expect_forwarded(gate, before, [BODY] * 2 * len(attempts))


def body_where_none_belongs(gate):
    """A body that a GET, HEAD or DELETE brings along hides no request."""
    before = len(gate.recorder.pushes)
    for line in (b"GET /-/healthy", b"HEAD /-/healthy", b"DELETE " + PATH, b"GET " + PATH, b"OPTIONS " + PATH):
        for framing, body in ((b"Content-Length: %d" % len(SMUGGLED), SMUGGLED),
                              (CHUNKED, b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED))):
            with gate.connect() as connection:
                connection.send(request(framing, line=line + b" HTTP/1.1", body=body))
                answer = connection.answer(has_body=not line.startswith(b"HEAD"))
                expect(answer.status in (400, 405), f"{answer.status} to {line}")
                if answer.closes:
                    expect(connection.is_closed(), "more than one answer")
                else:
                    connection.send(push(path=PATH + b"/after/it", method=b"DELETE", body=b""))
                    expect(status_of(connection.answer()) == 200, "the request behind is not read as sent")
                    before += 1
    expect(len(gate.recorder.pushes) == before, "a smuggled request reached the Pushgateway")


def body_longer_than_its_length(gate):
    with gate.connect() as connection:
        connection.send(push() + b"attack 2\n")
        expect(status_of(connection.answer()) == 200, "the push itself is not taken")
        refused.expect(connection)


def status_is_read_while_sending(gate):
    """Who is still sending when he is refused gets to read why."""
    for status, sent in ((413, request(b"Content-Length: 10485760")), (401, request(
            b"Content-Length: 4000000", auth=None))):
        with gate.connect() as connection:
            connection.send(sent)
            for _ in range(8):
                connection.send(bytes(8192))
                time.sleep(0.01)
            Refused(status).expect(connection)


def last_request(gate):
    """The last request that a connection may carry is answered, and told that it was the last."""
    with gate.connect() as connection:
        for number in range(5):
            connection.send(push())
            answer = connection.answer()
            expect(answer.status == 200 and answer.closes == (number == 4), f"request {number + 1}")
        expect(connection.is_closed(), "the connection stays")


def half_close(gate):
    before = len(gate.recorder.pushes)
    with gate.connect() as connection:
        connection.send(push())
        connection.say_goodbye()
        connection.finish()
        expect(status_of(connection.answer()) == 200, "no answer after half a close")
    expect_forwarded(gate, before, [BODY])


def dripping_heads(gate):
    """Heads in many small lines end at the total, whatever each line is."""
    with gate.connect() as connection:
        connection.send(request()[:-2])
        try:
            for number in range(2000):
                connection.send(b"x%d: 1\r\n" % number)
        except OSError:
            pass
        Refused(431).expect(connection)


def many_chunks(count, size_line, status):
    def tried(gate):
        piece = size_line + b"\r\n#\r\n"
        with gate.connect() as connection:
            connection.send(chunked(b""))
            try:
                for _ in range(0, count, 1000):
                    connection.send(piece * min(count, 1000))
            except OSError:
                pass
            Refused(status).expect(connection)
    tried.__name__ = f"{count} chunks"
    return tried


def body_in_chunks_above_limit(gate):
    with gate.connect() as connection:
        connection.send(chunked(b""))
        line = b"# " + b"x" * 60 + b"\n"
        data = line * 1000
        try:
            for _ in range(80):
                connection.send(b"%x\r\n%s\r\n" % (len(data), data))
        except OSError:
            pass
        Refused(413).expect(connection)


def coalesced_and_torn(gate):
    before = len(gate.recorder.pushes)
    with gate.connect() as connection:
        connection.send(push() * 3)
        for _ in range(3):
            expect(status_of(connection.answer()) == 200, "three in a record")
        data = push(b"X-Padding: " + b"x" * 100)
        connection.send_pieces([data[index:index + 2] for index in range(0, len(data), 2)])
        expect(status_of(connection.answer()) == 200, "one over many records")
    expect_forwarded(gate, before, [BODY] * 4)


def standard_client(gate):
    """Python's own client, by length and in chunks, on one connection."""
    before = len(gate.recorder.pushes)
    client = http.client.HTTPSConnection("127.0.0.1", gate.port, context=CONTEXT, timeout=10)
    name, _, value = LOGIN.decode().partition(": ")
    for method in ("PUT", "POST"):
        for body in (BODY, iter([BODY[:7], BODY[7:]])):
            client.request(method, PATH.decode(), body, {name: value}, encode_chunked=body is not BODY)
            answer = client.getresponse()
            text = answer.read()
            expect(answer.status == 200, f"{answer.status} {text}")
    client.close()
    expect_forwarded(gate, before, [BODY] * 4)


# Every row again, cut in other places

def cut_everywhere(gate):
    """One byte a record, and in two at places chosen by a fixed seed: the verdict stays."""
    chance = random.Random(120)
    for row in ROWS:
        if not isinstance(row, Row) or not isinstance(row.verdict, (Accepted, Refused)) or row.gate:
            continue
        for attempt in row.attempts:
            if not isinstance(attempt, bytes) or len(attempt) > 2000:
                continue
            places = chance.sample(range(1, len(attempt)), min(6, len(attempt) - 1))
            cuts = [[attempt[:place], attempt[place:]] for place in places]
            cuts.append([attempt[index:index + 1] for index in range(len(attempt))])
            for pieces in cuts:
                try:
                    row.verdict.check(gate, pieces)
                except Failure as failure:
                    raise Failure(f"{row.id} cut after {len(pieces[0])}: {failure}: {attempt[:200]!r}") from failure


def cut_at_every_place(gate):
    for sent, verdict in ((push(), Accepted()), (chunked(ONE_CHUNK), Accepted()),
                          (request(b"Content-Length: 5", CHUNKED, body=ONE_CHUNK), refused)):
        for place in range(1, len(sent)):
            verdict.check(gate, [sent[:place], sent[place:]])


CONTROLS = [byte for byte in range(0x20) if byte not in (0x09, 0x0a, 0x0d)] + [0x7f]
SMALL = {"settings": "limits: {body_timeout: 1s, body_rate_min: {bytes_per_second: 1, after: 1s}, head_timeout: 1s, "
                     "requests_per_connection_max: 5}\n"}

ROWS = [
    Row("A001", "a length before chunks", refused,
        request(b"Content-Length: 6", CHUNKED, body=b"0\r\n\r\nG")),
    Row("A002", "chunks before a length", refused,
        request(CHUNKED, b"Content-Length: 4", body=b"5c\r\n" + SMUGGLED + b"\r\n0\r\n\r\n")),
    Row("A003", "a length beside a coding that is not well-formed", refused,
        *codings(b" ,chunked", b" chunked,", b" , chunked", fields=[b"Content-Length: 5"])),
    Row("A004", "a request behind one whose end could be read in two ways is never answered", refused,
        *(request(length, coding, body=b"0\r\n\r\n" + SMUGGLED, line=line) for length, coding, line in (
            (b"Content-Length: 6", CHUNKED, b"POST " + PATH + b" HTTP/1.1"),
            (b"Content-Length: +6", CHUNKED, b"POST " + PATH + b" HTTP/1.1"),
            (b"Content-Length: N6", CHUNKED, b"POST " + PATH + b" HTTP/1.1"),
            (b"Content-Length: 6", b"tRANSFER-ENCODING: cHUNKED", b"POST " + PATH + b" HTTP/1.1"),
            (b"Content-Length: 6", b"Transfer-Encoding: ,chunked", b"POST " + PATH + b" HTTP/1.1"),
            (b"Content-Length: 6", b"Transfer-Encoding:\r\n chunked", b"POST " + PATH + b" HTTP/1.1"),
            (b"Content-Length: 6", b"Transfer-Encoding: chunked ", b"POST " + PATH + b" HTTP/1.1"),
            (b"Content-Length: 6", CHUNKED, b"HEAD /-/healthy HTTP/1.1")))),
    Row("A005", "two lengths that differ", refused,
        request(b"Content-Length: 1", b"Content-Length: 0", body=b"x"),
        request(b"Content-Length: 0", b"Content-Length: %d" % len(BODY), body=BODY)),
    Row("A006", "two lengths that are equal", refused,
        request(b"Content-Length: 5", b"Content-Length: 5", body=b"a 12\n"),
        push(b"content-length: %d" % len(BODY))),
    Row("A007", "a list of lengths", refused, *lengths(b"5, 5", b"5, 6", b"5,5,5", b"5,", b",5")),
    Row("A008", "an empty length", refused, *lengths(b"", b" ", b"\t"),
        request(b"Content-Length: ", b"Content-Length: 43", body=BODY)),
    Row("A009", "a length with a plus", refused, *lengths(b"+5", b"+0", b"+%d" % len(BODY))),
    Row("A010", "a length below zero", refused, *lengths(b"-48", b"-0", b"-1")),
    Row("A011", "a length in hexadecimal", refused, *lengths(b"0x10", b"1d", b"0X1D", b"x")),
    Row("A012", "a length with an underscore", refused, *lengths(b"1_0", b"_1", b"1_")),
    Row("A013", "a length with leading zeros", refused, *lengths(b"010", b"00", b"0000000005", b"0%d" % len(BODY))),
    Row("A014", "a length with a blank in it", refused, *lengths(b"5 5", b"0 5", b"2\t9")),
    Row("A015", "a length with a point or an exponent", refused, *lengths(b"5.0", b"5e0", b"2.9e1")),
    Row("A016", "a length with something behind it", refused, *lengths(b"1Z", b"29;", b"29\"", b"'29'", b"29/1")),
    Row("A017", "a length that no number can hold", refused,
        *lengths(*(str(number).encode() for number in (2**63, 2**64, 2**64 + 5, 2**64 + len(BODY))),
                 b"1" * 20, b"9" * 100, b"1" * 4096)),
    Row("A018", "a length above the limit is refused at once, without its body", Refused(413),
        *(request(b"Content-Length: " + value) for value in (b"4194305", b"999999999", b"9223372036854775807"))),
    Row("A019", "a blank before the colon of a length", refused,
        *(request(value, body=BODY) for value in (b"Content-Length : 29", b"Content-Length\t: 29"))),
    Row("A020", "a length with a byte beyond ASCII", refused,
        *(request(value, body=BODY) for byte in (b"\x85", b"\xa0", b"\xad", b"\xff") for value in (
            b"Content-Length" + byte + b": 10", b"Content-Length: 10" + byte, b"Content-Length: " + byte + b"10"))),
    Row("A021", "a framing field with an underscore", refused,
        *fields(b"Content_Length: 5", b"Transfer_Encoding: chunked", b"TRANSFER_ENCODING: chunked")),
    Row("A022", "chunks in HTTP/1.0", refused,
        request(CHUNKED, line=b"POST " + PATH + b" HTTP/1.0", body=ONE_CHUNK),
        request(CHUNKED, b"Connection: keep-alive", line=b"POST " + PATH + b" HTTP/1.0", body=ONE_CHUNK)),
    Row("A023", "the coding identity", Refused(501), *codings(b" identity")),
    Row("A024", "a coding that nobody knows", Refused(501),
        *codings(b" xchunked", b" chunk", b" gzip", b" blegh", b" chunkedx", b" chunked chunked")),
    Row("A025", "chunked twice in one field", refused, *codings(b" chunked, chunked", b" chunked,chunked")),
    Row("A026", "chunked that is not the last coding", refused,
        *codings(b" chunked, identity", b" chunked, xchunked", b" chunked, gzip")),
    Row("A027", "a coding before chunked", Refused(501), *codings(b" gzip, chunked", b" identity, chunked")),
    Row("A028", "two fields with a coding each", refused,
        *(request(*pair, body=ONE_CHUNK) for pair in (
            (CHUNKED, CHUNKED), (b"Transfer-Encoding: cow", CHUNKED), (CHUNKED, b"Transfer-Encoding: cow")))),
    Row("A029", "an empty coding", refused, *codings(b"", b" ", b"  ")),
    Row("A030", "a comma before or behind the coding", refused, *codings(b" ,chunked", b" chunked,", b" chunked,,")),
    Row("A031", "chunked in any case is chunked", Accepted(), *codings(b" cHuNkEd", b" CHUNKED")),
    Row("A032", "spaces around the coding mean nothing", Accepted(), *codings(b"chunked", b"   chunked", b" chunked  ")),
    Row("A032", "a tab around the coding, or a length beside it, is refused", refused,
        *codings(b"\tchunked", b" chunked\t", b" \tchunked"),
        *codings(b"chunked", b"   chunked  ", fields=[b"Content-Length: 5"])),
    Row("A033", "a coding with a control character or a byte beyond ASCII", refused,
        *(request(b"Transfer-Encoding: " + value, body=ONE_CHUNK) for byte in (b"\x0b", b"\x0c", b"\x00", b"\xa0",
                                                                              b"\xff")
          for value in (byte + b"chunked", b"chunked" + byte))),
    Row("A034", "a coding in quotes or with a parameter", Refused(501),
        *codings(b' "chunked"', b" 'chunked'", b" chunked;q=1", b" chunked;", b" chunked;a=b")),
    Row("A035", "a coding on a folded line", refused, *codings(b"\r\n chunked", b"\r\n\tchunked")),
    Row("A036", "a coding hidden in another field's value", refused,
        *(request(value, b"Content-Length: 5", body=ONE_CHUNK) for value in (
            b"X: x\rTransfer-Encoding: chunked", b"X: x\nTransfer-Encoding: chunked",
            b"X: x\r\rTransfer-Encoding: chunked", b"X: x\n\rTransfer-Encoding: chunked"))),
    Row("A037", "a coding in another encoding is none", Accepted(),
        *fields(b"Transfer-%45ncoding: chunked", b"X-Transfer-Encoding: chunked", b"TransferEncoding: chunked")),
    Row("A037", "what an encoded word means is not asked", Refused(501), *codings(b" =?UTF-8?B?Y2h1bmtlZA==?=")),
    Row("A038", "1,768 ways to write a coding, with a length, move no border of a request", Does("no desync"),
        functools.partial(smuggling.sweep, smuggling.gadgets())),
    Row("A039", "every byte before, in and behind a coding and its name moves no border of a request",
        Does("no desync"), functools.partial(smuggling.sweep, smuggling.byte_gadgets())),
    Row("A040", "a chunk size with a prefix", refused, chunk(b"0x5", b"a 12\n"), chunk(b"x5", b"a 12\n")),
    Row("A041", "a chunk size with a sign", refused, *(chunk(size, b"a 12\n") for size in (b"+5", b"-1", b"-0x0"))),
    Row("A042", "a chunk size with an underscore", refused, chunk(b"0_2e"), chunk(b"1_d")),
    Row("A043", "a chunk size behind a blank", refused, chunk(b" 1d"), chunk(b"\t1d")),
    Row("A044", "a chunk size before a blank", refused, chunk(b"1d "), chunk(b"1d\t"), chunk(b"1d ;a=b")),
    Row("A045", "no chunk size", refused, chunk(b""), chunked(b"\r\n\r\n"), chunked(b";a=b\r\n\r\n")),
    Row("A046", "a chunk size that is no number", refused, chunk(b"1these-bytes", b"a"), chunk(b"ZZ"), chunk(b"1dg")),
    Row("A047", "a chunk size that no number can hold", Refused(400, 413),
        *(chunk(size) for size in (b"FFFFFFFFFFFFFFFF", b"10000000000000000", b"10000000000000001d", b"f" * 17,
                                   b"8000000000000000", b"7fffffffffffffff", b"1" + b"0" * 31 + b"1d"))),
    Row("A048", "a chunk size of 8 KiB of zeros", refused, chunk(b"0" * 8192 + b"1d"), chunk(b"0" * 30 + b"1d")),
    Row("A049", "a well-formed extension of a chunk is dropped", Accepted(),
        *(chunk(line) for line in (b"1d;a=b", b'1d;a="q"', b"1d;a", b'1d;a=b;c="d;\\"e"'))),
    Row("A050", "an extension that is none", refused,
        *(chunk(line) for line in (b"1d;", b"1d;@", b"1d;a=", b"1d;=b", b'1d;a="b', b"1d;a b", b"1d;;"))),
    Row("A051", "an extension with a line end or a control character in it", refused,
        *(chunked(body) for body in (b"5;\nhello\r\n0\r\n\r\n", b"1d;a=b\r\rX" + BODY, b"1d;\x00\r\n" + BODY,
                                     b"1d;a=b\nX\r\n" + BODY, b'1d;a="\r\n' + BODY, b"1d;a=\x7f\r\n" + BODY))),
    Row("A052", "a flood of tiny chunks or of extensions", Does("refused"),
        many_chunks(1_000_000, b"1", 400), many_chunks(10_000, b"1;" + b"x" * 1000, 400),
        many_chunks(10_000, b"1;" + b"x" * 200, 400)),
    Row("A053", "a chunk's data that does not end where its size says", refused,
        *(chunked(body) for body in (b"5\r\nhello\n0\r\n\r\n", b"5\r\nhello\r0\r\n\r\n", b"5\r\nhello!!\r\n0\r\n\r\n",
                                     b"5\r\nhello0\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n", b"5\r\nhello\r\r\n0\r\n\r\n"))),
    Row("A054", "a chunk's size line that ends in another way", refused,
        *(chunked(body) for body in (b"5\nhello\r\n0\r\n\r\n", b"5\rhello\r\n0\r\n\r\n", b"5\r\n\nhell\r\n0\n\r\n",
                                     b"1d\r\n" + BODY + b"\r\n0\n\r\n", b"1d\r\n" + BODY + b"\r\n0\r\n\n"))),
    Row("A055", "a last chunk with more zeros or an extension is the last", Accepted(),
        *(chunked(b"1d\r\n" + BODY + b"\r\n" + last + b"\r\n\r\n") for last in (b"00", b"000", b"0;x", b"0;x=y"))),
    Row("A056", "an empty line before the last chunk", refused,
        chunked(b"1d\r\n" + BODY + b"\r\n\r\n0\r\n\r\n"), chunked(b"\r\n" + ONE_CHUNK)),
    Row("A057", "a line behind the last chunk is a trailer field and no request", Accepted(),
        chunked(b"1d\r\n" + BODY + b"\r\n0\r\nX:POST / HTTP/1.1\r\n\r\n")),
    Row("A058", "trailer fields change nothing", Accepted(),
        *(chunked(b"1d\r\n" + BODY + b"\r\n0\r\n" + field + b"\r\n\r\n") for field in (
            b"Content-Length: 5", CHUNKED, b"Host: evil.example", login("other"), b"Content-Type: x/y",
            b"Content-Encoding: gzip", b"Connection: close", b"X: y\r\nX: z"))),
    Row("A059", "a flood of trailer fields", Refused(431),
        chunked(b"1d\r\n" + BODY + b"\r\n0\r\n" + b"x: y\r\n" * 10_000 + b"\r\n"),
        chunked(b"1d\r\n" + BODY + b"\r\n0\r\n" + b"x: " + b"y" * (1 << 20) + b"\r\n\r\n")),
    Row("A060", "chunks that come to more than the limit", Does("refused"), body_in_chunks_above_limit),
    Row("A061", "a last chunk that never comes", Does("no push"), ends_without_a_push),
    Row("A061", "a last chunk that is waited for in vain", Does("refused"), half_a_push_and_silence, gate=SMALL),
    Row("A062", "a NUL behind a complete push is another request, and none", Does("refused"), push_and_nul),
    Row("A063", "a request line that ends with LF", refused, push().replace(b"HTTP/1.1\r\n", b"HTTP/1.1\n"),
        b"GET / HTTP/1.1\n\n"),
    Row("A064", "a field line, or the head, that ends with LF", refused,
        push().replace(b"localhost\r\n", b"localhost\n"), push().replace(b"\r\n\r\n", b"\r\n\n"),
        push().replace(b"\r\n\r\n", b"\n\r\n"), push().replace(b"\r\n", b"\n")),
    Row("A065", "lines that end with CR alone", refused,
        push().replace(b"\r\n", b"\r"), push().replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r"),
        push().replace(b"localhost\r\n", b"localhost\r")),
    Row("A066", "a CR in a value", refused, *fields(b"X: va\rlue", b"X: \rvalue", b"X: value\r")),
    Row("A067", "a head that ends with CR LF CR and something else", refused,
        push().replace(b"\r\n\r\n", b"\r\n\rZGET /evil: x\r\n\r\n")),
    Row("A068", "a folded line", refused, *fields(b"Foo: a\r\n b", b"Foo: a\r\n\tb", b"Foo:\r\n a")),
    Row("A069", "a blank before the first field", refused, push(host=b" Host: a"), push(host=b"\tHost: a"),
        push(host=b" \r\nHost: a")),
    Row("A070", "a field line without a colon", refused, *fields(b"Content-Length 10", b"X", b"Host localhost")),
    Row("A071", "a field without a name", refused, *fields(b": x", b":", b" : x")),
    Row("A072", "each byte that may not stand in a field's name", refused,
        *fields(*(b"Fo" + bytes([byte]) + b": x" for byte in range(256)
                  if not (48 <= byte < 58 or 65 <= byte < 91 or 97 <= byte < 123 or byte in b"!#$%&'*+-.^_`|~:")))),
    Row("A073", "a name on two lines", refused, request(b"Transfer-\r\nEncoding: chunked", body=ONE_CHUNK)),
    Row("A074", "a NUL in a name, a value or the target", refused,
        *fields(b"Fo\x00o: x", b"Foo: \x00", b"Foo: a\x00b", b"Foo\x00: x"), *hosts(b"a\x00.b"),
        *targets(b"/metrics/job/a\x00b")),
    Row("A075", "each control character in a value", refused,
        *fields(*(b"Foo: a" + bytes([byte]) + b"b" for byte in CONTROLS))),
    Row("A076", "a byte beyond ASCII in a field that decides something", refused,
        *(push(host=b"Host: a" + byte) for byte in (b"\x80", b"\xff", b"\xc3\xa9")),
        *(push(auth=LOGIN + byte) for byte in (b"\x80", b"\xff")),
        *fields(b"Content-Type: text/plain\x80", b"Content-Encoding: gzip\x80", b"Expect: \xff", b"Accept: \xff",
                b"Connection: \xff", b"Origin: \xff")),
    Row("A076", "a byte beyond ASCII in another field means nothing", Accepted(),
        *fields(b"X-Name: \xc3\xa9\xff", b"User-Agent: \x80", b"Cookie: \xa0")),
    Row("A077", "up to two empty lines before a request are passed over", Accepted(),
        b"\r\n" + push(), b"\r\n\r\n" + push()),
    Row("A077", "more empty lines before a request", refused, b"\r\n" * 3 + push(), b"\r\n" * 10_000 + push(),
        b"\n" + push(), b"\r" + push()),
    Row("A078", "a blank before the method", refused, b" " + push(), b"\t" + push(), b"\r\n " + push()),
    Row("A079", "a field line that is too long, or never ends", Refused(431), push(b"X: " + b"x" * 65_536),
        push(b"X" * 65_536 + b": x"), request()[:-4] + b"\r\nX: " + b"x" * 20_000),
    Row("A080", "a head one byte too large, in many lines", Refused(431),
        push(*[b"X: " + b"x" * 180] * 43 + [b"Y: " + b"y" * 500]), push(*[b"x: " + b"x" * 300] * 60)),
    Row("A081", "a field too many", Refused(431), *(push(*[b"x: y"] * count) for count in (62, 10_000))),
    Row("A082", "a target one byte too long, and far too long", Refused(414),
        *targets(*(b"/metrics/job/" + b"x" * count for count in (4097 - 13, 9000, 1 << 20)))),
    Row("A083", "a method that is none, or in small letters", Refused(400, 405, closes=False),
        *lines(*(method + b" " + PATH + b" HTTP/1.1" for method in (
            b"post", b"Post", b"POSTX", b"G" * 33, b"G" * 32_768, b'G=":<>(e)', b"P\xc3\x96ST", b"P\x00ST", b"")))),
    Row("A084", "more than one space, or a tab, between the parts of the request line", refused,
        *lines(*(line.replace(b"@", PATH) for line in (
            b"POST  @ HTTP/1.1", b"POST @  HTTP/1.1", b"POST\t@ HTTP/1.1", b"POST @\tHTTP/1.1", b"POST @ HTTP/1.1 ",
            b"POST @ HTTP/1.1\t", b"POST\x0b@ HTTP/1.1", b"POST @\x0cHTTP/1.1", b"POST\xa0@ HTTP/1.1")))),
    Row("A085", "a target that is missing or empty", refused,
        *lines(b"POST HTTP/1.1", b"POST  HTTP/1.1", b"POST", b"POST ", b"HTTP/1.1")),
    Row("A086", "HTTP/0.9", refused, b"GET /\r\n", b"GET /\r\n\r\n", b"GET " + PATH + b"\r\n"),
    Row("A087", "a version that is not spoken", Refused(400, 505),
        *versions(b"HTTP/1.2", b"HTTP/1.32", b"HTTP/1.01", b"HTTP/1", b"HTTP/01.1", b"HTTP/ 1.1", b"HTTP/\r1.1",
                  b"HTTP/2.0", b"HTTP/2", b"HTTP/3.0", b"HTTP/9.9", b"HTTP/4294967295.255", b"http/1.1", b"Http/1.1",
                  b"HTTPS/1.1", b"ICE/1.0", b"RTSP/1.0", b"HTTP/1.1x", b"HTTP/0.9", b"HTTP/1.", b"HTTP/.1",
                  b"HTTP/-1.1", b"HTTP 1.1", b"HTTP/1,1", b"XHTTP/1.1", b"HTTP/1.1\x00")),
    Row("A088", "the preface of HTTP/2 without its ALPN", Refused(400, 505), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    Row("A089", "what is no HTTP at all", refused,
        bytes(range(256)), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
        b"EHLO there\r\nMAIL FROM:<x@y>\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00" * 64, b"\xff" * 64,
        b"*1\r\n$4\r\nPING\r\n", b"USER x\r\nPASS y\r\n"),
    Row("A090", "an absolute target that names the host of Host", Accepted(),
        *targets(b"https://localhost" + PATH, b"http://localhost" + PATH, b"https://LOCALHOST" + PATH)),
    Row("A091", "an absolute target that names another host", refused,
        *targets(b"https://evil.example" + PATH, b"https://localhost:9443" + PATH, b"https://localhost." + PATH)),
    Row("A092", "an absolute target elsewhere leads nowhere", Refused(400, 404, closes=False),
        *targets(b"http://169.254.169.254/", b"ftp://localhost" + PATH, b"file:///etc/passwd", b"//evil.example/",
                 b"gopher://localhost" + PATH, b"https:/" + PATH, b"https://" + PATH, b"https://@localhost" + PATH),
        *lines(b"POST http://169.254.169.254/latest HTTP/1.1", host=b"Host: 169.254.169.254")),
    Row("A093", "an asterisk for a target", Refused(400, 404, closes=False),
        *lines(b"GET * HTTP/1.1", b"POST * HTTP/1.1", b"OPTIONS * HTTP/1.1", b"OPTIONS ** HTTP/1.1")),
    Row("A094", "CONNECT opens no tunnel", Refused(400, 404, closes=False),
        *lines(b"CONNECT localhost:443 HTTP/1.1", b"CONNECT " + PATH + b" HTTP/1.1", b"CONNECT / HTTP/1.1",
               b"CONNECT localhost HTTP/1.1")),
    Row("A095", "TRACE, TRACK and DEBUG do nothing here", Refused(405, closes=False),
        *lines(*(method + b" " + PATH + b" HTTP/1.1" for method in (b"TRACE", b"TRACK", b"DEBUG", b"TRACEX")))),
    Row("A096", "a fragment in the target", refused, *targets(PATH + b"#b", b"/#", PATH + b"?#", b"#")),
    Row("A097", "a byte in the target that has to be encoded", refused,
        *targets(*(PATH + byte + b"x" for byte in (b" ", b"\x01", b"\x7f", b"\x80", b"\xff", b'"', b"<", b">", b"\\",
                                                   b"^", b"{", b"}", b"|", b"`", b"[", b"]")))),
    Row("A098", "no Host", refused, push(host=None)),
    Row("A099", "two Hosts", refused, push(b"Host: localhost"), push(b"Host: other"), push(b"HOST: localhost")),
    Row("A100", "an empty Host", refused, *hosts(b"", b" ", b"\t")),
    Row("A101", "a Host with more than a host in it", refused,
        *hosts(b"u@h", b"u:p@h", b"h/x", b"h?x", b"h#x", b"a,b", b"a b", b"a\tb", b"http://h", b"a;b", b"a%62", b"a\\b")),
    Row("A102", "a Host with a port or an address that is none", refused,
        *hosts(b"h:99999", b"h:65536", b"h:", b"[::1", b"h:8 0", b"h:-1", b"h:0x50", b"[::1]x", b"[x]", b"::1", b"[]",
               b"h:1:2", b"[::1]:", b"[v1.x]", b":80")),
    NotHere("A103", "a Host that was not configured", "the gate has one site and takes any Host: never 421"),
    Row("A104", "a hundred pushes in a row are answered in their order", Does("accepted"), pipeline),
    Row("A105", "a bad request behind a good one", Accepted(then=refused),
        push() + b"INVALID\r\n\r\n", push() + b"GET\r\n\r\n", push() + push(b": x")),
    Row("A106", "what comes behind the last request is not parsed", Does("dropped"), after_close),
    Row("A107", "Connection takes nothing away that it must not", Accepted(),
        *fields(b"Connection: Authorization, Host, Content-Length, X-Forwarded-For",
                b"Connection: Transfer-Encoding, Content-Type", b"Connection: keep-alive, Authorization")),
    Row("A108", "a client that asks first is told to go on", Does("accepted"), continues),
    Row("A109", "who has no login, or has too much, is not told to go on", Does("refused"), does_not_continue(
        (401, request(b"Expect: 100-continue", b"Content-Length: 29", auth=None)),
        (401, request(b"Expect: 100-continue", b"Content-Length: 29", auth=login("good", "wrong"))),
        (413, request(b"Expect: 100-continue", b"Content-Length: 4194305")),
        (415, request(b"Expect: 100-continue", b"Content-Length: 29", b"Content-Encoding: br")))),
    Row("A110", "no 100 where none belongs", Does("accepted"), no_100_where_none_belongs),
    Row("A111", "another expectation, or one that is disguised", Refused(417),
        *fields(b"Expect: y 100-continue", b"Expect: 100-continue, x", b"Expect: \t100-continue", b"Expect: ",
                b"Expect: 100-continuex", b"Expect: 200-ok", b"Expect: 100-continue;q=1", b"Expect: x=y")),
    Row("A112", "a body that comes after the final status is no request", Does("dropped"), does_not_continue(
        (404, request(b"Expect: 100-continue", b"Content-Length: %d" % len(SMUGGLED), line=b"POST /x HTTP/1.1")),
        (405, request(b"Expect: 100-continue", CHUNKED, line=b"PATCH " + PATH + b" HTTP/1.1")),
        (400, request(b"Expect: 100-continue", b"Content-Length: %d" % len(SMUGGLED),
                      line=b"POST " + PATH + b"/x HTTP/1.1")))),
    Row("A113", "an upgrade to h2c is passed over", Does("accepted"), upgrades),
    Row("A114", "bytes that come before the 101 that never comes are framed as ever", Accepted(BODY, BODY),
        push(b"Connection: Upgrade", b"Upgrade: h2c") + push(),
        chunked(ONE_CHUNK, b"Connection: Upgrade", b"Upgrade: websocket") + push()),
    Row("A115", "no other upgrade is agreed to either", Does("accepted"), upgrades),
    Row("A116", "a body of a GET, HEAD, OPTIONS or DELETE hides no request", Does("consumed"),
        body_where_none_belongs),
    Row("A117", "a push without a length", Refused(411), request(), request(line=b"PUT " + PATH + b" HTTP/1.1"),
        request(body=BODY), request(body=SMUGGLED)),
    Row("A118", "a body that ends before its length does", Does("no push"), ends_without_a_push),
    Row("A118", "a body that is waited for in vain", Does("refused"), half_a_push_and_silence, gate=SMALL),
    Row("A119", "a body that goes on behind its length is another request, and none", Does("refused"),
        body_longer_than_its_length),
    Row("A120", "each row above has the same verdict in other pieces", Does("same"), cut_everywhere),
    Row("A120", "a push has the same verdict cut at every place", Does("same"), cut_at_every_place),
    Row("A121", "three pushes in one record, one over many", Does("accepted"), coalesced_and_torn),
    Row("A122", "a field twice that may be there once", refused,
        push(LOGIN), push(login("other")),
        *(push(field, field) for field in (b"Content-Type: text/plain", b"Content-Encoding: identity",
                                           b"Expect: 100-continue"))),
    Row("A123", "fields that want to override what is asked change nothing", Accepted(),
        *fields(b"X-HTTP-Method-Override: DELETE", b"X-HTTP-Method: DELETE", b"X-Method-Override: PUT",
                b"X-Original-URL: /metrics/job/evil", b"X-Rewrite-URL: /-/quit", b"X-Forwarded-Prefix: /x",
                b"X-Forwarded-Host: evil.example", b"X-Forwarded-Proto: http")),
    Row("A124", "fields for caches, ranges and hops change nothing", Accepted(),
        *fields(b"Keep-Alive: timeout=1", b"Proxy-Connection: close", b"TE: trailers", b"Trailer: X",
                b"Range: bytes=0-1", b"If-Match: *", b"If-None-Match: *", b"If-Modified-Since: x", b"If-Range: x")),
    Row("A125", "who is refused while he sends gets to read why", Does("refused"), status_is_read_while_sending),
    Row("A126", "the last request of a connection is told so, and answered", Does("accepted"), last_request,
        gate=SMALL),
    Row("A127", "a client that has finished sending is still answered", Does("accepted"), half_close),
    Row("A128", "fields without end, each of them small", Does("refused"), dripping_heads),
    Row("A128", "Python's own client pushes by length and in chunks", Does("accepted"), standard_client),
]
