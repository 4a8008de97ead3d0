"""Augmentation of patches that are read straight from slides: colours, places and directions, with their label images.

What is done to a patch is drawn from its seed and from nothing else: in any batch, worker or order it becomes the
same. All views of a patch and its label image are moved alike.

=========== ==========================================================================================================
part        what is done
=========== ==========================================================================================================
hue         the hue of HSV turns by N(0, 0.025) of a whole turn
lightness   L* of CIELAB, from 0 to 1, is raised to the power N(1, 0.015)
warp        inner points of a grid of 8 × 8 move by N(0, rows / 80) pixels, and what lies between goes along
flips       left and right change places in every second patch, top and bottom in every second patch
turns       0°, 90°, 180° or 270°, each as likely; views that are not square only 0° or 180°
=========== ==========================================================================================================

Colours and warp, with these deviations, are those of histo-fetch (Lutnick et al., J Pathol Inform 2022;13:7).
"""

from __future__ import annotations

from slidekit.augment.patches.patch_augment import PatchAugment

__all__ = ["PatchAugment"]
