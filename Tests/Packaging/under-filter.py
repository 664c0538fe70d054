#!/usr/bin/python3
"""Runs what the unit runs of the gate under the unit's system-call filter, as strict as can be: a call that
is not allowed ends the process with SIGSYS, where the unit itself would only refuse it. The kernel's log
then names the call (dmesg, type=1326).

    KANMON_CONFINED=.build/debug/kanmon Tests/Packaging/under-filter.py VERB [ARGUMENT...]

So the tests can take it for the program. Where .build/debug/kanmon.calls holds what systemd-analyze
syscall-filter says, nobody else is started, which matters under a tracer that injects faults. Verbs
that only a person runs, outside of the unit, are not confined. The groups that start with @ are what this machine's systemd says they are; the filter is
seccomp's own, written here, and inherited by everything the gate starts.
"""

import ctypes
import os
import pathlib
import platform
import re
import struct
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
UNIT = ROOT / "deploy/systemd/kanmon.service"

# <linux/audit.h>, and where the numbers of the calls are.
MACHINES = {
    "x86_64": (0xC000003E, ["x86_64-linux-gnu/asm/unistd_64.h", "asm/unistd_64.h"]),
    "aarch64": (0xC00000B7, ["asm-generic/unistd.h"]),
}
# <linux/seccomp.h> and <linux/filter.h>
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050001
LOAD, JUMP_IF_EQUAL, JUMP_IF_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
NUMBER, ARCHITECTURE = 0, 4
X32_BIT = 0x40000000
# What the gate tries and can do without: a new generation of the audit trail takes the group of the last
# one where it may. Allowing it would allow all that gives files away.
TRIED = ["fchown"]
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2


def main():
    program = os.environ.get("KANMON_CONFINED")
    if not program:
        sys.exit("KANMON_CONFINED has to be the path of the gate")
    unit = UNIT.read_text()
    verbs = re.findall(r"^Exec\w+=/usr/bin/kanmon (\w+)", unit, re.MULTILINE)
    if not set(verbs).isdisjoint(sys.argv[1:2]):
        confine(allowed_calls(unit, read_groups(program)))
    os.execv(program, [program] + sys.argv[1:])


def allowed_calls(unit, groups):
    """systemd.exec(5), SystemCallFilter=: a first list says what is allowed, later ones add or, with ~,
    take away."""
    allowed = set(expanded("@default", groups))
    for line in re.findall(r"^SystemCallFilter=(.*)$", unit, re.MULTILINE):
        names = {name for word in line.lstrip("~").split() for name in expanded(word, groups)}
        allowed = allowed - names if line.startswith("~") else allowed | names
    return allowed


def read_groups(program):
    kept = pathlib.Path(program + ".calls")
    text = kept.read_text() if kept.exists() else ask_systemd()
    groups, group = {}, []
    for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines():
        if line.startswith("@"):
            group = groups.setdefault(line.strip(), [])
        elif line.startswith("    ") and not line.lstrip().startswith("#"):
            group.append(line.strip())
    return groups


def ask_systemd():
    # Loaded only here: to load it takes an epoll, which a tracer may have chosen to refuse to the gate.
    import subprocess

    command = ["systemd-analyze", "--no-pager", "syscall-filter"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def expanded(word, groups):
    if not word.startswith("@"):
        return [word]
    return [name for member in groups[word] for name in expanded(member, groups)]


def confine(names):
    audit, headers = MACHINES[platform.machine()]
    numbers = read_numbers(headers)
    code = [
        (LOAD, 0, 0, ARCHITECTURE),
        (JUMP_IF_EQUAL, 1, 0, audit),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        # How a tracer that injects a fault has a call left out (ptrace(2)): none is made.
        (JUMP_IF_EQUAL, 0, 1, 0xFFFFFFFF),
        (RETURN, 0, 0, ALLOW),
        (JUMP_IF_AT_LEAST, 0, 1, X32_BIT),
        (RETURN, 0, 0, KILL),
    ]
    for number in sorted(numbers[name] for name in names if name in numbers):
        code += [(JUMP_IF_EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOW)]
    for name in TRIED:
        code += [(JUMP_IF_EQUAL, 0, 1, numbers[name]), (RETURN, 0, 0, REFUSE)]
    code.append((RETURN, 0, 0, KILL))
    install(b"".join(struct.pack("=HBBI", *instruction) for instruction in code), len(code))


def read_numbers(headers):
    for header in headers:
        path = pathlib.Path("/usr/include") / header
        if path.exists():
            found = re.findall(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)", path.read_text(), re.MULTILINE)
            return {name: int(number) for name, number in found}
    sys.exit("the numbers of the system calls are in linux-libc-dev, which is not installed")


def install(code, length):
    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]

    libc = ctypes.CDLL(None, use_errno=True)
    program = Program(length, code)
    for arguments in (
        (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0),
    ):
        if libc.prctl(*arguments) != 0:
            sys.exit("the filter cannot be installed: " + os.strerror(ctypes.get_errno()))


main()
