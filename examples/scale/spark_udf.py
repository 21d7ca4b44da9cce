"""Spark's predict_batch_udf: an array a row, of sequences that are padded to one length.

    pip install pyspark pyarrow pandas; apt-get install default-jre-headless
    python examples/scale/spark_udf.py IN OUT --rows 5000

It takes no sequences of several lengths and gives no lists of lists: here y is that of each one's
last step. Sequences of no step are left out. spark_sequences.py has neither limit.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from job import Job, parse, use_this_python
from numpy.typing import NDArray
from pyspark.ml.functions import predict_batch_udf
from pyspark.sql import SparkSession
from pyspark.sql import functions as f
from pyspark.sql.types import ArrayType, FloatType

from rnn_native.batch import Predictor

Numbers = NDArray[np.float32]


def run(job: Job) -> None:
    predictor = Predictor(job.model, "features", "y", lengths="steps", last=True)

    def make_predict() -> Callable[[Numbers, Numbers], Numbers]:
        return lambda features, steps: predictor({"features": features, "steps": steps})["y"]

    use_this_python()
    spark = (
        SparkSession.builder.master(f"local-cluster[{job.workers},1,1024]")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    rows = spark.read.parquet(job.source).where(f.size("features") > 0)
    rows = rows.select("id", f.flatten("features").alias("flat"), f.size("features").alias("steps"))
    longest = rows.agg(f.max("steps"), f.max(f.size("flat"))).first()
    steps, numbers = longest[0], longest[1]
    zeros = f.array_repeat(f.lit(0.0).cast("float"), numbers)
    padded = rows.withColumn("flat", f.slice(f.concat("flat", zeros), 1, numbers))
    y = predict_batch_udf(
        make_predict,
        return_type=ArrayType(FloatType()),
        batch_size=256,
        input_tensor_shapes={0: [steps, numbers // steps]},
    )
    results = padded.select("id", y("flat", "steps").alias("y"))
    results.write.mode("overwrite").parquet(job.target)
    spark.stop()


if __name__ == "__main__":
    run(parse(__doc__))
