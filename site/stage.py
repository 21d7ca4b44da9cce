#!/usr/bin/env python3
"""Lay out what Sphinx reads: the project's Markdown pages, in the folders that they have, and a
page for each source file that they link to.

    python site/stage.py build/site-source

README.md becomes the first page, with the navigation behind it. A link to a source file leads to a
page that shows it, a link to a folder to its README or to a list of its files, so that the site
needs nobody else's server. What is neither text nor a page is copied.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from reference import write_reference

SITE = Path(__file__).resolve().parent
ROOT = SITE.parent
LINK = re.compile(r"(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")
IMAGES = (".png", ".svg")
PLAIN = (".wav",)
LANGUAGES = {
    ".c": "c", ".h": "c", ".inc": "c", ".py": "python", ".pyx": "cython", ".pxi": "cython",
    ".toml": "toml", ".sh": "bash", ".json": "json", ".cmake": "cmake",
}  # fmt: skip


def pages() -> Iterator[Path]:
    """Those that the site is about; what they link to comes along."""
    yield ROOT / "README.md"
    yield from sorted((ROOT / "docs").glob("*.md"))
    yield SITE / "gallery.md"
    for name in ("ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        yield ROOT / name


class Stage:
    """Files already laid out, and the links that lead to more."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.waiting = list(pages())
        self.own = set(self.waiting)
        self.done: set[Path] = set()

    def run(self) -> None:
        while self.waiting:
            path = self.waiting.pop()
            if path in self.done:
                continue
            self.done.add(path)
            if path.is_dir():
                self.write(path / "index.md", self.listing(path))
            elif path.suffix == ".md":
                self.write(path, self.page(path))
            elif path.suffix in IMAGES or path.suffix in PLAIN:
                self.copy(path)
            else:
                self.write(path.with_name(f"{path.name}.md"), self.source(path))

    def place(self, path: Path) -> Path:
        relative = path.relative_to(ROOT)
        return self.out / ("index.md" if str(relative) == "README.md" else relative)

    def write(self, path: Path, text: str) -> None:
        place = self.place(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")

    def copy(self, path: Path) -> None:
        base = self.out / "plain" if path.suffix in PLAIN else self.out
        place = base / path.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, place)

    def page(self, path: Path) -> str:
        """Its text with links that hold on the site."""
        text = path.read_text(encoding="utf-8")
        pieces = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
        for place in range(0, len(pieces), 2):
            pieces[place] = LINK.sub(lambda found: self.link(path, found), pieces[place])
        text = "".join(pieces)
        for image in re.findall(r'<img [^>]*src="([^":]+)"', text):
            if (path.parent / image).exists():  # gallery.py has yet to draw its own
                self.waiting.append((path.parent / image).resolve())
        if path == ROOT / "README.md":
            return text + "\n" + (SITE / "navigation.md").read_text(encoding="utf-8")
        return text if path in self.own else f"---\norphan: true\n---\n\n{text}"

    def link(self, page: Path, found: re.Match[str]) -> str:
        before, target, after = found.groups()
        if "://" in target or target.startswith("mailto:"):
            return found.group()
        path = (page.parent / target).resolve()
        if not path.exists() or ROOT not in path.parents:
            raise SystemExit(f"{page.relative_to(ROOT)}: {target} does not exist")
        if path.is_dir() and (path / "README.md").exists():
            path = path / "README.md"
        self.waiting.append(path)
        if path.is_dir():
            leads_to = self.place(path) / "index.md"
        elif path.suffix == ".md" or path.suffix in IMAGES:
            leads_to = self.place(path)
        else:
            leads_to = self.place(path.with_name(f"{path.name}.md"))
        if path.suffix in PLAIN:
            return f"{before}{_up(page)}{path.relative_to(ROOT).as_posix()}{after}"
        relative = os.path.relpath(leads_to, self.place(page).parent)
        return f"{before}{Path(relative).as_posix()}{after}"

    def source(self, path: Path) -> str:
        """A page that shows a file."""
        suffix = ".inc" if ".inc" in path.suffixes else path.suffix
        name = path.relative_to(ROOT).as_posix()
        fence = "`" * 6
        text = path.read_text(encoding="utf-8")
        return (
            f"---\norphan: true\n---\n\n# {name}\n\n"
            f"{fence}{LANGUAGES.get(suffix, 'text')}\n{text.rstrip()}\n{fence}\n"
        )

    def listing(self, path: Path) -> str:
        """A page that lists a folder's files."""
        files = sorted(
            file for file in path.rglob("*")
            if file.is_file() and "__pycache__" not in file.parts
            and file.suffix not in (*IMAGES, *PLAIN) and _is_text(file)
        )  # fmt: skip
        self.waiting += files
        lines = "\n".join(
            f"- [{name}]({name if name.endswith('.md') else f'{name}.md'})"
            for name in (file.relative_to(path).as_posix() for file in files)
        )
        return f"---\norphan: true\n---\n\n# {path.relative_to(ROOT).as_posix()}\n\n{lines}\n"


def _up(page: Path) -> str:
    return "../" * (len(page.relative_to(ROOT).parts) - 1)


def _is_text(path: Path) -> bool:
    try:
        path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False
    return True


def main() -> None:
    out = Path(sys.argv[1]).resolve()
    shutil.rmtree(out, ignore_errors=True)
    (out / "plain").mkdir(parents=True)
    Stage(out).run()
    shutil.copy2(SITE / "conf.py", out / "conf.py")
    shutil.copytree(SITE / "static", out / "static")
    write_reference(out / "api")


if __name__ == "__main__":
    main()
