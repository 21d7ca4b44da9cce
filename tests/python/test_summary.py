"""What a model shows of itself in a shell and in a notebook."""

from html.parser import HTMLParser

import numpy as np
import pytest

import rnn_native as rn
from rnn_native.spec import Input, ModelSpec

GRU, LSTM = rn.GRU(3, 4).spec, rn.LSTM(4, 5, num_layers=2).spec
GRAPH = ModelSpec(
    nodes={"a<b": (GRU, ("x",)), "c": (LSTM, ("a<b",)), "top": (rn.Last(), ("c",))},
    inputs={"x": Input(3)},
    outputs=("top",),
)


def test_a_summary_has_a_row_for_each_layer_and_all_parameters() -> None:
    summary = rn.Model(GRAPH).summary()
    assert [row[:3] for row in summary.rows] == [
        ("a<b", "gru", "x"),
        ("c", "lstm", "a<b"),
        ("top", "reduce", "c"),
    ]
    counts = [int(row[4].replace(",", "") or 0) for row in summary.rows]
    assert sum(counts) == GRAPH.num_parameters
    assert [row[3] for row in summary.rows] == ["4", "5", "5"]


def test_as_text_columns_stand_below_each_other() -> None:
    title, empty, heads, rule, *rows = str(rn.Model(GRAPH).summary()).splitlines()
    assert title == repr(rn.Model(GRAPH))
    assert empty == ""
    assert set(rule) == {"-"}
    assert {row.index(kind) for row, kind in zip(rows, ("gru", "lstm", "reduce"), strict=True)} == {
        heads.index("layer")
    }


class _Balanced(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["td"]:
            self.cells.append(data)


@pytest.mark.parametrize("shown", [rn.Model(GRAPH), GRAPH, rn.Model(GRAPH).summary()])
def test_in_a_notebook_it_is_a_table_whose_texts_are_escaped(shown: rn.Model) -> None:
    html = shown._repr_html_()
    assert "a<b" not in html
    assert "script" not in html
    parser = _Balanced()
    parser.feed(html)
    assert parser.open == []
    assert "a<b" in parser.cells


def test_a_notebook_is_shown_no_more_than_200_layers() -> None:
    nodes = {f"n{i}": (rn.Elementwise("tanh"), (f"n{i - 1}" if i else "x",)) for i in range(250)}
    spec = ModelSpec(nodes=nodes, inputs={"x": Input(3)}, outputs=("n249",))
    html = spec._repr_html_()
    assert html.count("<tr>") == 201
    assert "50 layers more" in html


def test_streams_and_pools_say_what_they_are() -> None:
    model = rn.Model(GRAPH)
    assert repr(model.stream(batch=2)) == "Stream(batch=2, num_threads=1)"
    assert repr(rn.StreamPool(model, 4)).startswith("StreamPool(0 of 4 streams open, ")
    assert model(np.zeros((2, 1, 3), "f4"))[0].shape == (1, 5)
