"""Which words of the glossary stand beside a panel."""

import pytest

from ui import reading
from ui.catalogue import words


@pytest.mark.parametrize(
    ("said", "word", "stands"),
    [
        ("The Spectral norm of W", "spectral norm", True),
        ("gains are no gain", "gain", True),
        ("bargains", "gain", False),
        ("Φ(x)", "Φ", True),
        ("每一层的增益", "增益", True),
        ("隐变量很多", "编码、隐变量", True),
        ("the code of an image", "code, latent", True),
        ("L is the rate", "L, smoothness", False),  # a letter of this kind stands everywhere
        ("its smoothness", "L, smoothness", True),
        ("the least maximum", "least maximum (minimax)", True),
    ],
)
def test_a_word_stands_in_a_text_by_any_of_its_names(said: str, word: str, stands: bool) -> None:
    assert reading._stands(said, word) == stands


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_panel_has_the_words_that_it_uses_and_no_others(language: str) -> None:
    own = [words(language)[f"{term}.word"] for term in reading._used("gelu", "tails", language)]
    assert own == ["Φ"]
    assert reading._used("gelu", "speed", language) == ()
