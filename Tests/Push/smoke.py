#!/usr/bin/env python3
"""make smoke against real gates: that it notices what does not work, says where, and leaves nothing behind.

  KANMON=.build/release/kanmon Tests/Push/smoke.py

Needs: prometheus-pushgateway, nginx, curl, openssl. Loopback only; about half a minute."""

import os
import shutil
import subprocess
import sys

import stack

SCRIPT = stack.ROOT / "deploy/dev/smoke.sh"


class Trial:
    def __init__(self, here):
        self.here, self.report = here, stack.Report()
        self.gate = here.gate("gate", admin=stack.free_port())

    def smoke(self, *arguments, **settings):
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.here.folder), "KANMON": stack.KANMON,
                       "KANMON_URL": self.gate.url, "KANMON_CACERT": str(self.here.certificate),
                       "KANMON_PASSWORD_FILE": str(self.here.folder / "password"),
                       "KANMON_CONFIG": str(self.gate.config), "KANMON_LOG": str(self.here.folder / "gate.log"),
                       "PUSHGATEWAY_URL": self.here.store, **settings}
        return subprocess.run([str(SCRIPT), *arguments], env=environment, capture_output=True, text=True, timeout=60)

    def finds(self, statement, step, layer, **settings):
        done = self.smoke(**settings)
        first = (done.stderr.splitlines() or [""])[0]
        self.report.check(f'{statement}: exit 1, step "{step}", layer {layer}', done.returncode == 1 and not done.stdout
                          and first.startswith(f'smoke: failed_iteration=1/1 step="{step}" layer={layer}: '), done)

    def works(self):
        with stack.Watch("Zq7'") as watch:
            done = self.smoke()
            thrice = self.smoke(SMOKE_REPEAT_COUNT="3")
        self.report.check("a gate that works", done.returncode == 0 and not done.stderr
                          and "pushed, stored, read back and deleted" in done.stdout, done)
        self.report.check("three times over", thrice.returncode == 0 and thrice.stdout.endswith(", 3 times\n"), thrice)
        self.report.check("nothing is left in the Pushgateway", "kanmon_smoke" not in stack.get(self.here.store + "/metrics"))
        self.report.check("the password is in no command line and no output", watch.saw_curl > 0 and not watch.found
                          and "Zq7'" not in done.stdout + thrice.stdout, watch.found)
        log = (self.here.folder / "gate.log").read_text().splitlines()
        accepted = sum("push accepted" in line and "samples=0" not in line for line in log)
        refused = sum("status=400" in line for line in log)
        self.report.check("the gate has seen four pushes and four broken bodies", (accepted, refused) == (4, 4), log)

    def simulates(self):
        for layer in ["dns", "refused", "tls", "auth", "validation", "upstream"]:
            done = self.smoke(f"--simulate-failure={layer}", SMOKE_REPEAT_COUNT="2")
            first = (done.stderr.splitlines() or [""])[0]
            self.report.check(f"a simulated failure of {layer} fails the second round of two", done.returncode == 1
                              and f"failed_iteration=2/2" in first and f" layer={layer} (simulated: {layer})" in first, done)
        done = self.smoke("--simulate-failure")
        self.report.check("one that is not named is auth", done.returncode == 1 and " layer=auth " in done.stderr, done)
        self.report.check("nothing is left in the Pushgateway, failure or not",
                          "kanmon_smoke" not in stack.get(self.here.store + "/metrics"))
        open_to_all = self.here.nginx(f"location / {{ proxy_pass {self.here.store}; }}")
        done = self.smoke("--simulate-failure", KANMON_URL=f"https://localhost:{open_to_all.port}")
        self.report.check("a door that takes any password: not noticed, exit 2",
                          done.returncode == 2 and "was not noticed" in done.stderr, done)
        done = self.smoke("--simulate-failure=everything")
        self.report.check("a failure that there is not: exit 64", done.returncode == 64, done)
        done = self.smoke(SMOKE_REPEAT_COUNT="0")
        self.report.check("no rounds at all: exit 64", done.returncode == 64, done)

    def shows(self):
        done = self.smoke("--simulate-failure")
        status, _, log = done.stderr.partition("--- the last lines of its log\n")
        self.report.check("a failure shows the gate's status and the end of its log", "certificate      good" in status
                          and "ts=" in log and "status=401" in log, done)
        done = self.smoke("--simulate-failure", KANMON_CONFIG="", KANMON_LOG="/nowhere")
        self.report.check("and says so where it cannot", done.returncode == 1
                          and "does not say which gate" in done.stderr and "/nowhere" in done.stderr, done)

    def finds_what_is_broken(self):
        here = self.here
        elsewhere = f"http://127.0.0.1:{stack.free_port()}"
        self.finds("a name that there is not", "push", "dns", KANMON_URL="https://gate.invalid:9443")
        self.finds("no gate", "push", "refused", KANMON_URL=f"https://localhost:{stack.free_port()}")
        self.finds("a firewall", "push", "filtered", KANMON_URL=f"https://127.0.0.1:{here.filtered_port()}")
        self.finds("an address that is not listed", "push", "allowlist",
                   KANMON_URL=here.gate("unlisted", allow="[127.0.0.9]").url)
        self.finds("another certificate", "push", "tls", KANMON_CACERT=str(here.make_certificate("other")))
        self.finds("another password", "push", "auth", KANMON_PASSWORD_FILE=str(here.write("wrong", "no\n", 0o600)))
        self.finds("a password file that others can read", "push", "config",
                   KANMON_PASSWORD_FILE=str(here.write("open", stack.PASSWORD, 0o644)))
        self.finds("a group of somebody else", "push", "rights",
                   KANMON_URL=here.gate("rights", rules="  users:\n    prom: {groups: [{job: other}]}\n").url)
        self.finds("a user without the right to delete", "delete", "rights",
                   KANMON_URL=here.gate("keep", rules="  users:\n    prom: {methods: [POST]}\n").url)
        self.finds("a gate without a Pushgateway", "push", "upstream", KANMON_URL=here.gate("alone", upstream=elsewhere).url)
        self.finds("a Pushgateway that is down", "read back", "upstream", PUSHGATEWAY_URL=elsewhere)
        with stack.Stack() as other:
            self.finds("a Pushgateway of another gate", "read back", "upstream", PUSHGATEWAY_URL=other.store)
            other.write("counter", "# TYPE xserver_load1 counter\nxserver_load1 1\n")
            stack.run("curl", "-q", "-s", "-f", "--data-binary", f"@{other.folder}/counter", other.store + "/metrics/job/x")
            self.finds("a metric that has another type", "push", "validation", PUSHGATEWAY_URL=other.store,
                       KANMON_URL=here.gate("typed", upstream=other.store).url)
        lenient = stack.free_port()
        here.nginx(f"location / {{ if ($request_method = POST) {{ return 200; }} proxy_pass {here.store}; }}", lenient)
        self.finds("one that takes all and stores nothing", "read back", "upstream",
                   KANMON_URL=f"https://localhost:{lenient}")
        self.finds("no password file", "setup", "config", KANMON_PASSWORD_FILE="/nowhere")

    def all(self):
        for part in [self.works, self.simulates, self.shows, self.finds_what_is_broken]:
            try:
                part()
            except Exception as error:  # One part that breaks must not hide the others.
                self.report.check(f"{part.__name__} came to its end", False, repr(error))


def main():
    stack.need("prometheus-pushgateway", "nginx", "curl", "openssl")
    if shutil.which("shellcheck"):
        said = subprocess.run(["shellcheck", SCRIPT], capture_output=True, text=True)
        stack.Report().check("shellcheck finds nothing", said.returncode == 0, said.stdout)
    with stack.Stack() as here:
        Trial(here).all()
    sys.exit(1 if stack.Report.failed else 0)


if __name__ == "__main__":
    main()
