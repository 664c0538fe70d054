#!/usr/bin/env python3
"""From nginx to Kanmon and back, as deploy/MIGRATION.md tells it: the shadow day, the cut-over, what goes
wrong in it, the way back. With Debian's nginx and Pushgateway under systemd, on a machine that is thrown
away (Tests/Packaging/machine.sh, which needs root), while the shipped script pushes every second and other
clients push without pause, on new connections, and never try again.

KANMON is the gate's program, .build/debug/kanmon when it is not set. MOVING_TURNS=5 goes there and back five
times instead of once.
"""

import asyncio
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/Endurance"))
import clients  # noqa: E402

MACHINE = ROOT / "Tests/Packaging/machine.sh"
# In the machine's own network only; the kernel's other settings are readable only.
WRITABLE_NETWORK = "mount --bind /proc/sys/net /proc/sys/net && mount -o remount,bind,rw /proc/sys/net"
MIGRATION = ROOT / "deploy/migration"
SITE = pathlib.Path("/etc/nginx/sites-enabled/pushgateway")
ORIGINAL = pathlib.Path("/etc/nginx/sites-available/pushgateway")
LOGIN = pathlib.Path("/root/login.curl")
PASSWORD = "migration-password"
CERTIFICATE = "/etc/kanmon/tls/tls.crt"
URL = "https://localhost:9443/metrics/job/xserver-bot"
failed = []


def main():
    if sys.argv[1:] == ["--inside"]:
        inside()
    else:
        outside()


def outside():
    program = pathlib.Path(os.environ.get("KANMON", ".build/debug/kanmon")).resolve()
    missing = [name for name in ("nginx", "prometheus-pushgateway", "curl", "systemctl", "ss", "openssl")
               if not shutil.which(name)]
    if os.geteuid() != 0:
        missing.append("root")
    if not program.exists():
        missing.append(str(program))
    if not missing and (reason := why_no_machine()):
        missing.append("a machine of its own, of namespaces, an overlay and systemd, which this system does not give "
                       f"({reason})")
    if missing:
        print("skipped: the migration needs " + ", ".join(missing))
        sys.exit(0)
    # systemd has a /tmp of its own there.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        shutil.copy(program, f"{folder}/kanmon")
        # It is installed beside it.
        shutil.copy(f"{program}-ops", f"{folder}/kanmon-ops")
        turns = os.environ.get("MOVING_TURNS", "1")
        # What is too slow ends itself in there, so that nothing of the machine stays.
        command = [MACHINE, "timeout", "240", "env", f"KANMON={folder}/kanmon", f"MOVING_TURNS={turns}",
                   "PYTHONDONTWRITEBYTECODE=1", sys.executable, str(pathlib.Path(__file__).resolve()), "--inside"]
        status = subprocess.run(command, cwd=ROOT).returncode
        if status == 124:
            print("FAILED  the migration ends within 240 s")
    sys.exit(status)


def why_no_machine():
    """What hinders such a machine, in the words of whoever failed; None when it boots. A container often may not."""
    # Into a file: what is left of a machine that hangs would hold a pipe open.
    with tempfile.TemporaryFile("w+") as said:
        status = subprocess.run(["timeout", "--kill-after=10", "60", MACHINE, "sh", "-c", WRITABLE_NETWORK], cwd=ROOT,
                                stdin=subprocess.DEVNULL, stdout=said, stderr=said).returncode
        said.seek(0)
        return (said.read().strip().splitlines() or [f"exit {status}"])[-1] if status else None


def holds(statement, truth, details=""):
    print(("ok  " if truth else "FAILED  ") + statement + ("" if truth or not details else f": {details}"),
          flush=True)
    if not truth:
        failed.append(statement)
    return truth


def run(*command, check=True, **named):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, **named)
    if check and done.returncode:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}")
    return done


# --- The machine as it was before


def inside():
    began = time.monotonic()
    install()
    serve_by_nginx()
    shadow_day()
    refusals_before_anything_changes()
    failures_on_the_way()
    there_and_back()
    print(f"migration: {len(failed)} not so, {time.monotonic() - began:.0f} s")
    sys.exit(1 if failed else 0)


def install():
    run("sh", "-c", WRITABLE_NETWORK)
    run("deploy/package/install.sh", cwd=ROOT,
        env=os.environ | {"PREFIX": "/usr", "KANMON_PROGRAM": os.environ["KANMON"]})
    run("systemd-sysusers")
    run("kanmon", "cert", "--out", "/etc/kanmon/tls")
    run("kanmon", "passwd", "--cost", "5", "/etc/kanmon/auth/htpasswd", "prom", input=PASSWORD)
    configuration = pathlib.Path("/etc/kanmon/kanmon.yml")
    text = configuration.read_text().replace('listen: ":9443"', 'listen: ["0.0.0.0:9443", "[::]:9443"]')
    configuration.write_text(text)
    shutil.copy(MIGRATION / "examples/shadow.yml", "/etc/kanmon/shadow.yml")
    os.chmod("/etc/kanmon/shadow.yml", 0o644)
    # A build that is no release for installing has Swift's libraries where the unit lets nothing run.
    drop_in = pathlib.Path("/etc/systemd/system/kanmon.service.d/not-installed.conf")
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text("[Service]\nNoExecPaths=\nExecPaths=\nProtectHome=no\nMemoryDenyWriteExecute=no\n")
    run("systemd-tmpfiles", "--create", "kanmon.conf")
    run("systemctl", "daemon-reload")
    LOGIN.write_text(f'user = "prom:{PASSWORD}"\ncacert = "{CERTIFICATE}"\n')
    LOGIN.chmod(0o600)


def serve_by_nginx():
    pathlib.Path("/etc/default/prometheus-pushgateway").write_text(
        'ARGS="--web.listen-address=127.0.0.1:9091 --persistence.file="\n')
    run("systemctl", "start", "prometheus-pushgateway")
    for folder in ("tls", "auth"):
        shutil.copytree(f"/etc/kanmon/{folder}", f"/etc/nginx/{folder}")
    os.chmod("/etc/nginx/auth", 0o755)
    os.chmod("/etc/nginx/auth/htpasswd", 0o644)
    with contextlib.suppress(FileNotFoundError):
        os.unlink("/etc/nginx/sites-enabled/default")
    shutil.copy(MIGRATION / "examples/nginx-site.conf", ORIGINAL)
    SITE.symlink_to("../sites-available/pushgateway")
    run("nginx", "-t")
    run("systemctl", "start", "nginx")
    holds("nginx serves pushes with the shipped example of a site", eventually(lambda: push()[0] == 200))


# --- Pushes


def push(body="migration_test 1\n", url=URL, *more):
    """The status, and what was said."""
    done = run("curl", "-q", "--silent", "--show-error", "--max-time", "20", "--config", LOGIN, "--data-binary",
               "@-", "--write-out", "\n%{http_code}", *more, url, input=body, check=False)
    text, _, status = done.stdout.rpartition("\n")
    return int(status), text


def eventually(question, seconds=15):
    end = time.monotonic() + seconds
    while not question():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


class Pushes:
    """The shipped script every second, and clients that never try again, for as long as the block runs."""

    def __enter__(self):
        self.tally, self.script = clients.Tally(), []
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.load), threading.Thread(target=self.every_second)]
        for thread in self.threads:
            thread.start()
        time.sleep(1.5)
        return self

    def __exit__(self, *_):
        time.sleep(1.5)
        self.stop.set()
        for thread in self.threads:
            thread.join(90)

    def load(self):
        async def push_on():
            stop = asyncio.Event()
            target = clients.Target(9443, f"prom:{PASSWORD}")
            async def watch():
                while not self.stop.is_set():
                    await asyncio.sleep(0.05)
                stop.set()
            await asyncio.gather(watch(), *(
                clients.Client(target, self.tally, number, False, 0.01).run(stop) for number in range(8)))
        asyncio.run(push_on())

    def every_second(self):
        number = 0
        while not self.stop.is_set():
            began = time.monotonic()
            number += 1
            self.script.append(run_script(number))
            time.sleep(max(0.0, 1 - (time.monotonic() - began)))

    def lost(self):
        return sum(1 for status, _ in self.script if status)

    def __str__(self):
        said = [text.strip() for status, text in self.script if status][:2]
        return f"{len(self.script)} by the script, {self.lost()} lost {said or ''}; without a second try {self.tally}"


def run_script(number):
    """The script of cron where it is there, else what the README puts into a crontab."""
    script = ROOT / "deploy/push/prometheus-push.sh"
    if script.exists():
        done = run(script, check=False, env={
            "PATH": os.environ["PATH"], "HOME": "/root", "PUSHGATEWAY_URL": URL, "PUSHGATEWAY_USER": "prom",
            "PUSHGATEWAY_PASSWORD": PASSWORD, "PUSHGATEWAY_CACERT": CERTIFICATE, "PUSH_SPLAY_SECONDS": "0"})
        return done.returncode, done.stdout
    status, said = push(f"xserver_push_number {number}\n")
    return 0 if status == 200 else 1, f"{status} {said}"


def all_arrived(pushes, what):
    holds(f"{what}: 0 of {len(pushes.script)} pushes of the script are lost", pushes.script and not pushes.lost(),
          pushes)
    total = sum(pushes.tally.pushes.values())
    holds(f"{what}: 0 of {total} pushes that are not tried again are refused or cut, the slowest took "
          f"{pushes.tally.slowest * 1000:.0f} ms", total > 100 and not pushes.tally.failed(), pushes)


# --- The shadow day


def shadow_day():
    throw_away = subprocess.Popen(["prometheus-pushgateway", "--web.listen-address=127.0.0.1:9092",
                                   "--persistence.file=", "--log.level=error"], stderr=subprocess.DEVNULL)
    log = open("/tmp/shadow.log", "w+")
    gate = subprocess.Popen(["kanmon", "serve", "--config", "/etc/kanmon/shadow.yml"], stderr=log)
    shutil.copy(MIGRATION / "examples/nginx-shadow.conf", "/etc/nginx/kanmon-shadow.conf")
    site = ORIGINAL.read_text()
    ORIGINAL.write_text(site.replace("# include /etc/nginx/kanmon-shadow", "include /etc/nginx/kanmon-shadow"))
    try:
        eventually(lambda: metric("kanmon_upstream_scrape_ok") is not None)
        run("nginx", "-t")
        run("systemctl", "reload", "nginx")
        eventually(lambda: push()[0] and metric("kanmon_pushes_total"))
        accepted = metric("kanmon_pushes_total")
        answers = [push("shadow_gauge 1\n"), push("# TYPE shadow_count counter\nshadow_count 2\n", URL, "-X", "PUT"),
                   push('shadow_label{job="other"} 3\n'),
                   push("shadow_path 4\n", URL + "/disk@base64/L3Zhcg")]
        holds("on the shadow day clients get the answers of the Pushgateway behind nginx",
              all(answer == (200, "") for answer in answers), answers)
        holds("mirrored pushes are accepted: kanmon_pushes_total grows by as many as came",
              eventually(lambda: metric("kanmon_pushes_total") == accepted + len(answers)),
              f"{accepted} + {len(answers)}, not {metric('kanmon_pushes_total')}")
        holds("/metrics shows 0 refusals after pushes that are good", metric("kanmon_refusals_total") == 0)
        holds("a label that contradicts the path is no refusal, and is counted",
              metric("kanmon_label_conflicts_total") == 1, metric("kanmon_label_conflicts_total"))
        both = [urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode() for port in (9091, 9092)]
        stored = [sorted(line for line in text.splitlines() if line.startswith(("shadow_", "migration_")))
                  for text in both]
        holds("the throw-away Pushgateway holds what the real one holds", stored[0] == stored[1] and stored[0], stored)
        push("shadow_gauge 1 1700000000000\nshadow_bad{ 1\n")
        holds("a push that is bad is one refusal there, with its reason in the log",
              eventually(lambda: metric("kanmon_refusals_total") == 1
                         and "reason=body_invalid" in pathlib.Path("/tmp/shadow.log").read_text()),
              f"{metric('kanmon_refusals_total')} {pathlib.Path('/tmp/shadow.log').read_text()[-600:]}")
        gate.kill()
        gate.wait()
        holds("a shadow that is dead costs the clients nothing", push("shadow_gauge 5\n") == (200, ""))
        explained = run("kanmon", "explain", "--config", "/etc/kanmon/kanmon.yml", "--user", "prom", "--from",
                        "127.0.0.1", "POST", "/metrics/job/xserver-bot", check=False)
        holds("explain finds that an address of nginx's log is allowed", explained.returncode == 0, explained.stdout)
        explained = run("kanmon", "explain", "--config", "/etc/kanmon/kanmon.yml", "--user", "prom", "--from",
                        "203.0.113.9", "POST", "/metrics/job/xserver-bot", check=False)
        holds("and that another one is not", explained.returncode == 1, explained.stdout)
    finally:
        ORIGINAL.write_text(site)
        run("systemctl", "reload", "nginx")
        for process in (gate, throw_away):
            process.kill()
            process.wait()


def metric(name):
    """The sum over all labels, or None while there is nobody to ask."""
    try:
        text = urllib.request.urlopen("http://127.0.0.1:9446/metrics", timeout=5).read().decode()
    except OSError:
        return None
    values = re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", text, re.M)
    return sum(map(float, values))


# --- The cut-over and what stops it


def cut_over():
    return run(MIGRATION / "cut-over.sh", SITE, LOGIN, check=False)


def roll_back():
    return run(MIGRATION / "roll-back.sh", LOGIN, check=False)


def listeners():
    return run("ss", "-Hltnp", "sport = :9443").stdout


def is_as_before():
    return (SITE.is_symlink() and "reuseport" not in SITE.read_text() and "systemd" not in listeners()
            and "kanmon" not in listeners() and "nginx" in listeners()
            and not pathlib.Path("/var/lib/kanmon-migration").exists()
            and not list(SITE.parent.glob(".moving"))
            and pathlib.Path("/proc/sys/net/ipv4/tcp_migrate_req").read_text().strip() == "0"
            and run("systemctl", "is-active", "kanmon.service", check=False).stdout.strip() == "inactive"
            and not pathlib.Path("/etc/systemd/system/kanmon.socket.d/migration.conf").exists())


def stops(what, words):
    done = cut_over()
    holds(f"cut-over stops and changes nothing: {what}",
          done.returncode == 1 and words in done.stdout and is_as_before(), done.stdout)


@contextlib.contextmanager
def changed(path, edit):
    before = path.read_text()
    path.write_text(edit(before))
    try:
        yield
    finally:
        path.write_text(before)


def refusals_before_anything_changes():
    configuration = pathlib.Path("/etc/kanmon/kanmon.yml")
    with changed(configuration, lambda text: text.replace("tls/tls.key", "tls/no.key")):
        stops("the key is missing", "no.key")
    with changed(ORIGINAL, lambda text: text.replace("server {", "server {\n listen 8080;", 1)):
        stops("the file serves another port too", "listen 8080")
    second = pathlib.Path("/etc/nginx/sites-enabled/second")
    second.write_text("server { listen 9443 ssl; server_name second; ssl_certificate /etc/nginx/tls/tls.crt; "
                      "ssl_certificate_key /etc/nginx/tls/tls.key; return 404; }\n")
    run("systemctl", "reload", "nginx")
    stops("another file of nginx has the port too", "another file")
    second.unlink()
    run("systemctl", "reload", "nginx")
    LOGIN.chmod(0o644)
    stops("others can read the password", "chmod 600")
    LOGIN.chmod(0o600)
    with changed(LOGIN, lambda text: text.replace(PASSWORD, "wrong")):
        stops("the login is wrong already", "401")
    done = roll_back()
    holds("roll-back without a cut-over says that there is nothing to go back to",
          done.returncode == 1 and "nothing to go back to" in done.stdout, done.stdout)


def failures_on_the_way():
    with Pushes() as pushes:
        configuration = pathlib.Path("/etc/kanmon/kanmon.yml")
        with changed(configuration, lambda text: re.sub(r"listen: \[.*\]", 'listen: ":9443"', text)):
            done = cut_over()
        holds("a gate that does not start is undone, and its words are shown",
              done.returncode == 1 and "does not start" in done.stdout and is_as_before(),
              done.stdout + listeners())
    all_arrived(pushes, "while a cut-over fails and is undone")


def there_and_back():
    for turn in range(1, int(os.environ.get("MOVING_TURNS", "1")) + 1):
        with Pushes() as pushes:
            done = cut_over()
            holds(f"cut-over {turn} ends well", done.returncode == 0, done.stdout)
        if turn == 1:
            print(done.stdout, end="")
        holds("the gate has the port alone, and answers", "nginx" not in listeners() and "kanmon" in listeners()
              and push() == (200, "accepted 1 samples in 1 families\n"), listeners())
        all_arrived(pushes, f"cut-over {turn}")
        again = cut_over()
        holds("a second cut-over changes nothing and names roll-back.sh",
              again.returncode == 1 and "roll-back.sh" in again.stdout and "kanmon" in listeners(), again.stdout)
        check = run("kanmon", "check", "--config", "/etc/kanmon/kanmon.yml", check=False)
        holds("kanmon check is content, so a reload works", check.returncode == 0, check.stdout)
        reload = run("systemctl", "reload", "kanmon", check=False)
        holds("systemctl reload kanmon works", reload.returncode == 0, reload.stdout)
        with Pushes() as pushes:
            done = roll_back()
            holds(f"roll-back {turn} ends well", done.returncode == 0, done.stdout)
        if turn == 1:
            print(done.stdout, end="")
        all_arrived(pushes, f"roll-back {turn}")
        holds("everything is as before", is_as_before(), listeners())


if __name__ == "__main__":
    main()
