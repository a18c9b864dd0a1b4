"""Sets drawn at random, each with a known truth, read by train, check, predict and evaluate.

    python benchmarks/fuzz_reading.py --count 5000 --out benchmarks/results/fuzz_reading.md

A set is a layout x a way to write masks x a classes file in some encoding x pictures of some depth
and container x what operating systems leave beside x a fault. It is read wrongly without a word
when labels, names, pictures, predictions or scores differ from the truth and nothing that training
prints names the cause. A set without fault that has one right reading should not be refused;
those are counted by themselves. `--seed N` tries one set and shows it.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from fuzzing import CRASH, DISAGREES, REFUSED, RIGHT, SILENT, WITH_A_WORD, Spec, draw_spec, try_spec
from machine import provenance

COLUMNS = (RIGHT, WITH_A_WORD, REFUSED, DISAGREES, SILENT, CRASH)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="try this set alone and keep it in --folder")
    parser.add_argument("--folder", type=Path, default=Path("fuzzed"))
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if args.seed is not None:
        shutil.rmtree(args.folder, ignore_errors=True)
        args.folder.mkdir(parents=True)
        spec = draw_spec(args.seed)
        verdict = try_spec(spec, args.folder)
        print(spec, verdict.outcome, verdict.detail, sep="\n")
        return
    started = time.monotonic()
    seeds = range(args.first, args.first + args.count)
    with ProcessPoolExecutor(args.processes) as pool:
        rows = list(pool.map(try_seed, seeds, chunksize=20))
    command = f"python benchmarks/fuzz_reading.py --count {args.count} --first {args.first}"
    lines = report(rows, time.monotonic() - started)
    text = "\n".join([provenance(command), *lines, ""])
    if args.out:
        args.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def try_seed(seed: int) -> tuple[Spec, str, str]:
    spec = draw_spec(seed)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = f"{folder}/cache"
        root = Path(folder) / "set"
        root.mkdir()
        verdict = try_spec(spec, root)
    detail = verdict.detail.replace(folder, "")
    return spec, verdict.outcome, detail


def report(rows: list[tuple[Spec, str, str]], seconds: float) -> list[str]:
    counts = Counter(outcome for _, outcome, _ in rows)
    too_strict = [row for row in rows if row[0].is_plain and row[1] == REFUSED]
    lines = [
        f"{len(rows)} sets in {seconds:.0f} s: {counts[SILENT]} read wrongly without a word, "
        f"{counts[CRASH]} crashes, {counts[DISAGREES]} where check and train disagree; "
        f"{len(too_strict)} refused that have one right reading.",
        "",
    ]
    for title, key in (
        ("layout", lambda spec: spec.layout),
        ("masks", lambda spec: spec.mask),
        ("pictures", lambda spec: spec.picture),
        ("fault", lambda spec: spec.fault or "none"),
        ("beside", lambda spec: spec.quirk),
        ("names", lambda spec: spec.stems),
        ("classes file", lambda spec: spec.class_list or "none"),
    ):
        lines += table(rows, title, key)
    groups = {
        outcome: [row for row in rows if row[1] == outcome]
        for outcome in (SILENT, CRASH, DISAGREES)
    }
    for title, bad in {**groups, "refused though right": too_strict}.items():
        if bad:
            lines += [f"{title}:", ""]
            lines += [f"- {spec.seed}: {detail.strip()[-300:]}" for spec, _, detail in bad[:40]]
            lines.append("")
    return lines


def table(rows: list[tuple[Spec, str, str]], title: str, key) -> list[str]:
    names = sorted({key(spec) for spec, _, _ in rows})
    lines = [f"| {title} | {' | '.join(COLUMNS)} | refused though right |", "|---" * 8 + "|"]
    for name in names:
        of_name = [row for row in rows if key(row[0]) == name]
        counts = Counter(outcome for _, outcome, _ in of_name)
        strict = sum(spec.is_plain and outcome == REFUSED for spec, outcome, _ in of_name)
        cells = " | ".join(str(counts[column]) for column in COLUMNS)
        lines.append(f"| {name} | {cells} | {strict} |")
    return [*lines, ""]


if __name__ == "__main__":
    main()
