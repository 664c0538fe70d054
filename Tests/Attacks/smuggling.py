"""Ways to write Transfer-Encoding so that one reader sees it and another does not, and what each may do: nothing to
where a request ends."""

import itertools

from gate import BODY, Failure, PATH, push, request

BLANKS = [b"\t", b"\x0b", b"\x0c", b"\x00", b"\x1c", b"\x1f", b"\x7f", b"\x85", b"\xa0", b"\xad", b"\xff", b"\r", b"\n",
          b"\r\n", b"\r\n ", b"\r\n\t", b"\n ", b"\r ", b"  ", b"\t\t", b" \t"]
CODINGS = [b"chunked", b"Chunked", b"CHUNKED", b"identity", b"xchunked", b"chunkedx", b'"chunked"', b"'chunked'",
           b"chunk", b"chu\x00nked", b"chunked;q=1", b"chunked, identity", b"identity, chunked", b",chunked",
           b"chunked,", b"chunked chunked", b"=?UTF-8?B?Y2h1bmtlZA==?=", b"%63hunked", b"chun\\ked", b"{chunked}"]
NAMES = [b"Transfer-Encoding", b"transfer-encoding", b"TRANSFER-ENCODING", b"Transfer_Encoding", b"Transfer Encoding",
         b"Transfer-Encodin", b"Transfer--Encoding", b"Transfer-%45ncoding", b"X-Transfer-Encoding",
         b"Transfer-Encoding\x00", b"Transfer-Encodings"]


def gadgets():
    """Field lines, each made by one or two changes to an honest one, none twice."""
    single = set()
    for blank in BLANKS:
        single.update([
            b"Transfer-Encoding:" + blank + b"chunked", b"Transfer-Encoding: chunked" + blank,
            b"Transfer-Encoding" + blank + b": chunked", blank + b"Transfer-Encoding: chunked",
            b"Transfer-Encoding: " + blank + b"chunked", b"Transfer-" + blank + b"Encoding: chunked",
            b"Transfer-Encoding: chu" + blank + b"nked", b"X: x" + blank + b"Transfer-Encoding: chunked"])
    for name, coding in itertools.product(NAMES, CODINGS):
        single.add(name + b": " + coding)
    double = set()
    for (before, behind), coding in itertools.product(itertools.product(BLANKS, BLANKS[:13]), CODINGS[:4]):
        double.add(b"Transfer-Encoding:" + before + coding + behind)
    for first, second in itertools.product(CODINGS, CODINGS):
        double.add(b"Transfer-Encoding: " + first + b"\r\nTransfer-Encoding: " + second)
    # An empty line would end the head, for every reader.
    chosen = [line for line in sorted(single) + sorted(double - single) if b"\r\n\r\n" not in b"\r\n" + line + b"\r\n"]
    assert len(chosen) >= 1768, len(chosen)
    return chosen


def byte_gadgets():
    """Each byte in each place around the name and the coding."""
    for byte in range(256):
        letter = bytes([byte])
        yield b"Transfer-Encoding" + letter + b": chunked"
        yield letter + b"Transfer-Encoding: chunked"
        yield b"Transfer-Encoding:" + letter + b"chunked"
        yield b"Transfer-Encoding: chunked" + letter
        yield b"Transfer-Encoding: chu" + letter + b"ked"


def sweep(gadgets, gate):
    """With each gadget and a length two requests: by the length the second one is hidden in the first's body, by the
    chunks it is not, and the other way round. Read in the one way that there may be, the first is refused and ends
    the connection, or its length counts and what follows is answered as it was sent."""
    for gadget in gadgets:
        for is_length_first in (True, False):
            try_one(gate, gadget, is_length_first)


def try_one(gate, gadget, is_length_first):
    hidden = push(path=b"/metrics/job/smuggled")
    body = b"0\r\n\r\n" + hidden if is_length_first else b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    length = b"Content-Length: %d" % len(body)
    fields = [length, gadget] if is_length_first else [gadget, length]
    before = len(gate.recorder.pushes)
    with gate.connect() as connection:
        try:
            connection.send(request(*fields, body=body) + push(path=PATH + b"/follows/yes"))
        except OSError:
            pass
        first = connection.answer()
        if first is None:
            raise Failure(f"no answer to {gadget!r}")
        # The length counted: a body of chunks is then no exposition, which is no framing error.
        if first.status == 400 and not first.closes:
            second = connection.answer()
            if second is None or second.status != 200:
                raise Failure(f"a desync after {gadget!r}: {second and (second.status, second.text)}")
        elif first.status not in (400, 501) or not connection.is_closed():
            raise Failure(f"{first.status} {first.text!r} to {gadget!r}")
    paths = [push.path for push in gate.recorder.pushes[before:]]
    if paths not in ([], [PATH + b"/follows/yes"]) or bool(paths) == first.closes:
        raise Failure(f"the Pushgateway got {paths} after {gadget!r}")
