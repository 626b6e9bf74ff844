"""Are the pictures of a VAE blurry by nature? (post 7574)"""

from ui.frame import ensure_frame

ensure_frame()  # before the imports below: on a cold start the title stands while they run

from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from core import nvae as core
from ui import cards, charts, jobs, lab
from ui.i18n import has, t
from ui.numbers import latex, pretty

SLUG = "nvae"
series = partial(lab.series, SLUG)


def pictures(table: Any, *, row_title: str, column_title: str, alt: str) -> None:
    """A grid of pictures, its rows in the reader's words."""
    codes = [code for code in table["row"].unique() if has(f"nvae.series.{code}")]
    lab.chart(
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
    result = lab.compute(core.samples, config)
    pictures(
        result.pictures, row_title=t("nvae.samples.row"), column_title=t("nvae.number"),
        alt=t("nvae.samples.alt_pictures", temperature=config.temperature),
    )  # fmt: skip
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
        lab.chart(
            charts.lines, result.training, x="step", y="value", series="curve",
            names=series(result.training["curve"]), x_title=t("nvae.tasks.model.metrics.step"),
            y_title=t("nvae.scales.kl"), y_scale="log", alt=t("nvae.scales.alt_training"),
        )  # fmt: skip
    st.markdown(t("nvae.scales.found", kl=pretty(result.information, 3)))
    lab.table(result.groups, SLUG, digits=3)
    made(config.model)


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
