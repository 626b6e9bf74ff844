"""The guided tour: its stops are states that pages take, its buttons go from one to the next."""

import re

import pytest

from core.claims import Verdict, shipped
from core.knobs import knobs, parse
from tests.pages.app import BUILT, linked, open_page, opened, text, widget
from ui.catalogue import LANGUAGES, shows, stops, words
from ui.ledger import CLAIMS
from ui.numbers import pretty
from ui.tour import surprises


@pytest.mark.parametrize("slug", BUILT)
def test_a_tour_has_five_to_eight_stops_with_words(slug: str) -> None:
    assert 5 <= len(stops(slug)) <= 8
    for language in LANGUAGES:
        told = [key for key in words(language) if re.fullmatch(rf"{slug}\.tour\.\d+", key)]
        assert sorted(told) == [f"{slug}.tour.{number + 1}" for number in range(len(stops(slug)))]


@pytest.mark.parametrize("slug", BUILT)
def test_every_stop_is_a_state_that_its_panel_can_take(slug: str) -> None:
    page = opened(slug)
    for panel, controls in stops(slug):
        kept = page.session_state[f"_kept.{slug}.{panel}"]
        domain = {knob.name: knob for knob in knobs(type(kept))}
        assert [name for name, text in controls.items() if parse(domain[name], text)[1]] == []


def test_the_tour_goes_from_stop_to_stop_and_ends() -> None:
    page = open_page("gelu")
    widget(page, "_tour.take.gelu").click()
    page.run()
    assert words("en")["gelu.tour.1"] in text(page)
    widget(page, "_tour.next").click()
    page.run()
    assert words("en")["gelu.tour.2"] in text(page)
    assert widget(page, "gelu.curves.scale").value == "relative"
    widget(page, "_tour.back").click()
    page.run()
    assert words("en")["gelu.tour.1"] in text(page)
    assert widget(page, "gelu.curves.scale").value == "absolute"
    widget(page, "_tour.end").click()
    page.run()
    assert words("en")["gelu.tour.1"] not in text(page)


def test_a_link_to_a_stop_sets_its_controls_and_what_else_it_says_stands() -> None:
    page = linked("gelu", "zh", tour__stop=6, why__reach=9.0)
    assert words("zh")["gelu.tour.6"] in text(page)
    assert widget(page, "gelu.why.degree").value == "5"
    assert widget(page, "gelu.why.reach").value == 9.0
    assert not page.info
    page = linked("gelu", tour__stop=99)
    assert words("en")[f"gelu.tour.{len(stops('gelu'))}"] in text(page)
    assert "`99`" in page.info[0].value


def test_surprises_are_the_claims_that_do_not_hold_as_stated() -> None:
    verdicts = [shipped("vae")[f"vae.{name}"].verdict for name in surprises("vae")]
    others = {row.verdict for row in shipped("vae").values()} - set(verdicts)
    assert verdicts == sorted(verdicts, reverse=True)  # fails before conditional
    assert set(verdicts) == {Verdict.FAILS, Verdict.CONDITIONAL}
    assert others <= {Verdict.HOLDS, Verdict.OPEN}


def test_surprises_come_one_after_the_other() -> None:
    page = open_page("gelu")
    widget(page, "_tour.surprise.gelu").click()
    page.run()
    first, second = (f"gelu.claims.{name}" for name in surprises("gelu")[:2])
    assert f"{words('en')[first]}" in text(page)
    widget(page, "_tour.another").click()
    page.run()
    assert words("en")[second] in text(page)


def test_a_link_to_a_claim_shows_it_beside_the_state_that_does() -> None:
    page = linked("gelu", tour__claim="G3")
    assert words("en")["gelu.claims.G3"] in text(page)
    assert widget(page, "gelu.why.criterion").value == "taylor"
    assert not page.info


def test_a_claim_is_shown_on_a_page_without_surprises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.tour.surprises", lambda slug: [])
    page = linked("gelu", tour__claim="G3")
    assert not page.exception
    assert words("en")["gelu.claims.G3"] in text(page)
    assert "_tour.another" not in {button.key for button in page.button}


def test_a_claim_that_no_panel_shows_stands_above_the_claims_with_its_number() -> None:
    assert shows("nvae", "N13")[0] == CLAIMS
    page = linked("nvae", tour__claim="N13")
    said = [row.value for row in page.markdown if words("en")["nvae.claims.N13"] in row.value]
    assert pretty(shipped("nvae")["nvae.N13"].measured) in said[0]
