"""The letters of augmentation, and how often and how far each goes."""

from __future__ import annotations

from slidekit.errors import SpecError

__all__ = [
    "BLUR_SHARE",
    "BLUR_SIGMAS",
    "BRIGHTNESS",
    "CONTRAST",
    "DEFAULT",
    "DISTORT_SHARE",
    "GREY_SHARE",
    "HUE",
    "JPEG_QUALITIES",
    "JPEG_SHARE",
    "LETTERS",
    "ORDER",
    "POSTERISE_BITS",
    "POSTERISE_SHARE",
    "PROFILE_GAMMAS",
    "PROFILE_MIXING",
    "PROFILE_SHARE",
    "SATURATION",
    "SHARPEN_FACTORS",
    "SHARPEN_SHARE",
    "parse_augment",
]

LETTERS = "xyrjbndspc"
"""All letters, Slideflow's."""

ORDER = "xyrbspdcj"
"""The order in which they are worked on; ``n``, which the normaliser does, goes before all of them."""

DEFAULT = "xyrjb"
"""What True stands for, as in Slideflow."""

JPEG_SHARE = 0.5
JPEG_QUALITIES = (50, 100)
"""Lowest and highest quality; each whole number from one to the other is as likely."""

BLUR_SHARE = 0.5
BLUR_SIGMAS = (0.5, 1.0, 1.5, 2.0)
"""Pixels."""

SHARPEN_SHARE = 0.5
SHARPEN_FACTORS = (1.5, 2.0, 2.5, 3.0)
"""As torchvision's and Pillow's: 1 leaves an image as it is; multiples of one half."""

POSTERISE_SHARE = 0.5
POSTERISE_BITS = (4, 5, 6)

# Chen, Kornblith, Norouzi, Hinton: A simple framework for contrastive learning (SimCLR, 2020), appendix A, with half
# the strength: jitter of all colours in four images of five, no colours in one of five.
DISTORT_SHARE = 0.8
BRIGHTNESS = CONTRAST = SATURATION = 0.4
"""Factors are drawn from 1 − this to 1 + this."""
HUE = 0.1
"""Turns of the colour circle, to either side."""
GREY_SHARE = 0.2

PROFILE_SHARE = 0.5
PROFILE_MIXING = 0.05
"""Share of another channel's light in a channel, to either side of none."""
PROFILE_GAMMAS = (0.8, 0.85, 0.9, 0.95, 1.0, 1.06, 1.12, 1.18, 1.25)
"""Factors of the exponent of a channel's tone curve."""


def parse_augment(letters: str | bool | None) -> str:
    """Read what a user asks for by ``augment=``.

    Parameters
    ----------
    letters
        Some of `LETTERS`, in any order; True for `DEFAULT`; False, None or ``""`` for none.

    Returns
    -------
    str
        The letters, each once, in the order of `LETTERS`.

    Raises
    ------
    SpecError
        If there is anything else, naming the letters that there are.
    """
    if letters is None or isinstance(letters, bool):
        return DEFAULT if letters else ""
    if not isinstance(letters, str) or not set(letters) <= set(LETTERS):
        raise SpecError(
            f"augment={letters!r} is not made of the letters of augmentation.",
            mend=f"Use some of {LETTERS}: x, y flip, r rotate, j JPEG, b blur, n stains, d colour distortion, "
            "s sharpen, p posterise, c colour profile; or True or False.",
        )
    return "".join(letter for letter in LETTERS if letter in letters)
