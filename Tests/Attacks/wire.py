"""A client that sends exactly the bytes it is told to, cut as it is told to, and reads answers strictly."""

import re
import socket
import ssl
import struct
import time


class Failure(Exception):
    """Something that a user would notice is not as it has to be."""


def expect(condition, what):
    if not condition:
        raise Failure(what)


def client_context(**settings):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name, value in settings.items():
        setattr(context, name, value)
    return context


CONTEXT = client_context()


class Answer:
    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    @property
    def closes(self):
        return self.fields.get("connection") == "close"

    @property
    def text(self):
        return self.body.decode()


class Connection:
    """A TLS connection whose records and segments are the test's to cut: each `send` is one record."""

    def __init__(self, port, address="127.0.0.1", source=None, context=CONTEXT, server_hostname="localhost",
                 session=None, shakes=True, receive_buffer=None):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(family)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(10)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect((address, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=server_hostname, session=session)
        self.received = b""
        if shakes:
            self.shake_hands()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    # The handshake

    def shake_hands(self, alter=lambda flight: [flight], seconds=10):
        """`alter` may change each flight of ours, or cut it into segments."""
        end = time.monotonic() + seconds
        while True:
            try:
                self.tls.do_handshake()
                is_done = True
            except ssl.SSLWantReadError:
                is_done = False
            flight = self.outgoing.read()
            if flight:
                for piece in alter(flight):
                    self.socket.sendall(piece)
            if is_done:
                return
            self.take_in(end)

    def take_in(self, end):
        """Reads from the socket, once. False when the peer has ended the connection."""
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.socket.settimeout(left)
        data = self.socket.recv(1 << 16)
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()
        return bool(data)

    # Sending

    def send(self, data):
        self.tls.write(data)
        self.flush()

    def send_pieces(self, pieces):
        """One record for each piece, all in one segment as far as they fit."""
        for piece in pieces:
            if piece:
                self.tls.write(piece)
        self.flush()

    def flush(self):
        self.socket.settimeout(10)
        self.socket.sendall(self.outgoing.read())

    def send_raw(self, data):
        self.socket.settimeout(10)
        self.socket.sendall(data)

    def say_goodbye(self):
        """close_notify, without waiting for the gate's."""
        try:
            # OpenSSL gives up reading when it closes over records that have come already.
            while more := self.tls.read(1 << 16):
                self.received += more
        except ssl.SSLError:
            pass
        try:
            self.tls.unwrap()
        except ssl.SSLError:
            pass
        self.flush()

    def finish(self):
        """FIN without close_notify."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    # Receiving

    def read(self, end):
        """More of what the gate says, decrypted; nothing when it has said goodbye or gone."""
        while True:
            try:
                return self.tls.read(1 << 16)
            except ssl.SSLWantReadError:
                self.take_in(end)
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return b""

    def answer(self, seconds=10, has_body=True):
        """The next answer, its form checked to the letter; None when the connection ends instead."""
        end = time.monotonic() + seconds
        while b"\r\n\r\n" not in self.received:
            try:
                more = self.read(end)
            except TimeoutError:
                raise Failure(f"no answer within {seconds} s, only {self.received[:100]!r}") from None
            except (ConnectionError, ssl.SSLError):
                more = b""
            if not more:
                if self.received:
                    raise Failure(f"an answer that is cut: {self.received[:200]!r}")
                return None
            self.received += more
        head, _, self.received = self.received.partition(b"\r\n\r\n")
        status, fields = read_head(head)
        length = int(fields.get("content-length", 0)) if has_body else 0
        while len(self.received) < length:
            more = self.read(end)
            if not more:
                raise Failure("an answer's body that is cut")
            self.received += more
        body, self.received = self.received[:length], self.received[length:]
        return Answer(status, fields, body)

    def is_closed(self, seconds=3):
        """Has the gate ended the connection, without another byte?"""
        try:
            more = self.received or self.read(time.monotonic() + seconds)
        except TimeoutError:
            return False
        except (ConnectionError, ssl.SSLError):
            return True
        if more:
            raise Failure(f"more than one answer: {more[:200]!r}")
        return True


def read_head(head):
    """The status and the fields of an answer, which is written in one way."""
    line, *lines = head.decode("ascii").split("\r\n")
    found = re.fullmatch(r"HTTP/1\.1 ([1-5]\d\d) [A-Z][A-Za-z -]+", line)
    if not found:
        raise Failure(f"a status line that is none: {line!r}")
    fields = {}
    for text in lines:
        name, colon, value = text.partition(": ")
        if not colon or name.lower() in fields:
            raise Failure(f"a field that is none, or is there twice: {text!r}")
        fields[name.lower()] = value
    status = int(found[1])
    if status < 200:
        if fields:
            raise Failure(f"an interim answer with fields: {fields}")
        return status, fields
    check_fields(fields)
    return status, fields


def check_fields(fields):
    """Those of a final answer."""
    expected = {"date", "content-length", "x-request-id", "cache-control", "x-content-type-options"}
    allowed = expected | {"content-type", "connection", "retry-after", "allow", "accept-encoding", "www-authenticate"}
    if not expected <= fields.keys() or not fields.keys() <= allowed:
        raise Failure(f"fields that are missing or not ours: {sorted(fields)}")
