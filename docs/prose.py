"""Refuse the wording that docs/style.md lists: `python docs/prose.py [FILE ...]`.

Reads Markdown, and the docstrings, comments and messages of Python files. Code in Markdown is left
out, and so are strings without a space, which are names and not prose.
"""

import argparse
import ast
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
STYLE = ROOT / "docs" / "style.md"
TABLE_HEAD = "| refused | write |"
SUFFIXES = {".md", ".py", ".yaml", ".yml", ".toml"}


class Rule(NamedTuple):
    """A phrase that is refused, and what to write in its place."""

    pattern: re.Pattern[str]
    advice: str


class Passage(NamedTuple):
    """A piece of prose, and the line of the file where it starts."""

    line: int
    text: str


class Finding(NamedTuple):
    """A refused phrase in a file."""

    path: Path
    line: int
    phrase: str
    advice: str

    def __str__(self) -> str:
        phrase = " ".join(self.phrase.split())
        return f"{self.path}:{self.line}: “{phrase}”: write {self.advice}"


def main(arguments: list[str] | None = None) -> int:
    """Print the findings in the named files and folders, or in all that Git knows.

    Args:
        arguments: Those of the command line; None reads them from there.

    Returns:
        The exit code: 1 if anything was found.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path, metavar="FILE")
    named = parser.parse_args(arguments).paths
    rules = read_rules(STYLE.read_text(encoding="utf-8"))
    files = find_files(named) if named else without_excluded(find_files([ROOT]))
    findings = [finding for path in files for finding in check_file(path, rules)]
    for finding in findings:
        print(finding)
    return bool(findings)


def find_files(paths: list[Path]) -> list[Path]:
    """List the files with prose below the paths that Git tracks or would add."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    command += ["--", *(str(path.resolve()) for path in paths)]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    files = sorted({ROOT / name for name in names})
    return [path for path in files if path.is_file() and has_prose(path)]


def has_prose(path: Path) -> bool:
    """Whether the linter can read a file; the page that lists the phrases is left out."""
    return path != STYLE and (path.suffix in SUFFIXES or path.name == "Makefile")


def without_excluded(files: list[Path]) -> list[Path]:
    """Leave out what `[tool.prose]` in pyproject.toml excludes from a run over everything."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    excluded = [ROOT / name for name in tools["prose"]["exclude"]]
    return [path for path in files if not any(path.is_relative_to(other) for other in excluded)]


def read_rules(page: str) -> list[Rule]:
    """Read the rules from the table of refused wording on the style page."""
    _, _, table = page.partition(TABLE_HEAD)
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if "`" in line]
    return [
        Rule(compile_phrase(phrase), advice)
        for refused, advice in rows
        for phrase in re.findall(r"`([^`]+)`", refused)
    ]


def compile_phrase(phrase: str) -> re.Pattern[str]:
    """Turn a phrase of the table into a pattern over whole words and any white space."""
    words = [re.escape(word).replace(r"\*", "[a-z]*") for word in phrase.split()]
    end = "" if phrase.endswith(".") else r"\b"
    flags = re.IGNORECASE if phrase.islower() else re.NOFLAG
    return re.compile(r"\b" + r"\s+".join(words) + end, flags)


def check_file(path: Path, rules: list[Rule]) -> Iterator[Finding]:
    """Yield what is refused in a file."""
    for passage in read_passages(path):
        for line, phrase, advice in check_passage(passage, rules):
            yield Finding(path.relative_to(ROOT), line, phrase, advice)


def check_passage(passage: Passage, rules: list[Rule]) -> Iterator[tuple[int, str, str]]:
    """Yield line, phrase and advice of each refused phrase in a passage."""
    for rule in rules:
        for match in rule.pattern.finditer(passage.text):
            line = passage.line + passage.text.count("\n", 0, match.start())
            yield line, match.group(), rule.advice


def read_passages(path: Path) -> list[Passage]:
    """Split a file into its passages of prose."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return [Passage(1, without_code(text))]
    if path.suffix == ".py":
        return [*string_passages(text), *comment_passages(text)]
    return comment_lines(text)


def without_code(markdown: str) -> str:
    """Blank out the code of a Markdown text, and keep its line breaks."""
    code = re.compile(r"^```.*?^```|^( {4}).*?$|`[^`]*`", re.MULTILINE | re.DOTALL)
    return code.sub(lambda match: "\n" * match.group().count("\n"), markdown)


def string_passages(source: str) -> list[Passage]:
    """Find the strings of a module that hold a space: docstrings and messages."""
    strings = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    return [
        Passage(node.lineno, node.value)
        for node in strings
        if isinstance(node.value, str) and " " in node.value
    ]


def comment_passages(source: str) -> list[Passage]:
    """Join the comments on consecutive lines of a module."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = [token for token in tokens if token.type == tokenize.COMMENT]
    return join_lines([(token.start[0], token.string.lstrip("# ")) for token in comments])


def comment_lines(text: str) -> list[Passage]:
    """Join the comments on consecutive lines of a file in which `#` starts one."""
    lines = enumerate(text.splitlines(), start=1)
    return join_lines([(n, line.split("#", 1)[1].strip()) for n, line in lines if "#" in line])


def join_lines(lines: list[tuple[int, str]]) -> list[Passage]:
    """Join numbered lines into passages of lines that follow each other."""
    passages: list[Passage] = []
    for number, text in lines:
        last = passages[-1] if passages else None
        if last and last.line + last.text.count("\n") + 1 == number:
            passages[-1] = Passage(last.line, f"{last.text}\n{text}")
        else:
            passages.append(Passage(number, text))
    return passages


if __name__ == "__main__":
    sys.exit(main())
