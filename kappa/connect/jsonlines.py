"""JSON lines: one JSON value per line, empty lines ignored."""

from __future__ import annotations

import json
from collections.abc import Iterator

from kappa.connect.lines import Broken, Lines, decode


def read_json_lines(lines: Lines) -> Iterator[tuple[int, object]]:
    """Each value with the number of its line; a `Broken` for what is not JSON.

    NaN and Infinity are refused: they are not JSON, and another reader would refuse
    them later.

    >>> import io
    >>> list(read_json_lines(Lines(io.BytesIO(b'{"a": 1}\\n\\n{"a": \\n'), "example")))[0]
    (1, {'a': 1})
    """
    parse = json.JSONDecoder(parse_constant=_refuse).decode
    for line in lines:
        if line.isspace():
            continue
        try:
            value: object = parse(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            value = Broken(f"not UTF-8 at byte {error.start + 1}", decode(line))
        except ValueError as error:
            value = Broken(_reason(error), decode(line))
        except RecursionError:
            value = Broken("nested too deeply", decode(line))
        yield lines.number, value


def _reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg} at column {error.colno}"
    return f"not JSON: {error}"


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not a JSON number")
