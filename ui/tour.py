"""A guide through a page: stops of a tour, and claims that do not hold as they are stated.

A stop sets the controls of one panel, brings the panel into view and says there what to notice.
Where the reader stands is in the address, like every control, so a stop is a link.
"""

from dataclasses import make_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import streamlit as st

from core.claims import Verdict, shipped
from core.knobs import Choice, Config, Range
from ui import address, ledger
from ui.catalogue import button_width, shows, stops
from ui.i18n import t

NOWHERE = "0"

_goto = st.components.v2.component(
    "executable_claims.goto", js=Path(__file__).with_name("goto.js").read_text(encoding="utf-8")
)


@cache
def place_of(slug: str) -> type[Config]:
    """Where a reader can stand on a page: at a stop of its tour (from 1), or at a claim."""
    claims = Choice(NOWHERE, *(_name(claim) for claim in shipped(slug)))
    fields = [
        ("stop", Annotated[int, Range(0, len(stops(slug)), 1)], 0),
        ("claim", Annotated[str, claims], NOWHERE),
    ]
    return make_dataclass("Place", fields, bases=(Config,), frozen=True)


def settle(slug: str) -> None:
    """Stand where the link says, else where the reader stood, and bring it into view."""
    if address.TOUR not in address.arrival().settled:
        address.settle(slug, address.TOUR, place_of(slug))
        _arrive(slug)
    _goto(key=f"_goto.{slug}", data=st.session_state.get(_turn(slug)), height=1)
    address.write(slug, address.TOUR, _place(slug))


def offer(slug: str) -> None:
    """The buttons that start the tour and show a counter-example."""
    if stops(slug):
        _button(slug, "take", ":material/tour:", (1, NOWHERE))
    if surprises(slug):
        _button(slug, "surprise", ":material/casino:", (0, _next_surprise(slug)))


def guide(slug: str, panel: str) -> None:
    """What to notice in a panel, if the reader stands there: the stop's words, and the way on."""
    place = _place(slug)
    if place.claim != NOWHERE and shows(slug, place.claim)[0] == panel:
        record = shipped(slug)[f"{slug}.{place.claim}"]
        way = {"another": (0, _next_surprise(slug))} if surprises(slug) else {}
        _box(slug, ledger.line(record, record), way)
    elif place.stop and stops(slug)[place.stop - 1][0] == panel:
        way = {"back": (place.stop - 1, NOWHERE), "next": (place.stop + 1, NOWHERE)}
        way = {word: to for word, to in way.items() if 1 <= to[0] <= len(stops(slug))}
        said = t("app.tour.stop", stop=place.stop, all=len(stops(slug)))
        _box(slug, f"**{said}** {t(f'{slug}.tour.{place.stop}')}", way)


def link(slug: str, name: str) -> dict[str, str]:
    """What the address says of a claim, or of a stop by its number."""
    return {address.key(slug, address.TOUR, "stop" if name.isdigit() else "claim"): name}


def surprises(slug: str) -> list[str]:
    """The claims of a topic that do not hold as stated, those that fail first."""
    verdicts = (Verdict.FAILS, Verdict.CONDITIONAL)
    found = shipped(slug).items()
    return [_name(claim) for value in verdicts for claim, row in found if row.verdict == value]


# ---- moving


def _go(slug: str, stop: int, claim: str) -> None:
    """Stand at a stop or a claim: its panel as it wants it, in view."""
    address.set_controls(slug, address.TOUR, place_of(slug)(**{"stop": stop, "claim": claim}))
    panel, controls = _state(slug)
    address.put(slug, panel, controls)
    _bring_into_view(slug, panel)


def _arrive(slug: str) -> None:
    """Come by a link that names a stop or a claim: what else it says of the panel stands."""
    if _state(slug)[0] and address.arrival().exact:
        panel, controls = _state(slug)
        address.put(slug, panel, controls | address.asked(slug, panel))
        _bring_into_view(slug, panel)


def _leave(slug: str) -> None:
    address.set_controls(slug, address.TOUR, place_of(slug)())


def _bring_into_view(slug: str, panel: str) -> None:
    times = st.session_state.get(_turn(slug), {"times": 0})["times"]
    st.session_state[_turn(slug)] = {"panel": panel, "times": times + 1}


def _state(slug: str) -> tuple[str, dict[str, str]]:
    """The panel where the reader stands, and the controls to set there; "" if nowhere."""
    place = _place(slug)
    if place.claim != NOWHERE:
        return shows(slug, place.claim)
    return stops(slug)[place.stop - 1] if place.stop else ("", {})


def _next_surprise(slug: str) -> str:
    """The counter-example after the one at which the reader stands, round and round."""
    found, now = surprises(slug), _place(slug).claim
    return found[(found.index(now) + 1) % len(found)] if now in found else found[0]


# ---- what is drawn


def _button(slug: str, word: str, icon: str, to: tuple[int, str]) -> None:
    label = t(f"app.tour.{word}")
    st.button(
        label,
        width=button_width(label, ICON_AND_KEY),
        icon=icon,
        key=f"_tour.{word}.{slug}",
        on_click=_go,
        args=(slug, *to),
        shortcut=SHORTCUTS[word],
    )


def _box(slug: str, said: str, way: dict[str, tuple[int, str]]) -> None:
    with st.container(border=True, key="_guide"):
        st.markdown(said)
        with st.container(horizontal=True):
            for word, to in way.items():
                if st.button(t(f"app.tour.{word}"), key=f"_tour.{word}", shortcut=SHORTCUTS[word]):
                    _go(slug, *to)
                    st.rerun()
            if st.button(t("app.tour.end"), key="_tour.end", type="tertiary", shortcut="Esc"):
                _leave(slug)
                st.rerun()


ICON_AND_KEY = 46  # pixels
SHORTCUTS = {"take": "T", "surprise": "S", "back": "B", "next": "N", "another": "N"}


def _place(slug: str) -> Any:
    return address.read(slug, address.TOUR, place_of(slug))


def _turn(slug: str) -> str:
    return f"_goto_turn.{slug}"


def _name(claim: str) -> str:
    return claim.partition(".")[2]
