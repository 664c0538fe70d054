"""A catalogue is a table: each row has an id, a sentence, a verdict that is demanded, and what is tried."""

import pathlib
import re
import ssl

from gate import BODY, Gate, ROOT
from wire import Failure


class Skipped(Exception):
    """A program that the row needs is not there."""


class Row:
    """Something that is tried: bytes, or pieces that are records of their own, or a function of the gate. Of several
    attempts each is tried. `gate` is what a gate of its own is started with."""

    def __init__(self, id, name, verdict, *attempts, gate=None):
        self.id, self.name, self.verdict, self.attempts, self.gate = id, name, verdict, attempts, gate or {}

    word = property(lambda self: self.verdict.word)

    def run(self, gates):
        gate = gates(**self.gate)
        for number, attempt in enumerate(self.attempts, 1):
            try:
                self.verdict.check(gate, attempt)
            except Skipped:
                raise
            except Exception as error:
                raise Failure(f"attempt {number} of {len(self.attempts)}: {error!r}: {repr(attempt)[:160]}") from error
        gate.check_invariants()


class Elsewhere:
    """A row that a test of another kind makes true, by the test's name."""

    def __init__(self, id, name, test):
        self.id, self.name, self.test = id, name, test


class NotHere:
    """A row that does not apply, with the reason."""

    def __init__(self, id, name, reason):
        self.id, self.name, self.reason = id, name, reason


class Does:
    """What the attempt checks by itself."""

    def __init__(self, word):
        self.word = word

    def check(self, gate, attempt):
        attempt(gate)


class Refused:
    """One answer with one of these statuses, then the end: nothing behind it was parsed, nothing forwarded."""

    word = "refused"

    def __init__(self, *statuses, closes=True):
        self.statuses, self.closes = statuses, closes

    def check(self, gate, attempt):
        before = len(gate.recorder.pushes)
        with gate.connect() as connection:
            send(connection, attempt)
            self.expect(connection)
        expect_forwarded(gate, before, [])

    def expect(self, connection):
        answer = connection.answer()
        if answer is None or answer.status not in self.statuses:
            raise Failure(f"{answer and (answer.status, answer.text)}, not {self.statuses}")
        if self.closes and not (answer.closes and connection.is_closed()):
            raise Failure(f"{answer.status}, and the connection stays")


class Accepted:
    """Taken, as many times as there are bodies, and forwarded as exactly these."""

    word = "accepted"

    def __init__(self, *bodies, then=None):
        self.bodies, self.then = bodies or (BODY,), then

    def check(self, gate, attempt):
        before = len(gate.recorder.pushes)
        with gate.connect() as connection:
            send(connection, attempt)
            for _ in self.bodies:
                answer = connection.answer()
                if answer is None or answer.status != 200:
                    raise Failure(f"{answer and (answer.status, answer.text)}, not 200")
            if self.then:
                self.then.expect(connection)
        expect_forwarded(gate, before, self.bodies)


def send(connection, attempt):
    """A gate that has heard enough may end the connection while we are still sending."""
    try:
        connection.send_pieces([attempt] if isinstance(attempt, bytes) else attempt)
    except (ConnectionError, ssl.SSLError):
        pass


def expect_forwarded(gate, before, bodies):
    forwarded = [push.body for push in gate.recorder.pushes[before:]]
    if forwarded != list(bodies):
        raise Failure(f"the Pushgateway got {forwarded}"[:300])


class Gates:
    """One gate for each way to start one, kept until the end."""

    def __init__(self):
        self.started = {}

    def __call__(self, **settings):
        key = repr(sorted(settings.items()))
        # One that a row has killed is no reason for the rows behind it to fail.
        if key not in self.started or self.started[key].process.poll() is not None:
            self.started[key] = Gate(**settings)
        return self.started[key]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for gate in self.started.values():
            gate.__exit__()

    @property
    def slowest_good(self):
        return max((gate.slowest_good for gate in self.started.values()), default=0.0)


def names_of_tests():
    """Of all tests of the repository: functions in backquotes, and files that are run by themselves."""
    names = set()
    for file in (ROOT / "Tests").rglob("*"):
        if file.suffix == ".swift":
            names.update(re.findall(r"func `([^`]+)`", file.read_text()))
        if file.suffix in (".py", ".sh", ".swift"):
            names.add(str(pathlib.Path(file).relative_to(ROOT)))
    return names
