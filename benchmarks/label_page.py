"""The page of `pixelwise label` in Chromium: from a stroke to its overlay, opening photos, memory.

python benchmarks/label_page.py PHOTOS --out FOLDER [--count 100] [--strokes 40]

Of the pictures in PHOTOS `--count` photos of one megapixel are made, and one each of 12 and of 100
(of the first, enlarged). A server of its own, without trainings and with an empty cache of
features, is asked by one tab, 1280 x 860:

1. Each of the three sizes is opened from the list: until its last tile has arrived.
2. `--strokes` strokes of four classes in turn on the first photo: from the pointer going up until two
   frames after the prediction has arrived.
3. All photos of one megapixel are opened one after the other and get a stroke each; the memory of
   server and tab (resident; JavaScript's heap) is read at the beginning and after every 25.
4. Half as many strokes as in 2 again, with strokes on all photos.

One line of JSON for each step goes to FOLDER/page.jsonl as soon as it is done, with the CPU time
that the server took since the step before (features of photos that come next are made in it too)
and the machine's load: times of a busy machine say little.
"""

import argparse
import json
import os
import re
import shlex
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import psutil
from machine import provenance
from PIL import Image
from playwright.sync_api import Page, sync_playwright

CLASSES = "one,two,three,four"
SIDES = {1: (866, 1155), 12: (3000, 4000), 100: (8660, 11540)}
ARGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
# Keeps the time from the last pointerup to two frames after the next prediction.
WATCH = """
globalThis.answers = [];
addEventListener("pointerup", () => { globalThis.up = performance.now(); }, true);
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (!globalThis.up || !entry.name.includes("/prediction")) continue;
    const start = globalThis.up;
    if (entry.startTime < start) continue;
    globalThis.up = 0;
    requestAnimationFrame(() => requestAnimationFrame(
      () => globalThis.answers.push(performance.now() - start)));
  }
}).observe({ type: "resource" });
globalThis.opened = { number: -1, last: 0 };
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const [, number] = entry.name.match(/photos\\/(\\d+)\\/tiles/) ?? [];
    if (Number(number) === globalThis.opened.number) globalThis.opened.last = entry.responseEnd;
  }
}).observe({ type: "resource" });
"""


def make_photos(source: Path, folder: Path, count: int) -> None:
    folder.mkdir()
    pictures = [
        path for path in sorted(source.iterdir()) if path.suffix.lower() in (".jpg", ".png")
    ]
    for number, path in enumerate(pictures[:count]):
        with Image.open(path) as image:
            height, width = SIDES[1]
            image.convert("RGB").resize((width, height)).save(folder / f"{number:03}.jpg")
            if number == 0:
                for megapixels in (12, 100):
                    height, width = SIDES[megapixels]
                    large = image.convert("RGB").resize((width, height))
                    large.save(folder / f"large_{megapixels:03}.jpg")


def start_server(photos: Path, work: Path) -> tuple[psutil.Process, str]:
    command = [sys.executable, "-m", "pixelwise", "label", str(photos), "--classes", CLASSES]
    command += ["--minutes", "0", "--port", "0", "--out", str(work / "labels")]
    log = work / "log"
    with log.open("wb") as file:
        process = psutil.Popen(
            command, stdout=file, stderr=file, env=os.environ | {"XDG_CACHE_HOME": str(work)}
        )
    while True:
        found = re.search(r"http://\S+/", log.read_text(encoding="utf-8"))
        if found:
            return process, found.group()
        if process.poll() is not None:
            sys.exit(log.read_text(encoding="utf-8"))
        time.sleep(0.2)


class Tab:
    """The page, and what it does as a person would."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        page.add_init_script(WATCH)
        page.set_default_timeout(600_000)
        page.goto(url)
        page.locator("main[aria-busy=false]").wait_for()
        self.names = page.evaluate(
            "fetch('label/state').then((r) => r.json()).then((s) => s.photos.map((p) => p[1].name))"
        )
        self.box = page.locator("[data-part=stage]").bounding_box()
        self.random = np.random.default_rng(0)

    def open(self, name: str) -> float:
        """Milliseconds until the last of its tiles has arrived."""
        number = self.names.index(name)
        start = self.page.evaluate(
            "(number) => { globalThis.opened = { number, last: 0 }; return performance.now(); }",
            number,
        )
        self.page.locator("[data-part=photos] button").nth(number).dispatch_event("click")
        last = 0.0
        while True:  # until nothing has come for a second
            self.page.wait_for_timeout(1000)
            now = self.page.evaluate("globalThis.opened.last")
            if now and now == last:
                return now - start
            last = now

    def stroke(self, label: int) -> float:
        """Milliseconds until two frames after the prediction."""
        mouse = self.page.mouse
        count = self.page.evaluate("globalThis.answers.length")
        self.page.keyboard.press(str(label + 1))
        x, y = 0.25 + 0.4 * self.random.random(2)
        left = self.box["x"] + x * self.box["width"]
        top = self.box["y"] + y * self.box["height"]
        mouse.move(left, top)
        mouse.down()
        mouse.move(left + 60, top + 20, steps=6)
        mouse.up()
        self.page.wait_for_function("(count) => globalThis.answers.length > count", arg=count)
        return float(self.page.evaluate("globalThis.answers.at(-1)"))

    def strokes(self, count: int) -> dict[str, object]:
        self.stroke(0)
        self.stroke(1)  # from here on there is a model
        times = [self.stroke(number % 4) for number in range(count)]
        return {
            "strokes": count,
            "median_ms": round(float(np.median(times))),
            "p95_ms": round(float(np.quantile(times, 0.95))),
            "all_ms": [round(value) for value in times],
        }

    def memory(self, server: psutil.Process) -> dict[str, float]:
        devtools = self.page.context.new_cdp_session(self.page)
        devtools.send("Performance.enable")
        metrics = devtools.send("Performance.getMetrics")["metrics"]
        heap = next(row["value"] for row in metrics if row["name"] == "JSHeapUsedSize")
        renderers = [
            child.memory_info().rss
            for child in psutil.Process().children(recursive=True)
            if "--type=renderer" in child.cmdline()
        ]
        mib = 2**20
        return {
            "server_mib": round(server.memory_info().rss / mib),
            "tab_mib": round(max(renderers) / mib),
            "heap_mib": round(heap / mib),
        }


def measure(tab: Tab, server: psutil.Process, options: argparse.Namespace) -> None:
    used = 0.0

    def note(step: str, **values: object) -> None:
        nonlocal used
        before = used
        used = server.cpu_times().user
        line = {"step": step, **values, "server_cpu_s": round(used - before, 2)}
        line["load"] = round(os.getloadavg()[0], 1)
        with (options.out / "page.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)

    names = [name for name in tab.names if not name.startswith("large")]
    note("memory", photos=1, **tab.memory(server))
    for megapixels, name in ((12, "large_012.jpg"), (100, "large_100.jpg"), (1, names[0])):
        note("open", megapixels=megapixels, ms=round(tab.open(name)))
    note("strokes", photos=1, **tab.strokes(options.strokes))
    for count, name in enumerate(names[1:], 2):
        tab.open(name)
        tab.stroke(count % 4)
        if count % 25 == 0 or count == len(names):
            note("memory", photos=count, **tab.memory(server))
    note("strokes", photos=len(names), **tab.strokes(options.strokes // 2))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--strokes", type=int, default=40)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    print(provenance(f"python benchmarks/label_page.py {shlex.join(sys.argv[1:])}"), flush=True)
    with TemporaryDirectory() as name, sync_playwright() as driver:
        work = Path(name)
        make_photos(options.photos, work / "photos", options.count)
        server, url = start_server(work / "photos", work)
        try:
            browser = driver.chromium.launch(executable_path=options.chromium, args=ARGS)
            page = browser.new_page(viewport={"width": 1280, "height": 860})
            measure(Tab(page, url), server, options)
            browser.close()
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
