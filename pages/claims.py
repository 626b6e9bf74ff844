"""The ledger: every claim of every post, its verdict, its evidence; run it again."""

import streamlit as st

from core.claims import Verdict, all_claims
from core.topics import TOPICS, built
from ui import frame, ledger
from ui.i18n import t

frame.ensure_frame()
st.title(t("claims.question"), anchor=False)
st.markdown(t("claims.how"))

topics = [topic.slug for topic in TOPICS if built(topic.slug)]
left, middle, right = st.columns([2, 2, 1])
with left:
    wanted_topics = st.pills(
        t("claims.topic"), topics, selection_mode="multi", default=topics,
        format_func=lambda slug: t(f"topics.{slug}.nav"), key="claims.topics",
    )  # fmt: skip
with middle:
    wanted_verdicts = st.pills(
        t("claims.verdicts"), [v.value for v in Verdict], selection_mode="multi",
        default=[v.value for v in Verdict], format_func=ledger.verdict, key="claims.verdict",
    )  # fmt: skip
with right:
    word = st.text_input(t("claims.search"), key="claims.search", max_chars=80)

found = ledger.select(all_claims(), wanted_topics, wanted_verdicts, word)
st.caption(t("claims.found", found=len(found), all=len(all_claims())))
for claim in found:
    ledger.row(claim, claim.topic)
