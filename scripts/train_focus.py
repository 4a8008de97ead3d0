"""Train the network of `qc.Focus` on sharp crops of H&E slides, and judge it on slides that are held out."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import torch
from focus_training.crops import Examples, make_examples
from focus_training.held_out import draw_roc, judge_held_out, table
from focus_training.learn import train
from focus_training.network import LAYERS, folded
from focus_training.onnx_file import onnx_bytes

VERSION = 1
NOTES = "Features of slidekit.slide.qc.focus_network.edge_features to logits of blur; see docs/focus.md."


def main(arguments: list[str] | None = None) -> None:
    """Parse arguments, make examples, train; hold out each slide in turn where a figure is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("crops", type=Path, help="folder of sharp crops, SLIDE-NUMBER.jpg")
    parser.add_argument("out", type=Path, help="ONNX file to write")
    parser.add_argument(
        "roc", type=Path, nargs="?", help="picture of the ROC on slides held out; trains once more for each"
    )
    parser.add_argument("--each", type=int, default=60, help="windows of each crop")
    parser.add_argument("--steps", type=int, default=1000, help="batches")
    parser.add_argument("--roc-steps", type=int, default=400, help="batches for each slide held out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2, help="processes that make examples")
    given = parser.parse_args(arguments)
    # Sums of one thread are the same each time.
    torch.set_num_threads(1)
    began = time.perf_counter()
    examples = make_examples(given.crops, given.each, seed=given.seed, workers=given.workers)
    print(f"{len(examples.labels)} examples of {len(set(examples.slides))} slides, {time.perf_counter() - began:.0f} s")
    content = train_onnx(examples, steps=given.steps, seed=given.seed)
    given.out.write_bytes(content)
    print(f"{given.out}: {len(content)} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")
    if given.roc:
        judged = judge_held_out(examples, steps=given.roc_steps, seed=given.seed)
        draw_roc(judged, given.roc)
        print(table(judged))
    print(f"{time.perf_counter() - began:.0f} s in all")


def train_onnx(examples: Examples, *, steps: int, seed: int) -> bytes:
    """Train on all examples; the ONNX file."""
    weights = folded(train(examples, steps=steps, seed=seed))
    return onnx_bytes(
        LAYERS, [(weight.numpy(), bias.numpy()) for weight, bias in weights], version=VERSION, notes=NOTES
    )


if __name__ == "__main__":
    main()
