"""What is changed in Streamlit itself, so that nothing drawn is lost."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.runtime.app_session import AppSession, AppSessionState
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.runtime.scriptrunner import RerunData
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequests
from streamlit.runtime.state import SafeSessionState, SessionState

from ui import mended


def block(fragment: str, *path: int) -> ForwardMsg:
    message = ForwardMsg()
    message.delta.fragment_id = fragment
    message.delta.add_block.SetInParent()
    message.metadata.delta_path.extend(path)
    return message


def test_what_a_fragment_inside_drew_keeps_the_place_it_stands_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ForwardMsgQueue, "clear", ForwardMsgQueue.clear)  # put back at the end
    mended.keep_what_was_drawn()
    queue = ForwardMsgQueue()
    drawn = [block("panel", 0, 3), block("panel", 0, 3, 0), block("player", 0, 3, 0, 0)]
    for message in drawn:
        queue.enqueue(message)
    queue.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=["panel"])
    again = block("panel", 0, 3)
    queue.enqueue(again)
    paths = [tuple(message.metadata.delta_path) for message in queue.flush()]
    assert all(path[:-1] in paths[:at] for at, path in enumerate(paths) if len(path) > 2)
    assert paths[-1] == (0, 3)  # behind what waits: it belongs to the run that comes


def test_a_page_that_runs_again_drops_what_it_drew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ForwardMsgQueue, "clear", ForwardMsgQueue.clear)
    mended.keep_what_was_drawn()
    queue = ForwardMsgQueue()
    queue.enqueue(block("", 0, 3))
    queue.clear(retain_lifecycle_msgs=True)
    assert queue.is_empty()


class Session:
    """A session whose last run has ended, but whose messages have not been handed over."""

    def __init__(self) -> None:
        self.asked: list[RerunData] = []  # of the last run, should it still take something
        self.begun: list[RerunData] = []
        self.later: list[Callable[[], None]] = []
        self.takes = False
        self._state = AppSessionState.APP_IS_RUNNING
        self._scriptrunner: SimpleNamespace | None = SimpleNamespace(request_rerun=self._request)
        self._event_loop = SimpleNamespace(
            call_later=lambda _, call, *arguments: self.later.append(lambda: call(*arguments))
        )

    def _request(self, data: RerunData) -> bool:
        self.asked += [data] if self.takes else []
        return self.takes

    def turn(self) -> None:
        """One turn of the event loop."""
        calls, self.later = self.later, []
        for call in calls:
            call()


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    made = Session()
    create = "_create_scriptrunner"
    monkeypatch.setattr(AppSession, create, lambda _, data: made.begun.append(data))
    mended.hear_the_last_run_out()
    return made


def begin(session: Session) -> RerunData:
    data = RerunData(fragment_id="panel")
    AppSession._create_scriptrunner(session, data)  # type: ignore[arg-type]
    return data


def test_a_run_begins_when_the_last_one_has_handed_over_what_it_drew(session: Session) -> None:
    data = begin(session)
    session.turn()
    assert session.begun == []
    session._scriptrunner = None
    session.turn()
    assert (session.begun, session.later) == ([data], [])


def test_a_run_that_began_meanwhile_takes_what_waits(session: Session) -> None:
    data = begin(session)
    session.takes = True
    session.turn()
    assert (session.asked, session.begun, session.later) == ([data], [], [])


def test_nothing_begins_in_a_session_that_ends(session: Session) -> None:
    begin(session)
    session._state = AppSessionState.SHUTDOWN_REQUESTED
    session.turn()
    assert (session.begun, session.later) == ([], [])


def told(**said: bool | str) -> WidgetStates:
    """What a browser says of its widgets: that a button was pressed, or a text."""
    states = [
        WidgetState(id=name, trigger_value=value)
        if isinstance(value, bool)
        else WidgetState(id=name, string_value=value)
        for name, value in said.items()
    ]
    return WidgetStates(widgets=states)


def test_a_click_that_waits_is_answered_by_the_run_of_the_page_that_comes_instead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[ClientState] = []
    monkeypatch.setattr(AppSession, "request_rerun", lambda session, asked: heard.append(asked))
    mended.forget_no_click()
    requests = ScriptRequests()
    waits = RerunData(fragment_id="panel", widget_states=told(button=True, text="old"))
    requests.request_rerun(waits)
    session = SimpleNamespace(_scriptrunner=SimpleNamespace(_requests=requests))
    page = ClientState(widget_states=told(text="new"))
    AppSession.request_rerun(session, page)  # type: ignore[arg-type]
    found = {
        one.id: getattr(one, one.WhichOneof("value")) for one in heard[0].widget_states.widgets
    }
    assert found == {"button": True, "text": "new"}


def test_one_key_of_the_session_is_looked_up_and_the_others_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(SafeSessionState, "filtered_state", SafeSessionState.filtered_state)
    session = SafeSessionState(SessionState(), lambda: None)
    session["one"], session["two"] = 1, 2
    before = dict(session.filtered_state)
    mended.look_at_the_key_that_is_asked_for()
    seen = session.filtered_state
    assert dict(seen) == before == {"one": 1, "two": 2}
    assert "three" not in seen
    looked, get = set(), SessionState.__getitem__

    def noted(state: SessionState, key: str) -> object:
        looked.add(key)
        return get(state, key)

    monkeypatch.setattr(SessionState, "__getitem__", noted)
    assert "one" in seen
    assert seen["one"] == 1
    assert looked == {"one"}
