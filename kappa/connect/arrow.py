"""Arrow's columns as columns of values that a log can hold.

Whole numbers, floats, text, bytes and truth values are themselves; timestamps become aware
datetimes, dates, times, durations and decimals what Python has for them, structs and maps
dicts, lists lists. A timestamp without a zone is read in the zone that is given.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

from kappa.batch import Frame
from kappa.errors import SourceError

if TYPE_CHECKING:
    import pyarrow as pa

Convert = Callable[[Any], Any]


def frame_of(batch: pa.RecordBatch, zone: tzinfo) -> Frame:
    """A record batch as a frame.

    Args:
        batch: Arrow's.
        zone: of timestamps that name none.

    Raises:
        SourceError: a column cannot be read without a loss; it is named.
    """
    columns = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            columns[name] = values_of(column, zone)
        except (ValueError, ArithmeticError, NotImplementedError) as error:
            raise SourceError(
                f"column {name!r} ({column.type}) cannot be read without a loss: {error}"
            ) from error
    return Frame(columns, batch.num_rows)


def values_of(column: pa.Array, zone: tzinfo) -> list[Any]:
    """The values of one column; None where there is none."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        column = column.cast(pa.timestamp("us", kind.tz))  # refuses what would be cut off
    elif (pa.types.is_time64(kind) or pa.types.is_duration(kind)) and kind.unit == "ns":
        fine = pa.time64("us") if pa.types.is_time64(kind) else pa.duration("us")
        column = column.cast(fine)
    found: list[Any] = column.to_pylist()
    convert = converter(column.type, zone)
    return found if convert is None else [None if one is None else convert(one) for one in found]


def converter(kind: pa.DataType, zone: tzinfo) -> Convert | None:
    """What is still to be done with a value as Arrow gives it; None for nothing."""
    import pyarrow as pa

    if pa.types.is_timestamp(kind):
        return None if kind.tz is not None else lambda moment: placed(moment, zone)
    if pa.types.is_map(kind):
        item = converter(kind.item_type, zone) or _same
        return lambda pairs: {key: item(value) for key, value in pairs}
    if pa.types.is_struct(kind):
        inner = {field.name: converter(field.type, zone) for field in kind}
        if not any(inner.values()):
            return None
        return lambda row: {
            name: value if value is None or inner[name] is None else inner[name](value)  # type: ignore[misc]
            for name, value in row.items()
        }
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        element = converter(kind.value_type, zone)
        if element is None:
            return None
        return lambda many: [one if one is None else element(one) for one in many]
    return None


def placed(moment: datetime, zone: tzinfo) -> datetime:
    """A moment that names no zone, in this one."""
    return moment.replace(tzinfo=zone)


def _same(value: Any) -> Any:
    return value
