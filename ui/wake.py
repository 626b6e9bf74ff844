"""What is drawn again when something changes that no reader has touched, such as a job's end.

Only the fragment that shows it runs, with the session as it stands, as after `st.rerun`; and only
once the session is idle: a run in progress is not ended, a control on its way not overtaken.
"""

import threading
from collections import defaultdict
from collections.abc import Iterable, Set

from streamlit.runtime import exists, get_instance
from streamlit.runtime.app_session import AppSession, AppSessionState
from streamlit.runtime.scriptrunner import RerunData, get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_run_context import ThreadState

ALL = "*"  # for who shows something of every key
BETWEEN = 0.02  # seconds between two sessions: drawn all at once, each would wait for all others
MANY = 1000  # places that are noted before it is seen, for the first time, who has left
BUSY = 0.1  # seconds until a session that was not idle is looked at again

Place = tuple[str, str]  # a session and a fragment of it

_lock = threading.Lock()
_shown: dict[Place, dict[str, frozenset[str]]] = defaultdict(dict)  # keys, by who wants to know
_enough = MANY
_called: set[Place] = set()  # that will be drawn, but have not been yet


def on(who: str, keys: Iterable[str]) -> None:
    """Have the fragment that runs drawn again when one of these keys changes; none: no more.

    `who` tells several such wishes of one fragment apart; what it said before is replaced.
    """
    context = get_script_run_ctx()
    fragment = ThreadState.get().fragment_id if context else None
    if context is None or fragment is None:
        return
    place, wanted = (context.session_id, fragment), frozenset(keys)
    with _lock:
        _shown[place].pop(who, None)
        if wanted:
            _shown[place][who] = wanted
        if not _shown[place]:
            del _shown[place]
        many = len(_shown) > _enough
    if many:
        _forget_who_left()


def up(key: str) -> None:
    """Something of this key has changed: draw again who shows it. From any thread."""
    there = _forget_who_left()
    with _lock:
        places = {place for place, wishes in _shown.items() if _concerns(key, wishes.values())}
        places = (places & there.keys()) - _called
        _called.update(places)
    for turn, place in enumerate(sorted(places)):
        loop, fragment = there[place]._event_loop, place[1]
        loop.call_soon_threadsafe(loop.call_later, turn * BETWEEN, _draw, there[place], fragment)


def readers(keys: Set[str]) -> int:
    """How many sessions wait for one of these very keys."""
    with _lock:
        return len(
            {
                session
                for (session, _), wishes in _shown.items()
                if any(keys & wanted for wanted in wishes.values())
            }
        )


def _forget_who_left() -> dict[Place, AppSession]:
    """The sessions that are still there, by what they show."""
    global _enough
    with _lock:
        places = list(_shown)
    found = {
        place: get_instance().get_app_session(place[0]) if exists() else None for place in places
    }
    there = {place: one for place, one in found.items() if one is not None}
    for place in found.keys() - there.keys():
        _forget(place)
    _enough = max(MANY, 2 * len(there))
    return there


def _concerns(key: str, wishes: Iterable[frozenset[str]]) -> bool:
    return any(key in wanted or ALL in wanted for wanted in wishes)


def _draw(session: AppSession, fragment: str) -> None:
    """Run a fragment as soon as its session is idle. On the event loop of the server."""
    place = (session.id, fragment)
    ends = session._state is AppSessionState.SHUTDOWN_REQUESTED
    if ends or not session.has_fragment(fragment):
        _forget(place)
    elif session._scriptrunner is not None:
        session._event_loop.call_later(BUSY, _draw, session, fragment)
    else:
        with _lock:
            _called.discard(place)
        state = session._client_state
        session._create_scriptrunner(
            RerunData(
                query_string=state.query_string,
                page_script_hash=state.page_script_hash,
                fragment_id=fragment,
                is_auto_rerun=True,
                context_info=state.context_info if state.HasField("context_info") else None,
            )
        )


def _forget(place: Place) -> None:
    with _lock:
        _shown.pop(place, None)
        _called.discard(place)
