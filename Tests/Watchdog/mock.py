#!/usr/bin/env python3
"""The watchdog's decisions, one sentence each, with the real kanmon-ops and the real curl. What stands in a place of
its own is systemctl and journalctl, which keep record, and whoever receives messages.

  Tests/Watchdog/mock.py [WORD...]        only sentences that hold one of the words

KANMON_OPS is the program, .build/debug/kanmon-ops when it is not set."""

import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import traceback

import ward
from ward import KICK_TOKEN, LINE_TOKEN, WEBHOOK_SECRET, Ward

GATE = """  gate:
    unit: kanmon.service
    repair: restart kanmon.service
"""
MAY = "may_restart: {kanmon.service: [gate]}"
SENTENCES = []


def sentence(text):
    def keep(function):
        SENTENCES.append((text, function))
        return function
    return keep


def holds(truth, what):
    if not truth:
        raise AssertionError(what)


# ---- repairs: the longest first, since they go on side by side


@sentence("restarts come at once, after 10 s and after 30 s, and the run ends then")
def _():
    with Ward(GATE, MAY, limits="{run: 56s}") as here:
        here.unit("kanmon.service", "failed")
        began = time.monotonic()
        here.run()
        took = time.monotonic() - began
        holds(here.restarts() == 3, here.calls(""))
        holds(51 < took < 70, f"{took:.0f} s")
        told = here.discord.texts()
        holds("What was done has not helped so far" in told[0] and "held back" in told[-1], told)


@sentence("what is well is not restarted, and nobody is told")
def _():
    with Ward(GATE, MAY) as here:
        here.unit("kanmon.service", "active")
        done = here.run()
        holds(done.returncode == 0, done.stderr)
        holds(here.restarts() == 0, here.calls(""))
        holds(not here.discord.received, here.discord.texts())


@sentence("what is not well is restarted, and that is told")
def _():
    with Ward(GATE, MAY) as here:
        here.unit("kanmon.service", "failed", heals=1)
        done = here.run()
        holds(done.returncode == 0, done.stderr)
        holds(here.restarts() == 1, here.calls(""))
        told = here.discord.texts()
        holds(len(told) == 1 and "gate: well again after a repair" in told[0], told)
        holds("kanmon.service is failed" in told[0] and "JST" in told[0] and "on ward" in told[0], told)


@sentence("the fourth restart within ten minutes is held back and told")
def _():
    with Ward(GATE, MAY) as here:
        here.unit("kanmon.service", "failed")
        done = here.run()
        holds(done.returncode == 1, done.stderr)
        holds(here.restarts() == 3, here.calls(""))
        holds("event=held check=gate" in here.log(), here.log())
        told = here.discord.texts()
        holds(any("held back: restart kanmon.service was done 3 times in 10m" in text for text in told), told)
        here.run()
        holds(here.restarts() == 3, "a later run restarted once more")


@sentence("the limit holds over runs, too, when each restart helps")
def _():
    with Ward(GATE, MAY) as here:
        for _ in range(4):
            here.unit("kanmon.service", "failed", heals=1)
            here.run()
        holds(here.restarts() == 3, here.calls(""))
        told = here.discord.texts()
        holds(any("held back" in text for text in told), told)


@sentence("the third failure of the model server holds restarts and tells")
def _():
    checks = """  model:
    unit: model.service
    repair: restart model.service
    hold_after: 3
"""
    with Ward(checks, "may_restart: {model.service: [model]}", limits="{pauses: [0s, 200ms, 200ms], restarts_max: 9}") as here:
        here.unit("model.service", "failed")
        here.run()
        holds(here.restarts() == 2, here.calls(""))
        holds(any("held back: 3 failures in a row" in text for text in here.discord.texts()), here.discord.texts())
        here.run()
        holds(here.restarts() == 2, "it was restarted although it is held")
        here.unit("model.service", "active")
        here.run()
        holds("model: well again" in here.discord.texts()[-1], here.discord.texts())


@sentence("a unit that several checks miss is restarted once a round")
def _():
    down = ward.free_port()
    checks = GATE + f"""  port:
    port: 127.0.0.1:{down}
    repair: restart kanmon.service
"""
    with Ward(checks, "may_restart: {kanmon.service: [gate, port]}") as here:
        here.unit("kanmon.service", "failed")
        here.run()
        holds(here.restarts() == 3, here.calls(""))


@sentence("a dead Pushgateway never restarts the gate")
def _():
    down = ward.free_port()
    checks = f"""  pushgateway:
    http: http://127.0.0.1:{down}/-/ready
    repair: restart pushgateway.service
  gate:
    unit: kanmon.service
    after: pushgateway
    repair: restart kanmon.service
"""
    with Ward(checks, "may_restart: {kanmon.service: [gate], pushgateway.service: [pushgateway]}") as here:
        here.unit("kanmon.service", "failed")
        here.run()
        holds(not here.calls("restart kanmon.service"), here.calls(""))
        holds(len(here.calls("restart pushgateway.service")) == 3, here.calls(""))
        holds(any("comes after pushgateway" in text for text in here.discord.texts()), here.discord.texts())


@sentence("the steps of a repair are taken in their order: unit, command, fallback")
def _():
    checks = """  gate:
    unit: kanmon.service
    repair: [restart kanmon.service, run {0}/first, run {0}/second a b]
"""
    with Ward(checks, MAY) as here:
        text = (here.folder / "watch.yml").read_text().replace("{0}", str(here.folder))
        here.put("watch.yml", text)
        here.put("first", f"#!/bin/sh\necho first >>{here.folder}/calls\nexit 4\n")
        here.put("second", f"#!/bin/sh\necho second $* >>{here.folder}/calls\necho active >{here.folder}/units/kanmon.service\n")
        for name in ("first", "second"):
            os.chmod(here.folder / name, 0o700)
        here.unit("kanmon.service", "failed")
        done = here.run()
        order = [call for call in here.calls("") if " restart" in call or "first" in call or "second" in call]
        holds(done.returncode == 0, done.stderr)
        holds([call.split()[-1] for call in order] == ["kanmon.service", "first", "b"], order)


@sentence("a failure that passes within a second is none")
def _():
    with Ward("", "") as here:
        answers = here.add_peer(503, 200)
        here.put("watch.yml", (here.folder / "watch.yml").read_text() + f"  health: {{http: \"{answers.url}/\"}}\n")
        done = here.run()
        holds(done.returncode == 0 and "event=failing" not in here.log(), here.log())
        holds(not here.discord.received, here.discord.texts())


@sentence("200 lines of the journal are saved after two failures in a row, once, without secrets")
def _():
    with Ward(GATE, MAY) as here:
        here.unit("kanmon.service", "failed")
        here.run()
        here.run()
        saved = list((here.folder / "state/incidents").iterdir())
        holds(len(saved) == 1, saved)
        text = saved[0].read_text()
        holds(text.count("\n") == 200 and "line 199" in text, text[-300:])
        holds("cHJvbTpz" not in text and "[redacted]" in text, text[-300:])
        holds(saved[0].stat().st_mode & 0o777 == 0o600, oct(saved[0].stat().st_mode))


@sentence("a restart that never ends is given up, and the run ends")
def _():
    with Ward(GATE, MAY, limits="{run: 3s, pauses: [0s, 1s], grace: 1s}") as here:
        here.unit("kanmon.service", "failed")
        (here.folder / "units/kanmon.service.slow").touch()
        began = time.monotonic()
        here.run()
        holds(time.monotonic() - began < 15, f"{time.monotonic() - began:.0f} s")
        holds("took too long and was killed" in here.log(), here.log())
        holds("It is not mended yet" in here.discord.texts()[0], here.discord.texts())


# ---- looking


@sentence("an answer is good by its status and its text, a command by its end and its output")
def _():
    with Ward("", "") as here:
        well = here.add_peer(405)
        rows = [
            (f'{{http: "{well.url}/", status: [200, 405]}}', True),
            (f'{{http: "{well.url}/"}}', False),
            (f'{{http: "{well.url}/", status: 405, contains: well}}', True),
            (f'{{http: "{well.url}/", status: 405, contains: ill}}', False),
            (f'{{http: "{well.url}/", status: 405, equals: well}}', True),
            (f'{{http: "{well.url}/", status: 405, method: HEAD}}', True),
            (f'{{port: "127.0.0.1:{well.port}"}}', True),
            (f'{{port: "127.0.0.1:{ward.free_port()}"}}', False),
            ("{command: [/bin/echo, a word]}", True),
            ("{command: [/bin/echo, a word], equals: a word}", True),
            ("{command: [/bin/echo, a word], equals: word}", False),
            ("{command: /bin/false}", False),
            ("{command: /no/such/program}", False),
            ("{command: [/bin/sleep, \"60\"], timeout: 500ms}", False),
            ("{command: /usr/bin/yes, timeout: 5s}", False),
        ]
        checks = "".join(f"  c{number}: {row}\n" for number, (row, _) in enumerate(rows))
        here.put("watch.yml", (here.folder / "watch.yml").read_text() + checks)
        began = time.monotonic()
        here.run()
        holds(time.monotonic() - began < 30, "it took long")
        found = set(here.state()["incidents"])
        expected = {f"c{number}" for number, (_, good) in enumerate(rows) if not good}
        holds(found == expected, f"{found ^ expected}")


@sentence("something that hangs is found in its time, with everything else looked at meanwhile")
def _():
    with Ward("", "") as here:
        peer = here.add_peer("hang")
        checks = "".join(f'  h{number}: {{http: "{peer.url}/", timeout: 2s}}\n' for number in range(10))
        here.put("watch.yml", (here.folder / "watch.yml").read_text() + checks)
        began = time.monotonic()
        here.run()
        holds(time.monotonic() - began < 30, f"{time.monotonic() - began:.0f} s")
        holds("no answer in time" in here.log(), here.log())


@sentence("a push from end to end is made last, and not while what it goes through fails")
def _():
    checks = GATE + """  push:
    push: push.env
    after: gate
    repair: restart kanmon.service
"""
    with Ward(checks, "push_script: push\nmay_restart: {kanmon.service: [gate, push]}") as here:
        here.put("push", f"#!/bin/sh\necho push $* >>{here.folder}/calls\nexit 69\n")
        os.chmod(here.folder / "push", 0o700)
        here.unit("kanmon.service", "failed")
        here.run()
        holds(not here.calls("push --env"), here.calls(""))
        here.unit("kanmon.service", "active")
        here.run()
        holds(f"push --env {here.folder}/push.env" in here.calls("push")[-1], here.calls(""))
        holds(list(here.state()["incidents"]) == ["push"], here.state())


@sentence("what is slow to look at is mended in its run all the same")
def _():
    with Ward("  slow: {command: [/bin/sleep, \"60\"], timeout: 3s, repair: restart kanmon.service}\n",
              "may_restart: {kanmon.service: slow}", limits="{run: 4s}") as here:
        began = time.monotonic()
        here.run()
        holds(here.restarts() == 1 and time.monotonic() - began < 40, here.log())


# ---- telling


@sentence("a kind of fault is told once in its cool-down, and what was kept back is counted")
def _():
    with Ward("  gate: {unit: kanmon.service}\n") as here:
        here.put("watch.yml", (here.folder / "watch.yml").read_text().replace(
            "host: ward", "host: ward\n  cool_down: 6s"))
        here.unit("kanmon.service", "failed")
        began = time.monotonic()
        while time.monotonic() - began < 8:
            here.run()
        told = here.discord.texts()
        holds(len(told) == 2, told)
        holds("more like this since" in told[1], told)
        here.unit("kanmon.service", "active")
        here.run()
        holds("well again by itself" in here.discord.texts()[-1], here.discord.texts())


@sentence("Discord and LINE get the message in their own form")
def _():
    with Ward("  gate: {unit: kanmon.service}\n", line=[200]) as here:
        here.unit("kanmon.service", "failed")
        here.run()
        path, headers, body = here.discord.received[0]
        holds(path == f"/api/webhooks/1/{WEBHOOK_SECRET}" and b'"allowed_mentions":{"parse":[]}' in body, body)
        path, headers, body = here.line.received[0]
        holds(path == "/v2/bot/message/push" and headers["Authorization"] == f"Bearer {LINE_TOKEN}", headers)
        holds(len(headers["X-Line-Retry-Key"]) == 36 and b'"to":"U1"' in body, headers)
        holds(here.line.texts() == here.discord.texts(), here.line.texts())


@sentence("no secret is in the log, the state or the output")
def _():
    with Ward("  gate: {command: [/bin/sh, -c, \"echo " + WEBHOOK_SECRET + "; exit 1\"]}\n",
              discord=[500], line=[(429, 30)]) as here:
        done = here.run()
        everything = here.written().replace((here.folder / "watch.yml").read_text(), "") + done.stderr + done.stdout
        for secret in (WEBHOOK_SECRET, LINE_TOKEN, KICK_TOKEN):
            holds(secret not in everything, secret)
        holds("[redacted]" in everything, everything)


@sentence("who asks to wait is asked again when that time is over, and not before")
def _():
    with Ward("  gate: {unit: kanmon.service}\n", discord=[(429, 15), 204]) as here:
        here.unit("kanmon.service", "failed")
        here.run()
        waited_from = time.monotonic()
        here.run()
        holds(len(here.discord.received) == 1, "it was asked before its time")
        time.sleep(max(0, 15.2 - (time.monotonic() - waited_from)))
        here.run()
        holds(len(here.discord.received) == 2, here.log())
        holds(here.discord.texts()[0] == here.discord.texts()[1], here.discord.texts())


@sentence("a receiver that fails or hangs is tried in the next run, with the same key, and delays nobody")
def _():
    with Ward("  gate: {unit: kanmon.service}\n", discord=["hang", 204], line=[500, 409]) as here:
        here.unit("kanmon.service", "failed")
        began = time.monotonic()
        here.run()
        holds(time.monotonic() - began < 25, f"{time.monotonic() - began:.0f} s")
        here.run()
        holds(len(here.discord.received) == 2 and len(here.line.received) == 2, here.log())
        keys = {headers["X-Line-Retry-Key"] for _, headers, _ in here.line.received}
        holds(len(keys) == 1, keys)
        here.run()
        holds(len(here.line.received) == 2, "409 means that LINE has it")


@sentence("a receiver that refuses messages for good is told to the other")
def _():
    with Ward("  gate: {unit: kanmon.service}\n", discord=[404], line=[200]) as here:
        here.unit("kanmon.service", "failed")
        here.run()
        here.run()
        told = here.line.texts()
        holds(len(told) == 2 and "discord: takes no message: it answered 404" in told[1], told)
        holds(len(here.discord.received) == 2, f"{len(here.discord.received)} tries")


@sentence("what is never delivered is bounded, and its loss is told")
def _():
    with Ward("  gate: {unit: kanmon.service}\n", discord=[500]) as here:
        here.put("watch.yml", (here.folder / "watch.yml").read_text().replace(
            "host: ward", "host: ward\n  cool_down: 0s"))
        here.unit("kanmon.service", "failed")
        for _ in range(22):
            here.run()
        outbox = here.state()["outboxes"]["discord"]
        holds(len(outbox["messages"]) == 20 and "messages before this one were lost" in str(outbox), str(outbox)[-500:])


@sentence("a message is cut to what Discord takes")
def _():
    with Ward("".join(f"  check-{number}: {{command: [/bin/sh, -c, \"echo {'x' * 150}; exit 1\"]}}\n"
                      for number in range(30))) as here:
        here.run()
        holds(len(here.discord.texts()[0]) == 2000 and here.discord.texts()[0].endswith("…"), "not cut")


# ---- its own life


@sentence("two runs never overlap")
def _():
    with Ward("  slow: {command: [/bin/sleep, \"2\"]}\n") as here:
        first = here.start()
        time.sleep(0.7)
        second = here.run()
        first.communicate()
        holds(second.returncode == 75 and "another run goes on" in second.stderr, second.stderr)
        holds(first.returncode == 0, first.returncode)


@sentence("a run that was killed leaves a state that the next one goes on with")
def _():
    with Ward(GATE, MAY, limits="{pauses: [0s, 20s], grace: 20s}") as here:
        here.unit("kanmon.service", "failed")
        run = here.start()
        end = time.monotonic() + 10
        while here.restarts() < 1 and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(0.3)
        run.send_signal(signal.SIGKILL)
        run.communicate()
        holds(len(here.state()["repairs"]["restart kanmon.service"]) == 1, here.state())
        done = here.run()
        holds(done.returncode == 1 and "event=run" in here.log(), done.stderr)
        holds("state_damaged" not in here.log(), here.log())


@sentence("a damaged state is survived and told, and nothing is restarted because of it")
def _():
    with Ward(GATE, MAY) as here:
        here.unit("kanmon.service", "active")
        (here.folder / "state").mkdir()
        for damage in ("", "{", "\0\0\0", '{"incidents": {"gate": {"failures": -1}}}', '{"incidents": 7}', "x" * 2000000):
            here.put("state/state.json", damage)
            done = here.run()
            holds(done.returncode == 0, f"{damage[:20]}: {done.stderr}")
            holds("event=state_damaged" in done.stderr, f"{damage[:20]}: {done.stderr}")
        holds(here.restarts() == 0, here.calls(""))
        holds("its state was damaged" in here.discord.texts()[0], here.discord.texts())


@sentence("what is looked at cannot damage the state, whatever it answers")
def _():
    with Ward("  flood: {command: [/bin/cat, flood], equals: x}\n  most: {command: [/bin/cat, most], contains: x}\n") as here:
        text = (here.folder / "watch.yml").read_text()
        here.put("watch.yml", text.replace("flood]", f"{here.folder}/flood]").replace("most]", f"{here.folder}/most]"))
        here.put("flood", "a" + "\u0301" * 20_000)
        (here.folder / "most").write_bytes(bytes(range(256)) * 200)
        here.run()
        holds((here.folder / "state/state.json").stat().st_size < 5000, "the state has all of it")
        holds("state_damaged" not in here.run().stderr, here.log())


@sentence("a clock that was set back delays no repair and no message")
def _():
    with Ward(GATE, MAY, limits="{run: 4s}") as here:
        here.unit("kanmon.service", "failed", heals=1)
        later = int(time.time() * 1000) + 7_200_000
        (here.folder / "state").mkdir()
        here.put("state/state.json", json.dumps({
            "incidents": {"gate": {"since": later, "reason": "x", "failures": 1, "repairs": 0, "repaired_at": 0,
                                   "held": False, "told": False, "journal": ""}},
            "repairs": {"restart kanmon.service": [later] * 3}, "notices": {"gate/repaired": {"told_at": later, "kept_back": 1}},
            "outboxes": {"discord": {"not_before": later, "lost": 0, "messages": {
                "0": {"at": later - 60_000, "key": "k", "text": "of before"}}}}}))
        here.run()
        holds(here.restarts() == 1, here.log())
        holds(here.discord.texts()[0] == "of before" and "well again" in here.discord.texts()[1], here.discord.texts())


@sentence("a log that cannot be written stops nothing")
def _():
    with Ward(GATE, MAY) as here:
        here.unit("kanmon.service", "failed", heals=1)
        shutil.rmtree(here.folder / "log")
        here.put("log", "no folder")
        done = here.run()
        fault = f"event=log_fault file={here.folder}/log/watch.log reason="
        holds(done.returncode == 0 and here.restarts() == 1 and fault in done.stderr, done.stderr)
        checked = here.run("check")
        holds(checked.returncode == 0 and f"{here.folder}/log" in checked.stderr, checked.stderr)


@sentence("the folder of its log is made")
def _():
    with Ward("  gate: {command: /bin/true}\n") as here:
        shutil.rmtree(here.folder / "log")
        done = here.run()
        holds("log_fault" not in done.stderr and "event=run" in here.log(), done.stderr)
        mode = (here.folder / "log").stat().st_mode & 0o777
        holds(mode == 0o700, oct(mode))


@sentence("a file of secrets that is missing is a warning with its place, and edits count all the same")
def _():
    with Ward("  gate: {command: /bin/true}\n", "snapshot: {secrets: [no-such-file]}") as here:
        checked = here.run("check")
        place = (here.folder / "watch.yml").read_text().splitlines().index("snapshot: {secrets: [no-such-file]}") + 1
        holds(checked.returncode == 0 and f"watch.yml:{place}:22: warning: {here.folder}/no-such-file does not exist"
              in checked.stderr, checked.stderr)
        run_as_unit(here)
        edit(here, "/bin/true", "/bin/false")
        done = run_as_unit(here)
        holds(done.returncode == 1 and "event=failing check=gate" in here.log(), done.stderr)
        holds(not any("configuration" in text for text in here.discord.texts()), here.discord.texts())
        (here.folder / "webhook").unlink()
        checked = here.run("check")
        holds(checked.returncode == 78 and "watch.yml:6:27: error: " in checked.stderr, checked.stderr)


@sentence("all that is wrong with the configuration is told at once, with its place")
def _():
    with Ward(GATE, MAY) as here:
        here.put("watch.yml", """state_dir: state
log_fil: x
may_restart: {kanmon.service: [gate, nobody]}
checks:
  gate: {unit: kanmon.service, port: "127.0.0.1:1"}
  health: {http: ftp://x, timeout: 5}
  other: {command: /bin/true, repair: restart kanmon.service, after: later}
  later: {}
""")
        done = here.run()
        holds(done.returncode == 78, done.returncode)
        holds("not: gate" not in done.stderr, done.stderr)
        for place in ("watch.yml:2:1: error: unknown key", "log_file is missing", "names a check that there is not",
                      "5:3: error: checks.gate needs exactly one", "has no unit", "is no URL", "may_restart does not name",
                      "is no check that stands above"):
            holds(place in done.stderr, f"{place}: {done.stderr}")


@sentence("a restart that never ends does not keep people from hearing of the rest")
def _():
    units = [f"u{number}.service" for number in range(8)]
    checks = "".join(f"  {unit[:2]}: {{unit: {unit}, repair: restart {unit}}}\n" for unit in units)
    may = "may_restart: {" + ", ".join(f"{unit}: {unit[:2]}" for unit in units) + "}"
    with Ward(checks, may, limits="{run: 3s}") as here:
        for unit in units:
            here.unit(unit, "failed")
            (here.folder / f"units/{unit}.slow").touch()
        began = time.monotonic()
        here.run()
        holds(time.monotonic() - began < 30, f"{time.monotonic() - began:.0f} s")
        for unit in units:
            holds(f"{unit[:2]}: {unit} is failed. It is not mended yet" in here.discord.texts()[0], here.discord.texts())


# ---- when it is itself what is not well


def edit(here, old, new):
    text = (here.folder / "watch.yml").read_text()
    holds(old in text, f"{old} is not in {text}")
    here.put("watch.yml", text.replace(old, new))


def run_as_unit(here):
    return here.run("watch", "--once", "--last-good", here.folder / "state/last-good.yml")


@sentence("a configuration that is no longer good is told once, and the last good one goes on until it is good again")
def _():
    with Ward(GATE, MAY) as here:
        here.unit("kanmon.service", "active")
        holds(run_as_unit(here).returncode == 0, here.log())
        holds((here.folder / "state/last-good.yml").stat().st_mode & 0o777 == 0o600, "others can read what is kept")
        good = (here.folder / "watch.yml").read_text()
        edit(here, "  gate:", "   gate\n")
        here.unit("kanmon.service", "failed", heals=1)
        done = run_as_unit(here)
        holds(done.returncode == 78 and "watch.yml:" in done.stderr, done.stderr)
        holds(here.restarts() == 1, here.calls(""))
        told = here.discord.texts()
        holds("watchdog: its configuration is not good" in told[0] and "last one that was good" in told[0], told)
        holds("gate: well again" in told[1], told)
        run_as_unit(here)
        (here.folder / "watch.yml").unlink()
        holds(run_as_unit(here).returncode == 78, "a configuration that is gone is good")
        holds(len(here.discord.texts()) == 2, here.discord.texts())
        here.put("watch.yml", good)
        holds(run_as_unit(here).returncode == 0, here.log())
        holds("its configuration is good again (2 more like this" in here.discord.texts()[-1], here.discord.texts())
        run_as_unit(here)
        holds(len(here.discord.texts()) == 3, here.discord.texts())


@sentence("a configuration whose secrets or whose state folder cannot be had is told by the last good one")
def _():
    with Ward(GATE, MAY) as here:
        here.unit("kanmon.service", "active")
        edit(here, "host: ward", "host: ward\n  cool_down: 0s")
        run_as_unit(here)
        for old, new, reason in (("webhook_file: webhook", "webhook_file: webhok", "webhok does not exist"),
                                 ("state_dir: state", "state_dir: no/such/folder", "no/such does not exist")):
            good = (here.folder / "watch.yml").read_text()
            edit(here, old, new)
            holds(here.run("check").returncode == 78, f"check finds nothing wrong with {new}")
            holds(run_as_unit(here).returncode == 78, new)
            holds(reason in here.discord.texts()[-1], here.discord.texts())
            here.put("watch.yml", good)
            run_as_unit(here)
            holds("good again" in here.discord.texts()[-1], here.discord.texts())


@sentence("without a last good one, whoever can still be told is told")
def _():
    with Ward(GATE, MAY, line=[200]) as here:
        here.unit("kanmon.service", "failed", heals=1)
        (here.folder / "webhook").unlink()
        done = run_as_unit(here)
        holds(done.returncode == 78 and here.restarts() == 1, done.stderr)
        holds("webhook does not exist" in here.line.texts()[0] and "gate: well again" in here.line.texts()[1], here.line.texts())
        holds(not (here.folder / "state/last-good.yml").exists(), "it was kept as a good one")


@sentence("without a place for its state it repairs nothing, looks, and tells")
def _():
    with Ward(GATE, MAY) as here:
        here.unit("kanmon.service", "failed")
        edit(here, "state_dir: state", "state_dir: /proc/self")
        run_as_unit(here)
        holds(here.restarts() == 0, here.calls(""))
        told = here.discord.texts()[0]
        holds("its state cannot be kept" in told and "Nothing is repaired" in told and "gate: kanmon.service is failed" in told, told)


@sentence("while the disk is full the state is in memory: repairs go on, within their limit, and cool-downs hold")
def _():
    with Ward(GATE, MAY, limits="{pauses: [0s, 200ms, 200ms], grace: 200ms, restarts_max: 3}") as here:
        here.unit("kanmon.service", "failed")
        run = f"'{ward.PROGRAM}' watch --once --config '{here.folder}/watch.yml'"
        script = f"""
            mkdir state run && mount -t tmpfs -o size=1m none state || exit 77
            : >state/lock; export RUNTIME_DIRECTORY='{here.folder}/run'
            cat /dev/zero >state/full
            {run}; {run}; test -s run/state.json || exit 5
            rm state/full; {run}; test -s state/state.json -a ! -e run/state.json || exit 6
            mount -o remount,ro state; {run}; test $? = 78 && exit 8; test -s run/state.json || exit 7
            kanmon=$('{ward.PROGRAM}' check --config '{here.folder}/watch.yml' 2>&1) && exit 9
            grep -q 'state/lock.*read-only' -i <<<"$kanmon" || exit 10
        """
        done = subprocess.run(["unshare", "--map-root-user", "--mount", "bash", "-c", script], cwd=here.folder, text=True,
                              capture_output=True, env=here.environment(), timeout=70, check=False)
        if done.returncode in (1, 77) and "mount" in done.stderr + done.stdout or "unshare" in done.stderr:
            raise ward.Skipped(done.stderr.strip())
        holds(done.returncode == 0, f"{done.returncode}: {done.stderr}")
        holds(here.restarts() == 3, here.calls(""))
        told = "\n".join(here.discord.texts())
        holds(told.count("its state cannot be kept") == 2 and told.count("its state is kept again") == 1, told)
        holds("configuration" not in told, told)
        holds("No space left" in told and "Read-only" in told and told.count("held back") == 1, told)


# ---- kicks


KICK = MAY + """
kick: {request_file: kick/request, token_file: kick-token, audit_file: log/kick.log, actions: [check, resume, "restart:kanmon.service"]}
"""


def kick(here, action, token=KICK_TOKEN, source="alice"):
    return here.run("kick", action, "--source", source, stdin=token + "\n")


def audit(here):
    return (here.folder / "log/kick.log").read_text()


@sentence("a kick with the right token is done and written down with its source")
def _():
    with Ward(GATE, KICK) as here:
        here.unit("kanmon.service", "active")
        asked = kick(here, "restart:kanmon.service")
        holds(asked.returncode == 0, asked.stderr)
        here.run()
        holds(here.restarts() == 1, here.calls(""))
        holds("kick=accepted ACTION=restart:kanmon.service SOURCE=alice" in audit(here), audit(here))
        here.run()
        holds(here.restarts() == 1, "it was done twice")
        holds(KICK_TOKEN not in here.written(), "the token is somewhere")


@sentence("a token that is none is refused at once, and one with a line's end of Windows is none the worse")
def _():
    with Ward(GATE, KICK) as here:
        here.unit("kanmon.service", "active")
        for token in ("", "short"):
            asked = kick(here, "check", token)
            holds(asked.returncode == 66 and "token" in asked.stderr, asked.stderr)
        holds(not (here.folder / "kick/request").exists(), "a request was left")
        here.put("windows-token", KICK_TOKEN + "\r\n")
        asked = here.run("kick", "check", "--source", "alice", "--token-file", here.folder / "windows-token")
        here.run()
        holds(asked.returncode == 0 and "kick=accepted" in audit(here), audit(here))


@sentence("a kick with a wrong token, or for what is not listed, is refused and written down")
def _():
    with Ward(GATE, KICK) as here:
        here.unit("kanmon.service", "active")
        for action, token, reason in (("restart:kanmon.service", "a-wrong-token-of-the-test", "wrong token"),
                                      ("restart:ssh.service", KICK_TOKEN, "not in kick.actions"),
                                      ("restart:kanmon.service", KICK_TOKEN[:-1], "wrong token"),
                                      ("snapshot", KICK_TOKEN, "not in kick.actions")):
            holds(kick(here, action, token, source="mallory").returncode == 0, action)
            here.run()
            last = audit(here).splitlines()[-1]
            holds("kick=refused" in last and f'ACTION={action} SOURCE=mallory reason="{reason}"' in last, last)
        holds(here.restarts() == 0, here.calls(""))
        holds("a-wrong-token" not in here.written(), "the wrong token is somewhere")


@sentence("a kick that is no action at all is refused before anything is written")
def _():
    with Ward(GATE, KICK) as here:
        for action in ("nonsense", "restart:", "restart:kanmon", "restart:--all.service"):
            asked = kick(here, action)
            holds(asked.returncode == 64 and "none of check, resume, snapshot, restart:UNIT" in asked.stderr, asked.stderr)
        holds(not (here.folder / "kick/request").exists(), "a request was left")


@sentence("of two kicks at once the second is told that one waits")
def _():
    with Ward(GATE, KICK) as here:
        here.unit("kanmon.service", "active")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            codes = sorted(done.returncode for done in pool.map(lambda _: kick(here, "check"), range(8)))
        holds(codes == [0] + [75] * 7, codes)
        here.run()
        holds(audit(here).count("kick=accepted") == 1, audit(here))
        holds(kick(here, "check").returncode == 0, "afterwards there is room again")


@sentence("a request that is none is taken away and refused")
def _():
    with Ward(GATE, KICK) as here:
        here.unit("kanmon.service", "active")
        for nonsense in ("", "x" * 9000, "{", "\0", '{"action": "check"}', '{"action": "check", "source": "a\\nb", "token": "x"}'):
            here.put("kick/request", nonsense)
            done = here.run()
            holds(done.returncode == 0 and not (here.folder / "kick/request").exists(), nonsense[:20])
            holds("kick=refused" in audit(here).splitlines()[-1], audit(here))
        (here.folder / "kick/request").symlink_to("/etc/hostname")
        here.run()
        holds("kick=refused" in audit(here).splitlines()[-1], audit(here))
        (here.folder / "kick/request").mkdir()
        here.run()
        here.run()
        told = here.discord.texts()
        holds(len(told) == 1 and "kick/request cannot be taken away: Is a directory" in told[0], told)
        (here.folder / "kick/request").rmdir()
        here.run()
        holds("requests can be taken again" in here.discord.texts()[-1], here.discord.texts())


@sentence("kicks cannot restart more often than the watchdog itself")
def _():
    with Ward(GATE, KICK) as here:
        here.unit("kanmon.service", "active")
        for _ in range(4):
            kick(here, "restart:kanmon.service")
            here.run()
        holds(here.restarts() == 3, here.calls(""))
        holds("held back: too many restarts" in here.log(), here.log())


@sentence("resume ends a hold")
def _():
    with Ward(GATE + "    hold_after: 2\n", KICK) as here:
        here.unit("kanmon.service", "failed")
        here.run()
        here.run()
        holds(here.restarts() == 1, here.calls(""))
        kick(here, "resume")
        here.run()
        holds(here.restarts() == 2, here.calls(""))


@sentence("a snapshot says which secrets it could not read")
def _():
    with Ward(GATE, MAY + "\nsnapshot: {secrets: no-such-file}\n") as here:
        done = here.run("snapshot", "--out", here.folder / "archive.tar.gz")
        holds(done.returncode == 0 and "no-such-file does not exist" in done.stderr, done.stderr)
        with tarfile.open(here.folder / "archive.tar.gz") as archive:
            missing = next(name for name in archive.getnames() if name.endswith("/MISSING"))
            text = archive.extractfile(missing).read().decode()
        holds("no-such-file does not exist" in text, text)


# ---- make targets


@sentence("a user installs a watchdog of his own, which begins only when it is configured")
def _():
    with Ward(GATE, MAY) as here:
        def make(target, **variables):
            return subprocess.run(
                ["make", "--no-print-directory", target, "UNITS=user"], cwd=ward.ROOT, text=True, capture_output=True,
                env=dict(here.environment(), HOME=str(here.folder), **variables), timeout=60, check=False)
        program = here.folder / ".local/bin/kanmon-ops"
        program.parent.mkdir(parents=True)
        program.symlink_to(ward.PROGRAM)
        done = make("install-watchdog")
        holds(done.returncode == 0, done.stderr)
        config = here.folder / ".config/kanmon-watch/watch.yml"
        token = config.with_name("kick-token")
        holds(f"state_dir: {here.folder}/" in config.read_text(), config.read_text())
        holds(token.stat().st_mode & 0o777 == 0o600 and len(token.read_text()) > 30, token)
        holds((here.folder / ".config/systemd/user/kanmon-watch.timer").exists(), "no timer")
        done = make("enable-watchdog")
        holds(done.returncode != 0 and "discord-webhook does not exist" in done.stderr, done.stderr)
        holds(not here.calls("enable"), here.calls(""))
        for name in ("discord-webhook", "line-token"):
            here.put(f".config/kanmon-watch/{name}", "https://discord.example/a-secret-of-the-test\n")
        done = make("enable-watchdog")
        holds(done.returncode == 0 and here.calls("--user enable --now kanmon-watch.timer"), done.stderr)
        here.put(".config/kanmon-watch/watch.yml", (here.folder / "watch.yml").read_text().replace(
            "log/watch.log", "watch.log") + "kick: {request_file: request, token_file: kick-token, audit_file: kick.log, "
            "actions: check}\n")
        here.put(".config/kanmon-watch/webhook", (here.folder / "webhook").read_text())
        here.unit("kanmon.service", "failed", heals=1)
        done = make("watchdog-kick", ACTION="check", SOURCE="alice", TOKEN_FILE=str(token))
        holds(done.returncode == 0, done.stderr)
        done = make("watchdog-run-once")
        holds(done.returncode == 0 and here.restarts() == 1, done.stderr)
        done = make("watchdog-status")
        holds("event=repaired check=gate" in done.stdout and '"incidents": {}' in done.stdout, done.stdout + done.stderr)


def main():
    if not ward.PROGRAM.exists() or not shutil.which("curl"):
        print(f"skipped: the watchdog's tests need {ward.PROGRAM} and curl")
        return 0
    wanted = [pair for pair in SENTENCES if not sys.argv[1:] or any(word in pair[0] for word in sys.argv[1:])]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        futures = [(text, pool.submit(function)) for text, function in wanted]
        for text, future in futures:
            try:
                future.result()
                print(f"ok  {text}", flush=True)
            except ward.Skipped as why:
                print(f"skipped  {text}: {why}", flush=True)
            except Exception as error:  # Each of them is a sentence that is not so.
                failed += 1
                where = traceback.extract_tb(error.__traceback__)[-1 if not isinstance(error, AssertionError) else -2]
                print(f"FAILED  {text}: line {where.lineno}: {error}", flush=True)
    print(f"watchdog: {len(wanted) - failed} of {len(wanted)} sentences hold")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
