#!/usr/bin/env python3
"""Looks for secrets in the tree and in all of the git history.

  deploy/release/find_secrets.py [REPOSITORY]

The tree is what git tracks and what it does not ignore; the history is what every commit of every branch and tag has
added, and what its message says. A finding is told with its kind, place and commit, never with the secret. What only
looks like one stands in secrets.allow beside this script. Ends with 1 when something is found, with 66 when there is
no whole history to look at. Memory does not grow with the size of files or of the history."""

import os
import pathlib
import re
import subprocess
import sys

ALLOWED = pathlib.Path(__file__).resolve().parent / "secrets.allow"
PIECE, OVERLAP = 1 << 20, 8192  # bytes of a line that are looked at together

# Each is bounded, so that no line makes it slow.
KINDS = {
    "private-key": rb"-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----",
    "bcrypt-hash": rb"\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}",
    "bearer-token": rb"(?i:\bbearer(?:_token)?)[ :=]+[\"']?(?P<secret>[A-Za-z0-9._~+/-]{16,}=*)",
    "discord-webhook": rb"discord(?:app)?\.com/api/(?:v\d+/)?webhooks/(?P<secret>\d+/[\w-]+)",
    "aws-key": rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "aws-secret": rb"(?i:aws.{0,20}secret.{0,20}?)[ :=\"']+(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
    "url-password": rb"[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@\"'<>`]{0,100}:(?P<secret>[^\s/:@\"'<>`]{1,200})@",
}
PATTERNS = {kind: re.compile(pattern) for kind, pattern in KINDS.items()}
# Any of these words is in whatever the patterns find, and looking for them is fast.
HINT = re.compile(rb"PRIVATE KEY|\$2[abxy]\$|bearer|/webhooks/|AKIA|ASIA|aws|://", re.IGNORECASE)
# A header alone is a sentence about keys; a key has a body, on that line or one of the next.
KEY_BODY = re.compile(rb"[A-Za-z0-9+/]{40}")
KEY_LINES = 5

# Tests need hashes of known passwords.
IN_TESTS = {"bcrypt-hash": re.compile(rb"^Tests/")}


class Search:
    """Takes one line after the other of one place after the other, and keeps what is found."""

    def __init__(self, allowed):
        self.allowed, self.used, self.found, self.told = allowed, set(), 0, set()
        self.key_began = None

    def begin(self):
        """Another file, or another part of one: no key goes on here."""
        self.key_began = None

    def look(self, line, path, number, where):
        if self.key_began is not None:
            self.look_for_key_body(line, path, number, where)
        if not HINT.search(line):
            return
        for kind, pattern in PATTERNS.items():
            if kind in IN_TESTS and IN_TESTS[kind].search(path):
                continue
            for match in pattern.finditer(line):
                if kind == "private-key":
                    self.key_began = number
                    self.look_for_key_body(line[match.end():], path, number, where)
                else:
                    secret = match["secret"] if "secret" in pattern.groupindex else match[0]
                    self.judge(kind, match[0], secret, path, number, where)

    def look_for_key_body(self, line, path, number, where):
        body = KEY_BODY.search(line)
        if body:
            self.judge("private-key", body[0], body[0], path, self.key_began, where)
        if body or number - self.key_began >= KEY_LINES:
            self.key_began = None

    def judge(self, kind, text, secret, path, number, where):
        for entry in self.allowed:
            if entry[0] == kind and entry[1] in text:
                self.used.add(entry)
                return
        # Every merge shows a line again; the commit that is told is the first that has it.
        if (kind, secret, path, where == "tree") in self.told:
            return
        if len(self.told) < 10_000:
            self.told.add((kind, secret, path, where == "tree"))
        self.found += 1
        print(f"{kind}: {printable(path)}:{number} ({where})", flush=True)


def printable(path):
    return path.decode("utf-8", "backslashreplace").encode("unicode_escape").decode()


def pieces(stream):
    """Lines without their end and whether each begins one; of a long line, pieces that overlap."""
    tail, begins = b"", True
    while piece := stream.readline(PIECE):
        ends = piece.endswith(b"\n")
        yield tail + piece.rstrip(b"\n"), begins
        tail, begins = (b"", True) if ends else (piece[-OVERLAP:], False)


def look_at_tree(search, root):
    listing = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for path in sorted(set(listing.split(b"\0")) - {b""}):
        full = os.path.join(os.fsencode(root), path)
        search.begin()
        if os.path.islink(full) or not os.path.isfile(full):
            continue
        number = 0
        with open(full, "rb") as file:
            for line, begins in pieces(file):
                number += begins
                search.look(line, path, number, "tree")


# A patch says of each part how many lines it has, so that no line of a file passes for a header.
PART = re.compile(rb"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


def look_at_history(search, root):
    command = ["git", "-C", root, "-c", "core.quotePath=false", "-c", "log.showRoot=true", "-c", "log.showSignature=false",
               "log", "--all", "--reverse", "--topo-order", "--patch", "--diff-merges=separate", "--unified=0", "--text",
               "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--no-notes", "--submodule=short",
               "--src-prefix=a/", "--dst-prefix=b/", "--format=%x00%H%n%B%n%x00"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as log:
        commits = read_log(search, log.stdout)
    if log.returncode:
        sys.exit("secrets: git log failed")
    return commits


def read_log(search, stream):
    """What messages say and patches add, line by line; gives the number of commits."""
    commits, commit, where, path, number = 0, b"", "", b"", 0
    in_message, is_looked_at, removed, added = False, False, 0, 0
    for line, begins in pieces(stream):
        if begins:
            is_looked_at = False
            if in_message:
                in_message = is_looked_at = line != b"\0"
                number += 1
            elif removed or added:
                removed -= line.startswith(b"-")
                if line.startswith(b"+"):
                    is_looked_at, line = True, line[1:]
                    added -= 1
                    number += 1
            elif line.startswith(b"\0"):
                # A merge comes once for each parent.
                commits += commit != line[1:]
                commit, path, number, in_message = line[1:], b"(message)", 0, True
                where = f"commit {commit[:12].decode()}"
                search.begin()
            elif part := PART.match(line):
                removed, number, added = int(part[1] or 1), int(part[2]) - 1, int(part[3] or 1)
                search.begin()
            elif line.startswith(b"+++ "):
                path = line[7:-1] if line.startswith(b'+++ "') else line[6:].rstrip(b"\t")
        if is_looked_at:
            search.look(line, path, number, where)
    return commits


def git(root, *arguments):
    return subprocess.run(["git", "-C", root, *arguments], check=True, stdout=subprocess.PIPE).stdout


def read_allowed():
    """KIND TEXT REASON, each entry with all three."""
    entries = []
    for number, line in enumerate(ALLOWED.read_bytes().splitlines(), 1):
        if not line.strip() or line.startswith(b"#"):
            continue
        fields = line.split(None, 2)
        if len(fields) < 3 or fields[0].decode() not in KINDS:
            sys.exit(f"secrets: {ALLOWED.name}, line {number}: not  KIND TEXT REASON")
        entries.append((fields[0].decode(), fields[1]))
    return entries


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else str(ALLOWED.parent.parent.parent)
    if git_says(root, "--is-inside-work-tree") != "true" or git_says(root, "--is-shallow-repository") != "false":
        print(f"secrets: {root} is no clone with its whole history", file=sys.stderr)
        sys.exit(66)
    search = Search(read_allowed())
    look_at_tree(search, root)
    commits = look_at_history(search, root)
    for kind, text in search.allowed:
        if (kind, text) not in search.used:
            print(f"secrets.allow: nothing is allowed any more by  {kind} {printable(text)}")
            search.found += 1
    if search.found:
        print(f"secrets: {search.found} findings in the tree and {commits} commits. One that was ever pushed has to be "
              "changed; one that is none goes into deploy/release/secrets.allow with its reason", file=sys.stderr)
        sys.exit(1)
    print(f"secrets: nothing in the tree and {commits} commits")


def git_says(root, question):
    done = subprocess.run(["git", "-C", root, "rev-parse", question], capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
