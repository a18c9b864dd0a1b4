"""Sets drawn at random are read as they are, or refused with the reason; the benchmark
`fuzz_reading.py` draws thousands more.
"""

import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks/fuzzing"
_spec = importlib.util.spec_from_file_location(
    "fuzzing", FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)]
)
assert _spec
assert _spec.loader
fuzzing = importlib.util.module_from_spec(_spec)
sys.modules["fuzzing"] = fuzzing
_spec.loader.exec_module(fuzzing)

CHUNKS = 8
SETS_IN_A_CHUNK = 12


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_set_is_read_wrongly_without_a_word(chunk: int, tmp_path: Path) -> None:
    outcomes = set()
    for seed in range(chunk * SETS_IN_A_CHUNK, (chunk + 1) * SETS_IN_A_CHUNK):
        spec = fuzzing.draw_spec(seed)
        root = tmp_path / str(seed) / "set"
        root.mkdir(parents=True)
        verdict = fuzzing.try_spec(spec, root)
        assert verdict.outcome in fuzzing.GOOD, f"{spec}\n{verdict.detail}"
        assert not (spec.is_plain and verdict.outcome == fuzzing.REFUSED), verdict.detail
        outcomes.add(verdict.outcome)
    assert fuzzing.RIGHT in outcomes  # not everything is refused
