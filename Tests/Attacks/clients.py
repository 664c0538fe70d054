"""Standard clients: each pushes, and is refused once, the way that its users would have it."""

import http.client
import pathlib
import shutil
import socket
import subprocess
import tempfile

import h2.config
import h2.connection
import h2.events

from gate import BODY, LOGIN, PATH, USERS
from frames import CONTEXT
from table import Does, Row, Skipped, expect_forwarded
from wire import client_context, expect

AUTHORIZATION = LOGIN.decode().partition(": ")[2]
GO = '''package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		ForceAttemptHTTP2: true,
	}}
	for _, password := range os.Args[3:] {
		for _, method := range []string{"PUT", "POST", "DELETE"} {
			body := io.Reader(bytes.NewReader([]byte(os.Args[2])))
			if method == "POST" {
				body = io.MultiReader(body) // of a length that is not known
			} else if method == "DELETE" {
				body = nil
			}
			request, _ := http.NewRequest(method, os.Args[1], body)
			request.SetBasicAuth("good", password)
			answer, err := client.Do(request)
			if err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
			io.Copy(io.Discard, answer.Body)
			fmt.Println(answer.Proto, answer.StatusCode)
		}
	}
}
'''


def run(*command, seconds=60, **others):
    if not shutil.which(command[0]):
        raise Skipped(command[0])
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds, **others)
    return done.stdout.decode(errors="replace"), done.returncode


def url(gate, path=PATH):
    return f"https://127.0.0.1:{gate.port}{path.decode()}"


def curl(*arguments, version):
    def tried(gate):
        before = len(gate.recorder.pushes)
        for password, status in ((USERS["good"], "200"), ("wrong", "401")):
            said, _ = run("curl", "-ksS", *arguments, "-u", f"good:{password}", "--data-binary", BODY, "-o", "/dev/null",
                          "-w", "%{http_version} %{http_code}", url(gate))
            expect(said == f"{version} {status}", said)
        expect_forwarded(gate, before, [BODY])
    return tried


def curl_uploads(gate):
    """Bodies of many frames, of a length that is told or not, the second on the same connection; what is too large is
    told so."""
    before = len(gate.recorder.pushes)
    with tempfile.TemporaryDirectory() as folder:
        good, huge = pathlib.Path(folder, "good"), pathlib.Path(folder, "huge")
        good.write_bytes((b"# " + b"x" * 997 + b"\n") * 3000 + BODY)
        huge.write_bytes(b"#\n" * (3 << 20))
        write = ["-o", "/dev/null", "-w", "%{http_version} %{http_code} %{num_connects}\n", "-u", f"good:{USERS['good']}"]
        said, status = run("curl", "-ksS", "--http2", *write, "-T", str(good), url(gate), "--next", "-ksS",
                           "--http2", *write, "-X", "POST", "-H", "Content-Length:", "-T", str(good), url(gate))
        expect(said == "2 200 1\n2 200 0\n", said)
        said, status = run("curl", "-ksS", "--http2", *write, "-T", str(huge), url(gate))
        expect(said == "2 413 1\n" and status == 0, said)
        expect_forwarded(gate, before, [good.read_bytes()] * 2)


def without_tls(gate):
    """HTTP/2 without TLS is not spoken: the connection ends, nothing is told."""
    said, status = run("curl", "-sS", "--http2-prior-knowledge", f"http://127.0.0.1:{gate.port}/-/healthy")
    expect(status != 0 and "HTTP" not in said.replace("HTTP/2", ""), said)
    said, status = run("curl", "-ksS", "--http2-prior-knowledge", "-o", "/dev/null", "-w", "%{http_code}", url(gate, b"/-/healthy"))
    expect(said in ("200", "404"), said)


def nghttp(gate):
    before = len(gate.recorder.pushes)
    with tempfile.NamedTemporaryFile() as file:
        file.write(BODY)
        file.flush()
        for authorization, status in ((AUTHORIZATION, 200), ("Basic eDp5", 401)):
            said, code = run("nghttp", "-v", "-n", "--no-verify-peer", "-d", file.name, "-H", f"authorization: {authorization}", url(gate))
            expect(code == 0 and f":status: {status}" in said, said[-1500:])
            expect("error_code" not in said.replace("error_code=NO_ERROR", ""), said[-1500:])
    expect_forwarded(gate, before, [BODY])


def h2load(gate):
    """2,000 pushes, 4 connections of 16 streams: all are taken. Without a login all are refused."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(BODY)
        file.flush()
        before = len(gate.recorder.pushes)
        for fields, word in ((["-H", f"authorization: {AUTHORIZATION}"], "2xx"), ([], "4xx")):
            said, _ = run("h2load", "-n", "2000", "-c", "4", "-m", "16", "-d", file.name, *fields, url(gate))
            expect(f"2000 {word}" in said and "2000 done" in said and "0 errored" in said, said)
        expect(len(gate.recorder.pushes) - before == 2000, f"{len(gate.recorder.pushes) - before} pushes")


def go(gate):
    if not shutil.which("go"):
        raise Skipped("go")
    before = len(gate.recorder.pushes)
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "push.go")
        source.write_text(GO)
        run("go", "build", "-o", f"{folder}/push", str(source), cwd=folder, seconds=300)
        said, _ = run(f"{folder}/push", url(gate), BODY.decode(), USERS["good"], "wrong")
    expect(said.split("\n")[:-1] == ["HTTP/2.0 200"] * 3 + ["HTTP/2.0 401"] * 3, said)
    expect_forwarded(gate, before, [BODY, BODY, b""])


def python_http_client(gate):
    before = len(gate.recorder.pushes)
    client = http.client.HTTPSConnection("127.0.0.1", gate.port, context=client_context(), timeout=10)
    for authorization, status in ((AUTHORIZATION, 200), ("Basic eDp5", 401), (AUTHORIZATION, 200)):
        client.request("POST", PATH.decode(), BODY, {"Authorization": authorization})
        answer = client.getresponse()
        answer.read()
        expect(answer.status == status, f"{answer.status}")
    client.close()
    expect_forwarded(gate, before, [BODY] * 2)


def python_h2(gate):
    """The library's own view of what is allowed finds nothing to complain of."""
    before = len(gate.recorder.pushes)
    with CONTEXT.wrap_socket(socket.create_connection(("127.0.0.1", gate.port), 10)) as connection:
        client = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        client.initiate_connection()
        tries = {1: (AUTHORIZATION, "200"), 3: ("Basic eDp5", "401"), 5: (AUTHORIZATION, "200")}
        for stream, (authorization, _) in tries.items():
            client.send_headers(stream, [
                (":method", "POST"), (":scheme", "https"), (":authority", "localhost"), (":path", PATH.decode()),
                ("authorization", authorization), ("content-length", str(len(BODY)))])
            client.send_data(stream, BODY, end_stream=True)
        statuses, ended = {}, set()
        while len(ended) < len(tries):
            connection.sendall(client.data_to_send())
            received = connection.recv(1 << 16)
            expect(received, "the gate hangs up")
            for event in client.receive_data(received):
                expect(not isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)), f"{event}")
                if isinstance(event, h2.events.ResponseReceived):
                    statuses[event.stream_id] = dict(event.headers)[":status"]
                elif isinstance(event, h2.events.StreamEnded):
                    ended.add(event.stream_id)
        expect(statuses == {stream: status for stream, (_, status) in tries.items()}, f"{statuses}")
    expect_forwarded(gate, before, [BODY] * 2)


ROWS = [
    Row("curl --http2", "pushes, and is told 401", Does("served"), curl("--http2", version="2")),
    Row("curl --http1.1", "pushes, and is told 401", Does("served"), curl("--http1.1", version="1.1")),
    Row("curl -T", "sends large bodies, and is told 413", Does("served"), curl_uploads),
    Row("curl without TLS", "HTTP/2 by prior knowledge is refused", Does("refused"), without_tls),
    Row("nghttp", "pushes, and is told 401", Does("served"), nghttp),
    Row("h2load", "pushes, and is told 401", Does("served"), h2load),
    Row("Go's net/http", "pushes, and is told 401", Does("served"), go),
    Row("Python's http.client", "pushes, and is told 401", Does("served"), python_http_client),
    Row("python3-h2", "pushes, and is told 401", Does("served"), python_h2),
]
