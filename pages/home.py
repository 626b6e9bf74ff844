"""The eight questions with a picture each, how the posts hang together, what was found."""

from ui.frame import ensure_frame

ensure_frame()  # before the imports below: on a cold start the title stands while they run

from typing import Any

import streamlit as st

from core.claims import all_claims, shipped
from core.topics import TOPICS, built
from ui import frame, lab, ledger, pictures, tour
from ui.i18n import t
from ui.numbers import pretty

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
    place = st.container(height=pictures.HEIGHT, border=False)
    st.page_link(frame.topic_page(slug), icon=":material/arrow_forward:")
    st.markdown(f"**{t(f'topics.{slug}.question')}**")
    st.markdown(t(f"topics.{slug}.summary"))
    st.markdown(ledger.tally(slug) if built(slug) else t("home.announced"))
    return place


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

for slug in pictures.PICTURES:
    with places[slug]:
        pictures.draw(slug)
