"""One split in; processed records, rejected records and mergeable statistics out.

The split is streamed block by block, so memory is bounded whatever its size. The outputs depend
only on the file, the contract and the layout: not on how the file was cut into splits, blocks or
chunks, and not on the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from tabular.batch import Batch, BatchReader
from tabular.reading.blocks import BLOCK_BYTES, Block, split_blocks
from tabular.reading.footer import without_footer
from tabular.reading.patches import PatchQueue
from tabular.reading.records import Records
from tabular.statistics.accumulator import Accumulator
from tabular.writing.corrections import correction_pieces, corrections_head
from tabular.writing.output_format import FileFacts
from tabular.writing.output_formats import DEFAULT_FORMAT, FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tabular.faults import RuleKey
    from tabular.reading.layout import Layout
    from tabular.reading.patches import Patch
    from tabular.reading.split import Split
    from tabular.sink import Sink
    from tabular.statistics.reject_examples import Example
    from tabular.writing.output_format import Writer


class Progress(NamedTuple):
    """How far a split has been transformed.

    `most_records` is the maximum number of records of the whole file, reached if all unread ones
    are as short as a good record can be; None for compressed files.
    """

    error_count: int
    most_records: int | None


Check = Callable[[Progress], bool]


@dataclass(frozen=True)
class Part:
    """The result of a split: counts, and the state of its statistics (see `accumulator.merge`)."""

    record_count: int
    processed_count: int
    error_count: int
    line_count: int
    statistics: dict[str, Any] = field(repr=False)

    def to_document(self) -> dict[str, Any]:
        """JSON-able: the fields by name."""
        return {
            "record_count": self.record_count,
            "processed_count": self.processed_count,
            "error_count": self.error_count,
            "line_count": self.line_count,
            "statistics": self.statistics,
        }


def transform(
    chunks: Iterable[bytes],
    layout: Layout,
    split: Split,
    *,
    file_id: str,
    processed_at: str,
    processed: Sink | None,
    rejected: Sink | None,
    corrections: Sink | None,
    patches: Iterable[Patch] = (),
    output_format: str = DEFAULT_FORMAT,
    block_bytes: int = BLOCK_BYTES,
    check: Check | None = None,
) -> Part:
    """Transform one split of a file.

    `chunks` are the stored file's bytes from `split.start` on, in pieces of any size, and are read
    lazily. They should continue beyond `split.end`, because what follows decides whether a quote
    is open there. `processed_at` is written into every record as it is. A sink that is None gets
    nothing. `corrections`, the CSV in which rejected rows are corrected, has its header in split 0.
    `patches` are the corrected rows of
    the split or of the whole file, sorted by row; they are read lazily. `check` is called between
    blocks, and ends the split early if it returns true.

    Raises MisalignedSplits if the split doesn't end with a record, InvalidCorrections if a patch is
    not for the record in its row, and UnreadableFile or FileTooLarge for damage that shows only
    while reading.
    """
    writer = FORMATS[output_format].load_writer() if processed is not None else None
    reader = BatchReader(layout, writer or contract_writer(layout))
    tally = Tally(layout)
    if split.index == 0 and corrections is not None:
        corrections.write(corrections_head(layout))
    queue = PatchQueue(patches, split.first_row)

    def batches() -> Iterator[Batch]:
        row = split.first_row
        blocks = split_blocks(chunks, layout, split, block_bytes=block_bytes)
        every = (Records(block, layout) for block in blocks)
        for records in without_footer(every, split.footer_rows):
            if row > split.first_row and check is not None and check(tally.progress()):
                return
            batch = reader.read(queue.apply(records, layout, row), row)
            row += batch.record_count
            tally.add(batch, records.block)
            _write_rejects(batch, rejected, corrections)
            yield batch
        if split.end is None:
            queue.check_end()

    if processed is None or writer is None:
        for _ in batches():
            pass
    else:
        facts = FileFacts(layout.fields, file_id, processed_at, layout.contract.record)
        writer.write(batches(), facts, processed)
    return tally.part()


def _write_rejects(batch: Batch, rejected: Sink | None, corrections: Sink | None) -> None:
    if rejected is not None:
        for lines in batch.rejects.pieces():
            rejected.write(lines)
    if corrections is not None:
        for lines in correction_pieces(batch.rejects):
            corrections.write(lines)


def contract_writer(layout: Layout) -> Writer:
    """The writer of the contract's format, or of the default one.

    Where no processed records are written, it is what their values must fit.
    """
    return FORMATS[layout.contract.output_format or DEFAULT_FORMAT].load_writer()


class Tally:
    """Counts and statistics of the batches of one split."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._fields = layout.fields
        self._output_names = {
            column.field.name: column.field.output_name for column in layout.columns
        }
        self._statistics = Accumulator(layout.fields)
        self._records = self._rejects = self._lines = self._bytes = 0

    def add(self, batch: Batch, block: Block) -> None:
        """Count a batch and what it accepted."""
        self._records += batch.record_count
        self._rejects += len(batch.rejects)
        self._lines += block.spans.lines
        self._bytes += len(block.original)
        for column, values in zip(self._fields, batch.values, strict=True):
            if values.counts is None:
                self._statistics.add(column.output_name, values.texts)
            else:
                self._statistics.add_counts(column.output_name, values.counts)
        self._statistics.add_rejects(
            {self._named(key): count for key, count in batch.rejects.counts().items()}
        )
        examples = batch.rejects.examples(
            lambda key: self._statistics.wants_example(self._named(key))
        )
        self._statistics.add_examples(map(self._shown, examples))

    def _named(self, key: RuleKey) -> RuleKey:
        """The rule with its field's output name, under which everything is counted."""
        name, code, rule = key
        return self._output_names.get(name, name) if name else None, code, rule

    def _shown(self, example: Example) -> Example:
        """The example as the report may show it: without cells, if the contract says so."""
        example = example._replace(key=self._named(example.key))
        if self._layout.contract.report_examples:
            return example
        return example._replace(value=None, raw="")

    def progress(self) -> Progress:
        """How far the split has been transformed."""
        layout = self._layout
        if layout.compression:
            return Progress(self._rejects, None)
        unread = layout.size - layout.data_start - self._bytes
        # A good record has at least its delimiters and a line end.
        shortest = layout.width * layout.codec.unit
        return Progress(self._rejects, self._records + unread // shortest + 1)

    def part(self) -> Part:
        """The split's result so far."""
        return Part(
            record_count=self._records,
            processed_count=self._records - self._rejects,
            error_count=self._rejects,
            line_count=self._lines,
            statistics=self._statistics.partial(),
        )
