"""Why does a VAE paint ellipses where an autoencoder paints points? (post 7725)"""

from ui.frame import ensure_frame

ensure_frame()  # before the imports below: on a cold start the title stands while they run

from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from core import vae as core
from ui import address, cards, charts, codespace, jobs, lab
from ui.i18n import has, t
from ui.numbers import latex, pretty

SLUG = "vae"
series = partial(lab.series, SLUG)


def pictures(table: Any, *, row_title: str, column_title: str, alt: str) -> None:
    """A grid of pictures, its rows in the reader's words."""
    codes = [code for code in table["row"].unique() if has(f"vae.series.{code}")]
    lab.chart(
        charts.image_grid, table, row="row", column="column", image="image",
        names={code: t(f"vae.series.{code}") for code in codes}, row_title=row_title,
        column_title=column_title, alt=alt,
    )  # fmt: skip


def shapes(config: core.ShapesConfig) -> None:
    """Codes of four shapes, and what points and areas cover."""
    result = lab.compute(core.shapes, config)
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.regions, result.areas, x="x", y="y", item="item", label="name",
            series="series", names=series(result.areas["series"]), x_title=t("vae.code_1"),
            y_title=t("vae.code_2"), reach=2.6,
            alt=t("vae.shapes.alt_codes", share=f"{100 * result.covered:.0f}"),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.lines, result.coverage, x="radius", y="covered", series="curve",
            names=series(result.coverage["curve"]), x_title=t("vae.shapes.radius"),
            y_title=t("vae.shapes.covered"), y_domain=(0.0, 1.0), alt=t("vae.shapes.alt_coverage"),
        )  # fmt: skip
    lab.formula(
        SLUG, "shapes", r=latex(config.radius), n=str(config.count),
        covered=latex(float(core.covered_by_chance(config.count, config.radius)), 3),
    )  # fmt: skip
    st.markdown(t("vae.shapes.found", share=f"{100 * result.covered:.1f}"))
    lab.table(result.table, SLUG, digits=3)


def world(config: core.WorldConfig) -> None:
    """Ellipses to drag, and the best decoder."""
    try:
        result = lab.compute(core.world, config)
    except ValueError:
        st.error(t("vae.world.unreadable", text=lab.quoted(config.ellipses)))
        config = core.WorldConfig()
        result = lab.compute(core.world, config)
    names = ("ellipse", "error", "kl", "loss", "blur")
    codespace.ellipses(
        address.controls(SLUG, "world", core.WorldConfig, ("ellipses",)), config.ellipses,
        lab.memo(core.world_data)(),
        {name: t(f"vae.world.{name}") for name in names},
    )  # fmt: skip
    lab.formula(
        SLUG, "world", reconstruction=latex(result.reconstruction, 4), kl=latex(result.kl, 4),
        loss=latex(result.reconstruction + result.kl, 4),
    )  # fmt: skip
    st.markdown(t("vae.world.found", blur=f"{100 * result.blur:.0f}"))
    lab.table(result.table, SLUG, digits=4)


def codes(config: core.CodesConfig) -> None:
    """Code space of a trained model, and what its places decode to."""
    jobs.ready(core.TRAINING, config.training)
    result = lab.compute(core.codes, config)
    said = cards.settings(core.TRAINING.name, result.training)
    found = result.measures
    covered = f"{100 * found.covered:.0f}"
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.regions, result.areas, x="x", y="y", item="item", label="name",
            series="series", names=series(result.areas["series"]), x_title=t("vae.code_1"),
            y_title=t("vae.code_2"), reach=result.reach, alt=t("vae.codes.alt_codes", model=said),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.heatmap, result.union, x="x", y="y", value="excess", x_title=t("vae.code_1"),
            y_title=t("vae.code_2"), value_title=t("vae.codes.excess"), domain=(-0.16, 0.16),
            signed=True, height=440, alt=t("vae.codes.alt_union", covered=covered),
        )  # fmt: skip
    pictures(
        result.pictures, row_title=t("vae.walk.row"), column_title=t("vae.codes.number"),
        alt=t("vae.codes.alt_pictures", model=said),
    )  # fmt: skip
    st.markdown(
        t(
            "vae.codes.found",
            error=pretty(found.error, 3),
            held_out=pretty(found.held_out, 3),
            kl="∞" if found.kl != found.kl else pretty(found.kl, 3),
            information=pretty(found.information, 3),
            aggregate="∞"
            if found.aggregate_kl != found.aggregate_kl
            else pretty(found.aggregate_kl, 3),
            covered=covered,
            moment=pretty(found.second_moment, 3),
            active=found.active,
            latent=result.training.latent,
        )
    )
    st.caption(said)


def compare(config: core.CompareConfig) -> None:
    """The models that ship beside each other."""
    result = lab.compute(core.compare, config)
    pictures(
        result.pictures, row_title=t("vae.compare.model"), column_title=t("vae.codes.number"),
        alt=t("vae.compare.alt", view=t(f"vae.options.{config.view}")),
    )  # fmt: skip
    st.markdown(t("vae.compare.errors"))
    lab.table(result.errors, SLUG, digits=3)
    st.markdown(t("vae.compare.codes"))
    lab.table(result.codes, SLUG, digits=3)
    said = cards.settings(core.TRAINING.name, core.SHIPPED["vae"])
    st.caption(f"{t('vae.compare.from')} {said}")


def walk(config: core.WalkConfig) -> None:
    """Click anywhere to decode; draw a way and play it."""
    result = lab.compute(core.walk, config)
    codespace.walk(
        address.controls(SLUG, "walk", core.WalkConfig, ("x", "y")), (config.x, config.y),
        lab.memo(core.decoder_weights)(config.model),
        {name: t(f"vae.walk.{name}") for name in ("map", "nearest", "play", "stop")}, 3.0,
    )  # fmt: skip
    pictures(
        result.path, row_title=t("vae.walk.row"), column_title=t("vae.walk.share"),
        alt=t("vae.walk.alt", name=result.name),
    )  # fmt: skip
    st.markdown(
        t("vae.walk.found", gap=pretty(result.gap, 3), name=result.name, inside=result.inside)
    )
    st.caption(cards.settings(core.TRAINING.name, core.SHIPPED[config.model]))


def factors(config: core.FactorsConfig) -> None:
    """Character, font and weight in the code, axis by axis and rotated."""
    result = lab.compute(core.factors, config)
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.heatmap, result.correlations, x="code", y="factor",
            value="correlation", x_title=t("vae.factors.code"), y_title=t("vae.factors.factor"),
            value_title=t("vae.factors.correlation"), domain=(0.0, 1.0),
            names=series(result.correlations["factor"]),
            alt=t("vae.factors.alt_correlations"),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.lines, result.rotation, x="angle", y="nats", x_title=t("vae.factors.degrees"),
            y_title=t("vae.factors.nats"), alt=t("vae.factors.alt_rotation"),
        )  # fmt: skip
    excess = "–" if result.excess != result.excess else pretty(result.excess, 3)
    st.markdown(t("vae.factors.found", excess=excess))
    lab.table(result.scores, SLUG, digits=3)
    st.markdown(t("vae.factors.probes"))
    lab.table(result.table, SLUG, digits=3)
    st.caption(cards.settings(core.TRAINING.name, core.SHIPPED[config.model]))


def blur(config: core.BlurConfig) -> None:
    """Between two ellipses: the mean and the median."""
    result = lab.compute(core.blur_between, config)
    pictures(
        result.pictures, row_title=t("vae.blur.rule"), column_title=t("vae.blur.place"),
        alt=t("vae.blur.alt_pictures"),
    )  # fmt: skip
    lab.chart(
        charts.lines, result.sharpness, x="place", y="value", series="curve",
        names=series(result.sharpness["curve"]), x_title=t("vae.blur.place"),
        y_title=t("vae.blur.share"), y_domain=(0.0, 1.05),
        alt=t("vae.blur.alt_sharpness", share=f"{100 * result.kept_l2:.0f}"),
    )  # fmt: skip
    st.markdown(
        t(
            "vae.blur.found",
            l2=f"{100 * result.kept_l2:.0f}",
            l1=f"{100 * result.kept_l1:.0f}",
            overlap=pretty(100 * result.overlap, 2),
        )
    )


def scale(config: core.ScaleConfig) -> None:
    """Beta is hidden in the scale of the pixels."""
    result = lab.compute(core.scale, config)
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.lines, result.directions, x="direction", y="value", series="curve",
            names=series(result.directions["curve"]), x_title=t("vae.scale.direction"),
            y_title=t("vae.scale.variance"), y_scale="log",
            alt=t("vae.scale.alt_directions", active=result.active),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.lines, result.counts, x="scale", y="value", series="curve",
            names=series(result.counts["curve"]),
            x_title=t("vae.scale.scale"), y_title=t("vae.scale.count"),
            x_scale="log", alt=t("vae.scale.alt_counts"),
        )  # fmt: skip
    pictures(
        result.pictures, row_title=t("vae.scale.row"), column_title=t("vae.codes.number"),
        alt=t("vae.scale.alt_pictures"),
    )  # fmt: skip
    lab.formula(
        SLUG, "scale", active=str(result.active), beta=latex(result.equivalent_beta, 4),
        kl=latex(result.kl, 4), left=latex(result.reconstruction, 4),
    )  # fmt: skip
    st.markdown(
        t(
            "vae.scale.found",
            active=result.active,
            beta=pretty(result.equivalent_beta, 3),
            left=f"{100 * result.reconstruction / result.variance:.0f}",
        )
    )


def penalty(config: core.PenaltyConfig) -> None:
    """Two penalties, alone and at work in a linear VAE."""
    result = lab.compute(core.penalty, config)
    left, right = st.columns(2)
    with left:
        lab.chart(
            charts.lines, result.penalties, x="std", y="value", series="curve",
            names=series(result.penalties["curve"]), x_title=t("vae.penalty.std"),
            y_title=t("vae.penalty.penalty"), x_scale="log",
            alt=t("vae.penalty.alt_penalties"),
        )  # fmt: skip
    with right:
        lab.chart(
            charts.lines, result.losses, x="std", y="value", series="curve",
            names=series(result.losses["curve"]), x_title=t("vae.penalty.std"),
            y_title=t("vae.penalty.loss"), x_scale="log", alt=t("vae.penalty.alt_losses"),
        )  # fmt: skip
    lab.formula(SLUG, "penalty", excess=latex(result.excess, 7), v=latex(config.variance))
    st.markdown(
        t(
            "vae.penalty.found",
            best=pretty(result.best_std, 3),
            simple=pretty(result.simple_std, 3),
            moment=pretty(result.simple_moment, 3),
            infimum=pretty(result.infimum, 3),
        )
    )


lab.header(SLUG)
lab.panel(
    SLUG,
    core.ShapesConfig,
    shapes,
    presets={
        "points": lambda now: replace(now, radius=0.0),
        "line": lambda now: replace(now, shape="line"),
        "ring": lambda now: replace(now, shape="ring"),
        "full": lambda now: core.ShapesConfig(count=200, radius=0.3),
    },
)
lab.panel(
    SLUG,
    core.WorldConfig,
    world,
    own=("ellipses",),
    presets={
        "points": lambda now: core.WorldConfig(core.arranged("points")),
        "apart": lambda now: core.WorldConfig(core.arranged("apart")),
        "overlap": lambda now: core.WorldConfig(core.arranged("overlap")),
        "prior": lambda now: core.WorldConfig(core.arranged("prior")),
    },
)
lab.panel(
    SLUG,
    core.CodesConfig,
    codes,
    presets={
        "points": lambda now: core.CodesConfig(family="point", view="gaps"),
        "four": lambda now: core.CodesConfig(beta="4"),
        "beta": lambda now: core.CodesConfig(beta="20"),
        "tilted": lambda now: core.CodesConfig(family="full"),
        "free": lambda now: core.CodesConfig(penalty="none"),
        "wide": lambda now: core.CodesConfig(latent=8),
    },
)
lab.panel(SLUG, core.CompareConfig, compare)
lab.panel(
    SLUG,
    core.WalkConfig,
    walk,
    own=("x", "y"),
)
lab.panel(
    SLUG,
    core.FactorsConfig,
    factors,
    presets={
        "rotated": lambda now: replace(now, angle=45),
        "points": lambda now: core.FactorsConfig(model="ae-8"),
        "glyphs": lambda now: core.FactorsConfig(model="vae-all"),
    },
)
lab.panel(
    SLUG,
    core.BlurConfig,
    blur,
    presets={
        "apart": lambda now: core.BlurConfig(distance=4.0, std=0.3),
        "overlap": lambda now: core.BlurConfig(distance=1.0, std=1.0),
        "five": lambda now: replace(now, count="5"),
    },
)
lab.panel(
    SLUG,
    core.ScaleConfig,
    scale,
    presets={
        "faint": lambda now: replace(now, scale=0.3),
        "bright": lambda now: replace(now, scale=4.0),
        "heavy": lambda now: replace(now, beta=16.0, scale=1.0),
    },
)
lab.panel(
    SLUG,
    core.PenaltyConfig,
    penalty,
    presets={
        "collapse": lambda now: core.PenaltyConfig(variance=25.0),
        "off": lambda now: core.PenaltyConfig(variance=0.3),
    },
)
lab.claims(SLUG)
lab.equations(SLUG)
lab.source(core.optimal_decoder, core.VAE, core.elbo, core.linear_vae_direction)
lab.take_away(SLUG)
