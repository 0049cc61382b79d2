"""Checks that every test named in the documentation exists.

SECURITY.md and DESIGN.md refer to tests as `path/to/file.rs: name_of_the_test` or by the name alone.
"""

import pathlib
import re
import subprocess
import sys

tracked = subprocess.check_output(["git", "ls-files"], text=True).splitlines()
present = [path for path in tracked if pathlib.Path(path).exists()]
sources = {path: pathlib.Path(path).read_text() for path in present if path.endswith(".rs")}
functions = {name for text in sources.values() for name in re.findall(r"\bfn (\w+)", text)}

wrong, count = [], 0
for document in (path for path in present if path.endswith(".md")):
    text = pathlib.Path(document).read_text()
    for path, name in re.findall(r"`([\w/.]+\.rs):\s+(\w+)`", text):
        count += 1
        if path not in sources:
            wrong.append(f"{document}: file {path} does not exist")
        elif not re.search(rf"\bfn {name}\b", sources[path]):
            wrong.append(f"{document}: {path} has no test {name}")
    # An identifier of four or more words is taken for the name of a test.
    for name in re.findall(r"`([a-z0-9]+(?:_[a-z0-9]+){3,})`", text):
        count += 1
        if name not in functions:
            wrong.append(f"{document}: test {name} does not exist")
if wrong or not count:
    sys.exit("\n".join(wrong) or "found no test name in the documentation")
print(f"all {count} test names in the documentation exist")
