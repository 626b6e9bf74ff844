"""The eight questions with a picture each, how the posts hang together, what was found."""

from ui.frame import ensure_frame

ensure_frame()  # before the imports below: on a cold start the title stands while they run

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import streamlit as st

from core.claims import all_claims, shipped
from core.topics import TOPICS, built
from ui import charts, frame, lab, ledger, tour
from ui.i18n import t
from ui.numbers import pretty


@dataclass(frozen=True)
class Picture:
    """One chart of a topic's panel, at its defaults."""

    config: str
    compute: str
    table: str  # field of the result
    verb: Any
    options: dict[str, Any]


def curves(x: str, y: str, **more: Any) -> dict[str, Any]:
    """Options of the verb `lines` where nobody reads the words."""
    return {"x": x, "y": y, "series": "curve", "x_title": x, "y_title": y, **more}


PICTURES = {
    "gelu": Picture("CurvesConfig", "curves", "errors", charts.lines, curves("x", "error")),
    "initialization": Picture(
        "AnglesConfig", "angles", "densities", charts.lines,
        curves("x", "value", points=("sample",)),
    ),
    "batchnorm": Picture(
        "ValleyConfig", "valley", "picture", charts.lines,
        curves(
            "w", "b", paths=("level", "path"), x_domain=(-3.0, 3.0), y_domain=(-3.0, 3.0)
        ),
    ),
    "attention": Picture(
        "MatricesConfig", "matrices", "softmax", charts.matrix,
        {
            "x": "key", "y": "query", "value": "weight", "x_title": "k", "y_title": "q",
            "value_title": "", "domain": (0.0, 1.0),
        },
    ),
    "similarity": Picture(
        "BoundsConfig", "bounds", "points", charts.lines,
        curves("x", "value", points=("wcd", "wcd-root")),
    ),
    "vae": Picture(
        "ShapesConfig", "shapes", "areas", charts.regions,
        {
            "x": "x", "y": "y", "item": "item", "label": "name", "series": "series",
            "x_title": "x", "y_title": "y", "reach": 2.6,
        },
    ),
    "nvae": Picture(
        "ToysConfig", "toys", "fitted", charts.heatmap,
        {
            "x": "x", "y": "y", "value": "density", "x_title": "x", "y_title": "y",
            "value_title": "", "domain": (0.0, 1.0),
        },
    ),
    "optimization": Picture(
        "LimitsConfig", "limits", "densities", charts.lines, curves("place", "value")
    ),
}  # fmt: skip
CHAINS = (  # stops of tours, each building on the one before
    (("initialization", "1"), ("initialization", "4"), ("batchnorm", "3")),
    (("vae", "3"), ("nvae", "3")),
)
FOUND = (  # a claim, or a stop of a tour
    ("gelu", "G1"), ("initialization", "B2"), ("batchnorm", "C21"), ("attention", "A11"),
    ("similarity", "4"), ("vae", "G12"), ("nvae", "N9"), ("optimization", "O3"),
)  # fmt: skip


def card(slug: str) -> Any:
    """A topic in words; returns the place of its picture."""
    place = st.container(height=lab.SMALL, border=False)
    st.page_link(frame.topic_page(slug), icon=":material/arrow_forward:")
    st.markdown(f"**{t(f'topics.{slug}.question')}**")
    st.markdown(t(f"topics.{slug}.summary"))
    st.markdown(ledger.tally(slug) if built(slug) else t("home.announced"))
    return place


def draw(slug: str, picture: Picture) -> None:
    """The picture of a card; its topic is imported only now."""
    core = import_module(f"core.{slug}")
    result = lab.memo(getattr(core, picture.compute))(getattr(core, picture.config)())
    table, options = getattr(result, picture.table), dict(picture.options)
    if "series" in options:
        options["names"] = {code: code for code in table[options["series"]].unique()}
    figure = picture.verb(table, **options)
    lab.small(figure, alt=t(f"home.pictures.{slug}"))


def chain(nodes: tuple[tuple[str, str], ...]) -> None:
    """Thoughts that build on each other, and what passes from one to the next."""
    for number, (slug, name) in enumerate(nodes):
        if number:
            st.markdown(f"↓ {t(f'home.passes.{slug}-{name}')}")
        with st.container(border=True):
            st.caption(t(f"topics.{slug}.nav"))
            to(slug, name, t(f"home.chain.{slug}-{name}"))


def finding(slug: str, name: str) -> None:
    """A correction with its measured number, and the link to the state that shows it."""
    record = shipped(slug).get(f"{slug}.{name}")
    numbers = {"measured": pretty(record.measured, 3)} if record else {}
    st.markdown(t(f"home.found.{slug}-{name}", **numbers))
    to(slug, name, t("home.see"), icon=":material/arrow_forward:")


def to(slug: str, name: str, label: str, icon: str | None = None) -> None:
    """A link to a claim of a topic, or to a stop of its tour."""
    page, query = frame.topic_page(slug), tour.link(slug, name)
    st.page_link(page, label=label, icon=icon, query_params=query)


st.markdown(t("home.lead"))
st.markdown(t("home.verdicts", **ledger.signs()))

places = {}
with st.grid(4, min_column_width=185):
    for topic in TOPICS:
        with st.container(border=True, height="stretch"):
            places[topic.slug] = card(topic.slug)

st.header(t("home.chains"), anchor="chains", divider="gray")
for side, nodes in zip(st.columns(len(CHAINS), gap="medium"), CHAINS, strict=True):
    with side:
        chain(nodes)

st.header(t("home.found.title"), anchor="found", divider="gray")
st.markdown(t("home.found.notice"))
with st.grid(4, min_column_width=185):
    for slug, name in FOUND:
        with st.container(border=True, height="stretch"):
            finding(slug, name)

lab.take_list(
    "home",
    {"csv": lambda: ledger.csv(all_claims()), "json": lambda: ledger.json(all_claims())},
    "python -m core.claims",
)
st.caption(t("app.credit"))

for slug, picture in PICTURES.items():
    with places[slug]:
        draw(slug, picture)
