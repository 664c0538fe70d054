#!/usr/bin/python3
"""From cron to alert, with everything real but Discord: the line of the crontab pushes through the gate, stops,
and the alert arrives; it goes on, and the recovery arrives. A minute of the shipped rules is a second here.

    Tests/EndToEnd/cron_to_alert.py [FILE.svg]     draws the way with the times that were measured
"""

import os
import re
import subprocess
import sys
import threading
import time

import picture
from stage import ROOT, Discord, Gate, Prometheus, Pushgateway, Started, require, wait_for, wait_for_port

sys.path.append(str(ROOT / "Tests/Alerts"))
import shorten  # noqa: E402

FACTOR = 60


def main():
    require("prometheus", "prometheus-alertmanager", "prometheus-pushgateway", "curl")
    with Discord() as discord, Pushgateway() as upstream, Gate(upstream) as gate, \
            Alertmanager(discord) as alertmanager, Prometheus() as prometheus:
        configure(prometheus, gate, upstream, alertmanager)
        prometheus.run()
        cron = Cron(gate)
        times = follow(cron, prometheus, discord)
        cron.stop()
        if cron.failures:
            raise SystemExit("FAILED  a push that cron began: " + cron.failures[0])
        say(f"{cron.pushes} pushes by cron's line, none failed")
    if len(sys.argv) > 1:
        draw(times, sys.argv[1])


def follow(cron, prometheus, discord):
    """Goes the whole way once and gives the seconds that each part of it took."""
    times = {}
    began = time.monotonic()
    cron.start()
    wait_for("the pushed metric in Prometheus", lambda: prometheus.value("xserver_memory_used_bytes"), 20)
    times["seen"] = time.monotonic() - began
    say(f"{times['seen']:5.1f} s  from cron's first line until Prometheus has the metric")
    wait_for("a ratio of CPU between 0 and 1",
             lambda: prometheus.value("xserver_cpu_usage_ratio >= 0 <= 1") is not None, 20)
    # As long as it takes an alert to fire: there is none while pushes come.
    time.sleep(8)
    unexpected = {alert for alert in prometheus.alerts() if alert.startswith("XserverPush")}
    if unexpected or discord.moment_of("XserverPush"):
        raise SystemExit(f"FAILED  alerts while pushes come: {unexpected}")
    say("no alert about pushes while they come")

    cron.stop()
    stopped = time.monotonic()
    for name in ["XserverPushStale", "XserverPushMissing"]:
        wait_for(name + " fires", lambda: name in prometheus.alerts(), 60)
        times[name] = time.monotonic() - stopped
        say(f"{times[name]:5.1f} s  after the last push until {name} fires")
    moment = wait_for("the alert at Discord", lambda: discord.moment_of("XserverPushMissing", after=stopped), 60)
    times["told"] = moment - stopped
    say(f"{times['told']:5.1f} s  after the last push until the receiver has it")

    cron.start()
    returned = time.monotonic()
    wait_for("the recovery in Prometheus",
             lambda: not any(alert.startswith("XserverPush") for alert in prometheus.alerts()), 60)
    moment = wait_for("the recovery at Discord",
                      lambda: discord.moment_of("XserverPushMissing", "RESOLVED", after=returned), 60)
    times["recovered"] = moment - returned
    say(f"{times['recovered']:5.1f} s  after cron's return until the receiver has the recovery")
    return times


def configure(prometheus, gate, upstream, alertmanager):
    """The shipped configuration and rules, at the ports of the stage and the stage's pace."""
    shorten.write(FACTOR, prometheus.folder)
    file = prometheus.folder / "prometheus.yml"
    text = file.read_text()
    for port, here in [(9090, prometheus.port), (9091, upstream.port), (9093, alertmanager.port), (9444, gate.admin)]:
        if f"127.0.0.1:{port}" not in text:
            raise SystemExit(f"FAILED  deploy/prometheus/prometheus.yml has no 127.0.0.1:{port}")
        text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{here}")
    file.write_text(text)


class Alertmanager(Started):
    """Started as it is shipped, with its address of Discord in a file."""

    def __init__(self, discord):
        super().__init__()
        shorten.write(FACTOR, self.folder)
        (self.folder / "address").write_text(discord.url + "\n")
        (self.folder / "address").chmod(0o400)
        settings = {"DISCORD_ALERT_WEBHOOK_URL_FILE": self.folder / "address",
                    "ALERTMANAGER_TEMPLATE": self.folder / "alertmanager.yml",
                    "ALERTMANAGER_RENDERED": self.folder / "rendered/alertmanager.yml"}
        self.start("env", *[f"{name}={value}" for name, value in settings.items()],
                   str(ROOT / "deploy/alertmanager/start.sh"), "--cluster.listen-address=",
                   f"--web.listen-address=127.0.0.1:{self.port}", f"--storage.path={self.folder}/data")
        wait_for_port(self.port)


class Cron:
    """Runs the line of the shipped crontab once a second, where cron would once a minute."""

    def __init__(self, gate):
        line = (ROOT / "deploy/push/crontab.example").read_text().splitlines()[-1]
        schedule = re.compile(r"^(\S+\s+){5}")
        if not schedule.match(line):
            raise SystemExit("FAILED  the last line of deploy/push/crontab.example is no line of a crontab")
        self.home = gate.folder / "home"
        (self.home / "bin").mkdir(parents=True)
        (self.home / ".config").mkdir(mode=0o700)
        os.symlink(ROOT / "deploy/push/prometheus-push.sh", self.home / "bin/prometheus-push.sh")
        settings = self.home / ".config/prometheus-push.env"
        settings.write_text(
            f"PUSHGATEWAY_URL={gate.url}/metrics/job/xserver-bot\nPUSHGATEWAY_USER=prom\n"
            f"PUSHGATEWAY_PASSWORD_FILE={gate.folder}/password\nPUSHGATEWAY_CACERT={gate.folder}/tls.crt\n"
            "PUSH_SPLAY_SECONDS=0\n")
        settings.chmod(0o600)
        self.command = schedule.sub("", line)
        self.pushes, self.failures = 0, []
        self.thread, self.stopping = None, threading.Event()

    def start(self):
        self.stopping.clear()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def stop(self):
        self.stopping.set()
        self.thread.join()

    def run(self):
        while not self.stopping.is_set():
            begun = time.monotonic()
            done = subprocess.run(["/bin/sh", "-c", self.command], env={"HOME": str(self.home), "PATH": "/usr/bin:/bin"},
                                  capture_output=True, text=True)
            self.pushes += 1
            if done.returncode or done.stdout or done.stderr:
                self.failures.append(f"exit {done.returncode}: {done.stdout}{done.stderr}")
            self.stopping.wait(max(0, 1 - (time.monotonic() - begun)))


def say(text):
    print("ok  " + text, flush=True)


def draw(times, file):
    names = ["cron", "gate", "Pushgateway", "Prometheus", "Alertmanager", "Discord"]
    notes = [
        ["every minute,", "with a password"],
        ["address, login,", "rights, every line"],
        ["keeps the last", "push of a group"],
        [f"stale after {times['XserverPushStale']:.0f} min,", f"missing after {times['XserverPushMissing']:.0f} min"],
        ["one message", "for one cause"],
        [f"told after {times['told']:.0f} min,", f"recovery after {times['recovered']:.0f} min"],
    ]
    with open(file, "w") as picture_file:
        picture_file.write(picture.stations(names, notes, "The way of a push from cron to an alert"))


main()
