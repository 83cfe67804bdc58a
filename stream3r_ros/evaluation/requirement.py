"""Packages that only some of the evaluation needs."""

from __future__ import annotations

import importlib
from types import ModuleType


def require(module: str, purpose: str) -> ModuleType:
    """Import a module of an optional package; raises RuntimeError that says what to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition('.')[0]
        raise RuntimeError(
            f'{purpose} needs {package}: python -m pip install {package} ({error})'
        ) from error
