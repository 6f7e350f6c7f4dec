# SPDX-License-Identifier: GPL-2.0
"""Results as an SVG: three quantities down, topologies across, one row a scheduler and profile.

A mark is the median over the seeds of the difference to EEVDF with the same seed,
the line through it goes from the smallest to the largest.  Text stays text, and the
colours follow the reader's light or dark scheme.  Of virtual machines, or simulated.
"""

import html
import math

from compare import numbers
from compare.numbers import BASE

# Told apart by shape as well as by colour (Okabe and Ito's, lighter ones on dark).
PROFILES = {
    "make": ("#0072b2", "#56b4e9", "circle"),
    "message": ("#d55e00", "#f0975a", "square"),
    "mixed": ("#00805f", "#2fc99b", "triangle"),
    "imbalance": ("#a8477f", "#e59ac4", "diamond"),
    "make1": ("#0072b2", "#56b4e9", "ring"),
    "makehalf": ("#5c6f7c", "#a9bac6", "circle"),
    "server": ("#8a6d00", "#e0b83a", "square"),
    "phases": ("#6a51a3", "#b3a0e6", "triangle"),
}
LABELS, PANEL, GAP, LINE, ROW_GAP = 190, 350, 40, 11, 7
TOP, HEAD, FOOT = 104, 34, 44


class Scale:
    """From a value to a position in a panel, with ticks.  Beyond the ends: at the end."""

    def __init__(self, low, high, logarithmic, ticks, text):
        self.low, self.high, self.logarithmic, self.text = low, high, logarithmic, text
        self.ticks = [t for t in ticks if low <= t <= high]

    def at(self, value):
        value = min(max(value, self.low), self.high)
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low) * PANEL
        return (value - self.low) / (self.high - self.low) * PANEL


def percent_scale(found):
    low, high = min(found + [-5]), max(found + [10])
    step = next(s for s in (5, 10, 20, 50, 100, 1000) if (high - low) / s <= 7)
    first, last = math.floor(low / step), math.ceil(high / step)
    ticks = [n * step for n in range(first, last + 1)]
    return Scale(first * step, last * step, False, ticks, lambda t: f"{t:+d} %" if t else "0")


def times_scale(found):
    positive = [n for n in found if 0 < n < numbers.INFINITE]
    low, high = max(min(positive + [0.5]) / 1.1, 0.05), max(positive + [2]) * 1.1
    ticks = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]
    return Scale(low, high, True, ticks, lambda t: f"{t:g}")


def quantities(makespan, moves, wait):
    """The three, each with what it is to be at most."""
    return (
        ("Makespan, difference to EEVDF", lambda l, b: numbers.changes(l, b, "makespan_ms"), percent_scale, 0, makespan),
        ("Moves between CPUs, times EEVDF's", lambda l, b: numbers.ratios(l, b, "moves"), times_scale, 1, moves),
        ("99th percentile of the wait for a CPU, times EEVDF's", lambda l, b: numbers.ratios(l, b, "wait_p99_us"),
         times_scale, 1, wait),
    )


def mark(shape, x, y, name):
    drawn = {
        "circle": f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"',
        "square": f'<rect x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7"',
        "triangle": f'<path d="M{x:.1f} {y - 4.5:.1f} l4.5 8 h-9 z"',
        "diamond": f'<path d="M{x:.1f} {y - 5:.1f} l5 5 l-5 5 l-5 -5 z"',
        "ring": f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill-opacity="0" stroke-width="2"',
    }[shape]
    return f'{drawn} class="{name}"/>'


def style(profiles):
    light = "".join(f".{n} {{ fill: {PROFILES[n][0]}; stroke: {PROFILES[n][0]}; }} " for n in profiles)
    dark = "".join(f".{n} {{ fill: {PROFILES[n][1]}; stroke: {PROFILES[n][1]}; }} " for n in profiles)
    return f"""<style>
text {{ font-family: Helvetica, Arial, sans-serif; font-size: 13px; fill: #1f2328; }}
.title {{ font-weight: bold; }} .small {{ font-size: 11.5px; fill: #57606a; }}
.paper {{ fill: #ffffff; }} .panel {{ fill: none; stroke: #8c959f; }} .grid {{ stroke: #d8dee4; }}
.zero {{ stroke: #1f2328; stroke-width: 1.5; }} .within {{ fill: #dafbe1; }} .stripe {{ stroke: #d8dee4; }}
.whisker {{ stroke-width: 1.6; }}
{light}
@media (prefers-color-scheme: dark) {{
text {{ fill: #e6edf3; }} .small {{ fill: #9da7b3; }} .paper {{ fill: #0d1117; }} .panel {{ stroke: #6e7681; }}
.grid, .stripe {{ stroke: #30363d; }} .zero {{ stroke: #e6edf3; }} .within {{ fill: #12361f; }}
{dark}
}}
</style>"""


def panel(x, y, height, scale, origin, bound, rows):
    """rows: [(y within the panel, profile, [values])], drawn at x, y."""
    out = [f'<g transform="translate({x},{y})">']
    left, right = scale.at(scale.low), scale.at(bound)
    out.append(f'<rect class="within" x="{left:.1f}" y="0" width="{right - left:.1f}" height="{height}"/>')
    for tick in scale.ticks:
        at = scale.at(tick)
        out.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{height}"/>')
        out.append(f'<text class="small" text-anchor="middle" x="{at:.1f}" y="{height + 16}">{scale.text(tick)}</text>')
    at = scale.at(origin)
    out.append(f'<line class="zero" x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{height}"/>')
    for row, profile, found in rows:
        low, middle, high = (scale.at(v) for v in (min(found), numbers.median(found), max(found)))
        out.append(f'<line class="whisker {profile}" x1="{low:.1f}" x2="{high:.1f}" y1="{row:.1f}" y2="{row:.1f}"/>')
        out.append(mark(PROFILES[profile][2], middle, row, profile))
    out.append(f'<rect class="panel" x="0" y="0" width="{PANEL}" height="{height}"/></g>')
    return out


def legend(profiles, shaded):
    out, x = [], LABELS
    for profile in profiles:
        out += [mark(PROFILES[profile][2], x + 6, 48, profile), f'<text x="{x + 17}" y="52">{profile}</text>']
        x += 110
    out.append('<text class="small" x="14" y="72">Mark: median over the seeds; line: smallest to largest; '
               f'shaded: {html.escape(shaded)}</text>')
    return out


def draw(cells, titles, heading, shaded, bounds, describe):
    """cells: as of numbers.cells_of(); titles: {name: title}; bounds: of quantities(); describe: a topology's text."""
    shown = {n: t for n, t in titles.items() if n != BASE and any(c.get(n) for c in cells.values())}
    topologies = list(dict.fromkeys(topology for topology, _ in cells))
    profiles = [p for p in PROFILES if any(profile == p for _, profile in cells)]
    block = LINE * len(profiles) + ROW_GAP
    height = block * len(shown)
    width = LABELS + (PANEL + GAP) * len(topologies)
    total = TOP + (HEAD + height + FOOT) * len(bounds)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {total}" role="img">',
           "<title>Schedulers against EEVDF: makespan, moves, wait for a CPU</title>", style(profiles),
           f'<rect class="paper" width="{width}" height="{total}"/>',
           f'<text class="title" x="14" y="24">{html.escape(heading)}</text>'] + legend(profiles, shaded)
    for number, (what, found_of, scale_of, origin, bound) in enumerate(quantities(*bounds)):
        top = TOP + number * (HEAD + height + FOOT)
        out.append(f'<text class="title" x="14" y="{top + 12}">{html.escape(what)}</text>')
        found = {(cell, n): f for cell, c in cells.items() for n in shown
                 if c.get(n) and (f := found_of(c[n], c.get(BASE, {})))}
        scale = scale_of([v for f in found.values() for v in f])
        for row, title in enumerate(shown.values()):
            y = top + HEAD + row * block
            out.append(f'<text text-anchor="end" x="{LABELS - 12}" y="{y + block / 2 + 4:.1f}">{html.escape(title)}</text>')
        for column, topology in enumerate(topologies):
            x = LABELS + column * (PANEL + GAP)
            out.append(f'<text class="small" text-anchor="end" x="{x + PANEL}" y="{top + HEAD - 8}">{describe(topology)}</text>')
            rows = [(i * block + (j + 0.5) * LINE + ROW_GAP / 2, profile, found[(topology, profile), name])
                    for i, name in enumerate(shown) for j, profile in enumerate(profiles)
                    if ((topology, profile), name) in found]
            out += panel(x, top + HEAD, height, scale, origin, bound, rows)
            out += [f'<line class="stripe" x1="{x}" x2="{x + PANEL}" y1="{top + HEAD + i * block}" y2="{top + HEAD + i * block}"/>'
                    for i in range(1, len(shown))]
    return "\n".join(out + ["</svg>"]) + "\n"


def describe_topology(topology):
    nodes, caches, cores = (int(n) for n in topology.split("x")[:3])
    return (f"{topology}: {nodes * caches * cores} CPUs, {nodes * caches} LLCs, "
            f"{nodes} node{'s' if nodes > 1 else ''}")


def svg(runs):
    return draw(numbers.usual(numbers.cells_of(runs)), numbers.titles_of(runs),
                "Schedulers against EEVDF, the same work by the same seed, in deterministic virtual machines",
                "what mlsched must keep to with no model",
                (numbers.MAKESPAN_PERCENT, numbers.MOVES_TIMES, numbers.WAIT_TIMES), describe_topology)


def svg_of_simulated(runs):
    """runs: of `mlsched sim --json`."""
    cells, titles = {}, {}
    for run in runs:
        cell = cells.setdefault((run["machine"], run["workload"]), {})
        cell.setdefault(run["policy"], {})[run["seed"]] = {
            "makespan_ms": run["makespan_ms"], "moves": run["moves"], "wait_p99_us": run["wait_p99_ms"] * 1e3}
        titles[run["policy"]] = run["policy"]
    return draw(cells, titles, "Policies against EEVDF, the same work by the same seed, simulated",
                "what a model is to keep to, of moves on a compile",
                (numbers.MAKESPAN_PERCENT, numbers.COMPILE_MOVES_TIMES, numbers.WAIT_TIMES), lambda machine: machine)
