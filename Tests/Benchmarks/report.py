"""What was measured, for people: tables of Markdown, and a chart."""

import dataclasses
import datetime
import pathlib
import platform
import re
import statistics
import subprocess
import sys

from contenders import CORES, KANMON

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "Tests/EndToEnd"))
import picture  # noqa: E402

FIGURES = {
    "cpu_us": ("CPU µs/push", lambda value: f"{value:,.1f}"),
    "rate": ("pushes/s", lambda value: f"{value:,.0f}"),
    "p50_ms": ("p50 ms", lambda value: f"{value:,.2f}"),
    "p99_ms": ("p99 ms", lambda value: f"{value:,.2f}"),
    "memory": ("memory MB", lambda value: f"{value / 1e6:,.1f}"),
    "busy": ("busy", lambda value: f"{value:.0%}"),
    "last_served": ("last served after s", lambda value: f"{value:.2f}"),
    "unanswered": ("unanswered", lambda value: f"{value:,.0f}"),
    "lost": ("lost", lambda value: f"{value:,.0f}"),
    "idle_bytes": ("bytes/connection", lambda value: f"{value:,.0f}"),
    "flood_per_second": ("answers to the flood/s", lambda value: f"{value:,.0f}"),
    "full": ("handshakes", lambda value: f"{value:,.0f}"),
    "resumed": ("resumed", lambda value: f"{value:,.0f}"),
}


@dataclasses.dataclass
class Ratio:
    """The first contestant's figure to another's, round by round, and how it should be."""

    other: str
    values: list
    at_most: float = None
    at_least: float = None
    has_lost: bool = False

    def __str__(self):
        if not self.values:
            return "no other was measured"
        return f"{number(self.median)} ({number(min(self.values))}..{number(max(self.values))})"

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def judged(self):
        """What is wanted, and whether it is so."""
        if self.at_most is None and self.at_least is None:
            return ""
        if self.at_least is not None:
            wanted, is_met = f"at least {self.at_least:,g}", self.values and self.median >= self.at_least
        else:
            wanted, is_met = f"at most {self.at_most:g}", self.values and self.median <= self.at_most
        return f"{wanted}: {'met' if is_met and not self.has_lost else 'not met'}"


@dataclasses.dataclass
class Result:
    scenario: object
    tallies: dict
    skipped: str = None

    def median(self, name, figure):
        values = [tally[figure] for tally in self.tallies.get(name, []) if figure in tally]
        return statistics.median(values) if values else None

    def shown(self, name, figure):
        value = self.median(name, figure)
        return "" if value is None else FIGURES[figure][1](value)

    def outcome(self, name):
        """The figure that is compared, and that pushes were lost."""
        shown, lost = self.shown(name, self.scenario.figure), self.lost(name)
        return f"{shown}, {lost:,} lost" if lost else shown

    def lost(self, name):
        return max(tally.get("lost", 0) for tally in self.tallies[name])

    def ratios(self):
        first, *others = self.scenario.contestants
        for other in others:
            if other.is_aside:
                continue
            values = [one[self.scenario.figure] / two[self.scenario.figure]
                      for one, two in zip(self.tallies[first.name], self.tallies[other.name])
                      if two[self.scenario.figure]]
            yield Ratio(other.name, values, self.scenario.at_most.get(other.name),
                        self.scenario.at_least.get(other.name), self.lost(first.name) > 0)


def number(value):
    return f"{value:.2f}" if value < 100 else f"{value:,.0f}"


def row(*cells):
    return "| " + " | ".join(cells) + " |"


def details(result):
    """All about one scenario."""
    lines = ["", f"{result.scenario.key}: {result.scenario.title}", ""]
    if result.skipped:
        return "\n".join(lines + [f"SKIPPED: {result.skipped}"])
    figures = [key for key in FIGURES if any(key in tally for tallies in result.tallies.values() for tally in tallies)]
    lines += [row("", *(FIGURES[key][0] for key in figures)), row("---", *("---:" for _ in figures))]
    lines += [row(name, *(result.shown(name, key) for key in figures)) for name in result.tallies]
    lines.append("")
    for ratio in result.ratios():
        judged = f"; {ratio.judged}" if ratio.judged else ""
        lines.append(f"Kanmon / {ratio.other}, {FIGURES[result.scenario.figure][0]}: {ratio}{judged}")
    return "\n".join(lines)


def summary(results, arguments):
    """One line a scenario."""
    lines = [row("scenario", "figure", "Kanmon", "beside", "", "ratio (least..most)"),
             row("---", "---", "---:", "---", "---:", "---:")]
    for result in results:
        if result.skipped:
            lines.append(row(result.scenario.title, f"skipped: {result.skipped}", "", "", "", ""))
            continue
        first, *others = [one.name for one in result.scenario.contestants]
        figure = result.scenario.figure
        ratios = {ratio.other: ratio for ratio in result.ratios()}
        lines.append(row(
            result.scenario.title, FIGURES[figure][0], result.outcome(first), "<br>".join(others),
            "<br>".join(map(result.outcome, others)),
            "<br>".join(str(ratios.get(other, "")) for other in others)))
    return "\n".join([surroundings(arguments), "", *lines, ""])


def surroundings(arguments):
    def said(*command):
        return subprocess.run(command, capture_output=True, text=True, check=True)

    versions = [said(KANMON, "--version").stdout.split("\n")[0], said("nginx", "-v").stderr.split("/")[-1].strip(),
                said("haproxy", "-v").stdout.split()[2]]
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return (f"{datetime.date.today()}, {versions[0]}, nginx {versions[1]}, HAProxy {versions[2]}; "
            f"{model.group(1) if model else platform.machine()}, {len(CORES)} processors; "
            f"medians of {arguments.rounds} rounds of {arguments.seconds} s, ratio with the least and the most. "
            "Small pushes are 531 bytes; a client pushes the same names each time, where nothing else is said; what "
            "stands behind does nothing, where no Pushgateway is named.")


def chart(results):
    """A bar for each scenario: how much Kanmon takes of what nginx takes."""
    shown = [(result, ratio) for result in results if not result.skipped
             for ratio in result.ratios()
             if ratio.other == "nginx" and ratio.values and ratio.at_least is None]
    left, wide, step = 540, 300, 44
    scale = wide / max([1.3] + [max(ratio.values) for _, ratio in shown])
    height = 2 * picture.EDGE + step * (len(shown) + 1)
    line = left + scale
    parts = [picture.text_at(line, picture.EDGE + 10, "nginx", picture.DIM, anchor="middle"),
             f'<path d="M{line:.1f} {picture.EDGE + 18}V{height - picture.EDGE}" stroke="{picture.DIM}"/>']
    for place, (result, ratio) in enumerate(shown):
        y = picture.EDGE + step * (place + 0.75)
        median, least, most = (take(ratio.values) * scale for take in [statistics.median, min, max])
        colour = picture.GREEN if median <= scale else picture.RED
        figure = FIGURES[result.scenario.figure][0]
        parts += [picture.text_at(picture.EDGE, y + 14, result.scenario.title, picture.INK, 13),
                  picture.text_at(picture.EDGE, y + 29, figure, picture.DIM, 11),
                  f'<rect x="{left}" y="{y + 4}" width="{median:.1f}" height="18" rx="3" fill="{colour}"/>',
                  f'<path d="M{left + least:.1f} {y + 13}H{left + most:.1f}" stroke="{picture.INK}" stroke-width="2"/>',
                  picture.text_at(left + wide + 16, y + 18, f"{ratio}", picture.INK, 12)]
    return picture.svg(left + wide + 190, height, "What Kanmon takes beside nginx, with its spread", parts)


def write(results, arguments):
    text = summary(results, arguments)
    print(f"\n{text}")
    folder = ROOT / ".build/bench"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.md").write_text(text)
    (folder / "chart.svg").write_text(chart(results))
    print(f"Written: {folder}/table.md, {folder}/chart.svg")
    if arguments.readme:
        put_into_readmes(text, chart(results))


def put_into_readmes(text, drawing):
    (ROOT / "deploy/pictures/bench.svg").write_text(drawing)
    shown = f"![What Kanmon takes beside nginx](deploy/pictures/bench.svg)\n\n{text}"
    for name in ["README.md", "README.ja.md"]:
        file = ROOT / name
        replaced, count = re.subn("(?<=<!-- make bench -->\n).*(?=<!-- end -->)", lambda _: shown, file.read_text(),
                                  flags=re.DOTALL)
        if count != 1:
            raise SystemExit(f"{name} has no place for the table")
        file.write_text(replaced)
