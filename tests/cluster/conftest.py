import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelwise.classes import Classes
from pixelwise.cluster import predict_job as predict
from pixelwise.inference.backends.onnx_file import write_onnx
from pixelwise.models.checkpoint import Header
from pixelwise.models.config import ModelConfig

NAMES = ("background", "circle", "square", "triangle")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX file with one convolution of random weights: labels depend on every pixel, and no
    PyTorch is needed.
    """
    onnx = pytest.importorskip("onnx", reason="the extra export is not installed")
    pytest.importorskip("onnxruntime", reason="the extra export is not installed")
    rgb = onnx.helper.make_tensor_value_info("rgb", onnx.TensorProto.UINT8, ["n", 3, "h", "w"])
    logits = onnx.helper.make_tensor_value_info(
        "logits", onnx.TensorProto.FLOAT, ["n", 4, "h", "w"]
    )
    weights = np.random.default_rng(0).normal(size=(4, 3, 5, 5)).astype(np.float32)
    nodes = [
        onnx.helper.make_node("Cast", ["rgb"], ["x"], to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("Conv", ["x", "w"], ["logits"], pads=[2, 2, 2, 2]),
    ]
    graph = onnx.helper.make_graph(
        nodes, "g", [rgb], [logits], [onnx.numpy_helper.from_array(weights, "w")]
    )
    network = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8
    )
    path = tmp_path_factory.mktemp("model") / "m.onnx"
    header = Header(ModelConfig("fcn32s", "resnet10t", 4), Classes.named(NAMES))
    write_onnx(path, network.SerializeToString(), header)
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of 12 pictures of noise, of several sizes."""
    folder = tmp_path / "in"
    rng = np.random.default_rng(1)
    folder.mkdir()
    for number in range(12):
        rgb = rng.integers(0, 256, (20 + number, 30, 3), dtype=np.uint8)
        Image.fromarray(rgb).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an empty bucket on a local server that speaks S3 over HTTP."""
    server_module = pytest.importorskip("moto.server", reason="moto is not installed")
    s3fs = pytest.importorskip("s3fs", reason="the extra cluster is not installed")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs.S3FileSystem().mkdir("pixels")
        yield "s3://pixels"
    server.stop()


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
