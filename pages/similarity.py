"""How far must the words of one sentence travel to become another? (post 7388)"""

from ui.frame import ensure_frame

ensure_frame()  # before the imports below: on a cold start the title stands while they run

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from core import similarity as core
from ui import charts, lab
from ui.i18n import t
from ui.numbers import latex, pretty
from ui.warm import warm

SLUG = "similarity"
HIGHEST = {"cosine": 1.2, "angle": 1.2}  # costs that have one scale; the others have their own


def series(table: Any) -> dict[str, str]:
    """The curves of a table with the reader's words for them."""
    return {code: t(f"similarity.series.{code}") for code in table["curve"].unique()}


def examples(table: Any) -> dict[str, str]:
    """The examples of a table with the reader's words for them."""
    return {code: t(f"similarity.options.{code}") for code in table["curve"].unique()}


def plan(config: core.PlanConfig) -> None:
    """The words of one sentence moved onto the other's, as ribbons and as two heat maps."""
    with st.spinner(t("similarity.encoding")):
        try:
            result = lab.compute(core.plan, config)
        except core.BadText as error:
            st.error(t(f"similarity.bad.{error.code}", part=lab.quoted(error.part)))
            return
    _said(result)
    highest = HIGHEST.get(config.cost) or float(math.ceil(result.cells["cost"].max()))
    left, right = st.columns([3, 2])
    with left:
        lab.chart(
            charts.ribbons, result.cells, source="first", target="second", mass="mass",
            cost="cost", x_title=t("similarity.plan.across"), y_title=t("similarity.plan.mass"),
            mass_title=t("similarity.plan.mass"), cost_title=t("similarity.plan.unit"),
            domain=(0.0, highest), alt=_moves(result),
        )  # fmt: skip
    with right:
        lab.formula(SLUG, "plan", value=latex(result.value, 4))
        lab.table(result.measures, SLUG, digits=4)
        st.caption(t("similarity.plan.measures"))
    cells = partial(
        lab.chart, charts.heatmap, result.cells, x="second", y="first",
        x_title=t("similarity.plan.second"), y_title=t("similarity.plan.first"),
    )  # fmt: skip
    left, right = st.columns(2)
    with left:
        cells(
            value="mass", value_title=t("similarity.plan.mass"),
            domain=(0.0, float(result.cells["mass"].max())), alt=t("similarity.plan.alt_mass"),
        )  # fmt: skip
    with right:
        cells(
            value="cost", value_title=t("similarity.plan.unit"), domain=(0.0, highest), near=True,
            alt=t("similarity.plan.alt_cost"),
        )  # fmt: skip
    lab.table(result.weights, SLUG, digits=3)


def _said(result: core.Plan) -> None:
    """Who made the vectors, and what it could not read."""
    if result.notice:
        detail = lab.quoted(result.notice.detail)
        st.warning(t(f"similarity.notice.{result.notice.code}", detail=detail))
    if result.unknown:
        st.warning(t("similarity.unknown", count=result.unknown, words=sum(map(len, result.words))))
    if result.truncated:
        st.warning(t("similarity.truncated"))
    name = lab.quoted(result.encoder) if result.foreign else result.encoder
    kind = "foreign" if result.foreign else "embedded"
    licence = result.licence or t("similarity.no_licence")
    st.caption(t(f"similarity.encoder.{kind}", name=name, licence=licence))


def _moves(result: core.Plan) -> str:
    """Where most of every word goes, in a sentence."""
    moved = result.cells.loc[result.cells.groupby("first", sort=False)["mass"].idxmax()]
    pairs = ", ".join(f"{a} → {b}" for a, b in zip(moved["first"], moved["second"], strict=True))
    return t("similarity.plan.alt_ribbons", pairs=pairs)


def bounds(config: core.BoundsConfig) -> None:
    """Bounds over the exact distance, and the slip that breaks one."""
    result = lab.compute(core.bounds, config)
    curves = series(result.points)
    lab.chart(
        charts.lines, result.points, x="x", y="value", series="curve", names=curves,
        points=tuple(code for code in curves if code != "diagonal"),
        x_title=t(f"similarity.bounds.exact_{config.distance}"),
        y_title=t("similarity.bounds.bound"),
        alt=t("similarity.bounds.alt", broken=result.broken, pairs=result.pairs),
    )  # fmt: skip
    lab.formula(SLUG, f"bounds-{config.distance}", root=latex(result.root, 4))
    st.markdown(
        t(
            f"similarity.bounds.found_{config.distance}",
            broken=result.broken,
            pairs=result.pairs,
            factor=pretty(result.factor, 4),
            root=pretty(result.root, 4),
        )
    )
    lab.table(result.table, SLUG, digits=3)
    lab.source(core.post_word_mover_distance, core.corrected_word_mover_distance)


def entropy(config: core.EntropyConfig) -> None:
    """The plan blurs as the entropy weighs more; what that costs in steps and time."""
    result = lab.compute(core.entropy, config)
    lab.chart(
        charts.ribbons, result.cells, source="first", target="second", mass="mass", cost="cost",
        x_title=t("similarity.plan.across"), y_title=t("similarity.plan.mass"),
        mass_title=t("similarity.plan.mass"), cost_title=t("similarity.plan.unit"),
        domain=(0.0, 1.2), alt=t("similarity.entropy.alt_plan", spread=pretty(result.spread, 3)),
    )  # fmt: skip
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.lines, result.values, x="epsilon", y="value", series="curve",
            names=series(result.values), x_title="ε", y_title=t("similarity.entropy.cost"),
            x_scale="log", alt=t("similarity.entropy.alt_values"),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.lines, result.work, x="epsilon", y="steps", series="curve",
            names=series(result.work), x_title="ε", y_title=t("similarity.entropy.steps"),
            x_scale="log", y_scale="log", alt=t("similarity.entropy.alt_work"),
        )  # fmt: skip
    lab.formula(SLUG, "entropy", epsilon=latex(result.epsilon, 3), value=latex(result.value, 4))
    st.markdown(
        t(
            "similarity.entropy.found",
            exact=pretty(result.exact, 4),
            value=pretty(result.value, 4),
            debiased=pretty(result.debiased, 4),
            spread=pretty(result.spread, 3),
            spread_exact=pretty(result.spread_exact, 3),
            sweeps=result.sweeps,
            newton=result.newton,
        )
    )
    lab.table(result.times, SLUG, digits=2)
    st.caption(t("similarity.entropy.limit"))


def order(config: core.OrderConfig) -> None:
    """What a distance of bags of words can't see, and a remedy to try."""
    result = lab.compute(core.order, config)
    lab.chart(
        charts.lines, result.curves, x="x", y="value", series="curve",
        names=examples(result.curves),
        x_title=t("similarity.order.position"), y_title=t(f"similarity.order.{config.distance}"),
        alt=t("similarity.order.alt", swapped=pretty(result.swapped, 3)),
    )  # fmt: skip
    lab.formula(SLUG, "order", weight=latex(config.position, 2))
    crossing = "never" if math.isnan(result.crossing) else "crossing"
    st.markdown(
        t(
            f"similarity.order.{crossing}",
            swapped=pretty(result.swapped, 3),
            paraphrase=pretty(result.paraphrase, 3),
            at=pretty(result.crossing, 2),
        )
    )
    lab.table(result.table, SLUG, digits=3)


def triangle(config: core.TriangleConfig) -> None:
    """WRD by way of a third text can be shorter."""
    result = lab.compute(core.triangle, config)
    lab.chart(
        charts.lines, result.curves, x="x", y="value", series="curve",
        names=series(result.curves), x_title=t("similarity.triangle.middle_axis"),
        y_title=t("similarity.triangle.distance"),
        alt=t("similarity.triangle.alt", direct=pretty(result.direct, 3)),
    )  # fmt: skip
    first = config.end * config.middle / 100
    broken = result.detour < result.direct - 1e-9
    lab.formula(
        SLUG, "triangle", end=f"{config.end}", first=f"{first:g}", rest=f"{config.end - first:g}",
        direct=latex(result.direct, 4), detour=latex(result.detour, 4),
        sign=">" if broken else "\\le",
    )  # fmt: skip
    st.markdown(
        t(
            "similarity.triangle.found",
            direct=pretty(result.direct, 4),
            detour=pretty(result.detour, 4),
            direct_angle=pretty(result.direct_angle, 4),
            detour_angle=pretty(result.detour_angle, 4),
        )
    )


def importance(config: core.ImportanceConfig) -> None:
    """Norms of real word vectors over how rare the words are."""
    result = lab.compute(core.importance, config)
    curves = series(result.points)
    lab.chart(
        charts.lines, result.points, x="x", y="value", series="curve", names=curves,
        points=tuple(curves), x_title=t("similarity.importance.rarity"),
        y_title=t("similarity.importance.norm"),
        alt=t("similarity.importance.alt", correlation=pretty(result.correlation, 2)),
    )  # fmt: skip
    st.markdown(
        t(
            "similarity.importance.found",
            count=result.count,
            correlation=pretty(result.correlation, 2),
            low=pretty(result.low, 2),
            high=pretty(result.high, 2),
            stop=pretty(result.stop, 3),
            content=pretty(result.content, 3),
            variation=f"{100 * result.variation:.1f}",
        )
    )
    lab.table(result.shortest, SLUG, digits=3)
    st.caption(t("similarity.importance.source"))


def example(name: str) -> Callable[[core.PlanConfig], core.PlanConfig]:
    """A preset: the two sentences of an example."""
    first, second = core.EXAMPLES[name]
    return lambda now: replace(now, first=first, second=second, p="", q="")


lab.header(SLUG)
lab.panel(
    SLUG,
    core.PlanConfig,
    plan,
    presets={
        "bilingual": lambda now: core.PlanConfig(),
        "paraphrase": example("paraphrase"),
        "negation": example("negation-zh"),
        "unrelated": example("unrelated"),
        "mover": lambda now: replace(now, masses="uniform", cost="euclidean"),
        "rotator": lambda now: replace(now, masses="norm", cost="cosine"),
    },
)
lab.panel(
    SLUG,
    core.BoundsConfig,
    bounds,
    presets={
        "slip": lambda now: core.BoundsConfig(distance="code"),
        "plane": lambda now: core.BoundsConfig(distance="code", dim=2),
        "mover": lambda now: core.BoundsConfig(distance="wmd"),
        "rotator": lambda now: core.BoundsConfig(distance="wrd", source="sentences"),
    },
)
lab.panel(
    SLUG,
    core.EntropyConfig,
    entropy,
    presets={
        "sharp": lambda now: replace(now, exponent=-3.0),
        "blurred": lambda now: replace(now, exponent=1.0),
    },
)
lab.panel(
    SLUG,
    core.OrderConfig,
    order,
    presets={
        "blind": lambda now: core.OrderConfig(),
        "remedy": lambda now: core.OrderConfig(position=0.5),
        "contextual": lambda now: core.OrderConfig(vectors="contextual"),
    },
)
lab.panel(
    SLUG,
    core.TriangleConfig,
    triangle,
    presets={
        "half": lambda now: core.TriangleConfig(),
        "opposite": lambda now: core.TriangleConfig(end=180),
    },
)
lab.panel(SLUG, core.ImportanceConfig, importance)
lab.claims(SLUG)
lab.equations(SLUG)
lab.source(core.transport, core.wmd, core.wrd, core.wrd_bounds)
lab.take_away(SLUG)
warm(core.encoder)
