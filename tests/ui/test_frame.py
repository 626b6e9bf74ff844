"""What the frame changes in Streamlit itself."""

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue

from ui import frame


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
    frame.keep_what_was_drawn()
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
    frame.keep_what_was_drawn()
    queue = ForwardMsgQueue()
    queue.enqueue(block("", 0, 3))
    queue.clear(retain_lifecycle_msgs=True)
    assert queue.is_empty()
