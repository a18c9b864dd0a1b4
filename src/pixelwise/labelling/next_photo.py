"""Which photo to label next: where the model is unsure, and which is unlike those that were
labelled.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Photos whose coarse features have this cosine, or a higher one, are copies of each other to the
# eye; measured between photos from which the mean of all is taken away.
COPY = 0.97
# What a photo counts that is like those which were labelled, beside one that is not.
_FAMILIAR = 0.3
_UNSURE = 0.6


@dataclass(frozen=True)
class Candidate:
    """A photo to label: uncertainty is the mean of 1 - confidence, novelty the distance to the
    nearest labelled photo, both from 0 to 1; reason is for people.
    """

    name: str
    uncertainty: float
    novelty: float
    reason: str

    @property
    def score(self) -> float:
        """What a label there would teach."""
        return self.uncertainty * (_FAMILIAR + (1 - _FAMILIAR) * self.novelty)


@dataclass(frozen=True, eq=False)
class Doubt:
    """How sure a model is of places of a photo: confidence (N,), and the names of the two classes
    between which most of the doubt is.
    """

    confidence: NDArray[np.floating]
    between: tuple[str, str] | None = None

    @classmethod
    def of(cls, logits: NDArray[np.float32], names: tuple[str, ...]) -> "Doubt":
        """Of logits (N, C)."""
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        powers /= powers.sum(axis=1, keepdims=True)
        order = np.argsort(powers, axis=1)
        confidence = powers.max(axis=1)
        doubtful = order[confidence < _UNSURE][:, -2:]
        if not len(doubtful):
            return cls(confidence)
        pairs, counts = np.unique(np.sort(doubtful, axis=1), axis=0, return_counts=True)
        first, second = pairs[counts.argmax()]
        return cls(confidence, (names[first], names[second]))


def rank_photos(
    means: Mapping[str, NDArray[np.floating]],
    doubts: Mapping[str, Doubt],
    labelled: Collection[str],
) -> list[Candidate]:
    """The photos of `doubts` that are not labelled, the most useful first; near copies of labelled
    ones and of those before them are at the end.

    means: of the coarsest features, (C,), of all these.
    """
    names = list(means)
    if not names:
        return []
    vectors = _directions(np.stack([means[name] for name in names]).astype(np.float32))
    place = {name: number for number, name in enumerate(names)}
    known = [place[name] for name in labelled if name in place]
    likeness = vectors @ vectors[known].T if known else np.zeros((len(names), 1), np.float32)
    nearest = likeness.max(axis=1)
    candidates = []
    for name, doubt in doubts.items():
        if name in labelled or name not in place:
            continue
        novelty = float(np.clip(1 - nearest[place[name]], 0, 1))
        uncertainty = float(1 - doubt.confidence.mean())
        reason = _describe(doubt, novelty, has_labelled=bool(known))
        candidates.append(Candidate(name, uncertainty, novelty, reason))
    candidates.sort(key=lambda candidate: -candidate.score)
    return _copies_last(candidates, vectors, place, known)


def _directions(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of length 1, after the mean is taken away: what all photos of a folder share says
    nothing.
    """
    if len(vectors) > 2:
        vectors = vectors - vectors.mean(axis=0)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    directions: NDArray[np.float32] = vectors / np.maximum(length, 1e-6)
    return directions


def _copies_last(
    candidates: list[Candidate],
    vectors: NDArray[np.float32],
    place: Mapping[str, int],
    known: list[int],
) -> list[Candidate]:
    seen = list(known)
    first = list[Candidate]()
    copies = list[Candidate]()
    for candidate in candidates:
        number = place[candidate.name]
        is_copy = bool(seen) and float((vectors[seen] @ vectors[number]).max()) >= COPY
        (copies if is_copy else first).append(candidate)
        seen.append(number)
    return first + copies


def _describe(doubt: Doubt, novelty: float, *, has_labelled: bool) -> str:
    """Why a photo is proposed, in words."""
    unsure = float((doubt.confidence < _UNSURE).mean())  # all of it where no model is there yet
    parts = []
    if doubt.between is not None and unsure >= 0.01:
        parts.append(
            f"the model is unsure of {100 * unsure:.0f} % of it, mostly between "
            f"{doubt.between[0]} and {doubt.between[1]}"
        )
    elif unsure < 0.01:
        parts.append("the model is fairly sure of it")
    if has_labelled and novelty > 0.6:
        parts.append("it is unlike the photos labelled so far")
    elif has_labelled and novelty < 0.2:
        parts.append("much like one that is labelled")
    return "; ".join(parts)
