"""The VAE page: its pictures react, links are read, untrained models are offered, scripts run."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from core import vae as core
from tests.pages.app import charts, linked, make_again, table, text, widget

SLUG = "vae"
opened = partial(linked, SLUG)
PANELS = ("shapes", "world", "codes", "compare", "walk", "factors", "blur", "scale", "penalty")
# The first chart of each panel, counted over the page; the world is drawn by its component.
FIRST = {
    "shapes": 0, "codes": 2, "compare": 5, "walk": 6, "factors": 7, "blur": 9, "scale": 11,
    "penalty": 14,
}  # fmt: skip


@pytest.fixture(scope="module")
def page() -> AppTest:
    """One page that the tests of single controls share: each moves its own."""
    return opened()


@pytest.mark.parametrize(
    ("panel", "knob", "value"),
    [
        ("shapes", "shape", "ring"), ("shapes", "radius", 0.4), ("codes", "beta", "20"),
        ("codes", "family", "point"), ("compare", "view", "path"), ("walk", "model", "beta-4"),
        ("factors", "model", "vae"), ("blur", "distance", 1.0), ("blur", "count", "5"),
        ("scale", "scale", 2.0), ("scale", "data", "digits"), ("penalty", "mean", 2.0),
    ],
)  # fmt: skip
def test_the_picture_reacts_to_a_control(page: AppTest, panel: str, knob: str, value: Any) -> None:
    before = table(charts(page)[FIRST[panel]])
    widget(page, f"{SLUG}.{panel}.{knob}").set_value(value)
    page.run()
    assert not page.exception
    assert not before.equals(table(charts(page)[FIRST[panel]]))


def test_a_link_draws_what_core_computes() -> None:
    page = opened(shapes__shape="line", walk__x=1.0, walk__y=-2.0)
    line, way = (table(charts(page)[FIRST[name]]) for name in ("shapes", "walk"))
    areas = core.shapes(core.ShapesConfig(shape="line")).areas
    whole = line.dropna().groupby(line["x"].isna().cumsum())  # each comes back to where it began
    vertices = whole.apply(lambda outline: outline[["x", "y"]].iloc[:-1])
    np.testing.assert_array_equal(vertices, areas[["x", "y"]])
    path = core.walk(core.WalkConfig(x=1.0, y=-2.0)).path
    pd.testing.assert_frame_equal(way, path, check_dtype=False)


def test_the_world_says_the_numbers_of_its_ellipses() -> None:
    page = opened(world__ellipses=core.arranged("prior"))
    result = core.world(core.WorldConfig(core.arranged("prior")))
    assert f"{result.reconstruction:.4g}" in "\n".join(row.value for row in page.latex)


def test_ellipses_that_cannot_be_read_are_refused_in_the_reader_s_words() -> None:
    page = opened(world__ellipses="1,2,3")
    assert not page.exception
    assert page.error[0].value.startswith("The ellipses in the link can't be read: `1,2,3`")


def test_every_trained_picture_carries_its_seed_and_configuration(page: AppTest) -> None:
    said = [caption.value for caption in page.caption if "seed 0" in caption.value]
    assert len(said) == 4
    assert all("learning rate 0.002" in row and "steps" in row for row in said)


def test_a_model_that_nobody_has_trained_is_offered_beside_the_default() -> None:
    page = opened(codes__seed=7)
    assert widget(page, "_train.vae.model")
    assert not page.exception
    assert "seed 0" in text(page)


def test_every_panel_hands_out_a_script_that_makes_its_figures_again(tmp_path: Path) -> None:
    page = opened(shapes__count=40)
    make_again(page, SLUG, PANELS, tmp_path)
    made = pd.read_csv(tmp_path / "shapes" / "coverage.csv")
    expected = core.shapes(core.ShapesConfig(count=40)).coverage
    pd.testing.assert_frame_equal(made, expected)
    drawn = {path.parent.name for path in tmp_path.glob("*/*.html")}
    assert drawn == set(PANELS) - {"world"}
