"""K: what answers, logs and metrics give away."""

import json
import re
import time
import urllib.request

from gate import BODY, GOOD, HOST, LOGIN, PATH, USERS, login, push, request
from table import Does, Elsewhere, Row
from wire import expect

MARK = b"reflected-42"


REFUSALS = [
    request(line=b"GET /" + MARK + b" HTTP/1.1"),
    request(line=b"PATCH " + PATH + b"/" + MARK + b"/x HTTP/1.1"),
    push(b"X-" + MARK + b" : x"), push(path=b"/metrics/job/" + MARK + b"%FF"), push(auth=None, path=PATH + b"/" + MARK),
    push(auth=login(MARK.decode(), MARK.decode())), push(host=b"Host: " + MARK + b"/x"),
    push(path=b"/metrics/job/a/" + MARK + b"/" + MARK + b"/" + MARK), request(b"Transfer-Encoding: " + MARK),
    push(b"Content-Encoding: " + MARK), push(b"Expect: " + MARK), request(line=b"POST " + PATH + b" " + MARK),
    request(line=MARK * 4 + b" " + PATH + b" HTTP/1.1"), request(b"Content-Length: " + MARK),
    request(), push(path=PATH + b"?" + MARK), b"\x00" + MARK + b"\r\n\r\n",
]


def answers(gate, attempts):
    for attempt in attempts:
        answer = gate.ask(attempt)
        expect(answer is not None, f"no answer to {attempt[:80]}")
        yield answer


def discloses_nothing(gate):
    """Neither what the gate is nor what it is made of."""
    for answer in answers(gate, REFUSALS):
        shown = (answer.text + str(answer.fields)).lower().replace('realm="kanmon"', "")
        for word in ("kanmon", "swift", "openssl", "nghttp", "linux", "debian", "/usr", "server", "127.0.0.1",
                     str(gate.recorder.port), "stack", "sources/"):
            expect(word not in shown, f"{word} in {shown}")
        expect(len(answer.body) < 300, f"{len(answer.body)} bytes of a refusal")


def reflects_nothing(gate):
    for attempt in REFUSALS:
        for accept in (b"*/*", b"application/json"):
            answer = gate.ask(attempt.replace(HOST, HOST + b"\r\nAccept: " + accept))
            expect(MARK not in answer.body and MARK.decode() not in str(answer.fields), answer.text)


def has_safe_fields(gate):
    for answer in answers(gate, [push(path=GOOD), *REFUSALS, request(line=b"GET /healthz HTTP/1.1")]):
        expect(answer.fields["x-content-type-options"] == "nosniff" and answer.fields["cache-control"] == "no-store",
               answer.fields)
        expect(answer.fields.get("content-type", "text/plain").startswith(("text/plain", "application/problem+json")),
               answer.fields)


def has_a_date(gate):
    """Every final answer has a date of the form of RFC 9110, an interim one has no field at all."""
    for answer in answers(gate, [push(path=GOOD), *REFUSALS]):
        expect(re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", answer.fields["date"]),
               answer.fields["date"])
    with gate.connect() as connection:
        connection.send(request(b"Expect: 100-continue", b"Content-Length: %d" % len(BODY)))
        expect(connection.answer(has_body=False).fields == {}, "100 with fields")


def head_has_no_body(gate):
    with gate.connect() as connection:
        for path in (b"/-/healthy", b"/nowhere", PATH, b"/-/ready"):
            connection.send(request(line=b"HEAD " + path + b" HTTP/1.1"))
            expect(int(connection.answer(has_body=False).fields["content-length"]) > 0, "a length of nothing")
        connection.send(push(path=GOOD))
        expect(connection.answer().status == 200, "the answers ran into each other")


def bounded_labels(gate):
    """Whatever jobs, methods and paths are made up, the number of series stays."""
    before = len(gate.metrics().splitlines())
    for number in range(40):
        gate.ask(push(path=b"/metrics/job/made-up-%d" % number))
        gate.ask(request(line=b"MADEUP%d /nowhere/%d HTTP/1.1" % (number, number)))
        gate.ask(push(auth=login(f"made-up-{number}", "x")))
    text = gate.metrics()
    expect(len(text.splitlines()) - before < 40, f"{len(text.splitlines()) - before} lines more")
    expect('push_job="(other)"' in text and "MADEUP" not in text and "/nowhere" not in text, "made-up labels")


def secrets(gate):
    """No password or key that was used is in any log, metric, status or answer."""
    shown = []
    for attempt in (push(path=GOOD), push(auth=login("good", "the wrong secret")), push(auth=LOGIN + b"x"), push(LOGIN),
                    push(path=PATH + b"/%FF"), push(b"Authorization2: " + LOGIN[15:])):
        shown.append(gate.ask(attempt).text)
    time.sleep(0.2)
    shown += [file.read_text() for file in gate.folder.glob("audit*")] + [gate.log(), gate.metrics()]
    with urllib.request.urlopen(f"http://127.0.0.1:{gate.admin}/-/status", timeout=5) as answer:
        shown.append(answer.read().decode())
    key = (gate.folder / "tls.key").read_text().splitlines()[1]
    hashes = [line.split(":")[1] for line in (gate.folder / "htpasswd").read_text().splitlines()]
    for secret in [*(text for text in USERS.values() if len(text) > 5), "the wrong secret", LOGIN[21:].decode(), key, *hashes]:
        expect(not any(secret in text for text in shown), f"{secret[:12]}… is told")


def health_tells_nothing(gate):
    for path in (b"/-/healthy", b"/healthz", b"/-/ready", b"/readyz"):
        answer = gate.ask(request(line=b"GET " + path + b" HTTP/1.1", auth=None))
        expect((answer.status, answer.body) == (200, b"OK\n"), f"{answer.status} {answer.text}")
    try:
        expect(gate.ask(request(line=b"GET /healthz HTTP/1.1"), source="127.0.0.2") is None, "told to whom is denied")
    except OSError:
        pass


def failures_are_alike(gate):
    """All but the date and the name of the answer."""
    shapes = set()
    for auth in (login("nobody", "x"), login("good", "x"), login("good", "x" * 73), login("good", "a\0b"), login("exact", "y" * 72)):
        answer = gate.ask(push(auth=auth))
        fields = sorted((name, value) for name, value in answer.fields.items() if name not in ("date", "x-request-id"))
        shapes.add(repr((answer.status, fields, answer.body)))
    expect(len(shapes) == 1, shapes)


def amplifies_nothing(gate):
    """Who has no login gets no more back than a little over what a request takes."""
    for attempt in REFUSALS[:1] + [push(auth=None), request(line=b"GET /healthz HTTP/1.1", auth=None), b"x\r\n\r\n"]:
        with gate.connect() as connection:
            connection.send(attempt)
            answer = connection.answer()
            expect(len(answer.body) < 200 and sum(map(len, answer.fields.values())) < 300, "a long answer")


def same_before_the_login(gate):
    """Without a login no path is told from another: not by status, not by text."""
    seen = set()
    gate.ask(push(path=b"/metrics/job/exists"))
    for path in (b"/metrics/job/exists", b"/metrics/job/other", b"/metrics/job/%FF", b"/metrics/job/a/b",
                 b"/metrics/job@base64/%00", b"/metrics/job/a/l/b/l/c"):
        for auth in (None, login("good", "wrong")):
            answer = gate.ask(push(path=path, auth=auth))
            seen.add((auth is None, answer.status, answer.body))
    expect(len(seen) == 2, seen)


def one_line_an_event(gate):
    """Each line of log and audit trail is one event, whatever names hold."""
    lines = len(gate.log().splitlines())
    gate.ask(push(path=b"/metrics/job/%E2%80%AE%22%7D%0A"))
    gate.ask(push(path=b"/metrics/job/%22%5C%E2%80%A8%7B%7D%20level=info"))
    time.sleep(0.2)
    for line in gate.log().splitlines()[lines:]:
        expect(line.startswith("ts=") and "\x1b" not in line, line)
    for line in (gate.folder / "audit").read_text().splitlines():
        json.loads(line)


FEW_JOBS = {"settings": "limits: {job_labels_max: 5}\n"}

ROWS = [
    Row("K001", "no refusal says what the gate is made of", Does("hidden"), discloses_nothing),
    Row("K002", "no refusal repeats what it was sent", Does("hidden"), reflects_nothing),
    Row("K003", "no answer is kept, or taken for another type", Does("said"), has_safe_fields),
    Row("K004", "a date in every final answer, nothing in an interim one", Does("said"), has_a_date),
    Row("K005", "the answer to HEAD has no body", Does("empty"), head_has_no_body),
    Row("K006", "labels of metrics are bounded", Does("bounded"), bounded_labels, gate=FEW_JOBS),
    Row("K007", "no secret is told anywhere", Does("hidden"), secrets),
    Row("K008", "health tells that it is well, and no more", Does("hidden"), health_tells_nothing),
    Row("K009", "the ways to fail a login look alike", Does("same"), failures_are_alike),
    Row("K010", "an answer is hardly longer than its request", Does("bounded"), amplifies_nothing),
    Elsewhere("K011", "a flood of denied clients makes few lines",
              "a scan of many addresses fills neither the log nor the memory, and all of it is told"),
    Row("K012", "nothing of a path is told before the login", Does("same"), same_before_the_login),
    Row("K007", "what a name holds forges no line", Does("hidden"), one_line_an_event),
]
