"""Opens a report's folder as an RO-Crate and checks that it holds what its description says.

    crate.py FOLDER

Needs ro-crate-py in any environment (`python3 -m venv crate && crate/bin/pip install rocrate`) and no network.

Every file that `ro-crate-metadata.json` lists must be there with the size and the SHA-256 that it states, every file
that is there must be listed, and the action that made the report must lead from digests to the files. What is wrong is
printed, and the exit code is then 1.
"""

import hashlib
import sys
from pathlib import Path
from urllib.parse import unquote

from rocrate.rocrate import ROCrate

METADATA = "ro-crate-metadata.json"


def listed(value):
    """One value or several, as JSON-LD has them."""
    return value if isinstance(value, list) else [] if value is None else [value]


def files(crate):
    """The file entities, by path."""
    parts = (part for part in crate.data_entities if "File" in listed(part.type))
    return {unquote(part.id): part for part in parts}


def problems(folder):
    crate = ROCrate(folder)
    known = files(crate)
    if not known:
        yield "no file is listed"
    for path, entity in sorted(known.items()):
        place = folder / path
        if not place.is_file():
            yield f"{path}: not there"
            continue
        content = place.read_bytes()
        if entity.get("contentSize") != str(len(content)):
            yield f"{path}: {len(content)} bytes, and not {entity.get('contentSize')}"
        found = hashlib.sha256(content).hexdigest()
        if entity.get("sha256") != found:
            yield f"{path}: the SHA-256 is {found}, and not {entity.get('sha256')}"
        for key in ("name", "description", "encodingFormat"):
            if not entity.get(key):
                yield f"{path}: no {key}"
    there = {place.relative_to(folder).as_posix() for place in folder.rglob("*") if place.is_file()}
    for path in sorted(there - known.keys() - {METADATA}):
        yield f"{path}: not listed"
    yield from action(crate, known)


def action(crate, known):
    """From digests, by the program, to every file."""
    found = crate.get_by_type("CreateAction")
    if len(found) != 1:
        yield f"there are {len(found)} actions and not one"
        return
    results = {unquote(result.id) for result in listed(found[0].get("result"))}
    if results != known.keys():
        yield f"the action did not make {sorted(results ^ known.keys())}"
    software = found[0].get("instrument")
    if "SoftwareApplication" not in listed(software.type) or not software.get("version"):
        yield "the action's instrument is no program with a version"
    inputs = listed(found[0].get("object"))
    names = {item.get("name") for item in inputs}
    if not {"ablation", "data"} <= names or not all(item.get("value") for item in inputs):
        yield f"the action's objects are {sorted(names)}, or have no value"


def main(folder):
    folder = Path(folder)
    found = list(problems(folder))
    for problem in found:
        print(problem)
    if not found:
        crate = ROCrate(folder)
        print(f"{crate.name}: {len(files(crate))} files are as their description says")
    sys.exit(bool(found))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
