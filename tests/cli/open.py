"""Reads the six tables of a study as a user would, and recomputes from counted pixels what they claim."""

import sys
from pathlib import Path

import polars as pl

folder = Path(sys.argv[1])
names = ("runs", "run_stages", "metrics", "images", "confusion", "classes")
tables = {name: pl.read_parquet(folder / f"{name}.parquet") for name in names}
for name, table in tables.items():
    assert table.height > 0, f"{name} is empty"
    print(name, table.height, dict(table.schema))

runs, stages, confusion = tables["runs"], tables["run_stages"], tables["confusion"]
assert runs["complete"].all()


def iou(cells):
    """IoU per class of summed cells; classes that occur nowhere are left out."""
    scores = {}
    for index in sorted(set(cells["truth"]) | set(cells["prediction"])):
        true = cells.filter(pl.col("truth") == index)["pixels"].sum()
        predicted = cells.filter(pl.col("prediction") == index)["pixels"].sum()
        right = cells.filter((pl.col("truth") == index) & (pl.col("prediction") == index))["pixels"].sum()
        scores[index] = right / (true + predicted - right)
    return scores


for run in runs.iter_rows(named=True):
    own = stages.filter(run_id=run["run_id"])
    assert own["position"].to_list() == list(range(own.height))
    for subset, claimed in (("test", "miou"), ("val", "miou_val")):
        keys = own.filter(kind="evaluate")["stage"].to_list()
        cells = confusion.filter(pl.col("stage").is_in(keys), pl.col("subset") == subset)
        assert cells["image"].n_unique() == 4
        found = iou(cells)
        assert abs(sum(found.values()) / len(found) - run[claimed]) < 1e-12, (run["arm"], subset)
        of_run = tables["classes"].filter(run_id=run["run_id"], subset=subset)
        for row in of_run.iter_rows(named=True):
            assert abs(found.get(row["class"], 0) - (row["iou"] or 0)) < 1e-12, row
            right = cells.filter((pl.col("truth") == row["class"]) & (pl.col("prediction") == row["class"]))
            assert right["pixels"].sum() == row["tp"], row
    trained = own.filter(pl.col("kind").is_in(["teacher", "retrain"]))["stage"].to_list()
    for stage in trained:
        loss = tables["metrics"].filter(stage=stage, key="loss")
        assert loss["step"].to_list() == [1, 2, 3, 4], loss
        assert loss["value"].is_finite().all()

stability = tables["images"].filter(pl.col("selected").is_not_null())
assert stability.filter(pl.col("selected")).height * 2 == stability.height, "the first half is reliable"
assert tables["images"]["true_miou"].is_between(0, 1).all()
print("every headline follows from counted pixels")
