from pathlib import Path

import pytest

import prose

PAGE = """
| refused | write |
|---|---|
| `of whom`, `judg*` | something else |
| `It does.` | a sentence |
"""


def phrases(tmp_path: Path, name: str, text: str) -> list[tuple[int, str]]:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return [
        (line, phrase)
        for passage in prose.read_passages(path)
        for line, phrase, _ in prose.check_passage(passage, prose.read_rules(PAGE))
    ]


def test_markdown_is_checked_outside_its_code(tmp_path: Path) -> None:
    text = "A `judge`.\n\n```\njudged\n```\n\n    judging\n\nUsers of\nwhom we know.\n"
    assert phrases(tmp_path, "page.md", text) == [(9, "of\nwhom")]


def test_docstrings_messages_and_comments_of_python_are_checked(tmp_path: Path) -> None:
    docstring = '"""Judged by\nnumbers."""\n'
    message = 'raise ValueError(f"users of whom {x}")\n'
    comment = "x = 1  # as\n# users of\n# whom\n"
    assert phrases(tmp_path, "module.py", docstring + message + comment) == [
        (1, "Judged"),
        (3, "of whom"),
        (5, "of\nwhom"),
    ]


def test_names_in_python_are_not_prose(tmp_path: Path) -> None:
    assert phrases(tmp_path, "module.py", 'judge = {"judged": 1}\n') == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("JUDGED", 1),
        ("misjudged", 0),
        ("judge_predictions", 0),
        ("It does. Yes", 1),
        ("it does.", 0),
    ],
)
def test_a_phrase_is_whole_words_in_any_case_unless_it_has_a_capital(
    tmp_path: Path, text: str, count: int
) -> None:
    assert len(phrases(tmp_path, "page.md", text)) == count


def test_comments_of_makefiles_and_yaml_are_checked(tmp_path: Path) -> None:
    assert phrases(tmp_path, "Makefile", "judge:\n\techo  # of whom\n") == [(2, "of whom")]


def test_the_style_page_has_rules_and_is_itself_not_checked() -> None:
    rules = prose.read_rules(prose.STYLE.read_text(encoding="utf-8"))
    assert len(rules) > 20
    assert all(rule.advice for rule in rules)
    assert not prose.has_prose(prose.STYLE)


def test_the_linter_names_file_line_phrase_and_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prose, "ROOT", tmp_path)
    (tmp_path / "a.md").write_text("One\nof  whom.", encoding="utf-8")
    findings = prose.check_file(tmp_path / "a.md", prose.read_rules(PAGE))
    assert [str(finding) for finding in findings] == ["a.md:2: “of whom”: write something else"]
