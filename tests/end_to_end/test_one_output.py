"""Readers see one complete output of a key at every moment, and at the end the latest version's."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

from tests.end_to_end.pipeline import Pipeline

RECORDS = 400


@dataclass
class Reader:
    """Lists and reads the processed records of a dataset, over and over, as a consumer does."""

    pipeline: Pipeline
    dataset: str
    reads: int = 0
    problems: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read inside the block."""
        stop = threading.Event()

        def loop() -> None:
            while not stop.is_set():
                self.read()
                stop.wait(0.02)

        thread = threading.Thread(target=loop)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            self.read()

    def read(self) -> None:
        """Read all objects of the dataset once."""
        keys = self.pipeline.stack.output_keys(f"processed/{self.dataset}/")
        if len(keys) > 1 or (not keys and self.reads):
            self.problems.append(f"{len(keys)} objects")
        for key in keys:
            self.reads += 1
            try:
                lines = self.pipeline.stack.output(key).splitlines()
            except ClientError as error:
                self.problems.append(str(error))
                continue
            of_files = {json.loads(line)["id"].partition("-")[0] for line in lines}
            if len(lines) != RECORDS or len(of_files) != 1:
                self.problems.append(f"{len(lines)} records of {len(of_files)} files")
            elif self.seen[-1:] != list(of_files):
                self.seen += of_files


def body(version: int) -> bytes:
    rows = "".join(f"{row},{version}\n" for row in range(RECORDS))
    return f"id,version\n{rows}".encode()


def test_readers_see_one_complete_output_while_versions_and_reruns_are_published(
    pipeline: Pipeline,
) -> None:
    dataset = "one-output"
    reader = Reader(pipeline, dataset)
    with reader.reading():
        uploaded = [pipeline.drop(body(version), dataset=dataset) for version in range(5)]
        for one in uploaded:
            pipeline.wait(one.file_id)
        for one in uploaded:
            execution = pipeline.wait(one.file_id)
            document = {"file_id": one.file_id, "attempt": 1, "source": execution.source}
            pipeline.send({**document, "force": True})
        for one in uploaded:
            pipeline.wait(f"{one.file_id}-r2")

    latest = uploaded[-1].file_id
    assert reader.problems == []
    assert reader.reads > len(uploaded)
    # In the order of their versions, though executions finish in any order; some may be skipped.
    order = [one.file_id for one in uploaded]
    assert reader.seen == sorted(reader.seen, key=order.index)
    assert reader.seen[-1] == latest
    statuses = [pipeline.item(one.file_id)["status"] for one in uploaded]
    assert statuses == ["superseded"] * 4 + ["succeeded"]
    notified = {n["attributes"]["status"] for n in pipeline.notifications(uploaded[0].file_id)}
    assert "superseded" in notified
    assert "failed" not in notified
