"""A server that trains nothing says so, a busy one takes no more, many jobs are told as one."""

import pytest
from streamlit.testing.v1 import AppTest

from core import jobs
from core.gelu import NETWORK, TrainConfig
from core.jobs import Job, JobFailed, Status
from ui.catalogue import words

UNTRAINED = TrainConfig(depth=16, seed=93)
PANEL = """
from core.gelu import NETWORK, TrainConfig
from ui import jobs
jobs.ready(NETWORK, TrainConfig(depth=16, seed=93))
"""


@pytest.fixture(autouse=True)
def _none_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_jobs", {})


def test_where_jobs_are_off_a_panel_says_so_and_offers_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAB_JOBS", "0")
    page = AppTest.from_string(PANEL, default_timeout=60).run()
    assert not page.exception
    assert [text.value for text in page.markdown] == [words("en")["models.off"]]
    assert not page.button


def test_more_jobs_than_the_limit_are_refused_and_the_panel_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting = Job(NETWORK, TrainConfig(depth=16, seed=92))
    monkeypatch.setitem(jobs._jobs, waiting.key, waiting)
    monkeypatch.setenv("LAB_JOBS", "1")
    refused = jobs.submit(NETWORK, UNTRAINED)
    with pytest.raises(JobFailed, match="full"):
        refused.result(0)
    assert refused.status is Status.FAILED
    assert jobs.submit(NETWORK, waiting.config) is waiting  # who asks for the same shares it
    page = AppTest.from_string(PANEL, default_timeout=60).run()
    assert not page.exception
    assert any("Too many trainings" in text.value for text in page.markdown)
    assert page.button


MANY = """
from core.gelu import NETWORK, TrainConfig
from ui import jobs
jobs.ready_all(NETWORK, [TrainConfig(depth=16, seed=seed) for seed in range(90, 95)])
"""


def test_many_jobs_of_a_picture_are_told_as_one_and_stopped_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Job, "_stop", lambda job: None)  # no cluster is started for what waits here
    waiting = [Job(NETWORK, TrainConfig(depth=16, seed=seed)) for seed in range(90, 95)]
    for job in waiting:
        monkeypatch.setitem(jobs._jobs, job.key, job)
    page = AppTest.from_string(MANY, default_timeout=60).run()
    assert not page.exception
    (bar,) = page.get("progress")
    assert bar.proto.text == "5 trainings to go, 0 of them have begun"
    (stop,) = page.button
    stop.click().run()
    assert not any(job.active and not job.stopping for job in waiting)
