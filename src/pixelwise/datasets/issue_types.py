"""The types of issues, with what each means and what to do. Their names are part of the JSON and
stay.
"""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class IssueType:
    """A type of issue; `repaired` says that `--fix` leaves none of it in the copy."""

    severity: Severity
    title: str
    fix: str
    repaired: bool = False


def _error(
    title: str,
    fix: str,
    *,
    repaired: bool = True,
) -> IssueType:
    return IssueType("error", title, fix, repaired)


def _warning(
    title: str,
    fix: str,
    *,
    repaired: bool = False,
) -> IssueType:
    return IssueType("warning", title, fix, repaired)


def _note(
    title: str,
    fix: str = "Nothing need be done.",
    *,
    repaired: bool = False,
) -> IssueType:
    return IssueType("note", title, fix, repaired)


_LEFT_OUT = "Replace or remove the file; --fix leaves the pair out."
_BY_EYE = "Look at it; if it is so, turn or move the mask. --fix changes nothing here."

ISSUE_TYPES: dict[str, IssueType] = {
    # folders and files
    "folder-unreadable": _error("A folder cannot be read", "Make it readable and check again."),
    "link-loop": _warning(
        "A symbolic link leads round in a circle",
        "Remove the link; it was not followed.",
        repaired=True,
    ),
    "link-broken": _error(
        "A symbolic link leads nowhere", "Restore what it points to, or remove it."
    ),
    "name-not-utf8": _warning(
        "File names that are not UTF-8", "Rename them; --fix writes plain names.", repaired=True
    ),
    "file-ignored": _note("Files that are no pictures", "They are not read.", repaired=True),
    "subfolder-ignored": _warning(
        "Pictures in folders that are not read",
        "Move them up beside the others, or away.",
        repaired=True,
    ),
    "beside-unused": _note(
        "Files and folders beside that are not read",
        "Nothing need be done, unless they hold the masks or the names of the classes.",
        repaired=True,
    ),
    "masks-doubtful": _error(
        "Several folders that may hold the masks",
        "Choose with --masks FOLDER, or move the others away.",
    ),
    "masks-other-format": _warning(
        "Masks in files that are no pictures", "Save them as PNG.", repaired=True
    ),
    "names-in-part": _note(
        "Names that agree in part", "See in a few pairs whether they belong together."
    ),
    "data-beneath": _note("The data lies in a folder beneath", repaired=True),
    "layouts-mixed": _warning(
        "More than one layout in one folder",
        "Keep one; or choose with --format when training.",
        repaired=True,
    ),
    "layout-layers": _warning(
        "One mask file a class",
        "They are read as they are; --fix puts the layers together.",
        repaired=True,
    ),
    "layers-doubtful": _error(
        "Masks of one image that may be classes or parts",
        "Call them x_CLASS.png, or x_1.png and x_2.png for parts of one class.",
    ),
    "layers-overlap": _warning(
        "Layers of classes that overlap",
        "--fix lets the later class (by name) cover the earlier.",
        repaired=True,
    ),
    "shapes-clipped": _warning(
        "Shapes that reach over the image's border",
        "They are cut there: are they of this image?",
        repaired=True,
    ),
    "shapes-blank": _note(
        "Shapes without a pixel", "Lines, points and specks label nothing.", repaired=True
    ),
    "shapes-overlap": _note(
        "Shapes of two classes that overlap",
        "Which covers which is in docs/formats.md.",
        repaired=True,
    ),
    "annotations-twice": _error(
        "Images that annotations name twice", "Keep one of them; --fix keeps the first."
    ),
    "annotations-unread": _note(
        "Annotation files that are not read",
        "Nothing need be done where the others are meant.",
        repaired=True,
    ),
    "annotation-without-image": _error(
        "Annotations of an image that is not listed",
        "List the image, or remove them; --fix leaves them out.",
    ),
    "annotation-without-size": _note(
        "Images without height and width in the annotations", repaired=True
    ),
    "category-group": _note("A category that only groups the others", repaired=True),
    "split-twice": _error(
        "Two folders or files are the same split", "Keep one name of it (train, val, test)."
    ),
    "split-without-masks": _note(
        "A split without masks", "It is left out; add masks to use it.", repaired=True
    ),
    "split-small": _note("A split of few images", "Scores on it say little; hold out more."),
    "split-empty": _error(
        "A split without a usable pair", "Add pairs, or remove the folder.", repaired=True
    ),
    "classes-malformed": _error(
        "A classes file that cannot be read",
        "Correct it at the place named, or remove it: classes are then guessed.",
    ),
    "classes-contradict": _error("Two classes files that disagree", "Keep one of them."),
    "classes-misfit": _error(
        "A classes file that does not fit the masks", "Correct the file or the masks."
    ),
    "class-doubtful": _note(
        "Classes whose name may mean void", "Call the class void to leave its pixels out."
    ),
    "image-without-mask": _error(
        "Images without mask", "Add the mask, or leave it out with --skip-unpaired."
    ),
    "mask-without-image": _error(
        "Masks without image", "Add the image, or leave it out with --skip-unpaired."
    ),
    "image-name-twice": _error(
        "Two images of one name", "Remove or rename one; --fix keeps the first."
    ),
    "mask-name-twice": _error(
        "Two masks for one image", "Remove or rename one; --fix keeps the first."
    ),
    "annotation-malformed": _error(
        "Annotations that cannot be read", "Correct the place named, or export the file again."
    ),
    "class-unlisted": _error(
        "Shapes of a class that is not listed",
        "Add the class to the list, or rename the shapes.",
    ),
    "classes-alike": _warning(
        "Class names that differ only in case",
        "They are two classes: rename the shapes if one is meant.",
    ),
    "names-malformed": _error("Class names that cannot be read", "Correct them there."),
    "classes-count": _warning(
        "A number of classes that is not that of the names",
        "Correct it: the names count.",
        repaired=True,
    ),
    "box-left-out": _warning(
        "Boxes among outlines",
        "They are left out, so their pixels are background: draw outlines of these objects.",
        repaired=True,
    ),
    "boxes-alone": _warning(
        "All shapes are boxes", "They are drawn as areas: is this a data set for detection?"
    ),
    "shape-left-out": _warning(
        "Shapes without a label", "They are left out: label them.", repaired=True
    ),
    "shape-with-labels": _warning(
        "Shapes with several labels", "The first is used: choose one label.", repaired=True
    ),
    "image-path-differs": _warning(
        "Annotations that name another image than the one beside them",
        "The image beside them is used: check that it is theirs.",
        repaired=True,
    ),
    "image-unlabelled": _note(
        "Images without a label file",
        "They count as background: remove those that nobody has labelled.",
        repaired=True,
    ),
    "image-unannotated": _note(
        "Images that nobody has annotated", "They are left out.", repaired=True
    ),
    "image-annotated-twice": _warning(
        "Images with several annotations",
        "The latest is used: mark the right one as ground truth.",
        repaired=True,
    ),
    "image-by-name": _note(
        "Images found by their name alone",
        "Their folder is not here: check that these are the images meant.",
        repaired=True,
    ),
    "split-missing": _note(
        "A split that is listed and not here", "Add its folder, or take it out of the list."
    ),
    "list-entry-missing": _error(
        "Listed images of which a file is missing", "Add the files or shorten the list."
    ),
    "list-entry-twice": _error(
        "Images listed in two splits", "Take them out of one; --fix keeps them for testing."
    ),
    "picture-not-listed": _note(
        "Pictures in no list", "They are not used; add them to a list to use them.", repaired=True
    ),
    # images
    "image-unreadable": _error("Images that cannot be read", _LEFT_OUT),
    "mask-unreadable": _error("Masks that cannot be read", _LEFT_OUT),
    "suffix-wrong": _note(
        "Files named for another format than they have", "Rename them.", repaired=True
    ),
    "image-frames": _warning(
        "Images of several frames or pages",
        "Only the first is read: split the file where the others are meant.",
        repaired=True,
    ),
    "image-transparent": _warning(
        "Images with transparent parts",
        "They are put on white; --fix writes them so.",
        repaired=True,
    ),
    "image-bands": _warning(
        "Images of more bands than red, green and blue",
        "The others are not read: leave them out, or choose three bands.",
    ),
    "image-cmyk": _warning(
        "Images in CMYK without a profile",
        "Colours change when they are turned into RGB; --fix does it.",
        repaired=True,
    ),
    "image-profile": _note(
        "Images in other colours than sRGB",
        "They are converted; damaged profiles are ignored.",
    ),
    "image-deep": _note(
        "Images of more than 8 bits",
        "They are brought to 8 bits by the depth that holds their values.",
    ),
    "image-end": _note(
        "JPEG files without their last two bytes", "They are read; copy them again."
    ),
    "image-grey": _note("Grey images stored as RGB", "If colour matters, get the originals."),
    "image-blank": _warning("Images of one colour", "Remove them, unless they are meant."),
    "image-tiny": _warning("Very small images", "Check that these are no thumbnails."),
    "image-huge": _warning("Very large images", "Cut them into tiles for training."),
    "image-is-mask": _error(
        "An image that is a mask", "Images and masks are mixed up: put the photograph there."
    ),
    # image and mask together
    "size-mismatch": _error(
        "Image and mask of unlike size", "--fix resizes the mask (nearest) where the shape agrees."
    ),
    "size-transposed": _error(
        "Mask lies on its side", "Turn it; --fix does where the edges of the image show which way."
    ),
    "orientation-mismatch": _error(
        "EXIF orientation on one of image and mask", "--fix turns both alike."
    ),
    "orientation-tag": _note(
        "Pictures stored turned (EXIF)", "Other programs may not turn them.", repaired=True
    ),
    "mask-shifted": _warning("Labels that seem shifted against the image", _BY_EYE),
    "masks-shifted": _warning("All labels seem shifted against the images", _BY_EYE),
    "mask-mirrored": _warning("Labels that seem mirrored, turned or transposed", _BY_EYE),
    "masks-mirrored": _warning("All labels seem mirrored, turned or transposed", _BY_EYE),
    "mask-misfit": _warning(
        "Label borders that disagree with image edges", "Is it another image's mask? Look at it."
    ),
    "masks-misfit": _warning(
        "Labels of the whole set disagree with image edges", "Are the pairs right? Look at some."
    ),
    # masks
    "mask-is-photo": _error(
        "A mask that is a photograph", "Images and masks are mixed up: put the mask there."
    ),
    "mask-lossy": _error(
        "Masks damaged by JPEG", "Export them as PNG; --fix takes the nearest legal value."
    ),
    "mask-resampled": _error(
        "Masks resized smoothly", "Resize with nearest; --fix takes the nearest legal value."
    ),
    "mask-blended": _warning(
        "Borders run through classes in between", "Resize with nearest: these labels are invented."
    ),
    "colour-stray": _error(
        "Colours that are no class", "Declare them, or let --fix take the nearest legal colour."
    ),
    "value-outside-classes": _error(
        "Values that are no class", "Declare the class; --fix makes the pixels void."
    ),
    "value-large": _error(
        "Values above 255",
        "Write class ids (0 to 254), no ids of instances; --fix makes them void where few "
        "masks have them.",
    ),
    # No errors, as these are read: other programs may not.
    "mask-wide": _warning(
        "8-bit masks saved as 16 bits", "Save them as 8 bits; --fix does.", repaired=True
    ),
    "value-doubtful": _error(
        "Values hardly meant as a class",
        "Name the classes in classes.txt, or correct the masks; --fix makes the pixels void.",
    ),
    "encodings-mixed": _error("Masks written in different ways", "Write all alike; --fix does."),
    "palettes-differ": _error(
        "Palettes that disagree on a value",
        "List the colours of the classes in classes.csv, or save all masks with one palette.",
        repaired=False,
    ),
    "mask-instances": _error(
        "Masks that hold one id for each object",
        "Make one class of all objects with --instances, or save class ids.",
        repaired=False,
    ),
    "mask-in-alpha": _warning(
        "Masks that are drawn in the alpha channel", "Save them as grey; --fix does.", repaired=True
    ),
    "values-not-from-zero": _warning(
        "Class ids that begin above 0", "Begin with 0, or class 0 stays empty.", repaired=True
    ),
    "mask-share": _warning(
        "Binary masks with far more or less of the object than the others",
        "Look at them: are they inverted? Nothing is changed.",
    ),
    "mask-inverted": _warning(
        "Binary masks that seem inverted", "Look at it: is the object 0? Nothing is changed."
    ),
    "masks-inverted": _warning(
        "All binary masks seem inverted", "Look at some: is the object 0? Nothing is changed."
    ),
    "mask-blank": _warning(
        "Masks of one class alone", "Are these finished? Remove unlabelled images."
    ),
    "mask-void": _warning(
        "Masks that are nearly all void", "They teach nothing; label or remove them."
    ),
    "void-much": _note(
        "Much of the data is void", "Void counts nowhere; label more where you can."
    ),
    "mask-identical": _warning(
        "Identical masks under different names", "Is one a copy by mistake? Look at both."
    ),
    "matte-faint": _error(
        "Mattes that never reach opacity", "Save alpha as 0 to 255; --fix stretches 0/1 to classes."
    ),
    # classes
    "class-absent": _note("Classes that are in no mask", "They cannot be learnt nor scored."),
    "class-only-scored": _warning(
        "Classes in val or test that train lacks", "Split the images again."
    ),
    "class-tiny": _note(
        "Classes of very few pixels", "Expect low scores; add images that show them."
    ),
    "class-rare": _note("Classes in very few images", "Scores of them say little; add images."),
    "class-alone": _error(
        "All masks hold one class alone",
        "There is nothing to learn; check the masks.",
        repaired=False,
    ),
    # leaks
    "image-twice": _warning("The same image twice", "Remove one; --fix does.", repaired=True),
    "image-leak": _error(
        "The same image in two splits", "Scores would be too good; --fix keeps the tested one."
    ),
    "image-near": _note("Nearly the same image twice", "Frames of a film? Keep them in one split."),
    "image-near-leak": _warning(
        "Nearly the same image in two splits",
        "Scores may be too good; --fix keeps the tested one.",
        repaired=True,
    ),
}
