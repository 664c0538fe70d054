#!/usr/bin/env python3
"""Each kind of secret is planted into a clone of this repository, in the tree and in the history alone, and has to be
found with file, line and commit, without being told. What is made up here is put together while it runs, so that this
page holds none.

  Tests/Release/planting.py

Needs: git, openssl. Half a minute."""

import base64
import pathlib
import secrets
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "Tests/Push"))
import stack  # noqa: E402


def key():
    made = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], check=True, capture_output=True, text=True)
    return made.stdout.splitlines()


def letters(count):
    return base64.b64encode(secrets.token_bytes(count)).decode()[:count].replace("/", "x").replace("+", "y")


# Kind, lines that hold one, and which part of them must not be seen.
def plants():
    pem, webhook, password = key(), letters(60), letters(12)
    aws, bcrypt = "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(16)), letters(53)
    token, aws_secret = letters(32), letters(40)
    return [
        ("private-key", pem, pem[1]),
        ("private-key", ["key: |"] + ["  " + line for line in pem], pem[1]),
        ("private-key", ['{"key": "' + "\\n".join(pem) + '"}'], pem[1]),
        ("bcrypt-hash", ["prom:$2y" + "$10$" + bcrypt], bcrypt),
        ("bearer-token", ["Authorization: Bear" + "er " + token], token),
        ("discord-webhook", ["https://discord" + ".com/api/webhooks/12345/" + webhook], webhook),
        ("aws-key", ["AKIA" + aws], aws),
        ("aws-secret", ["AWS_SECRET" + "_ACCESS_KEY=" + aws_secret], aws_secret),
        ("url-password", ["redis:" + f"//:{password}" + "@10.0.0.1:6379/0"], password),
        # In a line that is longer than what is looked at together.
        ("url-password", ["x" * (3 << 19) + " https:" + f"//prom:{password}" + "@gate/ " + "x" * (1 << 20)], password),
    ]


class Clone:
    """The branch that is looked at, as it is committed; on others there may be anything."""

    def __init__(self, folder):
        self.path = pathlib.Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", "--single-branch", ROOT, self.path], check=True)
        self.start = self.git("rev-parse", "HEAD").stdout.strip()
        self.git("switch", "--quiet", "--create", "trial")

    def git(self, *arguments):
        settings = ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost", "-c", "commit.gpgSign=false"]
        return subprocess.run(["git", "-C", self.path, *settings, *arguments], check=True, capture_output=True, text=True)

    def write(self, name, lines):
        path = self.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(["one", "two"] + lines) + "\n")

    def commit(self, message):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD").stdout[:12]

    def forget(self):
        self.git("reset", "--quiet", "--hard", self.start)
        self.git("clean", "--quiet", "--force", "-d")

    def search(self):
        return subprocess.run([self.path / "deploy/release/find_secrets.py"], capture_output=True, text=True, timeout=120)


def place(name, kind, lines):
    """Where it is to be found: two lines stand before, and before a key's header there may be more."""
    number = 3 + next(index for index, line in enumerate(lines) if kind != "private-key" or "BEGIN" in line)
    return f"{kind}: {name.replace('é', chr(92) + 'xe9')}:{number}"


class Trial:
    def __init__(self, clone):
        self.clone, self.report = clone, stack.Report()

    def finds(self, what, places, *hidden):
        done = self.clone.search()
        self.report.check(f"{what}: found where it is, and not told", done.returncode == 1
                          and done.stdout.splitlines() == places
                          and not any(word in done.stdout + done.stderr for word in hidden), done)

    def is_clean(self, what):
        done = self.clone.search()
        self.report.check(f"{what}: nothing is found", done.returncode == 0
                          and done.stdout.startswith("secrets: nothing in the tree and "), done)

    def tries(self, plants):
        names = {f"planted é{index:02}.txt": plant for index, plant in enumerate(plants)}
        for name, (_, lines, _) in names.items():
            self.clone.write(name, lines)
        places = [place(name, *plant[:2]) for name, plant in names.items()]
        in_tree = [f"{it} (tree)" for it in places]
        hidden = [plant[2] for plant in plants]
        self.finds("every kind in files that are not committed", in_tree, *hidden)
        commit = self.clone.commit("Add them")
        in_history = [f"{it} (commit {commit})" for it in places]
        self.finds("every kind that is committed", in_tree + in_history, *hidden)
        for name in names:
            (self.clone.path / name).unlink()
        self.clone.commit("Take them out again")
        self.finds("every kind that only the history has", in_history, *hidden)
        self.clone.forget()

    def tries_elsewhere(self, kind, lines, hidden):
        commit = self.clone.commit("Say it\n\n" + lines[0])
        self.finds(f"{kind} in a message", [f"{kind}: (message):3 (commit {commit})"], hidden)
        self.clone.forget()
        self.clone.git("switch", "--quiet", "--create", "aside")
        self.clone.write("aside.txt", lines)
        commit = self.clone.commit("Go aside")
        self.clone.git("switch", "--quiet", "-")
        self.finds(f"{kind} on another branch", [f"{kind}: aside.txt:3 (commit {commit})"], hidden)
        self.clone.git("branch", "--quiet", "-D", "aside")
        self.tries_merge(kind, lines, hidden)

    def tries_merge(self, kind, lines, hidden):
        self.clone.git("switch", "--quiet", "--create", "aside")
        self.clone.write("aside.txt", [])
        self.clone.commit("Go aside")
        self.clone.git("switch", "--quiet", "-")
        self.clone.commit("Go on")
        self.clone.git("merge", "--quiet", "--no-ff", "--no-commit", "aside")
        self.clone.write("aside.txt", lines)
        commit = self.clone.commit("Merge, and more")
        (self.clone.path / "aside.txt").unlink()
        self.clone.commit("Take it out again")
        self.finds(f"{kind} that a merge brought", [f"{kind}: aside.txt:3 (commit {commit})"], hidden)
        self.clone.forget()
        self.clone.git("branch", "--quiet", "-D", "aside")

    def allows(self, kind, lines, hidden):
        allowed = self.clone.path / "deploy/release/secrets.allow"
        self.clone.write("planted.txt", lines)
        with open(allowed, "a") as file:
            file.write(f"{kind} {hidden} a placeholder of this test\n")
        self.is_clean(f"{kind} that is allowed")
        (self.clone.path / "planted.txt").unlink()
        done = self.clone.search()
        self.report.check("an entry that allows nothing any more is told", done.returncode == 1
                          and done.stdout.startswith("secrets.allow: nothing is allowed any more by "), done)
        with open(allowed, "a") as file:
            file.write(f"{kind} {hidden}\n")
        self.report.check("an entry without a reason is refused", self.clone.search().returncode == 1)
        self.clone.forget()

    def wants_history(self):
        with tempfile.TemporaryDirectory(prefix="kanmon-secrets-") as folder:
            subprocess.run(["git", "clone", "--quiet", "--depth", "1", self.clone.path.as_uri(), folder], check=True)
            done = subprocess.run([ROOT / "deploy/release/find_secrets.py", folder], capture_output=True, text=True)
            self.report.check("a clone without its history is refused with 66", done.returncode == 66, done)
            shutil.rmtree(pathlib.Path(folder) / ".git")
            done = subprocess.run([ROOT / "deploy/release/find_secrets.py", folder], capture_output=True, text=True)
            self.report.check("so is a folder that is no clone", done.returncode == 66, done)


def main():
    stack.need("git", "openssl")
    with tempfile.TemporaryDirectory(prefix="kanmon-secrets-") as folder:
        trial = Trial(Clone(folder))
        trial.is_clean("this branch")
        all_plants = plants()
        trial.tries(all_plants)
        trial.tries_elsewhere(*all_plants[4])
        trial.allows(*all_plants[4])
        trial.clone.write("Tests/planted.txt", all_plants[3][1])
        trial.is_clean("bcrypt-hash of a test")
        trial.clone.forget()
        trial.clone.write("planted.txt", ["-----BEGIN PRIVATE" + " KEY-----", "is how a key begins"])
        trial.is_clean("a sentence about keys")
        trial.wants_history()
    sys.exit(1 if stack.Report.failed else 0)


main()
