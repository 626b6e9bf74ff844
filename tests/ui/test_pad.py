"""What a browser sends from the sheet."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from ui.pad import _content


@given(st.binary(max_size=100))
def test_a_data_address_carries_its_bytes(content: bytes) -> None:
    assert _content("data:image/png;base64," + base64.b64encode(content).decode()) == content


def test_what_is_no_base_64_is_nothing() -> None:
    for sent in ("", "picture", "data:image/png;base64,a", "data:,ü", None, 7, {"drawn": 1}):
        assert _content(sent) == b""
