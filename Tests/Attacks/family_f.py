"""F: from where a client comes, and what it says about that."""


import socket
import subprocess
import threading
import time

from frames import Peer, post
from gate import GOOD, KANMON, Connection, push
from table import Accepted, Does, Elsewhere, NotHere, Row, expect_forwarded
from wire import expect, Failure

NO_PROXY_PROTOCOL = "the gate does not speak the PROXY protocol: every byte before TLS ends the connection (F017)"


def is_let_in(port, address="127.0.0.1", source=None):
    """Whether a push from there is answered; who is not let in gets the end of the connection and no byte."""
    try:
        with Connection(port, address=address, source=source) as connection:
            connection.send(push(path=GOOD))
            expect(connection.answer().status == 200, "let in, and refused")
            return True
    except (ConnectionError, EOFError, OSError) as error:
        expect(not isinstance(error, TimeoutError), "neither let in nor told")
        return False


def addresses(gate):
    for source, expected in (("127.0.0.1", True), ("127.0.0.2", False), ("127.0.1.0", True), ("127.0.1.255", True),
                             ("127.0.2.0", False), ("127.0.0.255", False)):
        expect(is_let_in(gate.port, source=source) == expected, f"{source} is let in: {not expected}")
    with socket.create_connection(("127.0.0.1", gate.port), source_address=("127.0.0.2", 0), timeout=5) as denied:
        try:
            expect(denied.recv(1) == b"", "a byte for an address that is not allowed")
        except ConnectionResetError:
            pass


def both_families(gate):
    """A listener for both families: the rule for 127.0.0.1 fits it and nothing of IPv6."""
    expect(is_let_in(gate.port, "127.0.0.1"), "IPv4 on a socket for both")
    expect(not is_let_in(gate.port, "::1"), "::1 by the rule for 127.0.0.1")
    for allowed, v4, v6 in (("['::1']", False, True), ("['::ffff:127.0.0.1']", True, False),
                            ("['::127.0.0.1']", False, False), ("['64:ff9b::7f00:1', '2002:7f00:1::/48']", False, False)):
        gate.write(gate.configuration(allowed))
        try:
            gate.reload()
        except OSError:
            expect("ffff" in allowed, f"{allowed} is no list")
            continue
        expect(is_let_in(gate.port, "127.0.0.1") == v4, f"IPv4 by {allowed}")
        expect(is_let_in(gate.port, "::1") == v6, f"IPv6 by {allowed}")
    gate.write(gate.configuration())
    gate.reload()


def check(gate, allowed):
    (gate.folder / "checked.yml").write_text(gate.configuration(allowed))
    return subprocess.run([KANMON, "check", "--config", gate.folder / "checked.yml"], capture_output=True, text=True,
                          timeout=20)


def lists_refused(*values):
    def tried(gate):
        for value in values:
            done = check(gate, value)
            expect(done.returncode == 78 and "checked.yml:" in done.stderr, f"allow: {value} is taken: {done.stderr}")
    return tried


def everyone(gate):
    """All the world has to be said, and a reload that does not say whom to allow changes nothing."""
    done = check(gate, "[0.0.0.0/0, '::/0']")
    expect(done.returncode == 0, f"all of both families cannot be said: {done.stderr}")


def boundaries(gate):
    for network, first, last in (("127.0.3.64/26", 64, 127), ("127.0.3.128/31", 128, 129), ("127.0.3.7/32", 7, 7)):
        gate.write(gate.configuration(f"[{network}]"))
        gate.reload()
        for number in {first - 1, first, last, last + 1}:
            is_inside = first <= number <= last
            expect(is_let_in(gate.port, source=f"127.0.3.{number}") == is_inside, f"127.0.3.{number} by {network}")
    gate.write(gate.configuration())
    gate.reload()


def spoofed(gate):
    """What a denied client says of itself is not heard."""
    for source in ("127.0.0.2", "127.0.0.3"):
        expect(not is_let_in(gate.port, source=source), f"{source} is let in")


def fields(*values):
    return [push(value) for value in values]


def before_tls(*openings):
    """Bytes that are not TLS end the connection, with nothing but an alert of TLS said."""
    def tried(gate):
        for opening in openings:
            with socket.create_connection(("127.0.0.1", gate.port), timeout=5) as connection:
                try:
                    connection.sendall(opening)
                    heard = b""
                    while more := connection.recv(1000):
                        heard += more
                except ConnectionError:
                    pass
                except TimeoutError as error:
                    raise Failure(f"{opening[:40]!r} is waited with") from error
                expect(not heard or (heard[0] == 0x15 and len(heard) <= 14), f"{opening[:40]!r} is answered {heard!r}")
    return tried


def live_peer_is_removed(gate):
    """Who is taken off the list is refused at the next request of the connection that is open."""
    before = len(gate.recorder.pushes)
    with gate.connect(source="127.0.1.9") as connection:
        connection.send(push(path=GOOD))
        expect(connection.answer().status == 200, "before")
        gate.write(gate.configuration("[127.0.0.1]"))
        gate.reload()
        connection.send(push())
        answer = connection.answer()
        expect(answer.status == 403 and answer.closes and connection.is_closed(), f"{answer.status} after")
    expect(not is_let_in(gate.port, source="127.0.1.9"), "let in anew")
    gate.write(gate.configuration())
    gate.reload()
    expect_forwarded(gate, before, [])


def live_peer_on_http2(gate):
    with Peer(gate, source="127.0.1.9") as peer:
        peer.say(post(path=GOOD))
        peer.expect_status(200)
        gate.write(gate.configuration("[127.0.0.1]"))
        gate.reload()
        peer.say(post(stream=3))
        peer.expect_status(403, 3)
    gate.write(gate.configuration())
    gate.reload()


def gone_at_accept(gate):
    """Peers that reset before they are accepted harm nobody."""
    for _ in range(300):
        peer = socket.create_connection(("127.0.0.1", gate.port), timeout=5)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.close()


def denied_flood(gate):
    """Thousands of denied connections: others are served, the log has few lines, all are counted."""
    lines, refused = len(gate.log().splitlines()), gate.metric("kanmon_connections_refused_total")

    def knock():
        for number in range(500):
            try:
                with socket.create_connection(("127.0.0.1", gate.port), source_address=(f"127.0.9.{number % 250 + 1}", 0),
                                              timeout=5) as denied:
                    denied.recv(1)
            except OSError:
                pass

    knockers = [threading.Thread(target=knock) for _ in range(4)]
    for knocker in knockers:
        knocker.start()
    for _ in range(10):
        gate.push_good()
    for knocker in knockers:
        knocker.join()
    end = time.monotonic() + 5
    while gate.metric("kanmon_connections_refused_total") - refused < 2000 and time.monotonic() < end:
        time.sleep(0.05)
    counted = gate.metric("kanmon_connections_refused_total") - refused
    expect(counted >= 1990, f"{counted} of 2000 counted")
    expect(len(gate.log().splitlines()) - lines < 600, f"{len(gate.log().splitlines()) - lines} lines of log")


ROWS = [
    Row("F001", "who is not listed gets the end of the connection and no byte", Does("dropped"), addresses),
    Row("F002", "on a socket for both families IPv4 is IPv4, and no other spelling is", Does("dropped"), both_families,
        gate={"listen": "", "allow": "[127.0.0.1]"}),
    Elsewhere("F003", "v4-compatible, NAT64, 6to4 and Teredo are IPv6",
              "IPv4 and its v4-mapped form are one value, v4-compatible is another"),
    Row("F004", "an address with a zone is none", Does("not started"), lists_refused("['fe80::1%eth0']", "['fe80::1%1/64']")),
    Row("F005", "an empty list, or none, allows nobody", Does("not started"), lists_refused("[]", "", "''", "{}", "null")),
    Row("F006", "everyone is allowed only where that is said", Does("said"), everyone),
    Row("F007", "a prefix that is none", Does("not started"), lists_refused(*(
        f"['10.0.0.0/{prefix}']" for prefix in ("33", "-1", " 8", "08", "8x", "129", "", "+8", "8/8", "0x8")),
        "['::/129']", "['::/']")),
    Row("F008", "bits behind the prefix", Does("not started"), lists_refused(
        "[10.0.0.1/8]", "['2001:db8::1/32']", "[127.0.0.1/31]")),
    Row("F009", "an address in octal, hexadecimal, short or one number", Does("not started"), lists_refused(*(
        f"['{text}']" for text in ("010.0.0.1", "0x0a.0.0.1", "0x0a.1", "10.1", "167772161", "1.2.3.4.5", "1.2.3.256",
                                   "1.2.3.", ".1.2.3.4", "1..2.3", "+1.2.3.4", "１.2.3.4")))),
    Row("F010", "an IPv6 address that is none", Does("not started"), lists_refused(*(
        f"['{text}']" for text in ("1::2::3", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "::g", "[::1]",
                                   "::1.2.3", "1:2:3:4:5:6:7:1.2.3.4", ":1::", "::1:")))),
    Row("F011", "each network begins and ends exactly where it does", Does("dropped"), boundaries),
    Elsewhere("F012", "a hundred thousand entries", "a hundred thousand networks are cut and searched in no time"),
    Row("F013", "names and other text for an address", Does("not started"), lists_refused(*(
        f"['{text}']" for text in ("localhost", "example.com", "", " ", "127.0.0.1 ", "127.0.0.1,10.0.0.1", "*", "all")),
        '["127.0.0.1\\0"]', '["127.0.0.1\\r"]')),
    Row("F014", "a denied client cannot talk itself in", Does("dropped"), spoofed),
    Row("F015", "what a client says of its address changes nothing and goes nowhere", Accepted(), *fields(
        b"X-Forwarded-For: 10.0.0.1", b"Forwarded: for=10.0.0.1;proto=http", b"X-Real-IP: 10.0.0.1",
        b"True-Client-IP: 10.0.0.1", b"CF-Connecting-IP: 10.0.0.1", b"X-Client-IP: 10.0.0.1", b"Via: 1.1 x")),
    Row("F016", "however much it says", Accepted(), *fields(
        b"X-Forwarded-For: " + b"1.1.1.1, " * 700, b"X-Forwarded-For: ,,,\xff\xff", b"X-Forwarded-For:")),
    Row("F017", "a header of the PROXY protocol is not TLS", Does("dropped"), before_tls(
        b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n", b"PROXY UNKNOWN\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\1\x7f\0\0\1\0\1\0\2")),
    NotHere("F018", "PROXY from a peer that is not trusted", NO_PROXY_PROTOCOL),
    NotHere("F019", "PROXY that is required and missing", NO_PROXY_PROTOCOL),
    NotHere("F020", "PROXY version 1 too long, cut or slow", NO_PROXY_PROTOCOL),
    NotHere("F021", "PROXY version 1 malformed", NO_PROXY_PROTOCOL),
    NotHere("F022", "PROXY version 2 malformed", NO_PROXY_PROTOCOL),
    NotHere("F023", "PROXY version 2 LOCAL", NO_PROXY_PROTOCOL),
    NotHere("F024", "PROXY version 2 with a wrong checksum", NO_PROXY_PROTOCOL),
    NotHere("F025", "a PROXY header twice", NO_PROXY_PROTOCOL),
    Row("F026", "a live peer that is taken off the list is refused at its next request", Does("refused"),
        live_peer_is_removed),
    Row("F027", "and so is one on HTTP/2", Does("refused"), live_peer_on_http2),
    Elsewhere("F028", "loopback is what is listed, no more", "loopback is 127 slash 8 and colon-colon-1 only"),
    Row("F029", "peers that are gone before they are accepted", Does("unharmed"), gone_at_accept),
    Row("F030", "a flood of denied clients is counted, and not told one by one", Does("dropped"), denied_flood),
]
