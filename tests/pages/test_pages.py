"""Every page in both languages, every control to its ends, every panel alive."""

import io
import json

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from core import datasets
from core.claims import all_claims, shipped
from core.knobs import Choice, knobs
from core.topics import TOPICS
from tests.pages.app import BUILT, axis_titles, charts, open_page, opened, text, widget
from ui import ledger
from ui.catalogue import LANGUAGES, equations, shows, words

WIDGETS = ("button_group", "selectbox", "slider")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("slug", BUILT)
def test_a_topic_page_asks_its_question_and_draws_its_charts(slug: str, language: str) -> None:
    page = opened(slug, language)
    assert not page.exception
    assert page.title[0].value == words(language)[f"topics.{slug}.question"]
    assert charts(page)


@pytest.mark.parametrize("language", LANGUAGES)
def test_home_names_every_topic(language: str) -> None:
    page = open_page("home", language)
    assert not page.exception
    for topic in TOPICS:
        assert words(language)[f"topics.{topic.slug}.question"] in text(page)


def test_home_draws_a_picture_of_every_topic_and_tells_what_was_measured() -> None:
    page = open_page("home")
    assert len(charts(page)) == len(BUILT)
    spectral = shipped("initialization")["initialization.B2"].measured
    assert f"{spectral:.3g}" in text(page)
    links = [link.proto.query_string for link in page.get("page_link")]
    assert "initialization.tour.claim=B2" in links


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_ledger_lists_claims_and_filters_them(language: str) -> None:
    page = open_page("claims", language)
    assert not page.exception
    everything = len(page.expander)
    widget(page, "claims.filter.verdict").set_value("open")
    page.run()
    assert 0 < len(page.expander) < everything
    widget(page, "claims.filter.word").set_value("no such words")
    page.run()
    assert len(page.expander) == 0


def test_a_link_to_the_ledger_holds_its_filters_and_what_it_cannot_hold_is_said() -> None:
    link = {"claims.filter.topic": "gelu", "claims.filter.verdict": "open"}
    page = open_page("claims", **link, **{"claims.filter.word": "pocket"})
    assert [box.label for box in page.expander if "pocket" in box.label]
    assert len(page.expander) == 1
    page = open_page("claims", **{"claims.filter.verdict": "maybe", "claims.nothing": "1"})
    (info,) = page.info
    assert "`maybe`" in info.value
    assert "`claims.nothing`" in info.value


def test_the_ledgers_evidence_can_be_taken_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "t", lambda key, **values: key)
    monkeypatch.setattr(ledger, "_evidence", lambda claim: shipped(claim.topic).get(claim.id))
    table = pd.read_csv(io.BytesIO(ledger.csv(all_claims())))
    assert table["id"].tolist() == [claim.id for claim in all_claims()]
    assert table["measured"].notna().all()
    objects = json.loads(ledger.json(all_claims()))
    assert [row["id"] for row in objects] == table["id"].tolist()
    assert [row["measured"] for row in objects] == pytest.approx(table["measured"].tolist())
    assert objects[0]["details"] == pytest.approx(shipped("gelu")["gelu.G1"].details)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_topic_that_is_not_built_yet_says_so_and_links_its_post(language: str) -> None:
    source = (
        "from ui import frame, i18n, lab\n"
        "import streamlit as st\n"
        f"st.session_state['_language'] = {language!r}\n"
        "lab.announced('gelu')\n"
    )
    page = AppTest.from_string(source, default_timeout=60).run()
    assert not page.exception
    assert words(language)["app.announced"] in text(page)
    assert "https://kexue.fm/archives/" in text(page)


@pytest.mark.parametrize("slug", BUILT)
def test_every_control_goes_to_both_ends_and_through_all_options(slug: str) -> None:
    """Choices move on together; sliders and switches stand low, high, and low for what is left."""
    page = open_page(slug)
    drawn = len(charts(page))
    choices = choices_of(page, slug)
    for turn in range(max(map(len, choices.values()), default=2)):
        for key, options in choices.items():
            widget(page, key).set_value(options[min(turn, len(options) - 1)])
        for slider in page.slider:
            slider.set_value(slider.max if turn == 1 else slider.min)
        for toggle in page.toggle:
            toggle.set_value(turn == 1)
        page.run()
        assert not page.exception
        assert len(charts(page)) == drawn or offers(page) or lacks_images(page)


def lacks_images(page: AppTest) -> bool:
    """Whether a panel says that its model's images are not here, and they are not."""
    said = words("en")["nvae.samples.no_data"] in {notice.value for notice in page.info}
    return said and not datasets.available("mnist")


def offers(page: AppTest) -> list[str]:
    """The models that panels offer to train in the place of their charts."""
    keys = [str(button.key) for button in page.button]
    return [key for key in keys if key.startswith("_train.")]


def choices_of(page: AppTest, slug: str) -> dict[str, tuple[str, ...]]:
    """The choices of a page with their codes, read from the Configs of its panels."""
    widgets = [widget for kind in WIDGETS for widget in page.main.get(kind)]
    panels = {w.key.split(".")[1] for w in widgets if w.key and w.key.startswith(f"{slug}.")}
    configs = {panel: page.session_state[f"_kept.{slug}.{panel}"] for panel in panels}
    return {
        f"{slug}.{panel}.{knob.name}": knob.domain.options
        for panel, config in configs.items()
        for knob in knobs(type(config))
        if isinstance(knob.domain, Choice)
    }


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("slug", BUILT)
def test_every_chart_states_its_finding_and_names_its_axes(slug: str, language: str) -> None:
    for chart in charts(opened(slug, language)):
        assert len(chart.alt) > 10
        assert len(axis_titles(chart)) == 2
        assert not axis_titles(chart) & {"value", "variable", "curve", None, ""}


@pytest.mark.parametrize("slug", BUILT)
def test_the_states_that_show_claims_are_such_that_the_page_can_take(slug: str) -> None:
    for state in states_of_claims(slug):
        controls = {
            f"{slug}.{panel}.{name}": text
            for panel, settings in state.items()
            for name, text in settings.items()
        }
        page = open_page(slug, "en", **controls)
        assert set(state) <= {header.proto.anchor for header in page.header}
        assert not page.exception
        assert not page.info  # nothing in the link had to be mended


def states_of_claims(slug: str) -> list[dict[str, dict[str, str]]]:
    """The states that show a topic's claims, in as few links as take one state a panel."""
    links: list[dict[str, dict[str, str]]] = []
    for claim in all_claims():
        if claim.topic == slug:
            panel, controls = shows(slug, claim.id.partition(".")[2])
            free = (link for link in links if link.get(panel, controls) == controls)
            link = next(free, None)
            if link is None:
                links.append(link := {})
            link[panel] = dict(controls)
    return links


@pytest.mark.parametrize("slug", BUILT)
def test_every_numbered_equation_is_on_the_page(slug: str) -> None:
    page = open_page(slug)
    page.session_state[f"_equations.{slug}"] = True
    page.run()
    shown = "\n".join(element.value for element in page.latex)
    assert [row.number for row in equations(slug) if row.latex not in shown] == []
