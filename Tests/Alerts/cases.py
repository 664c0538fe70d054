"""What every alert does in an hour: fires, stays silent, ends. Each case is a healthy hour with something changed, and
says which alerts fire at which minute: those and no others. promtool runs the shipped rules over it.

A series is a function from second to value, None where it is not scraped. time() is 0 at the start of a test."""

import json
import math
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
RULES = sorted((ROOT / "deploy/prometheus/rules").glob("*.yml"))
STEP, HOUR = 15, 3600
GIB = 1 << 30

PUSH_TIME = 'push_time_seconds{job="xserver-bot"}'
PUSH_FAILURE = 'push_failure_time_seconds{job="xserver-bot"}'
CPU = 'xserver_cpu_usage_ratio{job="xserver-bot"}'
MEMORY = 'xserver_memory_used_bytes{job="xserver-bot"}'
PUSHGATEWAY = 'up{job="pushgateway",instance="127.0.0.1:9091"}'
RELAY = 'halu_relay_heartbeat_ts_seconds{job="halu-relay"}'
GATE = 'job="kanmon",instance="127.0.0.1:9444"'
GATE_UP = f"up{{{GATE}}}"
ADDRESSES = f"kanmon_connections_refused_total{{{GATE}}}"
SCRAPE_OK = f"kanmon_upstream_scrape_ok{{{GATE}}}"
CERTIFICATE = f"kanmon_tls_certificate_not_after_timestamp_seconds{{{GATE}}}"
RELOAD = f"kanmon_config_last_reload_successful{{{GATE}}}"
AUDIT = f"kanmon_audit_failures_total{{{GATE}}}"


def refusals(reason):
    return f'kanmon_refusals_total{{{GATE},reason="{reason}"}}'


def always(value):
    return lambda second: value


def each(seconds, begin=0, end=math.inf, size=1):
    """A counter that grows by one every so many seconds, from begin to end; also, with size, a time of a push."""
    def value(second):
        return max(0, (min(second, end) - begin) // seconds) * size
    return value


def pushes_until(end, every=60):
    """The time of the last push when the job dies at a second."""
    return lambda second: min(second, end) // every * every


def between(begin, end, inside, outside):
    return lambda second: inside if begin <= second < end else outside


def gone(begin, end, otherwise):
    return lambda second: None if begin <= second < end else otherwise(second)


def healthy():
    series = {
        PUSH_TIME: pushes_until(math.inf), PUSH_FAILURE: always(0), CPU: always(0.3), MEMORY: always(GIB),
        PUSHGATEWAY: always(1), RELAY: lambda second: second, GATE_UP: always(1), ADDRESSES: always(0),
        SCRAPE_OK: always(1), CERTIFICATE: always(90 * 86400), RELOAD: always(1), AUDIT: always(0),
    }
    for reason in ["credentials_missing", "wrong_credentials", "body_invalid", "body_too_slow", "access_refused",
                   "upstream_unreachable", "upstream_refused", "draining", "not_ready"]:
        series[refusals(reason)] = always(0)
    return series


def pushed_again(death, return_):
    return lambda second: pushes_until(death)(second) if second < return_ else second // 60 * 60


def down(begin, end, *names):
    """A target that cannot be scraped: up is 0, the rest is gone."""
    changed = {PUSHGATEWAY if names[0] == PUSH_TIME else GATE_UP: between(begin, end, 0, 1)}
    base = healthy()
    return changed | {name: gone(begin, end, base[name]) for name in names}


PUSHED = [PUSH_TIME, PUSH_FAILURE, CPU, MEMORY, RELAY]
GATES = [ADDRESSES, SCRAPE_OK, CERTIFICATE, RELOAD, AUDIT]

STALE, MISSING = "XserverPushStale", "XserverPushMissing"

# name, what is changed, {minute: the alerts that fire then}
CASES = [
    ("an hour in which all is well", {}, {1: [], 10: [], 30: [], 45: []}),
    ("one lost push, and two in a row, are nobody's trouble",
     {PUSH_TIME: lambda s: 1800 if 1800 <= s < 1980 else s // 60 * 60}, {32: [], 33: [], 36: []}),
    ("the cron job dies at minute 20, comes back at 40",
     {PUSH_TIME: pushed_again(1200, 2400)},
     {23: [], 24.75: [], 25.5: [STALE], 29: [STALE], 30.5: [STALE, MISSING], 39: [STALE, MISSING], 40.5: [], 45: []}),
    ("the group is lost while the Pushgateway answers, from minute 20 to 40",
     {name: gone(1200, 2400, healthy()[name]) for name in [PUSH_TIME, PUSH_FAILURE, CPU, MEMORY]},
     {24: [], 26: [STALE], 30.5: [MISSING], 39: [MISSING], 40.5: []}),
    ("the group is lost after the cron job had died",
     {PUSH_TIME: gone(1800, math.inf, pushes_until(1200))},
     {28: [STALE], 31: [STALE, MISSING], 39.75: [STALE, MISSING], 40.25: [MISSING], 45: [MISSING]}),
    ("the group is lost before the death of the cron job is 10 minutes old: nothing looks like a recovery",
     {PUSH_TIME: gone(1620, math.inf, pushes_until(1200))},
     {26: [STALE], 28: [STALE], 30.5: [STALE, MISSING], 36: [STALE, MISSING], 38: [MISSING], 45: [MISSING]}),
    ("the Pushgateway stops when the cron job is dead, and comes back without the group",
     {PUSH_TIME: gone(2100, math.inf, pushes_until(1200)), PUSHGATEWAY: between(2100, 2700, 0, 1)},
     {34: [STALE, MISSING], 39: ["PushgatewayDown"], 46: [MISSING]}),
    ("nobody has ever pushed", {name: always(None) for name in [PUSH_TIME, PUSH_FAILURE, CPU, MEMORY]},
     {1: [MISSING], 30: [MISSING]}),
    ("CPU is high for 20 minutes", {CPU: between(1200, 2400, 0.95, 0.3)},
     {30: [], 36: ["XserverHighCPU"], 39: ["XserverHighCPU"], 42: []}),
    ("CPU is high for 8 minutes", {CPU: between(1200, 1680, 1, 0.3)}, {29: [], 32: [], 36: []}),
    ("CPU is high when the cron job dies: its alert ends",
     {CPU: always(0.99), PUSH_TIME: pushes_until(1800)},
     {20: ["XserverHighCPU"], 32: ["XserverHighCPU"], 34: [], 36: [STALE], 45: [STALE, MISSING]}),
    ("memory is high for 20 minutes", {MEMORY: between(1200, 2400, 3 * GIB, GIB)},
     {30: [], 36: ["XserverHighMemory"], 39: ["XserverHighMemory"], 45: []}),
    ("exactly 2 GiB are not too much", {MEMORY: always(2 * GIB)}, {20: [], 30: []}),
    ("memory is high when the cron job dies: its alert ends",
     {MEMORY: always(3 * GIB), PUSH_TIME: pushes_until(1800)},
     {20: ["XserverHighMemory"], 34: [], 36: [STALE]}),
    ("only every second push arrives, until minute 40",
     {PUSH_TIME: lambda s: s // 120 * 120 if s < 2400 else s // 60 * 60},
     {9: [], 22: ["XserverPushFlapping"], 39: ["XserverPushFlapping"], 50: []}),
    ("a push every four minutes is never stale for two minutes, but too rare",
     {PUSH_TIME: pushes_until(math.inf, 240)}, {25: ["XserverPushFlapping"], 35: ["XserverPushFlapping"]}),
    ("the Pushgateway refuses pushes from minute 20 to 24",
     {PUSH_FAILURE: lambda s: min(s, 1425) if s >= 1200 else 0, PUSH_TIME:
      lambda s: 1140 if 1200 <= s < 1440 else s // 60 * 60},
     {21: [], 23: ["XserverPushRejected"], 25: []}),
    ("the Pushgateway is down or broken from minute 20 to 30: nothing else speaks",
     down(1200, 1800, *PUSHED), {22: [], 24: ["PushgatewayDown"], 29: ["PushgatewayDown"], 31: []}),
    ("the Pushgateway is not scraped at all", {name: always(None) for name in [PUSHGATEWAY]},
     {2: [], 5: ["PushgatewayDown"]}),
    ("the relay's heart stops at minute 10, beats again at 50", {RELAY: lambda s: 600 if 600 < s < 3000 else s},
     {25: [], 39: [], 41: ["HaluRelayHeartbeatMissing"], 49: ["HaluRelayHeartbeatMissing"], 51: []}),
    ("the relay's heartbeat is gone, from minute 10 to 50", {RELAY: gone(600, 3000, lambda s: s)},
     {25: [], 39: [], 41: ["HaluRelayHeartbeatMissing"], 51: []}),
    ("the relay is away for 20 minutes", {RELAY: lambda s: 600 if 600 < s < 1800 else s}, {29: [], 31: [], 45: []}),
    ("the gate is down from minute 20 to 30", down(1200, 1800, *GATES),
     {21: [], 23: ["KanmonDown"], 29: ["KanmonDown"], 31: []}),
    ("the gate is restarted", down(1200, 1230, *GATES), {20.5: [], 22: [], 25: []}),
    ("an address that is not allowed knocks every minute from minute 10 to 30", {ADDRESSES: each(60, 600, 1800)},
     {20: [], 25: ["KanmonAddressRefused"], 29: ["KanmonAddressRefused"], 36: []}),
    ("a scanner comes by once with 20 connections", {ADDRESSES: lambda s: 20 if s >= 1200 else 0},
     {21: [], 25: [], 31: []}),
    ("a wrong password every minute from minute 10 to 30", {refusals("wrong_credentials"): each(60, 600, 1800)},
     {14: [], 20: ["KanmonAuthFailures"], 29: ["KanmonAuthFailures"], 36: []}),
    ("no login at all, every minute", {refusals("credentials_missing"): each(60, 600, 1800)},
     {20: ["KanmonAuthFailures"], 36: []}),
    ("one mistyped password", {refusals("wrong_credentials"): lambda s: int(s >= 1200)}, {21: [], 26: []}),
    ("one invalid push", {refusals("body_invalid"): lambda s: int(s >= 1200)},
     {19: [], 20.5: ["KanmonRefusals"], 34: ["KanmonRefusals"], 36: []}),
    ("a push that the Pushgateway refused", {refusals("upstream_refused"): lambda s: int(s >= 1200)},
     {20.5: ["KanmonRefusals"], 36: []}),
    ("one body that was cut on its way", {refusals("body_too_slow"): lambda s: int(s >= 1200)}, {21: [], 35: []}),
    ("a body that is cut every time", {refusals("body_too_slow"): each(60, 1200, 1800)},
     {21: [], 25: ["KanmonRefusals"], 46: []}),
    ("the gate ends, and its readiness is asked for meanwhile",
     {refusals("draining"): each(60), refusals("not_ready"): each(60)}, {20: [], 30: []}),
    ("the gate finds the Pushgateway broken from minute 20 to 30", {SCRAPE_OK: between(1200, 1800, 0, 1)},
     {21: [], 23: ["KanmonUpstreamFailing"], 31: []}),
    ("pushes find no Pushgateway from minute 20 to 30", {refusals("upstream_unreachable"): each(60, 1200, 1800)},
     {21: [], 27: ["KanmonUpstreamFailing"], 29: ["KanmonUpstreamFailing"], 36: []}),
    ("one push met a Pushgateway that restarts", {refusals("upstream_unreachable"): lambda s: int(s >= 1200)},
     {21: [], 24: []}),
    ("the certificate has 14 days left from minute 20, is renewed at 40",
     {CERTIFICATE: lambda s: 14 * 86400 + 1200 if s < 2400 else 90 * 86400},
     {19: [], 26: ["KanmonCertificateExpires"], 39: ["KanmonCertificateExpires"], 41: []}),
    ("a reload is refused at minute 20, mended at 30", {RELOAD: between(1200, 1800, 0, 1)},
     {19: [], 22: ["KanmonReloadFailed"], 29: ["KanmonReloadFailed"], 31: []}),
    ("the disk of the audit log is full for a moment", {AUDIT: lambda s: int(s >= 1200)},
     {19: [], 20.5: ["KanmonAuditFailing"], 36: []}),
]


def values(function):
    """In promtool's notation. A series that ends is marked as stale, as Prometheus does when it is not scraped."""
    written, was_there = [], False
    for second in range(0, HOUR + STEP, STEP):
        value = function(second)
        written.append(("stale" if was_there else "_") if value is None else repr(value))
        was_there = value is not None
    return " ".join(written)


def as_promtool_test(case):
    name, changes, expected = case
    return {
        "name": name, "interval": f"{STEP}s",
        "input_series": [{"series": series, "values": values(function)}
                         for series, function in (healthy() | changes).items()],
        "promql_expr_test": [
            {"expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": f"{int(minute * 60)}s",
             "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in alerts]}
            for minute, alerts in expected.items()],
    }


def check(case, rules=None):
    """What promtool says against a case, empty when all of it is as expected."""
    with tempfile.TemporaryDirectory(prefix="kanmon-alerts-") as folder:
        path = pathlib.Path(folder) / "test.yml"
        path.write_text(json.dumps({"rule_files": [str(rule) for rule in rules or RULES], "evaluation_interval": "15s",
                                    "tests": [as_promtool_test(case)]}))
        result = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True)
        return "" if result.returncode == 0 else result.stdout + result.stderr
