from dataclasses import replace
from pathlib import Path

from pixelwise.training.history import Epoch, best_metric_key, read_history, write_history

ROW = Epoch(1, 0.5, 0.9, 0.6, 0.7, 0.8, 0.55, 1e-3, 12.5, 3.25)


def test_a_written_history_is_read_as_it_was(tmp_path: Path) -> None:
    rows = [replace(ROW, early=True), replace(ROW, epoch=7, val_mean_iou=0.6)]
    write_history(tmp_path / "history.csv", rows)
    assert read_history(tmp_path / "history.csv") == rows


def test_a_history_of_an_earlier_version_has_no_early_epochs(tmp_path: Path) -> None:
    write_history(tmp_path / "history.csv", [ROW])
    lines = (tmp_path / "history.csv").read_text().splitlines()
    older = [line.rpartition(",")[0] for line in lines]
    assert older[0].endswith(",seconds")
    (tmp_path / "history.csv").write_text("\n".join(older) + "\n")
    assert read_history(tmp_path / "history.csv") == [ROW]


def test_an_early_epoch_is_the_best_only_where_there_is_no_other() -> None:
    early = replace(ROW, early=True, val_mean_iou=0.9)
    later = replace(ROW, val_mean_iou=0.2)
    scoreless = replace(ROW, val_mean_iou=float("nan"))
    assert max([early, later], key=best_metric_key) is later
    assert max([early, scoreless], key=best_metric_key) is scoreless
    assert max([scoreless, later], key=best_metric_key) is later
    assert max([replace(early, val_mean_iou=0.1), early], key=best_metric_key) is early
