"""Places of slides from which patches come: tissue, classes, boxes."""

from __future__ import annotations

from slidekit.sampling.masks.facts import SlideFacts
from slidekit.sampling.places.maps import Maps
from slidekit.sampling.places.places import Places
from slidekit.sampling.places.slide_map import SlideMap

__all__ = ["Maps", "Places", "SlideFacts", "SlideMap"]
