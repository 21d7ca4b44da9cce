"""Ray Data: a pool of actors, each with the model in it.

pip install 'ray[data]'
python examples/scale/ray_data.py IN OUT --rows 5000
"""

from __future__ import annotations

import ray
from job import Job, parse

from rnn_native.batch import Predictor


def run(job: Job) -> None:
    # One CPU more than actors, which keep theirs: for the tasks that read and write.
    ray.init(num_cpus=job.workers + 1, include_dashboard=False)
    rows = ray.data.read_parquet(job.source).repartition(4 * job.workers)  # small files are one
    results = rows.map_batches(
        Predictor,
        fn_constructor_args=(job.model,),
        fn_constructor_kwargs={"inputs": "features", "outputs": "y"},
        batch_format="pyarrow",
        batch_size=256,
        compute=ray.data.ActorPoolStrategy(size=job.workers),
        num_cpus=1,
    )
    results.write_parquet(job.target, mode="overwrite")


if __name__ == "__main__":
    run(parse(__doc__))
