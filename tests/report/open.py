"""Reads the tables of a study as a user would, and recomputes the headline from the confusion table."""

import sys
from pathlib import Path

import polars as pl

folder = Path(sys.argv[1])
tables = {name: pl.read_parquet(folder / f"{name}.parquet")
          for name in ("study", "runs", "run_stages", "metrics", "looks", "images", "pseudo_labels", "pseudo_confusion", "calibration",
                       "evaluated", "counts", "confusion", "classes")}
for name, table in tables.items():
    print(name, table.height, ", ".join(f"{column}: {kind}" for column, kind in table.schema.items()))

runs = tables["runs"]
print(runs.group_by("arm", maintain_order=True).agg(pl.col("miou").mean().round(6)).rows())

stage = (tables["run_stages"].filter(pl.col("kind") == "evaluate")
         .join(runs.filter(arm="st", seed=0), on="run_id")["stage"][0])
cells = tables["confusion"].filter(stage=stage, subset="test").group_by("truth", "prediction").agg(pl.col("pixels").sum())
right = cells.filter(pl.col("truth") == pl.col("prediction")).select(pl.col("truth").alias("class"), "pixels")
true = cells.group_by(pl.col("truth").alias("class")).agg(pl.col("pixels").sum().alias("true"))
predicted = cells.group_by(pl.col("prediction").alias("class")).agg(pl.col("pixels").sum().alias("predicted"))
iou = (right.join(true, on="class").join(predicted, on="class")
       .select(iou=pl.col("pixels") / (pl.col("true") + pl.col("predicted") - pl.col("pixels"))))
assert abs(iou["iou"].mean() - runs.filter(arm="st", seed=0)["miou"][0]) < 1e-12
print("the headline follows from the confusion table")

counts = tables["counts"].filter(stage=stage, subset="test").group_by("class").agg(pl.col("tp", "fp", "fn").sum())
ious = counts.select(iou=pl.col("tp") / (pl.col("tp") + pl.col("fp") + pl.col("fn")))
assert abs(ious["iou"].mean() - iou["iou"].mean()) < 1e-12
print("and from the counts per class and image")
