"""Compares the state tables in DESIGN.md with their data files; `--write` updates the copies.

Each copy is between `<!-- table: PATH -->` and `<!-- /table -->`. It contains the column names and the rows,
without the comments.
"""

import pathlib
import re
import sys

DOCUMENT = pathlib.Path("DESIGN.md")
BLOCK = re.compile(r"<!-- table: (\S+) -->\n.*?<!-- /table -->", re.DOTALL)


def renewed(block):
    path = block[1]
    lines = pathlib.Path(path).read_text().splitlines()
    # The rows contain `->`. Of the comments, only the line with the column names does.
    shown = [line for line in lines if "->" in line]
    return "\n".join([f"<!-- table: {path} -->", "```text", *shown, "```", "<!-- /table -->"])


text = DOCUMENT.read_text()
shown = {pathlib.Path(block[1]) for block in BLOCK.finditer(text)}
if unknown := sorted(str(path) for path in shown if not path.is_file()):
    sys.exit(f"{DOCUMENT} has a block for {', '.join(unknown)}, but the file does not exist")

new = BLOCK.sub(renewed, text)
if "--write" in sys.argv[1:]:
    DOCUMENT.write_text(new)
elif new != text:
    stale = [block[1] for block in BLOCK.finditer(text) if renewed(block) != block[0]]
    sys.exit(
        f"{DOCUMENT} differs from {', '.join(stale)}: run `python3 .ci/tables.py --write`"
    )
else:
    print(f"all {len(shown)} tables in {DOCUMENT} agree with their data files")
