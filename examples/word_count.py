"""Count words: a stream of lines, one running count per word.

Prints:

    the 1
    quick 1
    fox 1
    the 2
    lazy 1
    dog 1
    the 3
    fox 2
"""

from kappa import Log, Pipeline, agg

LINES = ["the quick fox", "the lazy dog", "the fox"]

pipeline = Pipeline("word-count")
(
    pipeline.source("lines")
    .flat_map(lambda row: [{"word": word} for word in row["line"].split()])
    .key_by("word")
    .aggregate(count=agg.count())
    .to("words")
)


def main() -> None:
    """Appends the lines, runs until all are counted, prints what came out."""
    with Log.memory() as log:
        log.create_topic("lines")
        log.append("lines", [{"line": line} for line in LINES])
        pipeline.run(log, until_idle=True)
        for record in log.read("words"):
            print(record.value["word"], record.value["count"])


if __name__ == "__main__":
    main()
