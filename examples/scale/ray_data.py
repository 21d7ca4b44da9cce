"""Ray Data: a pool of actors, each with the model in it.

pip install 'ray[data]'
python examples/scale/ray_data.py IN OUT --rows 5000
"""

from __future__ import annotations

import ray
from job import Job, parse

from rnn_native.batch import Predictor


def run(job: Job) -> None:
    ray.init(num_cpus=job.workers + 1, include_dashboard=False)
    rows = ray.data.read_parquet(job.source)
    results = rows.map_batches(
        Predictor,
        fn_constructor_args=(job.model,),
        fn_constructor_kwargs={"inputs": "features", "outputs": "y"},
        batch_format="pyarrow",  # with "numpy", rows of other lengths become objects and back
        batch_size=256,
        compute=ray.data.ActorPoolStrategy(size=job.workers),
        num_cpus=1,
    )
    results.write_parquet(job.target, mode="overwrite")


if __name__ == "__main__":
    run(parse(__doc__))
