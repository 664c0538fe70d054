#!/usr/bin/env python3
"""discord-alert.sh in every shell it is written for, against a receiver in Discord's place, which can also refuse, ask to
wait and hang.

  Tests/Push/discord.py

Needs: curl, dash, bash, busybox. Loopback only; about 20 s."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import stack

SCRIPT = stack.ROOT / "deploy/notify/discord-alert.sh"
SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"], "busybox": ["busybox", "sh"]}
SECRET = "s3cret-token"
GOOD = (204, "", "")


class Trial:
    def __init__(self, name, folder):
        self.shell, self.report, self.folder = SHELLS[name], stack.Report(f"{name}: "), folder
        self.output = ""

    def post(self, receiver, *words, text=None, **settings):
        port = receiver.port if receiver else stack.free_port()
        environment = {"PATH": os.environ["PATH"], "TMPDIR": str(self.folder), "DISCORD_ALERT_SECONDS": "4",
                       "DISCORD_ALERT_WEBHOOK_URL": f"http://127.0.0.1:{port}/api/webhooks/1/{SECRET}", **settings}
        done = subprocess.run([*self.shell, str(SCRIPT), *words], input=text, capture_output=True, timeout=60,
                              env={key: value for key, value in environment.items() if value})
        self.output += f"{done.stdout}{done.stderr}"
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    def message(self, *words, text=None):
        receiver = stack.Receiver(GOOD)
        done = self.post(receiver, *words, text=text)
        receiver.close()
        if done.returncode or done.stderr or not receiver.requests:
            return done
        head, body = receiver.requests[0][1:]
        if not head.startswith(f"POST /api/webhooks/1/{SECRET} ") or "content-type: application/json" not in head.lower():
            return head
        return json.loads(body)

    def texts(self):
        long = "あ" * 3000
        smile = "😀" * 1500
        for what, words, text, wanted in [
                ("words", ["the", "gate is down"], None, "the gate is down"),
                ("quotes, backslashes, line feeds, control characters", [], b'a "b" \\n \\\n\ttab \x1b[31m \x7f%s $(x)\n\n',
                 'a "b" \\n \\\n\ttab \x1b[31m \x7f%s $(x)'),
                ("Japanese and beyond", ["関門 😀 é"], None, "関門 😀 é"),
                ("broken UTF-8", [], b"a\xffb\xc3(\xe3\x81 \xed\xa0\x80 \xc0\x80 \xf0\x9f", None),
                ("2000 characters", ["x" * 2000], None, "x" * 2000),
                ("2001 characters, cut", ["x" * 2001], None, "x" * 1999 + "…"),
                ("3000 Japanese ones, cut", [long], None, long[:1999] + "…"),
                ("faces that count twice, cut between two of them", [smile], None, smile[:999] + "…"),
                ("a dash at the beginning", ["--", "- x"], None, "- x")]:
            found = self.message(*words, text=text)
            content = found.get("content") if isinstance(found, dict) else found
            good = content == wanted if wanted is not None else (
                isinstance(content, str) and content.startswith("a\ufffdb\ufffd(") and "\udce3" not in content)
            self.report.check(f"{what}: arrives, mentions nobody",
                              good and found.get("allowed_mentions") == {"parse": []}, str(found)[:300])
        self.report.fails("no text", self.post(None, text=b" \n"), 64, "no text")

    def answers(self):
        for status in [200, 204]:
            receiver = stack.Receiver((status, "", "{}"))
            done = self.post(receiver, "x")
            self.report.check(f"{status} is posted, once, without a word",
                              (done.returncode, done.stdout, done.stderr, len(receiver.requests)) == (0, "", "", 1), done)
        receiver = stack.Receiver((429, "", '{"message": "limited", "retry_after": 1.3, "global": false}'), GOOD)
        done = self.post(receiver, "x", DISCORD_ALERT_SECONDS="20")
        times = [moment for moment, _, _ in receiver.requests]
        self.report.check("429 is tried again after the time it asks for",
                          done.returncode == 0 and len(times) == 2 and 1.3 <= times[1] - times[0] < 10, (done, times))
        began = time.monotonic()
        receiver = stack.Receiver((429, "", '{"retry_after": 3600.5}'))
        self.report.fails("429 for longer than there is time", self.post(receiver, "x", DISCORD_ALERT_SECONDS="20"), 69,
                          "3601 s (429)")
        self.report.check("and that is said at once", time.monotonic() - began < 10 and len(receiver.requests) == 1)
        receiver = stack.Receiver((500, "", "oops"), GOOD)
        done = self.post(receiver, "x", DISCORD_ALERT_SECONDS="20")
        self.report.check("500 is tried again", done.returncode == 0 and len(receiver.requests) == 2, done)
        self.report.fails("500 for ever", self.post(stack.Receiver((500, "", "")), "x", DISCORD_ALERT_SECONDS="2"),
                          69, "500")
        self.report.fails("a refusal", self.post(stack.Receiver((400, "", '{"message": "bad"}')), "x"), 65, "bad")
        self.report.fails("a webhook that is gone", self.post(stack.Receiver((404, "", "")), "x"), 77, "new one")
        began = time.monotonic()
        self.report.fails("a receiver that hangs", self.post(stack.Receiver(None), "x", DISCORD_ALERT_SECONDS="2"),
                          69, "no answer within ")  # 2 s, or 1 when a second of the clock has just ended.
        took = time.monotonic() - began
        self.report.check("and that takes no longer than it may", took < 8, took)
        self.report.fails("nobody there", self.post(None, "x", DISCORD_ALERT_SECONDS="2"), 69, "refuses")

    def settings(self):
        name = self.folder / f"webhook-{id(self)}"
        receiver = stack.Receiver(GOOD)
        name.write_text(f"http://127.0.0.1:{receiver.port}/api/webhooks/1/{SECRET}\r\n")
        os.chmod(name, 0o600)
        given = {"DISCORD_ALERT_WEBHOOK_URL": "", "DISCORD_ALERT_WEBHOOK_URL_FILE": str(name)}
        done = self.post(receiver, "x", **given)
        self.report.check("the webhook may be in a file", done.returncode == 0 and len(receiver.requests) == 1, done)
        os.chmod(name, 0o644)
        self.report.fails("a file that others can read", self.post(receiver, "x", **given), 78, "chmod 600")
        os.unlink(name)
        self.report.fails("no webhook at all", self.post(receiver, "x", DISCORD_ALERT_WEBHOOK_URL=""), 78, "neither")
        self.report.fails("a webhook without TLS", self.post(
            receiver, "x", DISCORD_ALERT_WEBHOOK_URL=f"http://discord.example/{SECRET}"), 78, "https://")
        self.report.fails("no sensible time", self.post(receiver, "x", DISCORD_ALERT_SECONDS="1h"), 78, "1 to 300")
        self.report.fails("an unknown option", self.post(receiver, "--what"), 64, "--what")

    def secret(self):
        # Somebody who says nothing, so that curl is there long enough to be seen.
        receiver = stack.Receiver(None)
        with stack.Watch(SECRET) as watch:
            self.post(receiver, "x", DISCORD_ALERT_SECONDS="2")
        # The webhook stands in the environment that the script was given, which only its owner can read, and nowhere else.
        found = [line for line in watch.found if SECRET.encode() in line]
        self.report.check(f"the webhook is in no command line ({watch.saw_curl} looks at curl) and no output",
                          watch.saw_curl > 0 and not found and SECRET not in self.output, (found, watch.saw_curl))
        self.report.check("nothing is left in the folder for temporary files", not os.listdir(self.folder),
                          os.listdir(self.folder))

    def all(self):
        for part in [self.texts, self.answers, self.settings, self.secret]:
            try:
                part()
            except Exception as error:  # One part that breaks must not hide the others.
                self.report.check(f"{part.__name__} came to its end", False, repr(error))


def shellcheck():
    if not shutil.which("shellcheck"):
        print("skipped: shellcheck is not installed")
        return
    said = subprocess.run(["shellcheck", "-s", "sh", SCRIPT], capture_output=True, text=True)
    stack.Report().check("shellcheck -s sh finds nothing", (said.returncode, said.stdout) == (0, ""), said.stdout)


def try_shell(name):
    with tempfile.TemporaryDirectory(prefix="kanmon-discord-") as folder:
        Trial(name, pathlib.Path(folder)).all()


def main():
    if not shutil.which("curl"):
        print("skipped: curl is not installed")
        return
    shellcheck()
    names = [name for name in SHELLS if shutil.which(name) or print(f"skipped: there is no {name}")]
    threads = [threading.Thread(target=try_shell, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.exit(1 if stack.Report.failed else 0)


if __name__ == "__main__":
    main()
