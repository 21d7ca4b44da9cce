"""The comparison: equal budgets, right tasks, right gradients over the lag, and what it writes."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import cli
from rnn_native.commands import compare as command
from rnn_native.comparison import cost, plan, search, study
from rnn_native.comparison.contenders import CONTENDERS, Contender
from rnn_native.comparison.csv_files import write_csv
from rnn_native.comparison.gradients import last_steps, norms_by_lag
from rnn_native.comparison.plan import Job
from rnn_native.comparison.runs import run
from rnn_native.comparison.task import Data, Task
from rnn_native.comparison.tasks import FAMILIES, SCALES, adding, copying
from rnn_native.models.outputs import make_output
from rnn_native.train import Network

NAMES = [contender.name for contender in CONTENDERS]


def states(state: Any) -> list[Any]:
    return list(state) if isinstance(state, tuple) else [state]


# Contenders


@pytest.mark.parametrize("contender", CONTENDERS, ids=NAMES)
def test_a_budget_is_used_up_and_not_exceeded(contender: Contender) -> None:
    for budget, inputs, outputs in ((17_000, 2, 1), (60_000, 88, 88), (700, 10, 8)):
        units = contender.hidden_units(budget, inputs, outputs)
        model = contender.model(inputs, units, outputs, "softmax")
        weights = sum(w.size for w in model.initial_network().weights.values())
        assert weights == contender.parameters(inputs, units, outputs) <= budget
        assert contender.parameters(inputs, units + 1, outputs) > budget
    with pytest.raises(rn.OptionError, match="needs at least"):
        contender.hidden_units(5, 2, 1)


def test_the_six_are_six() -> None:
    built = [c.model(4, 3, 2, "softmax").initial_network().spec for c in CONTENDERS]
    layers = [spec.recurrents[0] for spec in built]
    assert len({(layer.cell, layer.gate_recurrent, layer.nonlinearity) for layer in layers}) == 6
    assert list(command._CELLS) == NAMES
    assert list(FAMILIES) == list(command._FAMILIES)


def test_costs_are_counted() -> None:
    spec = Contender("lstm", "standard").model(5, 7, 3, "softmax").initial_network().spec
    # Per step 4 gates of 7 units on 5 inputs and 7 states, then 3 outputs of 7: two for each.
    assert cost.flops_per_step(spec) == 2 * (4 * 7 * (5 + 7) + 3 * 7)
    assert cost.state_bytes(spec) == 4 * (7 + 7)


# Tasks


def test_the_adding_problem_is_one() -> None:
    for lag in (6, 7):
        data = adding.sequences(lag, 200, np.random.default_rng(0))
        assert data.x.shape == (200, lag, 2)
        for x, y in zip(data.x, data.y, strict=True):
            marked = np.flatnonzero(x[:, 1])
            assert len(marked) == 2
            assert marked[0] < lag // 2 <= marked[1]
            assert y[0] == pytest.approx(float(x[marked, 0].sum()), rel=1e-6)  # one float32 sum
    # 1/6: the mean of 20 000 squares below 1, whose deviation is below 0.25.
    many = adding.sequences(10, 20_000, np.random.default_rng(1)).y
    assert np.mean((many - 1) ** 2) == pytest.approx(adding.BASELINE, abs=5 * 0.25 / 20_000**0.5)


def test_copy_memory_asks_for_what_was_shown() -> None:
    for lag in (copying.LENGTH + 1, 20):
        data = copying.sequences(lag, 50, np.random.default_rng(0))
        assert data.x.shape == (50, lag + copying.LENGTH, copying.SYMBOLS + 2)
        codes = data.x.argmax(axis=-1)
        assert (data.x.sum(axis=-1) == 1).all()
        assert np.array_equal(data.y[:, lag:], codes[:, : copying.LENGTH])
        assert (data.y[:, :lag] == -1).all()
        assert (codes[:, lag - 1] == copying.SIGN).all()
        between = np.delete(codes[:, copying.LENGTH :], lag - 1 - copying.LENGTH, axis=1)
        assert (between == copying.BLANK).all()


@pytest.mark.parametrize("family", ["adding", "copying"])
def test_data_are_the_same_each_time_and_apart(family: str, tmp_path: Path) -> None:
    (task,) = FAMILIES[family].tasks("tiny")
    one, two = task.load(tmp_path), task.load(tmp_path)
    assert all(np.array_equal(a.x, b.x) for a, b in zip(one, two, strict=True))
    rows = [row.tobytes() for data in one for row in data.x]
    assert len(set(rows)) == len(rows)


def test_every_scale_has_every_family() -> None:
    for scale in SCALES:
        for module in FAMILIES.values():
            for task in module.tasks(scale):
                assert task.learning.epochs > 0
                assert re.fullmatch(r"[a-z0-9-]+", task.name)


# Gradients


def rnn_gradients(net: Network, x: Any, y: Any) -> list[float]:
    """By the chain rule written out: dL/dh_{T-k} = W_hh^T diag(1 - h^2) ... W_ho^T (p - e_y)."""
    w = net.weights
    h, hs = np.zeros((x.shape[1], w["0.weight_hh_l0"].shape[0])), []
    for x_t in x:
        h = np.tanh(
            x_t @ w["0.weight_ih_l0"].T + w["0.bias_ih_l0"]
            + h @ w["0.weight_hh_l0"].T + w["0.bias_hh_l0"]
        )  # fmt: skip
        hs.append(h)
    logits = h @ w["1.weight"].T + w["1.bias"]
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    p[np.arange(len(y)), y] -= 1
    dh, norms = p @ w["1.weight"], []
    for h in reversed(hs):
        dh = (dh * (1 - h * h)) @ w["0.weight_hh_l0"]
        norms.append(float(np.linalg.norm(dh, axis=1).mean()))
    return norms


def test_norms_over_the_lag_are_those_of_the_chain_rule() -> None:
    model = Contender("rnn", "standard").model(3, 6, 4, "softmax").set_params(dtype="float64")
    net = model.initial_network(3)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(9, 5, 3)), rng.integers(4, size=5)
    norms = norms_by_lag(net, make_output("softmax", 4), x, y)
    assert norms["lag"] == list(range(1, 10))
    np.testing.assert_allclose(norms["state"], rnn_gradients(net, x, y), rtol=1e-10)
    assert norms["hidden"] == norms["state"]


@pytest.mark.parametrize("contender", CONTENDERS, ids=NAMES)
def test_norms_over_the_lag_are_those_of_cut_sequences(contender: Contender) -> None:
    """dL/ds_{T-k} is also the gradient of the initial state of the last k steps."""
    model = contender.model(3, 6, 4, "softmax").set_params(dtype="float64")
    net = model.initial_network(3)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(7, 5, 3)), rng.integers(4, size=5)
    output = make_output("softmax", 4)
    norms = norms_by_lag(net, output, x, y)
    for lag, state_norm, hidden_norm in zip(*norms.values(), strict=True):
        _, state, _ = net.forward(x[: 7 - lag])
        given, _, tape = net.forward(x[7 - lag :], state)
        dy = np.zeros_like(given)
        dy[-1] = output.loss(given[-1], y)[1] * 5
        parts = states(net.backward(tape, dy).state)
        squares = [np.square(part).sum(axis=(0, 2)) for part in parts]
        assert state_norm == pytest.approx(np.sqrt(sum(squares)).mean(), rel=1e-10)
        assert hidden_norm == pytest.approx(np.sqrt(squares[0]).mean(), rel=1e-10, abs=0)


def test_the_last_steps_of_ragged_sequences() -> None:
    x = np.arange(24.0).reshape(3, 4, 2)
    lengths = np.array([4, 1, 3])
    got, labels = last_steps(Data(x, np.array([7, 8, 9]), lengths), 2)
    assert np.array_equal(got, np.stack([x[0, 2:4], x[2, 1:3]], axis=1))
    assert labels.tolist() == [7, 9]
    _, steps = last_steps(Data(x, np.arange(12).reshape(3, 4), lengths), 2)
    assert steps.tolist() == [3, 10]


# The command


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a tiny comparison of two families and two seeds writes."""
    out = tmp_path_factory.mktemp("comparison")
    options = ["--tiny", "--tasks", "adding,copying", "--seeds", "0,3", "--out", str(out)]
    assert cli.main(["compare", *options]) == 0
    return out


def test_a_row_for_each_run(made: Path) -> None:
    with (made / "comparison.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    keys = [(row["family"], row["cell"], row["seed"]) for row in rows]
    assert keys == [(f, c, s) for f in ("adding", "copying") for c in NAMES for s in "03"]
    for row in rows:
        assert np.isfinite(float(row["result"]))
        assert int(row["epochs"]) == 2
        assert float(row["seconds_per_epoch"]) > 0
        assert 0.85 * 17_000 < int(row["parameters"]) <= 17_000
        assert float(row["learning_rate"]) in plan.RATES["tiny"]


def test_the_results_are_those_of_the_models(made: Path) -> None:
    """The number in the table is what a model says that was trained by hand in the same way."""
    results = json.loads((made / "results.json").read_text())
    (task,) = adding.tasks("tiny")
    splits = task.load(made / "cache")
    record = results["tasks"][0]["records"][3]
    assert (record["settings"]["cell"], record["settings"]["seed"]) == ("gru", 3)
    model = rn.models.GRUModel(2, record["settings"]["hidden_units"], 1, output="identity")
    learning = task.learning
    model.fit(
        splits.train.x, splits.train.y, validation=tuple(splits.validation), seed=3,
        epochs=learning.epochs, batch_size=learning.batch_size, schedule=learning.schedule,
        learning_rate=record["settings"]["learning"]["learning_rate"], max_norm=learning.max_norm,
    )  # fmt: skip
    assert record["history"]["loss"] == model.history_["loss"]
    error = float(np.mean((model.predict(splits.test.x) - splits.test.y) ** 2))
    assert record["result"] == pytest.approx(error, rel=1e-6)


def test_the_rate_is_that_of_the_best_short_run(made: Path) -> None:
    """Of every cell on every task, by the records of the search alone."""
    results = json.loads((made / "results.json").read_text())
    for task in results["tasks"]:
        for cell, found in task["rates"].items():
            short = [
                json.loads(path.read_text())
                for path in (made / "runs").glob(f"{task['name']}.{cell}.*.search.*.json")
            ]
            losses = {
                record["settings"]["learning"]["learning_rate"]: min(record["history"]["val_loss"])
                for record in short
            }
            assert set(losses) == set(plan.RATES["tiny"])
            assert found["rate"] == min(losses, key=lambda rate: losses[rate])
            assert dict(map(tuple, found["tried"])) == losses
            assert all("result" not in record for record in short)  # never judged by test data
            used = {
                record["settings"]["learning"]["learning_rate"]
                for record in task["records"] if record["settings"]["cell"] == cell
            }  # fmt: skip
            assert used == {found["rate"]}


def test_a_rate_that_diverges_is_not_chosen() -> None:
    def record(rate: float, **more: Any) -> Any:
        return {"settings": {"learning": {"learning_rate": rate}}, **more}

    found = search.choose(
        [record(0.1, failure="nan"), record(0.01, history={"val_loss": [3.0, 2.0, 2.5]})]
    )
    assert found == {"rate": 0.01, "tried": [[0.01, 2.0], [0.1, None]]}


def test_costs_and_gradients_are_written(made: Path) -> None:
    with (made / "costs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["view"], row["cell"]) for row in rows] == [
        (v, n) for v in cost.VIEWS for n in NAMES
    ]
    for row in rows:
        assert all(float(row[f"{what}_seconds"]) > 0 for what in cost.TIMES)
        if row["view"] == "units":
            assert int(row["hidden_units"]) == cost.UNITS
        else:
            assert 0.9 * cost.BUDGET < int(row["parameters"]) <= cost.BUDGET
    with (made / "gradients.csv").open(newline="") as file:
        keys = {(row["cell"], row["when"]) for row in csv.DictReader(file)}
    assert keys == {(name, when) for name in NAMES for when in ("before", "after")}


def test_gates_are_those_of_the_trace(made: Path) -> None:
    results = json.loads((made / "results.json").read_text())
    gates = {"rnn": set(), "gru": {"z", "r"}, "lstm": {"i", "f", "o"}}
    for task in results["tasks"]:
        for record in task["records"]:
            given = record["gates"]
            assert set(given) == gates[record["settings"]["cell"].partition("-")[0]]
            for lines in given.values():
                low, middle, high = (np.array(lines[key]) for key in ("low", "mean", "high"))
                assert len(middle) == len(record["gradients"]["after"]["lag"])
                assert ((low >= 0) & (low <= high) & (high <= 1)).all()
                assert ((middle > 0) & (middle < 1)).all()


def test_processes_give_the_same_results(made: Path, tmp_path: Path) -> None:
    options = ["--tiny", "--tasks", "adding", "--cells", "gru,lstm", "--seeds", "0,3"]
    assert cli.main(["compare", *options, "--jobs", "2", "--out", str(tmp_path)]) == 0
    one, two = (
        {
            (record["settings"]["cell"], record["settings"]["seed"]): (
                record["result"], record["history"]["loss"]
            )
            for record in json.loads((folder / "results.json").read_text())["tasks"][0]["records"]
            if record["settings"]["cell"] in ("gru", "lstm")
        }
        for folder in (made, tmp_path)
    )  # fmt: skip
    assert one == two


def _job(task: Task, contender: Contender, seed: int) -> Job:
    return Job("run", task, contender, plan.budget_units(task, contender), seed, 3e-3)


def test_a_finished_run_is_not_made_again(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (made / "comparison.csv").read_bytes()

    def refuse(job: Job, *_: Any) -> Any:
        raise AssertionError(f"{job.name} was made again")

    monkeypatch.setattr("rnn_native.comparison.runs._train", refuse)
    families = {name: FAMILIES[name] for name in ("adding", "copying")}
    said: list[str] = []
    write_csv(study.compare(study.Choice("tiny", families, [0, 3]), made, said.append), made)
    assert (made / "comparison.csv").read_bytes() == before
    with pytest.raises(AssertionError, match="made again"):
        study.compare(study.Choice("tiny", families, [0, 4]), made, said.append)


def test_a_run_of_other_settings_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (task,) = adding.tasks("tiny")
    job = _job(task, CONTENDERS[0], 0)
    splits = task.load(tmp_path)

    def load(_: Task) -> Any:
        return splits

    def refuse(*_: Any) -> Any:
        raise AssertionError("it was made again")

    run(job, tmp_path, load, 1, "tiny")
    monkeypatch.setattr("rnn_native.comparison.runs._train", refuse)
    run(job, tmp_path, load, 1, "tiny")
    for threads, scale, isa in ((2, "tiny", None), (1, "quick", None), (1, "tiny", "another")):
        with monkeypatch.context() as patch:
            if isa is not None:
                patch.setattr("rnn_native._core.isa", lambda isa=isa: isa)
            with pytest.raises(AssertionError, match="made again"):
                run(job, tmp_path, load, threads, scale)
    other = splits._replace(test=splits.test._replace(y=splits.test.y + 1))
    with pytest.raises(AssertionError, match="made again"):  # of data of the same name
        run(job, tmp_path, lambda _: other, 1, "tiny")


def test_what_is_not_installed_is_skipped_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(FAMILIES["vowels"], "NEEDS", ("not_there",))
    options = ["--tiny", "--tasks", "vowels,adding", "--cells", "rnn", "--out", str(tmp_path)]
    assert cli.main(["compare", *options]) == 0
    assert "vowels: skipped: not_there is not installed" in capsys.readouterr().out
    assert (
        "Japanese vowels (not_there is not installed)" in (tmp_path / "comparison.md").read_text()
    )
    with (tmp_path / "comparison.csv").open(newline="") as file:
        assert [row["family"] for row in csv.DictReader(file)] == ["adding"]


def test_what_the_page_needs_is_said_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("rnn_native.comparison.page.LACKING", ["jinja2"])
    options = ["--tiny", "--tasks", "adding", "--cells", "rnn", "--out", str(tmp_path)]
    assert cli.main(["compare", *options]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert "comparison.html: will not be written, since jinja2 is not installed" in first
    assert "pip install 'rnn_native[compare]'" in first
    assert not (tmp_path / "comparison.html").exists()
    assert (tmp_path / "comparison.md").exists()


def test_a_run_that_diverges_is_a_row(tmp_path: Path) -> None:
    (task,) = adding.tasks("tiny")
    splits = task.load(tmp_path)
    huge = np.full(splits.train.y.shape, 1e300)  # whose squares float64 does not hold
    broken = splits._replace(train=splits.train._replace(y=huge))
    with np.errstate(over="ignore"):
        record = run(_job(task, CONTENDERS[1], 0), tmp_path, lambda _: broken, 1, "tiny")
    assert "update 0" in record["failure"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--tasks", "unknown"],
        ["--cells", "rnn,unknown"],
        ["--seeds", "-1"],
        ["--seeds", "a"],
        ["--threads", "0"],
        ["--jobs", "0"],
        ["--quick", "--tiny"],
        ["--unknown"],
    ],
    ids=" ".join,
)
def test_wrong_arguments_are_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["compare", *arguments])
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
