"""Records what a real MLflow server answers, for the messages that this program reads.

    record.py URI FILE

writes a JSON object: call -> {status, body}. Run it against a server of its own, with an empty database.
"""

import json
import sys
import urllib.error
import urllib.request

START = 1_700_000_000_000


def main(uri, path):
    recorded = {}

    def call(name, method, address, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{uri}/api/2.0/mlflow/{address}", data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read().decode()
        try:
            said = json.loads(text)
        except ValueError:
            said = text
        recorded[name] = {"status": status, "body": said}
        return said

    experiment = call("experiments/create", "POST", "experiments/create", {"name": "stpp/a"})["experiment_id"]
    call("experiments/create again", "POST", "experiments/create", {"name": "stpp/a"})
    tag = {"experiment_id": experiment, "key": "mlflow.note.content", "value": "a note"}
    call("experiments/set-experiment-tag", "POST", "experiments/set-experiment-tag", tag)
    call("experiments/get-by-name", "GET", "experiments/get-by-name?experiment_name=stpp/a")
    call("experiments/get-by-name of nothing", "GET", "experiments/get-by-name?experiment_name=stpp/b")
    tags = [{"key": "stpp.run_uid", "value": "ab"}]
    run = {"experiment_id": experiment, "run_name": "st, seed 0", "start_time": START, "tags": tags}
    run = call("runs/create", "POST", "runs/create", run)["run"]["info"]["run_id"]
    metrics = [
        {"key": "loss", "value": 0.5, "timestamp": START + 1, "step": 1},
        {"key": "loss", "value": "NaN", "timestamp": START + 2, "step": 2},
        {"key": "loss", "value": "Infinity", "timestamp": START + 3, "step": 3},
    ]
    params = [{"key": "arm", "value": "st"}]
    call("runs/log-batch", "POST", "runs/log-batch", {"run_id": run, "metrics": metrics, "params": params})
    other = [{"key": "arm", "value": "stpp"}]
    call("runs/log-batch with another value", "POST", "runs/log-batch", {"run_id": run, "params": other})
    call("runs/log-batch with a bad name", "POST", "runs/log-batch", {"run_id": run, "params": [{"key": "a#", "value": ""}]})
    dataset = {"name": "voc", "digest": "ab" * 16, "source_type": "stpp", "source": "{}"}
    inputs = [{"tags": [{"key": "mlflow.data.context", "value": "training"}], "dataset": dataset}]
    call("runs/log-inputs", "POST", "runs/log-inputs", {"run_id": run, "datasets": inputs})
    call("runs/update", "POST", "runs/update", {"run_id": run, "status": "FINISHED", "end_time": START + 9})
    call("runs/get", "GET", f"runs/get?run_id={run}")
    search = {"experiment_ids": [experiment], "filter": "tags.`stpp.run_uid` = 'ab'", "run_view_type": "ALL", "max_results": 1}
    call("runs/search", "POST", "runs/search", search)
    call("runs/search for nothing", "POST", "runs/search", search | {"filter": "tags.`stpp.run_uid` = 'cd'"})
    history = f"metrics/get-history?run_id={run}&metric_key=loss&max_results=2"
    call("metrics/get-history", "GET", history)
    call("runs/delete-tag of nothing", "POST", "runs/delete-tag", {"run_id": run, "key": "nothing"})
    call("runs/delete", "POST", "runs/delete", {"run_id": run})
    call("runs/log-batch to a deleted run", "POST", "runs/log-batch", {"run_id": run, "params": params})
    call("experiments/delete", "POST", "experiments/delete", {"experiment_id": experiment})
    call("experiments/get-by-name of a deleted one", "GET", "experiments/get-by-name?experiment_name=stpp/a")
    call("runs/create in a deleted one", "POST", "runs/create", {"experiment_id": experiment, "start_time": START})
    call("nothing", "POST", "runs/nothing", {})
    with open(path, "w", encoding="utf-8") as file:
        json.dump(recorded, file, indent=1, sort_keys=True)
        file.write("\n")


main(*sys.argv[1:])
