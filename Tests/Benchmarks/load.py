"""Who pushes: wrk on kept-alive connections, h2load over HTTP/2, and Load/load.c for what neither can."""

import base64
import json
import re
import subprocess

from contenders import LOAD_CORE, LOGIN

PATH = "/metrics/job/bench"


def small_body():
    """531 bytes of what a cron job sends."""
    names = ["load1", "load5", "memory_used_bytes", "memory_total_bytes", "cpu_usage_ratio", "processes"]
    lines = "".join(f'# TYPE xserver_{name} gauge\nxserver_{name}{{site="xserver"}} {number}.25\n'
                    for number, name in enumerate(names))
    return f"{lines}# {'x' * (531 - len(lines) - 3)}\n".encode()


def large_body(word="subsystem"):
    """124 kB such as an exporter has: gauges, counters by two labels, histograms, all with their HELP."""
    text, number = "", 0
    while len(text) < 122_000:
        name = f"node_{word}{number}"
        text += (f"# HELP {name}_bytes Bytes in use, as the kernel tells them.\n# TYPE {name}_bytes gauge\n"
                 f"{name}_bytes {number}.5374182e+09\n"
                 f"# HELP {name}_seconds_total Seconds spent in each mode.\n# TYPE {name}_seconds_total counter\n")
        for cpu in range(4):
            for mode in ["idle", "iowait", "system", "user"]:
                text += f'{name}_seconds_total{{cpu="{cpu}",mode="{mode}"}} {number * 1027 + cpu}.25\n'
        text += f"# HELP {name}_wait_seconds How long it took.\n# TYPE {name}_wait_seconds histogram\n"
        for place, bound in enumerate(["0.01", "0.1", "1", "10", "+Inf"]):
            text += f'{name}_wait_seconds_bucket{{handler="/api",le="{bound}"}} {number + place * 240}\n'
        text += (f'{name}_wait_seconds_sum{{handler="/api"}} 8953.332\n'
                 f'{name}_wait_seconds_count{{handler="/api"}} {number + 960}\n')
        number += 1
    return f"{text}# {'x' * (124_000 - len(text) - 3)}\n".encode()


SMALL, LARGE = small_body(), large_body()
# As long as LARGE, and with other names each.
LARGES = [large_body(word) for word in ["processor", "interface", "allocator", "scheduler", "filesystem"]]


def request(body, login=LOGIN):
    head = (f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {encoded(login)}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n")
    return head.encode() + body


def encoded(login):
    return base64.b64encode(login.encode()).decode()


def run(*command):
    return subprocess.run(pinned(command), check=True, capture_output=True, text=True).stdout


def pinned(command):
    return ["taskset", "-c", str(LOAD_CORE), *map(str, command)]


class Tally(dict):
    """What became of the pushes of one run: pushes, seconds, p50_ms, p99_ms, refused, failed; and more, by tool."""

    def require_all_accepted(self):
        if self["refused"] or self["failed"]:
            raise SystemExit(f"not every push was accepted: {dict(self)}")
        return self


def wrk(gate, seconds, *bodies, connections=32):
    """Several bodies are pushed in turn."""
    folder = gate.tools.folder
    for number, body in enumerate(bodies or [SMALL]):
        (folder / f"body{number}").write_bytes(body)
    (folder / "wrk.lua").write_text(f"""
wrk.method = "POST"
wrk.headers["Authorization"] = "Basic {encoded(LOGIN)}"
local requests, turn = {{}}, 0
function init()
    for number = 0, {len(bodies or [SMALL]) - 1} do
        local file = io.open("{folder}/body" .. number, "rb")
        wrk.body = file:read("*a")
        file:close()
        requests[number] = wrk.format()
    end
end
function request()
    turn = turn + 1
    return requests[turn % {len(bodies or [SMALL])}]
end
function done(summary, latency)
    local errors = summary.errors
    local form = '\\n{{"pushes": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "refused": %d, "failed": %d}}'
    io.write(string.format(form, summary.requests, summary.duration / 1e6,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, errors.status,
        errors.connect + errors.read + errors.write))
end
""")
    output = run("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "-s", folder / "wrk.lua",
                 f"https://127.0.0.1:{gate.port}{PATH}")
    return Tally(json.loads(output.splitlines()[-1])).require_all_accepted()


def h2load(gate, seconds, connections=8, streams=4):
    folder = gate.tools.folder
    (folder / "body").write_bytes(SMALL)
    log = folder / "h2load.log"
    log.unlink(missing_ok=True)
    output = run("h2load", f"-c{connections}", f"-m{streams}", "-D", seconds, "--warm-up-time", 0,
                 "-d", folder / "body", f"--log-file={log}", "-H", f"authorization: Basic {encoded(LOGIN)}",
                 f"https://127.0.0.1:{gate.port}{PATH}")
    if "Application protocol: h2" not in output:
        raise SystemExit(f"no HTTP/2: {output}")
    # A line a request: when it began, its status, microseconds.
    answers = [list(map(int, line.split("\t"))) for line in log.read_text().splitlines()]
    times = sorted(microseconds / 1e3 for _, _, microseconds in answers)
    return Tally(pushes=len(answers), seconds=float(seconds), p50_ms=times[len(times) // 2],
                 p99_ms=times[int(len(times) * 0.99)], failed=int(re.search(r"(\d+) failed", output).group(1)),
                 refused=sum(status != 200 for _, status, _ in answers)).require_all_accepted()


class Load:
    """A run of Load/load.c, which goes on while it is looked at. One that gives way has the processor only when nobody
    else wants it (SCHED_IDLE); a niceness would not do: whoever wakes up waits for the end of its slice, milliseconds."""

    def __init__(self, gate, content=None, gives_way=False, **options):
        file = gate.tools.folder / f"request-{id(self)}"
        file.write_bytes(content or request(SMALL))
        settings = [f"{name}={value}" for name, value in options.items()]
        policy = ["chrt", "--idle", 0] if gives_way else []
        command = [*policy, gate.tools.folder / "load", gate.port, file, *settings]
        self.process = subprocess.Popen(pinned(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def wait_until_held(self):
        if self.process.stdout.readline() != "held\n":
            raise SystemExit("the clients could not be held")

    def tally(self):
        output, _ = self.process.communicate()
        if self.process.returncode:
            raise SystemExit(f"load: exit {self.process.returncode}")
        return Tally(json.loads(output.splitlines()[-1]))
