"""The ledger: every claim of every post, its verdict, its evidence; run it again."""

from ui.frame import ensure_frame

ensure_frame()  # before the imports below: on a cold start the title stands while they run

import streamlit as st

from core.claims import Verdict, all_claims
from core.topics import TOPICS, built
from ui import ledger
from ui.i18n import t

st.markdown(t("claims.how"))

topics = {topic.slug: t(f"topics.{topic.slug}.nav") for topic in TOPICS if built(topic.slug)}
verdicts = {verdict.value: ledger.verdict(verdict.value) for verdict in Verdict}


def pills(label: str, words: dict[str, str], key: str) -> list[str]:
    """Codes to choose from, all chosen at first."""
    codes = list(words)
    return st.pills(
        label,
        codes,
        selection_mode="multi",
        default=codes,
        format_func=words.__getitem__,
        key=key,
        wrap=True,
    )


left, middle, right = st.columns([2, 3, 2])
with left:
    chosen_topics = pills(t("claims.topic"), topics, "claims.topics")
with middle:
    chosen_verdicts = pills(t("claims.verdicts"), verdicts, "claims.verdict")
with right:
    word = st.text_input(t("claims.search"), key="claims.search", max_chars=80)

found = ledger.select(all_claims(), chosen_topics, chosen_verdicts, word)
st.caption(t("claims.found", found=len(found), all=len(all_claims())))
for claim in found:
    ledger.row(claim)
