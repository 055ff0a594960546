"""Schemas of rows: what a topic's rows look like, and how versions of that follow each other.

A low layer: it knows values and their types, and nothing of logs or pipelines. The log asks it
whether rows fit before they are appended; what reads asks it to see old rows as new ones.

- `leaves` and `types`: the logical types, frozen and comparable; `schema`: a whole row, with
  `check`.
- `checking`: every place where a value does not fit.
- `fitting`: the same of many rows at once, by columns.
- `compatibility`: what one schema wrote, read through another: Avro's rules, and the modes.
- `resolution`: rows of one schema as rows of another: defaults, promotions, aliases.
- `sources`: what a schema can be made of: `classes`, Avro's form, `jsonschema`, `protobuf`.
- `instances`: users' classes as plain rows, and plain rows as what they declared.
- `document` and `defaults`: to and from plain values, which are an Avro schema.

Invariants: `Schema.from_dict(schema.to_dict()) == schema`; equal schemas have equal
fingerprints in every process; a row that fits is one that the log stores as it is.
"""

from kappa.schemas.checking import Problem
from kappa.schemas.classes import Alias
from kappa.schemas.compatibility import DEFAULT_MODE, MODES, Break, Conflict, breaks, conflicts
from kappa.schemas.fitting import Fitting
from kappa.schemas.resolution import Resolution
from kappa.schemas.schema import Schema
from kappa.schemas.sources import schema_of
from kappa.schemas.types import (
    MISSING,
    Anything,
    Bool,
    Bytes,
    Date,
    Decimal,
    Duration,
    Enum,
    Field,
    Fixed,
    Float,
    Int,
    List,
    Map,
    Null,
    Record,
    Ref,
    String,
    Time,
    Timestamp,
    Type,
    Union,
    Uuid,
    optional,
)

__all__ = [
    "DEFAULT_MODE",
    "MISSING",
    "MODES",
    "Alias",
    "Anything",
    "Bool",
    "Break",
    "Bytes",
    "Conflict",
    "Date",
    "Decimal",
    "Duration",
    "Enum",
    "Field",
    "Fitting",
    "Fixed",
    "Float",
    "Int",
    "List",
    "Map",
    "Null",
    "Problem",
    "Record",
    "Ref",
    "Resolution",
    "Schema",
    "String",
    "Time",
    "Timestamp",
    "Type",
    "Union",
    "Uuid",
    "breaks",
    "conflicts",
    "optional",
    "schema_of",
]
