"""Fragments that are drawn again unasked: who shows what changed, once it is idle."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSessionState
from streamlit.runtime.scriptrunner import RerunData
from streamlit.runtime.scriptrunner_utils.script_run_context import ThreadState

from ui import wake


class Session:
    """A session with one fragment, and the runs that were begun in it."""

    def __init__(self, session_id: str) -> None:
        self.id = self.session_id = session_id
        self.fragments = {"panel"}
        self.runs: list[RerunData] = []
        self.later: list[Callable[[], None]] = []
        self._state = AppSessionState.APP_NOT_RUNNING
        self._scriptrunner: object | None = None
        self._client_state = ClientState(page_script_hash="page", query_string="lang=en")
        self._event_loop = SimpleNamespace(
            call_soon_threadsafe=lambda call, *arguments: call(*arguments),
            call_later=lambda _, call, *arguments: self.later.append(lambda: call(*arguments)),
        )

    def has_fragment(self, fragment: str) -> bool:
        return fragment in self.fragments

    def _create_scriptrunner(self, data: RerunData) -> None:
        self.runs.append(data)

    def shows(self, who: str, *keys: str) -> None:
        """Run the fragment, which shows these keys."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(wake, "get_script_run_ctx", lambda: self)
            with ThreadState.scoped(fragment_id="panel"):
                wake.on(who, keys)

    def turn(self) -> int:
        """One turn of the event loop; how many runs it has begun."""
        before, calls, self.later = len(self.runs), self.later, []
        for call in calls:
            call()
        return len(self.runs) - before


class Runtime:
    """The two sessions of a server."""

    def __init__(self) -> None:
        self.sessions = {name: Session(name) for name in ("one", "two")}

    def get_app_session(self, session_id: str) -> Any:
        return self.sessions.get(session_id)


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    ThreadState.initialize()
    made = Runtime()
    monkeypatch.setattr(wake, "exists", lambda: True)
    monkeypatch.setattr(wake, "get_instance", lambda: made)
    monkeypatch.setattr(wake, "_shown", wake.defaultdict(dict))
    monkeypatch.setattr(wake, "_called", set())
    return made


@pytest.fixture
def one(runtime: Runtime) -> Session:
    return runtime.sessions["one"]


@pytest.fixture
def two(runtime: Runtime) -> Session:
    return runtime.sessions["two"]


def test_only_who_shows_what_changed_is_drawn_and_with_the_session_as_it_stands(
    one: Session, two: Session
) -> None:
    one.shows("task.page", "a", "b")
    two.shows("task.page", "c")
    wake.up("b")
    assert (one.turn(), two.turn()) == (1, 0)
    assert one.runs[0].fragment_id == "panel"
    assert one.runs[0].page_script_hash == "page"
    assert one.runs[0].widget_states is None  # none are put in the place of the session's own


def test_who_shows_all_is_drawn_for_any(one: Session) -> None:
    one.shows("jobs", wake.ALL)
    wake.up("whatever")
    assert one.turn() == 1


def test_a_busy_session_is_drawn_when_it_is_idle_and_once_for_all_that_changed(
    one: Session,
) -> None:
    one.shows("task.page", "a", "b")
    one._scriptrunner = object()
    wake.up("a")
    assert one.turn() == 0
    wake.up("b")
    assert one.turn() == 0
    one._scriptrunner = None
    assert one.turn() == 1
    assert one.turn() == 0


def test_two_wishes_of_a_fragment_are_kept_apart_and_withdrawn_one_by_one(one: Session) -> None:
    one.shows("task.page", "a")
    one.shows("task.beside", "b")
    one.shows("task.page")
    wake.up("a")
    assert one.turn() == 0
    wake.up("b")
    assert one.turn() == 1


def test_a_fragment_or_a_session_that_has_gone_is_forgotten(
    runtime: Runtime, one: Session, two: Session
) -> None:
    one.shows("task.page", "a")
    two.shows("task.page", "a")
    assert wake.readers({"a", "b"}) == 2
    assert wake.readers({"b"}) == 0
    one.fragments.clear()
    del runtime.sessions["two"]
    wake.up("a")
    assert (one.turn(), two.turn()) == (0, 0)
    assert wake.readers({"a"}) == 0


def test_sessions_that_left_are_forgotten_though_nothing_changes(
    runtime: Runtime, one: Session, two: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake, "_enough", 1)
    one.shows("task.page", "a")
    del runtime.sessions["one"]
    two.shows("task.page", "b")
    assert wake.readers({"a"}) == 0
    assert wake.readers({"b"}) == 1


def test_outside_a_fragment_nothing_is_noted(one: Session) -> None:
    wake.on("task.page", ["a"])
    assert wake.readers({"a"}) == 0
