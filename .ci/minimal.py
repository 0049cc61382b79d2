"""Compiles the library with the lowest versions that Cargo.toml allows for its dependencies.

It does so in a copy without dev-dependencies and workspace. Packages such as actix-ws and sqlx require
newer versions of shared dependencies, and users of the crate do not build them.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

root = pathlib.Path(__file__).resolve().parent.parent
left_out = re.compile(r"\[(dev-dependencies|\[example|workspace|profile)\b")
# `-Z direct-minimal-versions` is not stable yet.
environment = os.environ | {
    "RUSTC_BOOTSTRAP": "1",
    "CARGO_TARGET_DIR": str(root / "target" / "minimal"),
}


def cargo(*arguments, **options):
    subprocess.run(["cargo", *arguments], check=True, env=environment, **options)


with tempfile.TemporaryDirectory() as copy:
    tables = re.split(r"^(?=\[)", (root / "Cargo.toml").read_text(), flags=re.MULTILINE)
    manifest = "".join(table for table in tables if not left_out.match(table))
    # The copy has no workspace to inherit the lints from.
    manifest = manifest.replace("[lints]\nworkspace = true\n", "")
    (pathlib.Path(copy) / "Cargo.toml").write_text(manifest)
    shutil.copytree(root / "src", pathlib.Path(copy) / "src")
    cargo("generate-lockfile", "-Z", "direct-minimal-versions", cwd=copy)
    cargo("check", "--lib", "--all-features", "--locked", cwd=copy)
