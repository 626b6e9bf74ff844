"""Two languages: `t("gelu.ripple.title")` is the reader's word for that key."""

import streamlit as st

from ui.catalogue import LANGUAGES, words

KEY = "lang"  # of the switch, and in the address
_CHOSEN = "_language"  # outlives the switch, whose state Streamlit may drop between pages


def language() -> str:
    """The reader's language; English until the frame has chosen."""
    return st.session_state.get(_CHOSEN, "en")


def t(key: str, **values: object) -> str:
    """The text of a key in the reader's language, its placeholders filled.

    Without values the text is returned as it stands, so LaTeX keeps its braces. Raises KeyError
    for a key that the catalogue lacks.
    """
    text = words(language())[key]
    return text.format(**values) if values else text


def has(key: str) -> bool:
    """Whether the catalogue has the key: a coefficient's name is the same in every language."""
    return key in words(language())


def choose() -> None:
    """Take the language of the frame: the switch decides, then the address, then the browser."""
    if _CHOSEN not in st.session_state:
        st.session_state[_CHOSEN] = _asked_for() or _preferred()
    if st.session_state.get(KEY) is None:
        st.session_state[KEY] = st.session_state[_CHOSEN]
    st.session_state[_CHOSEN] = st.session_state[KEY]


def switch() -> None:
    """Draw the switch between the languages; `choose` comes before it."""
    st.segmented_control(
        t("app.language"),
        LANGUAGES,
        default=language(),
        format_func=lambda code: words(code)["app.language_name"],
        key=KEY,
        required=True,
        label_visibility="collapsed",
    )


def _asked_for() -> str | None:
    asked = st.query_params.get(KEY)
    return asked if asked in LANGUAGES else None


def _preferred() -> str:
    locale = (st.context.locale or "").lower()
    return "zh" if locale.startswith("zh") else "en"
