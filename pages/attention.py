"""Must attention have a softmax? (post 7546)"""

from ui.frame import ensure_frame

ensure_frame()  # before the imports below: on a cold start the title stands while they run

from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from core import attention as core
from ui import charts, jobs, lab
from ui.i18n import t
from ui.numbers import latex, pretty

SLUG = "attention"
series = partial(lab.series, SLUG)
SIGNED = ("identity",)  # kernels whose weights may be negative


def matrices(config: core.MatricesConfig) -> None:
    """Softmax and a kernel on random queries and keys."""
    result = lab.compute(core.matrices, config)
    pair(result, config.kernel)
    lab.formula(
        SLUG, "matrices", scale=latex(config.scale, 3), d=str(config.dim),
        distance=latex(result.distance, 3),
    )  # fmt: skip
    tell(result, config.kernel)
    lab.table(result.table, SLUG, digits=3)


def heads(config: core.HeadsConfig) -> None:
    """A trained head on the reader's sentence, and a kernel on its own queries and keys."""
    label, name = t("attention.heads.text"), f"{SLUG}.heads.text"
    st.text_input(label, config.text, key=name, max_chars=core.LONGEST)
    try:
        with st.spinner(t("attention.heads.reads")):
            result = lab.compute(core.heads, config)
    except core.NoWord:
        st.error(t("attention.heads.no_word"))
        return
    lab.encoder_notice(result.notice)
    if result.unknown:
        tokens = ", ".join(lab.quoted(token) for token in result.unknown)
        st.warning(t("attention.heads.unknown", tokens=tokens))
    if result.truncated:
        st.warning(t("attention.heads.truncated"))
    if not result.reachable:
        st.warning(t("attention.heads.unreachable"))
    pair(result, config.kernel)
    if (result.layer, result.head) != (config.layer, config.head):
        st.caption(t("attention.heads.shown", layer=result.layer, head=result.head))
    tell(result, config.kernel)
    lab.table(result.table, SLUG, digits=3)
    st.caption(t("attention.heads.source"))


def pair(result: core.Matrices, kernel: str) -> None:
    """Two matrices side by side, then singular values and the distance of each row."""
    left, right = st.columns(2)
    domain = (-1.0, 1.0) if kernel in SIGNED else (0.0, 1.0)
    with left:
        matrix(result.softmax, "softmax", result.softmax_entropy, (0.0, 1.0))
    with right:
        matrix(result.kernel, kernel, result.entropy, domain)
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.lines, result.spectrum, x="index", y="value", series="curve",
            names=series(result.spectrum["curve"]), x_title=t("attention.matrices.index"),
            y_title=t("attention.matrices.singular"), y_scale="log",
            alt=t("attention.matrices.alt_spectrum", rank=result.rank, all=result.softmax_rank),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.lines, result.rows, x="query", y="value", series="curve",
            names=series(result.rows["curve"]), points=(kernel,),
            x_title=t("attention.matrices.query"), y_title=t("attention.matrices.distance"),
            alt=t("attention.matrices.alt_rows", distance=pretty(result.distance, 3)),
        )  # fmt: skip


def matrix(table: Any, kind: str, entropy: float, domain: tuple[float, float]) -> None:
    """One attention matrix under its name."""
    word = series([kind])[kind]
    st.markdown(f"**{word}**")
    lab.chart(
        charts.matrix, table, x="key", y="query", value="weight",
        x_title=t("attention.matrices.key"), y_title=t("attention.matrices.query"),
        value_title=t("attention.matrices.weight"), domain=domain,
        alt=t("attention.matrices.alt", kind=word, entropy=pretty(entropy, 3)),
    )  # fmt: skip


def tell(result: core.Matrices, kernel: str) -> None:
    """What the meters say, and where a signed kernel has gone."""
    st.markdown(
        t(
            "attention.matrices.found",
            kernel=series([kernel])[kernel],
            distance=pretty(result.distance, 3),
            entropy=pretty(result.entropy, 3),
            softmax=pretty(result.softmax_entropy, 3),
            rank=result.rank,
            softmax_rank=result.softmax_rank,
        )
    )
    if result.negative:
        share, extreme = f"{100 * result.negative:.0f}", pretty(result.extreme, 3)
        st.warning(t("attention.matrices.signed", share=share, extreme=extreme))
    if result.empty:
        st.info(t("attention.matrices.empty", count=result.empty))


def scales(config: core.ScalesConfig) -> None:
    """Which kernel copies softmax best, at which size of q·k."""
    result = lab.compute(core.scales, config)
    lab.chart(
        charts.lines, result.curves, x="scale", y="value", series="curve",
        names=series(result.curves["curve"]), x_title=t("attention.scales.axis"),
        y_title=t("attention.matrices.distance"), x_scale="log", y_domain=(0.0, 1.0),
        alt=t(
            "attention.scales.alt", best=series([result.best])[result.best],
            distance=pretty(result.distance, 3),
        ),
    )  # fmt: skip
    st.markdown(
        t(
            "attention.scales.found",
            scale=pretty(config.scale),
            best=series([result.best])[result.best],
            distance=pretty(result.distance, 3),
            uniform=pretty(result.uniform, 3),
        )
    )
    lab.table(result.table, SLUG, digits=3)


def associativity(config: core.AssociativityConfig) -> None:
    """Time and memory against length, measured on this machine if asked for."""
    if config.measured == "here" and not jobs.ready(core.SPEED, config.task):
        return
    result = lab.compute(core.associativity, config)
    crossing, written = (
        t("attention.associativity.from", n=pretty(n, 3))
        if n > 0
        else t("attention.associativity.never")
        for n in (result.crossing, result.written)
    )
    words, slopes = series(result.curves["curve"]), result.table.set_index("form")["exponent"]
    words |= {
        form: t("attention.associativity.rises", curve=words[form], slope=f"{slope:.2f}")
        for form, slope in slopes.dropna().items()
    }
    lab.chart(
        charts.lines, result.curves, x="n", y="value", series="curve",
        names=words, points=("crossing", "theory"),
        x_title=t("attention.associativity.n"),
        y_title=t(f"attention.associativity.{config.quantity}"),
        x_scale="log", y_scale="log", band=("low", "high"), height=440,
        alt=t("attention.associativity.alt", crossing=crossing),
    )  # fmt: skip
    st.markdown(
        t(
            f"attention.associativity.found_{config.quantity}",
            crossing=crossing,
            written=written,
            width=config.width if config.measured == "here" else core.SpeedConfig().width,
        )
    )
    lab.table(result.table, SLUG, digits=4)
    st.caption(t("attention.associativity.machine", **result.machine))


def causality(config: core.CausalityConfig) -> None:
    """Change one token, and see what moves before it."""
    result = lab.compute(core.causality, config)
    lab.chart(
        charts.lines, result.changes, x="token", y="value", series="curve",
        names=series(result.changes["curve"]), points=(config.form,),
        x_title=t("attention.causality.place"), y_title=t("attention.causality.moved"),
        alt=t("attention.causality.alt", token=result.token, leak=pretty(result.leak, 3)),
    )  # fmt: skip
    lab.formula(SLUG, "causality", token=str(result.token), leak=latex(result.leak, 3))
    verdict = "leaks" if result.leak else "tight"
    st.markdown(
        t(
            f"attention.causality.{verdict}",
            form=series([config.form])[config.form],
            token=result.token,
            leak=pretty(result.leak, 3),
            worst=result.worst,
        )
    )
    if config.form == "efficient":
        st.markdown(t("attention.causality.cut", sum=pretty(result.row_sum, 3)))
    lab.table(result.table, SLUG, digits=3)


def recurrence(config: core.RecurrenceConfig) -> None:
    """The state, token by token."""
    lab.player(SLUG, config, "token", state)


def state(config: core.RecurrenceConfig) -> None:
    """S and z after some tokens, and the outputs so far."""
    result = lab.compute(core.recurrence, config)
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.matrix, result.state, x="column", y="feature", value="value",
            x_title=t("attention.recurrence.column"), y_title=t("attention.recurrence.feature"),
            value_title=t("attention.recurrence.sum"), domain=(-result.bound, result.bound),
            alt=t("attention.recurrence.alt_state", token=config.token, count=result.numbers),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.lines, result.outputs, x="token", y="value", series="curve",
            names=series(result.outputs["curve"]), points=("recurrent",),
            x_title=t("attention.causality.place"), y_title=t("attention.recurrence.output"),
            alt=t("attention.recurrence.alt_outputs", difference=pretty(result.difference, 2)),
        )  # fmt: skip
    if config.token:
        lab.formula(
            SLUG, "recurrence", i=str(config.token), above=latex(result.numerator, 4),
            below=latex(result.denominator, 4),
            out=latex(result.output, 4),
        )  # fmt: skip
    st.markdown(
        t(
            "attention.recurrence.found",
            token=config.token,
            difference=pretty(result.difference, 2),
            numbers=result.numbers,
            cache=result.cache,
        )
    )


def drift(config: core.DriftConfig) -> None:
    """Ten thousand tokens in three precisions."""
    result = lab.compute(core.drift, config)
    lab.chart(
        charts.lines, result.errors, x="token", y="value", series="curve",
        names=series(result.errors["curve"]), x_title=t("attention.drift.tokens"),
        y_title=t("attention.drift.error"), x_scale="log", y_scale="log",
        alt=t("attention.drift.alt", dtype=result.worst, error=pretty(result.error, 2)),
    )  # fmt: skip
    st.markdown(t("attention.drift.found", dtype=result.worst, error=pretty(result.error, 2)))
    lab.table(result.last, SLUG, digits=2)


def capacity(config: core.CapacityConfig) -> None:
    """How many pairs a state holds, by kernel and rule."""
    result = lab.compute(core.capacity, config)
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.lines, result.curves, x="pairs", y="value", series="curve",
            names=series(result.curves["curve"]), x_title=t("attention.capacity.pairs"),
            y_title=t("attention.capacity.recalled"), x_scale="log", y_domain=(0.0, 1.0),
            alt=t("attention.capacity.alt", elu=result.held["elu"], delta=result.held["delta"]),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.lines, result.ages, x="age", y="value", series="curve",
            names=series(result.ages["curve"]), x_title=t("attention.capacity.age"),
            y_title=t("attention.capacity.recalled"), y_domain=(0.0, 1.0),
            alt=t("attention.capacity.alt_ages", pairs=2 * int(config.dim)),
        )  # fmt: skip
    st.markdown(
        t(
            "attention.capacity.found",
            d=config.dim,
            elu=result.held["elu"],
            sum=result.held["sum"],
            delta=result.held["delta"],
            taylor=result.held["taylor2"],
        )
    )
    lab.table(result.table, SLUG, digits=4)


def learning(config: core.LearningConfig) -> None:
    """One trained layer, and what each kind learns as pairs grow."""
    if not jobs.ready(core.RECALL, config.training):
        return
    result = lab.compute(core.learning, config)
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.lines, result.curves, x="step", y="accuracy", series="curve",
            names=series(result.curves["curve"]), x_title=t("attention.learning.step"),
            y_title=t("attention.learning.accuracy"), y_domain=(0.0, 1.0),
            alt=t("attention.learning.alt", accuracy=pretty(result.accuracy, 3)),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.lines, result.lengths, x="pairs", y="accuracy", series="curve",
            names=series(result.lengths["curve"]), x_title=t("attention.capacity.pairs"),
            y_title=t("attention.learning.accuracy"), x_scale="log", y_domain=(0.0, 1.0),
            alt=t("attention.learning.alt_lengths"),
        )  # fmt: skip
    st.markdown(
        t(
            "attention.learning.found",
            attention=series([config.attention])[config.attention],
            accuracy=f"{100 * result.accuracy:.1f}",
            softmax=f"{100 * result.softmax:.1f}",
        )
    )
    lab.table(result.table, SLUG, digits=3)


def transformers(config: core.TransformersConfig) -> None:
    """A whole small model with each attention, on tokens that come one by one."""
    if not jobs.ready(core.TRANSFORMER, config.training):
        return
    result = lab.compute(core.transformers, config)
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.lines, result.curves, x="step", y="accuracy", series="curve",
            names=series(result.curves["curve"]), x_title=t("attention.learning.step"),
            y_title=t("attention.learning.accuracy"), y_domain=(0.0, 1.0),
            alt=t("attention.learning.alt", accuracy=pretty(result.accuracy, 3)),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.ranked, result.ends, x="accuracy", y="attention", series="task",
            names=series(result.ends["attention"]), series_names=series(result.ends["task"]),
            x_title=t("attention.learning.accuracy"), y_title=t("attention.learning.attention"),
            x_domain=(0.0, 1.0), alt=t("attention.transformers.alt"),
        )  # fmt: skip
    st.markdown(
        t(
            "attention.transformers.found",
            attention=series([config.attention])[config.attention],
            accuracy=f"{100 * result.accuracy:.1f}",
            steps=config.steps,
            softmax=f"{100 * result.softmax:.1f}",
        )
    )
    lab.table(result.table, SLUG, digits=4)


def projection(config: core.ProjectionConfig) -> None:
    """Linformer: how many projections n tokens ask for."""
    result = lab.compute(core.projection, config)
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.lines, result.errors, x="m", y="value", series="curve",
            names=series(result.errors["curve"]), points=("own",),
            x_title=t("attention.projection.m"), y_title=t("attention.projection.error"),
            x_scale="log", y_scale="log",
            alt=t("attention.projection.alt", m=config.fit.projections, n=config.tokens),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.heatmap, result.learned, x="pairs", y="projections", value="accuracy",
            x_title=t("attention.capacity.pairs"), y_title=t("attention.projection.m"),
            value_title=t("attention.learning.accuracy"), domain=(0.0, 1.0),
            alt=t("attention.projection.alt_learned"),
        )  # fmt: skip
    st.markdown(
        t(
            "attention.projection.found",
            m=config.fit.projections,
            n=config.tokens,
            random=pretty(result.random, 3),
            cut=pretty(result.cut, 3),
            trained=pretty(result.trained, 3),
        )
    )
    lab.table(result.needed, SLUG)
    if not result.has_fit:
        jobs.ready(core.FIT, config.fit)


lab.header(SLUG)
lab.panel(
    SLUG,
    core.MatricesConfig,
    matrices,
    presets={
        "even": lambda now: core.MatricesConfig(scale=0.3),
        "one": lambda now: core.MatricesConfig(scale=10.0),
        "cosine": lambda now: replace(now, kernel="cosine"),
        "signed": lambda now: core.MatricesConfig(kernel="identity"),
        "full": lambda now: core.MatricesConfig(causal=True),
    },
)
lab.panel(
    SLUG,
    core.AssociativityConfig,
    associativity,
    presets={
        "training": lambda now: replace(now, backward=True),
        "memory": lambda now: replace(now, quantity="memory"),
        "whole": lambda now: core.AssociativityConfig(measured=now.measured, causal=False),
    },
)
lab.panel(
    SLUG,
    core.HeadsConfig,
    heads,
    presets={
        "chinese": lambda now: replace(now, text=core.CHINESE),
        "even": lambda now: replace(now, layer=1, head=1),
        "first": lambda now: replace(now, layer=1, head=8),
        "signed": lambda now: replace(now, kernel="identity"),
    },
    own=("text",),
)
lab.panel(
    SLUG,
    core.ScalesConfig,
    scales,
    presets={
        "small": lambda now: replace(now, scale=0.1),
        "large": lambda now: replace(now, scale=4.0),
        "many": lambda now: core.ScalesConfig(features="1024"),
    },
)
lab.panel(
    SLUG,
    core.CausalityConfig,
    causality,
    presets={
        "mended": lambda now: replace(now, form="efficient-mended"),
        "linformer": lambda now: replace(now, form="linformer"),
        "kernel": lambda now: replace(now, form="elu"),
        "pooling": lambda now: replace(now, form="pooling"),
    },
)
lab.panel(SLUG, core.RecurrenceConfig, recurrence, own=("token",))
lab.panel(SLUG, core.DriftConfig, drift)
lab.panel(
    SLUG,
    core.CapacityConfig,
    capacity,
    presets={
        "orthogonal": lambda now: replace(now, orthogonal=True),
        "passes": lambda now: replace(now, passes=8),
        "forgetful": lambda now: replace(now, decay=0.6),
    },
)
lab.panel(
    SLUG,
    core.LearningConfig,
    learning,
    presets={
        "softmax": lambda now: core.LearningConfig(attention="softmax", task=now.task),
        "copy": lambda now: core.LearningConfig(attention=now.attention, task="copy"),
        "signed": lambda now: core.LearningConfig(attention="identity"),
        "modern": lambda now: core.LearningConfig(attention="identity-rms"),
    },
)
lab.panel(
    SLUG,
    core.TransformersConfig,
    transformers,
    presets={
        "softmax": lambda now: replace(now, attention="softmax"),
        "delta": lambda now: replace(now, attention="delta"),
        "copy": lambda now: replace(now, task="copy"),
        "longer": lambda now: replace(now, steps="2400"),
    },
)
lab.panel(
    SLUG,
    core.ProjectionConfig,
    projection,
    presets={
        "copy": lambda now: replace(now, task="copy"),
        "long": lambda now: core.ProjectionConfig(tokens="256", projections=16),
    },
)
lab.claims(SLUG)
st.caption(t("attention.slips.links"))
lab.equations(SLUG)
lab.source(core.linear_attention, core.attention_matrix, core.recurrent_step, core.write_delta)
lab.take_away(SLUG)
