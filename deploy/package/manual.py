#!/usr/bin/env python3
"""Writes a manual page from what the program itself says, so that neither can drift from the other.

kanmon --experimental-dump-help | manual.py kanmon.1            and so for kanmon-ops
manual.py kanmon.yml.5 < deploy/kanmon.sample.yml

What only a person can write stands in deploy/man/NAME.in; the line .\\" GENERATED there is replaced.
"""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PLACE = '.\\" GENERATED\n'


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in PAGES:
        sys.exit("usage: manual.py " + "|".join(PAGES))
    page = sys.argv[1]
    text = (ROOT / "deploy/man" / (page + ".in")).read_text()
    before, after = text.replace("@VERSION@", version()).split(PLACE)
    sys.stdout.write(before + PAGES[page](sys.stdin.read()) + after)


def version():
    return subprocess.check_output([ROOT / "deploy/package/version.sh"], text=True).strip()


def verbs(help_text):
    command = json.loads(help_text)["command"]
    shown = [verb for verb in command["subcommands"] if verb["commandName"] != "help"]
    return "".join(verb_section(command["commandName"], verb) for verb in shown)


def verb_section(program, verb):
    arguments = [it for it in verb["arguments"] if it["shouldDisplay"] and not is_common(it)]
    synopsis = " ".join([verb["commandName"]] + [usage(it) for it in arguments])
    lines = [".SS " + escaped(program) + " " + synopsis, escaped(verb["abstract"])]
    for paragraph in verb.get("discussion", "").split("\n\n"):
        lines += [".PP", escaped(paragraph)]
    for argument in arguments:
        lines += [".TP", ".B " + heading(argument), escaped(explanation(argument))]
    return "\n".join(lines) + "\n"


def is_common(argument):
    """Every verb has these two; the page names them once."""
    return any(name["name"] in ("help", "version") for name in argument.get("names", []))


def usage(argument):
    text = heading(argument)
    if argument["isRepeating"]:
        text += " ..."
    return "[" + text + "]" if argument["isOptional"] else text


def heading(argument):
    value = "\\fI" + escaped(argument["valueName"]).upper() + "\\fR"
    if argument["kind"] == "positional":
        return value
    name = "\\-\\-" + escaped(argument["preferredName"]["name"])
    return name if argument["kind"] == "flag" else name + " " + value


def explanation(argument):
    text = argument.get("abstract", "")
    default = argument.get("defaultValue")
    return text + " Default: " + default + "." if default else text


def sample(text):
    return ".nf\n" + "\n".join(map(escaped, text.splitlines())) + "\n.fi\n"


def escaped(text):
    """As roff takes it: no escape, no hyphen where a minus is meant, no request at a line's start."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return re.sub(r"^\.", r"\\&.", text, flags=re.MULTILINE)


PAGES = {"kanmon.1": verbs, "kanmon-ops.1": verbs, "kanmon.yml.5": sample}

main()
