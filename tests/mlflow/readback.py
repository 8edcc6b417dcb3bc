"""Holds what the official Python client of MLflow reads of an experiment against the tables of its study.

    readback.py URI EXPERIMENT TABLES

prints what differs and ends with 1, or how much was compared. Values are compared to the last bit.
"""

import sys

import mlflow
import polars as pl
from mlflow import MlflowClient

PREFIXES = {"teacher", "retrain"}
RESULTS = ["miou", "miou_val", "miou_best", "best_step", "looks"]


def prefix(kind, role):
    if kind in PREFIXES:
        return role
    if kind == "evaluate":
        return "eval"
    return f"{kind}_{role}" if role else kind


def expected(tables, run):
    """The points of a run: metric -> sorted (step, value)."""
    points = {}
    stages = tables["run_stages"].filter(pl.col("run_id") == run["run_id"])
    for stage in stages.iter_rows(named=True):
        for row in tables["metrics"].filter(pl.col("stage") == stage["stage"]).iter_rows(named=True):
            key = f"{prefix(stage['kind'], stage['role'])}/{row['key']}"
            points.setdefault(key, []).append((row["step"], row["value"]))
    for name in RESULTS:
        if run[name] is not None:
            points[f"eval/{name}"] = [(0, float(run[name]))]
    return {key: sorted(values) for key, values in points.items()}


def main(uri, experiment, folder):
    mlflow.set_tracking_uri(uri)
    client = MlflowClient()
    names = ["runs", "run_stages", "metrics"]
    tables = {name: pl.read_parquet(f"{folder}/{name}.parquet") for name in names}
    found = mlflow.search_runs(
        experiment_names=[experiment], filter_string="tags.`stpp.kind` = 'cell'", output_format="list"
    )
    by_uid = {}
    differences = []
    for run in found:
        uid = run.data.tags["stpp.run_uid"]
        if uid in by_uid:
            differences.append(f"{uid}: there are two runs")
        by_uid[uid] = run
    compared = 0
    for row in tables["runs"].iter_rows(named=True):
        name = f"{row['arm']}, seed {row['seed']}, split {row['split']}"
        run = by_uid.pop(row["run_id"], None)
        if run is None:
            differences.append(f"{name}: it is not there")
            continue
        said = tuple(run.data.params.get(key) for key in ["arm", "seed", "split"])
        if said != (row["arm"], str(row["seed"]), row["split"]):
            differences.append(f"{name}: its parameters are {said}")
        if (run.info.status == "FINISHED") != row["complete"]:
            differences.append(f"{name}: its state is {run.info.status}")
        points = expected(tables, row)
        keys = {key for key in run.data.metrics if not key.startswith(("system/", "stpp/"))}
        for key in sorted(keys ^ set(points)):
            differences.append(f"{name}: {key} is on one side only")
        for key in sorted(keys & set(points)):
            history = sorted((point.step, point.value) for point in client.get_metric_history(run.info.run_id, key))
            compared += len(history)
            if history != points[key]:
                differences.append(f"{name}: {key} has other points: {len(history)} there, {len(points[key])} here")
    differences += [f"{uid}: it is in no table" for uid in by_uid]
    for line in differences:
        print(line)
    if differences:
        sys.exit(1)
    print(f"{len(found)} runs, {compared} points: equal")


main(*sys.argv[1:])
