"""A trained model in words: its title, its settings, its curve, its size and age."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from core import jobs, library, training
from core.knobs import Config
from core.store import CARD, WEIGHTS, Card
from core.topics import TOPICS
from ui import charts, lab
from ui.fold import folded
from ui.i18n import has, t
from ui.numbers import pretty

UNITS = ("B", "kB", "MB", "GB")
UNITS_OF_TIME = (("days", 86400), ("hours", 3600), ("minutes", 60))  # and their seconds


def title(task: str, settings: Mapping[str, Any]) -> str:
    """A model in one line: its topic, its task, the settings that are not the usual ones."""
    if not training.exists(task):
        return f"`{task}`"
    topic, usual = task.partition(".")[0], asdict(training.task(task).config())
    named = [
        f"{setting(task, name)} {_said(task, value)}"
        for name, value in settings.items()
        if value != usual.get(name)
    ]
    name = f"**{t(f'topics.{topic}.nav')} · {t(key(task, 'name'))}**"
    return " · ".join([name, *named])


def settings(task: str, config: Config) -> str:
    """Everything that decides a model's weights, seed included, in one line."""
    named = [f"{setting(task, name)} {_said(task, v)}" for name, v in asdict(config).items()]
    return f"{t(key(task, 'name'))}: {', '.join(named)}"


def _said(task: str, value: Any) -> str:
    """A setting's value, an option or a switch by its word.

    Another text may be some reader's own, and every reader sees it.
    """
    if isinstance(value, bool):
        return t(f"models.switch.{'on' if value else 'off'}")
    if isinstance(value, float):
        return f"{value:g}"
    if not isinstance(value, str):
        return str(value)
    option = f"{task.partition('.')[0]}.options.{value}"
    return t(option) if has(option) else lab.quoted(value)


def setting(task: str, field: str) -> str:
    """The reader's word for a setting of a task."""
    return t(key(task, f"settings.{field}"))


def metric(task: str, name: str) -> str:
    """The reader's word for what a training measures; "step" is its unit of progress.

    Of several alike the name ends with a number: "kl_2".
    """
    stem, _, number = name.rpartition("_")
    if number.isdecimal():
        return t(key(task, f"metrics.{stem}"), n=number)
    return t(key(task, f"metrics.{name}"))


def curve(task: str, points: Sequence[Mapping[str, float]]) -> None:
    """The training curve: the first thing that was measured, over the steps."""
    table = pd.DataFrame(points)
    measured = table.columns[1]
    figure = charts.lines(
        table,
        x="step",
        y=measured,
        x_title=metric(task, "step"),
        y_title=metric(task, measured),
        y_scale="log" if table[measured].min() > 0 else "linear",
    )
    last = pretty(float(table[measured].iloc[-1]), 3)
    alt = t("models.alt_curve", metric=metric(task, measured), last=last)
    spec = {**figure.spec, "datasets": dict(figure.tables), "height": 200}
    st.vega_lite_chart(spec, alt=alt, width="stretch")


def listing() -> None:
    """Every model on this machine: what it is, how it was made; take it along, remove it."""
    found = library.cards()
    made = [card for card in found if card.origin != "shipped"]
    used, limit = size(sum(card.size for card in made)), size(library.limit())
    st.markdown(t("models.used", used=used, limit=limit, shipped=len(found) - len(made)))
    if address := library.shared_address():
        st.markdown(t("models.shared", address=lab.quoted(_without_password(address))))
    else:
        st.markdown(t("models.only_here"))
    if not jobs.limit():
        st.markdown(t("models.off"))
    _each(made)
    for topic in TOPICS:
        shipped = [card for card in found if card.origin == "shipped" and _of(card, topic.slug)]
        if shipped:
            heading = partial(_heading, topic.slug, shipped)
            folded(heading, f"_cards.{topic.slug}", partial(_each, shipped))


def _of(card: Card, slug: str) -> bool:
    return card.key.startswith(f"{slug}/")


def _heading(slug: str, cards: Sequence[Card]) -> str:
    """What ships of a topic, in one line."""
    whole = size(sum(card.size for card in cards))
    return t("models.of_topic", topic=t(f"topics.{slug}.nav"), count=len(cards), size=whole)


def _each(cards: Sequence[Card]) -> None:
    for card in cards:
        folded(partial(_line, card), f"_card.{card.key}", partial(_behind, card))


def _without_password(address: str) -> str:
    """An address as it may be shown: without the name and password of who opens it."""
    return re.sub(r"//[^/@]*@", "//", address)


def duration(seconds: float) -> str:
    """A time in the unit that suits it."""
    unit, length = next((row for row in UNITS_OF_TIME if seconds >= 2 * row[1]), ("seconds", 1))
    return t(f"models.time.{unit}", n=f"{seconds / length:.0f}")


def size(count: int) -> str:
    """A number of bytes in the unit that suits it."""
    amount, unit = float(count), 0
    while amount >= 1000 and unit < len(UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.3g} {UNITS[unit]}"


def _line(card: Card) -> str:
    facts = [t(f"models.origin.{card.origin}"), size(card.size)]
    name = title(card.meta["task"], card.meta["config"]) if _is_ours(card) else f"`{card.key}`"
    return f"{name} — {' · '.join(facts)}"


def _is_ours(card: Card) -> bool:
    """Whether a task of this version made it, so that there are words for what it says."""
    if not card.meta.keys() >= {"task", "config", "metrics", "curve", "versions", "seconds"}:
        return False
    return training.exists(card.meta["task"])


def _behind(card: Card) -> None:
    if _is_ours(card):
        _how_it_was_made(card)
    else:
        st.markdown(t("models.foreign"))
    with st.container(horizontal=True):
        if card.origin != "memory":
            for name in (WEIGHTS, CARD):
                _download(card, name)
        if card.origin != "shipped":
            _remove(card)


def _how_it_was_made(card: Card) -> None:
    meta, task = card.meta, card.meta["task"]
    left, right = st.columns(2)
    with left:
        said = {setting(task, name): _said(task, v) for name, v in meta["config"].items()}
        _rows("settings", said)
    with right:
        _rows(
            "found",
            {metric(task, name): pretty(value, 4) for name, value in meta["metrics"].items()}
            | _facts(card),
        )
    st.caption(f"{t('models.card.key')} `{card.key}`")
    curve(task, meta["curve"])


def _facts(card: Card) -> dict[str, str]:
    meta = card.meta
    versions = {name: str(version) for name, version in meta["versions"].items()}
    made = datetime.fromisoformat(meta["made"])
    return {
        t("models.card.seconds"): duration(meta["seconds"]),
        t("models.card.made"): f"{made:%Y-%m-%d %H:%M} UTC",
        t("models.card.age"): duration((datetime.now(UTC) - made).total_seconds()),
        t("models.card.version"): str(meta["version"]),
        t("models.card.data"): f"`{meta['data'][:16]}`",
        **versions,
    }


def _rows(head: str, rows: Mapping[str, Any]) -> None:
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    heads = f"| {t(f'models.{head}')} | {t('models.value')} |\n|:--|--:|"
    st.markdown("\n".join([heads, *lines]))


def _download(card: Card, name: str) -> None:
    file = f"{card.key.replace('/', '-')}-{name}"
    content = partial(library.file, card, name)
    st.download_button(t("app.download", file=name), content, file, on_click="ignore")


def _remove(card: Card) -> None:
    st.button(
        t("models.remove"),
        icon=":material/delete:",
        key=f"_remove.{card.key}",
        help=t("models.removed_hint"),
        on_click=library.forget,
        args=(card.key,),
    )


def key(task: str, rest: str) -> str:
    topic, _, short = task.partition(".")
    return f"{topic}.tasks.{short}.{rest}"
