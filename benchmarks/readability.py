"""How README and guides read: words a sentence and options a paragraph, now or at a commit.

python benchmarks/readability.py [COMMIT]

A sentence ends with a full stop, a question mark or a colon before a space, a paragraph with an
empty line; items of a list are paragraphs, rows of tables and blocks of code are left out. An
option is a word with `--` in front.
"""

import re
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
OPTION = re.compile(r"(?<![\w-])--[a-z]")


def git(*words: str) -> str:
    command = ["git", "-C", str(ROOT), *words]
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout


def pages(commit: str) -> dict[str, str]:
    """The English guides at a commit, or as they are; generated pages and those on drawings not."""
    if commit:
        names = git("ls-tree", "-r", "--name-only", commit, "README.md", "docs").splitlines()
        texts = {name: git("show", f"{commit}:{name}") for name in names if name.endswith(".md")}
    else:
        paths = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
        texts = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}
    return {
        name: text
        for name, text in texts.items()
        if "reference" not in name and not name.endswith(".zh.md")
    }


def paragraphs(text: str) -> list[str]:
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    text = re.sub(r"^    .*$", "", text, flags=re.MULTILINE)
    parts = re.split(r"\n\s*\n|\n(?=[-*] |\d+\. )", text)
    prose = [" ".join(part.split()) for part in parts]
    return [part for part in prose if part and not part.startswith(("|", "#", "!", "<!--"))]


def sentences(paragraph: str) -> list[int]:
    """Words of each; an address in a link is none."""
    plain = re.sub(r"\]\([^)]*\)", "]", paragraph)
    return [len(part.split()) for part in re.split(r"(?<=[.?!:])\s+", plain) if part.split()]


def row(name: str, texts: list[str]) -> str:
    parts = [part for text in texts for part in paragraphs(text)]
    lengths = [count for part in parts for count in sentences(part)]
    options = [len(OPTION.findall(part)) for part in parts]
    many = sum(count > 5 for count in options)
    return (
        f"| {name} | {sum(text.count(chr(10)) for text in texts)} | {statistics.mean(lengths):.1f} "
        f"| {max(lengths)} | {sum(count > 30 for count in lengths)} | {max(options)} | {many} |"
    )


def main() -> None:
    found = pages(sys.argv[1] if len(sys.argv) > 1 else "")
    print(
        "| pages | lines | words a sentence | longest | over 30 | most options a paragraph | over 5 |"
    )
    print("|---|---|---|---|---|---|---|")
    print(row("README", [found.pop("README.md")]))
    print(row(f"{len(found)} guides", list(found.values())))


if __name__ == "__main__":
    main()
