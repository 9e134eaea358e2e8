"""Which rows a training sees, and in which order: drawn by weights and a seed, held on disk.

A large training has millions of rows, so what is held in memory is one number for each: the samples of the
training split lie in a mapped file in the run folder, and a row is made of its sample when a batch needs it.
The order follows from recipe and seed alone. Whoever starts again draws the same one, and goes on in it.
"""

from __future__ import annotations

import bisect
import itertools
import random
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cxreason.errors import UserError
from cxreason.records import Mode, Sample
from cxreason.rows import partial, replace_whole
from cxreason.runs import row_files

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]
BATCH_ROWS = 4096
PIXELS_OF_A_TOKEN = 28 * 28
LETTERS_OF_A_TOKEN = 4


class Samples(Sequence[Sample]):
    """The samples of one split of a run, in file order; with `file` they are kept there and mapped.

    `without` names ids that are left out, and `limit` is how many samples are taken before that.
    """

    def __init__(
        self,
        folder: Path,
        split: str,
        *,
        limit: int | None = None,
        without: Collection[str] = (),
        file: Path | None = None,
    ) -> None:
        self.folder, self._split, self._file = folder, split, file
        if file is not None and not file.exists():
            _write(file, _chosen(folder, split, limit, without))
        self._hold(list(_chosen(folder, split, limit, without)) if file is None else _mapped(file))
        if not len(self):
            if without:
                raise UserError(f"{folder}: none of its samples can be trained on; left_out.jsonl says why.")
            raise UserError(
                f"{folder}: no samples of the {split} split. Build more studies, or name another split."
            )

    def _hold(self, batches: list[pa.RecordBatch]) -> None:
        self.batches = batches
        self._ends = np.cumsum([len(batch) for batch in batches], dtype=np.int64)

    def __reduce__(self) -> tuple[Any, ...]:
        batches = self.batches if self._file is None else None
        return _found_again, (self.folder, self._split, self._file, batches)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, number: Any) -> Sample:
        from cxreason.columns import from_table

        if not 0 <= number < len(self):
            raise IndexError(number)
        place = int(np.searchsorted(self._ends, number, side="right"))
        batch = self.batches[place]
        start = int(self._ends[place]) - len(batch)
        return next(from_table(Sample, batch.slice(number - start, 1)))

    def column(self, name: str) -> Iterator[pa.Array]:
        """One column, a piece at a time."""
        return (batch.column(name) for batch in self.batches)

    def letters(self, names: Sequence[str]) -> np.ndarray:
        """How many letters the named columns of each sample have together; of lists those of all entries."""
        import pyarrow as pa

        pc, total = _compute(), np.zeros(len(self), dtype=np.int64)
        for name in names:
            pieces = []
            for piece in self.column(name):
                texts = pc.binary_join(piece, " ") if pa.types.is_list(piece.type) else piece
                pieces.append(pc.fill_null(pc.utf8_length(texts), 0).to_numpy(zero_copy_only=False))
            total += np.concatenate(pieces)
        return total

    def counts(self, name: str) -> np.ndarray:
        """How many entries a list column of each sample has."""
        pc = _compute()
        pieces = (pc.list_value_length(piece).to_numpy(zero_copy_only=False) for piece in self.column(name))
        return np.concatenate(list(pieces))


def _found_again(
    folder: Path, split: str, file: Path | None, batches: list[pa.RecordBatch] | None
) -> Samples:
    """What another process gets: the file, and the samples themselves only where there is none."""
    found = Samples.__new__(Samples)
    found.folder, found._split, found._file = folder, split, file
    found._hold(_mapped(file) if batches is None and file is not None else batches or [])
    return found


def _chosen(
    folder: Path, split: str, limit: int | None, without: Collection[str]
) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pc, left, unwanted = _compute(), limit, pa.array(sorted(without), pa.string())
    for file in row_files(folder, Sample):
        for batch in pq.ParquetFile(file).iter_batches(BATCH_ROWS):
            wanted = batch.filter(pc.equal(batch.column("split"), split))
            if left is not None:
                wanted = wanted.slice(0, left)
                left -= len(wanted)
            if len(unwanted):
                wanted = wanted.filter(pc.invert(pc.is_in(wanted.column("id"), value_set=unwanted)))
            if len(wanted):
                yield wanted
            if left == 0:
                return


def _compute() -> Any:
    """Arrow's functions, which are made at import: a checker of types does not see them."""
    import pyarrow.compute

    return pyarrow.compute


def _write(file: Path, batches: Iterator[pa.RecordBatch]) -> None:
    import pyarrow as pa

    first = next(batches, None)
    if first is None:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    part = partial(file)
    with pa.OSFile(str(part), "wb") as sink, pa.ipc.new_file(sink, first.schema) as writer:
        for batch in itertools.chain([first], batches):
            writer.write_batch(batch)
    replace_whole(part, file)


def _mapped(file: Path) -> list[pa.RecordBatch]:
    import pyarrow as pa

    if not file.exists():
        return []
    reader = pa.ipc.open_file(pa.memory_map(str(file)))
    return [reader.get_batch(number) for number in range(reader.num_record_batches)]


class Rows(Sequence[Row]):
    """The rows of a training in their order; each is made when it is asked for.

    `parts` are samples with what they are asked for, and `order` counts through all of them.
    """

    def __init__(
        self,
        parts: Sequence[tuple[Samples, Mode]],
        order: np.ndarray,
        make_row: Callable[..., Row],
        dialect: str,
    ) -> None:
        self.parts, self.order = list(parts), order
        self._make_row, self._dialect = make_row, dialect
        self._ends = np.cumsum([len(samples) for samples, _ in parts])

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, number: Any) -> Row:
        place = int(self.order[number])
        part = int(np.searchsorted(self._ends, place, side="right"))
        samples, mode = self.parts[part]
        sample = samples[place - (int(self._ends[part]) - len(samples))]
        return self._make_row(sample, samples.folder, dialect=self._dialect, mode=mode)

    def in_order(self, order: np.ndarray) -> Rows:
        """The same samples in another order."""
        return Rows(self.parts, order, self._make_row, self._dialect)

    def lengths(self, max_pixels: int) -> np.ndarray:
        """About how many tokens each row has, without making one: letters by four, images by their size."""
        lengths = []
        for samples, mode in self.parts:
            names = ["question", "options", "answer", *(["reasoning"] if mode == "reasoning" else [])]
            images = samples.counts("images") * (max_pixels / PIXELS_OF_A_TOKEN)
            # What all rows of a part have in common, as its instructions, is read off the first.
            told = samples.letters(names)
            row = self._make_row(samples[0], samples.folder, dialect=self._dialect, mode=mode)
            common = sum(
                len(turn["content"]) for key in ("prompt", "completion") for turn in row.get(key, ())
            )
            lengths.append((told + common - told[0]) / LETTERS_OF_A_TOKEN + images)
        return np.concatenate(lengths)[self.order]


def draw(decks: Sequence[Sequence[int]], weights: Sequence[float], num_rows: int, seed: int) -> np.ndarray:
    """`num_rows` numbers out of the decks, each deck as often as its weight says.

    A deck is dealt like cards, without replacement until it is used up and then shuffled anew, so that a
    short training sees as many different rows as it can.

    >>> draw([range(0, 2), range(2, 3)], [0, 1], num_rows=2, seed=0).tolist()
    [2, 2]
    """
    choose, whole = random.Random(seed), sum(weights)
    dealt = [_deal(deck, random.Random(seed + 1 + place)) for place, deck in enumerate(decks)]
    # The last deck has the lowest numbers.
    bounds = [bound / whole for bound in itertools.accumulate(reversed(weights))]
    last = len(decks) - 1

    def drawn() -> Iterator[int]:
        for _ in range(num_rows):
            yield next(dealt[last - min(last, bisect.bisect_right(bounds, choose.random()))])

    return np.fromiter(drawn(), dtype=np.int64, count=num_rows)


def _deal(deck: Sequence[int], shuffle: random.Random) -> Iterator[int]:
    while len(deck):
        yield from shuffle.sample(deck, len(deck))


def by_weights(
    parts: Sequence[tuple[Samples, Mode]], weights: dict[str, float]
) -> tuple[list[Any], list[float]]:
    """The decks that a recipe's `weights` name, with their weights; UserError where a row is in none.

    A name is a mode, a dataset, a task or several of them joined by slashes, as in `reasoning/temporal`. A
    row belongs to the name that says most about it.
    """
    names = list(weights)
    said = {name: set(name.split("/")) for name in names}
    decks: dict[str, list[np.ndarray]] = {name: [] for name in names}
    start = 0
    for samples, mode in parts:
        datasets, tasks = (
            np.concatenate([piece.to_numpy(zero_copy_only=False) for piece in samples.column(name)])
            for name in ("dataset", "task")
        )
        pairs, which = np.unique(np.stack([datasets, tasks]).astype(str), axis=1, return_inverse=True)
        for number, (dataset, task) in enumerate(pairs.T):
            fitting = [name for name in names if said[name] <= {mode, str(dataset), str(task)}]
            most = max((len(said[name]) for name in fitting), default=0)
            best = [name for name in fitting if len(said[name]) == most]
            if len(best) != 1:
                what = " and ".join(best) or "none"
                raise UserError(
                    f"weights: {what} of them name(s) {mode} rows of {dataset}/{task}; it has to be one. "
                    f"Add '{mode}/{dataset}/{task}: ...'."
                )
            decks[best[0]].append(np.flatnonzero(which.reshape(-1) == number) + start)
        start += len(samples)
    for name in names:
        if not decks[name] and weights[name] > 0:
            raise UserError(f"weights: no row belongs to '{name}'. Names are modes, datasets and tasks.")
    used = [name for name in names if decks[name]]
    return [np.sort(np.concatenate(decks[name])).tolist() for name in used], [weights[name] for name in used]


def order_by_length(
    order: np.ndarray, lengths: np.ndarray, batch_size: int, seed: int, *, window: int = 8
) -> np.ndarray:
    """The same order, so changed that a batch holds rows of like length and little is spent on padding.

    Rows are sorted only within `window` batches, and the batches of a window are shuffled, so that training
    still meets everything in a mixed order. `batch_size` is that of a step over all processes, which then
    have equally much to do.
    """
    shuffle = random.Random(seed)
    ordered = []
    for at in range(0, len(order), batch_size * window):
        part = order[at : at + batch_size * window]
        sizes = lengths[at : at + batch_size * window]
        by_size = np.argsort(sizes, kind="stable")
        part, sizes = part[by_size], sizes[by_size]
        start, rest = _short_batch(sizes, batch_size), len(part) % batch_size
        short, part = part[start : start + rest], np.delete(part, slice(start, start + rest))
        batches = [part[first : first + batch_size] for first in range(0, len(part), batch_size)]
        shuffle.shuffle(batches)
        ordered += [*batches, short]
    return np.concatenate(ordered) if ordered else order


def _short_batch(sizes: np.ndarray, batch_size: int) -> int:
    """Where in rows sorted by size the batch begins that is not full, so that least is padded."""
    rest = len(sizes) % batch_size
    if not rest:
        return len(sizes)
    # Largest row times rows, full ones before the short one, full ones after it, itself.
    before = np.concatenate([[0], np.cumsum(sizes[batch_size - 1 : len(sizes) - rest : batch_size])])
    after = np.concatenate([np.cumsum(sizes[batch_size + rest - 1 :: batch_size][::-1])[::-1], [0]])
    short = sizes[rest - 1 :: batch_size]
    return int(np.argmin((before + after) * batch_size + short * rest)) * batch_size
