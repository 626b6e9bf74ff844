"""The chart verbs that pages share: one look, fixed colors, titles as arguments.

A verb takes tables and words and returns a Figure. The Vega-Lite specification depends on the
words and options alone, so it is built once and kept; a moving control only changes the data.
"""

from ui.charts.curves import bars, histogram, intervals, lines, ranked
from ui.charts.grids import TILE, heatmap, image_grid, matrix
from ui.charts.palette import COLORS, PALETTE
from ui.charts.parts import Figure, bare
from ui.charts.shapes import regions, ribbons

__all__ = [
    "COLORS",
    "PALETTE",
    "TILE",
    "Figure",
    "bare",
    "bars",
    "heatmap",
    "histogram",
    "image_grid",
    "intervals",
    "lines",
    "matrix",
    "ranked",
    "regions",
    "ribbons",
]
