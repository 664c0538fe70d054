#!/usr/bin/env python3
"""Makes rules, and the configurations of Prometheus and Alertmanager, run faster by a factor, for a test that cannot
wait ten minutes for an alert. What is shipped keeps its own numbers.

  Tests/Alerts/shorten.py FACTOR FOLDER

writes FOLDER/prometheus.yml, FOLDER/rules/*.yml, FOLDER/alertmanager.yml and FOLDER/templates/. With 60 an hour becomes a minute and cron's
minute a second. Divided are

  durations      for, scrape_interval, scrape_timeout, evaluation_interval, group_wait, group_interval, repeat_interval
  ranges         [10m] becomes [10000ms]
  ages           the number that time() - ... is compared with

Not divided: how many (pushes in a window, refusals), how much (CPU, memory), and the 14 days of the certificate, which
no cron job has to do with."""

import pathlib
import re
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
DURATION = r"(\d+)(ms|[smhd])"
KEYS = "for|scrape_interval|scrape_timeout|evaluation_interval|group_wait|group_interval|repeat_interval"
# From time() to the number, over calls, labels and their braces, but not over a comparison of another kind.
AGE = re.compile(r"(time\(\) - (?:[^<>{}]|\{[^}]*\})*?[<>]=? )(\d+)")


def shorten(text, factor):
    def duration(match):
        before, count, unit, after = match.groups()
        milliseconds = round(int(count) * SECONDS[unit] * 1000 / factor)
        # Zero would be another rule; and 0s stays 0s.
        return f"{before}{max(milliseconds, 1 if int(count) else 0)}ms{after}"

    text = re.sub(rf"(\b(?:{KEYS}): ){DURATION}()\b", duration, text)
    text = re.sub(rf"(\[){DURATION}(\])", duration, text)
    return AGE.sub(lambda match: match[1] + f"{int(match[2]) / factor:g}", text)


def write(factor, folder):
    (folder / "rules").mkdir(parents=True, exist_ok=True)
    for source in [ROOT / "deploy/prometheus/prometheus.yml", ROOT / "deploy/alertmanager/alertmanager.yml"]:
        (folder / source.name).write_text(shorten(source.read_text(), factor))
    for source in (ROOT / "deploy/prometheus/rules").glob("*.yml"):
        (folder / "rules" / source.name).write_text(shorten(source.read_text(), factor))
    shutil.copytree(ROOT / "deploy/alertmanager/templates", folder / "templates", dirs_exist_ok=True)


def main():
    if len(sys.argv) != 3:
        raise SystemExit("usage: Tests/Alerts/shorten.py FACTOR FOLDER")
    write(float(sys.argv[1]), pathlib.Path(sys.argv[2]))


if __name__ == "__main__":
    main()
