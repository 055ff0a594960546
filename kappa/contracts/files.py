"""Contracts as files, kept with the code: YAML, or JSON with the same names.

    topic: departures
    owner: flights@example.com
    on_violation: dead_letter
    fields:
      date: {type: str, format: '%Y-%m-%d'}
      delay: {type: float, nullable: true}
    expectations:
    - expect_column_mean_to_be_between: {column: delay, min_value: -10, max_value: 60}
    freshness: 2h
    volume: {per: 1d, min: 500}

YAML is read by PyYAML's safe loader: nothing in a file is ever run. A third form is Python:
a module with a `Contract`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kappa.contracts.contract import Contract
from kappa.errors import ConfigError, MissingExtra

MAX_FILE_BYTES = 1 << 20
YAML = (".yaml", ".yml")


def read_contract(path: str | Path) -> Contract:
    """The contract in a file.

    Raises:
        ConfigError: there is no such file, it is larger than 1 MiB, no YAML or JSON, or no
            contract; the message names the file.
        MissingExtra: YAML without PyYAML.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"there is no file {path}")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ConfigError(f"{path} is larger than {MAX_FILE_BYTES} bytes: no contract is")
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix in YAML:
        plain = _of_yaml(text, path)
    elif path.suffix == ".json":
        plain = _of_json(text, path)
    else:
        raise ConfigError(f"{path}: a contract is a .yaml, .yml, .json or .py file")
    try:
        return Contract.from_plain(plain)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error.message}") from None


def contract_text(contract: Contract) -> str:
    """The contract as YAML, as a person would write it.

    Raises:
        MissingExtra: PyYAML is not installed.
    """
    yaml = _yaml()
    parts = []
    for name, value in contract.to_plain().items():
        nested = isinstance(value, dict | list)
        text = yaml.safe_dump(
            {name: value},
            sort_keys=False,
            allow_unicode=True,
            default_flow_style=None if nested else False,
            width=100,
        )
        parts.append(text)
    return "".join(parts)


def _of_yaml(text: str, path: Path) -> Any:
    yaml = _yaml()
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is no YAML: {' '.join(str(error).split())}") from None


def _of_json(text: str, path: Path) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is no JSON: {error}") from None


def _yaml() -> Any:
    try:
        import yaml
    except ImportError:
        raise MissingExtra.of("yaml", extra="contracts") from None
    return yaml
