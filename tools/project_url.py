#!/usr/bin/env python3
"""Write the project's public address into its files, before a package is built for an index.

    python tools/project_url.py https://github.com/OWNER/NAME

A package page shows README.md by itself, where relative links lead nowhere: this makes them
absolute, to the tag of the version, and adds `[project.urls]` to pyproject.toml and
`repository-code` to CITATION.cff. It changes the files in place and is run in a fresh checkout, as
a workflow does with the repository that it runs in; the files of the repository name no address.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(!?)(\[[^\]]*\])\(([^)\s]+)\)")
IMAGES = (".png", ".svg")


def absolute(text: str, url: str, version: str, root: Path) -> str:
    """README's text with absolute links; `root` says which of them are folders."""

    def replaced(found: re.Match[str]) -> str:
        sign, label, target = found.groups()
        path = target.partition("#")[0]
        if "://" in target or not path:
            return found.group()
        kind = "tree" if (root / path).is_dir() else "blob"
        if path.endswith(IMAGES):
            kind = "raw"
        return f"{sign}{label}({url}/{kind}/v{version}/{target})"

    pieces = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(LINK.sub(replaced, piece) if at % 2 == 0 else piece
                   for at, piece in enumerate(pieces))  # fmt: skip


def project_urls(url: str, version: str) -> str:
    return (
        f'[project.urls]\nHomepage = "{url}"\nDocumentation = "{url}/tree/v{version}/docs"\n'
        f'Repository = "{url}"\nIssues = "{url}/issues"\n'
        f'Changelog = "{url}/blob/v{version}/CHANGELOG.md"\n\n'
    )


def write(root: Path, url: str) -> None:
    header = (root / "src/include/rnn_native.h").read_text(encoding="utf-8")
    found = re.search(r'#define RNNAT_VERSION "([^"]+)"', header)
    if found is None:
        raise SystemExit("src/include/rnn_native.h: expected a line with RNNAT_VERSION")
    version = found.group(1)
    for name, change in (
        ("README.md", lambda text: absolute(text, url, version, root)),
        ("pyproject.toml", lambda text: text.replace(
            "[tool.scikit-build]", project_urls(url, version) + "[tool.scikit-build]", 1)),
        ("CITATION.cff", lambda text: text.rstrip("\n") + f'\nrepository-code: "{url}"\n'),
    ):  # fmt: skip
        path = root / name
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("url", help="such as https://github.com/OWNER/NAME")
    url = parser.parse_args().url.rstrip("/")
    if not re.fullmatch(r"https://[\w.-]+(/[\w.-]+)+", url):
        parser.error(f"expected an address such as https://github.com/OWNER/NAME, got {url}")
    if "[project.urls]" in (ROOT / "pyproject.toml").read_text(encoding="utf-8"):
        parser.error("expected pyproject.toml without [project.urls], got one that has them")
    write(ROOT, url)


if __name__ == "__main__":
    main()
