# SPDX-License-Identifier: GPL-2.0
"""How good are verdicts?  The figures of a model beside those of its controls.

"Positive" is "migrate".  A false positive is a harmful migration let through,
a false negative a good one refused; the reduction is the share of all proposed
migrations that were refused.  A scheduler that always refuses has the best
reduction there is, so no figure means anything without the controls.
"""

from __future__ import annotations

import numpy as np
from load_patterns import Rows

METRICS = ("accuracy", "precision", "recall", "false_positive_rate", "false_negative_rate",
           "auc", "migration_reduction")
HEADINGS = ("accuracy", "precision", "recall", "false pos.", "false neg.", "AUC", "reduction")


def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Probability that a random positive scores above a random negative; ties count half."""
    _, group, size = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(size) - (size - 1) / 2)[group]
    positives = int(labels.sum())
    negatives = len(labels) - positives
    return float((ranks[labels == 1].sum() - positives * (positives + 1) / 2)
                 / (positives * negatives))


def judge(scores: np.ndarray, labels: np.ndarray, threshold: float) -> dict[str, float]:
    """All METRICS of the verdicts score > threshold; NaN where there is nothing to divide by."""
    verdict, wanted = scores > threshold, labels == 1
    with np.errstate(invalid="ignore", divide="ignore"):
        hits = np.float64((verdict & wanted).sum())
        return {
            "accuracy": float((verdict == wanted).mean()),
            "precision": float(hits / verdict.sum()),
            "recall": float(hits / wanted.sum()),
            "false_positive_rate": float((verdict & ~wanted).sum() / np.float64((~wanted).sum())),
            "false_negative_rate": float((~verdict & wanted).sum() / np.float64(wanted.sum())),
            "auc": auc(scores, labels),
            "migration_reduction": float(1.0 - verdict.mean()),
        }


def judge_with_controls(scores: np.ndarray, rows: Rows,
                        threshold: float) -> dict[str, dict[str, float]]:
    """The model, always and never migrating, and the rule behind synthetic labels."""
    n = len(rows)
    table = {
        "model": judge(scores, rows.labels, threshold),
        "always migrate": judge(np.ones(n), rows.labels, 0.5),
        "never migrate": judge(np.zeros(n), rows.labels, 0.5),
    }
    if rows.truth is not None:
        table["rule, no noise"] = judge(rows.truth, rows.labels, 0.5)
    return table


def format_table(table: dict[str, dict[str, float]]) -> str:
    """Aligned text, one line a policy."""
    lines = [f"{'':<16}" + "".join(f"{heading:>12}" for heading in HEADINGS)]
    for name, figures in table.items():
        cells = ("-" if np.isnan(figures[m]) else f"{figures[m]:.4f}" for m in METRICS)
        lines.append(f"{name:<16}" + "".join(f"{cell:>12}" for cell in cells))
    return "\n".join(lines)
