"""Personal data: what transforms leave, and where marked fields are found to flow."""

from __future__ import annotations

import hmac
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any

import pytest

from kappa import Pipeline, Tumbling, agg, col, privacy, secret
from kappa.errors import ConfigError
from kappa.quality.personal import personal_flows
from kappa.testing import run

MAY = date(1990, 5, 17)
ROWS = [
    {"id": 1, "mail": "ann@x.org", "card": "4929123", "born": MAY, "name": "A", "ts": 1},
    {"id": 2, "mail": None, "card": "12", "born": None, "name": "B", "ts": 2},
    {"id": 3, "mail": "ann@x.org", "card": "4929123", "born": MAY, "name": "C", "ts": 3},
]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PII_KEY", "k")


def protected(pipeline: Pipeline, **more: Any) -> Any:
    return pipeline.source("people").protect(
        mail=privacy.Tokenise(secret("PII_KEY")),
        card=privacy.Mask(keep_last=3),
        born=privacy.Truncate(to="month"),
        name=privacy.Drop(),
        lookup="lookup",
    )


def test_transforms_leave_what_they_say():
    pipeline = Pipeline("p")
    protected(pipeline).to("safe")
    out = run(pipeline, {"people": ROWS}, time="ts")
    token = "tok_" + hmac.new(b"k", b"ann@x.org", sha256).hexdigest()[:24]
    assert out["safe"] == [
        {"id": 1, "mail": token, "card": "****123", "born": date(1990, 5, 1), "ts": 1},
        {"id": 2, "mail": None, "card": "**", "born": None, "ts": 2},
        {"id": 3, "mail": token, "card": "****123", "born": date(1990, 5, 1), "ts": 3},
    ]
    assert out["lookup"] == [{"token": token, "field": "mail", "value": "ann@x.org"}]


def test_rows_of_several_shapes_and_before_an_append():
    pipeline = Pipeline("p")
    protected(pipeline).to("safe")
    mixed = [{"id": 4, "ts": 1}, {**ROWS[0], "ts": 2}]
    found = run(pipeline, {"people": [mixed]}, time="ts")["safe"]
    protection = privacy.Protection.of(
        mail=privacy.Tokenise(secret("PII_KEY")),
        card=privacy.Mask(keep_last=3),
        born=privacy.Truncate(to="month"),
        name=privacy.Drop(),
    )
    rows, lookups = protection.rows(mixed)
    assert found == rows
    assert [one["value"] for one in lookups] == ["ann@x.org"]


def test_one_value_has_one_hash_and_the_key_is_nowhere():
    one = privacy.Hash(secret("PII_KEY"))
    change = one.function({})
    assert change("a") == change("a") != change("b")
    assert change(1) == change(1.0)
    assert "'k'" not in repr(one)
    pipeline = Pipeline("p")
    pipeline.source("people").protect(mail=one).to("safe")
    assert "PII_KEY" in repr(pipeline.plan())
    assert privacy.Truncate(step=10).function({})(37) == 30
    moment = datetime(2013, 7, 3, 10, 31, tzinfo=UTC)
    assert privacy.Truncate(to="hour").function({})(moment).minute == 0


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: privacy.Hash("key"), r'give secret\("NAME"\)'),
        (lambda: privacy.Hash(secret("K"), length=4), "16 to 64"),
        (lambda: privacy.Truncate(), "give one of"),
        (lambda: privacy.Mask(keep_last=-1), "from 0"),
        (lambda: Pipeline("p").source("t").protect(a=5), "see kappa.privacy"),
        (lambda: Pipeline("p").source("t").protect(), "needs a field"),
        (
            lambda: Pipeline("p").source("t").protect(a=privacy.Tokenise(secret("K"))),
            "lookup= names",
        ),
    ],
)
def test_wrong_use_says_so(make: Any, text: str):
    with pytest.raises(ConfigError, match=text):
        make()


def test_a_missing_key_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("PII_KEY")
    pipeline = Pipeline("p")
    protected(pipeline).to("safe")
    with pytest.raises(ConfigError, match="PII_KEY"):
        run(pipeline, {"people": ROWS}, time="ts")


# ---- where it flows

MARKED = {"mail": "email", "name": "name"}


def flows(*pipelines: Pipeline) -> set[tuple[str, str, tuple[str, ...], bool]]:
    found = personal_flows("people", MARKED, pipelines)
    return {(one.topic, one.field, one.origin, one.sure) for one in found}


def test_columns_and_expressions_are_followed():
    pipeline = Pipeline("p")
    people = pipeline.source("people")
    people.filter(col("mail").not_null()).select("id", who=col("name").str.lower()).to("names")
    people.without("mail", "name").to("clean")
    people.select("id", "card").to("cards")
    counts = people.key_by("name").window(Tumbling("1d"))
    counts.aggregate(n=agg.count("mail"), last=agg.max("mail")).to("counts")
    assert flows(pipeline) == {
        ("names", "who", ("name",), True),
        ("counts", "name", ("name",), True),
        ("counts", "last", ("mail",), True),
    }


def test_functions_count_as_may_unless_they_surely_read_others():
    pipeline = Pipeline("p", on_error="dead_letter")
    people = pipeline.source("people")
    people.map(lambda row: {"x": row["id"]}).to("ids")
    people.map(lambda row: {"x": row["mail"]}).to("mails")
    people.map(lambda row: dict(row)).to("rows")
    assert flows(pipeline) == {
        ("mails", "*", ("mail",), False),
        ("rows", "*", ("mail", "name"), False),
        ("p.dead_letters", "record", ("mail", "name"), False),
    }


def test_one_pipeline_behind_another_and_what_protects():
    first, second = Pipeline("first"), Pipeline("second")
    safe = protected(first)
    safe.to("safe")
    second.source("safe").select("id", address="mail").to("known")
    found = personal_flows("people", MARKED, [second, first])
    assert {(one.topic, one.field, one.how) for one in found} == {
        ("safe", "mail", "tokens"),
        ("lookup", "value", "lookup of tokens"),
        ("known", "address", "tokens"),
    }
