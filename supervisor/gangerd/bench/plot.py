"""Figures as a picture: bars beneath each other, in SVG. Pure: a picture depends on its arguments alone."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from gangerd.bench.case import Figure

_WIDTH, _LABEL, _ROW, _HEAD, _GAP = 860, 300, 22, 34, 18
_BAR, _TEXT, _LINE = "#3b6ea5", "#1f2328", "#c4c9cf"


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars that are compared with each other: (label, length, what stands beside it)."""

    title: str
    bars: Sequence[tuple[str, float, str]]


def panels(figures: Mapping[str, Figure]) -> list[Panel]:
    """What of a run is worth a picture, as far as it was measured."""
    chosen = (
        ("No-op jobs per second, two workers", ("throughput.bare16", "throughput.noop"), False),
        ("Pushed per second", ("push.single", "push.pipelined", "push.bulk"), False),
        (
            "CPU of a job with an option, in plain jobs",
            tuple(f"options.{name}.cpu" for name in _OPTIONS),
            True,
        ),
        ("No-op jobs per second by shards", tuple(f"spread.shards.{n}" for n in (1, 2, 3)), False),
        (
            "No-op jobs per second by partitions",
            tuple(f"spread.partitions.{n}" for n in (1, 2, 4, 8, 12, 16)),
            False,
        ),
        (
            "Server's microseconds to claim and settle a job",
            tuple(key for key in figures if key.startswith("depth.")),
            False,
        ),
    )
    made = []
    for title, keys, by_ratio in chosen:
        found = [figures[key] for key in keys if key in figures]
        bars = [
            (figure.name, figure.ratio or 0.0, f"{figure.ratio or 0:.2f}")
            if by_ratio
            else (figure.name, figure.value, f"{figure.value:,.{0 if figure.value >= 100 else 1}f}")
            for figure in found
        ]
        if bars:
            made.append(Panel(title, bars))
    return made


_OPTIONS = (
    "tracked",
    "unique",
    "batch",
    "retained",
    "limit",
    "rate",
    "limit on a type",
    "limit by key",
    "a middleware",
)


def draw(shown: Sequence[Panel], caption: str) -> str:
    """The picture as a document; `caption` says what was measured, and on what."""
    lines = textwrap.wrap(caption, 125)
    parts = [_text(12, 20 + 16 * number, line) for number, line in enumerate(lines)]
    y = 12 + 16 * len(lines)
    for panel in shown:
        y += _GAP
        parts.append(_text(12, y + 14, panel.title, size=14, bold=True))
        y += _HEAD - 10
        longest = max((length for _, length, _ in panel.bars), default=0) or 1
        for label, length, beside in panel.bars:
            width = max(1.0, length / longest * (_WIDTH - _LABEL - 110))
            parts.append(_text(_LABEL - 8, y + 15, label, anchor="end"))
            parts.append(f'<rect x="{_LABEL}" y="{y + 3}" width="{width:.1f}" height="16" fill="{_BAR}"/>')
            parts.append(_text(_LABEL + width + 6, y + 15, beside))
            y += _ROW
        parts.append(
            f'<line x1="{_LABEL}" x2="{_LABEL}" y1="{y - _ROW * len(panel.bars)}" y2="{y}" stroke="{_LINE}"/>'
        )
    height = y + 14
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}"'
        f' height="{height}" font-family="system-ui, sans-serif">'
    )
    return "\n".join((head, '<rect width="100%" height="100%" fill="#ffffff"/>', *parts, "</svg>", ""))


def _text(x: float, y: float, text: str, *, size: int = 12, bold: bool = False, anchor: str = "start") -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{_TEXT}"{weight}>'
        f"{escape(text)}</text>"
    )
