from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.cli import console
from pixelwise.cli.console import (
    TerminalProgress,
    WordWrapConsole,
    align_columns,
    print_next,
    wrap_words,
)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    """What is printed to a terminal of 80 columns."""
    screen = StringIO()
    drawn = WordWrapConsole(
        file=screen, force_terminal=True, width=80, highlight=False, soft_wrap=True, no_color=True
    )
    monkeypatch.setattr(console, "messages", drawn)
    return screen


def test_a_section_stands_in_columns_of_80_characters(terminal: StringIO) -> None:
    progress = TerminalProgress()
    progress.log("before")
    progress.log_section("Chosen, and why")
    progress.log("batch 8: usual on cpu")
    progress.log(
        "scale 0.5 to 1.0: as augmentation 'slight' has it; masks at 0.75 would keep only 0.971 "
        "of mean IoU"
    )
    progress.log("train 16, val 4, test 4 images")
    assert terminal.getvalue().splitlines() == [
        "before",
        "",
        "Chosen, and why",
        "  batch 8               usual on cpu",
        "  scale 0.5 to 1.0      as augmentation 'slight' has it; masks at 0.75 would",
        "                        keep only 0.971 of mean IoU",
        "  train 16, val 4, test 4 images",
    ]


def test_an_epochs_line_fits_in_80_columns() -> None:
    line = "epoch 123: loss 12.345, validation mean IoU 0.123, ends Mon 12:34"
    assert "\n" not in align_columns(line, 80)
    assert len(align_columns(line, 80)) <= 80


@given(st.text(st.sampled_from("abc/:-. "), max_size=300))
def test_no_word_is_broken_or_lost(text: str) -> None:
    lines = wrap_words(text, 40).split("\n")
    assert " ".join(lines).split() == text.split()
    assert all(len(line) <= 40 or " " not in line.strip() for line in lines)
    assert align_columns(text, 40).split() == text.replace(": ", " ", 1).split() or (
        align_columns(text, 40).split() == text.split()
    )


def test_a_terminal_gets_whole_words_and_a_file_whole_lines() -> None:
    text = "word " * 30
    for is_terminal, lines in ((True, 2), (False, 1)):
        target = StringIO()
        drawn = WordWrapConsole(file=target, force_terminal=is_terminal, width=80, soft_wrap=True)
        drawn.print(text, markup=False)
        assert len(target.getvalue().splitlines()) == lines


def test_the_next_commands_can_be_copied(terminal: StringIO) -> None:
    print_next((("predict", "my run", "photo.jpg"), "label images"), (("serve", "r"), "try it"))
    assert terminal.getvalue().splitlines() == [
        "Next: pixelwise predict 'my run' photo.jpg  label images",
        "      pixelwise serve r                     try it",
    ]
