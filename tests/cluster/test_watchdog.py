import faulthandler
import subprocess
import sys
import time

import pytest

from pixelwise.cluster import watchdog as watch
from pixelwise.cluster.watchdog import DEFAULT_PACE, MIN_STEP_S, SLOWDOWN, Watchdog


def test_a_process_that_is_stuck_in_foreign_code_is_ended_and_says_where() -> None:
    """The regular expression would take years, and no other thread of Python runs meanwhile."""
    code = (
        "import re\nfrom pixelwise.cluster import watchdog as watch\nwatch.MIN_STEP_S = "
        "0.3\nwatch.Watchdog().begin(1, 0)\n"
        "re.match('(a+)+$', 'a' * 60 + 'b')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "re.match" in done.stderr or "line 5 in <module>" in done.stderr


def test_a_process_that_goes_on_or_rests_is_not_ended() -> None:
    code = (
        "import time\nfrom pixelwise.cluster import watchdog as watch\nwatch.MIN_STEP_S = 0.5\none = "
        "watch.Watchdog()\none.begin(1, 0)\n"
        "for _ in range(8):\n    time.sleep(0.1)\n    "
        "one.step()\none.end()\ntime.sleep(0.6)\nprint('here')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "here\n", "")


def test_a_model_that_never_loads_ends_its_process() -> None:
    code = (
        "import sys, time, types\nfrom pixelwise.cluster import watchdog as watch, worker\n"
        "some, zero = types.SimpleNamespace, types.SimpleNamespace(remote=lambda *given: 0)\n"
        "context = lambda: some(get_actor_id=lambda: 'a')\n"
        "watch.MIN_STEP_S = 0.3\nsys.modules['ray'] = some(get=lambda value: value, "
        "get_runtime_context=context)\n"
        "worker.load = lambda path: sys.argv[1:] or time.sleep(60)\n"
        "worker.load_predictor({'m.safetensors': b''}, {}, some(begin=zero, "
        "end=zero))\ntime.sleep(0.5)\nprint('loaded')"
    )
    for words, status in ([], 1), (["at once"], 0):
        run = [sys.executable, "-c", code, *words]
        done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout) == (status, "" if status else "loaded\n")
        assert ("in load_predictor" in done.stderr) == bool(status)


def test_a_step_after_the_rest_does_not_end_a_process_that_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = Watchdog()
    allowed = list[float]()
    with one.watch(1):
        pass
    monkeypatch.setattr(
        faulthandler, "dump_traceback_later", lambda seconds, **options: allowed.append(seconds)
    )
    one.step()
    assert not allowed


def test_a_step_may_take_as_long_as_its_pixels_and_as_all_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    allowed = list[float]()
    monkeypatch.setattr(
        faulthandler, "dump_traceback_later", lambda seconds, **options: allowed.append(seconds)
    )
    one = Watchdog()
    one.begin(1000, 0)
    one.begin(100_000_000, 0)
    one.step(1 / 100)
    one.begin(100_000_000, 1e-6)
    later = time.monotonic() + 5000
    monkeypatch.setattr(watch.time, "monotonic", lambda: later)
    one.step(1 / 100)
    expected = [
        MIN_STEP_S,
        SLOWDOWN * DEFAULT_PACE * 1e8,
        max(MIN_STEP_S, SLOWDOWN * DEFAULT_PACE * 1e6),
        max(MIN_STEP_S, SLOWDOWN * 100),
        5000,
    ]
    assert allowed == pytest.approx(expected, rel=0.01)
