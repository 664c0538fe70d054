"""What the scripts are tried against: real gates before a real Pushgateway, and ports that misbehave. All of it on
loopback, each started here and ended by its id."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
KANMON = os.path.abspath(os.environ.get("KANMON", ROOT / ".build/debug/kanmon"))
PASSWORD = "Zq7'\"\\$HOME `x` #;ü-secret"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit(f"nothing listens on port {port}")


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


class Program:
    """A program with a port, which can be ended and started again."""

    def __init__(self, port, *command, log=None):
        self.port, self.command, self.log_file = port, command, log
        self.start()

    def start(self):
        with open(self.log_file or os.devnull, "ab") as output:
            self.process = subprocess.Popen(self.command, stdout=output, stderr=output)
        wait_for_port(self.port)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Stack:
    """A folder with a certificate and a user, a Pushgateway, and as many gates as are asked for."""

    def __init__(self):
        self.programs, self.sockets = [], []
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kanmon-push-"))
        os.chmod(self.folder, 0o755)
        self.certificate = self.make_certificate("tls")
        self.write("password", PASSWORD + "\n", 0o600)
        run(KANMON, "passwd", self.folder / "htpasswd", "prom", "--cost", "5", input=PASSWORD + "\n")
        port = free_port()
        self.pushgateway = self.add(Program(port, "prometheus-pushgateway", f"--web.listen-address=127.0.0.1:{port}",
                                            "--persistence.file=", "--log.level=error"))
        self.store = f"http://127.0.0.1:{port}"

    def make_certificate(self, name, *hosts):
        options = [option for host in hosts for option in ("--host", host)]
        run(KANMON, "cert", "--out", self.folder / name, *options)
        return self.folder / name / "tls.crt"

    def write(self, name, text, mode=0o644):
        path = self.folder / name
        path.write_text(text)
        os.chmod(path, mode)
        return path

    def add(self, program):
        self.programs.append(program)
        return program

    def gate(self, name, allow="[127.0.0.1]", rules="", tls="tls", admin=None, upstream=None):
        port = free_port()
        config = self.write(f"{name}.yml", (
            f"listen: 127.0.0.1:{port}\nallow: {allow}\n"
            f"tls: {{cert_file: {tls}/tls.crt, key_file: {tls}/tls.key}}\n"
            f"auth:\n  users_file: htpasswd\n{rules}"
            f'upstream: {{url: "{upstream or self.store}"}}\n'
            + (f"admin: {{listen: 127.0.0.1:{admin}}}\n" if admin else "")))
        gate = self.add(Program(port, KANMON, "serve", "--config", str(config), log=self.folder / f"{name}.log"))
        gate.url, gate.config = f"https://localhost:{port}", config
        return gate

    def nginx(self, server, port=None):
        port = port or free_port()
        config = self.write("nginx.conf", f"""
worker_processes 1; daemon off; pid {self.folder}/nginx.pid; error_log {self.folder}/nginx.errors;
events {{ worker_connections 64; }}
http {{ access_log off; client_body_temp_path {self.folder}/b; proxy_temp_path {self.folder}/p;
  fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
  server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {self.folder}/tls/tls.crt;
    ssl_certificate_key {self.folder}/tls/tls.key; {server} }} }}
""")
        return self.add(Program(port, "nginx", "-c", str(config), "-e", str(self.folder / "nginx.errors")))

    def silent_port(self):
        """Accepts connections and says nothing, ever."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.sockets.append(listener)
        return listener.getsockname()[1]

    def filtered_port(self):
        """A port whose queue is full drops what comes, as a firewall does."""
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        self.sockets.append(listener)
        for _ in range(8):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
            self.sockets.append(client)
        time.sleep(0.2)
        return listener.getsockname()[1]

    def group(self, **labels):
        """What the Pushgateway shows of a group: names and values."""
        wanted, found = {f'{name}="{value}"' for name, value in labels.items()}, {}
        for line in get(self.store + "/metrics").splitlines():
            name, brace, rest = line.partition("{")
            if brace and not line.startswith("#"):
                inside, _, value = rest.rpartition("} ")
                pairs = {pair for pair in inside.split(",") if pair != 'instance=""' and "version=" not in pair}
                if pairs == wanted:
                    found[name] = float(value)
        return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for program in reversed(self.programs):
            program.stop()
        for each in self.sockets:
            each.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Receiver:
    """Answers HTTP requests one after the other, each with the next of what it was given; the last one stays."""

    def __init__(self, *answers):
        self.answers, self.requests = list(answers), []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection):
        with connection, contextlib.suppress(OSError):
            head, body = b"", b""
            while b"\r\n\r\n" not in head:
                some = connection.recv(65536)
                if not some:
                    return
                head += some
            head, _, body = head.partition(b"\r\n\r\n")
            length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                           if line.startswith(b"content-length:")), 0)
            while len(body) < length:
                body += connection.recv(65536)
            self.requests.append((time.monotonic(), head.decode(), body))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if answer is None:
                time.sleep(30)
                return
            status, headers, text = answer
            text = text.encode() if isinstance(text, str) else text
            connection.sendall(f"HTTP/1.1 {status} X\r\n{headers}Content-Length: {len(text)}\r\n"
                               "Connection: close\r\n\r\n".encode() + text)

    def close(self):
        self.listener.close()


class Watch:
    """Looks at the command lines of all processes, over and over, for a secret; and that it saw curl at all."""

    def __init__(self, *secrets):
        self.secrets, self.found, self.saw_curl, self.over = [s.encode() for s in secrets], [], 0, False
        self.thread = threading.Thread(target=self.look, daemon=True)

    def look(self):
        while not self.over:
            for process in os.listdir("/proc"):
                if process.isdigit() and int(process) != os.getpid():
                    self.look_at(process)

    def look_at(self, process):
        with contextlib.suppress(OSError):
            line = pathlib.Path(f"/proc/{process}/cmdline").read_bytes()
            is_curl = line.split(b"\0")[0].endswith(b"curl")
            self.saw_curl += is_curl
            if is_curl:
                line += pathlib.Path(f"/proc/{process}/environ").read_bytes()
            self.found += [line for secret in self.secrets if secret in line]

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join()


class Report:
    """One line for each statement; at the end, whether all were true."""

    failed = 0
    lock = threading.Lock()

    def __init__(self, prefix=""):
        self.prefix = prefix

    def check(self, statement, is_true, found=""):
        with Report.lock:
            print(f"{'ok' if is_true else 'FAILED'}  {self.prefix}{statement}", flush=True)
            if not is_true:
                Report.failed += 1
                print(f"      found: {found}", flush=True)

    def fails(self, statement, result, code, *words):
        """One line, which names what failed, and the code that goes with it."""
        lines = result.stderr.splitlines()
        good = result.returncode == code and len(lines) == 1 and not result.stdout
        self.check(f"{statement}: exit {code}, one line, names {words[0]}",
                   good and all(word in lines[0] for word in words), result)


def run(*command, **options):
    options = {"capture_output": True, "text": True, "timeout": 80, "check": True, **options}
    return subprocess.run([str(part) for part in command], **options)


def need(*programs):
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        print(f"skipped: {' '.join(missing)} is not installed")
        sys.exit(0)
    if not os.access(KANMON, os.X_OK):
        sys.exit(f"no gate at {KANMON}; build it, or set KANMON")
