"""Where a run stood: one number, and what it is a number of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from slidekit.errors import SpecError
from slidekit.sampling.slides import SampledSlide
from slidekit.sampling.spec import SamplingSpec
from slidekit.slide.roi import ROISet

__all__ = ["Resumable"]


class Resumable:
    """What a checkpoint has to hold of a sampler; `PatchSampler` is one."""

    slides: tuple[SampledSlide, ...]
    spec: SamplingSpec

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the parameters, and of what is known of the slides without opening a file.

        That is names, µm/px, regions and masks (names of files) and the columns that weights go by. Folders do not
        count: a run goes on where its slides have been moved to.
        """
        columns = sorted(self.spec.quotas or ())
        facts = [_facts(slide, columns) for slide in self.slides]
        text = json.dumps([self.spec.digest(), facts], ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def state(self, step: int) -> dict[str, Any]:
        """What to keep in a checkpoint: plain values, of which the step is the only one that changes."""
        return {"step": int(step), "seed": self.spec.seed, "digest": self.digest}

    def check_state(self, state: Mapping[str, Any]) -> int:
        """Read a checkpoint.

        Returns
        -------
        int
            The step to go on with.

        Raises
        ------
        SpecError
            If it is not one, or another sampler's.
        """
        step = state.get("step")
        if not isinstance(step, int) or isinstance(step, bool) or step < 0 or "digest" not in state:
            raise SpecError(f"{dict(state)!r} is not the state of a sampler.", mend="Keep what sampler.state() gives.")
        if state["digest"] != self.digest:
            seeds = f" Its seed is {state.get('seed')}, this one's {self.spec.seed}."
            raise SpecError(
                "The state is of a sampler with other slides or parameters, whose steps are other patches."
                + (seeds if state.get("seed") != self.spec.seed else ""),
                mend="Make the sampler as it was made then, or start at step 0.",
            )
        return step


def _facts(slide: SampledSlide, columns: list[str]) -> list[Any]:
    """What a sampler's patches depend on of a slide, as plain values."""
    rois: Any = slide.rois
    if isinstance(rois, ROISet):
        rois = [[roi.name, roi.label, roi.polygon.wkb_hex] for roi in rois.rois]
    files = [file.name if isinstance(file, Path) else file for file in (rois, slide.mask, slide.label_mask)]
    return [slide.name, slide.mpp, *files, [str(slide.groups.get(column, "")) for column in columns]]
