"""A pipeline by its address: `module:object` or `path.py:object`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from kappa.errors import ConfigError, KappaError
from kappa.pipeline import Pipeline

T = TypeVar("T")


def find_pipeline(address: str) -> Pipeline:
    """The pipeline at `address`; a function without arguments is called for it.

    The object may be left out where a module has exactly one pipeline.

    Raises:
        ConfigError: there is none, or its module fails; the message names the line.
    """
    return find_object(address, Pipeline, "pipeline")


def find_object(address: str, kind: type[T], word: str) -> T:
    """What `address` names, of a kind; a function without arguments is called for it.

    Args:
        address: `module:object` or `path.py:object`; the object may be left out where the
            module has exactly one of the kind.
        kind: what it has to be.
        word: what messages call it.

    Raises:
        ConfigError: there is none, or its module fails; the message names the line.
    """
    where, _, name = address.partition(":")
    module = _module(where)
    if name:
        found = _named(module, name, address, _hint(module, kind, word))
    else:
        found = _only(module, address, kind, word)
    if isinstance(found, kind):
        return found
    if callable(found):
        made = _guarded(found, address)
        if isinstance(made, kind):
            return made
    raise ConfigError(f"{address} is a {type(found).__name__}, not a {kind.__name__}")


def find_function(address: str) -> Callable[..., object]:
    """The function at `module:function` or `path.py:function`.

    Raises:
        ConfigError: there is none, or its module fails.
    """
    where, _, name = address.partition(":")
    if not name:
        raise ConfigError(f"{address}: give module:function or path.py:function")
    found = _named(_module(where), name, address, "")
    if not callable(found):
        raise ConfigError(f"{address} is a {type(found).__name__}, not a function")
    return found


def _module(where: str) -> ModuleType:
    if where.endswith(".py"):
        return _from_file(Path(where))
    # As `python -m` does: modules of the present directory are found.
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found = importlib.util.find_spec(where)
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise ConfigError(
            f"there is no module {where!r}; give module:object or path.py:object,"
            " and run from the directory that the module is in"
        )
    return _guarded(lambda: importlib.import_module(where), where)


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigError(f"there is no file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look their module up by name
    sys.path.insert(0, str(path.parent.resolve()))
    loader = spec.loader
    _guarded(lambda: loader.exec_module(module), str(path))
    return module


def _guarded(call: Callable[[], T], where: str) -> T:
    try:
        return call()
    except KappaError:
        raise
    except Exception as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        line = f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})" if trace else ""
        raise ConfigError(f"{where} fails: {type(error).__name__}: {error}{line}") from error


def _named(module: ModuleType, name: str, address: str, hint: str) -> object:
    found: object = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise ConfigError(f"{address}: {module.__name__} has no {name!r}{hint}")
        found = getattr(found, part)
    return found


def _only(module: ModuleType, address: str, kind: type, word: str) -> object:
    names = _names(module, kind)
    if len(names) != 1:
        raise ConfigError(f"say which {word}, as {address}:NAME{_hint(module, kind, word)}")
    return getattr(module, names[0])


def _names(module: ModuleType, kind: type) -> list[str]:
    return sorted(name for name, value in vars(module).items() if isinstance(value, kind))


def _hint(module: ModuleType, kind: type, word: str) -> str:
    names = _names(module, kind)
    return f"; its {word}s are {', '.join(names)}" if names else f"; it has no {word}"
