"""The trained models that are kept, and the jobs that make more of them."""

import streamlit as st

from ui import cards, frame, jobs
from ui.i18n import t

frame.ensure_frame()
st.markdown(t("models.lead"))
st.header(t("models.jobs"), anchor="jobs", divider="gray")
jobs.listing()
st.header(t("models.kept"), anchor="kept", divider="gray")
cards.listing()
