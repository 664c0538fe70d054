#!/usr/bin/env python3
"""make deploy: what it refuses, what it installs, that a real gate takes it, and that a bad end is undone.

In a clone of the repository and with a root of its own; nothing of this machine is changed. KANMON is the gate's
program, .build/debug/kanmon when it is not set.
"""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("KANMON", ".build/debug/kanmon")).resolve()
ENVIRONMENTS = ROOT / "deploy/env"
PASSWORD = "deploy-password"
failed = []


def main():
    missing = [name for name in ("git", "curl", "prometheus-pushgateway") if not shutil.which(name)]
    if not PROGRAM.exists():
        missing.append(str(PROGRAM))
    if missing:
        print("skipped: the deployment needs " + ", ".join(missing))
        return 0
    environments_differ_where_they_must()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(pathlib.Path(folder))
        try:
            refusals(bench)
            installation(bench)
            with_a_gate(bench)
        finally:
            bench.end()
    print(f"deploy: {len(failed)} not so")
    return 1 if failed else 0


def holds(statement, truth, details=""):
    print(("ok  " if truth else "FAILED  ") + statement + ("" if truth or not details else f": {details}"), flush=True)
    if not truth:
        failed.append(statement)


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def keys(path):
    """The file without comments, in blocks by top-level key."""
    text = re.sub(r"(?m)^\s*#.*\n|\s+#.*$", "", path.read_text())
    return {block.split(":", 1)[0]: re.sub(r"\s+", " ", block.split(":", 1)[1]).strip()
            for block in re.split(r"(?m)^(?=[a-z])", text) if ":" in block}


def environments_differ_where_they_must():
    of = {name: keys(ENVIRONMENTS / name / "kanmon.yml") for name in ("dev", "staging", "production")}
    for name, configuration in of.items():
        holds(f"{name} names its environment", configuration["environment"] == name, configuration["environment"])
    staging, production = of["staging"], of["production"]
    differing = {key for key in staging | production if staging.get(key) != production.get(key)}
    holds("staging and production differ in environment and allow only", differing <= {"environment", "allow"}, differing)
    differing = {key for key in production | of["dev"] if production.get(key) != of["dev"].get(key)}
    holds("dev differs in where its files are, who may push, and the trail it does not keep",
          differing <= {"environment", "allow", "tls", "auth", "audit"}, differing)


class Bench:
    """A clone, a root to install into, and on request a gate that runs from there."""

    def __init__(self, folder):
        self.folder, self.clone, self.root = folder, folder / "clone", folder / "root"
        self.processes = []
        # What is not committed yet is tried as well.
        shutil.copytree(ROOT, self.clone, ignore=shutil.ignore_patterns(".build*", ".git", "__pycache__"))
        for arguments in (("init", "--initial-branch", "main"), ("add", "--all"), ("commit", "--quiet", "-m", "As it is")):
            self.git(*arguments)
        self.port, self.admin, self.pushgateway = free_port(), free_port(), free_port()
        self.etc = self.root / "etc/kanmon"

    def git(self, *arguments):
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@localhost", *arguments], cwd=self.clone,
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def make_root(self):
        (self.etc / "tls").mkdir(parents=True)
        (self.etc / "auth").mkdir()
        subprocess.run([PROGRAM, "cert", "--out", self.etc / "tls"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([PROGRAM, "passwd", "--cost", "5", self.etc / "auth/htpasswd", "prom"], input=PASSWORD, text=True,
                       check=True, stdout=subprocess.DEVNULL)
        (self.folder / "password").write_text(PASSWORD)
        (self.folder / "password").chmod(0o600)

    def edit(self, environment, *changes):
        """Changes the environment's file and commits it: ports of this bench, and what is asked for."""
        path = self.clone / f"deploy/env/{environment}/kanmon.yml"
        text = path.read_text()
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        path.write_text(text)
        self.git("commit", "--quiet", "--all", "-m", "Edit")

    def use_own_ports(self, environment):
        self.edit(environment, ('":9443"', f"127.0.0.1:{self.port}"), ("127.0.0.1:9444", f"127.0.0.1:{self.admin}"),
                  ("127.0.0.1:9091", f"127.0.0.1:{self.pushgateway}"),
                  ("/var/log/kanmon/audit.jsonl", str(self.folder / "audit.jsonl")))

    def deploy(self, environment, **variables):
        done = subprocess.run(
            ["deploy/deploy.sh", environment], cwd=self.clone, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "DESTDIR": str(self.root), "KANMON": str(PROGRAM),
                 **variables})
        return done.returncode, done.stdout

    def start(self, *command):
        process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def end(self):
        for process in self.processes:
            process.kill()
            process.wait()


def refusals(bench):
    status, said = bench.deploy("nowhere")
    holds("an unknown environment: exit 64", status == 64 and "which environment" in said, said)
    status, said = bench.deploy("staging")
    holds("staging from main: exit 1, both branches named",
          status == 1 and "staging is deployed from staging, and this is main" in said, said)
    bench.git("switch", "-c", "staging")
    status, said = bench.deploy("production")
    holds("production from staging: exit 1", status == 1 and "deployed from main" in said, said)
    bench.git("switch", "--detach", "main")
    status, said = bench.deploy("production")
    holds("production from no branch at all: exit 1", status == 1 and "this is no branch" in said, said)
    bench.git("switch", "main")
    status, said = bench.deploy("dev")
    holds("dev from any branch: nothing is installed", status == 0 and "make run" in said and not bench.etc.exists(), said)
    stray = bench.clone / "deploy/env/production/more.yml"
    stray.write_text("x\n")
    status, said = bench.deploy("production")
    holds("a file that is not committed: exit 1, and it is named", status == 1 and "more.yml" in said, said)
    stray.unlink()
    with (bench.clone / "deploy/env/production/kanmon.yml").open("a") as edited:
        edited.write("# changed\n")
    status, said = bench.deploy("production")
    holds("a change that is not committed: exit 1", status == 1 and "production/kanmon.yml" in said, said)
    bench.git("checkout", "--", ".")
    bench.edit("production", ("environment: production", "environment: staging"))
    status, said = bench.deploy("production")
    holds("a file that names another environment: exit 78", status == 78 and "not production" in said, said)
    bench.edit("production", ("environment: staging", "environment: production"))
    status, said = bench.deploy("production")
    holds("no /etc/kanmon: exit 66, with what makes it", status == 66 and "make install" in said, said)


def installation(bench):
    bench.make_root()
    bench.use_own_ports("production")
    installed = bench.etc / "kanmon.yml"
    bench.edit("production", ("tls/tls.key", "tls/none.key"))
    status, said = bench.deploy("production")
    holds("a configuration that is bad on this machine: exit 78, nothing installed",
          status == 78 and "none.key" in said and not installed.exists() and not list(bench.etc.glob(".kanmon.yml.new")), said)
    bench.edit("production", ("tls/none.key", "tls/tls.key"))
    status, said = bench.deploy("production")
    source = bench.clone / "deploy/env/production/kanmon.yml"
    holds("DESTDIR is honoured: the file is there, mode 0640, and nothing is reloaded",
          status == 0 and installed.read_text() == source.read_text() and installed.stat().st_mode & 0o777 == 0o640
          and "not reloaded" in said and "not verified by a push" in said, said)


def with_a_gate(bench):
    bench.start("prometheus-pushgateway", f"--web.listen-address=127.0.0.1:{bench.pushgateway}", "--persistence.file=")
    gate = bench.start(PROGRAM, "serve", "--config", bench.etc / "kanmon.yml")
    wait_for(bench)
    running = {"KANMON_RELOAD": f"kill -HUP {gate.pid}", "KANMON_PASSWORD_FILE": str(bench.folder / "password"),
               "KANMON_URL": f"https://127.0.0.1:{bench.port}", "PUSHGATEWAY_URL": f"http://127.0.0.1:{bench.pushgateway}"}
    bench.edit("production", ("listen: 127.0.0.1:%d\n\n" % bench.port, "listen: 127.0.0.1:%d\n\nlabel_conflicts: overwrite\n\n" % bench.port))
    status, said = bench.deploy("production", **running)
    holds("a gate that runs takes it, and a real push proves it", status == 0 and "smoke" in said and "deployed:" in said, said)
    holds("no password is in what is said", PASSWORD not in said)
    good = (bench.etc / "kanmon.yml").read_text()
    bench.edit("production", ("admin:\n", "workers: 1\nadmin:\n"))
    status, said = bench.deploy("production", **running)
    holds("what needs a restart is not left half done: exit 1, and the file from before is back",
          status == 1 and "does not take it" in said and (bench.etc / "kanmon.yml").read_text() == good, said)
    bench.git("revert", "--no-edit", "HEAD")
    bench.edit("production", ("  - 127.0.0.1\n", ""))
    status, said = bench.deploy("production", **running)
    holds("a configuration that locks out this machine's push: exit 1, and the one before serves again",
          status == 1 and "no push comes through" in said and (bench.etc / "kanmon.yml").read_text() == good, said)
    smoke = subprocess.run(["deploy/dev/smoke.sh"], cwd=bench.clone, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           env=os.environ | running | {"KANMON_CACERT": str(bench.etc / "tls/tls.crt")})
    holds("pushes go through again after that", smoke.returncode == 0, smoke.stdout)


def wait_for(bench):
    for _ in range(100):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{bench.admin}/-/ready", timeout=2).read()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the gate does not start")


if __name__ == "__main__":
    sys.exit(main())
