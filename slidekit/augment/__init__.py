"""Augmentation by letters, seeded image by image, with the same result in numpy, torch and TensorFlow.

What happens to an image is drawn once, from its seed, by `draw`; `slidekit.augment.arrays`, `slidekit.augment.torch`
and `slidekit.augment.tensorflow` only do it. Letters are worked on in the order of `ORDER`, whatever the order in
which they are given:

====== ================== ============================================================================================
letter share of images    what is done
====== ================== ============================================================================================
``x``  1/2                left and right change places
``y``  1/2                top and bottom change places
``r``  3/4                turned by 90°, 180° or 270°; images that are not square only by 180°, and then half of them
``b``  1/2                Gaussian blur of sigma 0.5, 1, 1.5 or 2 px; the kernel reaches to 3 sigma
``s``  1/2                sharpened by 1.5, 2, 2.5 or 3
``p``  1/2                posterised: the 4, 5 or 6 highest bits of each channel are kept
``d``  4/5                colour distortion: brightness, contrast, saturation, hue; a fifth of those becomes grey
``c``  1/2                another colour profile: tone curves and primaries like those of another scanner
``j``  1/2                encoded as JPEG of a quality from 50 to 100, colours at half the resolution, and decoded
``n``  all                stain augmentation: a matter of the normaliser, which the loaders do before all of these
====== ================== ============================================================================================

All is done with whole numbers, so that the frameworks agree in every pixel; of JPEG they have their own libraries.
"""

from __future__ import annotations

from slidekit.augment.letters import DEFAULT, LETTERS, ORDER, parse_augment
from slidekit.augment.parameters import draw

__all__ = ["DEFAULT", "LETTERS", "ORDER", "draw", "parse_augment"]
