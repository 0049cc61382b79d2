"""Runs real programs and simple browsers against the demo, and compares what it saw with CLIENTS.md.

`--write` writes the file instead. `.ci/run` installs the clients. See README.md.
"""

import argparse
import difflib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import automation
import browsers
import programs
from recorder import Recorder

HERE = Path(__file__).parent
TABLE = HERE / "CLIENTS.md"


class Demo:
    """The demo as a child process, on a free port."""

    def __enter__(self):
        root = HERE.parent.parent
        subprocess.run(["cargo", "build", "-q", "--example", "admin", "--locked"], cwd=root, check=True)
        target = Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
        self.process = subprocess.Popen(
            [target / "debug/examples/admin"],
            env={**os.environ, "ADDR": "127.0.0.1:0"},
            stdout=subprocess.PIPE,
            text=True,
        )
        return self.process.stdout.readline().split("/")[2]

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def table(head, rows):
    line = lambda cells: f"| {' | '.join(cells)} |\n"
    return line(head) + line("---" for _ in head) + "".join(map(line, rows))


def without_versions(text):
    """The table without its second column."""
    return [re.sub(r"^(\| [^|]* \|)[^|]*\|", r"\1", it) for it in text.splitlines()]


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--write", action="store_true", help="write CLIENTS.md")
    arguments.add_argument("only", nargs="*", help="only these clients; nothing is compared")
    arguments = arguments.parse_args()
    known = [it.name for it in programs.ALL + browsers.ALL]
    if unknown := set(arguments.only) - set(known):
        sys.exit(f"unknown: {', '.join(unknown)}. Known: {', '.join(known)}")
    home = HERE.parent.parent / "target/clients"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    with Demo() as address:
        recorder = Recorder(address)
        is_wanted = lambda it: not arguments.only or it.name in arguments.only
        program_rows = [it.row(recorder, home) for it in filter(is_wanted, programs.ALL)]
        browser_rows = [it.row(recorder, home) for it in filter(is_wanted, browsers.ALL)]
        if not arguments.only:
            automation.run_guide(recorder.url, home)
    text = (
        "# Results of real clients\n\n"
        "`run.py` produced this file. [README.md](README.md) explains the columns.\n\n"
        "## Programs\n\n"
        f"{table(programs.HEAD, program_rows)}\n"
        "## Simple browsers and QtWebEngine\n\n"
        f"{table(browsers.HEAD, browser_rows)}"
    )
    if arguments.only:
        print(text)
    elif arguments.write:
        TABLE.write_text(text)
    elif without_versions(TABLE.read_text()) != without_versions(text):
        old, new = TABLE.read_text().splitlines(), text.splitlines()
        sys.exit("CLIENTS.md differs from what the clients did:\n" + "\n".join(difflib.unified_diff(old, new, lineterm="")))
    else:
        print(f"{len(program_rows) + len(browser_rows)} results agree with CLIENTS.md")


main()
