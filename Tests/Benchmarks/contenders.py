"""What is measured: Kanmon, nginx and HAProxy with the same job, each the only program on its processors.

All terminate TLS 1.3 with one ECDSA P-256 certificate, let in 127.0.0.0/8 and forward to one upstream. Kanmon also
checks the login, bcrypt at cost 10, and the body; nginx and HAProxy check a login only where a scenario says so.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Endurance"))
from proxies import KANMON, Pushgateway, Started, wait_for_port  # noqa: E402

LOGIN = "bench:bench-password"
CORES = sorted(os.sched_getaffinity(0))
LOAD_CORE = CORES[-1]
TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")
HERE = pathlib.Path(__file__).resolve().parent


class Tools:
    """The programs of `Load/`, built, and what all contenders have in common: certificate, password, bodies."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kanmon-bench-"))
        os.chmod(self.folder, 0o755)
        for name in ["load", "upstream"]:
            subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-o", self.folder / name, HERE / f"Load/{name}.c",
                            "-lssl", "-lcrypto"], check=True)
        subprocess.run([KANMON, "cert", "--out", self.folder], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([KANMON, "passwd", self.folder / "htpasswd", "bench", "--cost", "10"], check=True,
                       input=b"bench-password\n", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.chmod(self.folder / "htpasswd", 0o644)
        pair = (self.folder / "tls.crt").read_bytes() + (self.folder / "tls.key").read_bytes()
        (self.folder / "tls.pem").write_bytes(pair)

    @property
    def hash(self):
        return (self.folder / "htpasswd").read_text().strip().split(":", 1)[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)


class NullUpstream(Started):
    """Answers 200 as soon as a request is read, so that what is measured is what stands before it."""

    def __init__(self, tools):
        super().__init__()
        command = ["taskset", "-c", str(LOAD_CORE), tools.folder / "upstream"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def __exit__(self, *reason):
        super().__exit__(*reason)
        self.process.stdout.close()


class RealPushgateway(Pushgateway):
    """On the processor of the load."""

    def __init__(self, _):
        super().__init__()
        subprocess.run(["taskset", "-a", "-c", "-p", str(LOAD_CORE), str(self.process.pid)], check=True,
                       stdout=subprocess.DEVNULL)


class Contender(Started):
    """A proxy with its processors, whose processor time and memory are those of all its processes."""

    def __init__(self, tools, upstream, workers=1, logs_in=False):
        super().__init__()
        os.chmod(self.folder, 0o755)
        self.tools, self.upstream, self.workers, self.logs_in = tools, upstream, workers, logs_in
        self.cores = CORES[:workers]
        self.launch("taskset", "-c", ",".join(map(str, self.cores)))
        wait_for_port(self.port)

    def write(self, name, text):
        (self.folder / name).write_text(text)
        return str(self.folder / name)

    def processes(self):
        """The process that was started and all that descend from it."""
        found, children = [], {}
        for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                children.setdefault(int(stat_fields(entry)[1]), []).append(int(entry.parent.name))
            except OSError:
                pass  # It has ended meanwhile.
        ahead = [self.process.pid]
        while ahead:
            found.append(ahead.pop())
            ahead += children.get(found[-1], [])
        return found

    def cpu_us(self):
        """User and system time, with that of threads and children that have ended."""
        return sum(sum(map(int, stat_fields(f"/proc/{pid}/stat")[11:15])) for pid in self.processes()) * TICK_US

    def memory_bytes(self):
        """What it has in memory; what several of its processes share counts once."""
        total = 0
        for pid in self.processes():
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) << 10
        return total


def stat_fields(path):
    """The fields behind the name, which may hold blanks itself: state, parent, ..."""
    return pathlib.Path(path).read_text().rpartition(")")[2].split()


class Kanmon(Contender):
    name = "Kanmon"

    def launch(self, *pinned):
        tools = self.tools.folder
        settings = self.write("kanmon.yml", f"""
listen: 127.0.0.1:{self.port}
allow: [127.0.0.0/8]
tls: {{cert_file: {tools}/tls.crt, key_file: {tools}/tls.key, min_version: TLS13}}
auth: {{users_file: {tools}/htpasswd}}
upstream: {{url: "http://127.0.0.1:{self.upstream.port}"}}
workers: {self.workers}
limits: {{requests_per_connection_max: 100000000}}
log: {{level: warn}}
""")
        self.start(*pinned, KANMON, "serve", "--config", settings)


class Nginx(Contender):
    name = "nginx"

    def launch(self, *pinned):
        work, tools = self.folder, self.tools.folder
        login = f"auth_basic gate; auth_basic_user_file {tools}/htpasswd;" if self.logs_in else ""
        settings = self.write("nginx.conf", f"""
worker_processes {self.workers}; daemon off; pid {work}/pid; error_log {work}/errors;
worker_rlimit_nofile 20000;
events {{ worker_connections 8192; }}
http {{ access_log off; client_body_temp_path {work}/b; proxy_temp_path {work}/p; fastcgi_temp_path {work}/f;
  uwsgi_temp_path {work}/u; scgi_temp_path {work}/s;
  keepalive_requests 100000000; client_body_buffer_size 256k;
  upstream gateway {{ server 127.0.0.1:{self.upstream.port}; keepalive 64; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{self.port} ssl http2 backlog=4096; ssl_protocols TLSv1.3;
    ssl_certificate {tools}/tls.crt; ssl_certificate_key {tools}/tls.key; allow 127.0.0.0/8; deny all; {login}
    location / {{ proxy_pass http://gateway; proxy_http_version 1.1; proxy_set_header Connection ''; }} }} }}
""")
        self.start(*pinned, "nginx", "-c", settings, "-e", str(work / "errors"))


class HAProxy(Contender):
    name = "HAProxy"

    def launch(self, *pinned):
        users, rule = "", ""
        if self.logs_in:
            users = f"userlist users\n  user bench password {self.tools.hash}"
            rule = "http-request auth unless { http_auth(users) }"
        settings = self.write("haproxy.cfg", f"""
global
  maxconn 8192
  nbthread {self.workers}
{users}
defaults
  mode http
  timeout connect 5s
  timeout client 75s
  timeout server 30s
frontend gate
  bind 127.0.0.1:{self.port} ssl crt {self.tools.folder}/tls.pem alpn h2,http/1.1 ssl-min-ver TLSv1.3 backlog 4096
  tcp-request connection reject unless {{ src 127.0.0.0/8 }}
  {rule}
  default_backend gateway
backend gateway
  http-reuse always
  server one 127.0.0.1:{self.upstream.port}
""")
        self.start(*pinned, "haproxy", "-W", "-f", settings)
