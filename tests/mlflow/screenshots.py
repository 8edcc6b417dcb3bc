"""Takes pictures of what MLflow's own pages show of an experiment, to be looked at.

    screenshots.py URI EXPERIMENT FOLDER

Needs Playwright for Python (`pip install playwright`) and Chromium at /usr/bin/chromium (or CHROMIUM). It asks the server
for ids and opens the views that are saved with the experiment, the report, and one run. Errors of the pages are printed.
"""

import json
import os
import sys
import urllib.request

from playwright.sync_api import sync_playwright

TRAINING = "workflowType=machine_learning"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


def post(uri, call, body):
    request = urllib.request.Request(
        f"{uri}/api/2.0/mlflow/{call}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def pages(uri, name):
    """What is pictured: name, address, and what must be on the page."""
    found = post(uri, "experiments/search", {"max_results": 1000, "filter": f"name = '{name}'"})
    experiment = found["experiments"][0]["experiment_id"]
    runs = post(uri, "runs/search", {"experiment_ids": [experiment], "max_results": 1000})["runs"]
    tags = lambda run: {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
    of_kind = lambda kind: [run for run in runs if tags(run).get("stpp.kind") == kind]
    report = of_kind("report")[0]["info"]["run_id"]
    run = next(run for run in of_kind("cell") if "mlflow.loggedImages" in tags(run))["info"]["run_id"]
    page = f"{uri}/#/experiments/{experiment}"
    return [
        ("table", f"{page}/runs?viewStateShareKey=stpp-table&{TRAINING}", "eval/miou"),
        ("arms", f"{page}/runs?compareRunsMode=CHART&viewStateShareKey=stpp-arm&{TRAINING}", "student/val/miou"),
        ("factors", f"{page}/runs?compareRunsMode=CHART&viewStateShareKey=stpp-factors&{TRAINING}", "Factors"),
        ("labels", f"{page}/runs?compareRunsMode=CHART&viewStateShareKey=stpp-labels&{TRAINING}", "Pseudo labels"),
        ("report", f"{page}/runs/{report}/artifacts/report.md?{TRAINING}", "Answer"),
        ("report-run", f"{page}/runs/{report}?{TRAINING}", "report"),
        ("run", f"{page}/runs/{run}?{TRAINING}", "stpp exp verify"),
        ("run-metrics", f"{page}/runs/{run}/model-metrics?{TRAINING}", "student"),
        ("run-system", f"{page}/runs/{run}/system-metrics?{TRAINING}", "system"),
        ("run-table", f"{page}/runs/{run}/artifacts/eval/classes.json?{TRAINING}", "background"),
        ("run-images", f"{page}/runs/{run}/artifacts/images?{TRAINING}", "images"),
    ]


def close_assistant(page):
    """The assistant's panel takes a quarter of the page."""
    panel = page.get_by_role("button", name="Close")
    if panel.count():
        panel.first.click(timeout=2_000)


def main(uri, name, folder):
    os.makedirs(folder, exist_ok=True)
    missing = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=FLAGS
        )
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.on("pageerror", lambda error: print("error of the page:", error))
        for picture, address, words in pages(uri, name):
            page.goto("about:blank")
            page.goto(address)
            try:
                page.get_by_text(words).first.wait_for(timeout=20_000)
            except Exception:
                missing.append(f"{picture}: no {words!r} on the page")
            close_assistant(page)
            # Charts are drawn when they come into sight.
            page.wait_for_timeout(5_000)
            page.screenshot(path=f"{folder}/{picture}.png")
            print(picture, page.url)
        browser.close()
    for line in missing:
        print(line)
    sys.exit(bool(missing))


main(*sys.argv[1:])
