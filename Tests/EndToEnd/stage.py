"""The parts that stand on the stage: a gate, Prometheus, Alertmanager and somebody in Discord's place, each
real but the last, each started here and ended by its id."""

import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
os.environ.setdefault("KANMON", str(ROOT / ".build/debug/kanmon"))
sys.path.append(str(ROOT / "Tests/Endurance"))

from proxies import KANMON, Pushgateway, Started, free_port, wait_for_port  # noqa: E402, F401


class Gate(Started):
    """The gate as its operator sets it up: one user, one network, an admin listener."""

    def __init__(self, upstream, settings=""):
        super().__init__()
        self.admin = free_port()
        subprocess.run([KANMON, "cert", "--out", self.folder], check=True, stdout=subprocess.DEVNULL)
        (self.folder / "password").write_text("a password of the stage\n")
        os.chmod(self.folder / "password", 0o600)
        with open(self.folder / "password", "rb") as password:
            subprocess.run([KANMON, "passwd", self.folder / "htpasswd", "prom"], check=True, stdin=password,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        (self.folder / "kanmon.yml").write_text(
            f"environment: dev\nlisten: 127.0.0.1:{self.port}\nallow: [127.0.0.1]\n"
            "tls: {cert_file: tls.crt, key_file: tls.key}\nauth: {users_file: htpasswd}\n"
            f"admin: {{listen: 127.0.0.1:{self.admin}}}\n"
            f'upstream: {{url: "http://127.0.0.1:{upstream.port}"}}\n' + settings)
        self.run()

    def run(self):
        self.start(KANMON, "serve", "--config", str(self.folder / "kanmon.yml"))
        wait_for_port(self.port)

    @property
    def url(self):
        return f"https://localhost:{self.port}"


class Prometheus(Started):
    """Prometheus by a configuration that is in its folder as prometheus.yml."""

    def run(self):
        self.start("prometheus", f"--config.file={self.folder}/prometheus.yml",
                   f"--storage.tsdb.path={self.folder}/data", f"--web.listen-address=127.0.0.1:{self.port}",
                   "--log.level=warn")
        wait_for("Prometheus", self.is_ready, 30)

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5):
                return True
        except OSError:
            return False

    def ask(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}", timeout=10) as answer:
            return json.load(answer)["data"]

    def value(self, query):
        found = self.ask("query?query=" + urllib.request.quote(query))["result"]
        return float(found[0]["value"][1]) if found else None

    def alerts(self, state="firing"):
        return {alert["labels"]["alertname"] for alert in self.ask("alerts")["alerts"] if alert["state"] == state}


class Discord:
    """Takes what a webhook of Discord takes, and keeps it with the moment it came."""

    def __init__(self):
        received = self.received = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                received.append((time.monotonic(), json.loads(body)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/api/webhooks/1/a-secret-of-the-stage"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def moment_of(self, *words, after=0.0):
        """When the first message that holds all these words came, if it did."""
        for moment, message in list(self.received):
            text = json.dumps(message, ensure_ascii=False)
            if moment >= after and all(word in text for word in words):
                return moment
        return None


def wait_for(what, condition, seconds):
    """What the condition gives as soon as it gives anything; the end of the run when it does not in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise SystemExit(f"FAILED  {what}: not within {seconds} s")


def require(*programs):
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        raise SystemExit("FAILED  not installed: " + ", ".join(missing))
