"""The frame: page set-up, language, navigation, running jobs. Nothing else."""

import streamlit as st

from ui import address, frame, i18n

i18n.choose()
st.set_page_config(page_title=i18n.t("app.name"), page_icon=str(frame.ICON), layout="wide")
page = frame.navigation()
with st.sidebar:
    i18n.switch()  # after the menu, or the menu would push it down
address.write_language(page.url_path)
frame.run(page)

from ui import jobs  # noqa: E402  after the page, whose first picture should not wait for it

with st.sidebar:
    jobs.follow(jobs.sidebar)
