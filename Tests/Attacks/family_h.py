"""H: bodies, which only a proven exposition may pass."""

import gzip
import struct
import threading
import zlib

from gate import BODY, chunked, push
from table import Accepted, Does, Elsewhere, Refused, Row, expect_forwarded
from wire import expect

refused = Refused(400, closes=False)
unsupported = Refused(415, closes=False)
GZIP = b"Content-Encoding: gzip"
PROTOBUF = (b"Content-Type: application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
            b"encoding=delimited")
# A gauge a with the value 1: a family's name, type and metric, behind their length.
FAMILY = b"\x0a\x01a\x18\x01\x22\x0b\x12\x09\x09" + struct.pack("<d", 1)
MESSAGE = bytes([len(FAMILY)]) + FAMILY
LIMIT = 4 << 20


def bodies(*values):
    return [push(body=value) for value in values]


def zipped(*values):
    return [push(GZIP, body=value) for value in values]


def member(data=BODY, flags=0, extra=b"", level=9):
    """One gzip member, its header with these flags and what they announce."""
    raw = zlib.compressobj(level, zlib.DEFLATED, -15)
    deflated = raw.compress(data) + raw.flush()
    return (b"\x1f\x8b\x08" + bytes([flags]) + bytes(6) + extra + deflated
            + struct.pack("<II", zlib.crc32(data), len(data) & 0xffffffff))


def filled(size, line=b"# " + b"x" * 61 + b"\n"):
    """A body of exactly so many bytes: comments, and a sample at the end."""
    room = size - len(BODY)
    lines = line * (room // len(line))
    left = room - len(lines)
    if left in (1, 2):
        lines, left = lines[len(line):], left + len(line)
    return lines + (b"#" + b" " * (left - 2) + b"\n" if left else b"") + BODY


def in_chunks(body, size=60_000):
    pieces = [body[start:start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def status(gate, data, seconds=30):
    """Of the answer; large bodies may be refused while they are sent."""
    with gate.connect() as connection:
        try:
            connection.send(data)
        except OSError:
            pass
        return connection.answer(seconds).status


def bombs(gate):
    """A bomb costs little memory, and ends at the limit or at the ratio."""
    before = gate.resident_bytes()
    comment = b"#" + b" " * (1 << 20) + b"\n"
    for data in (b"\n" * (64 << 20), comment * 64, b"\0" * (64 << 20), gzip.compress(b"\n" * (256 << 20)),
                 b"a 1\n" * (4 << 20)):
        found = status(gate, push(GZIP, body=gzip.compress(data, mtime=0)))
        expect(found in (400, 413), f"{found} for a bomb")
    expect(gate.resident_bytes() - before < 24 << 20, f"{gate.resident_bytes() - before} bytes more")


def sizes(gate):
    """The limit itself is taken, one byte more is not: by length, in chunks, undone from gzip."""
    before = len(gate.recorder.pushes)
    at, above = filled(LIMIT), filled(LIMIT + 1)
    expect((len(at), len(above)) == (LIMIT, LIMIT + 1), "the test's own sums")
    for body, expected in ((at, 200), (above, 413)):
        for data in (push(body=body), chunked(in_chunks(body)), push(GZIP, body=gzip.compress(body, 0)),
                     chunked(in_chunks(gzip.compress(body, 0)), GZIP)):
            # A stored gzip stream of the limit is itself larger than the limit.
            is_over_on_wire = b"gzip" in data[:300]
            found = status(gate, data)
            expect(found == (413 if is_over_on_wire else expected), f"{found} for {len(body)} bytes {data[:150]}")
    expect_forwarded(gate, before, [at, at])


def nothing_goes_before_the_verdict(gate):
    """A fault in the last line of a large body: nothing of it was sent on."""
    before = len(gate.recorder.pushes)
    body = b"".join(b"metric_%d 1\n" % number for number in range(40_000)) + b"oh no\n"
    for data in (push(body=body), chunked(in_chunks(body)), push(GZIP, body=gzip.compress(body))):
        expect(status(gate, data) == 400, "a fault in the last line")
    expect_forwarded(gate, before, [])


def worst_bodies(gate):
    """A byte of a body that is made to be slow takes no more than a few times what one of a plain body does."""
    def nanoseconds_a_byte(body):
        best = 1e9
        for _ in range(4):
            began = gate.processor_seconds()
            status(gate, push(body=body))
            best = min(best, gate.processor_seconds() - began)
        return best * 1e9 / len(body)

    plain = nanoseconds_a_byte(b"".join(b'metric{label="%d"} %d\n' % (number, number) for number in range(49_000)))
    names = [b"l%d" % number for number in range(60)]
    for name, body in {
        "one line of 4 MiB": b"a{b=\"" + b"x" * (LIMIT - 100) + b"\"} 1\n",
        "empty lines": b"\n" * (LIMIT - 10) + BODY[-10:],
        "comments": b"#\n" * (LIMIT // 2 - 10),
        "many labels": b"".join(b"m{%s} 1\n" % b",".join(b"%s=\"%d\"" % (label, number) for label in names)
                                for number in range(8000)),
        "labels in reverse": b"".join(b"m{%s} 1\n" % b",".join(
            b"%s=\"%d\"" % (label, number) for label in reversed(names)) for number in range(8000)),
        "families": b"".join(b"# TYPE f%d gauge\nf%d 1\n" % (number, number) for number in range(49_000)),
        "names that grow": b"".join(b"a%s 1\n" % (b"b" * (number % 200)) for number in range(30_000)),
        "long numbers": b"".join(b"m%d 0.%s\n" % (number, b"1" * 400) for number in range(9000)),
        "escapes": b"".join(b"a{b=\"%d%s\"} 1\n" % (number, b"\\\\" * 1000) for number in range(2000)),
    }.items():
        took = nanoseconds_a_byte(body[:LIMIT])
        expect(took < 8 * plain, f"{name}: {took:.0f} ns a byte, {plain:.0f} in a plain body")


def dense_crowd(gate):
    """Many bodies at the highest ratio that may be: good pushes go on."""
    body = push(GZIP, body=gzip.compress(b"\n" * (3 << 20)))
    stop, faults = threading.Event(), []

    def send():
        while not stop.is_set():
            try:
                found = gate.ask(body, seconds=30).status
                if found not in (400, 413, 503):
                    faults.append(found)
            except OSError as error:
                faults.append(repr(error))

    senders = [threading.Thread(target=send) for _ in range(16)]
    for sender in senders:
        sender.start()
    try:
        for _ in range(10):
            gate.push_good(seconds=10)
    finally:
        stop.set()
        for sender in senders:
            sender.join()
    expect(not faults, faults[:3])


def cut_everywhere(gate):
    """A body that is refused is told the same wherever it is cut into chunks."""
    body = b'# HELP a b\n# TYPE a gauge\na{b="c"} 1\na{b="d"} x\n'
    texts = set()
    for place in range(1, len(body)):
        answer = gate.ask(chunked(b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (
            place, body[:place], len(body) - place, body[place:])))
        texts.add((answer.status, answer.body))
    expect(len(texts) == 1 and texts.pop()[0] == 400, texts)


def big_histogram(*lines):
    return b"# TYPE h histogram\n" + b"".join(line + b"\n" for line in lines)


def big_summary(*lines):
    return b"# TYPE s summary\n" + b"".join(line + b"\n" for line in lines)


FINITE = b'h_bucket{le="1"} 1'
INFINITE = b'h_bucket{le="+Inf"} 2'
ENDS = (b"h_sum 1", b"h_count 2")

ROWS = [
    Row("H001", "gzip bombs, one in another too", Does("refused"), bombs),
    Row("H002", "several members are one body, whose lines go over their border", Accepted(),
        *zipped(member(BODY[:9]) + member(BODY[9:]))),
    Row("H002", "something behind the last member", refused, *zipped(
        member() + b"x", member() + b"\0", member() + BODY, member() + b"\x1f\x8b")),
    Row("H003", "gzip that is cut, or whose sums are wrong", refused, *zipped(
        *(member()[:-count] for count in (1, 4, 5, 8, 9, 20)), b"", b"\x1f", b"\x1f\x8b",
        member()[:-8] + b"\0\0\0\0" + member()[-4:], member()[:-4] + b"\0\0\0\0", member()[:-1] + b"\1")),
    Row("H004", "a gzip header of 64 KiB carries no bytes of a body, and is passed over", Accepted(), *zipped(
        member(flags=4, extra=struct.pack("<H", 1000) + bytes(1000)), member(flags=8, extra=b"name\0"),
        member(flags=16, extra=b"comment\0"))),
    Row("H004", "a gzip header whose names never end", Refused(400, 413, closes=False), *zipped(
        member(flags=8, extra=b"x" * (1 << 20)), member(flags=16, extra=b"x" * (1 << 16))[:60_000],
        member(flags=4, extra=struct.pack("<H", 65_535) + bytes(1000)))),
    Row("H005", "an encoding that cannot be checked", unsupported, *(
        push(b"Content-Encoding: " + value) for value in (
            b"gzip, gzip", b"deflate", b"br", b"zstd", b"snappy", b"gzip;q=1", b"", b"compress", b"identity, gzip",
            b"gzip,", b"gz", b"g zip", b"*", b"\"gzip\""))),
    Row("H005", "gzip in any case, and identity", Accepted(), push(b"Content-Encoding: GZip", body=member()),
        push(b"Content-Encoding: identity"), push(b"content-encoding: IDENTITY")),
    Row("H006", "a body that is not what its encoding says", refused, push(GZIP), *bodies(member(), gzip.compress(b""))),
    Row("H007", "protobuf that is delimited as it says is judged like text", Accepted(MESSAGE, MESSAGE),
        push(PROTOBUF, body=MESSAGE) + push(PROTOBUF.replace(b"; ", b";"), body=MESSAGE)),
    Row("H007", "protobuf that lies about lengths, is cut, or is none", refused, *(push(PROTOBUF, body=body) for body in (
        MESSAGE[:-1], MESSAGE + b"\x01", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\xff" * 11, b"\x05abc", BODY,
        b"\x80\x80\x80\x80\x08", bytes([len(FAMILY) + 1]) + FAMILY, b"\0"))),
    Row("H007", "what is nearly its type is text", refused, *(push(value, body=MESSAGE) for value in (
        b"Content-Type: application/vnd.google.protobuf", PROTOBUF.replace(b"delimited", b"text"),
        PROTOBUF.replace(b"io.prometheus", b"io.other"), b"Content-Type: application/x-protobuf"))),
    Row("H008", "any other type is text, and none goes on to the Pushgateway", Accepted(), *(
        push(b"Content-Type: " + value) for value in (
            b"application/x-www-form-urlencoded", b"application/openmetrics-text; version=1.0.0", b"text/plain; charset=utf-16",
            b"multipart/form-data; boundary=x", b"", b"x", b"text/html", b";;;", b"application/json"))),
    Row("H009", "a POST of nothing, of a line end, of comments", refused, *bodies(
        b"", b"\n", b"\n\n\n", b"# only\n# comments\n", b"# TYPE a gauge\n", b"# HELP a b\n"), *zipped(gzip.compress(b""))),
    Row("H009", "a PUT of nothing by whoever may not delete", Refused(403, closes=False),
        *(push(body=body, method=b"PUT") for body in (b"", b"\n", b"# x\n")), push(PROTOBUF, body=b"", method=b"PUT"),
        gate={"users_settings": ", users: {good: {methods: [POST, PUT]}}"}),
    Row("H010", "no line end behind the last line", refused, *bodies(b"a 1", BODY + b"a 2", BODY[:-1])),
    Row("H011", "lines that end with CR LF", refused, *bodies(BODY.replace(b"\n", b"\r\n"), b"a 1\r\n", b"a 1\r")),
    Row("H012", "a NUL, a control character, a byte order mark", refused, *bodies(
        b"a\0 1\n", b"a 1\0\n", b"\xef\xbb\xbfa 1\n", b"\x01a 1\n", b"a\x0b1\n", b"a 1\x0c\n", b"\0")),
    Row("H013", "text that is no UTF-8", refused, *bodies(
        b'a{b="\xff"} 1\n', b'a{b="\xc0\xaf"} 1\n', b"\xff 1\n", b'a{b="\xed\xa0\x80"} 1\n', b'a{b="\xf4\x90\x80\x80"} 1\n')),
    Row("H013", "in HELP, where a Pushgateway takes any bytes, it passes", Accepted(b"# HELP a \xff\na 1\n"),
        push(body=b"# HELP a \xff\na 1\n")),
    Row("H014", "one line of 4 MiB", Refused(400, 413, closes=False), push(body=b"a" * (LIMIT - 10)),
        push(body=b'a{b="' + b"x" * (LIMIT - 100) + b'"} 1\n')),
    Row("H014", "a million lines of one byte, and comments of 4 MiB", refused, push(body=b"\n" * 1_000_000),
        push(body=b"#" + b"x" * (LIMIT - 10) + b"\n")),
    Row("H015", "TYPE twice, too late, contradicting, unknown", refused, *bodies(
        b"# TYPE a gauge\n# TYPE a gauge\na 1\n", b"a 1\n# TYPE a gauge\n", b"# TYPE a gauge\n# TYPE a counter\na 1\n",
        b"# TYPE a thing\na 1\n", b"# HELP a b\n# HELP a c\na 1\n", b"# TYPE 1a gauge\n1a 1\n")),
    Row("H016", "a series twice, its labels in another order too", refused, *bodies(
        b"a 1\na 1\n", b"a 1\na 2\n", b'a{b="c",d="e"} 1\na{d="e",b="c"} 1\n', b'a{b="c"} 1\nb 1\na{b="c"} 2\n')),
    Row("H017", "a label twice, and names that are not to be had", refused, *bodies(
        b'a{b="c",b="d"} 1\n', b'a{b="c",b="c"} 1\n', b'a{__name__="x"} 1\n', b'{__name__="x"} 1\n', b'a{1="x"} 1\n',
        b'a{="x"} 1\n', b'a{b-c="x"} 1\n')),
    Row("H018", "the Pushgateway's own times", refused, *bodies(
        b"push_time_seconds 1\n", b"push_failure_time_seconds 1\n", b"# TYPE push_time_seconds gauge\npush_time_seconds 1\n",
        b"a 1\npush_time_seconds 1\n")),
    Row("H019", "a timestamp", refused, *bodies(b"a 1 123\n", b"a 1 -1\n", b"a 1 0\n", b"b 2\na 1 1700000000000\n")),
    Row("H020", "numbers that are none", refused, *bodies(*(b"a " + number + b"\n" for number in (
        b"1x", b"--1", b"1e", b"e1", b"0x", b"1__0", b"_1", b"1,5", b"Infinit", b"nanx", b"+-1", b".", b"", b"1 2 3",
        b"\xd9\xa1", b"0b1", b"0o1", b"1e5.5", b"1_0", b"0x_1p-2", b"0x1p-2", b"0x10")))),
    Row("H020", "numbers as Go reads them", Accepted(*(
        b"a " + number + b"\n" for number in (b"NaN", b"+Inf", b"-Inf", b"inf", b".5", b"5.", b"1e308",
                                              b"-0", b"0.%s" % (b"1" * 400), b"1e-400", b"+5", b"00005"))),
        b"".join(push(body=b"a " + number + b"\n") for number in (
            b"NaN", b"+Inf", b"-Inf", b"inf", b".5", b"5.", b"1e308", b"-0", b"0.%s" % (b"1" * 400), b"1e-400",
            b"+5", b"00005"))),
    Row("H020", "a number beyond all numbers", refused, *bodies(b"a 1e400\n", b"a -1e309\n", b"a " + b"9" * 400 + b"\n")),
    Row("H021", "a histogram whose bounds are none, or that counts below zero", refused, *bodies(
        big_histogram(b'h_bucket{le="x"} 1', INFINITE, *ENDS), big_histogram(b'h_bucket{le=""} 1', *ENDS),
        big_histogram(b'h_bucket{le="1"} -1', *ENDS), big_histogram(INFINITE, b"h_sum 1", b"h_count -2"))),
    Row("H021", "what a Pushgateway does not ask of a histogram, its order and sums, passes", Accepted(
        *(histogram := (big_histogram(INFINITE, FINITE, *ENDS), big_histogram(FINITE, *ENDS)))),
        b"".join(push(body=body) for body in histogram)),
    Elsewhere("H021", "a histogram is judged as the Pushgateway does", "has the parser's verdict, line and reason"),
    Row("H022", "a summary whose quantile is none", refused, *bodies(
        big_summary(b's{quantile="x"} 1'), big_summary(b's{quantile=""} 1'), big_summary(b's{quantile="1_0"} 2'))),
    Row("H023", "too many labels, a value too long", refused, *bodies(
        b"a{%s} 1\n" % b",".join(b'l%d="x"' % number for number in range(65)), b'a{b="%s"} 1\n' % (b"x" * 2049))),
    Row("H024", "series too many for one push", Refused(400, 413, closes=False),
        push(body=b"".join(b"m%d 1\n" % number for number in range(50_001)))),
    Elsewhere("H025", "a family with another type in another group",
              "a family that another group has with another type is refused, and the group named"),
    Row("H026", "escapes that are none, quotes without an end", refused, *bodies(
        b'a{b="\\x"} 1\n', b'a{b="c\\"} 1\n', b'a{b="c} 1\n', b'a{b="c\nd"} 1\n', b"a{b=c} 1\n", b'a{b="c\\', b'a{b="\\u0041"} 1\n')),
    Row("H027", "exemplars and types of OpenMetrics", refused, *bodies(
        b'a_total 1 # {b="c"} 1\n', b"# TYPE a info\na 1\n", b"# TYPE a stateset\na 1\n", b"# TYPE a unknown\na 1\n")),
    Row("H027", "its last line is a comment here", Accepted(BODY + b"# EOF\n", BODY + b"# UNIT a bytes\n"),
        push(body=BODY + b"# EOF\n") + push(body=BODY + b"# UNIT a bytes\n")),
    Row("H028", "names in quotes", refused, *bodies(b'{"a.b"} 1\n', b'{"a.b",c="d"} 1\n', b'a{"b.c"="d"} 1\n')),
    Row("H029", "braces and blanks", Accepted(b"a{} 1\n", b'a {x="1",} 1\n', b"a\t1\n", b"  a 1\n", b"a   1\n"),
        b"".join(push(body=body) for body in (b"a{} 1\n", b'a {x="1",} 1\n', b"a\t1\n", b"  a 1\n", b"a   1\n"))),
    Row("H029", "blanks that are none, braces that do not fit", refused, *bodies(
        b"a\xc2\xa01\n", b"a\xe2\x80\xa81\n", b"a{ 1\n", b"a} 1\n", b"a{,} 1\n", b'a{x="1",,} 1\n', b"a{}{} 1\n", b"a1\n", b"a 1 \n",
        b'a{x="1" y="2"} 1\n')),
    Row("H030", "the limit itself, and one byte more", Does("bounded"), sizes),
    Row("H031", "the same words wherever a body is cut", Does("same"), cut_everywhere),
    Elsewhere("H032", "verdicts beside the Pushgateway's own", "every difference from the Pushgateway's own verdict has its reason"),
    Row("H033", "nothing is sent on before the last line is proven", Does("refused"), nothing_goes_before_the_verdict),
    Row("H034", "bodies that are made to be slow", Does("linear"), worst_bodies),
    Elsewhere("H035", "the time of a turn", "costs linear time however slowly it comes"),
    Row("H036", "a crowd with bodies that grow", Does("bounded"), dense_crowd),
]
