"""How far must the words of one sentence travel to become another? (post 7388)"""

from ui.frame import ensure_frame

ensure_frame()  # before the imports below: on a cold start the title stands while they run

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any
from zlib import crc32

import streamlit as st

from core import similarity as core
from ui import address, charts, jobs, lab
from ui.i18n import t
from ui.numbers import latex, pretty
from ui.warm import warm

SLUG = "similarity"
series = partial(lab.series, SLUG)
HIGHEST = {"cosine": 1.2, "angle": 1.2}  # costs that have one scale; the others have their own


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
            _by_the_rule(config)
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
    left, right = st.columns([3, 2])
    with left:
        st.markdown(t("similarity.plan.edit"))
        _masses(result.weights)
        _by_the_rule(config)
    with right:
        st.markdown(t("similarity.plan.bounds"))
        lab.table(result.bounds, SLUG, digits=4)


def _masses(weights: Any) -> None:
    """What every word weighs; a mass that is typed takes the place of the one by the rule."""
    words = {name: t(f"similarity.columns.{name}") for name in weights}
    key = f"_masses.{crc32(weights.to_csv().encode())}"  # other masses, another table
    st.data_editor(
        weights.assign(side=weights["side"].map(series(weights["side"]))),
        hide_index=True, disabled=[name for name in weights if name != "mass"], key=key,
        column_config={
            **{name: st.column_config.Column(words[name]) for name in ("word", "side")},
            **{
                name: st.column_config.NumberColumn(words[name], format="%.3f", min_value=0.0)
                for name in ("mass", "norm")
            },
        },
        on_change=_weigh, args=(key, weights),
    )  # fmt: skip


def _weigh(key: str, weights: Any) -> None:
    """Take over what was typed into the table."""
    typed = {
        row: cells["mass"] or 0.0 for row, cells in st.session_state[key]["edited_rows"].items()
    }
    for name, side in (("p", "first"), ("q", "second")):
        of_side = weights.index[weights["side"] == side]
        changed = {row - of_side[0]: mass for row, mass in typed.items() if row in of_side}
        if changed:
            masses = core.edited_masses(weights["mass"][of_side].tolist(), changed)
            st.session_state[address.key(SLUG, "plan", name)] = masses


def _by_the_rule(config: core.PlanConfig) -> None:
    """The way back from own masses."""
    if config.p or config.q:
        st.button(t("similarity.plan.rule"), key="_masses.rule", on_click=_forget_masses)


def _forget_masses() -> None:
    st.session_state.update({address.key(SLUG, "plan", name): "" for name in "pq"})


def _said(result: core.Plan) -> None:
    """Who made the vectors, and what it could not read."""
    lab.encoder_notice(result.made_by.notice)
    if result.unknown:
        st.warning(t("similarity.unknown", count=result.unknown, words=sum(map(len, result.words))))
    if result.truncated:
        st.warning(t("similarity.truncated"))
    _encoder(result.made_by)


def _encoder(made_by: core.Source) -> None:
    """Whose vectors these are, their licence, and what they can't do."""
    name = lab.quoted(made_by.name) if made_by.foreign else made_by.name
    kind = "foreign" if made_by.foreign else "embedded"
    licence = made_by.licence or t("similarity.no_licence")
    st.caption(t(f"similarity.encoder.{kind}", name=name, licence=licence))


def _moves(result: core.Plan) -> str:
    """Where most of every word goes, in a sentence."""
    moved = result.cells.loc[result.cells.groupby("first", sort=False)["mass"].idxmax()]
    pairs = ", ".join(f"{a} → {b}" for a, b in zip(moved["first"], moved["second"], strict=True))
    return t("similarity.plan.alt_ribbons", pairs=pairs)


def bounds(config: core.BoundsConfig) -> None:
    """Bounds over the exact distance, and the slip that breaks one."""
    result = lab.compute(core.bounds, config)
    curves = series(result.points["curve"])
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
    lab.source(
        core.wasserstein_linprog,
        core.post_word_mover_distance,
        core.corrected_word_mover_distance,
        core.post_word_rotator_distance,
    )


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
            names=series(result.values["curve"]), x_title="ε", y_title=t("similarity.entropy.cost"),
            x_scale="log", alt=t("similarity.entropy.alt_values"),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.lines, result.work, x="epsilon", y="steps", series="curve",
            names=series(result.work["curve"]), x_title="ε", y_title=t("similarity.entropy.steps"),
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
        names=series(result.curves["curve"]), x_title=t("similarity.triangle.middle_axis"),
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
    curves = series(result.points["curve"])
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.lines, result.points, x="x", y="value", series="curve", names=curves,
            points=tuple(curves), x_title=t("similarity.importance.rarity"),
            y_title=t("similarity.importance.norm"),
            alt=t("similarity.importance.alt", correlation=pretty(result.correlation, 2)),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.lines, result.cuts, x="count", y="correlation", x_scale="log",
            x_title=t("similarity.importance.count"),
            y_title=t("similarity.importance.correlation"), y_domain=(-1.0, 1.0),
            alt=t("similarity.importance.alt_cuts"),
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


def search(config: core.SearchConfig) -> None:
    """The nearest sentences of a corpus, and how few of them were solved."""
    _own_texts(config)
    if not core.is_here(config.texts):
        st.warning(t("similarity.search.gone"))
        return
    if config.corpus != core.AT_ONCE and not jobs.ready(core.CORPUS, config.corpus):
        return
    with st.spinner(t("similarity.encoding")):
        try:
            result = lab.compute(core.nearest, config)
        except core.BadText as error:
            st.error(t(f"similarity.bad.{error.code}", part=lab.quoted(error.part)))
            return
    if result.unknown:
        words = len(result.words[0])
        st.warning(t("similarity.unknown", count=result.unknown, words=words))
    left, right = st.columns([3, 2])
    with left:
        hits = result.hits.assign(text=result.hits["text"].map(lab.plain))
        lab.table(hits, SLUG, digits=4)
    with right:
        lab.chart(
            charts.ranked, result.cascade, x="texts", y="stage",
            names={code: t(f"similarity.search.{code}") for code in result.cascade["stage"]},
            x_title=t("similarity.search.left"), y_title=t("similarity.search.stage"),
            x_domain=(0.0, 1.15 * result.count),
            alt=t("similarity.search.alt_cascade", solved=result.solved, count=result.count),
        )  # fmt: skip
    st.markdown(
        t(
            "similarity.search.found",
            solved=result.solved,
            count=result.count,
            avoided=f"{100 * (1 - result.solved / result.count):.1f}",
            time=pretty(result.milliseconds, 3),
            size=pretty(result.size / 1e6, 3),
            unknown=f"{100 * result.unknown_share:.2g}",
        )
    )
    if config.checked:
        kind = {True: "agrees", False: "differs", None: "unchecked"}[result.agrees]
        brute = pretty(result.brute_milliseconds, 3)
        st.markdown(t(f"similarity.search.{kind}", time=brute, limit=f"{core.CHECKED:,}"))
    lab.chart(
        charts.ribbons, result.cells, source="first", target="second", mass="mass", cost="cost",
        x_title=t("similarity.search.across"), y_title=t("similarity.plan.mass"),
        mass_title=t("similarity.plan.mass"), cost_title=t("similarity.plan.unit"),
        domain=(0.0, 1.2 if config.metric == "wrd" else float(math.ceil(result.highest))),
        alt=t("similarity.search.alt_plan", text=result.hits["text"][0]),
    )  # fmt: skip
    if config.texts == "":
        st.caption(t("similarity.search.shipped"))
    _encoder(result.made_by)


def _own_texts(config: core.SearchConfig) -> None:
    """A reader's own texts, pasted or out of a file: what was read, and what could not be."""
    with st.expander(t("similarity.own.title"), icon=":material/upload_file:"):
        st.markdown(
            t("similarity.own.limits", lines=f"{core.LINES:,}", megabytes=core.BYTES // 10**6)
        )
        pasted = st.text_area(t("similarity.own.paste"), key="_own.pasted", height=120)
        file = st.file_uploader(
            t("similarity.own.file"), ["txt", "csv", "tsv"], key="_own.file",
            max_upload_size=core.BYTES // 10**6,
        )  # fmt: skip
        names = {code: code for code in core.ENCODINGS} | {"auto": t("similarity.own.auto")}
        encoding = st.selectbox(
            t("similarity.own.encoding"), core.ENCODINGS, key="_own.encoding",
            format_func=names.__getitem__,
        )  # fmt: skip
        content = file.getvalue() if file else pasted.encode()
        if content:
            is_table = file is not None and not file.name.endswith(".txt")
            _offered(config, content, encoding if file else "utf-8", is_table)
        if config.texts:
            st.button(t("similarity.own.back"), key="_own.back", on_click=_look_in, args=("",))


def _offered(config: core.SearchConfig, content: bytes, encoding: str, is_table: bool) -> None:
    """What a file or a paste has, and the button that takes it."""
    try:
        lines = core.read_lines(content, encoding=encoding, table=is_table)
        if is_table:
            column = st.selectbox(
                t("similarity.own.column"), lines.columns, lines.columns.index(lines.column)
            )
            lines = core.read_lines(content, encoding=encoding, table=True, column=column)
    except core.Unreadable as error:
        st.error(t(f"similarity.own.unreadable.{error.code}", detail=lab.quoted(error.detail)))
        return
    counts = {"empty": lines.empty, "cut": lines.cut, "left_out": lines.left_out}
    read = t("similarity.own.read", count=len(lines.texts), encoding=lines.encoding, **counts)
    st.markdown(f"{read} {lab.quoted(lines.texts[0])}")
    take = partial(_take, config, lines.texts)
    st.button(t("similarity.own.take"), key="_own.take", type="primary", on_click=take)


def _take(config: core.SearchConfig, texts: tuple[str, ...]) -> None:
    """Keep the texts, begin to embed them, and look in them from now on."""
    try:
        digest = core.keep(texts)
    except OSError as error:
        st.toast(t("similarity.own.disk", detail=lab.quoted(str(error))))
        return
    _look_in(digest)
    jobs.start(core.CORPUS, replace(config, texts=digest).corpus)


def _look_in(digest: str) -> None:
    st.session_state[address.key(SLUG, "search", "texts")] = digest


def judged(config: core.JudgedConfig) -> None:
    """Every measure against the grades of our own pairs."""
    if not jobs.ready(core.JUDGED, config.scores):
        return
    result = lab.compute(core.judged, config)
    measures = {code: t(f"similarity.judged.{code}") for code in core.MEASURES}
    kinds = {code: t(f"similarity.judged.{code}") for code in result.examples["kind"]}
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.ranked, result.correlations, x="value", y="measure", low="low", high="high",
            names=measures, x_title=t("similarity.judged.correlation"),
            y_title=t("similarity.judged.measure"), x_domain=(-0.1, 1.0),
            alt=t(
                "similarity.judged.alt_correlations", best=measures[result.best],
                value=pretty(result.value, 3),
            ),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.ranked, result.kinds, x="rank", y="measure", series="kind",
            names=measures, series_names=kinds, x_title=t("similarity.judged.place"),
            y_title=t("similarity.judged.measure"), x_domain=(0.0, 1.0),
            alt=t("similarity.judged.alt_kinds"),
        )  # fmt: skip
    st.markdown(
        t(
            "similarity.judged.found",
            pairs=result.pairs,
            groups=result.groups,
            best=measures[result.best],
            value=pretty(result.value, 3),
            low=pretty(result.low, 3),
            high=pretty(result.high, 3),
        )
    )
    st.markdown(t("similarity.judged.rubric"))
    lab.table(result.examples, SLUG)
    st.caption(t("similarity.judged.ours"))
    _encoder(result.made_by)


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
    core.SearchConfig,
    search,
    own=("texts",),
    presets={
        "mouse": lambda now: core.SearchConfig(texts=now.texts),
        "train": lambda now: replace(now, query=core.EXAMPLES["unrelated"][0]),
        "apples": lambda now: replace(now, query=core.EXAMPLES["bilingual"][0]),
        "checked": lambda now: replace(now, checked=True),
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
lab.panel(
    SLUG,
    core.JudgedConfig,
    judged,
    presets={"across": lambda now: core.JudgedConfig(languages="across")},
)
lab.claims(SLUG)
lab.equations(SLUG)
lab.source(core.transport, core.wmd, core.wrd, core.wrd_bounds)
lab.take_away(SLUG)
warm(core.encoder)
