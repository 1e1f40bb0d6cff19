"""What the documents claim of the tests and of each other."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STATE = re.compile(r"^(yes|partly|no|client's own|planned: \w[\w ]*)$")
NAMED = re.compile(r"`(test_\w+)(?:::(test_\w+))?`|`(\w+_test)`")


def known():
    """Journeys by file, and unit tests."""
    journeys = {p.stem: set(re.findall(r"^def (test_\w+)", p.read_text(), re.M)) for p in (ROOT / "integration").glob("test_*.py")}
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "*_test.c"],
                            capture_output=True, text=True, check=True).stdout
    return journeys, {Path(line).stem for line in listed.split()}


def rows(page):
    """(section, cells) of each row of its tables."""
    section = ""
    for line in page.read_text().splitlines():
        if line.startswith("## "):
            section = line[3:]
        if line.startswith("| ") and not line.startswith("| ---"):
            yield section, [cell.strip() for cell in line.strip("| ").split(" | ")]


def test_every_test_of_the_table_exists():
    journeys, units = known()
    page = (ROOT / "docs/compatibility.md").read_text()
    named = NAMED.findall(page)
    assert len(named) > 50
    missing = [f"{file}::{test}" if test else file or unit for file, test, unit in named
               if (unit and unit not in units) or (file and (file not in journeys or (test and test not in journeys[file])))]
    assert not missing, missing


def test_every_row_has_a_state_and_what_works_has_a_test():
    bad = []
    for section, cells in rows(ROOT / "docs/compatibility.md"):
        if len(cells) != 3 or cells[1] == "state":
            continue
        if not STATE.match(cells[1]):
            bad.append(f"{section}: {cells[0]}: {cells[1]!r} is no state")
        if cells[1] in ("yes", "partly") and not NAMED.search(cells[2]):
            bad.append(f"{section}: {cells[0]}: no test")
    assert not bad, "\n".join(bad)


@pytest.mark.parametrize("page", sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "integration/README.md"]),
                         ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    lost = []
    for link, part in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", prose(page)):
        if "://" not in link:
            to = (page.parent / link) if link else page
            if not to.exists() or (part and part not in parts(to)):
                lost.append((link, part))
    assert not lost, lost


def prose(page):
    return re.sub(r"```.*?```", "", page.read_text(), flags=re.S)


def parts(page):
    """What headings are called in links."""
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", prose(page), re.M)}
