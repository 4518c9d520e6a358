"""The critical-difference picture: systems on an axis of mean ranks, a bar over those that cannot be told apart."""

from __future__ import annotations

from html import escape

from benchmarks.versus.ranks import Comparison

WIDTH, LEFT, AXIS_TOP, LINE = 860.0, 190.0, 74.0, 24.0
STYLE = (
    "<style>text{font:13px system-ui,sans-serif;fill:#222}line{stroke:#222}"
    ".bar{stroke-width:5;stroke:#777}.ours{font-weight:700}</style>"
)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str = "") -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"{f" class={kind!r}" if kind else ""}/>'


def _text(x: float, y: float, words: str, anchor: str, kind: str = "") -> str:
    named = f" class={kind!r}" if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(words)}</text>'


def critical_difference_svg(comparison: Comparison) -> str:
    """Best on the left. The bar on top is as long as the critical difference."""
    count = len(comparison.systems)

    def place(rank: float) -> float:
        return LEFT + (rank - 1.0) / max(count - 1, 1) * (WIDTH - 2 * LEFT)

    order = sorted(range(count), key=lambda index: comparison.mean_ranks[index])
    groups, half = comparison.groups, (count + 1) // 2
    first_label = AXIS_TOP + 24.0 + 10.0 * len(groups)
    height = first_label + LINE * half + 8.0
    shown = min(comparison.critical_difference, count - 1.0)
    label = f"critical difference {comparison.critical_difference:.2f}: {comparison.data_sets} data sets"
    parts = [_line(place(1), 34, place(1 + shown), 34), _text(place(1), 22, label, "start")]
    parts += [_line(place(1), 30, place(1), 38), _line(place(1 + shown), 30, place(1 + shown), 38)]
    parts.append(_line(place(1), AXIS_TOP, place(count), AXIS_TOP))
    for rank in range(1, count + 1):
        parts += [_line(place(rank), AXIS_TOP - 6, place(rank), AXIS_TOP), _text(place(rank), AXIS_TOP - 10, str(rank), "middle")]
    for number, (first, last) in enumerate(groups):
        y = AXIS_TOP + 12.0 + 10.0 * number
        ends = [place(comparison.mean_ranks[order[position]]) for position in (first, last)]
        parts.append(_line(ends[0] - 4, y, ends[1] + 4, y, "bar"))
    for position, index in enumerate(order):
        name, x = comparison.systems[index], place(comparison.mean_ranks[index])
        left = position < half
        y = first_label + LINE * (position if left else count - 1 - position)
        edge, anchor = (LEFT - 14, "end") if left else (WIDTH - LEFT + 14, "start")
        words = f"{name} {comparison.mean_ranks[index]:.2f}"
        parts += [_line(x, AXIS_TOP, x, y), _line(x, y, edge, y)]
        parts.append(_text(edge + (-5 if left else 5), y + 4, words, anchor, "ours" if name.startswith("ours") else ""))
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img">\n'
        f"<title>Mean ranks over {comparison.data_sets} data sets</title>\n{STYLE}\n"
        f'<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
    )
