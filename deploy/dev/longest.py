"""Print the longest files and functions of our C sources: watch the tail, not the mean."""

import json
import subprocess
import sys
from pathlib import Path

SHOWN = 10


def sources():
    listed = subprocess.run(["git", "ls-files", "--", "*.c", "*.h"], capture_output=True, text=True, check=True)
    return listed.stdout.split()


def functions(paths):
    tags = subprocess.run(["ctags", "--output-format=json", "--fields=+ne", "--kinds-C=f", "-L", "-", "-o", "-"],
                          input="\n".join(paths), capture_output=True, text=True, check=True)
    for line in tags.stdout.splitlines():
        tag = json.loads(line)
        if "end" in tag:
            yield tag["end"] - tag["line"] + 1, tag["name"], tag["path"]


def show(title, rows):
    print(title)
    for row in sorted(rows, reverse=True)[:SHOWN]:
        print("  " + "  ".join(str(cell).rjust(5) if i == 0 else str(cell) for i, cell in enumerate(row)))


def main():
    paths = sources()
    if not paths:
        return 0
    show("longest files", [(len(Path(p).read_text(encoding="utf-8").splitlines()), p) for p in paths])
    show("longest functions", list(functions(paths)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
