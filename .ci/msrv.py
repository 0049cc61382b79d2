"""Compares `rust-version` with the highest that the default build's dependencies declare."""

import json
import subprocess
import sys


def number(version):
    return tuple(int(part) for part in version.split("."))[:2]


metadata = json.loads(
    subprocess.check_output(["cargo", "metadata", "--format-version", "1", "--locked"])
)
packages = {package["id"]: package for package in metadata["packages"]}
nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
root = next(id for id, package in packages.items() if package["name"] == "actix-basic-logout")

# What a user of the crate builds: neither dev-dependencies nor those of the browser suite.
built, queue = set(), [root]
while queue:
    id = queue.pop()
    if id in built:
        continue
    built.add(id)
    for dependency in nodes[id]["deps"]:
        if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"]):
            queue.append(dependency["pkg"])

declared = [
    (number(packages[id]["rust_version"]), packages[id]["name"])
    for id in built
    if id != root and packages[id]["rust_version"]
]
least, name = max(declared)
own = number(packages[root]["rust_version"])
if own != least:
    sys.exit(f"rust-version is {own}, but {name} needs {least}")
print(f"rust-version {own[0]}.{own[1]} is what {name} needs")
