"""E: who a client says it is."""

import base64
import json
import pathlib
import subprocess
import threading
import time

from gate import BODY, GOOD, KANMON, LOGIN, PATH, USERS, login, push, request
from table import Accepted, Does, Elsewhere, NotHere, Refused, Row
from wire import expect

CHALLENGE = 'Basic realm="kanmon", charset="UTF-8"'
LIMIT = "limits: {password_queue_max: 32, failed_logins_per_minute_max: {user: %d, address: %d}}\n"
MANY_FAILURES = {"settings": LIMIT % (100_000, 1_000_000)}
MANY_COSTLY_FAILURES = {**MANY_FAILURES, "cost": 10}
FEW_COSTLY_FAILURES = {"settings": LIMIT % (3, 20), "cost": 10}
unauthorized = Refused(401, closes=False)


def said(data):
    return b"Authorization: Basic " + base64.b64encode(data)


def fields(*values):
    return [push(auth=value) for value in values]


def challenge(gate):
    answer = gate.ask(push(auth=None))
    expect(answer.status == 401 and answer.fields["www-authenticate"] == CHALLENGE, answer.fields)


def check_users_file(*lines):
    """`kanmon check` names line and reason of each of these, and a gate does not start with one."""
    def tried(gate):
        folder = gate.folder / "checked"
        folder.mkdir(exist_ok=True)
        for line in lines:
            (folder / "htpasswd").write_bytes(line + b"\n")
            configuration = gate.configuration().replace("users_file: htpasswd", "users_file: checked/htpasswd")
            (gate.folder / "checked.yml").write_text(configuration)
            done = subprocess.run([KANMON, "check", "--config", gate.folder / "checked.yml"], capture_output=True,
                                  timeout=20)
            expect(done.returncode == 78, f"check takes {line!r}: {done.stderr}")
            expect(b"htpasswd:1" in done.stderr, f"{line!r} is not named: {done.stderr}")
    return tried


GOOD_HASH = b"$2b$04$abcdefghijklmnopqrstuuKfDrl8qlVQIOLZXuFwzOCn9NMAbe1yq"


def answer_shape(answer):
    """All of an answer but what differs each time."""
    fields = {name: value for name, value in answer.fields.items() if name not in ("date", "x-request-id")}
    return answer.status, sorted(fields.items()), answer.body


def same_for_all_failures(gate):
    shapes = {repr(answer_shape(gate.ask(push(auth=entry)))) for entry in (
        login("nobody", "x"), login("good", "wrong"), login("exact", "x" * 73), login("short", "p\0q"),
        login("nobody", "x" * 200))}
    expect(len(shapes) == 1, shapes)


def no_difference_in_time(gate):
    """Each way to be wrong takes the same work of the processor, whoever else has it meanwhile; a hash of cost 10
    is 60 ms, so one that is left out shows."""
    work = {}
    for name, entry in {"unknown": login("nobody", "x"), "wrong": login("good", "wrong"), "costly": login("costly", "x"),
                        "over-long": login("good", "x" * 100), "NUL": login("good", "a\0b")}.items():
        before = gate.processor_seconds()
        for _ in range(5):
            expect(gate.ask(push(auth=entry), seconds=30).status == 401, "not 401")
        work[name] = gate.processor_seconds() - before
    expect(max(work.values()) < 1.4 * min(work.values()), f"seconds of work {work}")


def brute_force(gate):
    """Beyond the limit wrong logins are slowed down, some told 429 with Retry-After, and the right one gets in."""
    for number in range(6):
        gate.ask(push(auth=login("good", f"first {number}")), seconds=30, source="127.0.1.1")
    statuses, lock = [], threading.Lock()

    def guess(number):
        answer = gate.ask(push(auth=login("good", f"guess {number}")), seconds=30, source="127.0.1.1")
        with lock:
            statuses.append(answer.status)
            expect(answer.status != 429 or int(answer.fields["retry-after"]) > 0, "429 without Retry-After")

    guessers = [threading.Thread(target=guess, args=(number,)) for number in range(80)]
    for guesser in guessers:
        guesser.start()
    answer = gate.ask(push(path=GOOD, auth=login("other")), seconds=30, source="127.0.1.1")
    for guesser in guessers:
        guesser.join()
    expect(len(statuses) == 80 and set(statuses) <= {401, 429, 503}, f"{set(statuses)}")
    expect(429 in statuses, "nobody was told to wait")
    expect(answer.status in (200, 429), f"another user of that address got {answer.status}")
    expect(gate.ask(push(path=GOOD, auth=login("other")), seconds=30, source="127.0.1.1").status == 200,
           "a right password is kept out for good")


def burnt_bucket(gate):
    """Who fails for a victim from his own address does not keep the victim out of his."""
    for number in range(10):
        gate.ask(push(auth=login("good", "guess")), seconds=30, source="127.0.1.2")
    began = time.monotonic()
    expect(gate.ask(push(path=GOOD), source="127.0.0.1").status == 200, "the victim is kept out")
    expect(time.monotonic() - began < 1, "the victim had to wait")
    expect(gate.ask(push(path=GOOD, auth=login("colon")), seconds=30, source="127.0.1.3").status == 200,
           "a login that is not known yet is kept out")


def costly_flood(gate):
    """64 connections with wrong passwords: who is known is served, each time, at once."""
    stop, statuses, faults = threading.Event(), [], []

    def flood(number):
        while not stop.is_set():
            try:
                statuses.append(gate.ask(push(auth=login(f"nobody{number}", "x")), seconds=60,
                                         source=f"127.0.1.{number % 200 + 1}").status)
            except Exception as error:
                faults.append(repr(error))

    flooders = [threading.Thread(target=flood, args=(number,)) for number in range(64)]
    for flooder in flooders:
        flooder.start()
    times = []
    try:
        with gate.connect() as connection:
            for _ in range(40):
                began = time.monotonic()
                connection.send(push(path=GOOD))
                answer = connection.answer()
                expect(answer and answer.status == 200, f"a good push in the flood: {answer and answer.text}")
                times.append(time.monotonic() - began)
                time.sleep(0.03)
    finally:
        stop.set()
        for flooder in flooders:
            flooder.join()
    expect(not faults, faults[:3])
    expect(set(statuses) <= {401, 429, 503}, set(statuses))
    expect(sorted(times)[-4] < 0.5, f"slow: {sorted(times)[-6:]}")


def cache_keys_are_framed(gate):
    """What is remembered for one pair of user and password is no good for another way to cut the same bytes."""
    expect(gate.ask(push(path=GOOD, auth=login("colon"))).status == 200, "the right login")
    for user, password in (("co", "lon:a:b:c"), ("colon", "a:b:c\0"), ("colona", ":b:c"),
                           ("good", "a:b:c"), ("colon", USERS["good"]), ("colon", "a:b:c ")):
        unauthorized.check(gate, push(auth=login(user, password)))


def user_is_removed(gate):
    """A user who was taken out, or whose password changed, is refused at once, on a connection that is open too."""
    users = gate.folder / "htpasswd"
    before = users.read_bytes()
    with gate.connect() as connection:
        connection.send(push(path=GOOD, auth=login("short")))
        expect(connection.answer().status == 200, "before")
        users.write_bytes(b"".join(line for line in before.splitlines(True) if not line.startswith(b"short:")))
        gate.reload()
        connection.send(push(auth=login("short")))
        expect(connection.answer().status in (401, 403), "a removed user on an open connection")
    expect(gate.ask(push(auth=login("short"))).status == 401, "a removed user")
    users.write_bytes(before)
    gate.reload()
    expect(gate.ask(push(path=GOOD, auth=login("short"))).status == 200, "a user who is back")


def failures_cost_no_memory(gate):
    before = gate.resident_bytes()
    with gate.connect() as connection:
        for number in range(400):
            connection.send(push(auth=login(f"user{number}", f"password {number}" + "x" * 60)))
            if connection.answer().closes:
                break
    expect(gate.resident_bytes() - before < 8 << 20, f"{gate.resident_bytes() - before} bytes more")


def secrets_stay_inside(gate):
    """No password that was used, right or wrong, is in log, audit trail, metrics, or a core."""
    gate.ask(push(auth=login("good", "a-wrong-secret")))
    gate.ask(push(auth=login("a-secret-typed-as-user", "x")))
    gate.ask(push(b"Cookie: a-secret-cookie"))
    gate.ask(push(path=PATH + b"/%FF"))
    time.sleep(0.2)
    audit = "".join(file.read_text() for file in gate.folder.glob("audit*"))
    encoded = [base64.b64encode(f"good:{text}".encode()).decode() for text in (USERS["good"], "a-wrong-secret")]
    for text in (gate.log(), audit, gate.metrics()):
        for secret in [*USERS.values(), "a-wrong-secret", "a-secret-typed", "a-secret-cookie", *encoded]:
            expect(len(secret) < 5 or secret not in text, f"{secret} is told")


def order_of_checks(gate):
    """Before the login nothing is told that depends on the path, and nothing of the body is taken in."""
    huge = request(b"Content-Length: 999999999", auth=None)
    expect(gate.ask(huge).status == 401, "a huge body without a login")
    for path in (b"/metrics/job/%FF", b"/metrics/job/a%2Fb", b"/metrics/job/a/b", b"/metrics/job/x?y=z"):
        expect(gate.ask(push(path=path, auth=None)).status == 401, f"{path} without a login")
        expect(gate.ask(push(path=path)).status == 400, f"{path} with one")
    expect(gate.ask(push(b"Content-Encoding: br", auth=None)).status == 401, "a coding without a login")
    expect(gate.ask(request(auth=None)).status == 401, "no length and no login")


def nothing_is_buffered_before(gate):
    before = gate.resident_bytes()
    connections = [gate.connect() for _ in range(60)]
    for connection in connections:
        connection.send(request(b"Content-Length: 4000000", auth=None))
        try:
            connection.send(bytes(100_000))
        except OSError:
            pass
    grown = gate.resident_bytes() - before
    for connection in connections:
        expect(connection.answer().status == 401, "not refused")
        connection.socket.close()
    expect(grown < 8 << 20, f"{grown} bytes more for bodies of strangers")


def each_request_by_itself(gate):
    with gate.connect() as connection:
        for auth, status in ((LOGIN, 200), (None, 401), (LOGIN, 200), (login("good", "x"), 401), (LOGIN, 200)):
            connection.send(push(path=GOOD, auth=auth))
            expect(connection.answer().status == status, f"not {status}")


def audit_line(gate):
    """Refusals before the login are summed, without the name that was given; those behind it name the user."""
    gate.ask(push(auth=login("evil\x1b[31m\"", "x")))
    gate.ask(push(path=PATH + b"/x"))
    end = time.monotonic() + 5
    records = []
    while time.monotonic() < end and not any(record.get("user") == "good" and record["verdict"] == "refused"
                                             for record in records):
        records = [json.loads(line) for line in (gate.folder / "audit").read_text().splitlines()]
        time.sleep(0.05)
    else:
        expect(time.monotonic() < end, "no line for a refusal behind the login")
    expect("\x1b" not in gate.log() and "[31m" not in pathlib.Path(gate.folder / "audit").read_text(), "escapes")


ROWS = [
    Row("E001", "without a login the challenge comes at once", Does("refused"), challenge),
    Row("E002", "another scheme", unauthorized, *fields(
        b"Authorization: Bearer abc", b"Authorization: Digest username=x", b"Authorization: Negotiate YII=",
        b"Authorization: Basically Z29vZA==", b"Authorization:")),
    Row("E003", "the scheme in any case", Accepted(), *fields(
        LOGIN.replace(b"Basic", b"bAsIc"), LOGIN.replace(b"Basic", b"BASIC"))),
    Row("E004", "no token, a tab, two tokens, a comma", unauthorized, *fields(
        b"Authorization: Basic", b"Authorization: Basic ", LOGIN.replace(b"Basic ", b"Basic\t"), LOGIN + b" " + LOGIN[21:],
        LOGIN + b",", LOGIN + b", Basic x", LOGIN.replace(b"Basic ", b"Basic"))),
    Row("E004", "two spaces before the token, which RFC 9110 allows", Accepted(), *fields(
        LOGIN.replace(b"Basic ", b"Basic  "))),
    Row("E005", "base64 in another alphabet, or with something in it", unauthorized, *fields(
        *(said(b"u?>:\xff\xff~~").replace(b"+", b"-").replace(b"/", b"_"),),
        *(LOGIN[:30] + bad + LOGIN[30:] for bad in (b" ", b"\t", b"-", b"_", b"=", b"%", b".", b"\\n")))),
    Row("E005", "a line end or a NUL in base64", Refused(400), *fields(
        *(LOGIN[:30] + bad + LOGIN[30:] for bad in (b"\n", b"\r\n", b"\0", b"\x80")))),
    Row("E006", "padding that is missing, too much or not zero", unauthorized, *fields(
        *(b"Authorization: Basic " + token for token in (
            b"dTpwZ", b"dTpwZ=", b"dTpwZh==", b"dTpw====", b"dTpwZg=", b"dTpwZg", b"dTpwZg===", b"=", b"====", b"d")))),
    Row("E007", "no colon", unauthorized, *fields(said(b"good"), said(b"gooda good password"))),
    Row("E008", "no user, no password, only a colon", unauthorized, *fields(
        said(b":a good password"), said(b"good:"), said(b":"), said(b"::"))),
    Row("E009", "a colon in the password", Accepted(), *fields(login("colon"))),
    Row("E010", "a NUL in the password ends nothing", unauthorized, *fields(
        login("short", "p\0junk"), login("short", "p\0"), login("short", "\0p"), login("good", "a good password\0"))),
    Row("E011", "a control character in the user", unauthorized, *fields(
        said(b"go\0od:a good password"), said(b"good\0:a good password"), said(b"good\r\n:a good password"),
        said(b"\x1bgood:a good password"), said(b"good\x7f:a good password"))),
    Row("E012", "bytes that are no UTF-8, and another normal form, are other bytes", unauthorized, *fields(
        said(b"good:\xff\xfe"), said(b"\xff:x"), said("snow:".encode() + "☃\ufe0e".encode() * 12),
        said("ｇood:a good password".encode()))),
    Row("E013", "a password longer than bcrypt reads", unauthorized, *fields(
        login("exact", "x" * 73), login("exact", "x" * 72 + "y"), login("exact", "x" * 255), login("snow", "☃" * 25))),
    Row("E014", "a password of exactly 72 bytes, of one byte each and of three", Accepted(), *fields(
        login("exact"), login("snow"))),
    Row("E014", "one byte less of it", unauthorized, *fields(login("exact", "x" * 71), login("snow", "☃" * 23 + "\u2600"))),
    Row("E015", "credentials of 8 KiB and 1 MiB", Refused(431), *fields(
        said(b"good:" + b"x" * 8192), said(b"good:" + b"x" * (1 << 20)))),
    Elsewhere("E016", "the vectors of bcrypt", "exactly the hashes that can match their own password are taken"),
    Row("E017", "the hashes with the old fault", Does("not started"), check_users_file(
        b"u:" + GOOD_HASH.replace(b"$2b$", b"$2x$"))),
    Row("E018", "hashes of kinds that there are not", Does("not started"), check_users_file(*(
        b"u:" + GOOD_HASH.replace(b"$2b$", kind) for kind in (b"$2$", b"$2c$", b"$2z$", b"$2B$", b"$3b$", b"2b$")))),
    Row("E019", "a cost that is no cost, or would stop the machine", Does("not started"), check_users_file(*(
        b"u:" + GOOD_HASH.replace(b"$04$", cost) for cost in (b"$03$", b"$15$", b"$31$", b"$32$", b"$4$", b"$0a$",
                                                               b"$-4$", b"$99$")))),
    Row("E020", "a hash that is malformed", Does("not started"), check_users_file(
        b"u:" + GOOD_HASH[:-1], b"u:" + GOOD_HASH + b"x", b"u:" + GOOD_HASH.replace(b"abc", b"a*c"),
        b"u:$2b$04$", b"u:")),
    Row("E021", "the word that stands for no hash", Does("not started"), check_users_file(b"u:*0", b"u:*1", b"u:!", b"u:x")),
    Row("E022", "hashes that are not bcrypt", Does("not started"), check_users_file(
        b"u:$apr1$abcdefgh$aNPBYZNvvtRPqMQBNMMSU.", b"u:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", b"u:abJnggxhB/yWI",
        b"u:{PLAIN}secret", b"u:$6$salt$hash", b"u:$argon2id$v=19$m=1,t=1,p=1$a$b", b"u:secret")),
    Row("E023", "an empty user and a line without a colon", Does("not started"), check_users_file(
        b":" + GOOD_HASH, b"u" + GOOD_HASH, b"\0:" + GOOD_HASH)),
    Elsewhere("E024", "line ends, comments, blank lines, a million lines", "size and number of users are bounded"),
    Row("E025", "no difference in time between the ways to be wrong", Does("same"), no_difference_in_time,
        gate=MANY_COSTLY_FAILURES),
    Elsewhere("E026", "users with different costs", "every user costs the same, known or not"),
    Row("E027", "no difference in the answer between the ways to be wrong", Does("same"), same_for_all_failures,
        gate=MANY_FAILURES),
    Row("E028", "guessing gets slower, and its end is told", Does("slowed"), brute_force, gate=FEW_COSTLY_FAILURES),
    Row("E029", "a victim's limit cannot be used up for him", Does("accepted"), burnt_bucket, gate=FEW_COSTLY_FAILURES),
    Row("E030", "a flood of costly checks delays nobody who is known", Does("accepted"), costly_flood,
        gate=MANY_COSTLY_FAILURES),
    Row("E031", "what is remembered of one login is no good for another", Does("refused"), cache_keys_are_framed,
        gate=MANY_FAILURES),
    Row("E032", "a user who is taken out is refused at once", Does("refused"), user_is_removed, gate=MANY_FAILURES),
    Row("E033", "failures are not remembered one by one", Does("bounded"), failures_cost_no_memory,
        gate=MANY_FAILURES),
    Row("E034", "no secret is told anywhere", Does("hidden"), secrets_stay_inside, gate=MANY_FAILURES),
    Row("E035", "two logins", Refused(400), push(LOGIN), push(login("other")), push(b"Authorization: Bearer x")),
    Row("E036", "the order of decisions", Does("refused"), order_of_checks, gate=MANY_FAILURES),
    Row("E037", "bodies of strangers are not taken in", Does("refused"), nothing_is_buffered_before,
        gate=MANY_FAILURES),
    Row("E038", "each request says anew who sends it", Does("refused"), each_request_by_itself, gate=MANY_FAILURES),
    Row("E039", "the login does not go on to the Pushgateway", Accepted(), push(), push(b"Proxy-Authorization: Basic x")),
    Row("E040", "a refusal has its line, and no escape in it", Does("told"), audit_line, gate=MANY_FAILURES),
    Row("E041", "a login in another place is none", unauthorized,
        push(login().replace(b"Authorization", b"Proxy-Authorization"), auth=None),
        push(login().replace(b"Authorization", b"X-Authorization"), auth=None),
        push(auth=None, path=PATH + b"?user=good&password=a%20good%20password"),
        request(b"Transfer-Encoding: chunked", auth=None, body=b"1d\r\n" + BODY + b"\r\n0\r\n" + LOGIN + b"\r\n\r\n")),
    NotHere("E042", "the login in a table of HPACK", "is for who sends a login; the gate sends none"),
]
