"""A process that appends until it is killed, and says what was acknowledged.

    python appender.py FOLDER NAME FSYNC

Each append is one record per topic, with the sequence that follows the last one in the
log; behind each that returned, its sequence is written to stdout.
"""

from __future__ import annotations

import sys

from kappa.log import Draft, Log, encode_body


def main(folder: str, name: str, fsync: str) -> None:
    """Appends for ever."""
    log = Log(folder, fsync=fsync, segment_bytes=20_000, journal_bytes=20_000)
    handle = log.open_producer(name, mode="dense")
    topics = [log.create_topic(topic, partitions=2, if_exists="ok").id for topic in "ab"]
    last = log.catalog.producers[name].last
    sequence = 0 if last is None else last + 1
    while True:
        body = encode_body(
            [sequence], [{"name": name, "n": sequence, "pad": "x" * (sequence % 50)}]
        )
        bodies = [(topic, None, body) for topic in topics]
        draft = Draft(bodies, (), handle.index, handle.epoch, sequence, sequence)
        assert not log.commit([draft])[0].duplicate
        sys.stdout.write(f"{sequence}\n")
        sys.stdout.flush()
        sequence += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
