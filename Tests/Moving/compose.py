#!/usr/bin/env python3
"""The compose stack without Docker: that every path, port, secret, network and service it names exists and fits
the others, that the gate takes its configuration, Prometheus its own, and that a real Redis asks for the password.

Needs python3-yaml. KANMON is the gate's program, .build/debug/kanmon when it is not set.
"""

import configparser
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

try:
    import yaml
except ImportError:
    print("skipped: the compose file needs python3-yaml")
    sys.exit(0)

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/compose"
PROGRAM = pathlib.Path(os.environ.get("KANMON", ".build/debug/kanmon")).resolve()
failed = []


def main():
    stack = Stack(yaml.safe_load((FOLDER / "docker-compose.monitoring.yml").read_text()))
    services(stack)
    mounts(stack)
    ports(stack)
    secrets(stack)
    names(stack)
    gate(stack)
    prometheus(stack)
    redis(stack)
    formats()
    print(f"compose: {len(failed)} not so")
    return 1 if failed else 0


def holds(statement, truth, details=""):
    print(("ok  " if truth else "FAILED  ") + statement + ("" if truth or not details else f": {details}"), flush=True)
    if not truth:
        failed.append(statement)


def without(bad):
    """What `holds` takes when nothing may be in a list."""
    return not bad, "; ".join(map(str, bad))


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Stack:
    def __init__(self, document):
        self.document, self.services = document, document["services"]

    def volumes(self):
        """Service, source, path inside."""
        for name, service in self.services.items():
            for volume in service.get("volumes", []):
                source, inside, *_ = volume.split(":")
                yield name, source, inside

    def mounts(self):
        for name, source, inside in self.volumes():
            if source.startswith((".", "/")):
                yield name, (FOLDER / source).resolve(), inside

    def host_path(self, service, path):
        """The file here that a path in a container is, or None for one of its image, a volume or a secret."""
        for name, source, inside in self.mounts():
            if name == service and (path == inside or path.startswith(inside + "/")):
                return source / path[len(inside):].lstrip("/")
        return None

    def words(self, service):
        found = [*self.services[service].get("entrypoint", []), *self.services[service].get("command", []),
                 *self.services[service].get("healthcheck", {}).get("test", [])]
        return found + list(self.services[service].get("environment", {}).values())


def services(stack):
    wanted = {"gate", "pushgateway", "prometheus", "alertmanager", "loki", "shipper", "grafana", "redis", "bot-oci", "metabase"}
    holds("all services are there", *without(wanted - set(stack.services)))
    holds("Metabase and the bot start only when asked for",
          {name for name, service in stack.services.items() if service.get("profiles")} == {"metabase", "bot-oci"})
    images = {name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", service["image"])
              for name, service in stack.services.items() if "image" in service}
    holds("every image has a version of three numbers",
          *without([image for image in images.values() if not re.search(r":v?\d+\.\d+\.\d+[\w.-]*$", image)]))
    holds("only the gate is built here, from a Dockerfile that is there",
          set(stack.services) - set(images) == {"gate"} and dockerfile(stack).is_file(), dockerfile(stack))
    holds("no service keeps a capability it does not name, or may get new ones",
          *without([name for name, service in stack.services.items() if service.get("cap_drop") != ["ALL"]
                    or "no-new-privileges:true" not in service.get("security_opt", [])]))
    needed = {name: list(service.get("depends_on", [])) for name, service in stack.services.items()}
    holds("a service waits only for services that are there",
          *without([other for others in needed.values() for other in others if other not in stack.services]))


def dockerfile(stack):
    build = stack.services["gate"]["build"]
    return (FOLDER / build["context"] / build["dockerfile"]).resolve()


def mounts(stack):
    missing = sorted({str(source.relative_to(ROOT)) for _, source, _ in stack.mounts() if not source.exists()})
    holds("every folder that is mounted is there", *without(missing))
    holds("folders are mounted, never single files",
          *without([source for _, source, inside in stack.mounts() if source.is_file() or "." in inside.rsplit("/", 1)[-1]]))
    holds("what is mounted from here is read-only inside",
          *without([volume for service in stack.services.values() for volume in service.get("volumes", [])
                    if volume.startswith(".") and not volume.endswith(":ro")]))
    missing = []
    for service in stack.services:
        for word in map(str, stack.words(service)):
            for path in re.findall(r"(?:^|=)(/[\w./-]+)$", word):
                here = stack.host_path(service, path)
                if here and not here.exists():
                    missing.append(f"{service}: {here.relative_to(ROOT)}")
    holds("every file that a command, a health check or a variable names is there", *without(missing))
    named = {source for _, source, _ in stack.volumes() if not source.startswith((".", "/"))}
    holds("every volume is declared, and used", named == set(stack.document["volumes"]),
          named ^ set(stack.document["volumes"]))


def ports(stack):
    published = {(name, port) for name, service in stack.services.items() for port in service.get("ports", [])}
    wanted = {("gate", "0.0.0.0:9443:9443"), ("pushgateway", "127.0.0.1:9091:9091"),
              ("prometheus", "127.0.0.1:9090:9090"), ("grafana", "127.0.0.1:3000:3000"), ("loki", "127.0.0.1:3100:3100"),
              ("metabase", "127.0.0.1:3001:3000")}
    holds("ports are published as the README says: all but the gate's on 127.0.0.1", published == wanted, published ^ wanted)
    page = (FOLDER / "README.md").read_text()
    holds("the README says how to have port 443, and why not 172.16.0.0/12",
          "0.0.0.0:443:9443" in page and "172.16.0.0/12" in page)
    holds("Redis is published nowhere, and in an internal network with the bot alone",
          not stack.services["redis"].get("ports") and stack.document["networks"]["leader"] == {"internal": True}
          and [name for name, service in stack.services.items() if "leader" in service["networks"]] == ["redis", "bot-oci"])
    used = {network for service in stack.services.values() for network in service["networks"]}
    holds("every network is declared, and used", used == set(stack.document["networks"]))


def secrets(stack):
    declared = stack.document["secrets"]
    used = {secret for service in stack.services.values() for secret in service.get("secrets", [])}
    holds("every secret is declared, and used", used == set(declared), used ^ set(declared))
    page = (FOLDER / "README.md").read_text()
    holds("the README says how each secret is made", *without([name for name in declared if f"secrets/{name}" not in page]))
    places = [(FOLDER / secret["file"]).resolve() for secret in declared.values()]
    places += [FOLDER / "kanmon" / path for path in ("tls/tls.key", "auth/htpasswd")]
    done = subprocess.run(["git", "check-ignore", *map(str, places)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    holds("no secret can be committed by accident", len(done.stdout.split()) == len(places), done.stdout)
    tracked = subprocess.run(["git", "ls-files", "deploy/compose/secrets"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    holds("no secret is committed", tracked.stdout.split() in ([], ["deploy/compose/secrets/.gitignore"]), tracked.stdout)
    in_environment = [f"{name}: {key}" for name, service in stack.services.items()
                      for key in service.get("environment", {})
                      if re.search("PASSWORD|TOKEN|SECRET|WEBHOOK", key) and not key.endswith("_FILE")]
    holds("no secret is in an environment", *without(in_environment))
    misread = [f"{name}: {word}" for name in stack.services for word in map(str, stack.words(name))
               for path in re.findall(r"/run/secrets/(\w+)", word) if path not in stack.services[name].get("secrets", [])]
    holds("a service reads only secrets it is given", *without(misread))
    wanted = {"grafana": (ROOT / "deploy/grafana/grafana.ini", "grafana_admin_password"),
              "redis": (FOLDER / "redis/start.sh", "redis_password")}
    holds("the configurations read the secrets that are given", *without(
        [f"{file.relative_to(ROOT)} does not name {secret}" for name, (file, secret) in wanted.items()
         if secret not in stack.services[name]["secrets"] or not file.exists()
         or f"/run/secrets/{secret}" not in file.read_text()]))
    bot = stack.services["bot-oci"]["environment"]
    holds("the bot has SITE_ID, FAILOVER_ENABLED and Redis",
          bot["SITE_ID"] == "oci" and bot["FAILOVER_ENABLED"] == "true" and bot["REDIS_HOST"] == "redis"
          and bot["REDIS_PORT"] == "6379" and "redis_password" in stack.services["bot-oci"]["secrets"])


LISTENS = {"gate": {9443, 9444}, "pushgateway": {9091}, "prometheus": {9090}, "alertmanager": {9093}, "loki": {3100},
           "grafana": {3000}, "redis": {6379}, "metabase": {3000}}


def names(stack):
    """Whoever calls a service by name is in a network with it, and calls the port it listens on."""
    calls = [("gate", target) for target in re.findall(r"http://([\w-]+:\d+)", (FOLDER / "kanmon/kanmon.yml").read_text())]
    calls += [("prometheus", target) for target in re.findall(
        r"targets: \[([\w-]+:\d+)\]", (FOLDER / "prometheus/prometheus.yml").read_text()) if "localhost" not in target]
    for name, service in stack.services.items():
        environment = service.get("environment", {})
        calls += [(name, target) for value in environment.values() for target in re.findall(r"http://([\w-]+:\d+)", str(value))]
        if "REDIS_HOST" in environment:
            calls.append((name, f"{environment['REDIS_HOST']}:{environment['REDIS_PORT']}"))
    bad = []
    for caller, target in calls:
        host, port = target.split(":")
        if int(port) not in LISTENS.get(host, ()):
            bad.append(f"{caller} calls {target}, where nobody listens")
        elif not set(stack.services[caller]["networks"]) & set(stack.services[host]["networks"]):
            bad.append(f"{caller} cannot reach {host}")
    holds(f"each of {len(calls)} calls by name finds its service in a network of its own, on its port",
          len(calls) >= 8 and not bad, "; ".join(bad) or calls)
    sources = ROOT / "deploy/grafana/provisioning/datasources"
    variables = set(re.findall(r"\$\{?([A-Z_]+_URL)", "".join(path.read_text() for path in sources.glob("*.y*ml"))))
    given = set(stack.services["grafana"]["environment"])
    holds("Grafana is given the addresses its data sources ask for", variables and variables <= given, variables - given or sources)


def gate(stack):
    check = stack.services["gate"]["healthcheck"]["test"]
    holds("the health check is kanmon health, with the file that serve reads",
          check == ["CMD", "/usr/bin/kanmon", "health", "--config", "/etc/kanmon/kanmon.yml"]
          and '"/etc/kanmon/kanmon.yml"' in dockerfile(stack).read_text(), check)
    text = (FOLDER / "kanmon/kanmon.yml").read_text()
    allow = yaml.safe_load(text)["allow"]
    holds("allow names exact addresses, no network", *without([entry for entry in allow if "/" in str(entry)]))
    if not PROGRAM.exists():
        print(f"skipped: what the gate says of its configuration, without {PROGRAM}")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        listen, admin = free_port(), free_port()
        for old, new in (("0.0.0.0:9443", f"0.0.0.0:{listen}"), ("0.0.0.0:9444", f"0.0.0.0:{admin}"),
                         ("http://pushgateway:9091", f"http://127.0.0.1:{free_port()}"),
                         ("/var/log/kanmon/audit.jsonl", f"{folder}/audit.jsonl")):
            assert old in text, old
            text = text.replace(old, new)
        (folder / "kanmon.yml").write_text(text.replace("0.0.0.0", "127.0.0.1"))
        (folder / "auth").mkdir()
        subprocess.run([PROGRAM, "cert", "--out", folder / "tls", "--host", "push.example"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([PROGRAM, "passwd", folder / "auth/htpasswd", "prom"], input="compose-password", text=True, check=True,
                       stdout=subprocess.DEVNULL)
        done = subprocess.run([PROGRAM, "check", "--strict", "--config", folder / "kanmon.yml"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        holds("kanmon check --strict finds nothing in the gate's configuration", done.returncode == 0, done.stdout)
        health = [PROGRAM, "health", "--config", folder / "kanmon.yml"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        holds("kanmon health fails while no gate runs", subprocess.run(health, **quiet).returncode == 1)
        # In the container it is every address; the health check asks the same way.
        serve = subprocess.Popen([PROGRAM, "serve", "--config", folder / "kanmon.yml"], **quiet)
        try:
            holds("kanmon health succeeds when it does", eventually(lambda: subprocess.run(health, **quiet).returncode == 0))
            (folder / "kanmon.yml").write_text(
                (folder / "kanmon.yml").read_text().replace(f"127.0.0.1:{admin}", f"0.0.0.0:{admin}"))
            holds("and when admin.listen is every address, as in the container", subprocess.run(health, **quiet).returncode == 0)
        finally:
            serve.kill()
            serve.wait()


def eventually(question, seconds=10):
    end = time.monotonic() + seconds
    while not question():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def prometheus(stack):
    def jobs(path):
        return {job["job_name"]: job.get("honor_labels", False)
                for job in yaml.safe_load(path.read_text())["scrape_configs"]}
    mine, other = FOLDER / "prometheus/prometheus.yml", ROOT / "deploy/prometheus/prometheus.yml"
    holds("Prometheus scrapes the same jobs in the same way as on one machine",
          other.exists() and jobs(mine) == jobs(other), other if not other.exists() else f"{jobs(mine)} {jobs(other)}")
    rules = list((ROOT / "deploy/prometheus/rules").glob("*.yml"))
    holds("there are rules to mount", bool(rules), "deploy/prometheus/rules/*.yml")
    if not shutil.which("promtool"):
        print("skipped: what promtool says, without promtool")
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder, "prometheus.yml")
        inside = "/etc/prometheus-rules"
        here = stack.host_path("prometheus", inside)
        copy.write_text(mine.read_text().replace(inside, str(here)))
        done = subprocess.run(["promtool", "check", "config", copy], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        holds("promtool takes Prometheus's configuration, with the rules", done.returncode == 0
              and done.stdout.count("rules found") == len(rules), done.stdout)


def formats():
    """What no program here reads: Grafana's, Loki's and the tunnel's files are at least what they claim to be."""
    parsers = {".yml": yaml.safe_load, ".json": json.loads, ".ini": read_ini}
    files = [path for folder in ("grafana", "loki", "cloudflared", "prometheus", "alertmanager", "env", "migration")
             for path in sorted((ROOT / "deploy" / folder).rglob("*")) if path.suffix in parsers]
    for path in files:
        try:
            found, why = parsers[path.suffix](path.read_text()), ""
        except (yaml.YAMLError, ValueError, configparser.Error) as error:
            found, why = None, error
        holds(f"{path.relative_to(ROOT)} can be read", isinstance(found, dict) and found, why)


def read_ini(text):
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.read_string(text)
    return dict(parser)


def redis(stack):
    if not shutil.which("redis-server") or not shutil.which("redis-cli"):
        print("skipped: Redis, without redis-server and redis-cli")
        return
    with tempfile.TemporaryDirectory() as name:
        folder, port = pathlib.Path(name), str(free_port())
        secret = folder / "redis_password"
        environment = {"PATH": os.environ["PATH"], "REDIS_PASSWORD_FILE": str(secret), "REDIS_FOLDER": str(folder)}
        start = ["/bin/sh", FOLDER / "redis/start.sh", "--port", port, "--bind", "127.0.0.1"]
        for words, content in (("is empty", ""), ("letters, digits", "a b\nrename-command")):
            secret.write_text(content)
            done = subprocess.run(start, env=environment, stderr=subprocess.PIPE, text=True, timeout=10)
            holds(f"Redis does not start with a password that {'is none' if not content else 'would be more than one'}: exit 78",
                  done.returncode == 78 and words in done.stderr, done.stderr)
        secret.write_text("compose-redis-password\n")
        health = ["/bin/sh", FOLDER / "redis/health.sh", "-p", port]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        holds("its health check fails while it does not run", subprocess.run(health, env=environment, **quiet).returncode != 0)
        process = subprocess.Popen(start, env=environment, **quiet)
        try:
            holds("its health check succeeds when it runs",
                  eventually(lambda: subprocess.run(health, env=environment, **quiet).returncode == 0))
            done = subprocess.run(["redis-cli", "-p", port, "set", "rectbot:leader", "me"], stdout=subprocess.PIPE, text=True)
            holds("who has no password is refused", "NOAUTH" in done.stdout, done.stdout)
            line = pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes()
            holds("the password is no argument", b"compose-redis-password" not in line and b"redis" in line, line)
            mode = (folder / "redis.conf").stat().st_mode & 0o777
            holds("what holds it is readable for Redis alone", mode == 0o600, oct(mode))
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
