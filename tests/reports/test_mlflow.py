"""A run as MLflow's own client reads it."""

from pathlib import Path

import pytest

from pixelwise.reports.mlflow import RUN_ID, MLflow

mlflow = pytest.importorskip("mlflow", reason="the extra mlflow is not installed")


@pytest.mark.filterwarnings("ignore")  # its own
def test_settings_figures_and_files_are_there_and_a_resumed_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "store").as_uri())
    run = tmp_path / "run"
    run.mkdir()
    (run / "samples.png").write_bytes(b"picture")
    (run / "model.safetensors").write_bytes(b"model")
    settings = {"decoder": "unet", **{f"option{n}": n for n in range(150)}}
    first = MLflow(run, settings)
    first.write_epoch({"epoch": 1, "val_loss": 0.5}, run / "samples.png")
    first.finish({"best_epoch": 1}, [run / "model.safetensors"], stopped=True)
    again = MLflow(run, {**settings, "decoder": "other"})
    again.write_epoch({"epoch": 2, "val_loss": 0.25}, None)
    again.finish({"best_epoch": 2}, [run / "model.safetensors"], stopped=False)

    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("pixelwise")
    (record,) = client.search_runs([experiment.experiment_id])
    assert record.info.run_id == (run / RUN_ID).read_text().strip()
    assert (record.info.run_name, record.info.status) == ("run", "FINISHED")
    assert record.data.params["decoder"] == "unet"
    assert len(record.data.params) == 151
    history = client.get_metric_history(record.info.run_id, "val_loss")
    assert [(point.step, point.value) for point in history] == [(1, 0.5), (2, 0.25)]
    assert record.data.metrics["best_epoch"] == 2
    names = {file.path for file in client.list_artifacts(record.info.run_id)}
    assert names == {"samples.png", "model.safetensors"}
