"""Where do GELU's two magic constants come from? (post 7309)"""

from ui.frame import ensure_frame

ensure_frame()  # before the imports below: on a cold start the title stands while they run

import math
from dataclasses import replace
from functools import partial

import streamlit as st

from core import gelu as core
from core.knobs import knobs
from ui import address, charts, drag, jobs, lab
from ui.i18n import t
from ui.numbers import latex, pretty

SLUG = "gelu"
series = partial(lab.series, SLUG)


def curves(config: core.CurvesConfig) -> None:
    """GELU, its two approximations and their errors."""
    result = lab.compute(core.curves, config)
    worst = {row.curve: row for row in result.worst.itertuples()}
    found = {code: pretty(abs(worst[code].error), 4) for code in ("tanh", "sigmoid")}
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.lines, result.functions, x="x", y="value", series="curve",
            names=series(("exact", "tanh", "sigmoid")), x_title="x",
            y_title=t(f"gelu.options.{config.meter}"), alt=t("gelu.curves.alt_functions"),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.lines, result.errors, x="x", y="error", series="curve",
            names=series(("tanh", "sigmoid")), x_title="x",
            y_title=t(f"gelu.curves.{config.scale}"),
            alt=t("gelu.curves.alt_errors", **found),
        )  # fmt: skip
    st.markdown(t("gelu.curves.worst", **found))


def tails(config: core.TailsConfig) -> None:
    """The left tail of Φ on a log scale."""
    result = lab.compute(core.tails, config)
    found = {code: pretty(factor, 3) for code, factor in result.factors.items()}
    lab.chart(
        charts.lines, result.curves, x="x", y="value", series="curve",
        names=series(("exact", "tanh", "sigmoid")), x_title="x", y_title=t("gelu.tails.value"),
        y_scale="log", alt=t("gelu.tails.alt", **found),
    )  # fmt: skip
    st.markdown(t("gelu.tails.found", x=pretty(-config.reach), **found))


def ripple(config: core.RippleConfig) -> None:
    """Drag the coefficient; the two extrema move."""
    result = lab.compute(core.ripple, config)
    name = "c" if config.form == "tanh-cubic" else "slope"
    knob = next(knob for knob in knobs(core.RippleConfig) if knob.name == name)
    basis = core.ripple_basis(config.form, config.target)
    drag.coefficient(
        address.key(SLUG, "ripple", name), knob, result.coefficient,
        {
            "basis": {axis: getattr(basis, axis) for axis in ("x", "exact", "p", "q", "dp", "dq")},
            "target": config.target, "best": result.optimum_error,
            "limit": 4 * result.optimum_error, "reach": 5,
        },
        {
            "coefficient": t(f"gelu.ripple.{name}"), "worst": t("gelu.ripple.worst"),
            "best": t("gelu.ripple.best", error=pretty(result.optimum_error, 4)), "x": "x",
            "title": t("gelu.ripple.title"),
        },
    )  # fmt: skip
    lab.formula(SLUG, f"ripple-{config.form}", v=latex(result.coefficient, 7))
    st.markdown(
        t(
            "gelu.ripple.found",
            target=t(f"gelu.options.{config.target}"),
            optimum=f"{result.optimum:.7f}",
            optimum_error=pretty(result.optimum_error, 5),
            equal=f"{result.equal_ripple:.7f}",
            equal_error=pretty(result.equal_ripple_error, 5),
            now=pretty(result.max_error, 5),
            excess=f"{100 * (result.max_error / result.optimum_error - 1):.1f}",
        )
    )


def refit(config: core.RefitConfig) -> None:
    """Form x target x criterion x weight: what each choice makes of the constant."""
    result = lab.compute(core.refit, config)
    shown = lab.shown()
    fitted = dict(
        zip(result.coefficients["coefficient"], result.coefficients["fitted"], strict=True)
    )
    lab.formula(SLUG, f"refit-{shown.form}", **{k: latex(v, 10) for k, v in fitted.items()})
    lab.chart(
        charts.lines, result.errors, x="x", y="error", x_title="x",
        y_title=t("gelu.refit.error", target=t(f"gelu.options.{shown.target}")),
        alt=t("gelu.refit.alt", error=pretty(result.max_error, 4)),
    )  # fmt: skip
    lab.table(result.coefficients, SLUG)
    st.markdown(t("gelu.refit.compare"))
    lab.table(result.table, SLUG, digits=6)


def grid(config: core.GridConfig) -> None:
    """The post's own recipe: its grid decides how many digits are real."""
    result = lab.compute(core.grid, config)
    lab.formula(
        SLUG, "grid", b=f"{result.b:.17g}", c=f"{result.c:.17g}", error=latex(result.error, 7)
    )
    lab.chart(
        charts.bars, result.digits, x="step", y="correct_digits", x_title=t("gelu.grid.step"),
        y_title=t("gelu.grid.digits"), y_domain=(0, 12), alt=t("gelu.grid.alt"),
    )  # fmt: skip
    st.markdown(
        t("gelu.grid.found", post=f"{result.post:.17g}", continuum=f"{result.continuum:.12f}")
    )
    lab.source(core.grid_objective, core.post_fit)


def why(config: core.WhyConfig) -> None:
    """The inner function of Phi is nearly cubic; a longer polynomial needs a clamp."""
    result = lab.compute(core.why, config)
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.lines, result.ratio, x="x", y="value", series="curve",
            names=series(("logit", "polynomial")), x_title="x", y_title=t("gelu.why.ratio"),
            alt=t("gelu.why.alt_ratio"),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.lines, result.errors, x="x", y="error", x_title="x",
            y_title=t("gelu.why.error"),
            y_scale="symlog" if result.max_error > 0.01 else "linear",
            alt=t("gelu.why.alt_errors", error=pretty(result.max_error, 3)),
        )  # fmt: skip
    terms = [f"{row.value:+.8g}\\,x^{{{row.power}}}" for row in result.coefficients.itertuples()]
    polynomial = "".join(terms).lstrip("+").replace("x^{1}", "x")
    lab.formula(SLUG, "why", polynomial=polynomial)
    flips = not math.isnan(result.sign_flip)
    st.markdown(t(f"gelu.why.{'flips' if flips else 'keeps'}", x=pretty(result.sign_flip, 4)))


def rounding(config: core.RoundingConfig) -> None:
    """Approximation error against the rounding of the number format."""
    result = lab.compute(core.rounding, config)
    worst = dict(zip(result.worst["source"], result.worst["error"], strict=True))
    share = dict(zip(result.share["source"], result.share["share"], strict=True))
    lab.chart(
        charts.lines, result.errors, x="x", y="error", series="source",
        names=series(("rounding", "tanh", "sigmoid")), x_title="x",
        y_title=t("gelu.rounding.error"),
        y_scale="log", y_domain=(1e-10, 0.1), alt=t("gelu.rounding.alt", dtype=config.dtype),
    )  # fmt: skip
    st.markdown(
        t(
            "gelu.rounding.found",
            dtype=config.dtype,
            **{f"{name}_worst": pretty(error, 3) for name, error in worst.items()},
            **{f"{name}_share": f"{100 * part:.0f}" for name, part in share.items()},
        )
    )


def speed(config: core.SpeedConfig) -> None:
    """What each form costs on this machine, measured when asked."""
    if st.button(t("gelu.speed.measure"), icon=":material/timer:", key="_gelu.speed.measure"):
        with st.spinner(t("gelu.speed.measuring")):
            st.session_state["_gelu.speed"] = config, core.speed(config)
    shipped = core.SpeedConfig(), core.shipped_speed()
    shown, result = st.session_state.get("_gelu.speed", shipped)
    lab.note(core.speed, shown, result)
    forms, rows = result.table["form"], result.table.set_index("form")
    lab.chart(
        charts.intervals, result.table, x="milliseconds_median", low="milliseconds_low",
        high="milliseconds_high", y="max_error", series="form", names=series(forms),
        x_title=t("gelu.speed.milliseconds"), y_title=t("gelu.speed.error"),
        x_scale="log", y_scale="log",
        alt=t("gelu.speed.alt", **{
            code: pretty(rows["milliseconds_median"][form], 3)
            for code, form in (("exact", "exact"), ("fused", "tanh-fused"), ("tanh", "tanh"))
        }),
    )  # fmt: skip
    origin = "shipped" if result is shipped[1] else "here"
    how = {"size": f"{1 << shown.log2_size:,}", "rounds": shown.rounds, **result.machine}
    st.caption(t(f"gelu.speed.{origin}", **how))
    lab.table(result.table, SLUG, digits=4)


def drift(config: core.NetworkConfig) -> None:
    """Swap the activation of a trained network and look at its outputs."""
    if not jobs.ready(core.NETWORK, config.training):
        return
    result = lab.compute(core.drift, config)
    last = pretty(result.by_layer["relative_drift"].iloc[-1], 3)
    shares = {"flipped": result.flipped, "exact": result.accuracy_exact}
    shares |= {"swapped": result.accuracy_swapped}
    percent = {name: f"{100 * share:.1f}" for name, share in shares.items()}
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.bars, result.by_layer, x="layer", y="relative_drift",
            x_title=t("gelu.drift.layer"), y_title=t("gelu.drift.relative"),
            alt=t("gelu.drift.alt_layers", last=last),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.histogram, result.histogram, low="low", high="high", count="count",
            x_title=t("gelu.drift.logit"), y_title=t("gelu.drift.count"),
            alt=t("gelu.drift.alt_logits", flipped=percent["flipped"]),
        )  # fmt: skip
    st.markdown(t("gelu.drift.found", last=last, **percent))
    st.markdown(t("gelu.drift.retrained"))
    lab.table(result.retrained_mean, SLUG, digits=4)


def encoder(config: core.EncoderConfig) -> None:
    """The same swap in the twelve layers of the sentence encoder."""
    if st.button(t("gelu.encoder.run"), icon=":material/play_arrow:", key="_gelu.encoder.run"):
        with st.spinner(t("gelu.encoder.running")):
            st.session_state["_gelu.encoder"] = config, core.encoder_drift(config)
    ran_with, result = st.session_state.get("_gelu.encoder", (None, None))
    shown = config
    if ran_with != config:
        shown = core.EncoderConfig(layers=config.layers)
        result = core.shipped_encoder_drift(config.layers)
    lab.note(core.encoder_drift, shown, result)
    names = series(result.vectors["activation"]) | {"own": f"x·σ({shown.slope:g}x)"}
    rows = result.vectors.set_index("activation")
    moved = {code: f"{100 * rows['neighbors'][code]:.0f}" for code in ("tanh", "sigmoid", "relu")}
    lab.chart(
        charts.lines, result.by_layer, x="layer", y="relative_drift", series="activation",
        names=names, x_title=t("gelu.encoder.layer"), y_title=t("gelu.drift.relative"),
        y_scale="log", alt=t("gelu.encoder.alt", **moved),
    )  # fmt: skip
    st.caption(t(f"gelu.encoder.{'here' if ran_with == config else 'shipped'}"))
    st.markdown(t("gelu.encoder.found", **moved))
    lab.table(result.vectors.replace({"activation": {"own": names["own"]}}), SLUG, digits=5)


lab.header(SLUG)
lab.panel(SLUG, core.CurvesConfig, curves)
lab.panel(SLUG, core.TailsConfig, tails)
lab.panel(
    SLUG,
    core.RippleConfig,
    ripple,
    own=("c", "slope"),
    presets={
        "local": core.at_local,
        "published": core.at_published,
        "equal": core.at_equal_ripple,
        "optimum": core.at_optimum,
    },
)
lab.panel(
    SLUG,
    core.RefitConfig,
    refit,
    presets={
        "post": lambda now: core.RefitConfig(),
        "gelu": lambda now: core.RefitConfig(target="gelu"),
        "free": lambda now: replace(now, form="tanh-cubic-free"),
        "broken": lambda now: replace(now, form="sigmoid-quintic", max_iterations=1),
    },
)
lab.panel(
    SLUG,
    core.GridConfig,
    grid,
    presets={
        "coarse": lambda now: core.GridConfig(step="0.1"),
        "other": lambda now: replace(now, start="0.5"),
    },
)
lab.panel(
    SLUG,
    core.WhyConfig,
    why,
    presets={
        "quintic": lambda now: core.WhyConfig(degree="5", reach=12.0),
        "clamped": lambda now: core.WhyConfig(degree="5", reach=12.0, clamp=True),
    },
)
lab.panel(SLUG, core.RoundingConfig, rounding)
lab.panel(SLUG, core.SpeedConfig, speed)
lab.panel(
    SLUG,
    core.NetworkConfig,
    drift,
    presets={
        "tanh": lambda now: replace(now, activation="tanh"),
        "sigmoid": lambda now: replace(now, activation="sigmoid"),
        "best": lambda now: replace(now, activation="own", slope=core.BEST_SLOPE),
        "relu": lambda now: replace(now, activation="relu"),
    },
)
lab.panel(SLUG, core.EncoderConfig, encoder)
lab.claims(SLUG)
lab.equations(SLUG)
lab.source(core.gelu, core.gelu_tanh, core.gelu_sigmoid, core.fit)
lab.take_away(SLUG)
