"""What this is, the eight posts, how many of their claims hold."""

from ui.frame import ensure_frame

ensure_frame()  # before the imports below: on a cold start the title stands while they run

import streamlit as st

from core.topics import TOPICS, built
from ui import frame, ledger
from ui.i18n import t

st.markdown(t("home.lead"))
st.markdown(t("home.verdicts", **{v.value: ledger.verdict(v.value) for v in ledger.SIGNS}))

with st.grid(columns="auto", min_column_width=300, gap="small"):
    for topic in TOPICS:
        with st.container(border=True, height="stretch"):
            st.page_link(frame.topic_page(topic.slug), icon=":material/arrow_forward:")
            st.markdown(f"**{t(f'topics.{topic.slug}.question')}**")
            st.markdown(t(f"topics.{topic.slug}.summary"))
            st.markdown(ledger.tally(topic.slug) if built(topic.slug) else t("home.announced"))

st.caption(t("app.credit"))
