"""The files in deploy/ for a cluster: what KubeRay and SLURM are given, without either."""

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
LOCKED = re.search(
    r"^ray==(\S+)$", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE
)

STUBS = {
    "scontrol": "printf 'n1\\nn2\\nn3\\n'",
    "hostname": "echo 10.0.0.5",
    "srun": 'while [ "${1#--}" != "$1" ]; do [ "$1" = --overlap ] || shift; shift; done; "$@"',
    "ray": 'echo "ray $*" >>"$TOLD"; [ "$1" != health-check ] || grep --quiet "ray start --head" '
    '"$TOLD"',
    "python": 'echo "python $2" >>"$TOLD"; exit "$JOINED"',
    "pixelwise": 'echo "pixelwise $*" >>"$TOLD"',
}
"""Commands of a node, which tell that they were called."""


@pytest.fixture
def cluster() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "raycluster.yaml").read_text(encoding="utf-8"))
    return found


def test_the_manifest_has_the_fields_that_kuberay_demands(cluster: dict[str, Any]) -> None:
    assert (cluster["apiVersion"], cluster["kind"]) == ("ray.io/v1", "RayCluster")
    assert re.fullmatch(r"[a-z][a-z0-9-]*", cluster["metadata"]["name"])
    head = cluster["spec"]["headGroupSpec"]
    workers = cluster["spec"]["workerGroupSpecs"]
    for group in (head, *workers):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values()), (
            "options are strings there"
        )
        for container in group["template"]["spec"]["containers"]:
            assert container["name"]
            assert container["resources"]["requests"] == container["resources"]["limits"], (
                "Ray counts the limits"
            )
    for group in workers:
        assert group["groupName"]
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def test_all_nodes_have_one_image_and_the_ray_of_the_lock(cluster: dict[str, Any]) -> None:
    assert LOCKED is not None
    assert cluster["spec"]["rayVersion"] == LOCKED[1]
    groups = (cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"])
    images = {
        container["image"]
        for group in groups
        for container in group["template"]["spec"]["containers"]
    }
    assert images == {"REGISTRY/pixelwise-ray"}
    text = (DEPLOY / "Dockerfile.ray").read_text(encoding="utf-8")
    assert f"--tag {images.pop()}" in text
    assert "--constraint requirements.lock" in text
    copied = [
        word for line in text.splitlines() if line.startswith("COPY") for word in line.split()[1:-1]
    ]
    assert {"pyproject.toml", "requirements.lock", "src"} <= set(copied)
    assert all((ROOT / name).exists() for name in copied)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = re.search(r'"\.\[([\w,]+)\]"', text)
    assert extras is not None
    assert set(extras[1].split(",")) <= set(project["optional-dependencies"])


@pytest.mark.parametrize("joined", [0, 1])
def test_the_slurm_script_runs_the_command_once_all_nodes_have_joined(
    joined: int, tmp_path: Path
) -> None:
    for name, text in STUBS.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    told = tmp_path / "told"
    script = DEPLOY / "cluster.sbatch"
    slurm = {
        "SLURM_JOB_NODELIST": "n[1-3]",
        "SLURM_JOB_ID": "7",
        "SLURM_JOB_NUM_NODES": "3",
        "SLURM_CPUS_PER_TASK": "16",
    }
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    done = subprocess.run(
        ["bash", script, "predict", "m", "in", "--out", "out"],
        env={
            **os.environ,
            **slurm,
            "TOLD": str(told),
            "JOINED": str(joined),
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == joined, done.stderr
    lines = told.read_text().splitlines()
    address = "10.0.0.5:20007"
    assert any("ray start --head --port 20007 --num-cpus 16" in line for line in lines)
    waits = lines.index(
        f"python from pixelwise.cluster.engine import await_nodes; await_nodes('{address}', 3)"
    )
    ran = [number for number, line in enumerate(lines) if line.startswith("pixelwise")]
    assert [lines[number] for number in ran] == [
        f"pixelwise predict m in --out out --cluster {address}"
    ] * (not joined)
    assert all(waits < number for number in ran)
