#!/usr/bin/python3
"""Kanmon beside nginx and HAProxy: what a push costs, and what becomes of pushes when it gets hard.

    Tests/Benchmarks/bench.py [--quick] [--rounds N] [--seconds S] [--readme] [SCENARIO...]

The proxy has the first processor for itself, load and upstream the last one. Contestants take turns in each round,
so that all see the same minute: what to read is the ratio, its median and its spread over the rounds. Table and
chart go to .build/bench/; --readme puts them into the READMEs. It measures and does not judge: the exit code is 0
when everything was measured. Needs a release build (make build), nginx, haproxy, wrk, h2load, cc. Loopback only.
"""

import argparse
import contextlib
import resource
import time

import report
from contenders import CORES, LOAD_CORE, Tools
from load import Load
from scenarios import SCENARIOS


def main():
    arguments = read_arguments()
    if LOAD_CORE == CORES[0]:
        print("There is one processor: proxy and load share it, and figures other than CPU time mean little.")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    chosen = [one for one in SCENARIOS if not arguments.scenarios or one.key in arguments.scenarios]
    results = []
    with Tools() as tools:
        for scenario in chosen:
            result = measure(scenario, tools, arguments.rounds, arguments.seconds)
            print(report.details(result), flush=True)
            results.append(result)
    report.write(results, arguments)


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two rounds of a second, to try it")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--readme", action="store_true", help="puts table and chart into the READMEs")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(one.key for one in SCENARIOS))
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (2 if arguments.quick else 5)
    arguments.seconds = arguments.seconds or (1 if arguments.quick else 3)
    unknown = set(arguments.scenarios) - {one.key for one in SCENARIOS}
    if unknown:
        parser.error(f"no such scenario: {', '.join(unknown)}")
    return arguments


def measure(scenario, tools, rounds, seconds):
    """The tallies of each contestant, one a round; or why there are none."""
    result = report.Result(scenario, {one.name: [] for one in scenario.contestants})
    seconds *= scenario.seconds
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(scenario.upstream(tools))
        gates = {one.name: stack.enter_context(one.start(tools, upstream))
                 for one in scenario.contestants if not one.is_fresh}
        result.skipped = scenario.reason_to_skip(*gates.values())
        if result.skipped:
            return result
        for one in scenario.contestants:
            if one.name in gates:
                first_push(gates[one.name])
                tally_of(one, gates[one.name], 1)
        for number in range(rounds + 1):
            for one in scenario.contestants:
                if one.is_aside == (number == rounds):
                    result.tallies[one.name].append(tally_in_turn(one, gates, tools, upstream, seconds))
    return result


def first_push(gate):
    """A password is verified once a day and user, and by a thread that gives way to everyone."""
    Load(gate, clients=1, once=1, seconds=60).tally().require_all_accepted()


def tally_in_turn(contestant, gates, tools, upstream, seconds):
    if contestant.name in gates:
        tally = tally_of(contestant, gates[contestant.name], seconds)
        settle(gates[contestant.name])
        return tally
    with contestant.start(tools, upstream) as gate:
        return tally_of(contestant, gate, seconds)


def tally_of(contestant, gate, seconds):
    before = gate.cpu_us()
    tally = contestant.measure(gate, seconds)
    used = gate.cpu_us() - before
    tally["cpu_us"] = used / max(tally["pushes"], 1)
    tally["rate"] = tally["pushes"] / tally["seconds"]
    tally["busy"] = used / 1e6 / tally["seconds"] / len(gate.cores)
    tally["memory"] = gate.memory_bytes()
    return tally


def settle(gate):
    """Waits until it has done what was left to do, which would be counted as another's."""
    end, last = time.monotonic() + 10, None
    while last != (last := gate.cpu_us()) and time.monotonic() < end:
        time.sleep(0.1)


main()
