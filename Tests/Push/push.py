#!/usr/bin/env python3
"""The push script in every shell it is written for, against real gates: what it pushes, and what it says when a push
does not arrive.

  KANMON=.build/release/kanmon Tests/Push/push.py

Needs: prometheus-pushgateway, promtool, nginx, curl, openssl, dash, bash, busybox. Loopback only; about a minute."""

import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import stack

SCRIPT = stack.ROOT / "deploy/push/prometheus-push.sh"
SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"], "busybox": ["busybox", "sh"]}


class Trial:
    """One shell, with a stack of its own, so that the three do not wait for each other."""

    def __init__(self, name, here):
        self.here, self.shell, self.report = here, SHELLS[name], stack.Report(f"{name}: ")
        self.name, self.states = name, 0
        self.path = os.environ["PATH"]
        if name == "busybox":
            self.path = self.only_busybox()
        self.gate = here.gate("gate")
        self.url = self.gate.url + "/metrics/job/xserver-bot"

    def only_busybox(self):
        """The shell's own programs and curl, nothing else."""
        folder = self.here.folder / "bin"
        folder.mkdir()
        stack.run("busybox", "--install", "-s", folder)
        os.symlink(shutil.which("curl"), folder / "curl")
        return str(folder)

    def environment(self, **settings):
        self.states += "PUSH_STATE_DIR" not in settings
        return {"HOME": str(self.here.folder), "PATH": self.path, "PUSHGATEWAY_URL": self.url,
                "PUSHGATEWAY_USER": "prom", "PUSHGATEWAY_PASSWORD_FILE": str(self.here.folder / "password"),
                "PUSHGATEWAY_CACERT": str(self.here.certificate), "PUSH_SPLAY_SECONDS": "0",
                "PUSH_TOTAL_SECONDS": "2", "PUSH_STATE_DIR": str(self.here.folder / f"state{self.states}"),
                **{key: value for key, value in settings.items() if value is not None}}

    def start(self, *arguments, **settings):
        environment = self.environment(**settings)
        for key, value in settings.items():
            if value is None:
                environment.pop(key, None)
        return subprocess.Popen([shutil.which(self.shell[0]), *self.shell[1:], str(SCRIPT), *arguments],
                                env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                start_new_session=True)

    def push(self, *arguments, **settings):
        process = self.start(*arguments, **settings)
        output, errors = process.communicate(timeout=70)
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    # ---- what arrives

    def pushes(self):
        state = str(self.here.folder / "kept")
        first = self.push(PUSH_STATE_DIR=state)
        self.report.check("a push says nothing and ends with 0",
                          (first.returncode, first.stdout, first.stderr) == (0, "", ""), first)
        group = self.here.group(job="xserver-bot")
        self.report.check("the first run leaves the processors' share out",
                          "xserver_memory_used_bytes" in group and "xserver_cpu_usage_ratio" not in group, group)
        time.sleep(0.3)
        self.push(PUSH_STATE_DIR=state)
        group = self.here.group(job="xserver-bot")
        memory = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in open("/proc/meminfo")}
        used = memory["MemTotal"] - memory["MemAvailable"]
        self.report.check("the second has it, between 0 and 1", 0 <= group.get("xserver_cpu_usage_ratio", -1) <= 1, group)
        self.report.check("memory is what this host has, to a quarter",
                          group.get("xserver_memory_total_bytes") == memory["MemTotal"]
                          and abs(group.get("xserver_memory_used_bytes", 0) - used) < used / 4, (group, used))
        self.report.check("processors, load, processes and clock are plausible",
                          group.get("xserver_cpus") == os.sysconf("SC_NPROCESSORS_ONLN")
                          and 0 <= group.get("xserver_load1", -1) < 10000
                          and 2 <= group.get("xserver_account_processes", 0) < 100000
                          and group.get("xserver_account_resident_memory_bytes", 0) > 1 << 20
                          and abs(group.get("xserver_push_script_start_timestamp_seconds", 0) - time.time()) < 30, group)
        modes = [oct(os.stat(path).st_mode & 0o777) for path in [state, state + "/cpu"]]
        self.report.check("the state folder is 0700, and only the last look at the processors stays in it",
                          modes == ["0o700", "0o600"] and os.listdir(state) == ["cpu"], (modes, os.listdir(state)))
        shown = self.push("--print", PUSH_STATE_DIR=state, PUSHGATEWAY_USER=None, PUSHGATEWAY_PASSWORD_FILE=None)
        promtool = subprocess.run(["promtool", "check", "metrics"], input=shown.stdout, capture_output=True, text=True)
        self.report.check("promtool check metrics finds nothing in the body",
                          (promtool.returncode, promtool.stdout, promtool.stderr) == (0, "", "")
                          and "xserver_cpu_usage_ratio" in shown.stdout, (shown, promtool))

    def counts(self):
        proc, state = self.here.folder / "proc", str(self.here.folder / "counted")
        (proc / "sys/kernel/random").mkdir(parents=True)

        def ratio(stat, boot="one"):
            self.here.write("proc/sys/kernel/random/boot_id", boot + "\n")
            self.here.write("proc/stat", stat + "cpu0 1 1 1 1\n")
            result = self.push(PUSH_STATE_DIR=state, XSERVER_PROC=str(proc))
            shown = self.push("--print", PUSH_STATE_DIR=state, XSERVER_PROC=str(proc)).stdout
            return result.returncode, self.here_ratio(), shown

        self.here.write("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 10 kB\n")
        ratio("cpu 100 0 100 700 100 0 0 0 0 0\n")
        self.delete()
        found = ratio("cpu 120 0 105 760 115 0 0 0 0 0\n")
        self.report.check("25 of 100 ticks used are 0.25, waiting for disks among the idle ones", found[1] == 0.25, found)
        self.report.check("without MemAvailable there is no figure for used memory, and no 0",
                          "xserver_memory_total_bytes 1024000" in found[2] and "used_bytes" not in found[2]
                          and "load1" not in found[2] and "account" not in found[2], found)
        for what, stat, boot in [("after a reboot", "cpu 220 0 205 860 215 0 0 0\n", "two"),
                                 ("when a counter went backwards", "cpu 230 0 205 800 215 0 0 0\n", "two"),
                                 ("when nothing was counted", "cpu 230 0 205 800 215 0 0 0\n", "two"),
                                 ("when the file is nonsense", "cpu  x y z a b\n", "two")]:
            self.delete()
            found = ratio(stat, boot)
            self.report.check(f"{what} there is no share of the processors, and the push arrives",
                              found[:2] == (0, None), found)
        os.unlink(proc / "stat")
        self.delete()
        result = self.push(PUSH_STATE_DIR=state, XSERVER_PROC=str(proc))
        group = self.here.group(job="xserver-bot")
        self.report.check("an unreadable stat leaves out what it would have told, and the rest arrives",
                          result.returncode == 0 and "xserver_memory_total_bytes" in group
                          and not {"xserver_cpu_usage_ratio", "xserver_cpus"} & set(group), (result, group))

    def here_ratio(self):
        return self.here.group(job="xserver-bot").get("xserver_cpu_usage_ratio")

    def delete(self):
        stack.run("curl", "-q", "-s", "-X", "DELETE", self.here.store + "/metrics/job/xserver-bot")

    def replaces(self):
        self.push()
        done = self.push(PUSHGATEWAY_METHOD="PUT", PUSHGATEWAY_INSTANCE="sv1.example")
        group = self.here.group(job="xserver-bot", instance="sv1.example")
        self.report.check("an instance of its own makes a group of its own",
                          done.returncode == 0 and "xserver_cpus" in group, (done, group))
        told = self.push("--doctor", PUSHGATEWAY_METHOD="PUT", PUSHGATEWAY_INSTANCE="sv1.example")
        line = next((line.strip() for line in told.stdout.splitlines() if "DELETE" in line), "")
        asked = line.replace("--user 'prom'", '--user "prom:$PASSWORD"')
        subprocess.run(["bash", "-c", asked], env={**os.environ, "PASSWORD": stack.PASSWORD}, capture_output=True)
        self.report.check("and the doctor shows the line that deletes the old group, which does",
                          not self.here.group(job="xserver-bot")
                          and bool(self.here.group(job="xserver-bot", instance="sv1.example")), (line, told))

    def reads_settings(self):
        path = self.here.write("env", f"# a comment\n\nPUSHGATEWAY_URL={self.url}\r\nPUSHGATEWAY_USER='prom'\n"
                               f"PUSHGATEWAY_PASSWORD={stack.PASSWORD}\n"
                               f'PUSHGATEWAY_CACERT="{self.here.certificate}"\nPUSH_SPLAY_SECONDS=0', 0o600)
        nothing = dict.fromkeys(["PUSHGATEWAY_URL", "PUSHGATEWAY_USER", "PUSHGATEWAY_PASSWORD_FILE",
                                 "PUSHGATEWAY_CACERT", "PUSH_SPLAY_SECONDS"])
        done = self.push("--env", str(path), **nothing)
        self.report.check("a file of settings is taken as it stands, whatever is in the password",
                          (done.returncode, done.stderr) == (0, ""), done)
        os.chmod(path, 0o644)
        self.report.fails("a file of settings that others can read", self.push("--env", str(path), **nothing), 78,
                          "config", "chmod 600")
        self.here.write("env", "PATH=/tmp\n", 0o600)
        self.report.fails("a setting that there is not", self.push("--env", str(path)), 78, "line 1")
        open_file = self.here.write("open", stack.PASSWORD + "\n", 0o644)
        self.report.fails("a password file that others can read",
                          self.push(PUSHGATEWAY_PASSWORD_FILE=str(open_file)), 78, "config", "chmod 600")
        for name, value in [("PUSHGATEWAY_INSECURE", "yes"), ("PUSHGATEWAY_METHOD", "GET"),
                            ("PUSHGATEWAY_CACERT", "/nowhere"), ("PUSH_TOTAL_SECONDS", "51"),
                            ("PUSH_SPLAY_SECONDS", "x"), ("PUSHGATEWAY_INSTANCE", "a/b")]:
            self.report.fails(f"{name}={value}", self.push(**{name: value}), 78, name)
        self.report.fails("a login in the URL", self.push(PUSHGATEWAY_URL="https://prom:pw@localhost:1/"), 78, "login")
        self.report.fails("a password over http to another host",
                          self.push(PUSHGATEWAY_URL="http://push.example/metrics/job/x"), 78, "https://")
        self.report.fails("an unknown option", self.push("--what"), 64, "--what")
        shared = self.here.folder / "shared"
        shared.mkdir()
        os.chmod(shared, 0o755)
        self.report.fails("a state folder that others can read", self.push(PUSH_STATE_DIR=str(shared)), 73, "state")

    # ---- what does not arrive

    def fails(self):
        here = self.here
        wrong = here.write("wrong", "wrong\n", 0o600)
        self.report.fails("wrong password", self.push(PUSHGATEWAY_PASSWORD_FILE=str(wrong)), 77, "auth", "401")
        self.report.fails("no login", self.push(PUSHGATEWAY_USER=None, PUSHGATEWAY_PASSWORD_FILE=None), 77, "auth")
        began = time.monotonic()
        self.report.fails("gate down", self.push(PUSHGATEWAY_URL=f"https://localhost:{stack.free_port()}/metrics/job/x",
                                                 PUSH_TOTAL_SECONDS="4"), 69, "refused", "tries")
        took = time.monotonic() - began
        self.report.check("and it gave up when it was told to, after 4 s", 2 <= took < 12, took)
        unlisted = here.gate("unlisted", allow="[127.0.0.9]")
        self.report.fails("an address that is not listed", self.push(PUSHGATEWAY_URL=unlisted.url + "/metrics/job/x"),
                          69, "allowlist", "in allow of the gate")
        self.report.fails("a certificate of nobody we know", self.push(PUSHGATEWAY_CACERT=None), 76, "tls",
                          "PUSHGATEWAY_CACERT")
        insecure = self.push(PUSHGATEWAY_CACERT=None, PUSHGATEWAY_INSECURE="true")
        self.report.check("PUSHGATEWAY_INSECURE=true takes it", insecure.returncode == 0, insecure)
        self.report.fails("an expired certificate", self.expired(), 76, "tls", "expired", "cert --renew")
        other = here.make_certificate("named", "other.example")
        self.report.fails("a certificate of another name", self.push(
            PUSHGATEWAY_URL=here.gate("named", tls="named").url + "/metrics/job/x", PUSHGATEWAY_CACERT=str(other)),
            76, "tls", "name that the certificate has")
        self.report.fails("a port without TLS", self.push(
            PUSHGATEWAY_URL=here.store.replace("http://127.0.0.1", "https://localhost") + "/metrics/job/x"),
            76, "tls")
        self.report.fails("a port that says nothing", self.push(
            PUSHGATEWAY_URL=f"https://localhost:{here.silent_port()}/metrics/job/x", PUSH_TOTAL_SECONDS="1"), 69, "tls")
        self.report.fails("a port behind a firewall", self.push(
            PUSHGATEWAY_URL=f"https://127.0.0.1:{here.filtered_port()}/metrics/job/x", PUSH_TOTAL_SECONDS="1"),
            69, "filtered")
        self.report.fails("a name that there is not", self.push(
            PUSHGATEWAY_URL="https://push.invalid:9443/metrics/job/x"), 68, "dns")
        nginx = here.nginx("location / { return 301 https://localhost:1/; } location /other { return 404; }"
                           "location /html { return 503; }")
        base = f"https://localhost:{nginx.port}"
        self.report.fails("a redirect", self.push(PUSHGATEWAY_URL=base + "/metrics/job/x"), 76, "redirect",
                          "301", "https://localhost:1/")
        self.report.fails("not a push path", self.push(PUSHGATEWAY_URL=base + "/other"), 76, "path", "404")
        page = self.push(PUSHGATEWAY_URL=base + "/html")
        self.report.fails("an upstream that fails", page, 69, "upstream", "answered 503")
        self.report.check("and its page of HTML is not repeated", "<" not in page.stderr, page)
        self.report.fails("one / too many", self.push(PUSHGATEWAY_URL=self.gate.url + "/metrics//job/x"), 76,
                          "path", "404")
        silent = stack.Receiver((400, "", "line 1\x1b[31m: bad\r\nline 2\x07"))
        told = self.push(PUSHGATEWAY_URL=f"http://127.0.0.1:{silent.port}/metrics/job/x")
        self.report.check("what a stranger answers cannot command a terminal",
                          "line 2" in told.stderr and not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", told.stderr), told)
        silent.close()

    def expired(self):
        folder = self.here.folder / "old"
        shutil.copytree(self.here.folder / "tls", folder)
        (folder / "index").touch()
        (folder / "ca.cnf").write_text(
            f"[ca]\ndefault_ca=x\n[x]\ndatabase={folder}/index\nnew_certs_dir={folder}\nserial={folder}/serial\n"
            "rand_serial=yes\ndefault_md=sha256\npolicy=p\nx509_extensions=e\n[p]\ncommonName=supplied\n"
            "[e]\nsubjectAltName=DNS:localhost\nbasicConstraints=CA:TRUE\n[req]\ndistinguished_name=d\n[d]\n")
        common = ["-config", folder / "ca.cnf"]
        stack.run("openssl", "req", "-new", "-key", folder / "tls.key", "-subj", "/CN=localhost",
                  "-out", folder / "csr", *common)
        stack.run("openssl", "ca", "-batch", "-selfsign", "-keyfile", folder / "tls.key", "-in", folder / "csr",
                  "-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-notext",
                  "-out", folder / "tls.crt", *common)
        gate = self.here.gate("old", tls="old")
        return self.push(PUSHGATEWAY_URL=gate.url + "/metrics/job/x", PUSHGATEWAY_CACERT=str(folder / "tls.crt"))

    def refuses_bodies(self):
        curl = ["curl", "-q", "-s", "-K", "-", "--cacert", self.here.certificate]
        login = "user = \"prom:" + stack.PASSWORD.replace("\\", "\\\\").replace('"', '\\"') + '"\n'
        body = self.here.write("counter", "# TYPE xserver_load1 counter\nxserver_load1 1\n")
        # Nothing may have pushed this metric before; so the store is another.
        with stack.Stack() as other:
            fresh = self.here.gate("fresh", upstream=other.store)
            stack.run(*curl, "--data-binary", f"@{body}", fresh.url + "/metrics/job/other", input=login)
            # On a busy machine the gate may not learn in time whose the metric is, and the Pushgateway refuses instead.
            for _ in range(5):
                refused = self.push(PUSHGATEWAY_URL=fresh.url + "/metrics/job/x")
                if "job=other" in refused.stderr:
                    break
            self.report.fails("a body that the gate refuses", refused, 65, "validation", "xserver_load1", "job=other",
                              "--print")
        rights = self.here.gate("rights", rules="  users:\n    prom: {groups: [{job: other}]}\n")
        self.report.fails("a group that is another's", self.push(PUSHGATEWAY_URL=rights.url + "/metrics/job/x"), 77,
                          "rights", "403")
        one = self.here.gate("one", rules="  users:\n    prom: {limits: {pushes_per_minute: 2}}\n")
        results = [self.push(PUSHGATEWAY_URL=one.url + "/metrics/job/x") for _ in range(3)]
        self.report.fails("a quota that is used up for longer than we can wait", results[-1], 69, "rate", "429")
        few = self.here.gate("few", rules="  users:\n    prom: {limits: {pushes_per_minute: 30}}\n")
        good = self.here.write("good", "few 1\n")
        stack.run(*curl, "--data-binary", f"@{good}", few.url + "/metrics/job/few#[1-31]", input=login)
        began = time.monotonic()
        waited = self.push(PUSHGATEWAY_URL=few.url + "/metrics/job/x", PUSH_TOTAL_SECONDS="10")
        took = time.monotonic() - began
        self.report.check("a quota that comes back in time is waited for, as Retry-After says",
                          waited.returncode == 0 and 0.9 < took < 10, (waited, took))

    def knows_one_run(self):
        state = str(self.here.folder / "locked")
        hanging = f"https://localhost:{self.here.silent_port()}/metrics/job/x"
        holder = self.start(PUSHGATEWAY_URL=hanging, PUSH_STATE_DIR=state, PUSH_TOTAL_SECONDS="30")
        wait_until(lambda: glob.glob(state + "/run.*/curl"))
        self.report.fails("while another run goes on", self.push(PUSH_STATE_DIR=state), 75, "lock", str(holder.pid))
        os.killpg(holder.pid, signal.SIGKILL)
        holder.communicate()
        after = self.push(PUSH_STATE_DIR=state)
        self.report.check("after one that was killed the next run goes on, and sweeps up what it left",
                          after.returncode == 0 and sorted(os.listdir(state)) == ["cpu"], (after, os.listdir(state)))
        for what, text in [("an old lock whose number is somebody else's by now", f"{os.getpid()} {int(time.time()) - 500}\n"),
                           ("a lock from the future", f"{os.getpid()} {int(time.time()) + 5000}\n"),
                           ("an empty lock", ""), ("a lock full of nonsense", "a b c\nd\n")]:
            with open(state + "/lock", "w") as lock:
                lock.write(text)
            after = self.push(PUSH_STATE_DIR=state)
            self.report.check(f"{what} stops nobody", after.returncode == 0 and os.listdir(state) == ["cpu"], after)
        ended = self.start(PUSHGATEWAY_URL=hanging, PUSH_STATE_DIR=state, PUSH_TOTAL_SECONDS="30")
        wait_until(lambda: glob.glob(state + "/run.*/curl"))
        os.killpg(ended.pid, signal.SIGTERM)
        ended.communicate(timeout=10)
        self.report.check("a run that is ended takes its password file and its lock along",
                          ended.returncode == 143 and os.listdir(state) == ["cpu"], (ended.returncode, os.listdir(state)))

    def starts_late(self):
        times = {}
        for late in [0, 1]:
            url = next(url for url in (f"{self.gate.url}/metrics/job/late{n}" for n in range(1000)) if share_of(url) == late)
            for _ in range(2):
                began = time.monotonic()
                done = self.push(PUSH_SPLAY_SECONDS="2", PUSH_TOTAL_SECONDS="20", PUSHGATEWAY_URL=url)
                times.setdefault(late, []).append(round(time.monotonic() - began, 1))
                times.setdefault("codes", set()).add((done.returncode, done.stderr))
        self.report.check("one group starts at once, another a second late, each time anew", times["codes"] == {(0, "")}
                          and min(times[0]) < min(times[1]) and min(times[1]) >= 1, times)

    def keeps_the_secret(self):
        # Somebody who says nothing, so that curl is there long enough to be seen.
        target = f"https://localhost:{self.here.silent_port()}/metrics/job/x"
        with stack.Watch("Zq7'", "pass-in-env") as watch:
            results = [self.push(PUSHGATEWAY_URL=target, PUSH_TOTAL_SECONDS="2"), self.push(),
                       self.push(PUSHGATEWAY_URL=target, PUSHGATEWAY_PASSWORD_FILE=None,
                                 PUSHGATEWAY_PASSWORD="pass-in-env"),
                       self.push("--doctor")]
        shown = "".join(result.stdout + result.stderr for result in results)
        self.report.check(f"the password is in no command line, no environment of curl ({watch.saw_curl} looks at it) "
                          "and no output", watch.saw_curl > 0 and not watch.found
                          and "Zq7'" not in shown and "pass-in-env" not in shown, (watch.found, shown))

    def goes_on_through_restarts(self):
        over, codes, state = threading.Event(), [], str(self.here.folder / "steady")

        def every_second():
            while not over.is_set():
                began = time.monotonic()
                codes.append(self.push(PUSH_STATE_DIR=state, PUSH_TOTAL_SECONDS="30"))
                over.wait(max(0, 1 - (time.monotonic() - began)))

        pusher = threading.Thread(target=every_second)
        pusher.start()
        for away in [0, 0.5, 2]:
            time.sleep(1.3)
            self.gate.stop()
            time.sleep(away)
            self.gate.start()
        time.sleep(1.3)
        self.here.pushgateway.stop()
        time.sleep(1.5)
        self.here.pushgateway.start()
        time.sleep(1.5)
        over.set()
        pusher.join()
        lost = [result for result in codes if result.returncode or result.stderr]
        self.report.check(f"{len(codes)} pushes, one a second, through three restarts of the gate and one of the "
                          f"Pushgateway: {len(lost)} lost", len(codes) >= 4 and not lost, lost)

    # ---- the doctor

    def examines(self):
        here, wrong = self.here, str(self.here.folder / "wrong")
        down = here.gate("nothing-behind", upstream=f"http://127.0.0.1:{stack.free_port()}")
        path = "/metrics/job/x"
        good = self.push("--doctor")
        steps = [line.split()[1] for line in good.stdout.splitlines() if line.startswith("ok")]
        self.report.check("the doctor finds a good way good, step by step", good.returncode == 0 and not good.stderr and
                          steps == ["settings", "metrics", "name", "connect", "tls", "login", "push"], good)
        unlisted = next(each.url for each in here.programs if getattr(each, "config", None)
                        and each.config.name == "unlisted.yml")
        rights = next(each.url for each in here.programs if getattr(each, "config", None)
                      and each.config.name == "rights.yml")
        for step, code, settings in [
                ("name", 68, {"PUSHGATEWAY_URL": "https://push.invalid" + path}),
                ("connect", 69, {"PUSHGATEWAY_URL": f"https://localhost:{stack.free_port()}{path}"}),
                ("connect", 69, {"PUSHGATEWAY_URL": f"https://127.0.0.1:{here.filtered_port()}{path}",
                                 "PUSH_TOTAL_SECONDS": "1"}),
                ("allow", 69, {"PUSHGATEWAY_URL": unlisted + path}),
                ("tls", 76, {"PUSHGATEWAY_CACERT": None}),
                ("login", 77, {"PUSHGATEWAY_PASSWORD_FILE": wrong}),
                ("rights", 77, {"PUSHGATEWAY_URL": rights + path}),
                ("push", 65, {"PUSHGATEWAY_URL": self.gate.url + "/metrics/job/a/b/1/b/2"}),
                ("push", 69, {"PUSHGATEWAY_URL": down.url + path})]:
            told = self.push("--doctor", **settings)
            lines = told.stdout.splitlines()
            broken = [number for number, line in enumerate(lines) if line.startswith("no ")]
            self.report.check(f"the doctor names {step} as what fails (exit {code}), with a remedy, and nothing after it",
                              told.returncode == code and len(broken) == 1 and lines[broken[0]].split()[1] == step
                              and len(lines) == broken[0] + 2 and len(lines[-1].strip()) > 10
                              and not told.stderr, told)

    def all(self):
        for part in [self.pushes, self.counts, self.replaces, self.reads_settings, self.fails, self.refuses_bodies,
                     self.knows_one_run, self.starts_late, self.keeps_the_secret, self.examines,
                     self.goes_on_through_restarts]:
            try:
                part()
            except Exception as error:  # One part that breaks must not hide the others.
                self.report.check(f"{part.__name__} came to its end", False, repr(error))


def wait_until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError("waited in vain")
        time.sleep(0.02)


def share_of(url):
    """Of 2 seconds, as the script counts it."""
    key = 0
    for byte in f"{os.uname().nodename} {os.getuid()} {url}".encode():
        key = (key * 31 + byte) % 65521
    return key % 2


def cron_line():
    """The line of crontab.example, run the way cron runs it."""
    report = stack.Report("cron: ")
    with stack.Stack() as here:
        gate = here.gate("gate")
        (here.folder / "bin").mkdir()
        (here.folder / ".config").mkdir()
        shutil.copy(SCRIPT, here.folder / "bin")
        example = (SCRIPT.parent / "push.env.example").read_text()
        example = example.replace("https://push.example:9443", gate.url)
        example = example.replace("/home/ACCOUNT/.config/prometheus-push.crt", str(here.certificate))
        example = example.replace("/home/ACCOUNT/.config/prometheus-push.password", str(here.folder / "password"))
        here.write(".config/prometheus-push.env", example + "PUSH_SPLAY_SECONDS=0\n", 0o600)
        line = next(line for line in (SCRIPT.parent / "crontab.example").read_text().splitlines()
                    if line.startswith("* * * * * "))
        done = subprocess.run(["/bin/sh", "-c", line[len("* * * * * "):]], capture_output=True, text=True, cwd="/",
                              env={"HOME": str(here.folder), "PATH": "/usr/bin:/bin", "LOGNAME": "me"})
        report.check("the crontab's line with the file of settings pushes, and says nothing",
                     (done.returncode, done.stdout, done.stderr) == (0, "", "")
                     and "xserver_cpus" in here.group(job="xserver-bot"), done)
        report.check("what is kept is below ~/.local/state",
                     os.listdir(here.folder / ".local/state/prometheus-push") == ["cpu"])


def shellcheck():
    if not shutil.which("shellcheck"):
        print("skipped: shellcheck is not installed")
        return
    said = subprocess.run(["shellcheck", "-s", "sh", SCRIPT], capture_output=True, text=True)
    stack.Report().check("shellcheck -s sh finds nothing", (said.returncode, said.stdout) == (0, ""), said.stdout)


def try_shell(name):
    with stack.Stack() as here:
        Trial(name, here).all()


def main():
    stack.need("prometheus-pushgateway", "promtool", "nginx", "curl", "openssl")
    names = [name for name in sys.argv[1:] or SHELLS if shutil.which(name) or print(f"skipped: there is no {name}")]
    shellcheck()
    threads = [threading.Thread(target=try_shell, args=(name,)) for name in names]
    threads.append(threading.Thread(target=cron_line))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.exit(1 if stack.Report.failed else 0)


if __name__ == "__main__":
    main()
