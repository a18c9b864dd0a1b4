"""The options of a run."""

from pixelwise.training.run_options import RunOptions


def test_trackers_are_those_asked_for_in_one_order() -> None:
    assert RunOptions().trackers == []
    assert RunOptions(wandb=True, tensorboard=True).trackers == ["tensorboard", "wandb"]
