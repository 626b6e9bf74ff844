"""Is every optimizer a sampler in disguise? (post 7521)"""

from ui.frame import ensure_frame

ensure_frame()  # before the imports below: on a cold start the title stands while they run

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from core import optimization as core
from core.formula import BadFormula
from ui import address, charts, jobs, lab, landscape
from ui.i18n import t
from ui.numbers import latex, pretty

SLUG = "optimization"
DRAGGED = ("x", "y", "log_alpha")
WINDOW = (-core.WINDOW, core.WINDOW)
series = partial(lab.series, SLUG)


def pair(place: tuple[float, float]) -> str:
    """Two coordinates."""
    return f"({pretty(place[0], 4)}, {pretty(place[1], 4)})"


def found(compute: Callable[[Any], Any], config: Any) -> Any | None:
    """The result; where there is none, a sentence that says why and what to change."""
    try:
        return lab.compute(compute, config)
    except BadFormula as error:
        st.error(t(f"optimization.formula.{error.code}", part=lab.quoted(error.part)))
    except core.Unusable as error:
        st.error(t(f"optimization.unusable.{error.code}", detail=lab.quoted(error.detail)))
    return None


def density(config: core.DensityConfig) -> None:
    """A point to drag; density, mean and the other steps follow."""
    result = found(core.density, config)
    if result is None:
        config = replace(config, landscape="wells")
        result = lab.compute(core.density, config)
    words = ("place", "mean", "gradient", "newton", "none")
    lowest = result.steps.set_index("step").loc["global"]
    landscape.point(
        address.controls(SLUG, "density", core.DensityConfig, DRAGGED),
        (config.x, config.y, config.log_alpha),
        lab.memo(core.field_data)(config.landscape, config.own),
        {
            "radius": config.radius,
            "gibbs": [config.x + result.mean[0], config.y + result.mean[1]],
            "lowest": [config.x + lowest["dx"], config.y + lowest["dy"]],
        },
        {name: t(f"optimization.density.{name}") for name in words}
        | {"alpha": t("optimization.density.log_alpha")},
    )  # fmt: skip
    lab.formula(
        SLUG, "density", alpha=latex(config.alpha, 3), x=latex(result.mean[0], 4),
        y=latex(result.mean[1], 4),
    )  # fmt: skip
    st.markdown(
        t(
            "optimization.density.found", cosine=pretty(result.cosine, 3),
            std=pretty(result.std, 3), loss=pretty(result.loss, 4),
        )
    )  # fmt: skip
    lab.table(result.steps, SLUG, digits=4)


def limits(config: core.LimitsConfig) -> None:
    """The two limits of alpha, on one axis."""
    result = lab.compute(core.limits, config)
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.lines, result.densities, x="place", y="value", series="curve",
            names=series(result.densities["curve"]), x_title=t("optimization.limits.place"),
            y_title=t("optimization.limits.scaled"), alt=t("optimization.limits.alt_densities"),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.lines, result.means, x="alpha", y="value", series="curve",
            names=series(result.means["curve"]),
            x_title="α", y_title=t("optimization.limits.update"),
            x_scale="log",
            alt=t(
                "optimization.limits.alt_means", cold=pretty(result.coldest, 3),
                hot=pretty(result.hottest, 3),
            ),
        )  # fmt: skip
    st.markdown(
        t(
            "optimization.limits.found", cold=pretty(result.coldest, 4),
            down=pretty(-result.gradient, 4), hot=pretty(result.hottest, 4),
            now=pretty(result.now, 4),
        )
    )  # fmt: skip


def first(config: core.FirstConfig) -> None:
    """A linear loss in a ball: closed form and draws."""
    result = lab.compute(core.first, config)
    lab.chart(
        charts.lines, result.lengths, x="kappa", y="value", series="curve",
        names=series(result.lengths["curve"]), points=("sample",), x_scale="log",
        x_title=t("optimization.first.kappa"), y_title=t("optimization.first.length"),
        y_domain=(0.0, 1.1),
        alt=t("optimization.first.alt", dim=config.dim, closed=pretty(result.closed, 4)),
    )  # fmt: skip
    lab.formula(
        SLUG, "first", d=config.dim, kappa=latex(10**config.log_kappa, 3),
        closed=latex(result.closed, 6),
    )  # fmt: skip
    st.markdown(
        t(
            "optimization.first.found", printed=pretty(result.printed, 5),
            corrected=pretty(result.corrected, 5),
        )
    )  # fmt: skip
    lab.table(result.table, SLUG, digits=5)


def second(config: core.SecondConfig) -> None:
    """A quadratic loss: Newton's step, and the page's slips."""
    result = found(core.second, config)
    if result is None:
        return
    lab.formula(
        SLUG, "second", x=latex(result.newton[0], 4), y=latex(result.newton[1], 4),
        alpha=latex(config.alpha, 3),
    )  # fmt: skip
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.regions, result.areas, x="x", y="y", item="item", label="name",
            series="series", names=series(result.areas["series"]),
            x_title=t("optimization.dx"), y_title=t("optimization.dy"), reach=4.0,
            alt=t("optimization.second.alt"),
        )  # fmt: skip
    with right:
        lab.table(result.table, SLUG, digits=6)


def priors(config: core.PriorsConfig) -> None:
    """Five priors, five optimizers."""
    result = lab.compute(core.priors, config)
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.regions, result.ends, x="x", y="y", item="item", label="name",
            series="series", names=series(result.ends["series"]), x_title=t("optimization.dx"),
            y_title=t("optimization.dy"), reach=2.2, alt=t("optimization.priors.alt"),
        )  # fmt: skip
    with right:
        st.markdown(t("optimization.priors.found"))
        lab.table(result.table, SLUG, digits=3)


def sampling(config: core.SamplingConfig) -> None:
    """Proposals, their weights, and the error over the number of draws."""
    result = lab.compute(core.sampling, config)
    size = pretty(result.effective_sample_size, 3)
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.lines, result.proposals, x="x", y="y", series="kind",
            names=series(result.proposals["kind"]),
            points=("heavy", "light", "estimate", "truth", "guide"),
            x_title=t("optimization.dx"), y_title=t("optimization.dy"),
            alt=t("optimization.sampling.alt_proposals", size=size, samples=config.samples),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.lines, result.errors, x="samples", y="value", series="curve",
            names=series(result.errors["curve"]), x_title=t("optimization.sampling.samples"),
            y_title=t("optimization.sampling.error"), x_scale="log", y_scale="log",
            alt=t("optimization.sampling.alt_errors"),
        )  # fmt: skip
    st.markdown(
        t(
            "optimization.sampling.found", size=size, samples=config.samples,
            heaviest=f"{100 * result.heaviest:.0f}",
            delta=pair(result.delta),
            truth=pair(result.truth),
        )
    )  # fmt: skip
    lab.table(result.table, SLUG, digits=3)


def dimension(config: core.DimensionConfig) -> None:
    """The paper's density and its program's, as the dimension grows."""
    result = lab.compute(core.dimension, config)
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.lines, result.sizes, x="dim", y="value", series="curve",
            names=series(result.sizes["curve"]), x_title=t("optimization.dimension.dim"),
            y_title=t("optimization.dimension.size"), x_scale="log",
            alt=t("optimization.dimension.alt_sizes"),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.lines, result.ranges, x="dim", y="value", series="curve",
            names=series(result.ranges["curve"]), x_title=t("optimization.dimension.dim"),
            y_title=t("optimization.dimension.range"), x_scale="log", y_scale="log",
            alt=t("optimization.dimension.alt_ranges"),
        )  # fmt: skip
    st.markdown(
        t(
            "optimization.dimension.found", samples=config.samples,
            honest=pretty(result.honest, 3), unit=pretty(result.unit, 4),
        )
    )  # fmt: skip


def race(config: core.RaceConfig) -> None:
    """All optimizers from one start, with equal budgets."""

    def frame(now: core.RaceConfig) -> None:
        result = found(core.race, now)
        if result is None:
            return
        lab.chart(
            charts.lines, result.ways, x="x", y="y", series="curve",
            names=series(result.ways["curve"]), paths=core.METHODS, points=("lowest",),
            ground="level", height=520,
            x_title="x", y_title="y", x_domain=WINDOW, y_domain=WINDOW,
            alt=t("optimization.race.alt_ways"),
        )  # fmt: skip
        best = t(f"optimization.series.{result.best}")
        lab.chart(
            charts.lines, result.losses, x="evaluations", y="value", series="curve",
            names=series(result.losses["curve"]), x_title=t("optimization.race.evaluations"),
            y_title=t("optimization.race.loss"), y_scale="log", band=("low", "high"),
            alt=t("optimization.race.alt_losses", best=best),
        )  # fmt: skip
        st.markdown(t("optimization.race.found", lowest=pretty(result.lowest, 4)))
        lab.table(result.table, SLUG, digits=3)

    lab.player(SLUG, config, "shown", frame)


def metric(config: core.MetricConfig) -> None:
    """Training for what has no gradient."""
    ready = jobs.ready(core.TRAINING, config)
    result = lab.compute(core.metric if ready else core.shipped_metric, config)
    best = t(f"optimization.series.{result.best}")
    lab.chart(
        charts.lines, result.curves, x="passes", y="value", series="curve",
        names=series(result.curves["curve"]), paths=tuple(core.STEPS), band=("low", "high"),
        x_title=t("optimization.metric.spent"), y_title=t("optimization.metric.loss"),
        alt=t("optimization.metric.alt_curves", best=best),
    )  # fmt: skip
    lab.chart(
        charts.lines, result.along, x="passes", y="value", series="curve",
        names=series(result.along["curve"]), band=("low", "high"),
        x_title=t("optimization.metric.spent"), y_title=t("optimization.metric.share"),
        alt=t("optimization.metric.alt_along", share=f"{100 * result.disagreements:.0f}"),
    )  # fmt: skip
    lab.chart(
        charts.lines, result.mismatch, x="entropy", y="value", series="curve",
        names=series(result.mismatch["curve"]), paths=tuple(core.STEPS),
        x_title=t("optimization.metric.entropy"), y_title=t("optimization.metric.loss"),
        alt=t("optimization.metric.alt_mismatch"),
    )  # fmt: skip
    st.markdown(
        t(
            "optimization.metric.found", best=best,
            share=f"{100 * result.disagreements:.0f}",
        )
    )  # fmt: skip
    lab.table(result.table, SLUG, digits=4)


lab.header(SLUG)
lab.panel(
    SLUG,
    core.DensityConfig,
    density,
    own=DRAGGED,
    presets={
        "opposite": lambda now: core.DensityConfig(),
        "ball": lambda now: core.DensityConfig(radius=0.7),
        "stairs": lambda now: core.DensityConfig(landscape="stairs", x=1.5, y=-1.0),
        "saddle": lambda now: core.DensityConfig(landscape="saddle", x=0.8, y=0.0),
        "own": lambda now: replace(now, landscape="own"),
    },
)
lab.panel(
    SLUG,
    core.LimitsConfig,
    limits,
    presets={
        "linear": lambda now: core.LimitsConfig(axis="linear", theta=0.0, radius=1.0),
        "parabola": lambda now: core.LimitsConfig(axis="parabola", theta=1.0),
        "wells": lambda now: core.LimitsConfig(),
        "stairs": lambda now: core.LimitsConfig(axis="stairs", theta=1.1),
    },
)
lab.panel(
    SLUG,
    core.FirstConfig,
    first,
    presets={
        "line": lambda now: core.FirstConfig(dim="1"),
        "high": lambda now: core.FirstConfig(dim="1000", log_kappa=3.0),
    },
)
lab.panel(
    SLUG,
    core.SecondConfig,
    second,
    presets={
        "one": lambda now: core.SecondConfig(log_alpha=0.0),
        "indefinite": lambda now: replace(now, curvature_2=-0.5),
    },
)
lab.panel(
    SLUG,
    core.PriorsConfig,
    priors,
    presets={
        "small": lambda now: replace(now, log_size=-1.0),
        "large": lambda now: replace(now, log_size=2.0),
    },
)
lab.panel(
    SLUG,
    core.SamplingConfig,
    sampling,
    presets={
        "four": lambda now: core.SamplingConfig(log_samples=2, mixture=0.0),
        "alone": lambda now: core.SamplingConfig(mixture=1.0),
        "wrong": lambda now: core.SamplingConfig(angle=180, mixture=0.0),
        "saved": lambda now: core.SamplingConfig(angle=180),
    },
)
lab.panel(SLUG, core.DimensionConfig, dimension)
lab.panel(
    SLUG,
    core.RaceConfig,
    race,
    own=("shown",),
    presets={
        "wells": lambda now: core.RaceConfig(),
        "stairs": lambda now: core.RaceConfig(landscape="stairs", log_rate=-1.0),
        "saddle": lambda now: core.RaceConfig(landscape="saddle", x=1.6, y=0.0),
        "rosenbrock": lambda now: core.RaceConfig(
            landscape="rosenbrock", log_rate=-2.0, x=-1.0, y=1.0
        ),
    },
)
lab.panel(
    SLUG,
    core.MetricConfig,
    metric,
    presets={
        "faint": lambda now: core.MetricConfig(),
        "f1": lambda now: core.MetricConfig(metric="f1"),
        "accuracy": lambda now: core.MetricConfig(metric="accuracy"),
        "edit": lambda now: core.MetricConfig(metric="edit"),
        "tuned": lambda now: core.MetricConfig(metric="edit", start="pretrained"),
    },
)
lab.claims(SLUG)
lab.equations(SLUG)
lab.source(core.first_order_update, core.expected_update, core.importance_update, core.mgs_update)
lab.take_away(SLUG)
