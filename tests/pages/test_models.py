"""Models and jobs as a reader meets them: the offer, the progress, the ending, the shelf."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import jobs, library, runs
from core.gelu import NETWORK, TrainConfig
from core.jobs import Job, Status, Trouble
from core.knobs import Config
from core.store import Artefact, Store
from core.training import Progress, Task
from tests.pages.app import charts, open_page, text, widget
from ui.catalogue import LANGUAGES, words

UNTRAINED = TrainConfig(depth=16, seed=8)
LINK = {"gelu.drift.depth": "16", "gelu.drift.seed": "8"}


@pytest.fixture(autouse=True)
def _no_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that has just started."""
    monkeypatch.setattr(jobs, "_jobs", {})


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Job:
    """A job of the panel's network that no cluster knows."""
    made = Job(NETWORK, UNTRAINED)
    monkeypatch.setitem(jobs._jobs, made.key, made)
    return made


def run_along(job: Job) -> None:
    job.status, job.report = Status.RUNNING, Progress(12, 40, {"loss": 0.125}, 3.0, 130.0)
    job._curve = [{"step": 11, "loss": 0.25}, {"step": 12, "loss": 0.125}]


def end(job: Job, status: Status) -> None:
    job.status = status
    job._ended.set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_network_that_nobody_trained_is_offered_with_the_time_it_may_take(
    language: str, store: Path
) -> None:
    page = open_page("gelu", language, **LINK)
    said = text(page)
    assert words(language)["models.untrained"] in said
    took = sorted(card.meta["seconds"] for card in library.cards())
    assert f"{took[0]:.0f}" in said
    assert widget(page, "_train.gelu.network").label == words(language)["models.train"]


def test_the_offer_asks_for_the_panels_own_network(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Task, Config]] = []
    monkeypatch.setattr(jobs, "submit", lambda *what: asked.append(what))
    widget(open_page("gelu", **LINK), "_train.gelu.network").click().run()
    assert asked == [(NETWORK, UNTRAINED)]


def test_many_jobs_of_a_kind_are_one_until_a_reader_opens_them(
    monkeypatch: pytest.MonkeyPatch, store: Path
) -> None:
    made = [Job(NETWORK, TrainConfig(depth=16, seed=seed)) for seed in range(6)]
    monkeypatch.setattr(jobs, "_jobs", {job.key: job for job in made})
    for job in made[:5]:
        run_along(job)
    end(made[5], Status.CANCELLED)
    (bar,) = open_page("claims").sidebar.get("progress")
    many = words("en")["models.many"].format(count=5, begun=5)
    assert (bar.proto.value, bar.proto.text) == (30, many)
    page = open_page("models")
    assert len(page.get("progress")) == 2
    page.session_state["_jobs.gelu.network"] = True
    page.run()
    assert len(page.get("progress")) == 2 + 5
    assert words("en")["models.one_by_one"].format(count=6) in {box.label for box in page.expander}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_running_job_is_on_its_panel_in_the_sidebar_and_on_the_models_page(
    language: str, job: Job, store: Path
) -> None:
    run_along(job)
    unit = words(language)["gelu.tasks.network.metrics.step"]
    how_far = f"{unit} 12 / 40"
    for page in (open_page("gelu", language, **LINK), open_page("models", language)):
        bars = page.get("progress")
        assert [bar.proto.value for bar in bars] == [30, 30]
        assert all(how_far in bar.proto.text for bar in bars)
    elsewhere = open_page("claims", language)
    (bar,) = elsewhere.sidebar.get("progress")
    assert how_far in bar.proto.text
    assert "130" not in bar.proto.text  # two minutes, not so many seconds


def test_the_panel_of_a_running_job_draws_its_curve(job: Job, store: Path) -> None:
    run_along(job)
    without = len(charts(open_page("gelu", **LINK | {"gelu.drift.seed": "9"})))
    assert len(charts(open_page("gelu", **LINK))) == without + 1


def test_a_reader_can_stop_a_job(job: Job, store: Path) -> None:
    run_along(job)
    page = open_page("models")
    widget(page, f"_cancel.listing.{job.key}").click().run()
    assert job.stopping
    assert widget(page, f"_cancel.listing.{job.key}").disabled
    job._ended.set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_failed_job_says_why_in_words_that_cannot_do_anything(
    language: str, job: Job, store: Path
) -> None:
    job.trouble = Trouble("raised", "Diverged: ` [x](javascript:1) <b>\n# nan")
    end(job, Status.FAILED)
    page = open_page("gelu", language, **LINK)
    said = words(language)["models.trouble.raised"].partition("{")[0]
    (line,) = [element.value for element in page.markdown if said in element.value]
    assert "`Diverged: ' [x](javascript:1) <b> # nan`" in line
    assert widget(page, "_train.gelu.network").label == words(language)["models.go_on"]


@pytest.mark.parametrize("code", ["raised", "killed", "lost", "newer"])
def test_every_trouble_and_every_ending_has_its_words(code: str, job: Job, store: Path) -> None:
    job.trouble = Trouble(code, "the reason")
    end(job, Status.FAILED)
    assert "the reason" in text(open_page("models"))
    job.trouble = None
    for status in (Status.CANCELLED, Status.DONE):
        job.status = status
        assert not open_page("models").exception


def test_a_model_that_no_disk_took_is_shown_and_said_to_be_in_memory(
    job: Job, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LAB_STORE", str(tmp_path / "file" / "store"))
    job.finish(runs.run(NETWORK, TrainConfig(depth=1, epochs=1, seed=31)))
    said = text(open_page("models"))
    assert words("en")["models.status.memory"] in said
    page = open_page("models")
    assert any("in memory only" in box.label for box in page.expander)


def test_a_job_that_no_task_knows_is_named_by_its_code(job: Job, store: Path) -> None:
    job.task = Task("gelu.nothing", 1, TrainConfig, lambda config: "", NETWORK.train)
    end(job, Status.DONE)
    page = open_page("models")
    assert not page.exception
    assert "`gelu.nothing`" in text(page)


def test_what_a_job_made_is_drawn_by_its_panel(store: Path) -> None:
    config = TrainConfig(depth=16, epochs=1, seed=8)
    made = runs.run(NETWORK, config)
    Store().put(NETWORK.key(UNTRAINED), made.tensors, made.meta)
    page = open_page("gelu", **LINK)
    assert words("en")["models.untrained"] not in text(page)
    assert "The logits drift" in text(page)


# ---- the shelf


def opened(page: AppTest, key: str) -> AppTest:
    page.session_state[f"_card.{key}"] = True
    return page.run()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_models_page_lists_what_ships_with_its_cards(language: str, store: Path) -> None:
    page = open_page("models", language)
    assert not page.exception
    assert page.title[0].value == words(language)["models.question"]
    shipped = library.SHIPPED.cards()
    topics = {card.key.partition("/")[0] for card in shipped}
    assert len(page.expander) == len(topics)
    for topic in topics:
        page.session_state[f"_cards.{topic}"] = True
    page.run()
    assert len(page.expander) == len(topics) + len(shipped)
    card = next(card for card in shipped if card.meta["config"].get("batch_size") == 64)
    page = opened(page, card.key)
    said = text(page)
    for fact in (card.key, card.meta["made"][:10], card.meta["versions"]["torch"], "64"):
        assert str(fact) in said
    assert len(charts(page)) == 1
    assert len(page.get("download_button")) == 2
    assert f"_remove.{card.key}" not in [button.key for button in page.button]


def kept(config: TrainConfig) -> Artefact:
    return runs.run(NETWORK, config)


def test_a_model_made_here_can_be_removed_and_what_ships_can_not(store: Path) -> None:
    made = kept(TrainConfig(depth=1, epochs=2, seed=31))
    page = opened(open_page("models"), made.key)
    widget(page, f"_remove.{made.key}").click().run()
    assert not page.exception
    assert Store().keys() == []
    assert not [box for box in page.expander if words("en")["models.origin.local"] in box.label]


def test_the_page_says_how_much_is_used_of_how_much(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_STORE_BYTES", "5000000")
    made = kept(TrainConfig(depth=1, epochs=2, seed=31))
    used = f"{Store().size() / 1000:.3g} kB of 5 MB"
    assert used in text(open_page("models"))
    card = Store().card(made.key)
    assert card is not None
    for name in ("model.safetensors", "meta.json"):
        assert library.file(card, name) == (store / made.key / name).read_bytes()


def test_cards_of_another_program_do_not_break_the_page(store: Path) -> None:
    Store().put("gelu/00", {}, {})
    Store().put("gelu/01", {}, {"task": "gelu.gone", "config": {"x": 1}})
    Store().put("other/02", {}, {"task": 7})
    page = open_page("models")
    assert not page.exception
    for key in ("gelu/00", "gelu/01", "other/02"):
        assert [box for box in page.expander if key in box.label]
    for key in ("gelu/00", "gelu/01", "other/02"):
        assert not opened(page, key).exception
