"""The chart verbs, and colors that everybody can tell apart."""

import itertools
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import pytest

from tests.conftest import ROOT
from ui import charts
from ui.charts import curves
from ui.charts.palette import ramp

THEME = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]
SCHEMES = ("light", "dark")

# Machado, Oliveira & Fernandes 2009, severity 1, on linear RGB.
DEFICIENCIES = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear(color: str) -> np.ndarray:
    srgb = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def luminance(color: str) -> float:
    return float(linear(color) @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear RGB, white D65."""
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = to_xyz @ np.clip(rgb, 0, 1) / [0.9505, 1.0, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.fixture
def waves() -> pd.DataFrame:
    x = np.linspace(0, 1, 5)
    tables = [pd.DataFrame({"x": x, "y": x**k, "curve": c}) for k, c in ((1, "exact"), (2, "tanh"))]
    return pd.concat(tables, ignore_index=True)


def drawn(waves: pd.DataFrame, **options: object) -> charts.Figure:
    settings = {
        "x": "x", "y": "y", "x_title": "input", "y_title": "output", "series": "curve",
        "names": {"exact": "exact", "tanh": "tanh [a]'s"},
    }  # fmt: skip
    return charts.lines(waves, **(settings | options))  # type: ignore[arg-type]


def test_a_figure_is_a_valid_chart_that_shows_its_table(waves: pd.DataFrame) -> None:
    figure = drawn(waves)
    chart = alt.Chart.from_dict(figure.to_dict())  # validates against the Vega-Lite schema
    assert chart.to_dict()["datasets"]["table"] == waves.to_dict("records")


def test_pointing_at_a_place_says_every_curve_there(waves: pd.DataFrame) -> None:
    places = drawn(waves).tables["places"]
    assert list(places.columns) == ["x", "exact", "tanh"]
    np.testing.assert_array_equal(places["exact"], places["x"])
    np.testing.assert_array_equal(places["tanh"], places["x"] ** 2)


def test_curves_that_do_not_share_their_x_are_refused(waves: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="must share their values of x"):
        drawn(waves.iloc[:-1])


def test_new_data_does_not_build_a_new_specification(waves: pd.DataFrame) -> None:
    assert drawn(waves).spec is drawn(waves * 1).spec
    assert drawn(waves).spec is not drawn(waves, y_scale="log").spec


def test_a_domain_that_moves_is_filled_into_the_same_specification(
    waves: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn(waves, x_domain=(0, 1), y_domain=(0, 1))
    monkeypatch.setattr(curves, "framed", None)  # nothing more is built
    figure = drawn(waves, x_domain=(2, 3), y_domain=(-4, 5))
    chart = alt.Chart.from_dict(figure.to_dict()).to_dict()  # validates
    for layer in chart["layer"]:
        assert layer["encoding"]["x"]["scale"]["domain"] == [2, 3]
    assert chart["layer"][0]["encoding"]["y"]["scale"]["domain"] == [-4, 5]


def test_axes_carry_the_words_and_colors_the_codes(waves: pd.DataFrame) -> None:
    text = json.dumps(drawn(waves).spec)
    assert '"title": "input"' in text
    assert '"title": "output"' in text
    color = next(
        layer["encoding"]["color"]
        for layer in drawn(waves).spec["layer"]
        if "color" in layer["encoding"]
    )
    assert color["scale"] == {
        "domain": ["exact", "tanh"],
        "range": [charts.COLORS["exact"], charts.COLORS["tanh"]],
    }


def marks(figure: charts.Figure) -> dict[str, list[str]]:
    """The series that each kind of mark draws, for layers that draw some only."""
    return {
        layer["mark"]["type"] + ("-path" if "order" in layer["encoding"] else ""): transform[
            "filter"
        ]["oneOf"]
        for layer in figure.spec["layer"]
        for transform in layer.get("transform", [])
        if "filter" in transform
    }


def test_what_is_measured_is_dots_and_a_path_goes_from_row_to_row(waves: pd.DataFrame) -> None:
    figure = drawn(waves, points=("tanh",))
    alt.Chart.from_dict(figure.to_dict())
    assert marks(figure) == {"line": ["exact"], "point": ["tanh"]}
    assert marks(drawn(waves, paths=("tanh",))) == {"line": ["exact"], "line-path": ["tanh"]}
    assert list(figure.tables["places"].columns) == ["x", "exact"]


def test_dots_and_paths_need_not_share_the_x_of_the_curves(waves: pd.DataFrame) -> None:
    assert len(drawn(waves.iloc[:-1], points=("tanh",)).tables["places"]) == 5
    alone = waves[waves["curve"] == "tanh"]
    assert drawn(alone, points=("tanh",), names={"tanh": "t"}).tables["places"].empty


def test_a_band_is_shaded_between_its_columns_below_the_curve(waves: pd.DataFrame) -> None:
    table = waves.assign(low=waves["y"] - 1, high=waves["y"] + 1)
    figure = drawn(table, band=("low", "high"))
    alt.Chart.from_dict(figure.to_dict())
    area, line = figure.spec["layer"][:2]
    assert (area["mark"]["type"], line["mark"]["type"]) == ("area", "line")
    assert (area["encoding"]["y"]["field"], area["encoding"]["y2"]["field"]) == ("low", "high")
    assert area["encoding"]["y"]["scale"] == line["encoding"]["y"]["scale"]


def test_a_curve_has_a_gap_where_it_has_no_number(waves: pd.DataFrame) -> None:
    def invalid(table: pd.DataFrame) -> str:
        return str(drawn(table).spec["layer"][0]["mark"]["invalid"])

    assert invalid(waves) == "show"
    assert invalid(waves.assign(y=waves["y"].where(waves["x"] < 1))).startswith("break-paths")


def test_series_of_one_color_share_an_entry_of_the_legend() -> None:
    codes = ["entrywise", "spectral", "entrywise-theory", "spectral-theory"]
    table = pd.DataFrame({"x": [1.0] * 4, "y": [1.0] * 4, "curve": codes})
    names = dict(zip(codes, codes, strict=True))
    figure = drawn(table, names=names, points=tuple(codes[:2]))
    legend = figure.spec["layer"][0]["encoding"]["color"]["legend"]
    assert legend["values"] == codes[:2]
    assert legend["symbolType"] == "stroke"
    alone = drawn(
        table[:2], names=dict(zip(codes[:2], codes, strict=False)), points=tuple(codes[:2])
    )
    assert alone.spec["layer"][0]["encoding"]["color"]["legend"]["symbolType"] == "circle"


def test_series_without_a_color_of_their_own_get_one_that_is_free() -> None:
    table = pd.DataFrame({"x": [1.0] * 3, "y": [1.0] * 3, "curve": ["start", "one", "two"]})
    figure = drawn(table, names={"start": "s", "one": "o", "two": "t"})
    colors = figure.spec["layer"][0]["encoding"]["color"]["scale"]["range"]
    assert len(set(colors)) == 3


@pytest.mark.parametrize("count", [8, 9, 40])
def test_more_series_than_the_palette_has_colors_go_from_cold_to_warm(count: int) -> None:
    codes = [f"group_{at}" for at in range(count)]
    table = pd.DataFrame({"x": [1.0] * count, "y": [1.0] * count, "curve": codes})
    figure = drawn(table, names=dict(zip(codes, codes, strict=True)))
    colors = figure.spec["layer"][0]["encoding"]["color"]["scale"]["range"]
    assert len(set(colors)) == count


def test_a_heatmap_has_a_cell_per_row_and_colors_that_do_not_move() -> None:
    table = pd.DataFrame({"a": [1, 2], "b": [3, 3], "c": [0.2, 0.4]})
    figure = charts.heatmap(
        table, x="a", y="b", value="c", x_title="x", y_title="y", value_title="v", domain=(0, 1)
    )
    alt.Chart.from_dict(figure.to_dict())
    (layer,) = figure.spec["layer"]
    assert layer["mark"]["type"] == "rect"
    assert layer["encoding"]["color"]["scale"]["domain"] == [0, 1]


def plan() -> pd.DataFrame:
    """A plan of three moves, and one that nothing moves along."""
    rows = [("a", "x", 0.5, 0.1), ("a", "y", 0.1, 0.2), ("b", "x", 0.0, 0.3), ("b", "y", 0.4, 0.4)]
    return pd.DataFrame(rows, columns=["from", "to", "mass", "cost"])


def ribbons() -> charts.Figure:
    return charts.ribbons(
        plan(), source="from", target="to", mass="mass", cost="cost", x_title="x", y_title="y",
        mass_title="m", cost_title="c", domain=(0.0, 1.0),
    )  # fmt: skip


def test_ribbons_are_as_wide_as_their_mass_and_fill_their_words() -> None:
    figure = ribbons()
    alt.Chart.from_dict(figure.to_dict())
    bands, blocks = figure.tables["ribbons"], figure.tables["words"].set_index("key")
    assert bands.groupby("ribbon")["pair"].first().tolist() == ["a → x", "a → y", "b → y"]
    widths = (bands["high"] - bands["low"]) / bands["mass"]
    heights = (blocks["high"] - blocks["low"]) / blocks["mass"]
    np.testing.assert_allclose(widths, heights.iloc[0])
    for side in ("left", "right"):
        ends = bands.groupby("ribbon").nth(0 if side == "left" else -1)
        for word, inside in ends.groupby(side):
            assert inside["low"].min() == pytest.approx(blocks["low"][str(word)])
            assert inside["high"].max() == pytest.approx(blocks["high"][str(word)])
    assert blocks["low"].min() == 0
    assert blocks["high"].max() == pytest.approx(1)


def test_pointing_at_a_word_leaves_its_own_ribbons() -> None:
    drawn = ribbons().spec
    (param,) = drawn["params"]
    assert param["select"] == {
        "type": "point", "on": "pointerover", "clear": "pointerout", "fields": ["key"],
    }  # fmt: skip
    opacity = drawn["layer"][0]["encoding"]["opacity"]
    assert "pointed.key" in json.dumps(opacity["condition"])


def test_a_heatmap_of_words_keeps_their_order() -> None:
    figure = charts.heatmap(
        plan(), x="to", y="from", value="cost", x_title="x", y_title="y", value_title="v",
        domain=(0, 1), near=True,
    )  # fmt: skip
    encoding = figure.spec["layer"][0]["encoding"]
    assert encoding["x"]["sort"] is encoding["y"]["sort"] is None
    assert encoding["color"]["scale"]["reverse"]


@pytest.mark.parametrize(("count", "height"), [(3, 360), (12, 408)])
def test_rows_with_words_have_room(count: int, height: int) -> None:
    codes = [f"c{k}" for k in range(count)]
    table = pd.DataFrame({"a": ["x"] * count, "b": codes, "c": [0.5] * count})
    names = {code: code.upper() for code in codes}
    titles: dict[str, Any] = {"x_title": "x", "y_title": "y"}
    grid = charts.heatmap(
        table, x="a", y="b", value="c", value_title="v", domain=(0, 1), names=names, **titles
    )
    assert grid.spec["layer"][0]["encoding"]["y"]["scale"]["domain"] == codes
    ranks = charts.ranked(table, x="c", y="b", names=names, **titles)
    assert grid.spec["height"] == ranks.spec["height"] == height


@pytest.mark.parametrize("kind", ["bars", "histogram", "intervals"])
def test_every_other_verb_draws_a_valid_chart(kind: str) -> None:
    table = pd.DataFrame({"a": [1.0, 2.0], "b": [2.0, 3.0], "c": [4.0, 5.0], "code": ["p", "q"]})
    titles: dict[str, Any] = {"x_title": "x", "y_title": "y"}
    names = {"p": "P", "q": "Q"}
    figures = {
        "bars": lambda: charts.bars(table, x="a", y="b", **titles),
        "histogram": lambda: charts.histogram(table, low="a", high="b", count="c", **titles),
        "intervals": lambda: charts.intervals(
            table, x="b", low="a", high="c", y="c", series="code", names=names, **titles
        ),
    }  # fmt: skip
    chart = alt.Chart.from_dict(figures[kind]().to_dict())
    assert len(chart.to_dict()["datasets"]["table"]) == 2


def test_a_figure_saves_as_a_page_and_as_json(waves: pd.DataFrame, tmp_path: Path) -> None:
    drawn(waves).save(tmp_path / "figure.html")
    drawn(waves).save(tmp_path / "figure.json")
    assert "vega" in (tmp_path / "figure.html").read_text(encoding="utf-8")
    saved = json.loads((tmp_path / "figure.json").read_text(encoding="utf-8"))
    assert len(saved["datasets"]["table"]) == len(waves)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_marks_stand_out_from_both_backgrounds(scheme: str) -> None:
    background = THEME[scheme]["backgroundColor"]
    colors = [*charts.PALETTE, *ramp(40)]
    assert min(contrast(color, background) for color in colors) >= 3


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("word", ["text", "link", "greenText", "orangeText", "redText", "grayText"])
def test_words_are_readable_on_both_backgrounds(scheme: str, word: str) -> None:
    for background in ("backgroundColor", "secondaryBackgroundColor"):
        assert contrast(THEME[scheme][f"{word}Color"], THEME[scheme][background]) >= 4.5


def test_words_of_a_chart_have_the_themes_gray() -> None:
    table = pd.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0]})
    spec = charts.lines(table, x="x", y="y", x_title="x", y_title="y").spec
    grays = [THEME[scheme]["grayTextColor"] for scheme in ("dark", "light")]
    for part in ("axis", "legend"):
        for words in ("labelColor", "titleColor"):
            assert re.findall("#[0-9a-f]{6}", spec["config"][part][words]["expr"]) == grays


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_series_stay_apart_for_color_blind_readers(deficiency: str) -> None:
    simulate = np.array(DEFICIENCIES[deficiency])
    seen = [lab(simulate @ linear(color)) for color in charts.PALETTE[:4]]
    apart = [float(np.linalg.norm(a - b)) for a, b in itertools.combinations(seen, 2)]
    assert min(apart) >= 10  # a just noticeable difference is about 2


def cells(**options: object) -> charts.Figure:
    rows = pd.DataFrame(
        {
            "row": ["b", "b", "a", "a"],
            "column": ["second", "first"] * 2,
            "weight": [0.1, 0.9, 0.4, 0.6],
        }
    )
    settings: dict[str, object] = {
        "x": "column", "y": "row", "value": "weight", "x_title": "key", "y_title": "query",
        "value_title": "weight", "domain": (0.0, 1.0),
    }  # fmt: skip
    return charts.matrix(rows, **(settings | options))  # type: ignore[arg-type]


def test_a_matrix_keeps_the_order_of_its_rows_and_columns() -> None:
    figure = cells()
    alt.Chart.from_dict(figure.to_dict())
    (layer,) = figure.spec["layer"]
    assert layer["encoding"]["x"]["sort"] is None
    assert layer["encoding"]["y"]["sort"] is None
    assert layer["encoding"]["x"]["axis"]["labelAngle"] == -90  # long names
    assert cells(x="row").spec["layer"][0]["encoding"]["x"]["axis"]["labelAngle"] == 0


def test_a_matrix_with_both_signs_diverges_from_zero() -> None:
    scales = [
        cells(domain=domain).spec["layer"][0]["encoding"]["color"]["scale"]
        for domain in ((0.0, 1.0), (-2.0, 2.0))
    ]
    assert scales[0] == {"domain": [0.0, 1.0], "type": "sqrt", "clamp": True}
    assert scales[1] == {"domain": [-2.0, 2.0], "domainMid": 0, "clamp": True}


def test_regions_are_closed_in_the_order_of_their_vertices_on_equal_axes() -> None:
    square = pd.DataFrame({"x": [0, 1, 1, 0], "y": [0, 0, 1, 1]})
    both = pd.concat(
        [square.assign(item=0, name="a"), square.add(5).assign(item=1, name="")], ignore_index=True
    )
    figure = charts.regions(
        both.assign(series="train"), x="x", y="y", item="item", label="name", series="series",
        names={"train": "trained"}, x_title="one", y_title="two", reach=3.0,
    )  # fmt: skip
    alt.Chart.from_dict(figure.to_dict())
    outline = figure.spec["layer"][0]
    path = figure.tables["outlines"].sort_values(outline["encoding"]["order"]["field"])
    assert path["x"].isna().tolist() == path["y"].isna().tolist() == 2 * (5 * [False] + [True])
    assert path["x"].fillna(-1).tolist() == [0, 1, 1, 0, 0, -1, 5, 6, 6, 5, 5, -1]
    assert figure.tables["middles"][["x", "y", "name"]].to_numpy().tolist() == [
        [0.5, 0.5, "a"], [5.5, 5.5, ""],
    ]  # fmt: skip
    ends = outline["encoding"]["x"]["scale"]["domain"]
    assert [end["expr"] for end in ends] == [
        f"{sign}3.0 * max(1, width / height)" for sign in ("-", "")
    ]


def test_an_image_grid_is_as_high_as_it_has_rows() -> None:
    table = pd.DataFrame({"row": ["a", "a", "b"], "column": [1, 2, 1], "image": "data:,"})
    figure = charts.image_grid(
        table, row="row", column="column", image="image", row_title="row", column_title="column",
        names={"a": "first"},
    )  # fmt: skip
    alt.Chart.from_dict(figure.to_dict())
    assert figure.spec["height"] == 2 * charts.TILE + 76
    assert figure.spec["layer"][0]["encoding"]["url"]["field"] == "image"
    assert "first" in figure.spec["layer"][0]["encoding"]["y"]["axis"]["labelExpr"]


def test_a_heat_map_may_name_the_rows_it_has_codes_for() -> None:
    table = pd.DataFrame({"x": [1], "y": ["code"], "value": [0.5]})
    figure = charts.heatmap(
        table, x="x", y="y", value="value", x_title="x", y_title="y", value_title="v",
        domain=(0.0, 1.0), names={"code": "a word"},
    )  # fmt: skip
    assert "a word" in figure.spec["layer"][0]["encoding"]["y"]["axis"]["labelExpr"]
