"""The least that Streamlit can do: one slider and one chart. What the dashboard is held beside."""

import numpy as np
import pandas as pd
import streamlit as st

st.title("Bare")
reach = st.slider("reach", 2.0, 8.0, 5.0, 0.5, key="reach")
x = np.linspace(-reach, reach, 240)
st.vega_lite_chart(
    pd.DataFrame({"x": x, "y": np.tanh(x)}),
    {
        "mark": "line",
        "encoding": {
            "x": {"field": "x", "type": "quantitative"},
            "y": {"field": "y", "type": "quantitative"},
        },
    },
)
