"""What the pages of docs/ tell an operator to write, so that just that is tested."""

import re
from pathlib import Path

from fleet.servers import Failure

DOCS = Path(__file__).parents[2] / "docs"
PROXIES, RELAYS = DOCS / "proxies.md", DOCS / "relays.md"


def recipes(page):
    """The texts that have a name there."""
    return dict(re.findall(r"<!-- recipe: (\S+) -->\n```\w+\n(.*?)```", page.read_text(), re.DOTALL))


def blocks(page, language):
    """All texts of one language, named or not."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def replace(text, changes):
    """Each change must find its place: a recipe that says something else would not be what is tested."""
    for old, new in changes.items():
        if old not in text:
            raise Failure(f"the recipe does not say {old!r}:\n{text}")
        text = text.replace(old, new)
    return text
