from pixelwise.io.reading_notes import (
    ReadingNote,
    ReadingSummary,
    decode_notes,
    encode_notes,
    summarize_notes,
)

DEEP = ReadingNote("image-deep", "of 16 bits with values to {highest}", "scaled from 10 bits", 900)
WHITE = ReadingNote("image-transparent", "with transparent parts", "put on white")


def test_notes_are_counted_by_kind_the_most_frequent_first() -> None:
    brighter = ReadingNote("image-deep", DEEP.what, DEEP.done, 1020)
    assert summarize_notes([(DEEP,), (), (brighter, WHITE), (DEEP,)]) == (
        "how the pictures were read: 3 of 16 bits with values to 1020 are scaled from 10 bits; "
        "1 with transparent parts is put on white"
    )
    assert summarize_notes([(), ()]) == ""


def test_summaries_of_two_halves_make_one() -> None:
    first = ReadingSummary()
    first.add((DEEP, WHITE))
    second = ReadingSummary()
    second.add((WHITE,))
    first.merge(second)
    assert first.line() == (
        "how the pictures were read: 2 with transparent parts are put on white; "
        "1 of 16 bits with values to 900 is scaled from 10 bits"
    )


def test_a_note_of_one_picture_is_a_sentence_and_comes_back_from_json() -> None:
    assert str(DEEP) == "of 16 bits with values to 900, scaled from 10 bits"
    assert decode_notes(encode_notes((DEEP, WHITE))) == (DEEP, WHITE)
    assert decode_notes(encode_notes(())) == ()
