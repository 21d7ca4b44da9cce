"""What a comparison says: sentences, colours, claims and the page are what the numbers are."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from math import comb
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from rnn_native import cli
from rnn_native.comparison import answer, caveats, claims, cost, recommend, statistics
from rnn_native.comparison.contenders import CONTENDERS
from rnn_native.comparison.page import markdown, write_html, write_markdown
from rnn_native.comparison.page.blocks import Table
from rnn_native.comparison.page.sections import MODULES, costs, sections
from rnn_native.comparison.page.sections.answer import heat_table
from rnn_native.comparison.page.sections.families import _of_task
from rnn_native.comparison.page.sections.size import Dot, pareto
from rnn_native.comparison.task import Data, answers

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
    data = task({"rnn": [1, 2], "gru": [3, 4], "lstm": [5, 6]}, of=of, baseline=None)
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
    assert "Digits, by rows: GRU ahead of RNN; LSTM ahead of RNN." in text
    assert "No difference: Vowels, by rows." in text
    assert "GRU ahead of LSTM" not in text
    alone = {s.lead: s.text for s in answer.sentences(study(apart, seeds=1))}
    assert "one seed has no spread" in alone["Differences are not judged:"]


def test_claims_turn_with_the_numbers() -> None:
    def at(lag: int, rnn: float, gru: float, lstm: float) -> dict[str, Any]:
        return task({"rnn": [rnn] * 3, "gru": [gru] * 3, "lstm": [lstm] * 3}, lag=lag,
                    title="Adding", family="adding")  # fmt: skip

    def verdicts(*tasks: dict[str, Any]) -> dict[str, str]:
        return {claim.claim: claim.verdict for claim in claims.claims(study(*tasks))}

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


def test_a_lag_that_both_solve_counts_for_nobody() -> None:
    """Though every seed of one is better than all of the other: on a lag the question is whether it
    is solved. Without a lag it does count."""
    easy = task({"rnn": [0.5] * 3, "gru": [0.99] * 3, "lstm": [0.95] * 3}, lag=10)
    assert statistics.count([easy], "gru", "lstm") == (0, 0)
    assert statistics.count([easy], "gru", "rnn") == (1, 0)
    assert statistics.heat(easy, CELLS) == {"rnn": 1, "gru": 0, "lstm": 0}
    assert statistics.leaders(easy, CELLS) == ["gru", "lstm"]
    data = task({"rnn": [0.5] * 3, "gru": [0.95] * 3, "lstm": [0.99] * 3})
    assert statistics.count([data], "gru", "lstm") == (0, 1)
    found = {claim.claim: claim for claim in claims.claims(study(easy, data))}
    as_good = found["The GRU does as well as the LSTM on many tasks."]
    assert as_good.verdict == "not seen"
    assert "of 1 tasks the GRU is ahead on 0 and behind on 1" in as_good.found
    assert "1 more, which both solve, is not counted" in as_good.found


def test_cheaper_is_beyond_the_margin() -> None:
    assert cost.cheaper(0.89, 1)
    assert not cost.cheaper(0.91, 1)
    results = study()
    units = results["costs"]["units"]
    units["gru"]["step_seconds"] = 0.95 * units["lstm"]["step_seconds"]
    simpler = {claim.claim: claim.verdict for claim in claims.claims(results)}
    assert simpler["The GRU is simpler than the LSTM."] == "holds in part"  # fewer weights alone


def _at(lag: int, rnn: float, gru: float, lstm: float) -> dict[str, Any]:
    return task({"rnn": [rnn] * 3, "gru": [gru] * 3, "lstm": [lstm] * 3}, lag=lag,
                title="Adding", family="adding")  # fmt: skip


def _sized(gru: float, lstm: float) -> dict[str, Any]:
    """A task on which all are equal at the same number of weights, learnt with 8 units too."""
    given = task({cell: [0.4, 0.5, 0.6] for cell in CELLS})
    given["units"] = [8]
    given["records"] += [
        {"settings": {"cell": cell, "role": "size", "seed": seed, "hidden_units": 8},
         "gradients": {}, "result": value + seed / 1000}
        for cell, value in (("rnn", 0.3), ("gru", gru), ("lstm", lstm)) for seed in range(3)
    ]  # fmt: skip
    return given


def test_what_to_take_turns_with_the_numbers() -> None:
    def lead(*tasks: dict[str, Any], seeds: int = 3) -> str:
        return recommend.take(study(*tasks, seeds=seeds)).lead

    short = _at(10, 0.99, 0.99, 0.99)
    assert lead(short, _at(50, 0.1, 0.1, 0.99)) == "Take the LSTM:"
    assert lead(short, _at(50, 0.1, 0.99, 0.1)) == "Take the GRU:"
    assert lead(short, _at(50, 0.1, 0.99, 0.99)) == "Take the GRU or the LSTM:"
    both = recommend.take(study(short, _at(50, 0.1, 0.99, 0.99)))
    assert "adding: a lag of 50" in both.text
    assert both.text.endswith("Up to a lag of 10 the RNN does as well.")
    # As good at as many units: the one that costs less there.
    assert lead(short, _at(50, 0.1, 0.99, 0.99), _sized(0.5, 0.5)) == "Take the GRU:"
    assert lead(short, _at(50, 0.1, 0.99, 0.99), _sized(0.5, 0.6)) == "Take the GRU or the LSTM:"
    # Data alone: ahead on one of one is what chance gives in 1 of 20, on one of three is more.
    better = task({"rnn": [0.5, 0.6, 0.7], "gru": [0.5, 0.6, 0.7], "lstm": [0.8, 0.9, 0.9]})
    even = task({cell: [0.5, 0.6, 0.7] for cell in CELLS})
    assert lead(better) == "Take the LSTM:"
    assert lead(better, even, even) == "No cell is ahead of the others:"
    assert lead(even) == "No cell is ahead of the others:"


def test_nothing_is_recommended_that_the_results_do_not_allow() -> None:
    better = task({"rnn": [0.5], "gru": [0.6], "lstm": [0.9]})
    one = recommend.take(study(better, seeds=1))
    assert one.lead == "No cell can be recommended:"
    assert "one seed" in one.text
    guessing = task({cell: [0.05, 0.1, 0.12] for cell in CELLS})  # the baseline is 0.1
    assert "none of them learnt" in recommend.take(study(guessing)).text
    tiny = study(better)
    tiny["choice"]["scale"] = "tiny"
    assert recommend.take(tiny).lead == "No cell can be recommended:"
    alone = study(task({"gru": [0.7] * 3}))
    alone["choice"]["cells"] = ["gru"]
    assert "fewer than two" in recommend.take(alone).text


def test_the_chance_of_wins_is_counted() -> None:
    """Against all outcomes of so many tasks, each of which a cell wins in 1 of 20."""
    from itertools import product

    for number in (1, 2, 4):
        for wins in range(number + 1):
            likely = sum(
                0.05 ** sum(outcome) * 0.95 ** (number - sum(outcome))
                for outcome in product((0, 1), repeat=number)
                if sum(outcome) >= wins
            )
            assert statistics.by_chance(wins, number, 3) == pytest.approx(likely)


def _learning(losses: Sequence[float], epochs: int, rate: float, tried: Sequence[float]) -> Any:
    given = task({"gru": [0.5]})
    given["records"][0]["history"] = {"val_loss": list(losses)}
    given["learning"] = {"epochs": epochs}
    given["rates"] = {"gru": {"rate": rate, "tried": [[one, 1.0] for one in tried]}}
    return given


def test_runs_that_were_cut_short_and_rates_at_the_edge_are_marked() -> None:
    falling, flat = [1 / n for n in range(1, 21)], [0.5, *([0.1] * 19)]
    three = (0.001, 0.003, 0.01)
    assert caveats.marks(_learning(falling, 20, 0.003, three), "gru") == caveats.STILL
    assert caveats.marks(_learning(falling, 40, 0.003, three), "gru") == ""  # patience ended it
    assert caveats.marks(_learning(flat, 20, 0.003, three), "gru") == ""
    assert caveats.marks(_learning(flat, 20, 0.01, three), "gru") == caveats.EDGE
    assert caveats.marks(_learning(flat, 20, 0.001, three), "gru") == caveats.EDGE
    assert caveats.marks(_learning(flat, 20, 0.01, three[1:]), "gru") == ""  # of two, each is one
    marked = _learning(falling, 20, 0.01, three)
    results = study(marked)
    results["choice"] |= {"cells": ["gru"], "rates": list(three)}
    table = heat_table(results)
    assert table.rows[0][1].startswith("0.500" + caveats.STILL + caveats.EDGE)
    for mark in (caveats.STILL, caveats.EDGE):
        assert f"{mark} " in table.note
    results["choice"]["rates"] = list(three[1:])
    assert "Only 0.003 and 0.01 were tried" in heat_table(results).note


def test_the_table_says_how_much_is_chance_and_how_large_the_test_is() -> None:
    apart = task({"rnn": [0.1, 0.2, 0.3], "gru": [0.8, 0.8, 0.9], "lstm": [0.5, 0.6, 0.85]})
    apart["sizes"] = {"test": 270, "asked": 270}
    table = heat_table(study(apart, apart))
    assert "6 pairs of cells are compared here, and 4 come apart" in table.note
    assert "10% would, about 1." in table.note  # 2 of the 20 ways
    assert table.rows[0][0].partition("\n")[2] == "270 to test, 1 % is 3"
    apart["sizes"] = {"test": 2, "asked": 88}
    assert caveats.test_size(apart) == "88 answers, each 1.1 %"
    apart["sizes"] = {"test": 8, "asked": 8}
    assert caveats.test_size(apart) == "8 to test, each 12 %"


def test_answers_are_those_that_are_asked() -> None:
    x = np.zeros((3, 4, 2), np.float32)
    lengths = np.array([4, 1, 3])
    assert answers(Data(x, np.array([0, 1, 2]), lengths)) == 3
    assert answers(Data(x, np.zeros((3, 1)))) == 3
    assert answers(Data(x, np.zeros((3, 4, 1)), lengths)) == 8
    labels = np.array([[-1, -1, 0, 1]] * 3)
    assert answers(Data(x, labels)) == 6
    assert answers(Data(x, labels, lengths)) == 2 + 0 + 1


def test_one_cell_alone_is_not_compared_in_words() -> None:
    results = study(task({"gru": [0.7] * 3}))
    results["choice"]["cells"] = ["gru"]
    text = " ".join(sentence.text for sentence in answer.sentences(results))
    assert "GRU 3.00 µs (300 weights)." in text
    assert "each" not in text
    assert "Fastest" not in text


def test_gradients_are_drawn_where_the_first_cell_diverged() -> None:
    data = task({"rnn": [None], "gru": [0.5]})
    norms = {"lag": [1, 2], "state": [1.0, 0.5], "hidden": [1.0, 0.5]}
    data["records"][1]["gradients"] = {"before": norms, "after": norms}
    titles = [figure.title for figure in _of_task(data, ["rnn", "gru"])]
    for when in ("before", "after"):
        assert any(title.endswith(f"{when} learning") for title in titles)


def test_what_else_ran_is_told_as_far_as_it_is_known() -> None:
    results = study()
    results["choice"]["processes"] = 2
    for cell in results["costs"]["units"].values():
        cell |= {"hidden_units": 1, "flops_per_step": 1, "weight_bytes": 1, "state_bytes": 1,
                 "tape_bytes": 1, "sequence_seconds": 1, "batch_seconds": 1,
                 "update_seconds": 1}  # fmt: skip
    results["machine"] = {"processors": 4, "load": [2.5, 1.25]}
    (first, *_) = costs.section(results).blocks
    assert "2.5 before" in first.text
    assert "1.2 after" in first.text
    assert "nothing else ran" not in first.text
    results["machine"]["load"] = [None, None]  # a system that does not tell
    (first, *_) = costs.section(results).blocks
    assert "is not known" in first.text


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


def test_pictures_of_the_docs_are_whole_files(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Well-formed, with every colour that they name, and all shown by the text."""
    path = Path(__file__).parents[2] / "tools" / "comparison_docs.py"
    spec = spec_from_file_location("comparison_docs", path)
    assert spec is not None
    assert spec.loader is not None
    tool = module_from_spec(spec)
    spec.loader.exec_module(tool)
    monkeypatch.setattr(tool, "DOCS", tmp_path)
    results = json.loads((made / "results.json").read_text())
    text = "\n".join(tool.block(results))
    files = sorted((tmp_path / "comparison").glob("*.svg"))
    assert sorted(re.findall(r'<img src="comparison/([^"]+)"', text)) == [f.name for f in files]
    assert len(files) >= 4 + 2 * (2 + 2)  # growth; gradients and gates of two families with lags
    for file in files:
        drawing = file.read_text()
        ElementTree.fromstring(drawing)
        used = set(re.findall(r"var\((--[a-z]+)\)", drawing))
        assert used <= set(re.findall(r"(--[a-z]+):", drawing))
    assert "**No cell can be recommended:**" in text
    assert "nothing learnt" in text  # beside what each cell reached
    assert text.count("| Adding problem, lag") == 2 * sum(
        task["family"] == "adding" for task in results["tasks"]
    )  # results, and what is reached without learning: numbers stand there once
    assert tool.answer(results)[0].startswith("**No cell can be recommended:**")


def test_every_section_comes_from_its_module(made: Path) -> None:
    results = json.loads((made / "results.json").read_text())
    shown = [section.name for section in sections(results)]
    assert len(set(shown)) == len(shown)
    page = (made / "comparison.html").read_text()
    assert re.findall(r'<h2 id="([^"]+)"', page) == shown[1:]
    assert {"task-adding", "task-copying", "task-digits"} <= set(shown)
    assert len(MODULES) <= len(shown)


def test_a_table_has_numbers_to_the_right_and_words_to_the_left() -> None:
    rows = [["RNN", "0.5†\n0.4–0.6", "ahead", ""], ["GRU", "diverged", "2 of 3", "−1"]]
    lines = markdown.table(Table(["cell", "a", "b", "c"], rows)).splitlines()
    assert lines[1] == "|---|---:|---|---:|"
    assert lines[2] == "| RNN | 0.5† 0.4–0.6 | ahead |  |"


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
