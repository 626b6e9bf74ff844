"""What the session holds of a panel's controls."""

import streamlit as st

from core.gelu import CurvesConfig
from ui import address


def test_a_control_that_streamlit_has_forgotten_is_as_it_was_last_read() -> None:
    st.session_state["_arrival"] = address.Arrival("gelu", {"gelu.curves.reach": "3"}, exact=True)
    name = address.key("gelu", "curves", "reach")
    address.settle("gelu", "curves", CurvesConfig)
    assert address.read("gelu", "curves", CurvesConfig).reach == 3
    del st.session_state[name]
    address.settle("gelu", "curves", CurvesConfig)
    assert st.session_state[name] == 3
    st.session_state[name] = 4.0
    address.settle("gelu", "curves", CurvesConfig)
    assert address.read("gelu", "curves", CurvesConfig).reach == 4
