"""Template faults found at start, with file, line, name and mend: syntax, unknown names, missing values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from typing import Any

from jinja2 import Environment, meta, nodes
from jinja2.exceptions import TemplateSyntaxError, UndefinedError

from digest.errors import TemplateError

_ATTRIBUTE = re.compile(r"'([\w.]+) object' has no attribute '(\w+)'")


def check_source(
    source: str, *, file: str, environment: Environment, contexts: Iterable[Mapping[str, Any]]
) -> None:
    """Refuse a template that could fail in a letter: parsed, its names looked up, rendered with every sample.

    Raises: TemplateError naming file, line and variable.
    """
    try:
        tree = environment.parse(source, filename=file)
    except TemplateSyntaxError as bad:
        raise TemplateError(f"{file}, line {bad.lineno}: {bad.message}; mend the template's tags") from bad
    samples = list(contexts)
    _check_filters(tree, file=file, environment=environment)
    _check_names(tree, file=file, known=set(samples[0]) | set(environment.globals))
    _trial(source, file=file, environment=environment, contexts=samples)


def _check_names(tree: nodes.Template, *, file: str, known: set[str]) -> None:
    for name in sorted(meta.find_undeclared_variables(tree) - known):
        line = next((n.lineno for n in tree.find_all(nodes.Name) if n.name == name), 1)
        raise TemplateError(f"{file}, line {line}: no variable {name!r} here; {_nearest(name, known)}")


def _check_filters(tree: nodes.Template, *, file: str, environment: Environment) -> None:
    """Jinja itself would find an unknown filter under an ``if`` only when the letter is rendered."""
    for kind, known in ((nodes.Filter, environment.filters), (nodes.Test, environment.tests)):
        for node in tree.find_all(kind):
            if node.name not in known:
                what = kind.__name__.lower()
                near = _nearest(node.name, set(known))
                raise TemplateError(f"{file}, line {node.lineno}: no {what} {node.name!r}; {near}")


def _trial(
    source: str, *, file: str, environment: Environment, contexts: Iterable[Mapping[str, Any]]
) -> None:
    code = environment.compile(source, name=file, filename=file)
    template = environment.template_class.from_code(environment, code, environment.make_globals(None))
    try:
        for context in contexts:
            template.render(context)
    except UndefinedError as bad:
        mend = _mend_of(bad.message or "", contexts)
        raise TemplateError(f"{file}, line {_line_of(bad, file)}: {bad.message}; {mend}") from bad
    except Exception as bad:
        raise TemplateError(f"{file}, line {_line_of(bad, file)}: {type(bad).__name__}: {bad}") from bad


def _mend_of(message: str, contexts: Iterable[Mapping[str, Any]]) -> str:
    """The nearest name that a value of that type has, for a mistyped attribute."""
    missing = _ATTRIBUTE.search(message)
    if not missing:
        return "mend the name"
    known = {
        name
        for context in contexts
        for value in context.values()
        if is_dataclass(value) and missing[1].endswith(type(value).__name__)
        for name in (f.name for f in fields(value))
    }
    return _nearest(missing[2], known) if known else "mend the name"


def _line_of(error: BaseException, file: str) -> int:
    """The template's line in the traceback, as Jinja rewrote it."""
    line, step = 1, error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == file:
            line = step.tb_lineno
        step = step.tb_next
    return line


def _nearest(name: str, known: set[str]) -> str:
    near = get_close_matches(name, sorted(known), n=1, cutoff=0.0)
    return f"the nearest is {near[0]!r}" if near else "there are none"
