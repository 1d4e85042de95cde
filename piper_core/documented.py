"""The docstring beneath each field of a dataclass, so that a help text is written once, at the field."""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from typing import Any


@functools.cache
def field_help(cls: type[Any]) -> dict[str, str]:
    """`{field name: docstring}` of a dataclass."""
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(body, ast.ClassDef)
    helps = {}
    for statement, following in zip(body.body, body.body[1:], strict=False):
        if not (isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)):
            continue
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            helps[statement.target.id] = inspect.cleandoc(str(following.value.value)).replace("\n", " ")
    return helps
