"""Flaws of the pinned Streamlit, mended once a process: it loses what was drawn, and time."""

from collections.abc import Iterator, Mapping
from typing import Any

from streamlit.components.v2.bidi_component import main as components
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession, AppSessionState
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.runtime.scriptrunner import RerunData, get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_requests import (
    ScriptRequestType,
    _coalesce_widget_states,
)
from streamlit.runtime.state import SafeSessionState, SessionState

SOON = 0.005  # seconds between two looks whether the last run's messages have gone out


def mend() -> None:
    """Keep what is drawn until it has reached the browser, and controls cheap."""
    keep_what_was_drawn()
    hear_the_last_run_out()
    forget_no_click()
    draw_all_that_changed()
    give_components_plain_values()
    look_at_the_key_that_is_asked_for()


def keep_what_was_drawn() -> None:
    """Let a fragment that runs again drop nothing that is still on its way to the browser.

    Streamlit drops what the fragment itself drew, but keeps what the fragments inside it drew: they
    would find no place to stand in, and the page would end with "Bad delta path index".
    """
    clear = ForwardMsgQueue.clear

    def cleared(
        queue: ForwardMsgQueue,
        retain_lifecycle_msgs: bool = False,
        fragment_ids_this_run: list[str] | None = None,
    ) -> None:
        if fragment_ids_this_run is None:
            clear(queue, retain_lifecycle_msgs)
        else:  # what comes now stands behind what waits, and takes no place of it
            queue._delta_index_map = {}

    ForwardMsgQueue.clear = cleared  # type: ignore[assignment, method-assign]


def hear_the_last_run_out() -> None:
    """Let a fragment begin only when the run before it has handed over all that it drew.

    Streamlit forgets a run that has ended as soon as the next is asked for, and what it drew last,
    still in the event loop's queue, with it: a control had moved, and its picture did not.
    """
    create = AppSession._create_scriptrunner

    def begin(session: AppSession, asked: RerunData) -> None:
        last = session._scriptrunner
        ends = session._state is AppSessionState.SHUTDOWN_REQUESTED
        if last is None:
            create(session, asked)
        elif not (ends or last.request_rerun(asked)):
            session._event_loop.call_later(SOON, begin, session, asked)

    AppSession._create_scriptrunner = begin  # type: ignore[assignment, method-assign]


def forget_no_click() -> None:
    """Let a run of the whole page answer, too, what waited for the end of the run that it stops.

    Streamlit stops a fragment's run with all that was asked of it meanwhile: a button was pressed,
    then the other language, and the button's click was gone.
    """
    request = AppSession.request_rerun

    def requested(session: AppSession, client_state: ClientState | None) -> None:
        if client_state and not client_state.fragment_id and session._scriptrunner:
            waiting = session._scriptrunner._requests
            with waiting._lock:
                if waiting._state is ScriptRequestType.RERUN:
                    states = _coalesce_widget_states(
                        waiting._rerun_data.widget_states, client_state.widget_states
                    )
                    client_state.widget_states.CopyFrom(states)
        request(session, client_state)

    AppSession.request_rerun = requested  # type: ignore[assignment, method-assign]


def draw_all_that_changed() -> None:
    """Let a message that tells of controls in several fragments draw all of them.

    A browser that is busy tells of two at once, but names the fragment of the first alone: the
    other's callback ran, and its picture stood still.
    """
    call = SessionState._call_callbacks

    def called(state: SessionState, **replayed: Any) -> None:
        call(state, **replayed)
        context = get_script_run_ctx()
        if not (context and context.script_requests and context.fragment_ids_this_run):
            return  # all of the page is drawn
        drawn = frozenset(context.fragment_ids_this_run)
        for fragment in _changed(state) - drawn:
            if fragment is None or not context.fragment_storage.has_ancestor_in(fragment, drawn):
                context.script_requests.request_rerun(
                    RerunData(
                        query_string=context.query_string,
                        page_script_hash=context.page_script_hash,
                        fragment_id=fragment,
                        context_info=context.context_info,
                    )
                )

    SessionState._call_callbacks = called  # type: ignore[assignment, method-assign]


def _changed(state: SessionState) -> set[str | None]:
    """The fragments with widgets of which the browser said something new; None: the page itself."""
    said, known = state._new_widget_state, state._new_widget_state.widget_metadata
    return {known[one].fragment_id for one in said if one in known and state._widget_changed(one)}


def give_components_plain_values() -> None:
    """Let the session hold what a component said, and no more.

    Streamlit wraps it, at every look of any widget at the session, in a class made for that look: a
    tenth of what a control costs. It serves components that fire events; ours have values only.
    """
    components.make_bidi_component_presenter = lambda *_: None  # type: ignore[assignment]


def look_at_the_key_that_is_asked_for() -> None:
    """Let a slider or a list look its own value up, not have the whole session copied for it."""
    whole = vars(SafeSessionState)["filtered_state"].fget

    class Session(Mapping[str, Any]):
        """The values of a session by the application's names."""

        def __init__(self, state: SafeSessionState) -> None:
            self._state = state

        def __getitem__(self, key: str) -> Any:
            with self._state._lock:
                return self._state._state[key]

        def __iter__(self) -> Iterator[str]:
            return iter(whole(self._state))

        def __len__(self) -> int:
            return len(whole(self._state))

    SafeSessionState.filtered_state = property(Session)  # type: ignore[assignment, method-assign]
