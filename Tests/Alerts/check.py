#!/usr/bin/env python3
"""The way from a push to the message about it: rules, Alertmanager, dashboard and runbook as they are shipped, under the
real Prometheus, Alertmanager, Pushgateway and gate. A local receiver stands for Discord.

  KANMON=.build/release/kanmon Tests/Alerts/check.py

Needs: prometheus, prometheus-alertmanager, prometheus-pushgateway, curl. Loopback only. Ends with 1 when a statement does
not hold."""

import concurrent.futures
import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

import cases
import shorten

ROOT = cases.ROOT
DEPLOY = ROOT / "deploy"
KANMON = os.environ.get("KANMON", str(ROOT / ".build/debug/kanmon"))
TOKEN = "aSecretThatNobodySees"
DASHBOARD = json.loads((DEPLOY / "grafana/dashboards/kanmon.json").read_text())
QUERIES = [(panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
failures = []


def holds(sentence, truth, why=""):
    """One statement, and what was there instead where it does not hold."""
    print(f"{'ok' if truth else 'FAILED'}  {sentence}" + ("" if truth or not why else f"\n    {why}"), flush=True)
    if not truth:
        failures.append(sentence)


def run(*command, **environment):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60,
                          env=os.environ | {key: str(value) for key, value in environment.items()})


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(port, path, **query):
    address = f"http://127.0.0.1:{port}{path}" + ("?" + urllib.parse.urlencode(query) if query else "")
    with urllib.request.urlopen(address, timeout=10) as answer:
        return answer.read().decode()


def post(port, path, value):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", json.dumps(value).encode(),
                                     {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=10).close()


def eventually(question, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if answer := question():
                return answer
        except OSError:
            pass
        time.sleep(0.1)
    return None


class Stack:
    """A folder and what was started in it, ended by its id when the block ends."""

    def __enter__(self):
        self.folder, self.started = pathlib.Path(tempfile.mkdtemp(prefix="kanmon-alerts-")), []
        return self

    def start(self, name, *command, **environment):
        with open(self.folder / f"{name}.log", "ab") as log:
            self.started.append(subprocess.Popen([str(word) for word in command], stdout=log, stderr=log, cwd=self.folder,
                                                 env=os.environ | {k: str(v) for k, v in environment.items()}))

    def log(self, name):
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def __exit__(self, *_):
        for process in reversed(self.started):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


# --- Rules

def check_rules():
    for what, result in [("prometheus.yml", run("promtool", "check", "config", DEPLOY / "prometheus/prometheus.yml")),
                         ("the rules", run("promtool", "check", "rules", *cases.RULES))]:
        holds(f"promtool finds nothing in {what}", result.returncode == 0, result.stdout + result.stderr)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for case, said in zip(cases.CASES, pool.map(cases.check, cases.CASES)):
            expected = "; ".join(f"{minute:g} min: {', '.join(alerts) or 'none'}" for minute, alerts in case[2].items())
            holds(f"{case[0]}: {expected}", not said, said)
    every = {alert for rule in cases.RULES for alert in re.findall(r"- alert: (\w+)", rule.read_text())}
    fired = {alert for case in cases.CASES for alerts in case[2].values() for alert in alerts}
    holds(f"each of the {len(every)} alerts fires in some case and has ended in some", every == fired, every ^ fired)


def check_that_cases_notice():
    """The usual mistake has to be found by the cases, or they prove little."""
    with tempfile.TemporaryDirectory(prefix="kanmon-alerts-") as folder:
        text = (DEPLOY / "prometheus/rules/xserver.yml").read_text()
        unguarded = re.sub(r"(0\.85)\n +and on \(job, instance\)\n +time\(\) .*", r"\1", text)
        path = pathlib.Path(folder) / "xserver.yml"
        path.write_text(unguarded)
        rules = [path] + [rule for rule in cases.RULES if rule.name != "xserver.yml"]
        case = next(case for case in cases.CASES if case[0].startswith("CPU is high when"))
        holds("without its guard a CPU alert that never ends would be noticed",
              unguarded != text and "XserverHighCPU" in cases.check(case, rules))


def check_shortening():
    with tempfile.TemporaryDirectory(prefix="kanmon-alerts-") as folder:
        result = run(ROOT / "Tests/Alerts/shorten.py", "60", folder)
        folder = pathlib.Path(folder)
        rules = (folder / "rules/xserver.yml").read_text() if result.returncode == 0 else ""
        checked = run("promtool", "check", "config", folder / "prometheus.yml")
        holds("shortened by 60, missing is 10 s, stale 3 s for 2 s, and promtool finds nothing",
              "> 10 or" in " ".join(rules.split()) and "> 3 and" in " ".join(rules.split()) and "for: 2000ms" in rules
              and "> 0.85" in rules and "> 2147483648" in rules and checked.returncode == 0,
              result.stderr + checked.stdout + checked.stderr)
        left = [line for path in folder.rglob("*.yml") for line in path.read_text().splitlines()
                if re.search(r"(^|[\[ ])\d+[smhd](\]|$)", line)]
        holds("shortened by 60, no duration is left as it was", not left, left)


# --- Words

def check_words(alerts):
    for alert in alerts:
        name, words = alert["name"], alert["annotations"]
        holds(f"{name} has a severity, a summary in English and in Japanese, and an entry in both runbooks",
              alert["labels"].get("severity") in ("critical", "warning", "info")
              and words.get("summary", "").isascii() and len(words.get("summary", "")) > 20
              and re.search("[ぁ-ん]", words.get("summary_ja", ""))
              and words.get("runbook_url", "").endswith(f"RUNBOOK.md#{name.lower()}")
              and all(entry(DEPLOY / page, name) for page in ("RUNBOOK.md", "RUNBOOK.ja.md")), json.dumps(alert["annotations"]))
    names = {alert["name"] for alert in alerts}
    for page in ("RUNBOOK.md", "RUNBOOK.ja.md"):
        headings = set(re.findall(r"^### (\w+)$", (DEPLOY / page).read_text(), re.M))
        holds(f"{page} has no entry of an alert that there is not", headings <= names, headings - names)


def entry(page, name):
    """The text under a heading, long enough to say something."""
    match = re.search(rf"^### {name}\n(.*?)(?=^##|\Z)", page.read_text(), re.M | re.S)
    return match and len(match[1].strip()) > 60


# --- Prometheus

def make_gate(stack, port, admin, pushgateway):
    folder = stack.folder
    run(KANMON, "cert", "--out", folder / "tls")
    subprocess.run([KANMON, "passwd", folder / "htpasswd", "prom", "--cost", "4"], input=b"right\n", check=True,
                   capture_output=True)
    (folder / "kanmon.yml").write_text(
        f"listen: 127.0.0.1:{port}\nallow: [127.0.0.1]\ntls: {{cert_file: tls/tls.crt, key_file: tls/tls.key}}\n"
        f'auth: {{users_file: htpasswd}}\nupstream: {{url: "http://127.0.0.1:{pushgateway}"}}\n'
        f"admin: {{listen: 127.0.0.1:{admin}}}\naudit: {{file: audit.jsonl, max_bytes: 1MiB, retain: 2}}\n")
    stack.start("kanmon", KANMON, "serve", "--config", "kanmon.yml")


def push(stack, port, body, password="right", source="127.0.0.1"):
    (stack.folder / "login").write_text(f'user = "prom:{password}"\n')
    (stack.folder / "body").write_text(body)
    return run("curl", "-q", "-sS", "-K", stack.folder / "login", "--interface", source, "--max-time", "10",
               "--cacert", stack.folder / "tls/tls.crt", "--data-binary", f"@{stack.folder / 'body'}",
               f"https://localhost:{port}/metrics/job/xserver-bot", "--resolve", f"localhost:{port}:127.0.0.1").stdout


def pushed():
    return (f"xserver_cpu_usage_ratio 0.25\nxserver_memory_used_bytes 1073741824\nxserver_memory_total_bytes 4294967296\n"
            f"xserver_memory_available_bytes 3221225472\nxserver_load1 0.5\nxserver_cpus 2\nxserver_account_processes 17\n"
            f"xserver_push_script_start_timestamp_seconds {time.time():.0f}\n")


def traffic(stack, gate):
    """A little of everything that the dashboard shows."""
    answers = [push(stack, gate, pushed()) for _ in range(2)]
    push(stack, gate, pushed(), password="wrong")
    push(stack, gate, "load 0,5\n")
    push(stack, gate, pushed(), source="127.0.0.2")
    with socket.create_connection(("127.0.0.1", gate)) as plain:
        plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
        plain.recv(100)
    return answers


def check_prometheus():
    with Stack() as stack:
        gate, admin, pushgateway, prometheus = (free_port() for _ in range(4))
        stack.start("pushgateway", "prometheus-pushgateway", f"--web.listen-address=127.0.0.1:{pushgateway}",
                    "--persistence.file=", "--log.level=error")
        make_gate(stack, gate, admin, pushgateway)
        shorten.write(15, stack.folder)
        settings = stack.folder / "prometheus.yml"
        text = settings.read_text()
        for old, new in [("9090", prometheus), ("9091", pushgateway), ("9444", admin), ("9093", free_port())]:
            text = text.replace(f"127.0.0.1:{old}", f"127.0.0.1:{new}")
        settings.write_text(text)
        for rule in cases.RULES:  # The shipped ones: only the scraping is faster.
            shutil.copy(rule, stack.folder / "rules" / rule.name)
        ready = eventually(lambda: "OK" in fetch(admin, "/-/ready"))
        if not ready:
            holds("a gate starts in front of a Pushgateway", False, stack.log("kanmon"))
            return
        stack.start("prometheus", "prometheus", f"--config.file={settings}", f"--web.listen-address=127.0.0.1:{prometheus}",
                    f"--storage.tsdb.path={stack.folder}/data", "--log.level=warn")
        eventually(lambda: fetch(prometheus, "/-/ready"))
        answers = traffic(stack, gate)
        holds("pushes arrive through the gate", all("accepted 8 samples" in answer for answer in answers), answers)
        # A rate needs a scrape before and one after; the first one comes seconds after Prometheus is ready.
        eventually(lambda: '"2"' in fetch(prometheus, "/api/v1/query", query='count_over_time(up{job="kanmon"}[1m])'))
        traffic(stack, gate)
        check_names(fetch(admin, "/metrics"), fetch(pushgateway, "/metrics"))
        check_queries(prometheus)
        rules = json.loads(fetch(prometheus, "/api/v1/rules"))["data"]["groups"]
        healths = {rule["name"]: rule["health"] for group in rules for rule in group["rules"]}
        holds("Prometheus evaluates all rules without an error", set(healths.values()) == {"ok"}, healths)
        check_words([{"name": rule["name"], "labels": rule["labels"], "annotations": rule["annotations"]}
                     for group in rules for rule in group["rules"]])
        check_alert_of_refusal(prometheus)
        check_shipper((stack.folder / "audit.jsonl").read_text(), stack.log("kanmon"))


def names_in(text):
    return set(re.findall(r"\b((?:kanmon|process)_[a-z_0-9]+)", text))


def check_names(gate, pushgateway):
    exported = set(re.findall(r"^([a-z_0-9]+)[{ ]", gate, re.M))
    rules = "\n".join(re.sub("#.*", "", rule.read_text().replace("share/doc/kanmon", "")) for rule in cases.RULES)
    used = names_in(rules) | {name for _, query in QUERIES for name in names_in(query)}
    holds(f"each of the {len(used)} metrics of the gate in rules and dashboard is one the gate has",
          len(used) > 15 and used <= exported, used - exported)
    reasons = set(re.findall(r'kanmon_refusals_total\{reason="(\w+)"\}', gate))
    named = {reason for group in re.findall(r'reason!?=~?"([\w|]+)"', rules) for reason in group.split("|")}
    holds(f"each of the {len(named)} reasons in the rules is one the gate has", named and named <= reasons, named - reasons)
    xserver = set(re.findall(r"xserver_[a-z_0-9]+", rules + json.dumps(DASHBOARD)))
    holds("each metric of Xserver in rules and dashboard is one that is pushed",
          xserver and all(re.search(rf"^{name}[{{ ]", pushgateway, re.M) for name in xserver), xserver)


def check_queries(prometheus):
    def ask(query):
        answer = json.loads(fetch(prometheus, "/api/v1/query", query=query.replace("$__rate_interval", "30s")))
        return answer["status"] == "success" and answer["data"]["result"]

    # Rates need two scrapes, instant values one.
    unanswered = {title: query for title, query in QUERIES if not eventually(lambda q=query: ask(q), 10)}
    holds(f"each of the {len(QUERIES)} queries of the dashboard has an answer", not unanswered, unanswered)


def check_alert_of_refusal(prometheus):
    def firing():
        alerts = json.loads(fetch(prometheus, "/api/v1/alerts"))["data"]["alerts"]
        return [alert for alert in alerts if alert["state"] == "firing" and alert["labels"].get("reason") == "body_invalid"]

    alerts = eventually(firing)
    holds("one refused push makes KanmonRefusals fire, and its summary names the reason",
          alerts and "refuses requests: body_invalid" in alerts[0]["annotations"]["summary"], alerts)


# --- Loki, Grafana, tunnel: what can be seen without them

def check_shipper(audit, log):
    records = [json.loads(line) for line in audit.splitlines()]
    text = (DEPLOY / "loki/alloy/audit.alloy").read_text() + (DEPLOY / "loki/examples/journal.alloy").read_text()
    code = re.sub(r"^\s*//.*", "", text, flags=re.M)
    fields = re.findall(r'= "(\w+)"', re.search(r"expressions = \{(.*?)\}", code)[1])
    holds(f"the shipper's fields ({', '.join(fields)}) are in every record of a real audit log",
          records and all(field in record for record in records for field in fields), audit)
    parts = set(re.findall(r'^(loki\.\w+|loki\.source\.\w+|local\.file_match) "(\w+)"', code, re.M))
    parts = {f"{kind}.{name}" for kind, name in parts}
    named = {word.rsplit(".", 1)[0] for word in re.findall(r"((?:loki|local)\.[\w.]+\.(?:receiver|targets))", code)}
    holds("the shipper's parts refer to parts that there are", named and named <= parts and
          all(code.count(a) == code.count(b) for a, b in ("{}", "[]", "()")), named - parts)
    searched = re.search(r'log="journal"\} \\\|= "([^"]+)"', (DEPLOY / "loki/README.md").read_text())
    holds("what README searches in the log for a refused address is what the gate writes",
          searched and searched[1] in log, log[-2000:])


def check_dashboard():
    panels = DASHBOARD["panels"]
    rows = [panel["title"] for panel in panels if panel["type"] == "row"]
    holds("the dashboard has its uid, a row for the gate and one for Xserver",
          DASHBOARD["uid"] == "kanmon" and rows == ["Gate 関門", "Xserver"], rows)
    provisioned = set(re.findall(r"^ +uid: (\w+)", (DEPLOY / "grafana/provisioning/datasources/kanmon.yml").read_text(), re.M))
    used = set(re.findall(r'"uid": "(\w+)"', json.dumps([panel.get("targets") for panel in panels])))
    holds("every data source of the dashboard is provisioned", used and used <= provisioned, used - provisioned)
    cells = [(x, y) for panel in panels for place in [panel["gridPos"]]
             for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])]
    holds("no two panels lie on each other, and none beyond the edge",
          len(cells) == len(set(cells)) and max(x for x, _ in cells) < 24 and
          len({panel["id"] for panel in panels}) == len(panels))


def check_tunnel():
    text = re.sub("#.*", "", (DEPLOY / "cloudflared/config.yml").read_text())
    rules = re.findall(r"^  - (.*(?:\n    .*)*)", text, re.M)
    services = [re.search(r"service: (\S+)", rule)[1] for rule in rules]
    holds("the tunnel publishes Grafana by one name, and everything else is 404",
          services == ["http://127.0.0.1:3000", "http_status:404"] and rules[0].startswith("hostname: ")
          and "hostname" not in rules[1] and "path" not in text, rules)
    if not shutil.which("cloudflared"):
        print("--  skipped: cloudflared is not here to validate the tunnel's configuration")
        return
    result = run("cloudflared", "tunnel", "--config", DEPLOY / "cloudflared/config.yml", "ingress", "validate")
    holds("cloudflared finds nothing in the tunnel's configuration", result.returncode == 0, result.stderr)


# --- Alertmanager

class Discord:
    """A receiver in Discord's place: keeps what it is sent and answers 204, as Discord does."""

    def __init__(self, port=0):
        self.messages = []
        messages = self.messages

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                messages.append((self.path, json.loads(body)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def embeds(self):
        return [(path, message["embeds"][0]) for path, message in self.messages]

    def end(self):
        self.server.shutdown()
        self.server.server_close()


def watch_arguments(stop, found):
    """Whether the address is an argument of any process, as ps would show it to everybody."""
    while not stop.is_set():
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if TOKEN.encode() in path.read_bytes():
                    found.append(path.read_bytes())
            except OSError:
                pass


def secret(folder, text, mode=0o600):
    path = folder / "webhook"
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def check_rendering():
    script = DEPLOY / "alertmanager/start.sh"
    address = f"https://discord.com/api/webhooks/123/{TOKEN}"
    with tempfile.TemporaryDirectory(prefix="kanmon-alerts-") as folder:
        folder = pathlib.Path(folder)
        rendered = folder / "run/alertmanager.yml"
        for shell in [["dash"], ["bash", "--posix"], ["busybox", "sh"]]:
            if not shutil.which(shell[0]):
                print(f"--  skipped: {shell[0]} is not here")
                continue
            rendered.unlink(missing_ok=True)
            said = run(*shell, script, "--render", ALERTMANAGER_RENDERED=rendered,
                       DISCORD_ALERT_WEBHOOK_URL_FILE=secret(folder, address + "\r\n"))
            holds(f"{shell[0]} renders the configuration: mode 0600, with the address once, without a word",
                  said.returncode == 0 and rendered.stat().st_mode & 0o777 == 0o600
                  and rendered.read_text().count(f"webhook_url: '{address}'\n") == 1
                  and not said.stdout + said.stderr, said.stderr)
        checked = run("amtool", "check-config", rendered)
        holds("amtool finds nothing in it, and finds its templates",
              checked.returncode == 0 and "1 templates" in checked.stdout, checked.stdout + checked.stderr)
        for what, text, mode, word in [("is open to everybody", address, 0o644, "chmod 0400"),
                                       ("is not one of a webhook", f"discord/{TOKEN}", 0o600, "not one of a webhook"),
                                       ("has a quote in it", f"{address}'", 0o600, "character"),
                                       ("is empty", "", 0o600, "not one of a webhook")]:
            said = run("sh", script, "--render", ALERTMANAGER_RENDERED=rendered,
                       DISCORD_ALERT_WEBHOOK_URL_FILE=secret(folder, text, mode))
            holds(f"an address that {what} is refused with 78 and one line, which does not tell it",
                  said.returncode == 78 and word in said.stderr and said.stderr.count("\n") == 1
                  and TOKEN not in said.stdout + said.stderr, f"{said.returncode} {said.stderr}")
        said = run("sh", script, "--render", ALERTMANAGER_RENDERED=rendered, DISCORD_ALERT_WEBHOOK_URL_FILE=folder / "none")
        holds("without the file it ends with 78 and says where to write the address",
              said.returncode == 78 and f"there is no {folder}/none" in said.stderr, said.stderr)
        (folder / "template.yml").write_text("receivers: [{name: '@DISCORD_ALERT_WEBHOOK_URL@', nonsense: 1}]\n")
        said = run("sh", script, "--render", ALERTMANAGER_RENDERED=rendered, ALERTMANAGER_TEMPLATE=folder / "template.yml",
                   DISCORD_ALERT_WEBHOOK_URL_FILE=secret(folder, address))
        holds("a template with a mistake is refused with 78, by amtool's words, without the address",
              said.returncode == 78 and "nonsense" in said.stderr and TOKEN not in said.stderr, said.stderr)
        slack = folder / "slack.yml"
        templates = DEPLOY / "alertmanager/templates"
        slack.write_text(f"templates: ['{templates}/*.tmpl']\nroute: {{receiver: slack}}\n"
                         + (DEPLOY / "alertmanager/examples/slack.yml").read_text())
        said = run("amtool", "check-config", slack)
        holds("amtool finds nothing in the example for Slack", said.returncode == 0, said.stdout + said.stderr)


def check_alertmanager():
    discord = Discord()
    found, stop = [], threading.Event()
    watcher = threading.Thread(target=watch_arguments, args=(stop, found))
    watcher.start()
    with Stack() as stack:
        port = free_port()
        path = secret(stack.folder, f"http://127.0.0.1:{discord.port}/api/webhooks/123/{TOKEN}\n")
        stack.start("alertmanager", DEPLOY / "alertmanager/start.sh", f"--web.listen-address=127.0.0.1:{port}",
                    "--cluster.listen-address=", f"--storage.path={stack.folder}/data", "--log.level=debug",
                    DISCORD_ALERT_WEBHOOK_URL_FILE=path, ALERTMANAGER_RENDERED=stack.folder / "run/alertmanager.yml")
        eventually(lambda: fetch(port, "/-/ready"))
        check_alert_test(port, discord)
        check_inhibition(port)
        shown = fetch(port, "/api/v2/status")
        discord.end()
        said = alert_test(port, 12)
        holds("make alert-test ends with 1 and says so when Discord cannot be reached",
              said.returncode == 1 and "deliver" in said.stderr and TOKEN not in said.stderr, said.stdout + said.stderr)
        stop.set()
        watcher.join()
        holds("the address is no argument of any process meanwhile", not found, found)
        holds("the address is neither in Alertmanager's log, failures included, nor on its status page",
              "connection refused" in stack.log("alertmanager") and TOKEN not in stack.log("alertmanager")
              and "discord" in shown and TOKEN not in shown, stack.log("alertmanager")[-2000:])
        environment = pathlib.Path(f"/proc/{stack.started[0].pid}/environ").read_bytes()
        holds("nor in its environment", b"ALERTMANAGER_RENDERED" in environment and TOKEN.encode() not in environment)
    said = alert_test(port, 3)
    holds("make alert-test ends with 69 when no Alertmanager answers", said.returncode == 69, said.stderr)


def alert_test(port, seconds):
    return run(DEPLOY / "alertmanager/alert-test.sh", ALERTMANAGER_URL=f"http://127.0.0.1:{port}",
               ALERT_TEST_WAIT_SECONDS=seconds)


def check_alert_test(port, discord):
    said = alert_test(port, 20)
    holds("make alert-test ends with 0 once both messages were taken", said.returncode == 0, said.stdout + said.stderr)
    embeds = discord.embeds()
    titles = [embed["title"] for _, embed in embeds]
    holds("the receiver got KanmonAlertTest as firing, then as resolved, at the webhook's address",
          len(titles) == 2 and "FIRING 発生: KanmonAlertTest" in titles[0] and "RESOLVED 復旧: KanmonAlertTest" in titles[1]
          and all(path == f"/api/webhooks/123/{TOKEN}" for path, _ in embeds), embeds)
    holds("the messages have English and Japanese, and no template that failed",
          embeds and all("Nothing is wrong." in embed["description"] and "異常はありません" in embed["description"]
                         and "<no value>" not in json.dumps(embed) for _, embed in embeds), embeds)


def check_inhibition(port):
    def alert(name, severity, job="xserver-bot"):
        return {"labels": {"alertname": name, "severity": severity, "job": job}, "annotations": {"summary": name}}

    def inhibited():
        return {alert["labels"]["alertname"] for alert in json.loads(fetch(port, "/api/v2/alerts"))
                if alert["status"]["inhibitedBy"]}

    post(port, "/api/v2/alerts", [alert("XserverPushStale", "warning"), alert("XserverHighCPU", "warning"),
                                  alert("XserverPushMissing", "critical"), alert("KanmonDown", "critical", "kanmon")])
    now = eventually(inhibited)
    holds("XserverPushMissing silences XserverPushStale and nothing else; KanmonDown does not silence it",
          now == {"XserverPushStale"}, now)
    post(port, "/api/v2/alerts", [alert("PushgatewayDown", "critical", "pushgateway"),
                                  alert("KanmonUpstreamFailing", "critical", "kanmon"),
                                  alert("HaluRelayHeartbeatMissing", "critical", "")])
    expected = {"XserverPushStale", "XserverPushMissing", "XserverHighCPU", "KanmonUpstreamFailing",
                "HaluRelayHeartbeatMissing"}
    now = eventually(lambda: inhibited() if inhibited() == expected else None, 5)
    holds("PushgatewayDown silences what follows from it", now == expected, inhibited())


def main():
    needed = ["promtool", "prometheus", "prometheus-pushgateway", "prometheus-alertmanager", "amtool", "curl", KANMON]
    missing = [program for program in needed if not shutil.which(program)]
    if missing:
        raise SystemExit(f"missing: {', '.join(missing)}")
    check_rendering()
    check_alertmanager()
    check_prometheus()
    check_dashboard()
    check_tunnel()
    check_shortening()
    check_rules()
    check_that_cases_notice()
    print(f"{len(failures)} statements do not hold" if failures else "alerts: all statements hold")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
