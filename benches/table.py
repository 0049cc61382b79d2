#!/usr/bin/env python3
"""Measures what each request costs, and prints it as one table.

`benches/table.py` runs the benchmarks `time` and `instructions`. `--write` replaces the table in `benches/README.md`.
"""

import json
import re
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCH = ["cargo", "bench", "-p", "benchmarks", "--locked", "--bench"]
COOKIE = "session (private cookie)"
ROUNDS = 7

# Each target: its name; two cases, whose difference in cost is divided by the difference of two other cases; and the
# largest allowed ratio.
TARGETS = [
    ("logged in, beyond the session, to httpauth with a trivial validator, beyond nothing",
     ("logged in (private cookie)", COOKIE), ("httpauth", "bare handler"), 1.0),
    ("the same, signed cookie",
     ("logged in (signed cookie)", "session (signed cookie)"), ("httpauth", "bare handler"), 1.0),
    ("the same, in memory",
     ("logged in (in memory)", "session (in memory)"), ("httpauth", "bare handler"), 1.0),
    ("the most expensive refusal, to a request of a logged-in user",
     ("refused", None), ("logged in (private cookie)", None), 3.0),
    ("a non-browser client, to httpauth with the same authenticator, both inside the session",
     ("non-browser client", None), ("httpauth, session: non-browser client", None), 1.3),
]


def run(bench, *arguments):
    command = [*BENCH, bench, "--", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}")
    return done.stdout


def names():
    listed = run("time", "--list").splitlines()
    return [line.removesuffix(": benchmark") for line in listed if line.endswith(": benchmark")]


def nanoseconds():
    """The time of the fastest twentieth of all samples, because load can only make a sample slower."""
    samples = {}
    for _ in range(ROUNDS):
        run("time", "--warm-up-time=0.3", "--measurement-time=1")
        for path in (ROOT / "target/criterion").glob("*/new/benchmark.json"):
            name = json.loads(path.read_text())["full_id"]
            sample = json.loads(path.with_name("sample.json").read_text())
            each = [time / iterations for time, iterations in zip(sample["times"], sample["iters"])]
            samples.setdefault(name, []).extend(each)
    return {name: sorted(each)[len(each) // 20] for name, each in samples.items()}


def instructions(names):
    """The median of all rounds: the seeds of hash maps and what is encrypted change a count a little."""
    counts = {}
    for _ in range(ROUNDS):
        for line in run("instructions", "--output-format=json").splitlines():
            if not line.startswith("{"):
                continue
            summary = json.loads(line)
            number = int(summary["id"].rsplit("_", 1)[1])
            [callgrind] = [it for it in summary["profiles"] if it["tool"] == "Callgrind"]
            count = callgrind["data"]["total"]["metrics"]["Ir"]["values"]["new"]
            counts.setdefault(names[number], []).append(count)
    return {name: statistics.median(each) for name, each in counts.items()}


def cost(figures, of, over):
    if of == "refused":
        return max(value for name, value in figures.items() if name.startswith("refused: "))
    return figures[of] - (figures[over] if over else 0)


def table(names, columns):
    lines = ["| | time | | instructions | |", "|---|--:|--:|--:|--:|"]
    for name in names:
        row = f"| {name} "
        for figures, unit, scale in columns:
            row += f"| {figures[name] / scale:.2f} {unit} | {figures[name] / figures[COOKIE]:.2f} "
        lines.append(row + "|")
    return "\n".join(lines)


def targets(columns):
    lines = ["| | time | instructions | at most |", "|---|--:|--:|--:|"]
    for name, first, second, most in TARGETS:
        ratios = [cost(figures, *first) / cost(figures, *second) for figures, _, _ in columns]
        lines.append(f"| {name} | " + " | ".join(f"{it:.2f}" for it in ratios) + f" | {most} |")
    return "\n".join(lines)


def write(path, marker, text):
    pattern = re.compile(f"(<!-- {marker} -->\n).*?(<!-- /{marker} -->)", re.DOTALL)
    old = path.read_text()
    new, places = pattern.subn(lambda it: it[1] + text + "\n" + it[2], old)
    if places != 1:
        sys.exit(f"{path} has {places} places for {marker}, not one")
    path.write_text(new)


def main():
    if sys.argv[1:] not in ([], ["--write"]):
        sys.exit(__doc__)
    all_names = names()
    columns = [(nanoseconds(), "µs", 1000), (instructions(all_names), "k", 1000)]
    requests, ratios = table(all_names, columns), targets(columns)
    print(requests, ratios, sep="\n\n")
    if sys.argv[1:] == ["--write"]:
        write(ROOT / "benches/README.md", "requests", requests)
        write(ROOT / "benches/README.md", "targets", ratios)


if __name__ == "__main__":
    main()
