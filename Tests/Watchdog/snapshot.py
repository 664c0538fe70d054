#!/usr/bin/env python3
"""What a snapshot holds, and that no secret is in it, wherever one was put: a real gate, Pushgateway and Prometheus,
with secrets in files, logs, journal, labels and answers.

  Tests/Watchdog/snapshot.py

KANMON_OPS and KANMON are the programs, those of .build/debug when they are not set."""

import base64
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request

import ward
from stack import KANMON, PASSWORD, UNITS, Stack

KEY = "-----BEGIN PRIVATE KEY-----\nMIIEplantedplantedplanted\nplanted0planted1planted2\n-----END PRIVATE KEY-----\n"
SECRETS = {
    "in the settings": "planted-in-settings",
    "in a log": "planted-in-log",
    "of a header": "cGxhbnRlZDppbi1oZWFkZXI=",
    "of a bearer": "planted.in-bearer",
    "of a webhook": "planted-in-webhook",
    "in a URL": "planted-in-url",
    "of a key": "planted1planted2",
    "of a login in a list": "planted-in-list",
    "of a login of curl": "planted-in-curlrc",
    "of lines below a key": "planted-below",
    "of a container's environment": "planted-in-environment",
    "of a variable": "planted-in-variable",
    "of a web token": "eyJhbGciOiJIUzI1NiJ9.eyJwbGFudGVkIjoxfQ.planted-signature",
    "that is known, in base64": base64.b64encode(b"planted-in-base64").decode(),
    "that is known, in a label": "planted_in_label",
    "that is known, in the journal": "planted-in-journal",
    "of the watchdog's webhook": ward.WEBHOOK_SECRET,
    "of the push": PASSWORD,
}
failed = []


def holds(sentence, truth, details=""):
    print(("ok  " if truth else "FAILED  ") + sentence + ("" if truth else f": {details}"), flush=True)
    if not truth:
        failed.append(sentence)


def plant(stack):
    stack.put("other.yml", f"""global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: pushgateway
    basic_auth: {{username: prom, password: {SECRETS["in the settings"]}}}
receivers:
  - url: https://discord.com/api/webhooks/123/{SECRETS["of a webhook"]}
  - url: https://prom:{SECRETS["in a URL"]}@push.example/metrics
command: [curl, "--user", "prom:{SECRETS["of a login in a list"]}"]
password: |
  {SECRETS["of lines below a key"]}
env:
  - name: DB_PASSWORD
    value: {SECRETS["of a container's environment"]}
tls: |
{KEY}""")
    stack.put("curlrc", f'user = "prom:{SECRETS["of a login of curl"]}"\n')
    stack.put("app.log", f"a line before\nGET / Authorization: Basic {SECRETS['of a header']}\n"
                         f"retry with Bearer {SECRETS['of a bearer']} now\npassword={SECRETS['in a log']} user=prom\n{KEY}"
                         f"export MYSQL_PWD={SECRETS['of a variable']}\nsent {SECRETS['of a web token']} once\n"
                         f"data {SECRETS['that is known, in base64']} user=prom\na line after\n")
    stack.put("known", f"{SECRETS['that is known, in a label']}\n{SECRETS['that is known, in the journal']}\n{PASSWORD}\n"
                       "planted-in-base64\n")
    with open(stack.folder / "kanmon.service.log", "a", encoding="utf-8") as journal:
        journal.write(f"it says {SECRETS['that is known, in the journal']} aloud\n")
    request = urllib.request.Request(
        f"http://127.0.0.1:{stack.pushgateway}/metrics/job/planted/owner/{SECRETS['that is known, in a label']}",
        data=b"planted_metric 1\n", method="PUT")
    with urllib.request.urlopen(request, timeout=5):
        pass


def section(stack, prometheus):
    return f"""
snapshot:
  configuration: [kanmon.yml, other.yml, curlrc, not-there.yml]
  users: htpasswd
  logs: app.log
  units: [kanmon.service, pushgateway.service]
  metrics: http://127.0.0.1:{stack.admin}/metrics
  pushgateway: http://127.0.0.1:{stack.pushgateway}
  prometheus: http://127.0.0.1:{prometheus}
  queries: [up, planted_metric]
  secrets: [known]
"""


def start_prometheus(stack, port):
    stack.put("prometheus.yml", f"""global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: pushgateway
    honor_labels: true
    static_configs: [{{targets: ["127.0.0.1:{stack.pushgateway}"]}}]
""")
    stack.command("prometheus.service", "prometheus", f"--config.file={stack.folder}/prometheus.yml",
                  f"--storage.tsdb.path={stack.folder}/data", f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn")
    UNITS.append("prometheus.service")
    stack.systemctl("start", "prometheus.service")
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?query=planted_metric", timeout=2) as answer:
                if b"planted_metric" in answer.read():
                    return
        except OSError:
            pass
        time.sleep(0.2)


def take(stack, *arguments):
    began = time.monotonic()
    done = subprocess.run([ward.PROGRAM, "snapshot", "--config", stack.folder / "watch.yml", *arguments], check=False,
                          capture_output=True, text=True, env=stack.environment(), timeout=130)
    return done, time.monotonic() - began


def unpack(archive, folder):
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data") if hasattr(tarfile, "data_filter") else packed.extractall(folder)
    return {path.name: path.read_text(errors="replace") for path in pathlib.Path(folder).rglob("*") if path.is_file()}


def part(files, start):
    return next((text for name, text in files.items() if name.startswith(start)), "")


def main():
    missing = [name for name in ("prometheus-pushgateway", "prometheus", "curl", "tar") if not shutil.which(name)]
    missing += [program for program in (KANMON, str(ward.PROGRAM)) if not shutil.which(program)]
    if missing:
        print("skipped: a snapshot of the stack needs " + ", ".join(missing))
        return 0
    prometheus = ward.free_port()
    stack = Stack()
    stack.put("watch.yml", (stack.folder / "watch.yml").read_text() + section(stack, prometheus))
    with stack, tempfile.TemporaryDirectory() as folder:
        plant(stack)
        start_prometheus(stack, prometheus)
        stack.watch()
        archive = pathlib.Path(folder) / "here.tar.gz"
        done, took = take(stack, "--out", str(archive))
        holds("a snapshot is taken", done.returncode == 0 and str(archive) in done.stdout, done.stderr)
        holds("within half a minute", took < 30, f"{took:.0f} s")
        holds("for its owner alone", archive.stat().st_mode & 0o777 == 0o600, oct(archive.stat().st_mode))
        files = unpack(archive, folder)
        contents(files)
        secrets(files, stack)
        names = sorted(os.listdir(folder))
        holds("nothing is left beside it", names == ["here.tar.gz", names[-1]], names)
        when_all_is_down(stack, folder)
        kept(stack)
    print(f"snapshot: {len(failed)} not so")
    return 1 if failed else 0


def contents(files):
    holds("it has the configuration", any("allow: [127.0.0.1]" in text for text in files.values()) and
          any("scrape_interval" in text for text in files.values()), list(files))
    holds("the names of users and no hash", part(files, "users-") == "prom\n", part(files, "users-"))
    log = next((text for name, text in files.items() if name.startswith("log-") and name.endswith("app.log")), "")
    holds("logs, before and after what was taken out", "a line before" in log and "a line after" in log, log)
    holds("and the names of logins", "user=prom" in log and any('user = "prom:' in text for text in files.values()), log)
    holds("the journal of each unit", "level=info" in files.get("journal-kanmon.service", ""), list(files))
    holds("the state of each unit", "MainPID=" in files.get("unit-kanmon.service", ""), list(files))
    holds("the gate's metrics", "kanmon_" in files.get("metrics", ""), list(files))
    holds("the Pushgateway's groups", '"planted_metric"' in files.get("pushgateway-groups.json", ""), list(files))
    holds("answers of Prometheus", "planted_metric" in files.get("query-planted_metric", ""), list(files))
    holds("the watchdog's own log", any("event=run" in text for name, text in files.items() if name.endswith("watch.log")),
          list(files))
    holds("and what was not to be had, by name and reason", "not-there.yml: does not exist" in files["MISSING"] and
          files["MISSING"].count("\n") == 1, files["MISSING"])


def secrets(files, stack):
    everything = "\n".join(f"{name}\n{text}" for name, text in files.items())
    for where, secret in SECRETS.items():
        holds(f"the secret {where} is not in it", secret not in everything,
              [name for name, text in files.items() if secret in text])
    verifier = (stack.folder / "htpasswd").read_text().strip().partition(":")[2]
    holds("nor the hash of a password", verifier not in everything and "$2" not in part(files, "users-"))
    holds("nor the gate's key", not any(line in everything for line in
                                        (stack.folder / "tls.key").read_text().splitlines()[1:-1]))


def when_all_is_down(stack, folder):
    for unit in UNITS:
        stack.systemctl("stop", unit)
    archive = pathlib.Path(folder) / "down.tar.gz"
    done, took = take(stack, "--out", str(archive))
    holds("when everything is down there is a snapshot still", done.returncode == 0 and archive.exists(), done.stderr)
    holds("in no longer time", took < 30, f"{took:.0f} s")
    with tempfile.TemporaryDirectory() as other:
        missing = unpack(archive, other)["MISSING"]
    holds("which says what does not answer", "metrics: nobody listens there" in missing and
          "pushgateway-groups.json: nobody listens there" in missing, missing)


def kept(stack):
    done, _ = take(stack)
    path = pathlib.Path(done.stdout.strip())
    holds("without a place it goes into the folder of snapshots", path.parent.name == "snapshots" and path.exists(),
          done.stdout + done.stderr)
    done, _ = take(stack, "--out", str(stack.folder / "no/such/folder/x.tar.gz"))
    holds("where it cannot be written that is said", done.returncode == 1 and "No such file" in done.stderr, done.stderr)


sys.exit(main())
