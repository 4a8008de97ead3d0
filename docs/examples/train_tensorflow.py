"""From outlined regions to a heat map of a new slide, with Keras 3 on TensorFlow: a minute on a CPU.

python docs/examples/train_tensorflow.py [FOLDER]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before the import, which is told by it to be brief

import keras
import numpy as np
from demo_cohort import draw_cohort
from heat_map import draw_heat_map
from keras import layers

from slidekit import WSI, ModelParams, create_project, norm

EPOCHS = 5


def main(folder: Path, seed: int = 0) -> float:
    """Draw slides, train, validate, predict; return the accuracy on patients who were held out."""
    keras.utils.set_random_seed(seed)
    cohort = draw_cohort(folder / "data", seed=seed)
    project = create_project(folder / "study", slides=cohort.slides, rois=cohort.rois, annotations=cohort.annotations)

    # 1. Tiles of 64 µm, from tissue inside the outlines.
    dataset = project.dataset(tile_px=64, tile_um=64)
    dataset.extract_tiles(roi_method="inside", qc="otsu", report=False)

    # 2. What each tile shows is what was drawn around it; patients are split, not tiles.
    labels = dataset.roi_labels()
    classes = sorted(labels["label"].unique())
    train, held_out = dataset.split(val_fraction=0.34, seed=seed)

    # 3. One stain: fitted to the training tiles, and kept with the model.
    normalizer = norm.autoselect("macenko", train)
    params = ModelParams(tile_px=64, tile_um=64, normalizer="macenko", augment="xyr", facts={"outcome_labels": classes})
    common = {"normalizer": normalizer, "standardize": True}
    training = train.tensorflow(labels, batch_size=32, augment=params.augment, seed=seed, **common)
    validation = held_out.tensorflow(labels, batch_size=64, shuffle=False, **common)
    model = make_model(len(classes))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(training, epochs=EPOCHS, shuffle=False, verbose=2)  # the loader shuffles
    accuracy = model.evaluate(validation, verbose=0, return_dict=True)["accuracy"]
    patients = sorted(set(held_out.patients().values()))
    print(f"accuracy {accuracy:.3f} on the tiles of {', '.join(patients)}")

    # 4. The model's folder is all that a new slide needs.
    model_dir = folder / "model"
    model_dir.mkdir()
    model.save(model_dir / "model.keras")
    params.save(model_dir, normalizer=normalizer)
    predict(cohort.new_slide, model_dir, folder / "heat-map.png")
    return accuracy


def make_model(classes: int) -> keras.Model:
    """Make a small network; it takes float32 (n, 64, 64, 3), −1 to 1."""
    model = keras.Sequential([keras.Input((64, 64, 3))])
    for filters in (16, 32, 64):
        model.add(layers.Conv2D(filters, 3, padding="same", use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.ReLU())
        model.add(layers.MaxPooling2D())
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(classes, activation="softmax"))
    return model


def predict(slide: Path, model_dir: Path, picture: Path) -> dict[tuple[int, int], float]:
    """Give each tile of a slide its probability of tumour, and draw them."""
    params = ModelParams.load(model_dir)
    normalizer = norm.from_params(model_dir / "params.json")
    model = keras.saving.load_model(model_dir / "model.keras")
    with WSI(slide, params.tile_px, params.tile_um, qc="otsu") as wsi:
        places, tiles = zip(*wsi.map(normalizer.transform), strict=True)
        images = np.stack(tiles).astype(np.float32) / 127.5 - 1
        tumor = model.predict(images, verbose=0)[:, params.facts["outcome_labels"].index("tumor")]
        found = dict(zip(places, tumor.tolist(), strict=True))
        draw_heat_map(wsi, found, picture)
    print(f"{slide.name}: {len(found)} tiles, {int((tumor > 0.5).sum())} of them tumor; {picture}")
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "train-tensorflow"))
