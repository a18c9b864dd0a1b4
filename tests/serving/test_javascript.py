import shutil
import subprocess
from pathlib import Path

import pytest

from pixelwise.serving.javascript import bundle_modules


def write(folder: Path, **modules: str) -> Path:
    for name, source in modules.items():
        (folder / f"{name}.js").write_text(source, encoding="utf-8")
    return folder / "main.js"


def test_modules_run_once_each_and_share_what_they_export(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    entry = write(
        tmp_path,
        count='let calls = 0;\nexport const START = 5;\nexport function count() {\n  return START + ++calls;\n}\nconsole.log("once");\n',
        left='import { count } from "./count.js";\n\nexport async function left() {\n  return count();\n}\n',
        main='import {\n  START,\n  count,\n} from "./count.js";\nimport { left } from "./left.js";\n\nconst calls = START;\nleft().then((one) => console.log(calls, one, count()));\n',
    )
    (tmp_path / "page.js").write_text(bundle_modules(entry), encoding="utf-8")
    ran = subprocess.run(
        [node, tmp_path / "page.js"], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout == "once\n5 6 7\n"


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ({"main": 'import * as all from "./a.js";\n', "a": ""}, "main.js has a line"),
        ({"main": "export default 3;\n"}, "main.js has a line"),
        ({"main": 'import { a } from "./a.js";\n', "a": 'import { b } from "./main.js";\n'}, "main.js imports itself"),
    ],
)  # fmt: skip
def test_what_cannot_be_joined_is_named(
    modules: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        bundle_modules(write(tmp_path, **modules))


def test_two_modules_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    write(tmp_path / "deep", a="export const a = 1;\n")
    source = 'import { a } from "./a.js";\nimport { a as b } from "./deep/a.js";\n'
    with pytest.raises(ValueError, match=r"two modules are called a\.js"):
        bundle_modules(write(tmp_path, a="export const a = 1;\n", main=source))
