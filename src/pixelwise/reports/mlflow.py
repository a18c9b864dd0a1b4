"""A training for MLflow (extra `mlflow`), where MLFLOW_TRACKING_URI or MLflow's default says."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pixelwise.io.atomic import write_text
from pixelwise.optional import require_package

# In the run folder: by which name MLflow knows the run, for --resume to go on with it.
RUN_ID = "mlflow.txt"
_EXPERIMENT = "pixelwise"
_MAX_PARAMS = 100
_MAX_VALUE = 500


class MLflow:
    """A run of the experiment that MLFLOW_EXPERIMENT_NAME names, or `pixelwise`. Needs the package
    mlflow, or mlflow-skinny.
    """

    def __init__(self, run: Path, settings: Mapping[str, Any]) -> None:
        self._run = run
        self._settings = settings
        self._client: Any = None
        self._id = ""

    def write_epoch(self, row: Mapping[str, float], samples: Path | None) -> None:
        """Log an epoch's figures, and its `samples` picture where it has one."""
        client = self._open()
        epoch = int(row["epoch"])
        for name, value in row.items():
            if name != "epoch":
                client.log_metric(self._id, name, value, step=epoch)
        if samples is not None:
            client.log_artifact(self._id, str(samples))

    def finish(self, figures: Mapping[str, float], files: Sequence[Path], *, stopped: bool) -> None:
        """Log the result and the files; the run has ended."""
        client = self._open()
        for name, value in figures.items():
            client.log_metric(self._id, name, value)
        for path in files:
            client.log_artifact(self._id, str(path))
        client.set_terminated(self._id, "KILLED" if stopped else "FINISHED")

    def _open(self) -> Any:
        """The client; the run is begun, or gone on with."""
        if self._client is not None:
            return self._client
        client = require_package("mlflow").MlflowClient()
        note = self._run / RUN_ID
        if note.is_file():
            self._id = note.read_text(encoding="utf-8").strip()
            client.update_run(self._id, "RUNNING")
        else:
            self._id = self._begin(client)
            write_text(note, f"{self._id}\n")
        self._client = client
        return client

    def _begin(self, client: Any) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", _EXPERIMENT)
        experiment = client.get_experiment_by_name(name)
        number = experiment.experiment_id if experiment else client.create_experiment(name)
        identity: str = client.create_run(number, run_name=self._run.name).info.run_id
        param = require_package("mlflow.entities").Param
        params = [param(key, str(value)[:_MAX_VALUE]) for key, value in self._settings.items()]
        for start in range(0, len(params), _MAX_PARAMS):
            client.log_batch(identity, params=params[start : start + _MAX_PARAMS])
        return identity
