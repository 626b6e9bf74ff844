"""Are the pictures of a VAE blurry by nature? (post 7574)"""

from ui.frame import ensure_frame

ensure_frame()  # before the imports below: on a cold start the title stands while they run

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from core import nvae as core
from ui import address, cards, charts, jobs, lab, pad
from ui.i18n import has, t
from ui.numbers import latex, pretty

SLUG = "nvae"
REFUSED = "_own.refused"  # why a drawing could not be taken
Draw = Callable[..., None]
series = partial(lab.series, SLUG)


def pictures(
    table: Any, *, row_title: str, column_title: str, alt: str, draw: Draw = lab.chart
) -> None:
    """A grid of pictures, its rows in the reader's words."""
    codes = [code for code in table["row"].unique() if has(f"nvae.series.{code}")]
    draw(
        charts.image_grid, table, row="row", column="column", image="image",
        names={code: t(f"nvae.series.{code}") for code in codes}, row_title=row_title,
        column_title=column_title, alt=alt,
    )  # fmt: skip


def there(name: str) -> bool:
    """Whether that model is there; the page's first panel offers to train it."""
    if not core.have_model(name):
        st.info(t("nvae.absent"))
    return core.have_model(name)


def made(name: str) -> None:
    """The settings of the model in the picture, seed included."""
    st.caption(cards.settings(core.TRAINING.name, core.SHIPPED[name]))


def samples(config: core.SamplesConfig) -> None:
    """Samples, their nearest training images, and the same latents from cold to warm."""
    if not jobs.ready(core.TRAINING, core.SHIPPED[config.model]):
        return
    place = st.empty()
    drawn = partial(
        pictures, row_title=t("nvae.samples.row"), column_title=t("nvae.number"),
        alt=t("nvae.samples.alt_pictures", temperature=config.temperature),
    )  # fmt: skip
    if not core.images_at_hand(config.model):  # the samples wait for no search among them
        with place:
            drawn(lab.memo(core.samples_alone)(config), draw=lab.live)
    result = lab.compute(core.samples, config)
    with place:
        drawn(result.pictures)
    if len(result.gaps):
        st.markdown(t("nvae.samples.found", ratio=pretty(result.ratio, 3)))
    else:
        st.markdown(t("nvae.samples.no_data"))
    pictures(
        result.ladder, row_title=t("nvae.samples.latents"),
        column_title=t("nvae.samples.temperature"), alt=t("nvae.samples.alt_ladder"),
    )  # fmt: skip
    made(config.model)


def scales(config: core.ScalesConfig) -> None:
    """Each scale drawn anew alone; the KL of every group."""
    if not there(config.model):
        return
    result = lab.compute(core.scales, config)
    pictures(
        result.pictures, row_title=t("nvae.scales.row"), column_title=t("nvae.scales.column"),
        alt=t("nvae.scales.alt_pictures"),
    )  # fmt: skip
    st.markdown(t("nvae.scales.changed"))
    lab.table(result.changes, SLUG, digits=3)
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.bars, result.groups, x="group", y="kl", x_title=t("nvae.scales.group"),
            y_title=t("nvae.scales.kl"), alt=t("nvae.scales.alt_groups"),
        )  # fmt: skip
    with right:
        along_training(config, result.training)
    st.markdown(t("nvae.scales.found", kl=pretty(result.information, 3)))
    lab.table(result.groups, SLUG, digits=3)
    made(config.model)


def along_training(config: core.ScalesConfig, table: Any) -> None:
    """How the KL of scales or groups, or the active channels, came about."""
    if table.empty:
        st.info(t("nvae.scales.not_noted"))
        return
    codes, of_channels = table["curve"].unique(), config.along == "active"
    names = {code: code for code in codes} if config.along == "group" else series(codes)
    lab.chart(
        charts.lines, table, x="step", y="value", series="curve", names=names,
        x_title=t("nvae.tasks.model.metrics.step"),
        y_title=t("nvae.columns.active" if of_channels else "nvae.scales.kl"),
        y_scale="linear" if of_channels else "log",
        alt=t(f"nvae.scales.alt_training.{config.along}"),
    )  # fmt: skip


def statistics(config: core.StatisticsConfig) -> None:
    """The same draws under running statistics and under those of samples."""
    if not there(config.model):
        return
    result = lab.compute(core.statistics, config)
    pictures(
        result.pictures, row_title=t("nvae.statistics.row"), column_title=t("nvae.number"),
        alt=t("nvae.statistics.alt_pictures", temperature=config.temperature),
    )  # fmt: skip
    lab.chart(
        charts.lines, result.settling, x="passes", y="value", series="curve",
        names=series(result.settling["curve"]), x_title=t("nvae.statistics.passes"),
        y_title=t("nvae.statistics.change"), x_scale="log", alt=t("nvae.statistics.alt_settling"),
    )  # fmt: skip
    st.markdown(t("nvae.statistics.found", moved=pretty(result.moved, 3)))
    lab.table(result.sharpness, SLUG, digits=3)
    made(config.model)


def compare(config: core.CompareConfig) -> None:
    """The NVAE beside a plain VAE of as many weights: pictures, cost, likelihood."""
    pair = ((core.TRAINING, core.SHIPPED), (core.PLAIN, core.BESIDE))
    if not all(
        jobs.ready_all(task, [known[config.model]], place="compare") for task, known in pair
    ):
        return
    if not core.have_data(config.model):
        st.info(t("nvae.samples.no_data"))
        likelihood(config.likelihood)
        return
    result = lab.compute(core.compare, config)
    pictures(
        result.pictures, row_title=t("nvae.compare.row"), column_title=t("nvae.number"),
        alt=t("nvae.compare.alt_pictures"),
    )  # fmt: skip
    lab.table(result.looks, SLUG, digits=3)
    st.markdown(t("nvae.compare.sharp"))
    lab.table(result.training, SLUG, digits=6)
    likelihood(config.likelihood)
    st.caption(cards.settings(core.PLAIN.name, core.BESIDE[config.model]))


def likelihood(config: core.LikelihoodConfig) -> None:
    """What was measured of both, or the offer to measure it."""
    if not jobs.ready(core.LIKELIHOOD, config):
        return
    found = lab.memo(core.likelihoods)(config)
    lab.table(found.table, SLUG, digits=4)
    difference, error = pretty(found.difference.mean, 3), pretty(found.difference.error, 2)
    st.markdown(
        t(
            "nvae.compare.found", images=found.images, draws=config.draws,
            difference=difference, error=error,
        )
    )  # fmt: skip


def own(config: core.OwnConfig) -> None:
    """A reader's picture or characters: made again, renewed scale by scale, walked between."""
    if not there(config.model):
        return
    if not core.have_data(config.model):
        st.info(t("nvae.samples.no_data"))
        return
    _own_picture(config)
    try:
        result = lab.compute(core.own, config)
    except core.Unreadable as error:
        _refuse(error)
        return
    pictures(
        result.again, row_title=t("nvae.own.row"), column_title=t("nvae.own.column"),
        alt=t("nvae.own.alt_again"),
    )  # fmt: skip
    said = t(
        "nvae.own.found", cost=pretty(result.cost, 4), usual=pretty(result.usual.mean, 4),
        error=pretty(result.usual.error, 2),
    )  # fmt: skip
    st.markdown(f"{t('nvae.own.known' if result.seen else 'nvae.own.new')} {said}")
    lab.table(result.told, SLUG, digits=3)
    pictures(
        result.changed, row_title=t("nvae.own.changed_row"),
        column_title=t("nvae.own.changed_column"), alt=t("nvae.own.alt_changed"),
    )  # fmt: skip
    made(config.model)


def _own_picture(config: core.OwnConfig) -> None:
    """A drawing or an image file: read, and taken in the place of the first character."""
    with st.expander(t("nvae.own.drawing"), icon=":material/draw:"):
        words = {name: t(f"nvae.own.{name}") for name in ("draw", "take", "wipe")}
        pad.sheet("own", words, partial(_drawn, config.model))
        if refused := st.session_state.pop(REFUSED, None):
            _refuse(refused)
    with st.expander(t("nvae.own.upload"), icon=":material/upload_file:"):
        st.markdown(t("nvae.own.limits", megabytes=core.BYTES // 10**6))
        file = st.file_uploader(
            t("nvae.own.file"), ["png", "jpg", "jpeg"], key="_own.image",
            max_upload_size=core.BYTES // 10**6,
        )  # fmt: skip
        if file:
            try:
                code = core.encode_picture(core.read_image(file.getvalue(), config.model))
            except core.Unreadable as error:
                _refuse(error)
            else:
                st.button(
                    t("nvae.own.take"), key="_own.take", type="primary", on_click=_look_at,
                    args=(code,),
                )  # fmt: skip
    if config.picture:
        st.button(t("nvae.own.back"), key="_own.back", on_click=_look_at, args=("",))


def _drawn(model: str, content: bytes) -> None:
    try:
        _look_at(core.encode_picture(core.read_image(content, model)))
    except core.Unreadable as error:
        st.session_state[REFUSED] = error


def _refuse(error: core.Unreadable) -> None:
    st.error(t(f"nvae.own.unreadable.{error.code}", detail=lab.quoted(error.detail)))


def _look_at(code: str) -> None:
    st.session_state[address.key(SLUG, "own", "picture")] = code


def parts(config: core.PartsConfig) -> None:
    """Ablations: each part of the recipe changed alone."""
    if not jobs.ready_all(core.ABLATION, config.trainings):
        return
    result = lab.compute(core.parts, config)
    lab.chart(
        charts.ranked, result.means, x="value", y="variant", low="low", high="high",
        names=series(result.means["variant"]), x_title=t(f"nvae.options.{config.measure}"),
        y_title=t("nvae.parts.variant"), alt=t("nvae.parts.alt"),
    )  # fmt: skip
    st.markdown(t("nvae.parts.found"))
    lab.table(result.gains, SLUG, digits=3)


def toys(config: core.ToysConfig) -> None:
    """A density and the best of a family, exactly."""
    result = lab.compute(core.toys, config)
    left, right = st.columns(2)
    for place, table, name in ((left, result.data, "data"), (right, result.fitted, config.family)):
        with place:
            lab.chart(
                charts.heatmap, table, x="x", y="y", value="density", x_title=t("nvae.toys.x"),
                y_title=t("nvae.toys.y"), value_title=t("nvae.toys.density"), domain=(0.0, 1.0),
                alt=t("nvae.toys.alt_density", name=t(f"nvae.series.{name}")),
            )  # fmt: skip
    lab.chart(
        charts.lines, result.reach, x="parts", y="value", series="curve",
        names=series(result.reach["curve"]),
        x_title=t("nvae.toys.parts"), y_title=t("nvae.toys.gap"),
        x_scale="log", y_scale="log", alt=t("nvae.toys.alt_reach"),
    )  # fmt: skip
    st.markdown(
        t("nvae.toys.found", family=t(f"nvae.series.{config.family}"), gap=pretty(result.gap, 3))
    )
    lab.table(result.gaps, SLUG, digits=3)


def relative(config: core.RelativeConfig) -> None:
    """The KL of a posterior told relative to its prior: closed, sampled, clamped."""
    result = lab.compute(core.relative, config)
    lab.chart(
        charts.lines, result.curves, x="shift", y="value", series="curve",
        names=series(result.curves["curve"]), points=("sampled",), x_title=t("nvae.relative.shift"),
        y_title=t("nvae.relative.kl"), alt=t("nvae.relative.alt"),
    )  # fmt: skip
    lab.formula(
        SLUG, "relative", mean=latex(config.delta_mean), std=latex(config.std),
        delta=latex(config.delta_std), kl=latex(result.kl, 6),
    )  # fmt: skip
    st.markdown(
        t(
            "nvae.relative.found",
            kl=pretty(result.kl, 6),
            quadrature=pretty(result.quadrature, 6),
            estimate=pretty(result.estimate, 3),
            error=pretty(result.error, 2),
            draws=config.draws,
        )
    )


def budget(config: core.BudgetConfig) -> None:
    """Where the paper's latents lie."""
    result = lab.compute(core.budget, config)
    lab.chart(
        charts.bars, result.scales, x="scale", y="share", x_title=t("nvae.budget.scale"),
        y_title=t("nvae.budget.share"), y_domain=(0.0, 100.0),
        alt=t("nvae.budget.alt", share=f"{100 * result.finest:.1f}"),
    )  # fmt: skip
    lab.formula(SLUG, "budget", latents=str(result.latents), pixels=str(result.pixels))
    st.markdown(t("nvae.budget.found", share=f"{100 * result.finest:.1f}"))
    lab.table(result.scales, SLUG, digits=7)
    st.markdown(t("nvae.budget.builds"))
    lab.table(result.builds, SLUG, digits=7)


lab.header(SLUG)
lab.panel(
    SLUG,
    core.SamplesConfig,
    samples,
    presets={
        "cold": lambda now: replace(now, temperature=0.3),
        "warm": lambda now: replace(now, temperature=1.0),
        "layout": lambda now: replace(now, temperature=1.0, middle=0.0, fine=0.0),
        "texture": lambda now: replace(now, temperature=1.0, coarse=0.0, middle=0.0),
    },
)
lab.panel(
    SLUG,
    core.ScalesConfig,
    scales,
    presets={
        "coarse": lambda now: replace(now, coarse=True, middle=False, fine=False),
        "fine": lambda now: replace(now, coarse=False, middle=False, fine=True),
    },
)
lab.panel(
    SLUG,
    core.CompareConfig,
    compare,
    presets={"again": lambda now: replace(now, view="reconstructions")},
)
lab.panel(
    SLUG,
    core.OwnConfig,
    own,
    presets={"digits": lambda now: replace(now, model="digits", first="3", second="8")},
    own=["picture"],
)
lab.panel(SLUG, core.PartsConfig, parts)
lab.panel(
    SLUG,
    core.StatisticsConfig,
    statistics,
    presets={
        "cold": lambda now: replace(now, temperature=0.3),
        "warm": lambda now: replace(now, temperature=1.0),
    },
)
lab.panel(
    SLUG,
    core.ToysConfig,
    toys,
    presets={
        "ring": lambda now: replace(now, shape="ring", family="chain"),
        "extra": lambda now: replace(now, family="extra", parts="32"),
    },
)
lab.panel(
    SLUG,
    core.RelativeConfig,
    relative,
    presets={
        "off": lambda now: replace(now, delta_mean=0.0, delta_std=1.0),
        "narrow": lambda now: replace(now, std=0.1),
    },
)
lab.panel(
    SLUG,
    core.BudgetConfig,
    budget,
    presets={"cifar": lambda now: replace(now, build="cifar-10")},
)
lab.claims(SLUG)
lab.equations(SLUG)
lab.source(core.residual_gaussian_kl, core.NVAE, core.readjust_batchnorm, core.SpectralPenalty)
lab.take_away(SLUG)
