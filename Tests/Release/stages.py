#!/usr/bin/env python3
"""make release-check: that it goes through its stages in order, and stops at the right one for a fault put into each.

  KANMON=.build/release/kanmon Tests/Release/stages.py

The faults lie in a clone of this repository, as it is committed. Only what would have to be built for minutes is not: in
swift's place stands a script that gives what the build would have given, mostly with the fault in it. A minute."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "Tests/Push"))
import stack  # noqa: E402

STAGES = ["format", "unit", "end-to-end", "sanitizers", "fuzz", "smoke", "package", "secrets"]
SECRET = "Bear" + "er a-token-that-nobody-ever-had"

OVERFLOW = "#include <stdlib.h>\nint main(int count, char **words) { char *p = malloc(count); return p[count]; }\n"
CRASH = ("#include <stddef.h>\n#include <stdint.h>\n"
         "int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { if (size > 3) __builtin_trap(); return 0; }\n")
STATIC = 'mkdir -p .build-static/release && cp "$GATE" "$GATE-ops" .build-static/release'


def append(file, line):
    return lambda clone: (clone / file).write_text((clone / file).read_text() + line + "\n")


def replace(file, old, new):
    return lambda clone: (clone / file).write_text((clone / file).read_text().replace(old, new))


def build(source, sanitizers):
    """A program in C that has the fault, really found by a real sanitizer or fuzzer."""
    return lambda clone: subprocess.run(["clang", f"-fsanitize={sanitizers}", "-fuse-ld=lld", "-x", "c", "-",
                                         "-o", clone / "planted"], input=source, text=True, check=True)


# Stage, fault, a word that its output has to have, how the fault gets into the clone, what stands in swift's place.
FAULTS = [
    ("format", "a line that is not formatted", "Version.swift:",
     append("Sources/kanmon/Version.swift", "let  planted=1"), 'exec "$SWIFT" "$@"'),
    ("unit", "a test that fails", "Test planted() failed",
     None, 'echo "Test planted() failed"; exit 1'),
    ("end-to-end", "a gate that does not start", "CalledProcessError(70",
     None, 'mkdir -p .build/debug && printf "#!/bin/sh\\nexit 70\\n" >.build/debug/kanmon && chmod +x .build/debug/kanmon'),
    ("sanitizers", "a test that reads past the end of its memory", "heap-buffer-overflow",
     build(OVERFLOW, "address"), '[ "$1" = build ] || ./planted'),
    ("fuzz", "a target that crashes", "path           found something",
     build(CRASH, "fuzzer,address"),
     "mkdir -p .build-fuzz/build/release && cp planted .build-fuzz/build/release/fuzz-path"),
    ("smoke", "a push script whose body is not valid", "layer=validation",
     replace("deploy/push/prometheus-push.sh", "# TYPE %s gauge", "# TYPE %s gage"), STATIC),
    ("package", "a file of the package that is not there", "deploy/package/copyright",
     lambda clone: (clone / "deploy/package/copyright").unlink(), STATIC),
    ("secrets", "a token in a file", "bearer-token: deploy/planted:1 (tree)",
     lambda clone: (clone / "deploy/planted").write_text(SECRET + "\n"), "exit 1"),
]


class Trial:
    def __init__(self, folder):
        self.report, self.clone, self.bin = stack.Report(), folder / "clone", folder / "bin"
        for made in (self.bin, folder / "tmp"):
            made.mkdir()
        subprocess.run(["git", "clone", "--quiet", ROOT, self.clone], check=True)
        self.environment = {"PATH": f"{self.bin}:{os.environ['PATH']}", "HOME": str(folder), "TMPDIR": str(folder / "tmp"),
                            "KANMON_INSTALL": "no", "SWIFT": shutil.which("swift"), "GATE": stack.KANMON,
                            "FUZZ": "path", "FUZZ_SECONDS": "5"}

    def stand_in(self, name, lines):
        path = self.bin / name
        path.write_text("#!/bin/sh\n" + lines + "\n")
        path.chmod(0o755)

    def start(self, **settings):
        return subprocess.Popen(["make", "--no-print-directory", "release-check"], cwd=self.clone, text=True,
                                env=self.environment | settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def check(self, **settings):
        process = self.start(**settings)
        said = process.communicate(timeout=300)[0].splitlines()
        return process.returncode, [line for line in said if not line.startswith("make: ***")]

    # --- Each stage with its fault

    def fails(self, stage, fault, word, plant, swift):
        if stage == "package" and os.getuid() != 0:
            print("skipped: the stage package needs root")
            return
        self.stand_in("swift", swift)
        if plant:
            plant(self.clone)
        status, said = self.check(STAGE=stage)
        log = (self.clone / f".build/release-check/{stage}.log").read_text()
        self.report.check(f"{fault}: stage {stage} fails", status == 2
                          and said[-1] == f"release-check: stage {stage} failed, see .build/release-check/{stage}.log"
                          and word in log and SECRET not in log + "".join(said), said)
        for command in (["reset", "--quiet", "--hard"], ["clean", "--quiet", "-d", "--force", "-x"]):
            subprocess.run(["git", "-C", self.clone, *command], check=True)

    # --- The way through them, with a make that only notes what it is asked for

    def begin_again(self, failing="nothing"):
        """Asked for release-check it is make itself, so that the target is the real one."""
        self.stand_in("make", f"""case $* in *release-check*) exec {shutil.which("make")} "$@" ;; esac
echo "$*" >>asked
case $* in *{failing}*) echo "the fault itself"; exit 3 ;; sleep) exec sleep 60 ;; esac""")
        (self.clone / "asked").unlink(missing_ok=True)

    def asked(self):
        return (self.clone / "asked").read_text().splitlines()

    def passes(self):
        self.stand_in("id", "echo 0")
        self.begin_again()
        status, said = self.check()
        every = ["KANMON_STRICT=1 check", "KANMON_STRICT=1 test", "KANMON_STRICT=1 attacks e2e", "sanitize", "fuzz",
                 "release-smoke", "package-test", "secrets"]
        self.report.check("all stages are gone through in order", status == 0 and self.asked() == every
                          and "8 of 8 stages passed" in said[-1], said)
        times = [line for line in said if line.startswith("passed ") and line.endswith(" s")]
        self.report.check("each with its time", len(times) == 8, said)
        self.stand_in("id", "echo 1000")
        self.begin_again()
        status, said = self.check()
        every.remove("package-test")
        self.report.check("without root all but one, which is no success", status == 2 and self.asked() == every
                          and any("package     cannot be tried: needs root" in line for line in said)
                          and "7 of 8 stages passed" in said[-1], said)
        self.stand_in("id", "echo 0")

    def stops(self):
        self.begin_again(failing="fuzz")
        status, said = self.check()
        self.report.check("it stops at the first that fails, names it and shows the end of its output", status == 2
                          and said[-1] == "release-check: stage fuzz failed, see .build/release-check/fuzz.log"
                          and "         the fault itself" in said and len(self.asked()) == 5, said)
        self.report.check("and says which have passed", "release-check: passed: format unit end-to-end sanitizers; "
                          "skipped: none" in said, said)

    def goes_on(self):
        self.begin_again()
        status, said = self.check(FROM="smoke")
        self.report.check("FROM=smoke goes on from there", status == 0 and self.asked()[0] == "release-smoke"
                          and self.asked()[-1] == "secrets"
                          and [line.split()[1] for line in said if line.startswith("skipped ")][:5] == STAGES[:5], said)
        self.begin_again()
        status, said = self.check(STAGE="fuzz")
        self.report.check("STAGE=fuzz is that one, and says why the others were left out", status == 0
                          and self.asked() == ["fuzz"]
                          and sum(line.endswith("not asked for: STAGE=fuzz") for line in said) == 7, said)
        self.begin_again()
        for settings in ({"STAGE": "fuzzy"}, {"FROM": "fuzzy"}, {"STAGE": "fuzz", "FROM": "fuzz"}):
            status, said = self.check(**settings)
            self.report.check(f"{settings} is refused", status == 2 and not (self.clone / "asked").exists(), said)

    def is_ended(self):
        self.stand_in("make", "echo $$ >asked; exec sleep 60")
        process = subprocess.Popen([self.clone / "deploy/release/check.sh"], cwd=self.clone, env=self.environment,
                                   stdout=subprocess.PIPE)
        end = time.monotonic() + 20
        while not (self.clone / "asked").exists() and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(0.2)
        stage = int((self.clone / "asked").read_text())
        process.send_signal(signal.SIGTERM)
        status = process.wait(20)
        self.report.check("ended by a signal it ends the stage too", status == 143
                          and not pathlib.Path(f"/proc/{stage}").exists(), status)


def main():
    stack.need("git", "make", "swift", "clang", "prometheus-pushgateway", "curl", "dpkg-deb")
    with tempfile.TemporaryDirectory(prefix="kanmon-release-") as folder:
        trial = Trial(pathlib.Path(folder))
        for fault in FAULTS:
            trial.fails(*fault)
        trial.passes()
        trial.stops()
        trial.goes_on()
        trial.is_ended()
    sys.exit(1 if stack.Report.failed else 0)


main()
