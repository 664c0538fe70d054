"""A Pushgateway and what stands before it: Kanmon, nginx or HAProxy, each started here and ended by its id."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
KANMON = os.environ.get("KANMON", str(ROOT / ".build/release/kanmon"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit(f"nothing listens on port {port}")


class Started:
    """A program with a folder of its own, ended with the block it was started for."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kanmon-endurance-"))
        self.port = free_port()
        self.process = None

    def start(self, *command, log="log"):
        with open(self.folder / log, "ab") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output)

    def signal(self, number):
        os.kill(self.process.pid, number)

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Pushgateway(Started):
    def __init__(self):
        super().__init__()
        self.run()

    def run(self):
        self.start("prometheus-pushgateway", f"--web.listen-address=127.0.0.1:{self.port}",
                   "--persistence.file=", "--log.level=error")
        wait_for_port(self.port)


class Proxy(Started):
    """What all three have: certificates and passwords that are made before and put in place by renaming."""

    changes = 20

    def make_changes(self, cost=5):
        for number in range(self.changes):
            folder = self.folder / str(number)
            subprocess.run([KANMON, "cert", "--out", folder], check=True, stdout=subprocess.DEVNULL)
            subprocess.run([KANMON, "passwd", folder / "htpasswd", "load", "--cost", str(cost)],
                           input=b"load-password\n", check=True, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
            os.chmod(folder / "htpasswd", 0o644)
            pair = (folder / "tls.crt").read_bytes() + (folder / "tls.key").read_bytes()
            (folder / "tls.pem").write_bytes(pair)

    def put_in_place(self, number):
        source = self.folder / str(number % self.changes)
        # The key first: whoever reads between the two sees a pair that does not match, and waits.
        for name in ["tls.key", "tls.crt", "tls.pem", "htpasswd"]:
            shutil.copy(source / name, self.folder / f"{name}.new")
            os.rename(self.folder / f"{name}.new", self.folder / name)


class Kanmon(Proxy):
    name = "kanmon"

    def __init__(self, upstream, settings=""):
        super().__init__()
        self.make_changes()
        self.put_in_place(0)
        self.configure(upstream, settings)
        self.start(KANMON, "serve", "--config", str(self.folder / "kanmon.yml"))
        wait_for_port(self.port)
        self.reloads = 0

    def configure(self, upstream, settings=""):
        (self.folder / "kanmon.yml").write_text(
            f"listen: 127.0.0.1:{self.port}\nallow: [127.0.0.0/8]\n"
            "tls: {cert_file: tls.crt, key_file: tls.key}\nauth: {users_file: htpasswd}\n"
            f'upstream: {{url: "http://127.0.0.1:{upstream.port}"}}\nlog: {{level: warn}}\n' + settings)

    def worker(self):
        """The process that serves."""
        return self.process.pid

    def reload(self):
        self.reloads += 1
        self.put_in_place(self.reloads)
        self.signal(signal.SIGHUP)


class Nginx(Proxy):
    name = "nginx"

    def __init__(self, upstream, connections_max=4096):
        super().__init__()
        self.make_changes()
        self.put_in_place(0)
        work = self.folder
        (work / "nginx.conf").write_text(f"""
worker_processes 1; daemon off; pid {work}/pid; error_log {work}/errors;
events {{ worker_connections {connections_max}; }}
http {{ access_log off; client_body_temp_path {work}/b; proxy_temp_path {work}/p; fastcgi_temp_path {work}/f;
  uwsgi_temp_path {work}/u; scgi_temp_path {work}/s; keepalive_requests 1000000;
  upstream gateway {{ server 127.0.0.1:{upstream.port}; keepalive 32; }}
  server {{ listen 127.0.0.1:{self.port} ssl http2 backlog=4096; ssl_certificate {work}/tls.crt;
    ssl_certificate_key {work}/tls.key; ssl_protocols TLSv1.2 TLSv1.3; auth_basic gate; auth_basic_user_file {work}/htpasswd;
    location / {{ proxy_pass http://gateway; proxy_http_version 1.1; proxy_set_header Connection ''; }} }} }}
""")
        os.chmod(self.folder, 0o755)
        self.start("nginx", "-c", str(work / "nginx.conf"), "-e", str(work / "errors"))
        wait_for_port(self.port)
        self.reloads = 0

    def worker(self):
        pid = self.process.pid
        return int(pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])

    def reload(self):
        self.reloads += 1
        self.put_in_place(self.reloads)
        self.signal(signal.SIGHUP)


class HAProxy(Proxy):
    """Without a login: its passwords stand in the configuration."""

    name = "haproxy"

    def __init__(self, upstream):
        super().__init__()
        self.make_changes()
        self.put_in_place(0)
        (self.folder / "haproxy.cfg").write_text(f"""
global
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 75s
  timeout server 30s
frontend gate
  bind 127.0.0.1:{self.port} ssl crt {self.folder}/tls.pem
  default_backend gateway
backend gateway
  server one 127.0.0.1:{upstream.port}
""")
        self.start("haproxy", "-W", "-f", str(self.folder / "haproxy.cfg"))
        wait_for_port(self.port)
        self.reloads = 0

    def reload(self):
        self.reloads += 1
        self.put_in_place(self.reloads)
        self.signal(signal.SIGUSR2)
