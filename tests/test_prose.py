"""The rules of prose that a machine can check, held in every module of the package."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

PACKAGE: Final = Path(__file__).parents[1] / "unlearnlog"

QUESTION_WORDS: Final = frozenset(
    [
        "What",
        "How",
        "Who",
        "Whose",
        "Where",
        "Which",
        "Is",
        "Does",
        "Do",
        "Did",
        "Has",
        "Are",
        "Will",
        "May",
        "Can",
    ]
)
VAGUE: Final = re.compile(r"\b(nobody|somebody|anybody|whoever)\b", re.IGNORECASE)


def _modules() -> list[Path]:
    """List the modules of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def _error_names() -> frozenset[str]:
    """List the classes of ``unlearnlog/errors.py``."""
    tree = ast.parse((PACKAGE / "errors.py").read_text(encoding="utf-8"))
    return frozenset(n.name for n in tree.body if isinstance(n, ast.ClassDef))


ERRORS: Final = _error_names()


def _is_error(call: ast.Call) -> bool:
    """Return whether a call makes an error: one of the tool's, or Python's own."""
    name = ast.unparse(call.func).rpartition(".")[2]
    return name in ERRORS or name.endswith("Error")


def _texts(node: ast.AST) -> Iterator[str]:
    """Yield the texts in an expression, those in f-strings too."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value


def _vague_messages(tree: ast.Module) -> Iterator[str]:
    """Yield the parts of error messages with a vague pronoun."""
    for node in ast.walk(tree):
        match node:
            case ast.Call() if _is_error(node):
                yield from filter(VAGUE.search, _texts(node))
            case ast.Assign(targets=[ast.Name(id="message")], value=value):
                yield from filter(VAGUE.search, _texts(value))


def _is_question(docstring: str) -> bool:
    """Return whether a module's docstring opens as a question."""
    first = docstring.strip().partition("\n")[0]
    opening = re.match(r"[A-Za-z]*", first)
    return "?" in first or (opening is not None and opening[0] in QUESTION_WORDS)


def test_every_module_docstring_is_a_noun_phrase():
    questions = []
    for path in _modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstring = ast.get_docstring(tree) or "?"
        if _is_question(docstring):
            questions.append((str(path.relative_to(PACKAGE)), docstring[:60]))

    assert questions == []


def test_no_message_of_an_error_has_a_vague_pronoun():
    vague = []
    for path in _modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        name = str(path.relative_to(PACKAGE))
        vague += [(name, text) for text in _vague_messages(tree)]

    assert vague == []


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("What a judge is: a classifier.", True),
        ("Is every file still what was written?", True),
        ("A CLIP model: which words fit a picture best?", True),
        ("Judges of pictures: one file a judge.", False),
        ("Candidates of a name.\n\nWhich of them is it?", False),
    ],
)
def test_a_question_is_found(docstring, expected):
    assert _is_question(docstring) is expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('raise UsageError(f"{x}: nobody knows", fix="ask")', [": nobody knows"]),
        ('raise ModelError("no scale", fix="ask somebody")', ["ask somebody"]),
        ('message = "whoever calls"', ["whoever calls"]),
        ('print("nobody")', []),
        ('raise UsageError("no judge configured", fix="--judge base")', []),
    ],
)
def test_a_vague_pronoun_is_found_in_messages_alone(source, expected):
    found = list(_vague_messages(ast.parse(source)))

    assert found == expected
