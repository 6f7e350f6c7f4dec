# SPDX-License-Identifier: GPL-2.0
"""Numbers as markdown tables: `vm-compare table`, and the tables of docs/comparison.md."""

from compare import numbers
from compare.numbers import BASE


def spread(found, divisor=1, digits=0):
    """median (smallest–largest)"""
    scaled = [n / divisor for n in found]
    if not scaled:
        return "-"
    text = f"{numbers.median(scaled):.{digits}f}"
    if len(scaled) > 1:
        text += f" ({min(scaled):.{digits}f}–{max(scaled):.{digits}f})"
    return text


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def matrix(cells, titles, text_of):
    """Schedulers down, cells across; text_of(loads, base, is_base) is what stands there."""
    rows = []
    for name, title in titles.items():
        row = [text_of(c[name], c.get(BASE, {}), name == BASE) if c.get(name) else "" for c in cells.values()]
        rows.append([title] + row)
    return table([""] + [f"{topology} {profile}" for topology, profile in cells], rows)


def makespan_matrix(cells, titles):
    def text_of(loads, base, is_base):
        change = numbers.median(numbers.changes(loads, base, "makespan_ms"))
        if is_base:
            return f"{numbers.median(numbers.values(loads, 'makespan_ms')):.0f} ms"
        return "" if change is None else f"{change:+.1f} %"

    return matrix(cells, titles, text_of)


def ratio_matrix(cells, titles, field, divisor=1, unit=""):
    def text_of(loads, base, is_base):
        ratio = numbers.median(numbers.ratios(loads, base, field))
        if is_base:
            middle = numbers.median(numbers.values(loads, field)) / divisor
            return f"{middle:.{1 if unit else 0}f}{unit}"
        return "" if ratio is None or ratio == numbers.INFINITE else f"×{ratio:.2f}"

    return matrix(cells, titles, text_of)


def longest_matrix(cells, titles):
    return matrix(cells, titles, lambda loads, base, is_base: f"{numbers.longest_ms(loads):.0f} ms")


def moves_table(cell, titles):
    base = cell.get(BASE, {})
    columns = numbers.columns_of(cell)
    head = ["", "n", "makespan ms", "vs EEVDF"] + [f"moves {t}" if f.startswith("moves") else t for f, t, _, _ in columns]
    rows = []
    for name, title in titles.items():
        loads = cell.get(name)
        if not loads:
            continue
        change = numbers.median(numbers.changes(loads, base, "makespan_ms")) if name != BASE else None
        row = [title, str(len(loads)), spread(numbers.values(loads, "makespan_ms")),
               "" if change is None else f"{change:+.1f} %"]
        for field, _, divisor, digits in columns:
            text = spread(numbers.values(loads, field), divisor, digits)
            ratio = numbers.median(numbers.ratios(loads, base, field)) if name != BASE else None
            if field.startswith("moves") and ratio is not None and ratio != numbers.INFINITE:
                text += f" ×{ratio:.2f}"
            row.append(text)
        rows.append(row)
    return table(head, rows)


def latency_table(cell, titles):
    head = ["ms"] + [title for _, title, _, _ in numbers.LATENCIES]
    rows = [[title] + [spread(numbers.values(cell[name], field), divisor, digits)
                       for field, _, divisor, digits in numbers.LATENCIES]
            for name, title in titles.items() if cell.get(name)]
    return table(head, rows)


def cell_parts(cells, titles, level="###"):
    parts = []
    for (topology, profile), cell in cells.items():
        loads = next((c for c in cell.values() if c), {})
        work = [load["work_ms"] / load["cpus"] for load in loads.values()]
        parts += [f"{level} {topology}, {profile}", f"Work / CPUs: {spread(work)} ms.",
                  moves_table(cell, titles), latency_table(cell, titles)]
    return parts


def criteria_part(cells, titles, name):
    """The criteria of one scheduler, cell by cell, and how many hold; None without runs."""
    rows, head, held, asked = [], None, 0, 0
    for (topology, profile), cell in cells.items():
        found = numbers.criteria(cell.get(name, {}), cell.get(BASE, {}))
        if not found:
            continue
        head = ["", "n"] + [what for what, _, _ in found]
        asked += len(found)
        held += sum(holds for _, _, holds in found)
        rows.append([f"{topology} {profile}", str(len(cell[name]))]
                    + [value if holds else f"**{value}, no**" for _, value, holds in found])
    if head is None:
        return None
    return f"{titles[name]}: {held} of {asked} hold.\n\n" + table(head, rows)


def goals_part(cells, name="model"):
    """What a model is to win, goal by goal; None without runs."""
    goals = numbers.model_goals(cells, name)
    if not goals:
        return None
    rows = [[goal, f"{sum(holds for *_, holds in found)} of {len(found)}",
             "; ".join(f"{cell} {value}" for cell, value, holds in found if not holds)] for goal, found in goals]
    return table(["", "holds in", "missed"], rows)


def failures(runs):
    return [f"- {r['title']}, {r['topology']} {r['profile']}, seed {r['seed']}: {r['failed'].splitlines()[0]}"
            for r in runs if r["failed"]]


def markdown(runs):
    cells, titles = numbers.cells_of(runs), numbers.titles_of(runs)
    parts = cell_parts(cells, titles)
    parts += [p for name in titles if name != BASE and (p := criteria_part(cells, titles, name))]
    bad = failures(runs)
    if bad:
        parts.append("Failed:\n" + "\n".join(bad))
    return "\n\n".join(parts)
