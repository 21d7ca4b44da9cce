"""What a comparison says: sentences, colours, claims and the page are what the numbers are."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from math import comb
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from rnn_native import cli
from rnn_native.comparison import answer, statistics
from rnn_native.comparison.contenders import CONTENDERS
from rnn_native.comparison.page import write_html, write_markdown
from rnn_native.comparison.page.sections import MODULES, sections
from rnn_native.comparison.page.sections.answer import heat_table
from rnn_native.comparison.page.sections.size import Dot, pareto

NAMES = [contender.name for contender in CONTENDERS]
CELLS = ("rnn", "gru", "lstm")


def task(
    results: Mapping[str, Sequence[float | None]], of: str = "score", lag: int | None = None,
    baseline: float | None = 0.1, title: str = "Digits", family: str = "digits",
) -> dict[str, Any]:  # fmt: skip
    """A task's part of ``results.json``; None is a seed that diverged."""
    records = [
        {
            "settings": {"cell": cell, "role": "run", "seed": seed, "hidden_units": 8},
            "gradients": {},
            **({"failure": "nan"} if value is None else {"result": value}),
        }
        for cell, values in results.items()
        for seed, value in enumerate(values)
    ]
    metric = {"name": "share right", "of": of, "factor": 1, "baseline": baseline, "digits": 3}
    variant = f"lag {lag}" if lag else "by rows"
    return {
        "name": f"{family}-{variant}", "family": family, "title": title, "variant": variant,
        "lag": lag, "metric": metric, "records": records, "references": {}, "units": [],
    }  # fmt: skip


def study(*tasks: dict[str, Any], seeds: int = 3) -> dict[str, Any]:
    costs = {
        cell: {"parameters": 100 * factor, "step_seconds": 1e-6 * factor}
        for cell, factor in zip(CELLS, (1, 3, 4), strict=True)
    }
    return {
        "choice": {"cells": list(CELLS), "seeds": list(range(seeds))},
        "costs": {"units": costs, "weights": costs},
        "device": {}, "tasks": list(tasks), "steps": {},
    }  # fmt: skip


def test_apart_is_no_overlap() -> None:
    data = task({"rnn": [0.1, 0.3], "gru": [0.31, 0.5], "lstm": [0.3, 0.6]})
    rnn, gru, lstm = (statistics.spread(data, cell) for cell in CELLS)
    assert rnn is not None
    assert gru is not None
    assert lstm is not None
    assert rnn.apart(gru)
    assert gru.apart(rnn)
    assert not rnn.apart(lstm)  # they touch
    assert not gru.apart(lstm)


def test_chance_is_counted() -> None:
    """Over all ways in which 2 n ranks fall to two cells."""
    from itertools import combinations

    for count in (1, 2, 3, 4):
        places = range(2 * count)
        apart = sum(
            max(one) < min(set(places) - set(one)) or min(one) > max(set(places) - set(one))
            for one in combinations(places, count)
        )
        assert statistics.chance(count) == pytest.approx(apart / comb(2 * count, count))


def test_a_seed_that_diverges_is_not_left_out_of_the_mean() -> None:
    data = task({"rnn": [0.9, None], "gru": [0.5, 0.6]})
    assert statistics.spread(data, "rnn") is None
    assert statistics.ranked(data, ["rnn", "gru"]) == ["gru"]
    assert not statistics.solved(data, "rnn")


@pytest.mark.parametrize("of", ["score", "loss"])
def test_order_follows_the_metric(of: str) -> None:
    data = task({"rnn": [1, 2], "gru": [3, 4], "lstm": [5, 6]}, of=of)
    order = ["rnn", "gru", "lstm"] if of == "loss" else ["lstm", "gru", "rnn"]
    assert statistics.ranked(data, CELLS) == order
    heat = statistics.heat(data, CELLS)
    assert [heat[cell] for cell in order] == [0, 0.5, 1]
    assert statistics.leaders(data, CELLS) == order[:1]


def test_cells_within_the_spread_have_one_colour() -> None:
    data = task({"rnn": [0.2, 0.3], "gru": [0.7, 0.9], "lstm": [0.8, 0.85]})
    heat = statistics.heat(data, CELLS)
    assert heat["gru"] == heat["lstm"] == 0
    assert heat["rnn"] == 1
    assert heat_table(study(data, seeds=1)).heat == {}  # one seed judges nothing
    table = heat_table(study(data, seeds=2))
    assert table.strong == frozenset()  # nothing is bold within the range


def test_the_longest_lag_is_that_up_to_which_all_are_solved() -> None:
    def at(lag: int, rnn: float, gru: float) -> dict[str, Any]:
        return task({"rnn": [rnn] * 3, "gru": [gru] * 3, "lstm": [0.5] * 3}, lag=lag,
                    title="Adding", family="adding")  # fmt: skip

    tasks = [at(50, 0.99, 0.99), at(10, 0.95, 0.95), at(20, 0.5, 0.93)]
    assert [statistics.longest_lag(tasks, cell) for cell in CELLS] == [10, 50, None]
    (first, *_) = answer.sentences(study(*tasks))
    assert first.text == (
        "Adding: GRU up to a lag of 50, the longest tried; RNN up to a lag of 10; "
        "LSTM at no lag that was tried (tried: 10, 20, 50)."
    )


def test_the_sentence_on_differences_is_what_the_ranges_say() -> None:
    apart = task({"rnn": [0.1, 0.2, 0.3], "gru": [0.8, 0.8, 0.9], "lstm": [0.5, 0.6, 0.85]})
    same = task({"rnn": [0.5, 0.6, 0.7], "gru": [0.6, 0.6, 0.8], "lstm": [0.55, 0.6, 0.85]},
                title="Vowels", family="vowels")  # fmt: skip
    texts = {sentence.lead: sentence.text for sentence in answer.sentences(study(apart, same))}
    text = texts["Where they differ on data."]
    assert "Digits, by rows: GRU ahead of RNN; LSTM ahead of RNN" in text
    assert "no difference is shown: Vowels, by rows." in text
    assert "10%" in text  # 2 of the 20 ways
    alone = {s.lead: s.text for s in answer.sentences(study(apart, seeds=1))}
    assert "one seed has no spread" in alone["Differences are not judged:"]


def test_claims_turn_with_the_numbers() -> None:
    def at(lag: int, rnn: float, gru: float, lstm: float) -> dict[str, Any]:
        return task({"rnn": [rnn] * 3, "gru": [gru] * 3, "lstm": [lstm] * 3}, lag=lag,
                    title="Adding", family="adding")  # fmt: skip

    def verdicts(*tasks: dict[str, Any]) -> dict[str, str]:
        return {claim.claim: claim.verdict for claim in answer.claims(study(*tasks))}

    gates, memory = (
        "Gates let GRU and LSTM learn long dependencies.",
        "The LSTM has the stronger memory.",
    )
    both = verdicts(at(10, 0.99, 0.99, 0.99), at(50, 0.1, 0.99, 0.99))
    assert (both[gates], both[memory]) == ("holds", "not decided")
    one = verdicts(at(10, 0.99, 0.99, 0.99), at(50, 0.1, 0.1, 0.99))
    assert (one[gates], one[memory]) == ("holds in part", "holds")
    none = verdicts(at(10, 0.99, 0.99, 0.99), at(50, 0.99, 0.1, 0.1))
    assert (none[gates], none[memory]) == ("not seen", "not decided")
    assert both["The GRU is simpler than the LSTM."] == "holds"


def test_the_line_has_what_nothing_beats() -> None:
    def dot(micros: float, result: float) -> Dot:
        return Dot("gru", 8, micros, statistics.Spread(result, result, result, 3))

    dots = [dot(1, 0.5), dot(2, 0.4), dot(3, 0.7), dot(3, 0.6), dot(4, 0.7)]
    assert [(d.micros, d.result.mean) for d in pareto(dots, lower=False)] == [(1, 0.5), (3, 0.7)]
    assert [(d.micros, d.result.mean) for d in pareto(dots, lower=True)] == [(1, 0.5), (2, 0.4)]


# The page


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a tiny comparison writes."""
    for package in ("jinja2", "matplotlib"):
        pytest.importorskip(package)
    out = tmp_path_factory.mktemp("page")
    options = ["--tiny", "--tasks", "adding,copying,digits", "--seeds", "0,3", "--out", str(out)]
    assert cli.main(["compare", *options]) == 0
    return out


def test_the_page_needs_nothing_else(made: Path) -> None:
    page = (made / "comparison.html").read_text()
    assert re.findall(r'(?:src|href)="(?!data:|#)', page) == []
    assert re.findall(r"url\((?!#)", page) == []
    assert "<script" not in page
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(set(ids)) == len(ids)  # of all drawings together
    wanted = re.findall(r'href="#([^"]+)"', page) + re.findall(r"url\(#([^)]+)\)", page)
    assert set(wanted) <= set(ids)


def test_drawings_are_well_formed_and_have_names_and_text(made: Path) -> None:
    page = (made / "comparison.html").read_text()
    drawings = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(drawings) >= 8 + 3 * 3  # bars of two views; curves and gradients of three tasks
    for drawing in drawings:
        ElementTree.fromstring(drawing)
        assert re.match(r'<svg role="img" aria-label="[^"]{10,}"', drawing)
        assert "<text" in drawing  # not outlines: it can be read out, searched and enlarged
        assert not re.search(r"#(?!000)0[0-9a-f]0[0-9a-f]0[0-9a-f]\b", drawing)  # all replaced
        # A drawing of 288 units has 340 pixels on a telephone of 400: 10.2 are 12 pixels there.
        for size in re.findall(r"font-size: ([0-9.]+)px", drawing):
            assert float(size) >= 10.2 or (10.5 * 0.7 - 0.1 <= float(size) <= 7.6)  # an exponent


def test_every_section_comes_from_its_module(made: Path) -> None:
    results = json.loads((made / "results.json").read_text())
    shown = [section.name for section in sections(results)]
    assert len(set(shown)) == len(shown)
    page = (made / "comparison.html").read_text()
    assert re.findall(r'<h2 id="([^"]+)"', page) == shown[1:]
    assert {"task-adding", "task-copying", "task-digits"} <= set(shown)
    assert len(MODULES) <= len(shown)


def test_the_tables_name_every_cell_and_task(made: Path) -> None:
    text = (made / "comparison.md").read_text()
    for contender in CONTENDERS:
        assert text.count(f"| {contender.title} |") >= 2 + 3 * 2  # costs; results and learning
    assert "## Adding problem" in text
    assert "0.16667" in text  # what one reaches who learns nothing


def test_results_that_were_kept_make_the_same_page(made: Path, tmp_path: Path) -> None:
    results = json.loads((made / "results.json").read_text())
    write_markdown(results, tmp_path)
    assert (tmp_path / "comparison.md").read_bytes() == (made / "comparison.md").read_bytes()
    write_html(results, tmp_path)
    assert len((tmp_path / "comparison.html").read_text()) > 10_000
