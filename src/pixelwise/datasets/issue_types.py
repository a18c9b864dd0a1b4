"""The types of issues, with what each means and what to do. Their names are part of the JSON and
stay.
"""

from pixelwise.datasets.annotation_issue_types import ANNOTATION_TYPES
from pixelwise.datasets.band_issue_types import BAND_TYPES
from pixelwise.datasets.issue_kinds import IssueType as IssueType  # noqa: PLC0414  also found here
from pixelwise.datasets.issue_kinds import Severity as Severity  # noqa: PLC0414
from pixelwise.datasets.issue_kinds import error_type, note_type, warning_type

_LEFT_OUT = "Replace or remove the file; --fix leaves the pair out."
_BY_EYE = "Look at it; if it is so, turn or move the mask. --fix changes nothing here."

ISSUE_TYPES: dict[str, IssueType] = {
    # folders and files
    "folder-unreadable": error_type("A folder cannot be read", "Make it readable and check again."),
    "link-loop": warning_type(
        "A symbolic link leads round in a circle",
        "Remove the link; it was not followed.",
        repaired=True,
    ),
    "link-broken": error_type(
        "A symbolic link leads nowhere", "Restore what it points to, or remove it."
    ),
    "name-not-utf8": warning_type(
        "File names that are not UTF-8", "Rename them; --fix writes plain names.", repaired=True
    ),
    "file-ignored": note_type("Files that are no pictures", "They are not read.", repaired=True),
    "subfolder-ignored": warning_type(
        "Pictures in folders that are not read",
        "Move them up beside the others, or away.",
        repaired=True,
    ),
    "beside-unused": note_type(
        "Files and folders beside that are not read",
        "Nothing need be done, unless they hold the masks or the names of the classes.",
        repaired=True,
    ),
    "masks-doubtful": error_type(
        "Several folders that may hold the masks",
        "Choose with --masks FOLDER, or move the others away.",
    ),
    "masks-other-format": warning_type(
        "Masks in files that are no pictures", "Save them as PNG.", repaired=True
    ),
    "names-in-part": note_type(
        "Names that agree in part", "See in a few pairs whether they belong together."
    ),
    "data-beneath": note_type("The data lies in a folder beneath", repaired=True),
    "layouts-mixed": warning_type(
        "More than one layout in one folder",
        "Keep one; or choose with --format when training.",
        repaired=True,
    ),
    "layout-layers": warning_type(
        "One mask file a class",
        "They are read as they are; --fix puts the layers together.",
        repaired=True,
    ),
    "layers-doubtful": error_type(
        "Masks of one image that may be classes or parts",
        "Call them x_CLASS.png, or x_1.png and x_2.png for parts of one class.",
    ),
    "layers-overlap": warning_type(
        "Layers of classes that overlap",
        "--fix lets the smaller mask cover the larger; `train --multilabel` keeps both.",
        repaired=True,
    ),
    "shapes-clipped": warning_type(
        "Shapes that reach over the image's border",
        "They are cut there: are they of this image?",
        repaired=True,
    ),
    "shapes-blank": note_type(
        "Shapes without a pixel", "Lines, points and specks label nothing.", repaired=True
    ),
    "shapes-overlap": note_type(
        "Shapes of two classes that overlap",
        "`pixelwise help formats` says which covers which; `train --multilabel` keeps both.",
        repaired=True,
    ),
    "split-twice": error_type(
        "Two folders or files are the same split", "Keep one name of it (train, val, test)."
    ),
    "split-without-masks": note_type(
        "A split without masks", "It is left out; add masks to use it.", repaired=True
    ),
    "split-small": note_type("A split of few images", "Scores on it say little; hold out more."),
    "split-empty": error_type(
        "A split without a usable pair", "Add pairs, or remove the folder.", repaired=True
    ),
    "classes-malformed": error_type(
        "A classes file that cannot be read",
        "Correct it at the place named, or remove it: classes are then guessed.",
    ),
    "tree-malformed": error_type(
        "A tree of classes that cannot be",
        "Correct `tree` in classes.json, or remove it: no classes then belong together.",
    ),
    "classes-contradict": error_type("Two classes files that disagree", "Keep one of them."),
    "classes-misfit": error_type(
        "A classes file that does not fit the masks", "Correct the file or the masks."
    ),
    "class-doubtful": note_type(
        "Classes whose name may mean void", "Call the class void to leave its pixels out."
    ),
    "image-without-mask": error_type(
        "Images without mask", "Add the mask, or leave it out with --skip-unpaired."
    ),
    "mask-without-image": error_type(
        "Masks without image", "Add the image, or leave it out with --skip-unpaired."
    ),
    "image-name-twice": error_type(
        "Two images of one name", "Remove or rename one; --fix keeps the first."
    ),
    "mask-name-twice": error_type(
        "Two masks for one image", "Remove or rename one; --fix keeps the first."
    ),
    "split-missing": note_type(
        "A split that is listed and not here", "Add its folder, or take it out of the list."
    ),
    "list-entry-missing": error_type(
        "Listed images of which a file is missing", "Add the files or shorten the list."
    ),
    "list-entry-twice": error_type(
        "Images listed in two splits", "Take them out of one; --fix keeps them for testing."
    ),
    "picture-not-listed": note_type(
        "Pictures in no list", "They are not used; add them to a list to use them.", repaired=True
    ),
    **ANNOTATION_TYPES,
    # images
    "image-unreadable": error_type("Images that cannot be read", _LEFT_OUT),
    "mask-unreadable": error_type("Masks that cannot be read", _LEFT_OUT),
    "suffix-wrong": note_type(
        "Files named for another format than they have", "Rename them.", repaired=True
    ),
    "image-frames": warning_type(
        "Images of several frames or pages",
        "Only the first is read: split the file where the others are meant.",
        repaired=True,
    ),
    "image-transparent": warning_type(
        "Images with transparent parts",
        "They are put on white; --fix writes them so.",
        repaired=True,
    ),
    "image-bands": warning_type(
        "Images of more bands than red, green and blue",
        "The others are not read: leave them out, or choose three bands.",
    ),
    **BAND_TYPES,
    "image-cmyk": warning_type(
        "Images in CMYK without a profile",
        "Colours change when they are turned into RGB; --fix does it.",
        repaired=True,
    ),
    "image-profile": note_type(
        "Images in other colours than sRGB",
        "They are converted; damaged profiles are ignored.",
    ),
    "image-deep": note_type(
        "Images of more than 8 bits",
        "They are brought to 8 bits by the depth that holds their values.",
    ),
    "image-end": note_type(
        "JPEG files without their last two bytes", "They are read; copy them again."
    ),
    "image-grey": note_type("Grey images stored as RGB", "If colour matters, get the originals."),
    "image-blank": warning_type("Images of one colour", "Remove them, unless they are meant."),
    "image-tiny": warning_type("Very small images", "Check that these are no thumbnails."),
    "image-huge": warning_type("Very large images", "Cut them into tiles for training."),
    "image-is-mask": error_type(
        "An image that is a mask", "Images and masks are mixed up: put the photograph there."
    ),
    # image and mask together
    "size-mismatch": error_type(
        "Image and mask of unlike size", "--fix resizes the mask (nearest) where the shape agrees."
    ),
    "size-transposed": error_type(
        "Mask lies on its side", "Turn it; --fix does where the edges of the image show which way."
    ),
    "orientation-mismatch": error_type(
        "EXIF orientation on one of image and mask", "--fix turns both alike."
    ),
    "orientation-tag": note_type(
        "Pictures stored turned (EXIF)", "Other programs may not turn them.", repaired=True
    ),
    "mask-shifted": warning_type("Labels that seem shifted against the image", _BY_EYE),
    "masks-shifted": warning_type("All labels seem shifted against the images", _BY_EYE),
    "mask-mirrored": warning_type("Labels that seem mirrored, turned or transposed", _BY_EYE),
    "masks-mirrored": warning_type("All labels seem mirrored, turned or transposed", _BY_EYE),
    "mask-misfit": warning_type(
        "Label borders that disagree with image edges", "Is it another image's mask? Look at it."
    ),
    "masks-misfit": warning_type(
        "Labels of the whole set disagree with image edges", "Are the pairs right? Look at some."
    ),
    # masks
    "mask-is-photo": error_type(
        "A mask that is a photograph", "Images and masks are mixed up: put the mask there."
    ),
    "mask-lossy": error_type(
        "Masks damaged by JPEG", "Export them as PNG; --fix takes the nearest legal value."
    ),
    "mask-resampled": error_type(
        "Masks resized smoothly", "Resize with nearest; --fix takes the nearest legal value."
    ),
    "mask-blended": warning_type(
        "Borders run through classes in between", "Resize with nearest: these labels are invented."
    ),
    "colour-stray": error_type(
        "Colours that are no class", "Declare them, or let --fix take the nearest legal colour."
    ),
    "value-outside-classes": error_type(
        "Values that are no class", "Declare the class; --fix makes the pixels void."
    ),
    "value-large": error_type(
        "Values above 255",
        "Write class ids (0 to 254), no ids of instances; --fix makes them void where few "
        "masks have them.",
    ),
    # No errors, as these are read: other programs may not.
    "mask-wide": warning_type(
        "8-bit masks saved as 16 bits", "Save them as 8 bits; --fix does.", repaired=True
    ),
    "value-doubtful": error_type(
        "Values hardly meant as a class",
        "Name the classes in classes.txt, or correct the masks; --fix makes the pixels void.",
    ),
    "encodings-mixed": error_type(
        "Masks written in different ways", "Write all alike; --fix does."
    ),
    "palettes-differ": error_type(
        "Palettes that disagree on a value",
        "List the colours of the classes in classes.csv, or save all masks with one palette.",
        repaired=False,
    ),
    "mask-instances": error_type(
        "Masks that hold one id for each object",
        "Make one class of all objects with --instances, or save class ids.",
        repaired=False,
    ),
    "mask-in-alpha": warning_type(
        "Masks that are drawn in the alpha channel", "Save them as grey; --fix does.", repaired=True
    ),
    "values-not-from-zero": warning_type(
        "Class ids that begin above 0", "Begin with 0, or class 0 stays empty.", repaired=True
    ),
    "mask-zero-nodata": warning_type(
        "Masks whose files call 0 no data and hold it",
        "0 is read as the first class; where it is void, list the classes in classes.json, with "
        '{"id": 0, "name": "void"} among them.',
    ),
    "mask-share": warning_type(
        "Binary masks with far more or less of the object than the others",
        "Look at them: are they inverted? Nothing is changed.",
    ),
    "mask-inverted": warning_type(
        "Binary masks that seem inverted", "Look at it: is the object 0? Nothing is changed."
    ),
    "masks-inverted": warning_type(
        "All binary masks seem inverted", "Look at some: is the object 0? Nothing is changed."
    ),
    "mask-blank": warning_type(
        "Masks of one class alone", "Are these finished? Remove unlabelled images."
    ),
    "mask-void": warning_type(
        "Masks that are nearly all void", "They teach nothing; label or remove them."
    ),
    "void-much": note_type(
        "Much of the data is void", "Void counts nowhere; label more where you can."
    ),
    "mask-identical": warning_type(
        "Identical masks under different names", "Is one a copy by mistake? Look at both."
    ),
    "matte-faint": error_type(
        "Mattes that never reach opacity", "Save alpha as 0 to 255; --fix stretches 0/1 to classes."
    ),
    # classes
    "class-absent": note_type("Classes that are in no mask", "They cannot be learnt nor scored."),
    "class-only-scored": warning_type(
        "Classes in val or test that train lacks", "Split the images again."
    ),
    "class-tiny": note_type(
        "Classes of very few pixels", "Expect low scores; add images that show them."
    ),
    "class-rare": note_type("Classes in very few images", "Scores of them say little; add images."),
    "class-alone": error_type(
        "All masks hold one class alone",
        "There is nothing to learn; check the masks.",
        repaired=False,
    ),
    # leaks
    "image-twice": warning_type("The same image twice", "Remove one; --fix does.", repaired=True),
    "image-leak": error_type(
        "The same image in two splits", "Scores would be too good; --fix keeps the tested one."
    ),
    "image-near": note_type(
        "Nearly the same image twice", "Frames of a film? Keep them in one split."
    ),
    "groups-likely": warning_type(
        "Images that seem to come in groups, as films, patients or scenes do",
        "A random split puts parts of a group in train and in val, which makes scores too good; "
        "train with that --group, or let `check --groups FILE` write them and put that into the "
        "data as groups.csv.",
    ),
    "groups-divided": note_type(
        "Groups of images, as of a film, in several splits",
        "Scores may be too good; keep each group in one split.",
    ),
    "image-near-leak": warning_type(
        "Nearly the same image in two splits",
        "Scores may be too good; --fix keeps the tested one.",
        repaired=True,
    ),
}
