"""The small pictures of the home page: a chart of each topic, as it is sent to the browser."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import streamlit as st
from streamlit.dataframe_util import convert_anything_to_arrow_bytes

from ui import charts
from ui.charts import Figure
from ui.i18n import t

HEIGHT = 150  # pixels


@dataclass(frozen=True)
class Picture:
    """One chart of a topic's panel, at its defaults."""

    config: str
    compute: str
    table: str  # field of the result
    verb: Callable[..., Figure]
    options: Mapping[str, Any]


def curves(x: str, y: str, **more: Any) -> dict[str, Any]:
    """Options of the verb `lines` where nobody reads the words."""
    return {"x": x, "y": y, "series": "curve", "x_title": x, "y_title": y, **more}


PICTURES = {
    "gelu": Picture("CurvesConfig", "curves", "errors", charts.lines, curves("x", "error")),
    "initialization": Picture(
        "AnglesConfig", "angles", "densities", charts.lines,
        curves("x", "value", points=("sample",)),
    ),
    "batchnorm": Picture(
        "ValleyConfig", "valley", "picture", charts.lines,
        curves(
            "w", "b", paths=("level", "path"), x_domain=(-3.0, 3.0), y_domain=(-3.0, 3.0)
        ),
    ),
    "attention": Picture(
        "MatricesConfig", "matrices", "softmax", charts.matrix,
        {
            "x": "key", "y": "query", "value": "weight", "x_title": "k", "y_title": "q",
            "value_title": "", "domain": (0.0, 1.0),
        },
    ),
    "similarity": Picture(
        "BoundsConfig", "bounds", "points", charts.lines,
        curves("x", "value", points=("wcd", "wcd-root")),
    ),
    "vae": Picture(
        "ShapesConfig", "shapes", "areas", charts.regions,
        {
            "x": "x", "y": "y", "item": "item", "label": "name", "series": "series",
            "x_title": "x", "y_title": "y", "reach": 2.6,
        },
    ),
    "nvae": Picture(
        "ToysConfig", "toys", "fitted", charts.heatmap,
        {
            "x": "x", "y": "y", "value": "density", "x_title": "x", "y_title": "y",
            "value_title": "", "domain": (0.0, 1.0),
        },
    ),
    "optimization": Picture(
        "LimitsConfig", "limits", "densities", charts.lines, curves("place", "value")
    ),
}  # fmt: skip


def draw(slug: str) -> None:
    """The picture of a topic, in the words of the reader for whom it is no picture."""
    st.vega_lite_chart(dict(_picture(slug)), alt=t(f"home.pictures.{slug}"), width="stretch")


@cache
def _picture(slug: str) -> dict[str, Any]:
    """The specification with its tables serialized; the same for every reader and language.

    The topic is imported, and its panel computed, when the picture is first asked for.
    """
    one, core = PICTURES[slug], import_module(f"core.{slug}")
    result = getattr(core, one.compute)(getattr(core, one.config)())
    table, options = getattr(result, one.table), dict(one.options)
    if "series" in options:
        options["names"] = {code: code for code in table[options["series"]].unique()}
    figure = one.verb(table, **options)
    tables = {name: convert_anything_to_arrow_bytes(rows) for name, rows in figure.tables.items()}
    return {**charts.bare(figure.spec, HEIGHT), "datasets": tables}
