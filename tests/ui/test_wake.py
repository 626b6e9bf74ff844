"""Fragments that are drawn again unasked: the browser is told to ask, and told to stop."""

from dataclasses import dataclass, field

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.scriptrunner_utils.script_run_context import ThreadState

from ui import wake


@dataclass
class Browser:
    """A session with one fragment, and what was sent to its browser."""

    session_id: str
    there: bool = True
    sent: list[ForwardMsg] = field(default_factory=list)

    def has_fragment(self, fragment: str) -> bool:
        return self.there and fragment == "panel"

    def _enqueue_forward_msg(self, message: ForwardMsg) -> None:
        self.sent.append(message)

    enqueue = _enqueue_forward_msg  # as a script run sends it

    def draws(self, who: str, *keys: str) -> None:
        """Run the fragment, which shows these keys."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(wake, "get_script_run_ctx", lambda: self)
            with ThreadState.scoped(fragment_id="panel"):
                wake.on(who, keys)

    def heard(self) -> list[str]:
        """What kinds of messages came since it was asked last."""
        kinds = [str(message.WhichOneof("type")) for message in self.sent]
        self.sent.clear()
        return kinds


class Runtime:
    """The two sessions of a server."""

    def __init__(self) -> None:
        self.sessions = {name: Browser(name) for name in ("one", "two")}

    def get_app_session(self, session_id: str) -> Browser | None:
        return self.sessions.get(session_id)


@pytest.fixture
def browsers(monkeypatch: pytest.MonkeyPatch) -> list[Browser]:
    ThreadState.initialize()
    runtime = Runtime()
    monkeypatch.setattr(wake, "exists", lambda: True)
    monkeypatch.setattr(wake, "get_instance", lambda: runtime)
    monkeypatch.setattr(wake, "_shown", wake.defaultdict(dict))
    monkeypatch.setattr(wake, "_called", set())
    return list(runtime.sessions.values())


def test_only_who_shows_what_changed_is_called_and_stops_asking_when_drawn(
    browsers: list[Browser],
) -> None:
    one, two = browsers
    one.draws("task.page", "a", "b")
    two.draws("task.page", "c")
    wake.up("b")
    assert (one.heard(), two.heard()) == (["auto_rerun"], [])
    one.draws("task.page", "a", "b")
    assert one.heard() == ["stop_auto_rerun"]
    one.draws("task.page", "a", "b")
    assert one.heard() == []


def test_who_shows_all_is_called_for_any(browsers: list[Browser]) -> None:
    browsers[0].draws("jobs", wake.ALL)
    wake.up("whatever")
    assert browsers[0].heard() == ["auto_rerun"]


def test_two_wishes_of_a_fragment_are_kept_apart_and_withdrawn_one_by_one(
    browsers: list[Browser],
) -> None:
    one = browsers[0]
    one.draws("task.page", "a")
    one.draws("task.beside", "b")
    one.draws("task.page")
    wake.up("a")
    assert one.heard() == []
    wake.up("b")
    assert one.heard() == ["auto_rerun"]


def test_a_fragment_that_has_gone_is_forgotten_and_its_browser_left_alone(
    browsers: list[Browser],
) -> None:
    one, two = browsers
    one.draws("task.page", "a")
    two.draws("task.page", "a")
    assert wake.readers({"a", "b"}) == 2
    one.there = False
    wake.up("a")
    assert (one.heard(), two.heard()) == ([], ["auto_rerun"])
    assert wake.readers({"a"}) == 1
    assert wake.readers({"b"}) == 0


def test_outside_a_fragment_nothing_is_noted(browsers: list[Browser]) -> None:
    wake.on("task.page", ["a"])
    assert wake.readers({"a"}) == 0
