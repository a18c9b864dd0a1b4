import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pixelwise.cluster import predict_job as predict


@pytest.fixture(scope="session")
def ray(s3: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A head node and another one, each of one core; `Worker` can be hurt there."""
    ray = pytest.importorskip("ray", reason="the extra cluster is not installed")
    from ray import cloudpickle
    from ray.cluster_utils import Cluster as TestCluster

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        import hurt

        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_BACKEND_LOG_LEVEL", "fatal")
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv(hurt.LOG, str(tmp_path_factory.mktemp("log")))
        cloudpickle.register_pickle_by_value(hurt)
        nodes = TestCluster()
        try:
            for _ in range(2):
                nodes.add_node(**hurt.NODE)
        except Exception as error:  # Ray gives its processes 30 seconds, which cannot be set
            nodes.shutdown()
            if "timed out during startup" not in str(error):
                raise
            pytest.skip(f"this machine is too busy: {error}")
        ray.init(nodes.address, logging_level="ERROR", log_to_driver=False)
        patch.setattr(predict, "Worker", hurt.Hurt)
        ray.test_cluster = nodes
        ray.test_log = Path(os.environ[hurt.LOG])
        yield ray
        ray.shutdown()
        nodes.shutdown()
