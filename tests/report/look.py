"""Opens a report's HTML file as readers do, takes pictures to be looked at, and tries what the page can do.

    look.py FILE FOLDER [AXE]

Needs Playwright for Python in any environment (`python3 -m venv shots && shots/bin/pip install playwright`; its own
browsers are not needed), and Chromium at /usr/bin/chromium or where CHROMIUM says. AXE is the folder of axe-core
(`npm pack axe-core`, unpacked), given here or in the environment; without it accessibility is not checked.

It looks at the file on a phone, on a laptop and on paper, light and dark, and writes a picture of each, and a PDF, to
FOLDER. What is wrong is printed, and the exit code is then 1: errors of the page, anything asked of a network, serious
findings of axe, anything wider than a phone outside what scrolls, tables that do not sort, a theme that does not change.
"""

import os
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()

# Width and height in CSS pixels; paper is A4 at 96 dots per inch.
PLACES = {"phone": (390, 844), "laptop": (1366, 850), "print": (794, 1123)}
THEMES = ("light", "dark")

# Elements that reach beyond the window and are not within something that scrolls.
TOO_WIDE = """() => [...document.querySelectorAll('body *')]
    .filter(element => !element.closest('.scroll') || element.matches('.scroll'))
    .filter(element => !element.closest('pre') || element.matches('pre'))
    .filter(element => !element.closest('svg') || element.matches('svg'))
    .filter(element => element.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
    .map(element => `${element.tagName.toLowerCase()}.${element.getAttribute('class') ?? ''}`)"""

# What a column shows, top down.
COLUMN = """([table, column]) =>
    [...document.querySelectorAll('main table')[table].tBodies[0].rows].map(row => row.cells[column].textContent.trim())"""

# Tables with the columns that can be sorted: whether each holds numbers.
TABLES = """() => [...document.querySelectorAll('main table')].map(table => [...table.tHead.rows[0].cells].map(header =>
    header.querySelector('button') ? header.classList.contains('number') : null))"""

BACKGROUND = "() => getComputedStyle(document.documentElement).backgroundColor"


def number(text):
    """The first word of a cell that is a number."""
    for word in text.replace("\u2212", "-").replace(",", "").split():
        try:
            return float(word.strip("[]%"))
        except ValueError:
            continue
    return None


def opened(browser: Browser, file, size, theme, problems, name, **more):
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=theme, **more)
    page = context.new_page()

    def problem(words):
        problems.append(f"{name}: {words}")

    page.on("pageerror", lambda error: problem(f"error of the page: {error}"))
    page.on("console", lambda said: problem(f"console: {said.text}") if said.type in ("error", "warning") else None)
    page.on("requestfailed", lambda request: problem(f"failed: {request.url[:100]}"))
    page.on("request", lambda request: problem(f"asked for {request.url[:100]}") if foreign(request, file) else None)
    page.goto(file.as_uri())
    return page


def foreign(request, file):
    return request.url != file.as_uri() and not request.url.startswith("data:")


def accessible(page: Page, axe, name):
    page.evaluate((Path(axe) / "axe.min.js").read_text())
    found = page.evaluate("() => axe.run()")
    for violation in found["violations"]:
        line = f"{name}: axe {violation['impact']}: {violation['id']}: {violation['nodes'][0]['html'][:160]}"
        if violation["impact"] in ("serious", "critical"):
            yield line
        else:
            print(line)


def sorts(page: Page):
    """Every column by keyboard: up, down, and back."""
    for table, columns in enumerate(page.evaluate(TABLES)):
        # A folded list is unfolded first, by its summary.
        region = page.locator("main table").nth(table)
        fold = region.locator("xpath=ancestor::details[not(@open)]/summary")
        if fold.count():
            fold.press("Enter")
        for column, numeric in enumerate(columns):
            if numeric is None:
                continue
            header = region.locator("thead tr > *").nth(column)
            original = page.evaluate(COLUMN, [table, column])
            for key, wanted in (("Enter", "ascending"), ("Space", "descending"), ("Enter", None)):
                header.locator("button").press(key)
                shown = page.evaluate(COLUMN, [table, column])
                place = f"table {table + 1}, column {column + 1}"
                if header.get_attribute("aria-sort") != wanted:
                    yield f"{place}: aria-sort is not {wanted}"
                if sorted(shown) != sorted(original):
                    yield f"{place}: cells are lost"
                if wanted is None and shown != original:
                    yield f"{place}: the third press does not restore the order"
                missing = [text in ("", "\u2013") for text in shown]
                if wanted and missing != sorted(missing):
                    yield f"{place}: missing values are not last"
                if not numeric or wanted is None:
                    continue
                values = [number(text) for text, none in zip(shown, missing) if not none]
                if values != sorted(values, reverse=wanted == "descending"):
                    yield f"{place}: not {wanted}: {values}"


def themes(page: Page):
    """The button, by keyboard: system, light, dark, system; and whether a choice is remembered."""
    button = page.locator("#theme")
    seen = []
    for wanted in ("light", "dark", "system"):
        button.press("Enter")
        if wanted not in button.inner_text():
            yield f"the button does not say {wanted}"
        seen.append(page.evaluate(BACKGROUND))
    if seen[0] == seen[1]:
        yield "light and dark are the same"
    if page.locator("html").get_attribute("data-theme") is not None:
        yield "the system's theme is not back"
    button.press("Enter")
    button.press("Space")
    page.reload()
    if page.locator("html").get_attribute("data-theme") != "dark" or page.evaluate(BACKGROUND) != seen[1]:
        yield "the choice is not remembered"


def structure(page: Page):
    if page.locator("h1").count() != 1:
        yield "there is not one h1"
    # The first stop of the keyboard leads past the contents.
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    if page.evaluate("() => document.activeElement.id") != "content":
        yield "the skip link does not lead to the report"
    lost = page.evaluate(
        "() => [...document.querySelectorAll('a[href^=\"#\"]')].map(link => link.getAttribute('href').slice(1))"
        ".filter(id => !document.getElementById(id))"
    )
    twice = page.evaluate(
        "() => [...document.querySelectorAll('[id]')].map(element => element.id)"
        ".filter((id, at, all) => all.indexOf(id) !== at)"
    )
    yield from (f"a link leads nowhere: {id}" for id in lost)
    yield from (f"an id is given twice: {id}" for id in twice)


def main(file, folder, axe=os.environ.get("AXE")):
    file, folder = Path(file).resolve(), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    problems = []

    def note(found, name):
        problems.extend(f"{name}: {problem}" for problem in found)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=FLAGS
        )
        for place, size in PLACES.items():
            for theme in THEMES:
                name = f"{place}-{theme}"
                page = opened(browser, file, size, theme, problems, name)
                if place == "print":
                    page.emulate_media(media="print")
                    page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
                    if page.evaluate(BACKGROUND) != "rgb(255, 255, 255)":
                        problems.append(f"{name}: paper is not white")
                    page.pdf(path=folder / f"{name}.pdf", prefer_css_page_size=True)
                # A caret is hidden by a style of Playwright's own, which the page's policy forbids.
                page.screenshot(path=folder / f"{name}.png", full_page=True, caret="initial")
                note((f"too wide: {element}" for element in page.evaluate(TOO_WIDE)), name)
                if axe and place != "print":
                    problems.extend(accessible(page, axe, name))
                page.context.close()
        page = opened(browser, file, PLACES["laptop"], "light", problems, "keyboard")
        note(structure(page), "keyboard")
        note(sorts(page), "keyboard")
        note(themes(page), "keyboard")
        page.context.close()
        page = opened(browser, file, PLACES["laptop"], "light", problems, "no-script", java_script_enabled=False)
        page.screenshot(path=folder / "no-script.png", caret="initial")
        page.context.close()
        browser.close()
    for problem in problems:
        print(problem)
    sys.exit(bool(problems))


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(*sys.argv[1:])
