"""G: what a path can mean, and to whom."""

import base64
import json
import urllib.request

from gate import Pushgateway, chunked, push, request
from table import Accepted, Does, Elsewhere, Refused, Row, expect_forwarded
from wire import expect

refused = Refused(400, closes=False)
absent = Refused(404, closes=False)
forbidden = Refused(403, closes=False)

RIGHTS = {"users_settings": ", users: {good: {groups: [{job: attacks-good}, {job: A}]}, other: {groups: [{job: B}]}}"}


def jobs(*values):
    return [push(path=b"/metrics/job/" + value) for value in values]


def paths(*values):
    return [push(path=value) for value in values]


def labels(*values):
    return [push(path=b"/metrics/job/attack/" + value) for value in values]


def base64_jobs(*values):
    return [push(path=b"/metrics/job@base64/" + value) for value in values]


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class Reaches:
    """Accepted, and sent on under exactly this path."""

    word = "accepted"

    def __init__(self, path):
        self.path = path

    def check(self, gate, attempt):
        Accepted().check(gate, attempt)
        path = gate.recorder.pushes[-1].path
        expect(path == self.path, f"sent on as {path}")


def methods(gate):
    before = len(gate.recorder.pushes)
    for method in (b"GET", b"HEAD", b"PATCH", b"OPTIONS", b"QUERY", b"PROPFIND", b"LOCK", b"MKCOL"):
        with gate.connect() as connection:
            connection.send(request(line=method + b" /metrics/job/attack HTTP/1.1"))
            answer = connection.answer(has_body=method != b"HEAD")
            expect(answer.status == 405 and answer.fields["allow"] == "DELETE, POST, PUT", f"{method}: {answer.status}")
        with gate.connect() as connection:
            connection.send(request(line=method + b" /nowhere HTTP/1.1"))
            expect(connection.answer(has_body=method != b"HEAD").status == 404, f"{method} elsewhere")
    expect_forwarded(gate, before, [])


def nothing_of_the_pushgateway(gate):
    """The Pushgateway is not asked for what does not exist here."""
    before = len(gate.recorder.pushes)
    for path in (b"/-/quit", b"/%2d/quit", b"/api/v1/admin/wipe", b"/api/v1/metrics", b"/api/v1/status",
                 b"/debug/pprof/", b"/debug/pprof/heap", b"/static/x", b"/status", b"/", b"/metrics", b"/metrics/",
                 b"/favicon.ico", b"/.git/config"):
        for method in (b"GET", b"PUT", b"POST", b"DELETE"):
            answer = gate.ask(request(line=method + b" " + path + b" HTTP/1.1"))
            expect(answer.status == 404 and "location" not in answer.fields, f"{method} {path}: {answer.status}")
    expect_forwarded(gate, before, [])


def canonical_forms(gate):
    """Each way to write a group is sent on in one; the recorder knows which."""
    forms = [
        (b"/metrics/job/a/b/c/d/e", b"/metrics/job/a/b/c/d/e"), (b"/metrics/job/a/d/e/b/c", b"/metrics/job/a/b/c/d/e"),
        (b"/metrics/job/%61/b@base64/Yw/d/%65", b"/metrics/job/a/b/c/d/e"),
        (b"/metrics/job@base64/YQ==/d/e/b@base64/Yw==", b"/metrics/job/a/b/c/d/e"),
        (b"/metrics/job/a/d/e/b/c/x@base64/=", b"/metrics/job/a/b/c/d/e"),
    ]
    for written, canonical in forms:
        Reaches(canonical).check(gate, push(path=written))


def quota_counts_canonically(gate):
    """Two groups are allowed: the same one in three forms is one of them, the third one is refused."""
    for path in (b"/metrics/job/a/x/1/y/2", b"/metrics/job/a/y/2/x/1", b"/metrics/job@base64/YQ/x/%31/y/2"):
        expect(gate.ask(push(path=path)).status == 200, f"{path}")
    answer = gate.ask(push(path=b"/metrics/job/a/x/2"))
    expect(answer.status == 429, f"a third group: {answer.status}")


def poisons(gate):
    """Whatever is refused makes no group, and the real Pushgateway stays fit to be scraped."""
    for row in ROWS:
        if isinstance(row, Row) and row.verdict in (refused, absent):
            for attempt in row.attempts:
                expect(gate.ask(attempt).status >= 400, f"{attempt[:100]} is accepted")
    upstream = f"http://127.0.0.1:{gate.recorder.port}"
    with urllib.request.urlopen(upstream + "/metrics", timeout=10) as answer:
        expect(answer.status == 200, "the scrape")
    with urllib.request.urlopen(upstream + "/api/v1/metrics", timeout=10) as answer:
        groups = [entry["labels"] for entry in json.load(answer)["data"]]
    expect(groups == [{"job": "attacks-good"}], f"groups that are there: {groups}")


ROWS = [
    Row("G001", "a slash in percent-encoding", refused, *jobs(b"a%2Finstance%2Fb", b"a%2fb", b"%2F", b"a/b/%2F")),
    Row("G002", "the route in percent-encoding", absent, *paths(
        b"/metrics%2Fjob%2Fenc", b"/metrics/%6aob/enc", b"/%6detrics/job/enc", b"/metrics%2fjob/x")),
    Row("G003", "a NUL in a label", refused, *jobs(b"%00", b"a%00b"), *labels(b"l/%00", b"l%00/a")),
    Row("G004", "a control character in a label", refused,
        *jobs(*(b"a%%%02Xb" % byte for byte in [*range(0x20), 0x7f]), b"a%C2%80b", b"a%C2%9Fb"),
        *labels(b"l/%0d%0a", b"l/%09", b"l/%1B%5B31m")),
    Row("G005", "text that is no UTF-8", refused, *jobs(b"%FF%FE", b"a%FF", b"%FE"), *labels(b"l/%FF", b"l%FF/a")),
    Row("G006", "text that is no UTF-8, in base64", refused, *base64_jobs(b"__4", b"__4="), *labels(b"l@base64/__4")),
    Row("G007", "text that only looks like UTF-8", refused, *jobs(
        b"%C0%AF", b"%C0%80", b"%ED%A0%80", b"%ED%BF%BF", b"%F4%90%80%80", b"%80", b"%E2%82", b"%F8%88%80%80%80",
        b"%E0%80%AF")),
    Row("G008", "dot segments", refused, *jobs(
        b"..", b".", b"%2e%2e", b"%2E", b".%2e", b"..%2f", b".%00.", b"a/../b", b"a/l/.."), *labels(b"../x", b"l/.")),
    Row("G008", "dot segments before the route", absent, *paths(
        b"/./metrics/job/a", b"/x/../metrics/job/a", b"/metrics/./job/a", b"/metrics/../metrics/job/a")),
    Row("G009", "empty segments", refused, *jobs(b"/x", b"a//b", b"a/l//b", b"a//"), *paths(b"/metrics/job//")),
    Row("G009", "empty segments before the route", absent, *paths(b"//metrics/job/a", b"/metrics//job/a")),
    Row("G010", "one slash behind the job is the same group", Reaches(b"/metrics/job/x"), *jobs(b"x/", b"x")),
    Row("G010", "a slash behind a label", refused, *labels(b"l/a/", b"l/a//")),
    Row("G011", "the route in other letters", absent, *paths(b"/METRICS/JOB/x", b"/Metrics/job/x", b"/metrics/Job/x")),
    Row("G012", "a percent sign that encodes nothing", refused, *jobs(b"%", b"%2", b"%zz", b"a%", b"%%", b"%u0041", b"% 4"[:2])),
    Row("G013", "what is encoded twice is decoded once", Reaches(b"/metrics/job/%252F"), *jobs(b"%252F")),
    Row("G014", "a query", refused, *jobs(b"x?job=z", b"x?", b"x?a=b&c=d")),
    Row("G015", "characters that need no encoding in a path", Reaches(b"/metrics/job/a%3Bb%2Cc%3Dd%40e%3Af"), *jobs(
        b"a;b,c=d@e:f", b"a%3Bb%2Cc%3Dd%40e%3Af")),
    Row("G015", "characters that do, encoded", Reaches(b"/metrics/job/a%23%5C%7C%22%20"), *jobs(b"a%23%5C%7C%22%20")),
    Row("G015", "the same, not encoded", Refused(400), *jobs(b"a\\b", b"a|b", b'a"b', b"a#b", b"a^b", b"a`b", b"a{b}")),
    Row("G016", "a job that is empty", refused, *jobs(b""), *base64_jobs(b"", b"=", b"=/l/a")),
    Row("G017", "base64 that is not of the kind for URLs", refused, *base64_jobs(
        b"a+b=", b"YQ=b", b"YQ=", b"YQ===", b"Y", b"YR", b"YR==", b"YWJ", b"Y Q"[:1], b"%0A", b"YQ%3D%3D%3D", b"====")),
    Row("G017", "base64 with padding or without", Reaches(b"/metrics/job/a"), *base64_jobs(b"YQ", b"YQ==", b"YQ%3D%3D")),
    Row("G018", "a slash and a dot segment are written in base64", Reaches(b"/metrics/job@base64/YS9i"),
        *base64_jobs(encoded(b"a/b"))),
    Row("G018", "a control character in base64", refused, *base64_jobs(
        *(encoded(data) for data in (b"\0", b"a\nb", b"\x7f", b"\x1b[31m", b"\xc2\x85")))),
    Row("G018", "a megabyte in base64", Refused(414), *base64_jobs(encoded(b"a" * (1 << 20)))),
    Row("G019", "a label name that is none, or not to be had", refused, *labels(
        b"1a/x", b"a-b/x", b"__name__/x", b"__x/x", b"a.b/x", b"%C3%A4/x", b"a%20b/x", b"@base64/eA", b"a@base32/x",
        b"a:b/x")),
    Row("G020", "a label twice", refused, *labels(b"l/a/l/b", b"l/a/l/a", b"l/a/l@base64/YQ", b"l/a/m/b/%6C/c")),
    Row("G021", "the job again", refused, *labels(b"job/evil", b"job@base64/ZXZpbA", b"l/a/job/evil", b"%6aob/x")),
    Row("G022", "an odd number of parts", refused, *labels(b"l", b"l/a/m")),
    Row("G023", "a label too many", refused, *labels(b"/".join(b"l%d/x" % number for number in range(17)))),
    Row("G023", "as many as may be", Accepted(), *labels(b"/".join(b"l%d/x" % number for number in range(16)))),
    Row("G023", "a path that is too long", Refused(414), *jobs(b"x" * 4097)),
    Row("G024", "another user's job, in each way to write it", forbidden, *jobs(b"B", b"%42", b"B/"),
        *base64_jobs(b"Qg", b"Qg=="), *jobs(b"C", b"a", b"A%20", b"AA"), gate=RIGHTS),
    Row("G024", "one's own, in each way to write it", Reaches(b"/metrics/job/A"), *jobs(b"A", b"%41", b"A/"),
        *base64_jobs(b"QQ"), gate=RIGHTS),
    Row("G025", "a label of the body that contradicts the path", refused,
        push(body=b'm{job="other"} 1\n'), push(body=b'm{l="b"} 1\n', path=b"/metrics/job/attack/l/a"),
        chunked(b'11\r\nm{job="other"} 1\n\r\n0\r\n\r\n')),
    Row("G026", "what only the Pushgateway has", Does("absent"), nothing_of_the_pushgateway),
    Row("G027", "paths that look alike", absent, *paths(
        b"/metricsX", b"/metrics/jobX/a", b"/metrics/job", b"/metrics/job@base32/x", b"/metrics/job@base64",
        b"/metrics/jobs/x", b"/metric/job/x", b"/metrics;x/job/a", b"/metrics/job;/a")),
    Row("G028", "methods that do nothing here", Does("refused"), methods),
    Row("G029", "escaped names", refused, *labels(b"U__a_2e_b/x", b"U__instance/x")),
    Row("G030", "letters of any script are letters", Accepted(), *jobs(
        b"%D0%B0", b"%E2%80%AEabc", b"%F0%9F%98%80", b"%E9%96%A2%E9%96%80", b"a%CC%88")),
    Elsewhere("G031", "the canonical path is a fixed point", "a canonical path is a fixed point with the same labels"),
    Row("G032", "the order of labels makes no other group", Does("same"), canonical_forms),
    Row("G032", "nor for a quota, and a group too many is told so", Does("refused"), quota_counts_canonically,
        gate={"users_settings": ", users: {good: {limits: {groups_max: 2}}}"}),
    Elsewhere("G033", "groups without end by one user", "so are groups, until one is deleted"),
    Row("G005", "none of all that harms a real Pushgateway", Does("unharmed"), poisons,
        gate={"upstream": Pushgateway}),
]
