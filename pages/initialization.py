"""Is a random matrix orthogonal? (posts 7180 and 7076)"""

from ui.frame import ensure_frame

ensure_frame()  # before the imports below: on a cold start the title stands while they run

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from core import initialization as core
from core.formula import BadFormula
from ui import charts, jobs, lab
from ui.i18n import t
from ui.numbers import latex, pretty

SLUG = "initialization"
Chart = Callable[..., None]
series = partial(lab.series, SLUG)


def angles(config: core.AnglesConfig) -> None:
    """Fresh samples beside the exact law and both normal approximations."""
    result = lab.compute(core.angles, config)
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.lines, result.densities, x="x", y="value", series="curve",
            names=series(result.densities["curve"]), points=("sample",),
            x_title=t(f"initialization.angles.{config.view}"),
            y_title=t(f"initialization.angles.density_{config.view}"),
            alt=t("initialization.angles.alt_densities", n=config.dim),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.lines, result.variances, x="dim", y="value", series="curve",
            names=series(result.variances["curve"]),
            x_title="n", y_title=t("initialization.angles.scaled"),
            x_scale="log", y_domain=(0.9, 1.6), alt=t("initialization.angles.alt_variances"),
        )  # fmt: skip
    lab.formula(SLUG, "angles", n=str(config.dim), exact=latex(result.variance, 7))
    st.markdown(
        t(
            "initialization.angles.found",
            count=config.count,
            sampled=pretty(result.sampled_variance, 4),
            error=pretty(2 * result.sampled_error, 2),
            exact=pretty(result.variance, 6),
            laplace=pretty(result.distance_laplace, 2),
            better=pretty(result.distance_better, 2),
            cosine=pretty(result.mean_absolute_cosine, 3),
            within=f"{100 * result.within_five_degrees:.1f}",
        )
    )
    st.markdown(t("initialization.angles.table"))
    lab.table(result.table, SLUG, digits=6)


def words(config: core.WordsConfig) -> None:
    """Rows of a trained word embedding beside the law for no preferred direction."""
    try:
        result = lab.compute(core.words, config)
    except core.TooFewWords:
        st.error(t("initialization.words.too_few", model=lab.quoted(config.model)))
        return
    lab.encoder_notice(result.notice)
    mean = pretty(result.mean, 4)
    lab.chart(
        charts.lines, result.densities, x="x", y="value", series="curve",
        names=series(result.densities["curve"]), points=("words",),
        x_title=t("initialization.angles.angle"),
        y_title=t("initialization.angles.density_angle"),
        alt=t("initialization.words.alt", mean=mean),
    )  # fmt: skip
    st.markdown(
        t(
            "initialization.words.found",
            count=result.count,
            dim=result.dim,
            mean=mean,
            spread=pretty(result.spread, 3),
            expected_spread=pretty(result.expected_spread, 3),
            within=f"{100 * result.within:.0f}",
            expected_within=f"{100 * result.expected_within:.0f}",
        )
    )
    lab.table(result.closest, SLUG, digits=3)
    licence = result.licence or t("initialization.words.no_licence")
    name = lab.plain(result.encoder)
    st.caption(t("initialization.words.source", model=name, licence=licence))


def meters(config: core.MetersConfig) -> None:
    """Three meters that disagree, and where the singular values lie."""
    result = lab.compute(core.meters, config)
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.lines, result.curves, x="n", y="value", series="curve",
            names=series(result.curves["curve"]), points=("entrywise", "frobenius", "spectral"),
            x_title="n", y_title=t("initialization.meters.error"), x_scale="log", y_scale="log",
            alt=t("initialization.meters.alt_curves", spectral=pretty(result.spectral, 3)),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.lines, result.spectrum, x="s", y="value", series="curve",
            names=series(result.spectrum["curve"]), points=("sample",),
            x_title=t("initialization.meters.singular"),
            y_title=t("initialization.meters.density"),
            alt=t("initialization.meters.alt_spectrum"),
        )  # fmt: skip
    lab.formula(
        SLUG, "meters", entrywise=latex(result.entrywise_mse, 4),
        frobenius=latex(result.relative_frobenius, 4), spectral=latex(result.spectral, 4),
    )  # fmt: skip
    m, n = core.sides(config, config.size)
    st.markdown(
        t(
            f"initialization.meters.expected_{config.scheme}",
            m=m,
            n=n,
            expected=pretty(result.expected_mse, 4),
            low=pretty(result.low, 3),
            high=pretty(result.high, 3),
        )
    )
    if config.decomposed:
        condition = pretty(result.condition_number, 3)
        st.markdown(t("initialization.meters.decomposed", condition=condition))
    else:
        st.markdown(t(f"initialization.meters.sketched_{config.scheme}"))
    lab.table(result.stretches, SLUG, digits=4)


def code(config: core.CodeConfig) -> None:
    """The post's seven lines with a seed, and what they print over a hundred seeds."""
    result = lab.compute(core.code, config)
    lab.chart(
        charts.histogram, result.runs, low="low", high="high", count="count",
        x_title=t("initialization.code.printed"), y_title=t("initialization.code.runs"),
        alt=t("initialization.code.alt", mean=pretty(result.mean, 4)),
    )  # fmt: skip
    lab.formula(SLUG, "code", n=str(config.n), expected=latex(result.expected, 6))
    st.markdown(
        t(
            "initialization.code.found",
            seed=config.seed,
            printed=pretty(result.printed, 7),
            mean=pretty(result.mean, 5),
            spread=pretty(result.spread, 2),
        )
    )
    lab.source(core.post_code)


def fans(config: core.FansConfig) -> None:
    """Every scheme with m outputs and n inputs, forward and backward."""
    result = lab.compute(core.fans, config)
    lab.chart(
        charts.intervals, result.factors, x="forward", low="low", high="high", y="backward",
        series="scheme",
        names={code: t(f"initialization.options.{code}") for code in result.factors["scheme"]},
        x_title=t("initialization.fans.forward"), y_title=t("initialization.fans.backward"),
        x_scale="log", y_scale="log", alt=t("initialization.fans.alt"),
    )  # fmt: skip
    found = "found" if config.kernel == "1" else "found_kernel"
    st.markdown(t(f"initialization.fans.{found}", m=config.fan_out, n=config.fan_in))
    lab.table(result.table, SLUG, digits=4)


def stability(config: core.StabilityConfig) -> None:
    """The variance map of an activation, or of a formula of the reader's."""
    try:
        result = lab.compute(core.stability, config)
    except BadFormula as error:
        st.error(t(f"initialization.formula.{error.code}", part=lab.quoted(error.part)))
        return
    except ValueError:
        st.error(t("initialization.formula.moment"))
        return
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.lines, result.cobweb, x="q", y="value", series="curve",
            names=series(result.cobweb["curve"]),
            paths=("path",), x_title=t("initialization.stability.q"),
            y_title=t("initialization.stability.next"), alt=t("initialization.stability.alt_map"),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.lines, result.layers, x="layer", y="q", series="curve",
            names=series(result.layers["curve"]), x_title=t("initialization.stability.layer"),
            y_title=t("initialization.stability.q"), y_scale="log",
            alt=t("initialization.stability.alt_layers", last=pretty(result.last, 3)),
        )  # fmt: skip
    lab.formula(
        SLUG, "stability", moment=latex(result.second_moment, 8), gain=latex(result.gain, 7)
    )
    st.markdown(
        t(
            f"initialization.stability.{result.kind}",
            slope=pretty(result.slope, 4),
            gradient=pretty(result.gradient_factor, 4),
        )
    )


def profile(config: core.ProfileConfig) -> None:
    """Layer by layer through a deep net at its first step: up, and back down."""
    lab.player(SLUG, config, "progress", signal)


def signal(config: core.ProfileConfig) -> None:
    """As far as the signal has come, beside very wide nets."""
    try:
        result = lab.compute(core.profile, config)
    except core.UnequalWidths:
        st.error(t("initialization.profile.uneven"))
        return
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.lines, result.moments, x="layer", y="value", series="curve",
            names=series(result.moments["curve"]), points=("forward", "backward"),
            x_title=t("initialization.profile.layer"), y_title=t("initialization.profile.moment"),
            y_scale="log", y_domain=result.domain, alt=t(
                "initialization.profile.alt_moments", forward=pretty(result.forward, 3),
                backward=pretty(result.backward, 3),
            ),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.lines, result.cosines, x="layer", y="value", series="curve",
            names=series(result.cosines["curve"]), points=("cosine",),
            x_title=t("initialization.profile.layer"), y_title=t("initialization.profile.cosine"),
            y_domain=(-0.2, 1.0),
            alt=t("initialization.profile.alt_cosines", cosine=pretty(result.cosine, 3)),
        )  # fmt: skip
    st.markdown(
        t(
            "initialization.profile.found",
            forward=pretty(result.forward, 3),
            backward=pretty(result.backward, 3),
            cosine=pretty(result.cosine, 3),
        )
    )
    if config.shape != "even":
        first, last = result.ends
        norm = pretty(result.stretch, 3)
        st.markdown(t("initialization.profile.stretch", first=first, last=last, stretch=norm))
    if result.overflow >= 0:
        st.warning(t("initialization.profile.overflow", layer=result.overflow))
    if result.overflow_backward >= 0:
        layer = result.overflow_backward
        st.warning(t("initialization.profile.overflow_backward", layer=layer))


def collapse(config: core.CollapseConfig) -> None:
    """What becomes of the angle between two inputs, with every activation."""
    result = lab.compute(core.collapse, config)
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.lines, result.cobweb, x="cosine", y="value", series="curve",
            names=series(result.cobweb["curve"]), paths=("path",),
            x_title=t("initialization.collapse.cosine"), y_title=t("initialization.collapse.next"),
            y_domain=(-1.0, 1.0),
            alt=t("initialization.collapse.alt_map", last=pretty(result.last, 3)),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.matrix, result.paths, x="layer", y="activation", value="cosine",
            x_title=t("initialization.profile.layer"),
            y_title=t("initialization.collapse.activation"),
            value_title=t("initialization.collapse.cosine"), domain=(-1.0, 1.0),
            alt=t("initialization.collapse.alt_paths"),
        )  # fmt: skip
    found = "found" if result.apart >= 0 else "found_apart"
    st.markdown(
        t(
            f"initialization.collapse.{found}",
            depth=config.depth,
            last=pretty(result.last, 4),
            apart=result.apart,
        )
    )


def cloud(config: core.CloudConfig) -> None:
    """How much the norm differs from one deep net to the next."""
    result = lab.compute(core.cloud, config)
    lab.chart(
        charts.lines, result.densities, x="x", y="value", series="curve",
        names=series(result.densities["curve"]),
        points=("sample",), x_title=t("initialization.cloud.log"),
        y_title=t("initialization.meters.density"),
        alt=t("initialization.cloud.alt", variance=pretty(result.variance, 3)),
    )  # fmt: skip
    lab.formula(SLUG, f"cloud-{config.activation}", variance=latex(result.expected_variance, 4))
    st.markdown(
        t(
            "initialization.cloud.found",
            mean=pretty(result.mean, 3),
            error=pretty(2 * result.mean_error, 2),
            expected_mean=pretty(result.expected_mean, 3),
            variance=pretty(result.variance, 3),
            expected_variance=pretty(result.expected_variance, 3),
        )
    )
    if result.dead:
        st.markdown(t("initialization.cloud.dead", count=result.dead))


def starts(config: core.StartsConfig) -> None:
    """The same deep net trained from each start."""
    ready = jobs.ready_all(core.TRAINING, [config.training], partial(race, config))
    if jobs.runs(core.TRAINING, config.training):
        return
    result = lab.compute(core.starts if ready else core.shipped_starts, config)
    first = result.table.iloc[0]
    loss = pretty(first["loss"], 3)
    alt = t(f"initialization.starts.{'alt' if ready else 'alt_shipped'}", loss=loss)
    draw_losses(lab.chart, result.losses, alt)
    if ready:
        accuracy = f"{100 * first['accuracy']:.1f}"
        st.markdown(t("initialization.starts.found", loss=loss, accuracy=accuracy))
    st.markdown(t("initialization.starts.table"))
    lab.table(result.table, SLUG, digits=4)


def race(config: core.StartsConfig, curves: Sequence[jobs.Curve]) -> None:
    """A training that runs, beside those that ship."""
    losses = core.live_losses(config, curves[0])
    draw_losses(lab.live, losses, t("initialization.starts.alt_live"))


def draw_losses(chart: Chart, losses: Any, alt: str) -> None:
    """Loss over the steps, a curve for every start."""
    chart(
        charts.lines, losses, x="step", y="loss", series="curve", names=series(losses["curve"]),
        x_title=t("initialization.starts.step"), y_title=t("initialization.starts.loss"),
        y_domain=(0.0, 2.6), alt=alt,
    )  # fmt: skip


def region(config: core.RegionConfig) -> None:
    """Accuracy after a short training, over the size of the weights and the depth."""
    if not jobs.ready_all(core.MAP, [config], growing):
        return
    result = lab.compute(core.region, config)
    trainable = f"{100 * result.trainable:.0f}"
    draw_cells(lab.chart, result.table, t("initialization.region.alt", trainable=trainable))
    st.markdown(
        t(
            "initialization.region.found",
            one=f"{100 * result.accuracy_at_one:.0f}",
            best=f"{100 * result.best:.0f}",
            multiple=pretty(result.best_multiple),
        )
    )


def growing(curves: Sequence[jobs.Curve]) -> None:
    """A map that is being made, cell by cell."""
    table = core.cells({int(cell["step"]): cell["accuracy"] for cell in curves[0]})
    draw_cells(lab.live, table, t("initialization.region.alt_live", done=len(curves[0])))


def draw_cells(chart: Chart, table: Any, alt: str) -> None:
    """Accuracy over gain and depth."""
    chart(
        charts.heatmap, table, x="multiple", y="depth", value="accuracy",
        x_title=t("initialization.region.multiple"), y_title=t("initialization.region.depth"),
        value_title=t("initialization.region.accuracy"), domain=(0.0, 1.0), alt=alt,
    )  # fmt: skip


lab.header(SLUG)
lab.panel(
    SLUG,
    core.AnglesConfig,
    angles,
    presets={
        "plane": lambda now: core.AnglesConfig(dim=2),
        "space": lambda now: core.AnglesConfig(dim=3, view="cosine"),
        "high": lambda now: core.AnglesConfig(dim=768),
    },
)
lab.panel(
    SLUG,
    core.WordsConfig,
    words,
    presets={"centered": lambda now: replace(now, centered=True)},
)
lab.panel(
    SLUG,
    core.MetersConfig,
    meters,
    presets={
        "rademacher": lambda now: replace(now, distribution="rademacher"),
        "heavy": lambda now: core.MetersConfig(distribution="heavy-t"),
        "sparse": lambda now: core.MetersConfig(distribution="sparse"),
        "exact": lambda now: core.MetersConfig(scheme="orthogonal"),
        "tall": lambda now: core.MetersConfig(size=512, aspect="4"),
    },
)
lab.panel(SLUG, core.CodeConfig, code)
lab.panel(
    SLUG,
    core.FansConfig,
    fans,
    presets={
        "square": lambda now: core.FansConfig(fan_out=256, fan_in=256),
        "wide": lambda now: core.FansConfig(fan_out=112, fan_in=400),
        "coordinate": lambda now: replace(now, count="mean-square"),
        "kernel": lambda now: core.FansConfig(fan_out=512, fan_in=32, kernel="3"),
    },
)
lab.panel(
    SLUG,
    core.StabilityConfig,
    stability,
    presets={
        "stable": lambda now: core.StabilityConfig(activation="tanh"),
        "marginal": lambda now: core.StabilityConfig(activation="relu"),
        "unstable": lambda now: core.StabilityConfig(activation="silu", layers=60),
        "own": lambda now: core.StabilityConfig(activation="own"),
    },
)
lab.panel(
    SLUG,
    core.ProfileConfig,
    profile,
    presets={
        "halving": lambda now: core.ProfileConfig(scheme="post"),
        "tanh": lambda now: core.ProfileConfig(scheme="post", activation="tanh"),
        "tuned": lambda now: core.ProfileConfig(scheme="tuned", activation="gelu", depth=100),
        "narrowing": lambda now: core.ProfileConfig(scheme="he-post", shape="narrowing", width=256),
        "normalized": lambda now: replace(now, layer_norm=True, residual=False),
        "residual": lambda now: replace(now, layer_norm=True, residual=True),
        "explosion": lambda now: core.ProfileConfig(multiple=2.0, depth=100),
    },
    own=("progress",),
)
lab.panel(
    SLUG,
    core.CollapseConfig,
    collapse,
    presets={
        "halfway": lambda now: core.CollapseConfig(activation="gelu"),
        "odd": lambda now: core.CollapseConfig(activation="tanh"),
        "opposite": lambda now: replace(now, start=-0.95),
        "normalized": lambda now: replace(now, layer_norm=True),
    },
)
lab.panel(
    SLUG,
    core.CloudConfig,
    cloud,
    presets={
        "narrow": lambda now: core.CloudConfig(width=16, depth=100),
        "relu": lambda now: replace(now, activation="relu"),
    },
)
lab.panel(
    SLUG,
    core.StartsConfig,
    starts,
    presets={
        "normal": lambda now: core.StartsConfig(scheme="post"),
        "he": lambda now: core.StartsConfig(scheme="he", activation="relu"),
        "gelu": lambda now: core.StartsConfig(scheme="tuned", activation="gelu"),
        "normalized": lambda now: core.StartsConfig(
            scheme="post", activation="relu", layer_norm=True
        ),
    },
)
lab.panel(SLUG, core.RegionConfig, region)
lab.claims(SLUG)
lab.equations(SLUG)
lab.source(core.angle_density, core.sample_weight, core.orthogonality, core.propagate)
lab.take_away(SLUG)
