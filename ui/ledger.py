"""A claim as a reader sees it: verdict, statement, measured beside reference, run it again."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated, Any

import pandas as pd
import streamlit as st

from core import claims
from core.claims import Claim, Record, Verdict
from core.knobs import Choice, Config, Text
from core.topics import TOPICS, built
from ui import address, takeaway
from ui.catalogue import shows
from ui.fold import folded
from ui.i18n import has, t
from ui.numbers import pretty

CLAIMS = "claims"  # the section of a page that has the numbers which none of its panels shows
SIGNS = {
    Verdict.HOLDS: ":green[●\u00a0{word}]",  # a sign stays with its word
    Verdict.CONDITIONAL: ":orange[◐\u00a0{word}]",
    Verdict.FAILS: ":red[✕\u00a0{word}]",
    Verdict.OPEN: ":gray[○\u00a0{word}]",
}


def verdict(value: str) -> str:
    """A verdict as a sign and a word, never color alone."""
    return SIGNS[Verdict(value)].format(word=t(f"claims.options.{value}"))


def signs() -> dict[str, str]:
    """All four verdicts, for a sentence that names them."""
    return {value.value: verdict(value) for value in SIGNS}


def tally(slug: str) -> str:
    """The claims of a topic by verdict, in one line."""
    found = Counter(record.verdict for record in claims.shipped(slug).values())
    shown = [f"{verdict(value)} {found[value]}" for value in Verdict if found[value]]
    return t("claims.tally", verdicts=" · ".join(shown), all=sum(found.values()))


@dataclass(frozen=True)
class Filter(Config):
    """Which claims the ledger shows."""

    topic: Annotated[str, Choice("all", *(row.slug for row in TOPICS if built(row.slug)))] = "all"
    verdict: Annotated[str, Choice("all", *(verdict.value for verdict in Verdict))] = "all"
    word: Annotated[str, Text(80)] = ""


def select(every: Iterable[Claim], which: Filter) -> list[Claim]:
    """The claims of that topic and verdict whose line holds the word."""
    return [
        claim
        for claim in every
        if which.topic in ("all", claim.topic)
        and which.verdict in ("all", _verdict_of(claim))
        and which.word.strip().lower() in f"{claim.id} {_statement(claim)}".lower()
    ]


def csv(chosen: Iterable[Claim]) -> bytes:
    """The evidence of claims as a table: a row for each that has been measured."""
    return takeaway.csv(pd.DataFrame(_rows(chosen)))


def json(chosen: Iterable[Claim]) -> bytes:
    """The same as a list of objects; a number that is absent is null."""
    return pd.Series(_rows(chosen)).to_json(orient="records", force_ascii=False).encode()


def _rows(chosen: Iterable[Claim]) -> list[dict[str, Any]]:
    found = [(claim, evidence) for claim in chosen if (evidence := _evidence(claim))]
    return [{"statement": _statement(claim), **asdict(evidence)} for claim, evidence in found]


def row(claim: Claim) -> None:
    """One claim: its line, and behind it the evidence."""
    folded(lambda: line(claim, _evidence(claim)), f"_claim.{claim.id}", partial(_behind, claim))


def _evidence(claim: Claim) -> Record | None:
    """What was measured last in this session, else what ships."""
    return st.session_state.get(_kept(claim)) or claims.shipped(claim.topic).get(claim.id)


def line(claim: Claim | Record, evidence: Record | None) -> str:
    """A claim in one line: verdict, statement, measured beside reference."""
    sign = verdict(evidence.verdict) if evidence else t("claims.unmeasured")
    return f"{sign} · **{_name(claim)}** {_statement(claim)}{_measured(claim, evidence)}"


def _measured(claim: Claim | Record, evidence: Record | None) -> str:
    measure = _measure_of(claim)
    if evidence is None or not measure:
        return ""
    unit = f"\u00a0{t(f'claims.units.{evidence.unit}')}" if evidence.unit else ""
    text = f" — {measure}: {pretty(evidence.measured)}{unit}"
    if evidence.reference is None:
        return text
    return f"{text} ({t('claims.reference')} {pretty(evidence.reference)})"


def _measure_of(claim: Claim | Record) -> str:
    """What a claim's check measures; "" where nothing here can be measured."""
    key = f"{claim.topic}.measures.{_name(claim)}"
    return t(key) if has(key) else ""


def _behind(claim: Claim) -> None:
    """Where the post says it, the rule of the verdict, every number, and a fresh measurement."""
    topic, name = claim.topic, _name(claim)
    st.markdown(f"{t('claims.where')} {claim.source} · {_shown(topic, name)}")
    st.markdown(t(f"{topic}.rules.{name}"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seed = f"_seed.{claim.id}"
        st.number_input(t("claims.seed"), 0, 9999, 1, key=seed, width=140)
        wait = t(f"claims.cost.{claim.cost}")
        key = f"_rerun.{claim.id}"
        st.button(t("claims.rerun"), key=key, help=wait, on_click=_measure, args=(claim, seed))
    evidence = _evidence(claim)
    if evidence:
        _numbers(claim, evidence)


def _shown(topic: str, name: str) -> str:
    """The link to the state that shows a claim, or the word that no panel does."""
    link = address.link_to_claim(topic, name)
    if shows(topic, name)[0] == CLAIMS:
        return t("claims.not_shown", link=link)
    return f"[{t('claims.show')}]({link})"


def _measure(claim: Claim, seed: str) -> None:
    """Run the check with the reader's seed; a callback, so the claim's line above shows it, too."""
    st.session_state[_kept(claim)] = claims.record(claim, int(st.session_state[seed]))


def _numbers(claim: Claim, evidence: Record) -> None:
    fresh = _kept(claim) in st.session_state
    how = t(
        "claims.fresh" if fresh else "claims.shipped", seed=evidence.seed, seconds=evidence.seconds
    )
    st.markdown(f"{verdict(evidence.verdict)} · {how}")
    if evidence.expects != evidence.verdict:
        st.warning(t("claims.unexpected"))
    measure = _measure_of(claim)
    if not measure:
        return
    rows = {
        measure: evidence.measured,
        t("claims.reference"): evidence.reference,
        t("claims.tolerance"): evidence.tolerance,
    }
    rows |= {t(f"{claim.topic}.details.{name}"): value for name, value in evidence.details.items()}
    lines = [
        f"| {name} | {pretty(value, 9)} |" for name, value in rows.items() if value is not None
    ]
    head = f"| {t('claims.quantity')} | {t('claims.value')} |\n|:--|--:|"
    st.markdown("\n".join([head, *lines]))


def _statement(claim: Claim | Record) -> str:
    return t(f"{claim.topic}.claims.{_name(claim)}")


def _verdict_of(claim: Claim) -> str:
    evidence = _evidence(claim)
    return evidence.verdict if evidence else Verdict.OPEN.value


def _name(claim: Claim | Record) -> str:
    return claim.id.partition(".")[2]


def _kept(claim: Claim) -> str:
    return f"_evidence.{claim.id}"
