"""The gate under attack, with what it needs made by its own commands, and the words to speak to it."""

import base64
import os
import pathlib
import random
import socket
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
os.environ.setdefault("KANMON", str(ROOT / ".build/debug/kanmon"))
sys.path.append(str(ROOT / "Tests/Endurance"))

from proxies import KANMON, Pushgateway, Started, wait_for_port  # noqa: E402, F401
from recorder import GOOD, Recorder  # noqa: E402
from wire import CONTEXT, Connection, Failure  # noqa: E402

USERS = {
    "good": "a good password",
    "other": "another password",
    "colon": "a:b:c",
    "short": "p",
    "exact": "x" * 72,
    "snow": "☃" * 24,
    "costly": "a costly password",
}


def login(user="good", password=None):
    said = f"{user}:{USERS.get(user) if password is None else password}"
    return b"Authorization: Basic " + base64.b64encode(said.encode())


BODY = b"# TYPE attack gauge\nattack 1\n"
PATH = b"/metrics/job/attack"
HOST = b"Host: localhost"
LOGIN = login()


def request(*fields, line=b"POST " + PATH + b" HTTP/1.1", host=HOST, auth=LOGIN, body=b""):
    """Exactly these lines and this body."""
    lines = [line, host, auth, *fields]
    return b"\r\n".join(entry for entry in lines if entry is not None) + b"\r\n\r\n" + body


def push(*fields, body=BODY, path=PATH, method=b"POST", **others):
    """A push as it should be, with these fields beside its own."""
    line = method + b" " + path + b" HTTP/1.1"
    return request(*fields, b"Content-Length: %d" % len(body), line=line, body=body, **others)


def chunked(body, *fields, **others):
    """A push whose body is these bytes of chunks."""
    return request(*fields, b"Transfer-Encoding: chunked", body=body, **others)


class Gate(Started):
    """One gate before one recorder, or another `upstream`. `settings` go into its configuration as they are."""

    def __init__(self, settings="", upstream=Recorder, allow="[127.0.0.1, 127.0.1.0/24]", listen="127.0.0.1",
                 upstream_url=None, upstream_settings="", users_settings="", cost=4):
        super().__init__()
        self.recorder = upstream()
        self.port, self.admin = quiet_port(), quiet_port()
        run_quietly("cert", "--out", self.folder)
        for user, password in USERS.items():
            run_quietly("passwd", "--cost", cost if user == "costly" else 4, self.folder / "htpasswd", user,
                        input=password.encode() + b"\n")
        url = upstream_url or f"http://127.0.0.1:{self.recorder.port}"
        self.settings = settings
        self.configuration = lambda allow=allow: (
            f"environment: dev\nlisten: \"{listen}:{self.port}\"\nallow: {allow}\n"
            "tls: {cert_file: tls.crt, key_file: tls.key}\n"
            f"auth: {{users_file: htpasswd{users_settings}}}\n"
            f"admin: {{listen: \"127.0.0.1:{self.admin}\"}}\n"
            f"audit: {{file: {self.folder}/audit}}\n"
            f'upstream: {{url: "{url}"{upstream_settings}}}\n' + self.settings)
        self.write(self.configuration())
        self.start(KANMON, "serve", "--config", str(self.folder / "kanmon.yml"))
        try:
            wait_for_port(self.admin)
        except SystemExit as error:
            raise Failure(f"the gate does not start: {self.log()}") from error
        self.slowest_good = 0.0
        self.push_good(seconds=30)
        self.slowest_good = 0.0
        self.descriptors = self.count_descriptors()

    def __exit__(self, *_):
        super().__exit__()
        self.recorder.__exit__()

    def write(self, configuration):
        (self.folder / "kanmon.yml").write_text(configuration)

    def reload(self, seconds=5):
        ask = urllib.request.Request(f"http://127.0.0.1:{self.admin}/-/reload", method="POST")
        with urllib.request.urlopen(ask, timeout=seconds) as answer:
            return answer.status

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=5) as answer:
            return answer.read().decode()

    def metric(self, name):
        """The value of a metric, with its labels as they are written; 0 where there is none."""
        for line in self.metrics().splitlines():
            if line.startswith(name + " "):
                return float(line.split(" ")[1])
        return 0.0

    def connect(self, **settings):
        return Connection(self.port, **settings)

    def ask(self, data, seconds=10, **settings):
        """Sends on a new connection and gives the answer."""
        with self.connect(**settings) as connection:
            connection.send(data)
            return connection.answer(seconds)

    def push_good(self, seconds=2.0):
        """A push beyond reproach, on a new connection."""
        began = time.monotonic()
        try:
            answer = self.ask(push(path=GOOD), seconds=seconds, context=CONTEXT)
        except OSError as error:
            raise Failure(f"a good push right after: {error!r}") from error
        took = time.monotonic() - began
        if answer is None or answer.status != 200:
            raise Failure(f"a good push right after: {answer and (answer.status, answer.text)}")
        if took > seconds:
            raise Failure(f"a good push right after took {took:.2f} s")
        self.slowest_good = max(self.slowest_good, took)

    def count_descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident_bytes(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    def processor_seconds(self):
        """To the nanosecond, by the clock that clock_getcpuclockid(3) names: /proc counts ticks of 10 ms."""
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def check_invariants(self, pool=40):
        """Upstream saw canonical bytes or nothing; the gate runs, serves at once, and has given back what it held."""
        if self.process.poll() is not None:
            raise Failure(f"the gate has ended: {self.process.returncode}: {self.log()[-500:]}")
        if getattr(self.recorder, "faults", None):
            fault = self.recorder.faults.pop()
            raise Failure(f"the Pushgateway got {fault}")
        self.push_good()
        end = time.monotonic() + 3
        while self.count_descriptors() > self.descriptors + pool:
            if time.monotonic() > end:
                raise Failure(f"{self.count_descriptors()} descriptors, {self.descriptors} before")
            time.sleep(0.05)


# Not random's own numbers, which are the same in every family: they run in processes of one beginning.
CHANCE = random.SystemRandom()


def quiet_port():
    """One that no client of all those here is given by the system meanwhile."""
    while True:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", CHANCE.randrange(15_000, 32_000)))
                return probe.getsockname()[1]
            except OSError:
                continue


def run_quietly(*arguments, input=None):
    subprocess.run([KANMON, *map(str, arguments)], input=input, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
