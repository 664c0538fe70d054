"""What is measured, with whom, and what it is to show at least."""

import dataclasses
import socket
import ssl
import typing

from contenders import CORES, HAProxy, Kanmon, Nginx, NullUpstream, RealPushgateway
from load import LARGE, LARGES, SMALL, Load, h2load, request, wrk

FLOOD_PER_SECOND = 1000
GOOD_PER_SECOND = 200
HERD = 2000
IDLE = 2000


@dataclasses.dataclass
class Contestant:
    """One line of a scenario's table."""

    name: str
    start: typing.Callable  # (tools, upstream) -> Contender
    measure: typing.Callable  # (Contender, seconds) -> Tally
    is_fresh: bool = False  # Started anew for each round: what a round leaves behind would change the next.
    is_aside: bool = False  # Measured once, after the others, for it may take long.


@dataclasses.dataclass
class Scenario:
    """The first contestant is compared with the others, by one figure."""

    key: str
    title: str
    contestants: list
    figure: str = "cpu_us"
    at_most: dict = dataclasses.field(default_factory=dict)  # Ratios, by the name of the other.
    at_least: dict = dataclasses.field(default_factory=dict)
    upstream: type = NullUpstream
    seconds: int = 1  # As a multiple of those asked for.
    reason_to_skip: typing.Callable = lambda *gates: None


def all_three(measure, **settings):
    return [Contestant(kind.name, lambda tools, upstream, kind=kind: kind(tools, upstream, **settings), measure)
            for kind in [Kanmon, Nginx, HAProxy]]


# What is measured, beside what is measured of everything.

def fresh_connections(gate, seconds):
    tally = Load(gate, seconds=seconds).tally().require_all_accepted()
    if tally["resumed"] or tally["full"] < tally["pushes"]:
        raise SystemExit(f"not a full handshake for each push: {tally}")
    return tally


def resumed_connections(gate, seconds):
    tally = Load(gate, seconds=seconds, resumed=1).tally().require_all_accepted()
    if tally["full"] > 32:
        raise SystemExit(f"not every handshake but the first of a client was resumed: {tally}")
    return tally


def herd(gate, _):
    tally = Load(gate, clients=HERD, once=1, within_ms=1000, own_addresses=1, seconds=20).tally()
    tally["lost"] = HERD - tally["pushes"] + tally["refused"]
    return tally


def idle(gate, _):
    """Bytes for each connection that has carried a push and is kept; the login is known by then."""
    Load(gate, clients=32, once=1, own_addresses=1, seconds=60).tally().require_all_accepted()
    before = gate.memory_bytes()
    clients = Load(gate, clients=IDLE, once=1, hold=1, within_ms=4000, own_addresses=1, seconds=20)
    clients.wait_until_held()
    held = gate.memory_bytes() - before
    tally = clients.tally().require_all_accepted()
    tally["idle_bytes"] = held / tally["pushes"]
    return tally


def good_pushes(gate, seconds):
    return Load(gate, clients=20, kept=1, interval_ms=20_000 // GOOD_PER_SECOND, address="127.0.0.2",
                seconds=seconds).tally()


def good_pushes_in_a_flood(gate, seconds):
    good_pushes(gate, 1)  # Who pushes every minute is known when a flood begins.
    # The flood gives way to those who are measured, with whom it has a processor in common.
    flood = Load(gate, request(SMALL, "bench:wrong-000000000"), gives_way=True, clients=200, kept=1,
                 guess=1, interval_ms=200_000 // FLOOD_PER_SECOND, seconds=seconds + 1)
    tally = good_pushes(gate, seconds)
    wrong = flood.tally()
    if wrong["refused"] < wrong["pushes"]:
        raise SystemExit(f"a wrong password was accepted: {wrong}")
    tally["flood_per_second"] = wrong["pushes"] / wrong["seconds"]
    return tally


def enough_for_two(gate, seconds):
    """As many connections for each of two workers as one has in the other scenarios."""
    return wrk(gate, seconds, connections=64)


def refuses_http2(gate, *_):
    context = ssl._create_unverified_context()
    context.set_alpn_protocols(["h2"])
    try:
        with context.wrap_socket(socket.create_connection(("127.0.0.1", gate.port))) as connection:
            return None if connection.selected_alpn_protocol() == "h2" else "Kanmon does not choose h2"
    except ssl.SSLError:
        return "Kanmon refuses h2"


def bcrypt_nginx(tools, upstream):
    return Nginx(tools, upstream, logs_in=True)


SCENARIOS = [
    Scenario("keepalive", "kept-alive connections", all_three(wrk), at_most={"nginx": 0.65, "HAProxy": 0.85}),
    Scenario("handshake", "a new connection with a full handshake for each push", all_three(fresh_connections),
             at_most={"nginx": 0.85}),
    Scenario("resumption", "a new connection with a resumed handshake for each push", all_three(resumed_connections),
             at_most={"nginx": 0.85}),
    Scenario("large", "kept-alive connections, 124 kB body",
             all_three(lambda gate, seconds: wrk(gate, seconds, LARGE)) + [
                 Contestant("Kanmon, other names each time", Kanmon,
                            lambda gate, seconds: wrk(gate, seconds, *LARGES))],
             at_most={"nginx": 1.3}),
    Scenario("http2", "HTTP/2, 8 connections of 4 streams", all_three(h2load), at_most={"nginx": 0.8},
             reason_to_skip=refuses_http2),
    Scenario("bcrypt", "kept-alive connections, nginx and HAProxy check bcrypt at cost 10 too",
             all_three(lambda gate, seconds: wrk(gate, seconds, connections=8), logs_in=True),
             figure="rate", at_least={"nginx": 1000}),
    Scenario("herd", f"{HERD:,} clients within one second, each from its own address",
             all_three(herd) + [
                 Contestant("Kanmon, just started", Kanmon, herd, is_fresh=True),
                 Contestant("nginx with bcrypt", bcrypt_nginx, herd, is_fresh=True, is_aside=True)],
             figure="last_served", at_most={"nginx": 1.0}),
    Scenario("idle", f"{IDLE:,} kept connections that are idle",
             [dataclasses.replace(one, is_fresh=True) for one in all_three(idle)],
             figure="idle_bytes", at_most={"nginx": 1.0}),
    Scenario("flood", f"{GOOD_PER_SECOND} good pushes a second beside {FLOOD_PER_SECOND:,} wrong passwords",
             [Contestant("Kanmon", Kanmon, good_pushes_in_a_flood),
              Contestant("Kanmon, calm", Kanmon, good_pushes),
              Contestant("nginx with bcrypt", bcrypt_nginx, good_pushes_in_a_flood, is_fresh=True, is_aside=True)],
             figure="p99_ms", at_most={"Kanmon, calm": 2.0}, seconds=2),
    Scenario("workers", "kept-alive connections, two workers on two processors",
             [Contestant("Kanmon", lambda tools, upstream: Kanmon(tools, upstream, workers=2), enough_for_two),
              Contestant("Kanmon, one worker", Kanmon, enough_for_two)],
             at_most={"Kanmon, one worker": 1.1},
             reason_to_skip=lambda *_: None if len(CORES) > 1 else "there is one processor"),
    Scenario("pushgateway", "kept-alive connections, before a real Pushgateway", all_three(wrk),
             upstream=RealPushgateway),
]
