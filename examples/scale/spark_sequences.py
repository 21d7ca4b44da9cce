"""Spark: record batches of pyarrow's, on executors of one CPU each.

pip install pyspark pyarrow pandas; apt-get install default-jre-headless
python examples/scale/spark_sequences.py IN OUT --rows 5000
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
from job import Job, parse, use_this_python
from pyspark.sql import SparkSession

from rnn_native.batch import Predictor


def run(job: Job) -> None:
    predictor = Predictor(job.model, inputs="features", outputs="y")

    def predict(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return map(predictor, batches)

    use_this_python()
    spark = (
        SparkSession.builder.master(f"local-cluster[{job.workers},1,1024]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", 256)
        .getOrCreate()
    )
    rows = spark.read.parquet(job.source)
    results = rows.mapInArrow(predict, "id long, y array<array<float>>")
    results.write.mode("overwrite").parquet(job.target)
    spark.stop()


if __name__ == "__main__":
    run(parse(__doc__))
