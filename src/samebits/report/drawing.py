"""A picture drawn: as PNG, and as SVG for the inside of a page. The same values and packages give the same bytes.

Nothing of the user's own settings enters: neither a matplotlibrc, nor fonts of the system, nor a clock or a random id. The font is the
file that Matplotlib brings, under a name of ours, since a system's font of its name may be another version. pyplot is never used.
"""

from __future__ import annotations

import functools
import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from samebits.text import clean_recorded

# Okabe and Ito, 2008: told apart by whoever sees fewer colours
BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION)
INK, GREY, PALE = "#1F2328", "#6E7781", "#D8DEE4"
LINES = ("-", "--", "-.", ":")  # beside the colours, for whoever sees none
WIDTH, HEIGHT = 5.2, 3.7  # inches, which is what a telephone shows with letters of their size
MOST_POINTS = 1500  # of a line or a cloud: more say no more, and make megabytes
_DPI = 150
_FONT = "samebits"
_SHOWN_FONT = "'DejaVu Sans', Verdana, sans-serif"  # in a page, where the reader's own fonts show any script
_NOT_LOOKS = {"interactive", "toolbar", "timezone", "date.epoch", "docstring.hardcopy", "tk.window_focus"}
_LOOKS = {
    "font.family": _FONT,
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": PALE,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.fontsize": 9,
    "legend.frameon": True,
    "legend.framealpha": 0.9,
    "legend.edgecolor": PALE,
    "lines.linewidth": 1.8,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "path.simplify": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "samebits",
}


class NoPicture(Exception):
    """Why a picture says nothing here, in words that end a sentence."""


@dataclass(frozen=True)
class Plot:
    """A picture to be drawn.

    Parameters
    ----------
    caption, alt
        What a reader is to see in it; and what it shows, for whoever does not see it.
    values
        What it shows, as plain values.
    paint
        Draws it into a figure.
    height
        In inches.
    """

    title: str
    caption: str
    alt: str
    values: dict[str, Any]
    paint: Callable[[Figure], None] = field(repr=False)
    height: float = HEIGHT


@dataclass(frozen=True)
class Drawn:
    """A picture drawn: a file, and an element for the inside of a page."""

    png: bytes
    svg: str


def draw(name: str, plot: Plot) -> Drawn:
    """Return a picture as PNG and as SVG.

    Parameters
    ----------
    name
        In front of each id of the SVG, since a page holds several.
    """
    with _fixed_looks(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a script that the font has no letters of
        figure = Figure(figsize=(WIDTH, plot.height), dpi=_DPI)
        plot.paint(figure)
        png, svg = io.BytesIO(), io.StringIO()
        FigureCanvasAgg(figure).print_png(png, metadata={"Software": None})
        figure.set_dpi(72)
        FigureCanvasSVG(figure).print_svg(svg, metadata={"Date": None, "Creator": None})
    return Drawn(png.getvalue(), _fit_into_page(svg.getvalue(), name, plot.alt))


@contextmanager
def _fixed_looks() -> Iterator[None]:
    _add_font()
    defaults = {key: value for key, value in dict.items(matplotlib.rcParamsDefault) if not key.startswith("backend")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with matplotlib.rc_context({key: value for key, value in defaults.items() if key not in _NOT_LOOKS} | _LOOKS):
            yield


@functools.cache
def _add_font() -> None:
    path = Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf")
    font_manager.fontManager.ttflist.append(font_manager.FontEntry(fname=str(path), name=_FONT, weight=400))


def _fit_into_page(svg: str, name: str, alt: str) -> str:
    """Return the element alone, as wide as its place, its ids under a name of its own."""
    element = svg[svg.index("<svg") :].strip()
    element = re.sub(r"\s*<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    element = re.sub(r'(\sid=")', rf"\1{name}-", element)
    element = re.sub(r'((?:xlink:)?href="#|url\(#)', rf"\1{name}-", element)
    element = element.replace(f"'{_FONT}'", _SHOWN_FONT).replace("xlink:href", "href")
    view = re.search(r'viewBox="[^"]*"', element)
    start = f'<svg role="img" aria-label="{_escape(alt)}" {view[0] if view else ""} xmlns="http://www.w3.org/2000/svg">'
    return re.sub(r"\s*\n\s*", "\n", start + element[element.index(">") + 1 :])


def _escape(text: str) -> str:
    return clean_recorded(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def place_axes(figure: Figure, left: float = 0.13, bottom: float = 0.15, right: float = 0.97, top: float = 0.96) -> Axes:
    """Return axes with room for their labels: where room is measured instead, everything is drawn twice."""
    return figure.add_axes((left, bottom, right - left, top - bottom))


def label_zero(axes: Axes, place: float, size: float = 9) -> None:
    """Write 0 where a lying bar has no length: else it looks as if it were missing."""
    axes.annotate("0", (0, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=size, color=INK)


def thin(*columns: np.ndarray) -> list[np.ndarray]:
    """Return columns of which no more than `MOST_POINTS` rows are left, evenly taken, the first and the last among them."""
    n_rows = len(columns[0])
    if n_rows <= MOST_POINTS:
        return list(columns)
    rows = np.unique(np.linspace(0, n_rows - 1, MOST_POINTS).round().astype(np.int64))
    return [column[rows] for column in columns]


def as_numbers(values: np.ndarray) -> list[float | None]:
    """Return numbers as plain values; what is none is null."""
    return [float(value) if np.isfinite(value) else None for value in np.asarray(values, dtype=np.float64)]


def shorten(name: object, most: int = 22) -> str:
    """Return a name as an axis has room for it, on one line.

    >>> shorten("a_very_long_name_of_a_column")
    'a_very_long_name_of_a…'
    """
    text = clean_recorded(" ".join(str(name).split())) or "(empty)"
    return text if len(text) <= most else f"{text[: most - 1]}…"
