"""Compares the state tables in DESIGN.md with their data files; `--write` renews the copies.

A copy stands between `<!-- table: PATH -->` and `<!-- /table -->`.
"""

import pathlib
import re
import sys

DOCUMENT = pathlib.Path("DESIGN.md")
TABLES = pathlib.Path("src/decision/tables")
BLOCK = re.compile(r"<!-- table: (\S+) -->\n.*?<!-- /table -->", re.DOTALL)


def renewed(block):
    path = block[1]
    data = pathlib.Path(path).read_text().rstrip("\n")
    return f"<!-- table: {path} -->\n```text\n{data}\n```\n<!-- /table -->"


text = DOCUMENT.read_text()
shown = {pathlib.Path(block[1]) for block in BLOCK.finditer(text)}
if missing := sorted(str(path) for path in set(TABLES.glob("*.txt")) - shown):
    sys.exit(f"{DOCUMENT} lacks a block for {', '.join(missing)}")
if unknown := sorted(str(path) for path in shown if not path.is_file()):
    sys.exit(f"{DOCUMENT} has a block for {', '.join(unknown)}, which does not exist")

new = BLOCK.sub(renewed, text)
if "--write" in sys.argv[1:]:
    DOCUMENT.write_text(new)
elif new != text:
    stale = [block[1] for block in BLOCK.finditer(text) if renewed(block) != block[0]]
    sys.exit(
        f"{DOCUMENT} differs from {', '.join(stale)}: run `python3 .ci/tables.py --write`"
    )
else:
    print(f"{len(shown)} tables in {DOCUMENT} agree with their data files")
