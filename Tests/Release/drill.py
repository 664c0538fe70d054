#!/usr/bin/env python3
"""The rehearsal of a rotation: that it passes with a real gate, names the phase that does not hold with one that has
a fault, tells no secret, and leaves nothing behind.

  KANMON=.build/release/kanmon Tests/Release/drill.py

Loopback only; about a minute."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "Tests/Push"))
import stack  # noqa: E402

DRILL = ROOT / "deploy/drill/rotate.sh"
PHASES = ["password-old", "password-both", "password-new", "certificate-old", "certificate-bundle",
          "certificate-both", "certificate-new", "secrets"]

# What a gate's program may get wrong: lines of a shell before the real one is called.
FAULTS = [
    ("--add replaces the old password", "password-both",
     'for word; do shift; [ "$word" = --add ] || set -- "$@" "$word"; done'),
    ("the old password is never taken out", "password-new",
     '[ "$1 $#" != "passwd 3" ] || set -- "$@" $(test ! -e "$2" || echo --verify)'),
    ("--renew writes no bundle", "certificate-bundle",
     'case "$*" in *--renew) "$REAL" "$@" && rm "$3/ca-bundle.crt"; exit ;; esac'),
    ("the bundle lacks the old certificate", "certificate-bundle",
     'case "$*" in *--renew) "$REAL" "$@" && cp "$3/tls.crt" "$3/ca-bundle.crt"; exit ;; esac'),
    ("the log has a password", "secrets", '[ "$1" != serve ] || cat "$(dirname "$3")/new" >&2'),
    ("the gate does not start", "start", '[ "$1" != serve ] || exit 70'),
]


class Trial:
    def __init__(self, folder):
        self.folder, self.report = pathlib.Path(folder), stack.Report()

    def environment(self, kanmon):
        (self.folder / "work").mkdir(exist_ok=True)
        return os.environ | {"KANMON": str(kanmon), "TMPDIR": str(self.folder / "work")}

    def drill(self, kanmon):
        return subprocess.run([DRILL], env=self.environment(kanmon), capture_output=True, text=True, timeout=200)

    def left_behind(self):
        """Files, and processes that were started in that folder."""
        work = str(self.folder / "work").encode()
        lines = [path.read_bytes() for path in pathlib.Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
        return list((self.folder / "work").iterdir()) + [line for line in lines if work in line]

    def passes(self):
        with stack.Watch("placeholder-") as watch:
            done = self.drill(stack.KANMON)
        said = [line.split()[:2] for line in done.stdout.splitlines()]
        self.report.check("a real gate: exit 0, a line for each phase, in order", done.returncode == 0
                          and said[:-1] == [["ok", phase] for phase in PHASES] and not done.stderr
                          and done.stdout.splitlines()[-1].startswith("rotate-drill: all phases held"), done)
        self.report.check("its passwords are in no command line and no output",
                          watch.saw_curl > 0 and not watch.found and "placeholder-" not in done.stdout, watch.found)
        self.report.check("nothing of it is left", not self.left_behind(), self.left_behind())

    def fails(self, what, phase, lines):
        program = self.folder / "kanmon"
        program.write_text(f'#!/bin/sh\nREAL={stack.KANMON}\n{lines}\nexec "$REAL" "$@"\n')
        program.chmod(0o755)
        done = self.drill(program)
        self.report.check(f"{what}: exit 1, phase {phase}, no secret", done.returncode == 1
                          and done.stderr.startswith(f"rotate-drill: phase {phase} failed: ")
                          and "placeholder-" not in done.stdout + done.stderr
                          and f"ok  {phase} " not in done.stdout, done)
        self.report.check("and nothing of it is left", not self.left_behind(), self.left_behind())

    def is_ended(self):
        process = subprocess.Popen([DRILL], env=self.environment(stack.KANMON), stdout=subprocess.PIPE, text=True)
        first = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        self.report.check("ended in the middle: exit 143, nothing is left", first.startswith("ok  password-old ")
                          and process.wait(60) == 143 and not self.left_behind(), self.left_behind())


def main():
    stack.need("prometheus-pushgateway", "curl", "openssl")
    with tempfile.TemporaryDirectory(prefix="kanmon-drill-") as folder:
        trial = Trial(folder)
        trial.passes()
        for fault in FAULTS:
            trial.fails(*fault)
        trial.is_ended()
    sys.exit(1 if stack.Report.failed else 0)


main()
