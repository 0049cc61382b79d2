"""Checks that `rust-version` is the highest `rust-version` of the dependencies in a default build."""

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
# The workspace enables every feature for its tests, so the graph contains these dependencies, too.
optional = {
    dependency["name"] for dependency in packages[root]["dependencies"] if dependency["optional"]
}


def highest(left_out):
    """The highest `rust-version` in a user's build, and the name of the package that declares it.

    A user builds neither dev-dependencies nor the dependencies of the other workspace members.
    """
    built, queue = set(), [root]
    while queue:
        id = queue.pop()
        if id in built:
            continue
        built.add(id)
        for dependency in nodes[id]["deps"]:
            name = packages[dependency["pkg"]]["name"]
            if id == root and name in left_out:
                continue
            if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"]):
                queue.append(dependency["pkg"])
    return max(
        (number(packages[id]["rust_version"]), packages[id]["name"])
        for id in built
        if id != root and packages[id]["rust_version"]
    )


least, name = highest(left_out=optional)
own = number(packages[root]["rust_version"])
if own != least:
    sys.exit(f"rust-version is {own}, but dependency {name} requires {least}: change it in Cargo.toml")
print(f"rust-version {own[0]}.{own[1]} is what dependency {name} requires")
with_features, name = highest(left_out=set())
if with_features > own:
    sys.exit(f"optional dependency {name} requires {with_features}: document that in README.md, and allow it here")
print("the optional dependencies require no later version")
