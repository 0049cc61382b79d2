"""Checks that imports between the modules of `src/` point one way and form no cycle.

A top-level module may import modules on its own level of `ORDER` or on a lower one. Files must not
import each other in a cycle. Test code, comments and strings are ignored. Importing a re-exported name
counts as an import of the file that defines it. Each `mod.rs` must begin with a `//!` comment.

    imports.py [--depth]     check; --depth prints the longest import path
    imports.py --self-test   check this script against small module trees
"""

import pathlib
import re
import sys
import tempfile

# From the lowest level to the highest.
ORDER = [
    ["refusal_reason", "request", "expiring_map"],
    ["retry_later"],
    ["revocation", "authenticator"],
    ["session"],
    ["decision", "diagnostics"],
    ["response"],
    ["config", "session_errors", "anonymous_ttl"],
    ["context", "builder"],
    ["user", "logout"],
    ["middleware"],
    ["lib", "fuzzing", "guide", "test"],
]

IGNORED = re.compile(
    r'//[^\n]*|/\*.*?\*/'  # comments
    r'|\bb?r(#*)".*?"\1|\bb?"(?:\\.|[^"\\])*"|"(?:\\.|[^"\\])*"'  # strings
    r"|'(?:\\[^\n]+?|[^'\\\n])'",  # characters, but no lifetimes
    re.DOTALL,
)
TEST_ONLY = re.compile(r"#\[cfg\((?:test|all\(test\b[^\]]*)\)\]")
USE = re.compile(r"\buse\s+([^;]+);")
FILE_MODULE = re.compile(r"\bmod\s+(?:r#)?(\w+)\s*;")
INLINE_MODULE = re.compile(r"\bmod\s+(\w+)\s*\{")
PATH = re.compile(r"(?<![\w:])(?:\$?crate|[a-z_]\w*)(?:::\w+)+")


def block_end(text, start):
    """The end of the first block or statement after `start`."""
    depth = 0
    for at in range(start, len(text)):
        if text[at] in "{([":
            depth += 1
        elif text[at] in "})]":
            depth -= 1
            if depth == 0 and text[at] == "}":
                return at + 1
        elif text[at] == ";" and depth == 0:
            return at + 1
    return len(text)


def code(text):
    """The source text without comments, strings and test-only items."""
    text = IGNORED.sub(lambda found: "" if found[0].startswith("/") else '""', text)
    while found := TEST_ONLY.search(text):
        text = text[: found.start()] + text[block_end(text, found.end()) :]
    return text


def flattened(tree, prefix=()):
    """The paths in a `use` tree, each with the name that it brings into scope."""
    tree = tree.strip()
    if "{" not in tree:
        path, _, alias = tree.partition(" as ")
        path = prefix + tuple(part.strip() for part in path.split("::") if part.strip())
        path = path[:-1] if path[-1] == "self" and len(path) > 1 else path
        return [(path, alias.strip() or path[-1])]
    head, _, inner = tree.partition("{")
    inner = inner.rpartition("}")[0]
    prefix += tuple(part.strip() for part in head.split("::") if part.strip())
    parts, depth, part = [], 0, ""
    for letter in inner + ",":
        depth += (letter == "{") - (letter == "}")
        if letter == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += letter
    return [path for part in parts if part.strip() for path in flattened(part, prefix)]


class Tree:
    """The modules of a crate, by module path. The path of lib.rs is empty."""

    def __init__(self, root):
        self.root = root
        self.files = {}  # module -> file
        self.names = {}  # module -> {name that a `use` brings into scope: its path}
        self.paths = []  # (module, path that occurs in its code)
        self.add((), root / "lib.rs")
        self.imports = {file: set() for file in self.files.values()}
        for module, path in self.paths:
            target = self.resolve(module, path)
            if target is not None and target != self.files[module]:
                self.imports[self.files[module]].add(target)

    def add(self, module, file):
        self.read(module, file, code(file.read_text()))

    def read(self, module, file, text):
        self.files[module] = file
        while found := INLINE_MODULE.search(text):
            end = block_end(text, found.end() - 1)
            self.read((*module, found[1]), file, text[found.end() : end - 1])
            text = text[: found.start()] + text[end:]
        uses = [use for found in USE.finditer(text) for use in flattened(found[1])]
        self.names[module] = {name: path for path, name in uses if name not in ("*", "_")}
        self.paths += [(module, path) for path, _ in uses]
        inline = PATH.findall(USE.sub("", text))
        self.paths += [(module, tuple(path.lstrip("$").split("::"))) for path in inline]
        for found in FILE_MODULE.finditer(text):
            folder = self.root.joinpath(*module)
            single, nested = folder / f"{found[1]}.rs", folder / found[1] / "mod.rs"
            self.add((*module, found[1]), nested if nested.is_file() else single)

    def resolve(self, module, path, seen=frozenset()):
        """The file that defines the item at `path`, or None if the item is in another crate."""
        rest = list(path)
        if rest[0] == "crate":
            at, rest = (), rest[1:]
        elif rest[0] in ("self", "super"):
            at = module
            while rest and rest[0] in ("self", "super"):
                at = at[:-1] if rest[0] == "super" else at
                rest = rest[1:]
        elif (*module, rest[0]) in self.files:
            at = module
        else:
            return None
        while rest and (*at, rest[0]) in self.files:
            at, rest = (*at, rest[0]), rest[1:]
        if rest and rest[0] in self.names[at] and (at, rest[0]) not in seen:
            seen |= {(at, rest[0])}
            return self.resolve(at, self.names[at][rest[0]], seen) or None
        return self.files[at]

    def name(self, file):
        return str(file.relative_to(self.root).with_suffix("")).removesuffix("/mod")

    def top(self, file):
        return self.name(file).split("/")[0]


def components(imports):
    """Strongly connected components, each after the components that it imports (Tarjan's algorithm)."""
    index, low, stack, found = {}, {}, [], []

    def visit(file):
        index[file] = low[file] = len(index)
        stack.append(file)
        for target in sorted(imports[file]):
            if target not in index:
                visit(target)
            if target in stack:
                low[file] = min(low[file], low[target])
        if low[file] == index[file]:
            at = stack.index(file)
            found.append(stack[at:])
            del stack[at:]

    for file in sorted(imports):
        if file not in index:
            visit(file)
    return found


def faults(tree, order):
    level = {module: number for number, modules in enumerate(order) for module in modules}
    present = {tree.top(file) for file in tree.files.values()}
    for module in sorted(present - level.keys()):
        yield f"module {module} is missing from ORDER: add it there"
    for module in sorted(level.keys() - present):
        yield f"ORDER contains module {module}, which does not exist in src/: remove it there"
    for file in sorted(tree.imports):
        for target in sorted(tree.imports[file]):
            above, below = level.get(tree.top(target)), level.get(tree.top(file))
            if None not in (above, below) and above > below:
                yield f"{tree.name(file)} must not use {tree.name(target)}, which is on a higher level"
    for files in components(tree.imports):
        if len(files) > 1:
            arrows = [
                f"{tree.name(file)} -> {tree.name(target)}"
                for file in sorted(files)
                for target in sorted(tree.imports[file])
                if target in files
            ]
            yield "\n    ".join([f"{len(files)} files import each other in a cycle:", *arrows])
    for file in sorted(set(tree.files.values())):
        if file.name == "mod.rs" and not file.read_text().startswith("//!"):
            yield f"{tree.name(file)}/mod.rs must begin with a //! comment"


def longest_path(tree):
    """The longest chain of imports that starts at lib.rs, ignoring imports inside a cycle."""
    longest, component = {}, {}
    for number, files in enumerate(components(tree.imports)):
        component |= dict.fromkeys(files, number)
        for file in files:
            targets = sorted(tree.imports[file])
            below = [longest[it] for it in targets if component[it] != number]
            longest[file] = [file, *max(below, key=len, default=[])]
    return [tree.name(file) for file in longest[tree.root / "lib.rs"]]


def self_test():
    order = [["low"], ["mid", "side"], ["high"], ["lib"]]
    good = {
        "lib.rs": "mod low; mod mid; mod side; mod high; pub use high::High;",
        "low.rs": "pub struct Low;",
        "mid/mod.rs": "//! Mid.\nmod a; mod b; pub use a::A; pub use b::B;",
        "mid/a.rs": "use super::b::B; pub struct A(B);",
        "mid/b.rs": "pub struct B;",
        "side.rs": "use crate::mid::A; pub struct Side(A);",
        "high.rs": "use crate::{low::Low, mid::{self, B}}; pub struct High(Low, B, mid::A);",
    }
    upward = "must not use high"
    cases = [
        ("a good tree", {}, None),
        ("a name that a module re-exports", {"mid/a.rs": "use super::B; pub struct A(B);"}, None),
        ("a comment", {"low.rs": "/// `crate::high::High`\n/* use crate::high; */ pub struct Low;"}, None),
        ("a string", {"low.rs": 'const X: &str = "use crate::high::High;";'}, None),
        ("a test", {"low.rs": "#[cfg(test)]\nmod tests { use crate::high::High; }"}, None),
        ("a file of tests", {"low.rs": "#[cfg(test)] mod tests;", "low/tests.rs": "use crate::high;"}, None),
        ("an import upward", {"low.rs": "use crate::high::High;"}, upward),
        ("an import behind a test", {"low.rs": "#[cfg(test)] mod t { }\nuse crate::high::High;"}, upward),
        ("nested braces", {"low.rs": "use crate::{\n    high::{\n        High as H,\n    },\n};"}, upward),
        ("an inline path", {"low.rs": "fn low() { crate::high::high(); }"}, upward),
        ("super", {"low.rs": "fn low(_: super::high::High) {}"}, upward),
        ("super in an inline module", {"low.rs": "mod x { use super::super::high::High; }"}, upward),
        ("a re-export of lib.rs", {"low.rs": "use crate::High;"}, upward),
        ("a name of lib.rs", {"low.rs": "use crate::Other;"}, "low must not use lib"),
        ("a cycle in a folder", {"mid/b.rs": "use super::a::A; pub struct B;"}, "mid/a -> mid/b\n    mid/b -> mid/a"),
        ("a cycle with mod.rs", {"mid/b.rs": "use super::own; pub struct B;",
            "mid/mod.rs": "//! Mid.\nmod a; mod b; pub use a::A; pub use b::B; fn own() { b::B; }"}, "in a cycle"),
        ("a cycle on one level", {"mid/a.rs": "use crate::side::Side; pub struct A;"}, "in a cycle"),
        ("an unknown module", {"lib.rs": good["lib.rs"] + "mod new;", "new.rs": ""}, "new is missing from ORDER"),
        ("a missing module", {"lib.rs": "mod low; mod mid; mod high;"}, "ORDER contains module side"),
        ("no comment in mod.rs", {"mid/mod.rs": good["mid/mod.rs"][9:]}, "must begin with a //!"),
    ]
    for title, change, expected in cases:
        with tempfile.TemporaryDirectory() as folder:
            for name, text in (good | change).items():
                file = pathlib.Path(folder, name)
                file.parent.mkdir(exist_ok=True)
                file.write_text(text)
            tree = Tree(pathlib.Path(folder))
            found = list(faults(tree, order))
            if found if expected is None else not any(expected in fault for fault in found):
                sys.exit(f"self-test, {title}: expected {expected!r}, found {found}")
            if title == "a good tree" and longest_path(tree) != ["lib", "high", "mid", "mid/a", "mid/b"]:
                sys.exit(f"self-test: the longest path is not {longest_path(tree)}")
    print(f"self-test: {len(cases)} module trees give the expected result")


if "--self-test" in sys.argv[1:]:
    self_test()
    sys.exit()
tree = Tree(pathlib.Path("src"))
if "--depth" in sys.argv[1:]:
    path = longest_path(tree)
    print(f"longest import path (without cycles): {len(path)} files: {' -> '.join(path)}")
if found := list(faults(tree, ORDER)):
    sys.exit("\n".join(found))
print(f"imports of {len(tree.imports)} files follow the module order and form no cycle")
