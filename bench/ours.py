"""What of rnn_native itself is measured beside the peers."""

from __future__ import annotations

from dataclasses import dataclass

from grid import Case, make_spec
from results import FLOAT32, OURS

import rnn_native as rn
from rnn_native.benchmark.precision import PRECISIONS
from rnn_native.benchmark.serving import one_line


@dataclass(frozen=True)
class Ours:
    """What of ours is measured: in one precision and, beside any other one, in float32."""

    precision: str
    refused: str | None
    """Why this build has not got that precision."""

    @classmethod
    def of(cls, precision: str) -> Ours:
        try:
            rn.Model(make_spec("lstm", Case(1, 1, 1)), **PRECISIONS[precision].options)
        except (rn.RnnError, TypeError) as error:  # TypeError: of a build without the option
            return cls(precision, f"this build has no {precision}: {one_line(error)}")
        return cls(precision, None)

    @property
    def precisions(self) -> dict[str, str]:
        """By the name of the runtime; one that has to be there comes first."""
        wanted = {} if self.refused else {OURS: self.precision}
        return wanted if self.precision == "float32" else wanted | {FLOAT32: "float32"}

    def memory(self, spec: rn.ModelSpec) -> dict[str, int]:
        """Bytes of the packed model by precision."""
        return {
            precision: rn.Model(spec, **PRECISIONS[precision].options).memory
            for precision in self.precisions.values()
        }
