"""Folds that keep the patients of a site together, by a mixed-integer linear programme.

Where a site's slides look alike and sites differ in their patients' outcomes, a network that has seen other patients
of a site knows more than it should: F. M. Howard et al., The impact of site-specific digital histology signatures on
deep learning model accuracy and bias, Nature Communications 12, 4423 (2021).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from slidekit.collection.numbers import whole_number
from slidekit.errors import DatasetError
from slidekit.splits.drawing import shuffle
from slidekit.splits.patients import Patient, strata
from slidekit.wording import some_of

__all__ = ["draw_site_folds"]

logger = logging.getLogger(__name__)

_SECONDS = 60.0
_NODES = 200
"""Nodes of the search, which ends here on every machine alike: 2 s for 37 sites, 4 s for 60; five times as many found
nothing better."""

_GAP = 1e-3
"""How far, relatively, the division may be from the best one."""


def draw_site_folds(patients: Sequence[Patient], k: int, seed: int, *, seconds: float = _SECONDS) -> list[list[str]]:
    """Deal whole sites to folds so that the folds are as equal as can be, in all and of every class.

    With n[s, c] patients of class c (and, as one more class, of all) in site s, N[c] in all, and x[s, f] = 1 if site
    s is in fold f:

        minimise    Σ_f Σ_c d[f, c] / N[c]
        subject to  d[f, c] ≥ |Σ_s n[s, c] x[s, f] - N[c] / k|
                    Σ_f x[s, f] = 1 for every site, Σ_s x[s, f] ≥ 1 for every fold, x binary

    The s-th site, by falling size, is in one of the folds 1 to s: folds are alike, and looking at them in every
    order would take k! times as long. Solved by HiGHS in `scipy.optimize.milp`. (The paper minimises squares, which
    takes a quadratic solver; absolute deviations are linear.)

    Parameters
    ----------
    patients
        With sites.
    k
        Number of folds, at least 2.
    seed
        Orders sites of equal size; where several divisions are equally good it may choose among them.
    seconds
        Time limit of the solver, a last resort: the search ends by the number of its steps, so that the same
        patients and seed give the same folds everywhere. The log says if time ended it.

    Returns
    -------
    list of list of str
        Patients of each fold, sorted.

    Raises
    ------
    DatasetError
        If there are fewer sites than folds, fewer than two folds, or no division was found in time.
    """
    if whole_number(k, 2) is None:
        raise DatasetError(f"k={k!r} is no number of folds.", mend="Give 2 or more.")
    members: dict[str, list[Patient]] = {}
    for patient in shuffle(patients, seed, "site"):
        members.setdefault(str(patient.site), []).append(patient)
    if len(members) < k:
        fewer = f"Take at most {len(members)} folds, or folds" if len(members) > 1 else "Take folds"
        raise DatasetError(
            f"{len(members)} sites cannot be divided among {k} folds: {some_of(sorted(members))}.",
            mend=f"{fewer} that do not keep sites together.",
        )
    # Sorting keeps what is equal in its order, which is that of the seed.
    sites = sorted(members, key=lambda site: -len(members[site]))
    chosen = _solve(_count(patients, sites), k, seconds)
    return [
        sorted(one.name for site, own in zip(sites, chosen, strict=True) if own == fold for one in members[site])
        for fold in range(k)
    ]


def _count(patients: Sequence[Patient], sites: Sequence[str]) -> npt.NDArray[np.float64]:
    """Patients of each site, (sites, classes + 1); the last column counts all."""
    groups = [*strata(patients), list(patients)]
    places = {site: place for place, site in enumerate(sites)}
    counts = np.zeros((len(sites), len(groups)))
    for column, group in enumerate(groups):
        for patient in group:
            counts[places[str(patient.site)], column] += 1
    return counts


def _solve(counts: npt.NDArray[np.float64], k: int, seconds: float) -> npt.NDArray[np.int64]:
    """Fold of each site; `counts` is (sites, classes)."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    sites, classes = counts.shape
    chosen, total = sites * k, counts.sum(axis=0)
    # Unknowns: x[s, f] row by row, then d[f, c] row by row.
    cost = np.concatenate([np.zeros(chosen), np.tile(1 / total, k)])
    once = np.hstack([np.kron(np.eye(sites), np.ones(k)), np.zeros((sites, k * classes))])
    filled = np.hstack([np.tile(np.eye(k), sites), np.zeros((k, k * classes))])
    in_fold = np.zeros((k * classes, chosen))
    for fold in range(k):
        in_fold[fold * classes : (fold + 1) * classes, fold::k] = counts.T
    ideal, slack = np.tile(total / k, k), np.eye(k * classes)
    upper = np.ones(len(cost))
    upper[chosen:] = np.inf
    for site in range(min(sites, k)):
        upper[site * k + site + 1 : (site + 1) * k] = 0
    end = time.monotonic() + seconds
    result = milp(
        cost,
        integrality=np.concatenate([np.ones(chosen), np.zeros(k * classes)]),
        bounds=Bounds(0, upper),
        constraints=[
            LinearConstraint(once, 1, 1),
            LinearConstraint(filled, 1, np.inf),
            LinearConstraint(np.hstack([in_fold, -slack]), -np.inf, ideal),
            LinearConstraint(np.hstack([in_fold, slack]), ideal, np.inf),
        ],
        options={"time_limit": seconds, "node_limit": _NODES, "mip_rel_gap": _GAP},
    )
    if result.x is None:
        raise DatasetError(
            f"No division of {sites} sites among {k} folds was found in {seconds:g} s.", mend="Take fewer folds."
        )
    if result.status != 0 and time.monotonic() >= end:
        logger.warning(
            "The division of %d sites among %d folds was not proved to be the best in %g s: another run may find "
            "another one. Keep it in a file, with splits=.",
            sites,
            k,
            seconds,
        )
    elif result.status != 0:
        logger.info("The division of %d sites among %d folds is good, but was not proved to be the best.", sites, k)
    folds: npt.NDArray[np.int64] = result.x[:chosen].reshape(sites, k).argmax(axis=1)
    return folds
