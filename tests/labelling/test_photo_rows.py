from pixelwise.labelling.photo_rows import PhotoRows


def test_rows_are_sent_after_the_revision_in_which_they_changed() -> None:
    rows = PhotoRows()
    rows.update([{"name": "a"}, {"name": "b"}])
    first = rows.revision
    assert rows.since(-1) == [(0, {"name": "a"}), (1, {"name": "b"})]
    assert rows.since(first) == []
    rows.update([{"name": "a"}, {"name": "b"}])
    assert rows.revision == first
    rows.update([{"name": "a", "strokes": 1}, {"name": "b"}])
    assert rows.since(first) == [(0, {"name": "a", "strokes": 1})]


def test_a_page_of_an_earlier_process_gets_all_rows() -> None:
    old = PhotoRows()
    old.update([{"name": "a"}])
    new = PhotoRows()
    new.revision = max(new.revision, old.revision + 1)  # the clock went on in between
    new.update([{"name": "a"}])
    assert new.since(old.revision) == [(0, {"name": "a"})]
