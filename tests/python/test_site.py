"""The site has every page, and leads nowhere that is not; a package page has absolute links, and a
citation names what the package names."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAVIGATION = (ROOT / "site" / "navigation.md").read_text(encoding="utf-8")
ENTRIES = re.findall(r"^([\w/-]+)$", NAVIGATION, re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
URL = "https://example.org/owner/name"


def without_code(path: Path) -> str:
    return re.sub(r"^(`{3,}).*?^\1$", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


def test_every_page_of_the_docs_is_in_the_navigation_once() -> None:
    pages = {f"docs/{path.stem}" for path in ROOT.glob("docs/*.md")}
    assert pages <= set(ENTRIES)
    assert len(ENTRIES) == len(set(ENTRIES))


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Sphinx would read, but for the gallery's pictures."""
    out: Path = tmp_path_factory.mktemp("site") / "source"
    command = [sys.executable, ROOT / "site" / "stage.py", out]
    done = subprocess.run(command, cwd=out.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


def test_what_the_navigation_names_is_there(staged: Path) -> None:
    missing = [
        entry for entry in ENTRIES
        if not any((staged / f"{entry}{suffix}").exists() for suffix in (".md", ".rst"))
    ]  # fmt: skip
    assert not missing


def test_local_links_of_every_page_lead_to_a_page_or_a_file(staged: Path) -> None:
    pages = sorted(staged.rglob("*.md"))
    assert len(pages) > 100  # docs, and the sources that they link to
    wrong = []
    for page in pages:
        for link in LINK.findall(without_code(page)):
            target = link.partition("#")[0]
            if "://" in target or not target:
                continue
            plain = staged / "plain" / page.parent.relative_to(staged) / target
            if not (page.parent / target).exists() and not plain.exists():
                wrong.append(f"{page.relative_to(staged)}: {link}")
    assert not wrong


def test_every_public_name_is_in_the_reference(staged: Path) -> None:
    import rnn_native as rn

    pages = {path.stem: path.read_text("utf-8") for path in (staged / "api").glob("*.rst")}
    for name in rn.__all__:
        listed = re.compile(rf"^\.\. auto\w+:: {name}$", re.MULTILINE)
        assert name in pages or any(map(listed.search, pages.values())), name


def test_a_page_that_leads_nowhere_stops_the_build(tmp_path: Path) -> None:
    """Files that are not there, and anchors that are not, of what was built."""
    (tmp_path / "index.html").write_text('<a href="a.html#here">a</a><a href="https://b.c/">b</a>')
    (tmp_path / "a.html").write_text('<p id="here"></p>')
    check = [sys.executable, ROOT / "site" / "check_links.py", tmp_path]
    assert subprocess.run(check).returncode == 0
    (tmp_path / "a.html").write_text('<p id="there"><img src="picture.png"></p>')
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["a.html: picture.png", "index.html: a.html#here"]


def test_a_package_page_has_absolute_links(tmp_path: Path) -> None:
    for name in ("README.md", "pyproject.toml", "CITATION.cff", "src/include/rnn_native.h",
                 "tools/project_url.py"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "examples" / "cortex_m").mkdir(parents=True)
    tool = [sys.executable, tmp_path / "tools" / "project_url.py"]
    subprocess.run([*tool, URL], check=True)
    links = LINK.findall(without_code(tmp_path / "README.md"))
    assert len(links) == len(LINK.findall(without_code(ROOT / "README.md")))
    assert all(link.startswith("https://") for link in links)
    assert f"{URL}/raw/v0.1.0/docs/figures/speed.svg" in links
    assert f"{URL}/tree/v0.1.0/examples/cortex_m" in links
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["urls"]["Repository"] == URL
    assert f'repository-code: "{URL}"' in (tmp_path / "CITATION.cff").read_text("utf-8")
    assert subprocess.run([*tool, URL], capture_output=True).returncode == 2  # once is enough


def test_the_citation_is_of_this_package() -> None:
    import rnn_native as rn

    text = (ROOT / "CITATION.cff").read_text("utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert re.findall(r"^version: (.+)$", text, re.MULTILINE) == [rn.__version__]
    assert re.findall(r"- name: (.+)$", text, re.MULTILINE) == [
        author["name"] for author in project["authors"]
    ]
    assert f"license: {project['license']}" in text


def test_the_figure_of_speeds_has_the_numbers_of_the_docs() -> None:
    """Those of the table in docs/benchmarks.md, drawn into the committed picture."""
    data = json.loads((ROOT / "docs/figures/speed.json").read_text("utf-8"))
    table = (ROOT / "docs/benchmarks.md").read_text("utf-8")
    picture = (ROOT / "docs/figures/speed.svg").read_text("utf-8")
    for group in data["groups"]:
        threads = f"{group['threads']} thread{'s' * (group['threads'] > 1)}"
        row = f"| {group['cell']}, {threads} | {group['mean']:.2f} | {group['least']:.2f} "
        assert row + f"({group['least_case']})" in table
        assert f"{group['cell'].upper()}, {threads}: {group['mean']:.2f}</text>" in picture
    assert data["date"] in table
    assert data["date"] in picture
