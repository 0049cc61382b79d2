"""Rejects idioms that make the texts hard to read, in documentation, comments, strings and test names.

`--self-test` checks the rules themselves.
"""

import pathlib
import re
import subprocess
import sys

# A phrase, and a better way to write it.
PHRASES = {
    r"log-outs?": "logout (noun), log out (verb)",
    r"for ever": "again and again, or a time",
    r"but for": "except",
    r"anew": "again",
    r"(?:is|are|was|were|be|been) told": "name who tells what: a page says, a message is logged",
    r"(?:goes|go|went) on": "continues",
    r"on (?:its|their) way": "in flight",
    r"as good as": "like, or counts as",
    r"stay(?:s|ed)? at home": "is not sent",
    r"in the clear": "plaintext",
    r"whoever": "the user, the client, the attacker",
}
PHRASE = re.compile(rf"\b(?:{'|'.join(PHRASES)})\b", re.IGNORECASE)
# A sentence whose subject is a clause. A question is fine, and so is a heading, which has no full stop.
CLAUSE = re.compile(r"(?:^|[.!?:] +|[|*-] +)((?:Who|What)(?:'s)? [a-z][^.!?|]*[.|])", re.MULTILINE)
NAME = re.compile(r"^(?:who|whoever|what)_|_(?:for_ever|anew|told|log_outs)(?:_|$)")

TEST = re.compile(r"#\[(?:\w+::)*test\b[^\]]*\]\s*(?:#\[[^\]]*\]\s*)*(?:async\s+)?fn\s+(\w+)")
COMMENT = re.compile(r"^\s*(?://[/!]?|#)(?: |$)(.*)$")
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
FENCE = re.compile(r"^\s*(?:```|~~~)")


def paragraphs(path, lines):
    """Yields the number of the first line and the text of each paragraph of prose."""
    start, text, in_fence = 0, [], False
    for number, line in enumerate(lines, 1):
        if path.suffix == ".md":
            in_fence ^= bool(FENCE.match(line))
            # Code, unless it is a comment in code.
            prose = None if in_fence or FENCE.match(line) else re.sub(r"`[^`]*`", "`code`", line.strip())
            ends = not prose or prose[0] in "#|" or re.match(r"[-*] |\d+\. ", prose)
        else:
            found = COMMENT.match(line)
            prose = re.sub(r"`[^`]*`", "`code`", found[1].strip()) if found else None
            ends = not prose or re.match(r"[-*] |\d+\. |\|", prose)
        if ends and text:
            yield start, " ".join(text)
            text = []
        if prose:
            start = start if text else number
            text.append(prose)
        for string in STRING.findall(line) if path.suffix in {".rs", ".py", ".html", ".js"} and not prose else []:
            yield number, string
    if text:
        yield start, " ".join(text)


def findings(path, source):
    for number, text in paragraphs(path, source.splitlines()):
        for found in PHRASE.finditer(text):
            better = next(b for p, b in PHRASES.items() if re.fullmatch(p, found[0], re.IGNORECASE))
            yield number, f"“{found[0]}”: write {better}"
        for found in CLAUSE.finditer(text):
            yield number, f"“{found[1][:40]}…” begins with a clause as its subject: name the actor"
    if path.suffix == ".rs":
        for name in TEST.findall(source):
            if NAME.search(name):
                yield 0, f"test `{name}`: state a fact in plain English"


def self_test():
    bad = {
        "a.md": ["Who types is in.", "It runs, but\nfor one case.", "- What fails is an error.", "They prompt for ever."],
        "a.rs": ["// Log-out ends it.", "/// What is gone\n/// stays gone.", 'fail("asked anew")',
                 "#[test]\nfn what_is_long_is_refused() {}", "#[actix_web::test]\nasync fn client_is_told_once() {}"],
    }
    good = {
        "a.md": ["What ends a login?", "## What happens in the browser", "`but for` is quoted.", "```\nfor ever\n```"],
        "a.rs": ["// Logout ends it.", "/// What does it cost?", "fn whatever() {}", "#[test]\nfn login_ends() {}"],
    }
    for cases, expected in ((bad, True), (good, False)):
        for name, texts in cases.items():
            for text in texts:
                if bool(list(findings(pathlib.Path(name), text))) != expected:
                    sys.exit(f"self-test: {text!r} in {name} should be {'rejected' if expected else 'accepted'}")


if "--self-test" in sys.argv[1:]:
    self_test()
own = ".ci/plain_english.py"
tracked = subprocess.check_output(["git", "ls-files", "--cached", "--others", "--exclude-standard"], text=True)
kinds = {".md", ".rs", ".toml", ".txt", ".py", ".html", ".css", ".js", ".yml", ".sh", ""}
skipped = ("tests/fuzz/corpus/", "LICENSE", ".ci/public-api.txt")
count, checked = 0, 0
for name in tracked.split():
    path = pathlib.Path(name)
    if name == own or name.startswith(skipped) or path.suffix not in kinds or not path.is_file():
        continue
    checked += 1
    for number, message in findings(path, path.read_text()):
        print(f"{name}:{number}: {message}")
        count += 1
if count:
    sys.exit(f"{count} idioms: CONTRIBUTING.md, \"Conventions\", says what to write instead")
print(f"{checked} files are free of the listed idioms")
