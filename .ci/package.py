"""Checks what `cargo package` puts into the crate: what a user builds and reads, and nothing else."""

import pathlib
import re
import subprocess
import sys

# In total, before compression: what crates.io would show for years deserves a second look.
LIMIT = 1_500_000


def lines(*command):
    return set(subprocess.check_output(command, text=True).splitlines())


packed = lines("cargo", "package", "--list", "--locked", "--allow-dirty")
expected = {
    # Made by cargo.
    ".cargo_vcs_info.json",
    "Cargo.toml.orig",
    "Cargo.lock",
    "Cargo.toml",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "DESIGN.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "SECURITY.md",
} | {
    path
    for path in lines("git", "ls-files", "src", "examples", "docs")
    # A package of its own.
    if not path.startswith("examples/database/")
}
# Cargo leaves it out where there are changes that are not committed.
packed.add(".cargo_vcs_info.json")
wrong = [f"{path} is missing" for path in expected - packed]
wrong += [f"{path} does not belong there" for path in packed - expected]

pattern = re.compile(r'include_(?:str|bytes)!\("([^"]+)"\)')
for source in (path for path in packed if path.endswith(".rs")):
    for included in pattern.findall(pathlib.Path(source).read_text()):
        file = (pathlib.Path(source).parent / included).resolve()
        if str(file.relative_to(pathlib.Path.cwd())) not in packed:
            wrong.append(f"{included}, which {source} includes, is missing")

size = sum(pathlib.Path(path).stat().st_size for path in packed if pathlib.Path(path).exists())
if size > LIMIT:
    wrong.append(f"{size} bytes are more than {LIMIT}")
if wrong:
    sys.exit("The package is not what it should be:\n" + "\n".join(sorted(wrong)))
print(f"{len(packed)} files, {size} bytes")
