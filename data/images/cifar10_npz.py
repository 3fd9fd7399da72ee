"""CIFAR-10 as JPEGs that share one header, packed into one file per split."""

from __future__ import annotations

import io
import itertools
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from runs.errors import InvalidProblem

END_OF_IMAGE = b"\xff\xd9"
FIELDS = {"header": "u1", "scans": "u1", "offsets": "i8", "labels": "u1"}
Arrays = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]


def read(path: Path, classes: tuple[str, ...], size: int) -> Arrays:
    """Images (n, 3, size, size) and labels (n,) of ``cifar10_train.npz`` or ``cifar10_test.npz``.

    Image i is ``header``, then ``scans[offsets[i]:offsets[i + 1]]``, then the end marker.

    Raises
    ------
    InvalidProblem
        The file is truncated or damaged, or an array breaks the format: names file and field.
    """
    arrays = _checked(path, classes)
    header, scans, offsets = arrays["header"].tobytes(), arrays["scans"].tobytes(), arrays["offsets"].tolist()
    images = np.empty((len(arrays["labels"]), 3, size, size), np.uint8)
    for index, (start, end) in enumerate(itertools.pairwise(offsets)):
        try:
            image = Image.open(io.BytesIO(header + scans[start:end] + END_OF_IMAGE), formats=["JPEG"])
            if image.size != (size, size):
                raise InvalidProblem(
                    f"{path}: image {index} is {image.width} x {image.height}; {size} x {size} is needed"
                )
            pixels = np.asarray(image)
        except (OSError, SyntaxError, ValueError) as error:
            raise InvalidProblem(
                f"{path}: image {index} of scans is no JPEG ({error}); fetch the file again"
            ) from error
        if pixels.shape != (size, size, 3):
            raise InvalidProblem(f"{path}: image {index} is of shape {pixels.shape}; ({size}, {size}, 3) is needed")
        images[index] = pixels.transpose(2, 0, 1)
    return images, arrays["labels"]


def _checked(path: Path, classes: tuple[str, ...]) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in (*FIELDS, "classes") if name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidProblem(f"{path} is no whole .npz file ({error}); fetch it again") from error
    missing = [name for name in (*FIELDS, "classes") if name not in arrays]
    if missing:
        raise InvalidProblem(
            f"{path}: the array {missing[0]} is missing; there must be {', '.join((*FIELDS, 'classes'))}"
        )
    for name, kind in FIELDS.items():
        if arrays[name].dtype != np.dtype(kind) or arrays[name].ndim != 1:
            raise InvalidProblem(
                f"{path}: {name} is {arrays[name].dtype} {arrays[name].shape}; one row of {kind} is needed"
            )
    offsets, labels, given = arrays["offsets"], arrays["labels"], tuple(arrays["classes"].tolist())
    if len(offsets) != len(labels) + 1 or not len(labels):
        raise InvalidProblem(f"{path}: {len(offsets)} offsets for {len(labels)} labels; one more than labels is needed")
    if offsets[0] != 0 or offsets[-1] != len(arrays["scans"]) or (np.diff(offsets) <= 0).any():
        raise InvalidProblem(f"{path}: offsets must rise from 0 to the length of scans, {len(arrays['scans'])}")
    if given != classes:
        raise InvalidProblem(f"{path}: classes are {', '.join(map(str, given))}; {', '.join(classes)} are needed")
    if labels.max() >= len(classes):
        raise InvalidProblem(f"{path}: a label is {labels.max()}; there are {len(classes)} classes, from 0")
    return arrays
