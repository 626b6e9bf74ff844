"""The ledger: every claim of every post, its verdict, its evidence; run it again."""

from ui.frame import ensure_frame

ensure_frame()  # before the imports below: on a cold start the title stands while they run

from functools import partial

import streamlit as st

from core.claims import all_claims
from core.knobs import knobs
from ui import address, controls, lab, ledger
from ui.i18n import t

SLUG, PANEL = "claims", "filter"

st.markdown(t("claims.how"))
st.markdown(t("claims.derived", **ledger.signs()))
address.arrival().notice = st.empty()
address.settle(SLUG, PANEL, ledger.Filter)
controls.row(SLUG, PANEL, knobs(ledger.Filter))
which = address.read(SLUG, PANEL, ledger.Filter)

found = ledger.select(all_claims(), which)
left, right = st.columns([3, 1], vertical_alignment="center")
left.caption(t("claims.found", found=len(found), all=len(all_claims())))
with right:
    files = {"csv": partial(ledger.csv, found), "json": partial(ledger.json, found)}
    lab.take_list(SLUG, files, "python -m core.claims")
for claim in found:
    ledger.row(claim)

lab.tell_what_was_mended(SLUG)
address.write_page(SLUG)
