#!/usr/bin/python3
"""Pushes something a shared Pushgateway would choke on through a gate, and draws the terminal as SVG.

    Tests/EndToEnd/refused.py FILE.svg
"""

import subprocess
import sys

import picture
from stage import Gate, Pushgateway

PUSHES = [
    ("printf 'load 0,5\\n'", "load 0,5\n", "/metrics/job/xserver-bot"),
    ("printf 'disk_free 7\\ndisk_free 8\\n'", "disk_free 7\ndisk_free 8\n", "/metrics/job/xserver-bot"),
    ("printf 'load 0.5\\n'", "load 0.5\n", "/metrics/job/%FF"),
    ("printf 'load 0.5\\n'", "load 0.5\n", "/metrics/job/xserver-bot"),
]


def main():
    with Pushgateway() as upstream, Gate(upstream) as gate:
        lines = []
        for shown, body, path in PUSHES:
            lines.append((f"$ {shown} | push {path}", picture.INK))
            status, answer = push(gate, body, path)
            colour = picture.GREEN if status == 200 else picture.RED
            lines.append((f"{status}", colour))
            lines += [(line, colour) for line in answer.splitlines()]
            lines.append(("", picture.DIM))
    with open(sys.argv[1], "w") as file:
        file.write(picture.terminal(lines[:-1], "Pushes at the gate: three refused with their reason, one taken"))


def push(gate, body, path):
    settings = f'user = "prom:{(gate.folder / "password").read_text().strip()}"\n'
    result = subprocess.run(
        ["curl", "-q", "--silent", "--max-time", "10", "--path-as-is", "--cacert", str(gate.folder / "tls.crt"),
         "--config", "-", "--data-binary", body, "--write-out", "\n%{http_code}", gate.url + path],
        input=settings, capture_output=True, text=True, check=True)
    answer, _, status = result.stdout.rpartition("\n")
    return int(status), answer


main()
