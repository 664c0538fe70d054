"""What stands in the Pushgateway's place: it keeps every push it was sent, and complains of each byte that is not
in the gate's one way of writing."""

import base64
import re
import socket
import threading
import urllib.parse

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
TEXT = b"text/plain; version=0.0.4; charset=utf-8"
PROTOBUF = b"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
GOOD = b"/metrics/job/attacks-good"
UNRESERVED = "-._~"


class Push:
    def __init__(self, method, path, format, body):
        self.method, self.path, self.format, self.body = method, path, format, body


class Recorder:
    """`reply` is what every push but the good ones is answered: bytes, or a function of the connection and the push
    that says whether the connection is kept."""

    def __init__(self, port=0):
        self.pushes, self.faults, self.connections = [], [], []
        self.reply = OK
        self.lock = threading.Lock()
        self.live, self.port = set(), port
        self.listen()

    def listen(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.port = self.listener.getsockname()[1]
        self.listener.listen(512)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def hang_up(self):
        """Nobody is let in any more, and who is there is cut off."""
        for open_socket in [self.listener, *list(self.live)]:
            try:
                open_socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.listener.close()

    def __exit__(self, *_):
        self.hang_up()

    def serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.live.add(connection)
        received = b""
        try:
            while True:
                push, received = self.read(connection, received)
                if push is None or not self.answer(connection, push):
                    return
        except OSError:
            pass
        finally:
            self.live.discard(connection)
            connection.close()

    def read(self, connection, received):
        """The next push, and what has come behind it."""
        while b"\r\n\r\n" not in received:
            more = connection.recv(1 << 16)
            if not more:
                if received:
                    self.complain(received, "a head that ends early")
                return None, b""
            received += more
        head, _, rest = received.partition(b"\r\n\r\n")
        if head.startswith(b"GET "):
            self.answer_question(connection, head)
            return self.read(connection, rest)
        method, path, format, length = self.judge(head)
        while len(rest) < length:
            more = connection.recv(1 << 20)
            if not more:
                self.complain(head, f"{len(rest)} bytes of a body of {length}")
                return None, b""
            rest += more
        return Push(method, path, format, rest[:length]), rest[length:]

    def judge(self, head):
        """Reads a head that has to be written in the gate's one way."""
        found = re.fullmatch(
            rb"(PUT|POST|DELETE) (/[!-~]+) HTTP/1\.1\r\nHost: 127\.0\.0\.1:%d"
            rb"(?:\r\nContent-Type: (%s|%s)\r\nContent-Length: (0|[1-9][0-9]*))?"
            % (self.port, re.escape(TEXT), re.escape(PROTOBUF)), head)
        if not found:
            self.complain(head, "a head that is not canonical")
            raise OSError
        method, path, format, length = found.groups()
        if canonical(path) != path:
            self.complain(head, "a path that is not canonical")
        if (method == b"DELETE") != (length is None):
            self.complain(head, "a length where none belongs, or none where one does")
        return method, path, format, int(length or 0)

    def complain(self, what, why):
        with self.lock:
            self.faults.append(f"{why}: {what[:200]!r}")

    def answer_question(self, connection, head):
        if not re.fullmatch(rb"GET /(metrics|-/ready|api/v1/metrics) HTTP/1\.1\r\nHost: 127\.0\.0\.1:%d"
                            rb"(\r\nConnection: close)?" % self.port, head):
            self.complain(head, "a question that is not canonical")
        body = b'{"status":"success","data":[]}' if b"/api/" in head else b"a 1\n"
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    def answer(self, connection, push):
        if push.path == GOOD:
            connection.sendall(OK)
            return True
        with self.lock:
            self.pushes.append(push)
            self.connections.append(connection)
        if callable(self.reply):
            return self.reply(connection, push)
        connection.sendall(self.reply)
        return True


def canonical(path):
    """The one way to write the group that a path means: job, then labels by name, each value percent-encoded but for
    the unreserved characters, in base64 only where a slash or a dot segment demands it."""
    parts = path.decode("latin-1").split("/")[2:]
    if len(parts) % 2 or not parts or not path.startswith(b"/metrics/job"):
        return b""
    pairs = []
    for name, value in zip(parts[::2], parts[1::2]):
        stem, _, encoding = name.partition("@")
        if encoding:
            data = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
        else:
            data = urllib.parse.unquote_to_bytes(value)
        pairs.append((stem, data))
    written = "/metrics"
    for name, data in pairs[:1] + sorted(pairs[1:]):
        if b"/" in data or data in (b".", b".."):
            digits = base64.urlsafe_b64encode(data).decode().rstrip("=")
            written += f"/{name}@base64/{digits}"
        else:
            written += f"/{name}/" + urllib.parse.quote_from_bytes(data, safe=UNRESERVED)
    return written.encode()
