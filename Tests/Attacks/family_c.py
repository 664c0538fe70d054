"""C: TLS, before a byte of HTTP."""

import os
import socket
import ssl
import struct
import subprocess
import threading
import time

from gate import GOOD, push, request
from hello import (ALERT, BASIC, CHANGE, DATA, GOOD_CIPHERS, HANDSHAKE, HANDSHAKE_FAILURE, ILLEGAL_PARAMETER,
                   PROTOCOL_VERSION, SIGNATURES, GROUPS, Alerted, Greeted, Survived, alpn, body, converse, extension, hello, message,
                   record, server_hello, share, vector, versions)
from table import Does, Elsewhere, NotHere, Row, expect_forwarded
from wire import client_context, expect, Failure

TLS12 = client_context(maximum_version=ssl.TLSVersion.TLSv1_2)
TLS13 = client_context(minimum_version=ssl.TLSVersion.TLSv1_3)
QUICK = {"settings": "limits: {handshake_timeout: 2s, head_timeout: 1s}\n"}
failed = Alerted(HANDSHAKE_FAILURE, ILLEGAL_PARAMETER)
malformed = Alerted()
SCSV = 0x5600


def with_groups(*groups):
    return SIGNATURES + extension(10, vector(struct.pack(f">{len(groups)}H", *groups)))


def with_signatures(*schemes):
    return GROUPS + extension(13, vector(struct.pack(f">{len(schemes)}H", *schemes)))


def ciphers(*values):
    return [hello(ciphers=[value], version=version) for value in values for version in (0x0303,)]


def downgrade_is_marked(gate):
    """Who is spoken to in 1.2, though 1.3 is there, can see it in the random bytes."""
    for data in (hello(), hello(extensions=BASIC + versions(0x0303))):
        heard, _ = converse(gate.port, data)
        expect(server_hello(heard)[1].endswith(b"DOWNGRD\x01"), "no mark")


def served(**settings):
    """A push over a connection of this kind."""
    def tried(gate):
        expect(gate.ask(push(path=GOOD), **settings).status == 200, "not served")
    return tried


def openssl(gate, *arguments, input=b"", seconds=8, pause=0.0, times=1):
    """What `openssl s_client` says; its input is sent so many times, each after a pause."""
    client = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{gate.port}", *arguments],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        time.sleep(0.3)
        for _ in range(times):
            client.stdin.write(input)
            client.stdin.flush()
            time.sleep(pause)
        return client.communicate(timeout=seconds)[0].decode(errors="replace"), client.returncode
    except BrokenPipeError:
        return client.communicate(timeout=seconds)[0].decode(errors="replace"), client.returncode
    except subprocess.TimeoutExpired:
        client.kill()
        return client.communicate()[0].decode(errors="replace"), None


def renegotiation(gate):
    """A client that wants to begin anew is told no, and that is the end."""
    said, status = openssl(gate, "-tls1_2", input=b"R\n", pause=0.5)
    expect("RENEGOTIATING" in said and "no renegotiation" in said.lower() and status != 0, said[-300:])


def key_updates(gate):
    """A client that wants new keys again and again costs little, and answers are not piled up for it."""
    before, memory = gate.processor_seconds(), gate.resident_bytes()
    openssl(gate, "-tls1_3", input=b"K\n", pause=0.005, times=400)
    expect(gate.processor_seconds() - before < 1.5, "processor time")
    expect(gate.resident_bytes() - memory < 4 << 20, "memory")


def cut_hello(gate):
    """A record for each byte of the ClientHello."""
    def alter(flight):
        if flight[0] != HANDSHAKE:
            return [flight]
        inside = flight[5:]
        return [b"".join(record(HANDSHAKE, inside[index:index + 1]) for index in range(len(inside)))]
    for context in (TLS12, TLS13):
        with gate.connect(context=context, shakes=False) as connection:
            first = True

            def once(flight):
                nonlocal first
                pieces = alter(flight) if first else [flight]
                first = False
                return pieces
            connection.shake_hands(once)
            connection.send(push(path=GOOD))
            expect(connection.answer().status == 200, "not served")


def dripping_hello(gate):
    """A byte a segment: good within the time of a handshake, the end beyond it."""
    for seconds, is_good in ((0, True), (4, False)):
        with gate.connect(shakes=False) as connection:
            def slow(flight, seconds=seconds):
                for index in range(len(flight)):
                    yield flight[index:index + 1]
                    if seconds:
                        time.sleep(seconds / len(flight))
            try:
                connection.shake_hands(slow)
                is_served = True
            except (OSError, ssl.SSLError):
                is_served = False
            expect(is_served == is_good, f"a hello in {seconds} s: {is_served}")


def flood(*pieces):
    """Each after the handshake has begun: the end comes, whoever sends on."""
    def tried(gate):
        for piece in pieces:
            heard, is_closed = converse(gate.port, hello(extensions=BASIC + versions(0x0304) + share()), piece)
            expect(is_closed, f"{piece[:20]!r} goes on")
    return tried


def stale_session(gate):
    """A session that is resumed has logged nobody in."""
    for context in (TLS12, TLS13):
        with gate.connect(context=context, source="127.0.1.23") as connection:
            connection.send(push(path=GOOD))
            expect(connection.answer().status == 200, "the first")
            session = connection.tls.session
        with gate.connect(context=context, source="127.0.1.23", session=session) as connection:
            expect(connection.tls.session_reused, "not resumed")
            connection.send(push(auth=None))
            expect(connection.answer().status == 401, "a resumed session is let in")


def tickets_for_those_who_use_them(gate):
    """Who has never resumed gets few tickets after a while; who resumes gets one again."""
    def push_once(session=None):
        with gate.connect(context=TLS13, source="127.0.1.24", session=session) as connection:
            connection.send(push(path=GOOD))
            expect(connection.answer().status == 200, "a good push")
            return connection.tls.session, connection.tls.session_reused

    sessions = [push_once()[0] for _ in range(200)]
    expect(all(session.has_ticket for session in sessions[:64]), "no ticket at first")
    late = [session for session in sessions[100:] if session.has_ticket]
    expect(8 <= len(late) <= 16, f"{len(late)} of 100 get a ticket")
    expect(push_once(late[-1])[1], "not resumed")
    expect(push_once()[0].has_ticket, "no ticket after one was used")


def tickets(gate):
    """A ticket that is made up, or of somebody else, leads to a full handshake."""
    for ticket in (os.urandom(192), b"\0" * 16, b"x", os.urandom(2000)):
        Greeted().check(gate, hello(extensions=BASIC + extension(35, ticket)))
        binder = vector(vector(ticket) + bytes(4)) + vector(vector(os.urandom(32), 1))
        Greeted().check(gate, hello(extensions=BASIC + versions(0x0304) + share() + extension(45, b"\1\1")
                                    + extension(41, binder)))


def sessions_cost_nothing(gate):
    for _ in range(20):
        gate.connect().socket.close()
    before = gate.resident_bytes()
    for _ in range(500):
        gate.connect().socket.close()
    expect(gate.resident_bytes() - before < 4 << 20, f"{gate.resident_bytes() - before} bytes for 500 handshakes")


def wrong_protocol(gate):
    """HTTP/2's first words where HTTP/1.1 was agreed on."""
    context = client_context()
    context.set_alpn_protocols(["http/1.1"])
    answer = gate.ask(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", context=context)
    expect(answer.status in (400, 505) and answer.closes, f"{answer.status}")


def stalls(gate):
    """Silence from the start, within a record, and after the first flight: the end at the time of a handshake."""
    data = hello(extensions=BASIC + versions(0x0304) + share())
    for opening in (b"", data[:3], data[:40], data, data[:5] + data[5:-1]):
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", gate.port), timeout=8) as connection:
            connection.sendall(opening)
            try:
                while connection.recv(1 << 16):
                    pass
            except ConnectionError:
                pass
            except TimeoutError as error:
                raise Failure(f"after {len(opening)} bytes nothing ends it") from error
        expect(1 < time.monotonic() - began < 6, f"after {len(opening)} bytes: {time.monotonic() - began:.1f} s")


def handshake_flood(gate):
    """Handshakes that end as soon as they are done: good pushes go on."""
    stop = threading.Event()

    def shake():
        while not stop.is_set():
            try:
                gate.connect(source="127.0.1.7").reset()
            except OSError:
                pass

    shakers = [threading.Thread(target=shake) for _ in range(8)]
    for shaker in shakers:
        shaker.start()
    try:
        for _ in range(20):
            gate.push_good(seconds=5)
    finally:
        stop.set()
        for shaker in shakers:
            shaker.join()


def broken_records(gate):
    """A byte that is changed on its way ends that connection and no other, and nothing of the push goes on."""
    before = len(gate.recorder.pushes)
    with gate.connect() as other:
        for context in (TLS12, TLS13):
            for place in (5, 6, 20, -1, -17):
                with gate.connect(context=context) as connection:
                    connection.tls.write(push())
                    data = bytearray(connection.outgoing.read())
                    data[place] ^= 1
                    connection.send_raw(bytes(data))
                    expect(connection.is_closed(), "goes on")
                other.send(push(path=GOOD))
                expect(other.answer().status == 200, "another connection suffers")
    expect_forwarded(gate, before, [])


def broken_finished(gate):
    for context in (TLS12, TLS13):
        for place in range(1, 40, 3):
            turn = 0

            def alter(flight):
                nonlocal turn
                turn += 1
                data = bytearray(flight)
                if turn == 2:
                    data[-place] ^= 0x10
                return [bytes(data)]
            with gate.connect(context=context, shakes=False) as connection:
                try:
                    connection.shake_hands(alter)
                    connection.send(push())
                    expect(connection.answer() is None, "a broken Finished is taken")
                except (OSError, ssl.SSLError):
                    pass


def too_long_record(gate):
    with gate.connect() as connection:
        connection.send_raw(record(DATA, bytes(16_384 + 257), 0x0303))
        expect(connection.is_closed(), "goes on")


def small_fragments(gate):
    said, _ = openssl(gate, "-maxfraglen", "512", "-quiet", input=request(
        b"Connection: close", line=b"GET /healthz HTTP/1.1"), pause=0.5)
    expect("200 OK" in said and said.rstrip().endswith("OK"), said[-300:])


def after_goodbye(gate):
    """Whatever comes behind close_notify is not heard."""
    before = len(gate.recorder.pushes)
    with gate.connect() as connection:
        connection.tls.write(push())
        second = connection.outgoing.read()
        connection.say_goodbye()
        try:
            connection.send_raw(second)
        except OSError:
            pass
        expect(connection.is_closed(), "goes on")
    expect_forwarded(gate, before, [])


def resets(gate):
    """Gone in the middle of the handshake, of a body, of an answer."""
    for _ in range(30):
        connection = gate.connect(shakes=False)
        connection.send_raw(hello())
        connection.reset()
        connection = gate.connect()
        connection.send(push()[:-3])
        connection.reset()
        connection = gate.connect()
        connection.send(push(path=GOOD) * 20)
        connection.reset()


def one_stream_of_errors(gate):
    """An error on one connection is not taken for one on another that is read right after."""
    connections = [gate.connect() for _ in range(10)]
    for bad, good in zip(connections[::2], connections[1::2]):
        bad.tls.write(push())
        data = bytearray(bad.outgoing.read())
        data[-1] ^= 1
        good.tls.write(push(path=GOOD))
        flight = good.outgoing.read()
        bad.send_raw(bytes(data))
        good.send_raw(flight)
        expect(good.answer().status == 200, "a neighbour's error")
        bad.socket.close()
        good.socket.close()


def slow_reader(gate):
    """Answers that pile up and are read late come whole, each once."""
    with gate.connect(receive_buffer=4096) as connection:
        sender = threading.Thread(target=connection.send_raw, args=(write_all(connection, push(path=GOOD) * 300),))
        sender.start()
        time.sleep(0.5)
        for number in range(300):
            expect(connection.answer().status == 200, f"answer {number}")
        sender.join()


def write_all(connection, data):
    for start in range(0, len(data), 8192):
        connection.tls.write(data[start:start + 8192])
    return connection.outgoing.read()


def alpn_raw(data):
    return hello(extensions=BASIC + extension(16, data))


def sni(names, kind=0):
    return hello(extensions=BASIC + extension(0, vector(b"".join(bytes([kind]) + vector(name) for name in names))))


FULL = message(1, body())
TLS13_HELLO = BASIC + versions(0x0304)

ROWS = [
    Row("C001", "a hello of SSLv2", malformed,
        b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80\x02\x00\x80\x03\x00\x80\x04\x00\x80\x05\x00\x80\x06\x00"
        b"\x40\x07\x00\xc0" + bytes(16), b"\x80\x1c\x01\x03\x01\x00\x03\x00\x00\x00\x10\x00\x00\x2f" + bytes(16)),
    Row("C002", "SSLv3", Alerted(PROTOCOL_VERSION, HANDSHAKE_FAILURE), hello(version=0x0300, record_version=0x0300)),
    Row("C003", "TLS 1.0 and 1.1", Alerted(PROTOCOL_VERSION), hello(version=0x0301), hello(version=0x0302),
        hello(extensions=BASIC + versions(0x0302, 0x0301))),
    Row("C004", "a fallback that was not needed", Alerted(86), hello(ciphers=[*GOOD_CIPHERS[1:], SCSV])),
    Row("C005", "versions that there are not yet", Greeted(), hello(version=0x0305), hello(version=0x7F1C),
        hello(version=0x0304), hello(extensions=BASIC + versions(0x7A7A, 0x0304) + share()),
        hello(extensions=BASIC + versions(0x0399, 0x0303)),
        hello(extensions=extension(0x1A1A) + BASIC, ciphers=[0x2A2A, *GOOD_CIPHERS])),
    Row("C006", "a version lower than could be is marked", Does("marked"), downgrade_is_marked),
    Row("C007", "a renegotiation of the old kind", Does("ended"), renegotiation),
    Row("C008", "a renegotiation of any kind", Does("ended"), renegotiation),
    Row("C009", "a hello with a record for each byte", Does("served"), cut_hello),
    Row("C010", "a hello with a segment for each byte, in time and not", Does("dropped"), dripping_hello, gate=QUICK),
    Row("C011", "a long hello", Greeted(), hello(extensions=BASIC + extension(21, bytes(8000))),
        hello(extensions=BASIC + extension(0x1A1A, bytes(14_000)))),
    Row("C011", "a hello that is too long", malformed,
        b"".join(record(HANDSHAKE, (b"\1\x02\0\0" + bytes(1 << 17))[start:start + 16_000])
                 for start in range(0, 1 << 17, 16_000)),
        record(HANDSHAKE, b"\1\xff\xff\xff" + bytes(16_000)) * 10),
    Row("C012", "an extension twice", malformed, hello(extensions=BASIC + SIGNATURES), hello(extensions=BASIC + GROUPS)),
    Row("C012", "thousands of extensions that nobody knows", Greeted(), hello(extensions=BASIC + b"".join(
        extension(0x4000 + number) for number in range(3000)))),
    Row("C013", "a hello that is cut, or whose lengths lie", malformed,
        *(record(HANDSHAKE, message(1, FULL[4:4 + length])) for length in range(0, len(FULL) - 12, 7)),
        record(HANDSHAKE, message(1, FULL[4:] + b"\0")), record(HANDSHAKE, message(2, FULL[4:])),
        record(HANDSHAKE, message(16, FULL[4:])), record(HANDSHAKE, message(20, bytes(12))), record(99, b"x"),
        record(ALERT, b"\2\x28"), record(DATA, b"GET / HTTP/1.1\r\n\r\n"), record(CHANGE, b"\1"),
        hello(ciphers=[]), hello(compressions=b""), hello(session=bytes(33))),
    Row("C014", "a flood of empty records", malformed, record(HANDSHAKE, b"") * 1000, record(ALERT, b"") * 10,
        record(DATA, b"") * 100),
    Row("C015", "a flood of ChangeCipherSpec", Does("ended"), flood(record(CHANGE, b"\1", 0x0303) * 1000,
                                                                   record(CHANGE, b"\2", 0x0303))),
    Row("C016", "a flood of warnings", malformed, record(ALERT, b"\1\x5a") * 10_000,
        hello() + record(ALERT, b"\1\x5a", 0x0303) * 10_000),
    Row("C017", "a flood of KeyUpdates", Does("bounded"), key_updates),
    Row("C018", "a second hello without the key that was asked for", malformed,
        [hello(extensions=TLS13_HELLO + extension(51, vector(b"")))] * 2),
    Row("C018", "a share that is no key", malformed, hello(extensions=TLS13_HELLO + share(key=b"")),
        hello(extensions=TLS13_HELLO + share(key=bytes(32))), hello(extensions=TLS13_HELLO + share(0x17, bytes(65))),
        hello(extensions=TLS13_HELLO + share(key=bytes(31)))),
    Elsewhere("C019", "early data", "nothing is compressed and no early data is taken"),
    Row("C020", "tickets that are made up", Does("greeted"), tickets),
    Elsewhere("C021", "a ticket across a reload", "a session goes on after a reload, except when other clients are trusted"),
    Elsewhere("C022", "tickets and the keys they were made with", "a ticket keeps what it is made of"),
    Row("C023", "a resumed session is nobody's login", Does("refused"), stale_session),
    Row("C024", "sessions cost no memory", Does("bounded"), sessions_cost_nothing),
    Row("C024", "tickets that nobody uses", Does("served"), tickets_for_those_who_use_them,
        gate={"settings": "workers: 1\n"}),  # Each worker knows those that it serves.
    Row("C025", "no ALPN", Does("served"), served(context=client_context())),
    Row("C026", "only a protocol that is not spoken", Alerted(120), hello(extensions=BASIC + alpn(b"foo")),
        hello(extensions=BASIC + alpn(b"http/1.0", b"ftp"))),
    Elsewhere("C027", "h2 agreed on and HTTP/1.1 spoken (B046)", "Tests/Attacks/family_b.py"),
    Row("C028", "http/1.1 agreed on and HTTP/2 spoken", Does("refused"), wrong_protocol),
    Row("C029", "an ALPN that is malformed", malformed, alpn_raw(b""), alpn_raw(b"\0\0"), alpn_raw(b"\0\1\0"),
        alpn_raw(b"\0\3\x08h2"), alpn_raw(b"\0\3\2h2\2h2"), alpn_raw(b"\xff\xff\2h2")),
    Row("C030", "another name, none, an address", Does("served"), served(server_hostname="other.example"),
        served(server_hostname=None), served(server_hostname="127.0.0.1")),
    Row("C031", "names that are none", Survived(), sni([]), sni([b""]), sni([b"a\0b"]), sni([b"a", b"b"]),
        sni([b"x" * 300])),
    Row("C031", "names that are strange", Greeted(), sni([b"LOCALHOST"]), sni([b"localhost."]), sni([b"xn--a"])),
    NotHere("C032", "a name other than Host", "the gate has one site and takes any Host: never 421"),
    Row("C033", "silence from the start", Does("dropped"), stalls, gate=QUICK),
    Row("C034", "silence after each flight", Does("dropped"), stalls, gate=QUICK),
    Row("C035", "a flood of handshakes", Does("served"), handshake_flood),
    Row("C036", "finite fields", failed, *ciphers(0x009E, 0x009F, 0xCCAA, 0x0033, 0x0039, 0x0067)),
    Row("C037", "compression", malformed, hello(compressions=b"\1"), hello(compressions=b"\1\x40")),
    Row("C037", "compression that is offered is not taken", Greeted(), hello(compressions=b"\1\0")),
    Row("C038", "old and weak suites", failed, *ciphers(
        0x0005, 0x000A, 0x0001, 0x0002, 0x0003, 0x0018, 0x0034, 0xC007, 0xC008, 0xC012, 0x002F, 0x0035, 0x003C, 0xC009,
        0xC00A, 0xC013, 0xC014, 0xC023, 0xC024, 0xC027, 0xC006, 0xC018)),
    Row("C039", "RSA without forward secrecy", failed, *ciphers(0x009C, 0x009D, 0x002F, 0x0035, 0xC09C)),
    Row("C040", "CBC", failed, *ciphers(0xC023, 0xC024, 0xC009, 0xC00A)),
    Row("C041", "only old signatures, only strange groups", Alerted(HANDSHAKE_FAILURE, ILLEGAL_PARAMETER, 47, 71),
        hello(extensions=with_signatures(0x0201, 0x0203, 0x0101)), hello(extensions=with_groups(0x001A, 0x7777)),
        hello(extensions=with_groups(0x7777) + versions(0x0304) + share(0x7777))),
    Row("C042", "the heartbeat that bled", malformed, hello(extensions=BASIC + extension(15, b"\1"))
        + record(24, b"\1\x40\0", 0x0303), record(24, b"\1\x40\0")),
    Row("C043", "records that were changed on their way", Does("ended"), broken_records),
    Row("C044", "a Finished that was changed on its way", Does("ended"), broken_finished),
    Row("C045", "a record that is too long", Does("ended"), too_long_record),
    Row("C046", "a client that takes small fragments only", Does("served"), small_fragments),
    Row("C047", "HTTP in the clear", malformed, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", push(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0" * 100, os.urandom(500)),
    Elsewhere("C048", "the end without a goodbye, in a body", "a body that is cut is not forwarded"),
    Row("C049", "more behind the goodbye", Does("no push"), after_goodbye),
    Elsewhere("C050", "a goodbye right behind the request", "a client that has finished sending is still answered"),
    Row("C051", "gone in the middle of anything", Does("unharmed"), resets),
    Row("C052", "a client certificate that nobody asked for", malformed, [hello(), record(
        HANDSHAKE, message(11, vector(b"", 3)), 0x0303)]),
    Row("C053", "TLS 1.2 without the extended master secret", Greeted(), hello(extensions=SIGNATURES + GROUPS)),
    Row("C054", "data in the middle of a handshake", malformed, [hello(), record(DATA, b"x" * 40, 0x0303)],
        [hello(extensions=TLS13_HELLO + share()), record(DATA, os.urandom(60), 0x0303)]),
    Row("C055", "answers that are read late", Does("served"), slow_reader),
    Row("C056", "an error on another connection", Does("served"), one_stream_of_errors),
    NotHere("C057", "the whole of tlsfuzzer", "is run by hand; what of it applies here stands in the rows above"),
    NotHere("C058", "the whole of testssl.sh", "is run by hand, for it takes minutes"),
]
