"""The section of the page of benchmarks about reading TFRecords."""

from __future__ import annotations

from typing import Any

__all__ = ["loading_section"]


def loading_section(measured: dict[str, Any]) -> str:
    """Opening a dataset, and batches for torch and TensorFlow."""
    opening = measured["opening"]
    torch_rows = "\n".join(
        f"| torch, {name} | {run['images/s']['slidekit']:.0f} | package `tfrecord`: {run['images/s']['tfrecord']:.0f}"
        f" | {run['ratio']:.2f} | {run['ratio of CPU']:.2f} |"
        for name, run in measured["torch"].items()
    )
    by_tensorflow = measured["tensorflow"]["images/s"]
    tensorflow_rows = "\n".join(
        f"| TensorFlow | {by_tensorflow['slidekit']:.0f} | {way}: {by_tensorflow[way]:.0f} | {ratio:.2f} | |"
        for way, ratio in measured["tensorflow"]["ratio"].items()
    )
    return f"""
## Reading TFRecords

From records to batches of 32, 256 px, JPEG Q95, 4 000 tiles of 8 slides, files in the page cache; by the clock, on
both cores. slidekit compares all checksums and mixes the tiles of all slides, which the others do not. The package
`tfrecord`: `MultiTFRecordDataset` with its index, `cv2.imdecode`, its DataLoader with as many workers. By hand:
interleaved `TFRecordDataset`s, `parse_single_example`, `decode_jpeg`, all tuned by tf.data; TensorFlow's default
transform is up to 15 grey levels off, slidekit uses the accurate one.

| | slidekit, images/s | beside it, images/s | ratio | ratio of CPU |
|---|--:|---|--:|--:|
{torch_rows}
{tensorflow_rows}

Without workers, slidekit decodes in threads, on both cores. Decoding is most of the work, by the same libjpeg-turbo
everywhere: that bounds the ratio of CPU. With worker processes, finding pages for a batch in fresh memory that both
processes share is the next part.

Opening a dataset of 2 000 slides and {opening["tiles"]:,} tiles takes {opening["cpu"]["open"] * 1e3:.0f} ms of CPU,
{opening["ratio"]["open"]:.1f} × less than a loop of `np.load` over the same indexes, and
{opening["memory"]["open"]:.0f} MB of memory; with the tiles' places {opening["cpu"]["open with locations"] * 1e3:.0f}
ms and {opening["memory"]["open with locations"]:.0f} MB. Places are read when they are asked for.
"""
