"""Takes pictures of what MLflow's own pages show of an experiment, to be looked at.

    screenshots.py URI EXPERIMENT FOLDER

Needs Playwright for Python in any environment (`python3 -m venv shots && shots/bin/pip install playwright`; its own
browsers are not needed), and Chromium at /usr/bin/chromium or where CHROMIUM says. It asks the server for ids and
opens the views that are saved with the experiment, the report, and one run. A page is drawn when its words are there,
its charts have marks, no image in sight is broken, and nothing changes any more. What is missing is printed, and the
exit code is then 1.
"""

import json
import os
import sys
import time
import urllib.request
from dataclasses import dataclass

from playwright.sync_api import Page, TimeoutError, sync_playwright

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()

# Seconds a page has to be drawn.
PATIENCE = 30

# Of the two menus that the pages have, the one for training; without it, a link opens the one for language models.
MENU = "workflowType=machine_learning"

# Pages of a server on this machine open an assistant at the first visit, which takes a quarter of them.
# The report's frame may not touch the storage.
BROWSER_STATE = """try {
    localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true');
} catch {}"""

# Counts what is in sight: bars and curves (those of parallel coordinates are painted on a canvas), images that are
# loaded, images that are broken or still on their way.
COUNT = """() => {
    // Its upper edge can be seen: a card cuts off what has no room in it.
    const inSight = element => {
        const box = element.getBoundingClientRect();
        const seen = document.elementFromPoint(box.left + box.width / 2, box.top + Math.min(8, box.height / 2));
        return element.contains(seen);
    };
    const inWindow = element => {
        const box = element.getBoundingClientRect();
        return box.width > 0 && box.top < innerHeight && box.bottom > 0;
    };
    const all = selector => [...document.querySelectorAll(selector)].filter(inWindow);
    const loaded = image => image.complete && image.naturalWidth > 0;
    return {
        marks: all('.barlayer path, .scatterlayer path, canvas.foreground').length,
        images: all('img').filter(loaded).filter(inSight).length,
        sources: all('img').filter(loaded).map(image => decodeURIComponent(image.src)).join(' '),
        broken: all('img').filter(image => !loaded(image)).length,
    };
}"""


# Brings the element with these words to the top; whether there is one.
SCROLL = """words => {
    const says = element => !element.childElementCount && element.textContent.trim() === words;
    const place = [...document.querySelectorAll('body *')].find(says);
    place?.scrollIntoView({ block: 'start' });
    return Boolean(place);
}"""


@dataclass
class Picture:
    """A page, and what must be on it."""

    name: str
    address: str
    words: list[str]
    charts: bool = False
    images: int = 0
    # Words to bring to the top, and the last step of the first slider, which is moved there.
    scroll_to: str | None = None
    slide_to: int | None = None
    # Enlarges the chart that is brought to the top, or the first.
    enlarge: bool = False


def post(uri, call, body):
    request = urllib.request.Request(
        f"{uri}/api/2.0/mlflow/{call}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def get(uri, call):
    with urllib.request.urlopen(f"{uri}/api/2.0/mlflow/{call}", timeout=60) as answer:
        return json.load(answer)


def named(pairs):
    return {pair["key"]: pair["value"] for pair in pairs}


def views(experiment):
    """The saved views: id -> what is in it."""
    start = "mlflow.sharedViewState."
    tags = named(experiment.get("tags", []))
    return {key[len(start) :]: json.loads(json.loads(tags[key])["state"]) for key in tags if key.startswith(start)}


def pictures(uri, name):
    found = post(uri, "experiments/search", {"max_results": 1000, "filter": f"name = '{name}'"}).get("experiments")
    if not found:
        sys.exit(f"there is no experiment {name!r}")
    experiment = found[0]["experiment_id"]
    saved = views(found[0])
    filters = {"experiment_ids": [experiment], "max_results": 1000, "order_by": ["attributes.start_time ASC"]}
    runs = post(uri, "runs/search", filters).get("runs", [])
    kinds = [(named(run["data"].get("tags", [])).get("stpp.kind"), run) for run in runs]
    reports = [run for kind, run in kinds if kind == "report"]
    cells = [run for kind, run in kinds if kind == "cell"]
    pictured = [run for run in cells if "mlflow.loggedImages" in named(run["data"]["tags"])]
    base = f"{uri}/#/experiments/{experiment}/runs"

    def view(key, mode="", name=None, **more):
        if key not in saved:
            sys.exit(f"no view {key!r} is saved with {name!r}")
        return Picture(name or key, f"{base}?{mode}viewStateShareKey={key}&{MENU}", ["matching runs"], **more)

    charts = "compareRunsMode=CHART&"
    yield view("stpp-table")
    yield view("stpp-arm", charts, charts=True)
    yield view("stpp-arm", charts, name="stpp-arm-curves", charts=True, scroll_to="student/val/miou")
    yield view("stpp-factors", charts, charts=True, enlarge=True)
    if "stpp-labels" in saved:
        yield view("stpp-labels", charts, images=1, enlarge=True)
    for run in reports[:1]:
        page = f"{base}/{run['info']['run_id']}"
        yield Picture("report", f"{page}/artifacts/report.html?{MENU}", ["report.html"])
        yield Picture("report-run", f"{page}?{MENU}", ["About this run"])
    # The last of the runs with images went through every stage.
    for run in (pictured or cells)[-1:]:
        run_id = run["info"]["run_id"]
        page = f"{base}/{run_id}"
        files = {file["path"] for file in get(uri, f"artifacts/list?run_id={run_id}&path=eval").get("files", [])}
        yield Picture("run", f"{page}?{MENU}", ["About this run", "Parameters"])
        yield Picture("run-metrics", f"{page}/model-metrics?{MENU}", ["Search metric charts"], charts=True)
        if pictured:
            steps, keys = sliders(uri, run_id)
            yield Picture(
                "run-images",
                f"{page}/model-metrics?{MENU}",
                ["Search metric charts"],
                images=min(len(keys), 2),
                scroll_to=keys[0],
                slide_to=steps[-1] if len(steps) > 1 else None,
            )
        if "eval/classes.json" in files:
            yield Picture("run-table", f"{page}/artifacts/eval/classes.json?{MENU}", ["classes.json", "iou"])
        system = sorted(key for key in named(run["data"].get("metrics", [])) if key.startswith("system/"))
        if system:
            # Images come first here too.
            name = system[-1].rpartition("/")[2]
            address = f"{page}/system-metrics?{MENU}"
            yield Picture("run-system", address, ["Search metric charts"], charts=True, scroll_to=name)


def sliders(uri, run_id):
    """The steps at which a run has images, and their keys."""
    files = get(uri, f"artifacts/list?run_id={run_id}&path=images").get("files", [])
    parts = [file["path"].removeprefix("images/").split("+") for file in files]
    return sorted({int(part[2]) for part in parts}), sorted({part[0].replace("~", "/") for part in parts})


def wait_until_drawn(page: Page, picture: Picture):
    """What is still missing when time is up."""
    for words in picture.words:
        try:
            page.get_by_text(words).or_(page.get_by_placeholder(words)).first.wait_for(timeout=PATIENCE * 1000)
        except TimeoutError:
            return [f"no {words!r} on the page"]
    end = time.monotonic() + PATIENCE
    before, done = None, False
    while True:
        page.wait_for_timeout(1000)
        seen = page.evaluate(COUNT)
        problems = list(lacking(picture, seen))
        # Sections are made when they come into sight, and move while others come in.
        if picture.scroll_to and not page.evaluate(SCROLL, picture.scroll_to):
            problems.append(f"no {picture.scroll_to!r} on the page")
            page.mouse.move(1000, 600)
            page.mouse.wheel(0, 500)
        elif not done:
            done = act(page, picture)
        # Twice the same, so that nothing is on its way.
        if (done and not problems and seen == before) or time.monotonic() > end:
            return problems
        before = seen


def lacking(picture, seen):
    if picture.charts and not seen["marks"]:
        yield "no chart is drawn"
    if seen["broken"]:
        yield f"{seen['broken']} images are not loaded"
    if seen["images"] < picture.images:
        yield f"{seen['images']} images, not {picture.images}"
    if picture.slide_to is not None and f"+step+{picture.slide_to}+" not in seen["sources"]:
        yield f"the slider does not show step {picture.slide_to}"


def act(page: Page, picture: Picture):
    """Moves the slider and enlarges; whether that could be done."""
    try:
        if picture.slide_to is not None:
            # The number beside it, which counts once one leaves it.
            field = page.locator("input[type=number]").first
            field.fill(str(picture.slide_to), timeout=1000)
            field.blur(timeout=1000)
        if picture.enlarge:
            card = page.locator("[data-testid='experiment-view-compare-runs-card']")
            card = card.filter(has_text=picture.scroll_to) if picture.scroll_to else card
            card.first.locator("[data-component-id='fullscreen_button_chartcard']").click(timeout=1000)
    except TimeoutError:
        return False
    return True


def main(uri, name, folder):
    uri = uri.rstrip("/")
    os.makedirs(folder, exist_ok=True)
    missing = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=FLAGS
        )
        for picture in pictures(uri, name):
            # A browser of its own: pages keep what was opened last.
            context = browser.new_context(viewport={"width": 1600, "height": 1000})
            context.add_init_script(BROWSER_STATE)
            page = context.new_page()
            page.on("pageerror", lambda error: missing.append(f"error of a page: {error}"))
            page.goto(picture.address)
            missing += [f"{picture.name}: {problem}" for problem in wait_until_drawn(page, picture)]
            page.screenshot(path=f"{folder}/{picture.name}.png")
            print(picture.name, picture.address)
            context.close()
        browser.close()
    for line in missing:
        print(line)
    sys.exit(bool(missing))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
