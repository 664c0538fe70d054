"""A place to watch over: a folder with everything of one watchdog, somebody in Discord's and in LINE's place, and
something that answers HTTP. Everything listens on loopback and ends with the place."""

import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("KANMON_OPS", ROOT / ".build/debug/kanmon-ops")).resolve()
WEBHOOK_SECRET = "a-webhook-secret-of-the-test"
LINE_TOKEN = "a-line-token-of-the-test"
KICK_TOKEN = "a-kick-token-of-the-test"


class Skipped(Exception):
    """What a sentence is about cannot be had on this machine."""


class Peer:
    """Answers each request by the next of `answers`, then by the last of them for ever: a status, (429, seconds), or
    "hang"."""

    def __init__(self, *answers):
        self.answers = list(answers) or [200]
        self.received = []
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                peer.received.append((self.path, dict(self.headers), body))
                answer = peer.answers.pop(0) if len(peer.answers) > 1 else peer.answers[0]
                if answer == "hang":
                    time.sleep(20)
                    return
                status, seconds = answer if isinstance(answer, tuple) else (answer, None)
                self.send_response(status)
                if seconds is not None:
                    self.send_header("Retry-After", str(seconds))
                body = b"" if status == 204 else b"well\n"
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_POST = do_HEAD = answer

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def end(self):
        self.server.shutdown()
        self.server.server_close()

    def texts(self):
        """What the messages that came say, whichever service they are for."""
        bodies = [json.loads(body) for _, _, body in self.received]
        return [body["content"] if "content" in body else body["messages"][0]["text"] for body in bodies]


class Ward:
    def __init__(self, checks, extra="", discord=None, line=None, limits=""):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kanmon-watchdog-"))
        self.peers = []
        self.discord = self.add_peer(*(discord or [204]))
        self.line = self.add_peer(*(line or [200])) if line else None
        for name in ("units", "log", "kick"):
            (self.folder / name).mkdir()
        self.put("webhook", f"{self.discord.url}/api/webhooks/1/{WEBHOOK_SECRET}\n")
        self.put("line-token", LINE_TOKEN + "\n")
        self.put("kick-token", KICK_TOKEN + "\n")
        notify = "notify:\n  host: ward\n  discord: {webhook_file: webhook}\n"
        if self.line:
            notify += f"  line: {{token_file: line-token, to: U1, url: \"{self.line.url}/v2/bot/message/push\"}}\n"
        limits = limits or "{pauses: [0s, 200ms, 200ms], grace: 200ms}"
        self.put("watch.yml", f"state_dir: state\nlog_file: log/watch.log\nlimits: {limits}\n{notify}{extra}\n"
                              f"checks:\n{checks}\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for peer in self.peers:
            peer.end()
        shutil.rmtree(self.folder)

    def add_peer(self, *answers):
        peer = Peer(*answers)
        self.peers.append(peer)
        return peer

    def put(self, name, text):
        (self.folder / name).write_text(text)
        os.chmod(self.folder / name, 0o600)

    def unit(self, name, state, heals=None):
        (self.folder / "units" / name).write_text(state + "\n")
        if heals is not None:
            (self.folder / "units" / f"{name}.heals").write_text(f"{heals}\n")

    def environment(self):
        path = f"{ROOT}/Tests/Watchdog/bin:{os.environ['PATH']}"
        return dict(os.environ, WARD=str(self.folder), PATH=path, TZ="Asia/Tokyo")

    def run(self, verb="watch", *arguments, stdin="", seconds=70):
        arguments = arguments or (["--once"] if verb == "watch" else [])
        return subprocess.run(
            [PROGRAM, verb, *arguments, "--config", self.folder / "watch.yml"], input=stdin, text=True,
            capture_output=True, timeout=seconds, env=self.environment(), check=False)

    def start(self):
        """A run that goes on while the test does."""
        return subprocess.Popen(
            [PROGRAM, "watch", "--once", "--config", self.folder / "watch.yml"], text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.environment())

    def calls(self, word):
        path = self.folder / "calls"
        return [line for line in path.read_text().splitlines() if word in line] if path.exists() else []

    def restarts(self):
        return len(self.calls(" restart "))

    def log(self):
        return (self.folder / "log/watch.log").read_text()

    def state(self):
        return json.loads((self.folder / "state/state.json").read_text())

    def written(self):
        """All that the watchdog has put anywhere, but for the secrets that the test put there itself."""
        own = {"webhook", "line-token", "kick-token"}
        return "".join(path.read_text(errors="replace") for path in self.folder.rglob("*")
                       if path.is_file() and path.name not in own)


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
