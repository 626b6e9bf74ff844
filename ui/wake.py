"""What is drawn again when something changes that no reader has touched, such as a job's end.

The browser is told to ask for a fragment, and the fragment's run tells it to stop asking. So it
comes with the controls as they stand there, as after a click. A run that the server began by
itself would not know of a control that is on its way, and would end a run that is not finished.
"""

import threading
from collections import defaultdict
from collections.abc import Iterable, Set

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime import exists, get_instance
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_run_context import ThreadState

ALL = "*"  # for who shows something of every key
SOON = 0.2  # seconds until the browser asks

Place = tuple[str, str]  # a session and a fragment of it

_lock = threading.Lock()
_shown: dict[Place, dict[str, frozenset[str]]] = defaultdict(dict)  # keys, by who wants to know
_called: set[Place] = set()  # places whose browser asks for them until they are drawn


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
        called = place in _called
        _called.discard(place)
        _shown[place].pop(who, None)
        if wanted:
            _shown[place][who] = wanted
        if not _shown[place]:
            del _shown[place]
    if called:
        message = ForwardMsg()
        message.stop_auto_rerun.fragment_ids.append(fragment)
        context.enqueue(message)


def up(key: str) -> None:
    """Something of this key has changed: draw again who shows it. From any thread."""
    with _lock:
        places = [place for place, wishes in _shown.items() if _concerns(key, wishes.values())]
    for place in places:
        _call(place)


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


def _concerns(key: str, wishes: Iterable[frozenset[str]]) -> bool:
    return any(key in wanted or ALL in wanted for wanted in wishes)


def _call(place: Place) -> None:
    """Tell the browser to ask for a fragment; forget a place that is not there any more."""
    session_id, fragment = place
    session = get_instance().get_app_session(session_id) if exists() else None
    with _lock:
        if session is None or not session.has_fragment(fragment):
            _shown.pop(place, None)
            _called.discard(place)
            return
        _called.add(place)
    message = ForwardMsg()
    message.auto_rerun.fragment_id, message.auto_rerun.interval = fragment, SOON
    session._enqueue_forward_msg(message)
