"""What does Batch Normalization do to the landscape? (post 6992)"""

from ui.frame import ensure_frame

ensure_frame()  # before the imports below: on a cold start the title stands while they run

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from core import batchnorm as core
from ui import address, cards, charts, jobs, lab
from ui.i18n import t
from ui.numbers import latex, pretty

SLUG = "batchnorm"
Chart = Callable[..., None]
Curves = Sequence[jobs.Curve]
series = partial(lab.series, SLUG)


def by_step(
    table: Any, y: str, title: str, alt: str, *, chart: Chart = lab.chart, **options: Any
) -> None:
    """Curves over the steps of a training; one that has a single point is a dot."""
    counts = table.groupby("curve")[y].count()
    chart(
        charts.lines, table, x="step", y=y, series="curve", names=series(table["curve"]),
        points=tuple(counts[counts == 1].index), x_title=t("batchnorm.step"), y_title=title,
        alt=alt, **options,
    )  # fmt: skip


def valley(config: core.ValleyConfig) -> None:
    """One weight, one bias: the contours move with the input, and descent breaks at 2/L."""
    result = lab.compute(core.valley, config)
    found = result.smoothness
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.lines, result.picture, x="w", y="b", series="curve",
            names=series(result.picture["curve"]),
            paths=("level", "path"), x_title=t("batchnorm.valley.w"),
            y_title=t("batchnorm.valley.b"), x_domain=(-3.0, 3.0), y_domain=(-3.0, 3.0),
            alt=t("batchnorm.valley.alt_contours", condition=pretty(found.condition_number, 3)),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.lines, result.breaking, x="multiple", y="gap", series="curve",
            names=series(result.breaking["curve"]),
            points=("own",), x_title=t("batchnorm.valley.multiple"),
            y_title=t("batchnorm.valley.gap"), y_scale="log", y_domain=(1e-12, 1e6),
            alt=t("batchnorm.valley.alt_breaking"),
        )  # fmt: skip
    lab.formula(
        SLUG, "valley" if config.bias else "valley-flat", largest=latex(found.largest, 4),
        limit=latex(result.limit, 4), product=latex(config.learning_rate * found.largest, 4),
        condition=latex(found.condition_number, 4),
    )  # fmt: skip
    said = "found" if result.descends else "broken"
    st.markdown(
        t(
            f"batchnorm.valley.{said}",
            rate=pretty(config.learning_rate),
            limit=pretty(result.limit, 4),
            least=pretty(found.smallest, 3),
            gap=pretty(result.gap, 3),
        )
    )


def scales(config: core.ScalesConfig) -> None:
    """What the post's bound sees, and what decides."""
    result = lab.compute(core.scales, config)
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.lines, result.losses, x="step", y="gap", series="curve",
            names=series(result.losses["curve"]), x_title=t("batchnorm.step"),
            y_title=t("batchnorm.scales.gap"), y_scale="log", y_domain=(1e-6, 1.0),
            alt=t("batchnorm.scales.alt_losses"),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.lines, result.laws, x="scale", y="value", series="curve",
            names=series(result.laws["curve"]), x_title=t("batchnorm.scales.times"),
            y_title=t("batchnorm.scales.relative"), x_scale="log", y_scale="log",
            alt=t("batchnorm.scales.alt_laws"),
        )  # fmt: skip
    lab.formula(SLUG, "scales", ratio=latex(result.same_trace, 4))
    lab.table(result.table, SLUG, digits=4)
    st.markdown(
        t(
            "batchnorm.scales.found",
            ratio=pretty(result.same_trace, 3),
            agreement=pretty(result.agreement, 2),
        )
    )


def training(config: core.CompareConfig) -> None:
    """A normalized network beside the plain one."""
    if changed(config) and st.session_state.get(address.key(SLUG, "surface", "pair")) == "own":
        st.rerun()  # the surface is of this pair, and another panel
    config = trainable(config)
    trainings = config.trainings
    grow = partial(together, tuple(trainings), config.learning_rate)
    ready = jobs.ready_all(core.TRAINING, list(trainings.values()), grow)
    if any(jobs.runs(core.TRAINING, one) for one in trainings.values()):
        return
    if not ready:
        st.markdown(t("batchnorm.training.meanwhile"))
    result = lab.compute(core.compare if ready else core.shipped, config)
    left, right = st.columns(2)
    with left:
        draw_losses(lab.chart, result.losses)
        lab.chart(
            charts.lines, result.updates, x="layer", y="value", series="curve",
            names=series(result.updates["curve"]), x_title=t("batchnorm.training.layer"),
            y_title=t("batchnorm.training.update"), y_scale="log",
            alt=t("batchnorm.training.alt_updates"),
        )  # fmt: skip
    with right:
        draw_sharpness(lab.chart, result.sharpness)
        by_step(
            result.landscape, "smoothness", t("batchnorm.training.smoothness"),
            t("batchnorm.training.alt_smoothness"), y_scale="log",
        )  # fmt: skip
    with left:
        by_step(
            result.landscape, "span", t("batchnorm.training.span"),
            t("batchnorm.training.alt_span"), y_scale="log",
        )  # fmt: skip
    with right:
        by_step(
            result.landscape, "distance", t("batchnorm.training.distance"),
            t("batchnorm.training.alt_distance"), y_scale="log",
        )  # fmt: skip
    for name, run in result.runs.items():
        st.markdown(ending(name, run, result.rate))
    shown = config if ready else core.CompareConfig()
    st.caption(cards.settings(core.TRAINING.name, shown.trainings["normalized"]))


def changed(config: core.CompareConfig) -> bool:
    """Whether the pair is another one than when it was last drawn."""
    before = st.session_state.get("_batchnorm.pair")
    st.session_state["_batchnorm.pair"] = config
    return before not in (None, config)


def trainable(config: core.CompareConfig) -> core.CompareConfig:
    """The asked settings where they fit together and the data is here; else a word, the default."""
    if not core.available(config.data):
        st.warning(t("batchnorm.training.no_data", data=t(f"batchnorm.options.{config.data}")))
        return core.CompareConfig()
    try:
        return config if config.trainings else core.CompareConfig()
    except core.OneSample:
        st.warning(t("batchnorm.training.alone"))
    except ValueError:
        st.warning(t("batchnorm.training.misfit"))
    return core.CompareConfig()


def together(names: Sequence[str], rate: float, curves: Curves) -> None:
    """Trainings that run: their losses, and how curved it is where they are."""
    if not any(curves):
        return
    found = core.live(dict(zip(names, curves, strict=True)), rate)
    left, right = st.columns(2)
    with left:
        draw_losses(lab.live, found.losses)
    with right:
        draw_sharpness(lab.live, found.sharpness)


def draw_losses(chart: Chart, losses: Any) -> None:
    """Of both networks over the steps."""
    by_step(
        losses, "loss", t("batchnorm.training.loss"), t("batchnorm.training.alt_losses"),
        chart=chart, y_scale="log",
    )  # fmt: skip


def draw_sharpness(chart: Chart, sharpness: Any) -> None:
    """Largest eigenvalues of both networks beside 2 over the rate."""
    by_step(
        sharpness, "value", t("batchnorm.training.sharpness"),
        t("batchnorm.training.alt_sharpness"), chart=chart, y_scale="log",
    )  # fmt: skip


def ending(name: str, run: core.Run, rate: float) -> str:
    """How a training ended, in a sentence."""
    word = t(f"batchnorm.series.{name}")
    if run.diverged:
        return t(
            "batchnorm.training.diverged", name=word, reached=pretty(run.reached, 3),
            step=run.diverged, limit=pretty(run.limit, 3), rate=pretty(rate),
        )  # fmt: skip
    return t(
        "batchnorm.training.found", name=word, loss=pretty(run.loss, 3),
        accuracy=f"{100 * run.accuracy:.1f}", sharpness=pretty(run.sharpness, 3),
        edge=pretty(2 / rate, 3),
    )  # fmt: skip


def curvature(config: core.CurvatureConfig) -> None:
    """Before the first step: the initialization decides."""
    result = lab.compute(core.curvature, config)
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.lines, result.smoothness, x="rate", y="value", series="curve",
            names=series(result.smoothness["curve"]), x_title=t("batchnorm.curvature.rate"),
            y_title=t("batchnorm.training.smoothness"), x_scale="log", y_scale="log",
            alt=t("batchnorm.curvature.alt_smoothness"),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.lines, result.density, x="place", y="density",
            x_title=t("batchnorm.curvature.eigenvalue"),
            y_title=t("batchnorm.curvature.density"), x_scale="symlog", y_scale="log",
            y_domain=(1e-5, 10.0),
            alt=t("batchnorm.curvature.alt_density", largest=pretty(result.largest, 3)),
        )  # fmt: skip
    st.markdown(
        t(
            "batchnorm.curvature.found",
            name=t(f"batchnorm.series.{config.spectrum}"),
            least=pretty(result.least, 3),
            largest=pretty(result.largest, 3),
        )
    )
    lab.table(result.table, SLUG, digits=3)


def surface(config: core.SurfaceConfig) -> None:
    """The loss around both trained networks, on one scale."""
    view = partial(viewed, pair_above() if config.pair == "own" else None)
    if not jobs.ready_all(core.SURFACE, core.dear(view(config))):
        return

    def draw(now: core.SurfaceConfig) -> None:
        result = lab.compute(core.surface, view(now))
        pictures = {
            "plain": (result.plain, result.plain_wires),
            "normalized": (result.normalized, result.normalized_wires),
        }
        for (name, (cells, wires)), column in zip(pictures.items(), st.columns(2), strict=True):
            with column:
                draw_surface(name, cells, wires)

    lab.player(SLUG, config, "angle", draw)
    found = lab.memo(core.surface)(view(config))
    st.markdown(
        t(
            "batchnorm.surface.found",
            plain=pretty(found.sharp["plain"], 3),
            normalized=pretty(found.sharp["normalized"], 3),
        )
    )
    for name in found.diverged:
        st.markdown(t("batchnorm.surface.diverged", name=t(f"batchnorm.series.{name}")))
    normalized = view(config).grids["normalized"].network
    st.caption(cards.settings(core.TRAINING.name, normalized))


def pair_above() -> core.CompareConfig:
    """What stands in the panel of trainings, if it is trained; else a word, and what ships."""
    pair = address.read(SLUG, "training", core.CompareConfig)
    if core.is_trained(pair):
        return pair
    st.info(t("batchnorm.surface.untrained"))
    return core.CompareConfig()


def viewed(
    own: core.CompareConfig | None, view: core.SurfaceConfig
) -> core.SurfaceConfig | core.PairSurfaceConfig:
    """The view of the reader's own pair, if it is that one."""
    return core.around(own, view) if own else view


def draw_surface(name: str, cells: Any, wires: Any) -> None:
    """One network's: from above as colors, from the side as wires."""
    word = t(f"batchnorm.series.{name}")
    lab.chart(
        charts.heatmap, cells, x="first", y="second", value="loss",
        x_title=f"{t('batchnorm.surface.first')} · {word}",
        y_title=t("batchnorm.surface.second"),
        value_title=t("batchnorm.surface.loss"), domain=(-2.0, 2.0),
        alt=t("batchnorm.surface.alt_cells", name=word),
    )  # fmt: skip
    lab.chart(
        charts.lines, wires, x="across", y="up", series="curve",
        names={name: word}, paths=(name,), x_title=t("batchnorm.surface.across"),
        y_title=t("batchnorm.surface.up"), x_domain=(-1.5, 1.5), y_domain=(-0.8, 2.2),
        numbers=False,
        alt=t("batchnorm.surface.alt_wires", name=word),
    )  # fmt: skip


def sweep(config: core.SweepConfig) -> None:
    """Which rates train which network; and what standardizing the inputs leaves of it."""
    rows = core.rows(config)
    if not jobs.ready_all(core.ROW, rows, partial(growing, [row.variant for row in rows])):
        return
    result = lab.compute(core.sweep, config)
    draw_map(lab.chart, result.table, t("batchnorm.sweep.alt_map"))
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.lines, result.curves, x="rate", y="loss", series="curve",
            names=series(result.curves["curve"]), band=("low", "high"), x_scale="log",
            y_scale="log", x_title=t("batchnorm.sweep.rate"),
            y_title=t("batchnorm.sweep.final"), alt=t("batchnorm.sweep.alt_curves"),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.ranked, result.best, x="loss", y="variant", low="low", high="high",
            series="inputs",
            names=series(result.best["variant"]), series_names=series(result.best["inputs"]),
            x_title=t("batchnorm.sweep.best"), y_title=t("batchnorm.sweep.variant"),
            alt=t("batchnorm.sweep.alt_best"),
        )  # fmt: skip
    st.markdown(
        t(
            "batchnorm.sweep.found",
            gap=pretty(result.gap, 3),
            none=pretty(result.widest["none"]),
            batch=pretty(result.widest["batch-before"]),
        )
    )
    st.caption(whose(config, result))


def whose(config: core.SweepConfig, result: core.Sweep) -> str:
    """What the map was made of, and whether it came with the project."""
    return t(
        "batchnorm.sweep.whose",
        activation=t(f"batchnorm.options.{config.activation}"),
        inputs=t(f"batchnorm.series.{'standardized' if config.standardized else 'raw'}"),
        seeds=", ".join(map(str, result.seeds)),
        origin=t(f"models.origin.{'shipped' if result.shipped else 'local'}"),
    )


def growing(variants: Sequence[str], curves: Curves) -> None:
    """The map while its rows are made beside each other."""
    table = core.growing(dict(zip(variants, curves, strict=True)))
    done = sum(map(len, curves))
    draw_map(lab.live, table, t("batchnorm.sweep.alt_live", done=done))


def draw_map(chart: Chart, table: Any, alt: str) -> None:
    """Final losses over rate and normalization, on a scale that does not move."""
    chart(
        charts.heatmap, table, x="rate", y="variant", value="loss",
        x_title=t("batchnorm.sweep.rate"), y_title=t("batchnorm.sweep.variant"),
        value_title=t("batchnorm.sweep.loss"), domain=(-2.0, 1.0), near=True,
        names=series(table["variant"]), alt=alt,
    )  # fmt: skip


def shift(config: core.NoiseConfig) -> None:
    """Noise after normalization: more shift, still good training."""
    needed = [one for seeds in config.trainings.values() for one in seeds]
    if not jobs.ready_all(core.TRAINING, needed, place="shift"):
        return
    result = lab.compute(core.shift, config)
    left, right = st.columns(2)
    with left:
        by_step(
            result.shift, "value", t("batchnorm.shift.shift"), t("batchnorm.shift.alt_shift"),
            y_scale="log", band=("low", "high"),
        )  # fmt: skip
    with right:
        by_step(
            result.accuracy, "value", t("batchnorm.shift.accuracy"),
            t("batchnorm.shift.alt_accuracy"), y_domain=(0.0, 1.0), band=("low", "high"),
        )  # fmt: skip
    st.markdown(
        t(
            "batchnorm.shift.found",
            **{f"{name}_shift": pretty(value, 2) for name, value in result.median.items()},
            least=pretty(result.times[0], 2),
            most=pretty(result.times[1], 2),
            **{name: accuracy_range(*found) for name, found in result.final.items()},
        )
    )


def accuracy_range(mean: float, least: float, most: float) -> str:
    """A mean of several seeds, and how far they reach."""
    numbers = {"mean": mean, "least": least, "most": most}
    return t(
        "batchnorm.shift.accuracy_range",
        **{name: f"{100 * value:.1f}" for name, value in numbers.items()},
    )


def batches(config: core.BatchesConfig) -> None:
    """The noise of small batches, and when eval breaks."""
    if not jobs.ready(core.EVAL, config.training):
        return
    result = lab.compute(core.batches, config)
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.lines, result.noise, x="size", y="value", series="curve",
            names=series(result.noise["curve"]),
            points=("sample",), x_title=t("batchnorm.batches.size"),
            y_title=t(f"batchnorm.batches.{config.view}"), x_scale="log", y_scale="log",
            alt=t("batchnorm.batches.alt_noise"),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.heatmap, result.accuracy, x="momentum", y="size", value="accuracy",
            x_title=t("batchnorm.batches.momentum"), y_title=t("batchnorm.batches.size"),
            value_title=t("batchnorm.shift.accuracy"), domain=(0.0, 1.0),
            alt=t("batchnorm.batches.alt_map"),
        )  # fmt: skip
    lab.chart(
        charts.lines, result.own, x="size", y="accuracy", series="curve",
        names=series(result.own["curve"]), x_title=t("batchnorm.batches.size"),
        y_title=t("batchnorm.shift.accuracy"), x_scale="log", y_domain=(0.0, 1.0),
        alt=t("batchnorm.batches.alt_own"),
    )  # fmt: skip
    st.markdown(
        t(
            "batchnorm.batches.found",
            broken=f"{100 * result.broken:.0f}",
            best=f"{100 * result.best:.0f}",
        )
    )


def slopes(config: core.SlopesConfig) -> None:
    """What is bounded, what is not, and how nonlinear it is where inputs are normalized."""
    result = lab.compute(core.slopes, config)
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.lines, result.activations, x="x", y="slope", series="curve",
            names=series(result.activations["curve"]), x_title=t("batchnorm.slopes.x"),
            y_title=t("batchnorm.slopes.slope"), y_domain=(-0.5, 3.0),
            alt=t("batchnorm.slopes.alt_activations"),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.lines, result.losses, x="output", y="slope", series="curve",
            names=series(result.losses["curve"]), x_title=t("batchnorm.slopes.output"),
            y_title=t("batchnorm.slopes.of_loss"), y_scale="log",
            alt=t("batchnorm.slopes.alt_losses"),
        )  # fmt: skip
    lab.chart(
        charts.lines, result.shares, x="std", y="share", series="curve",
        names=series(result.shares["curve"]), points=("here",),
        x_title=t("batchnorm.slopes.std"), y_title=t("batchnorm.slopes.share"), x_scale="log",
        y_domain=(0.0, 1.0), alt=t("batchnorm.slopes.alt_shares"),
    )  # fmt: skip
    st.markdown(
        t(
            "batchnorm.slopes.found",
            name=t(f"batchnorm.options.{config.activation}"),
            reach=config.reach,
            largest=pretty(result.largest, 4),
            std=pretty(config.std),
            share=f"{100 * result.share:.1f}",
        )
    )


lab.header(SLUG)
lab.panel(
    SLUG,
    core.ValleyConfig,
    valley,
    presets={
        "breaks": lambda now: core.ValleyConfig(learning_rate=0.95),
        "standardized": lambda now: replace(now, mean=0.0, std=1.0),
        "shifted": lambda now: core.ValleyConfig(mean=2.0, std=1.0, learning_rate=0.3),
        "large": lambda now: core.ValleyConfig(mean=0.0, std=3.0, learning_rate=0.2),
        "small": lambda now: core.ValleyConfig(mean=0.0, std=0.1, learning_rate=1.0),
    },
)
lab.panel(
    SLUG,
    core.ScalesConfig,
    scales,
    presets={
        "large": lambda now: replace(now, scale=4.0),
        "digits": lambda now: core.ScalesConfig(inputs="digits"),
        "unbiased": lambda now: replace(now, bias=False),
    },
)
lab.panel(
    SLUG,
    core.CompareConfig,
    training,
    presets={
        "gentle": lambda now: core.CompareConfig(learning_rate=0.1),
        "moderate": lambda now: core.CompareConfig(learning_rate=0.3),
        "edge": lambda now: core.CompareConfig(
            learning_rate=0.4, activation="tanh", batch_size="all", steps=800, standardized=True
        ),
        "images": lambda now: core.CompareConfig(learning_rate=0.3, net="cnn"),
    },
)
lab.panel(
    SLUG,
    core.CurvatureConfig,
    curvature,
    presets={
        "he": lambda now: replace(now, start="he"),
        "plain": lambda now: replace(now, spectrum="none"),
        "scaled": lambda now: core.CurvatureConfig(data="synthetic", start="he"),
    },
)
lab.panel(SLUG, core.SurfaceConfig, surface, own=("angle",))
lab.panel(
    SLUG,
    core.SweepConfig,
    sweep,
    presets={"fair": lambda now: replace(now, standardized=True)},
)
lab.panel(SLUG, core.NoiseConfig, shift)
lab.panel(SLUG, core.BatchesConfig, batches)
lab.panel(SLUG, core.SlopesConfig, slopes)
lab.claims(SLUG)
lab.equations(SLUG)
lab.source(
    core.least_squares_smoothness, core.top_eigenvalues, core.landscape_along_gradient,
    core.Normalization,
)  # fmt: skip
lab.take_away(SLUG)
