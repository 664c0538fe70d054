"""Kanmon's real stack as units of the stand-in for systemctl, and a watchdog over it: a Pushgateway, a gate, the push
script, and somebody in Discord's place."""

import os
import pathlib
import signal
import shutil
import subprocess
import tempfile
import time
import urllib.request

import ward
from ward import ROOT, Peer, free_port

KANMON = os.environ.get("KANMON", str(ROOT / ".build/debug/kanmon"))
UNITS = ["pushgateway.service", "kanmon.service"]
PASSWORD = "a-password-of-the-stack"


class Stack:
    def __init__(self, limits="{}", cool_down="1s", extra=""):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kanmon-stack-"))
        self.port, self.admin, self.pushgateway = free_port(), free_port(), free_port()
        self.discord = Peer(204)
        self.write(limits, cool_down, extra)

    def write(self, limits, cool_down, extra):
        self.put("password", PASSWORD + "\n")
        self.put("webhook", f"{self.discord.url}/api/webhooks/1/{ward.WEBHOOK_SECRET}\n")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run([KANMON, "cert", "--out", self.folder], check=True, **quiet)
        subprocess.run([KANMON, "passwd", "--cost", "5", self.folder / "htpasswd", "prom"], check=True,
                       input=PASSWORD.encode(), **quiet)
        self.put("kanmon.yml", f"""listen: 127.0.0.1:{self.port}
allow: [127.0.0.1]
tls: {{cert_file: tls.crt, key_file: tls.key}}
auth: {{users_file: htpasswd}}
admin: {{listen: 127.0.0.1:{self.admin}}}
upstream: {{url: "http://127.0.0.1:{self.pushgateway}"}}
""")
        self.put("push.env", f"""PUSHGATEWAY_URL=https://localhost:{self.port}/metrics/job/watchdog
PUSHGATEWAY_USER=prom
PUSHGATEWAY_PASSWORD_FILE={self.folder}/password
PUSHGATEWAY_CACERT={self.folder}/tls.crt
PUSH_STATE_DIR={self.folder}/push-state
""")
        self.put("watch.yml", f"""state_dir: state
log_file: watch.log
push_script: {ROOT}/deploy/push/prometheus-push.sh
limits: {limits}
notify: {{host: stack, cool_down: {cool_down}, discord: {{webhook_file: webhook}}}}
may_restart:
  pushgateway.service: pushgateway
  kanmon.service: [gate, gate-answers, push]
checks:
  pushgateway:
    http: http://127.0.0.1:{self.pushgateway}/-/ready
    repair: restart pushgateway.service
  gate:
    unit: kanmon.service
    repair: restart kanmon.service
  gate-answers:
    http: http://127.0.0.1:{self.admin}/healthz
    after: gate
    repair: restart kanmon.service
  push:
    push: push.env
    after: [pushgateway, gate, gate-answers]
    repair: restart kanmon.service
{extra}
""")
        self.command("pushgateway.service", "prometheus-pushgateway", f"--web.listen-address=127.0.0.1:{self.pushgateway}",
                     "--persistence.file=", "--log.level=error")
        self.command("kanmon.service", KANMON, "serve", "--config", f"{self.folder}/kanmon.yml")

    def __enter__(self):
        for unit in UNITS:
            self.systemctl("start", unit)
        end = time.monotonic() + 20
        while not self.is_well() and time.monotonic() < end:
            time.sleep(0.1)
        return self

    def __exit__(self, *_):
        for unit in UNITS:
            self.systemctl("stop", unit)
        self.discord.end()
        shutil.rmtree(self.folder)

    def put(self, name, text):
        (self.folder / name).write_text(text)
        os.chmod(self.folder / name, 0o600)

    def command(self, unit, *words):
        self.put(f"{unit}.command", "\n".join(words) + "\n")

    def environment(self):
        path = f"{ROOT}/Tests/Watchdog/supervised:{os.environ['PATH']}"
        return dict(os.environ, UNITS=str(self.folder), PATH=path)

    def systemctl(self, verb, unit):
        subprocess.run(["systemctl", verb, unit], env=self.environment(), check=False, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def pid(self, unit):
        return int((self.folder / f"{unit}.pid").read_text())

    def signal(self, unit, number):
        try:
            os.kill(self.pid(unit), number)
        except (ProcessLookupError, FileNotFoundError):
            pass

    def stop(self, unit):
        self.signal(unit, signal.SIGKILL)

    def watch(self):
        """One run; its exit code and how long it took."""
        began = time.monotonic()
        done = subprocess.run([ward.PROGRAM, "watch", "--once", "--config", self.folder / "watch.yml"], timeout=200,
                              env=self.environment(), check=False, capture_output=True, text=True)
        return done.returncode, time.monotonic() - began, done.stderr

    def is_well(self):
        """What a client would say: the gate answers, and what is behind it."""
        try:
            for url in (f"http://127.0.0.1:{self.admin}/healthz", f"http://127.0.0.1:{self.pushgateway}/-/ready"):
                with urllib.request.urlopen(url, timeout=2):
                    pass
            return True
        except OSError:
            return False

    def restarts(self, unit):
        """When it was restarted, in seconds since 1970."""
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [float(line.split()[0]) for line in lines if line.endswith(f" restart {unit}")]
