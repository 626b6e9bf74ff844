"""The trained models that are kept, and the jobs that make more of them."""

from ui.frame import ensure_frame

ensure_frame()  # before the imports below: on a cold start the title stands while they run

import streamlit as st

from ui import cards, jobs
from ui.i18n import t


def listings() -> None:
    """What runs or has ended, and what is kept of it."""
    st.header(t("models.jobs"), anchor="jobs", divider="gray")
    jobs.listing()
    st.header(t("models.kept"), anchor="kept", divider="gray")
    cards.listing()


st.markdown(t("models.lead"))
jobs.follow(listings)
