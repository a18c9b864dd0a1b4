"""The types of issues with annotation files."""

from pixelwise.datasets.issue_kinds import IssueType, error_type, note_type, warning_type

ANNOTATION_TYPES: dict[str, IssueType] = {
    "annotations-twice": error_type(
        "Images that annotations name twice", "Keep one of them; --fix keeps the first."
    ),
    "annotations-unread": note_type(
        "Annotation files that are not read",
        "Nothing need be done where the others are meant.",
        repaired=True,
    ),
    "annotation-without-image": error_type(
        "Annotations of an image that is not listed",
        "List the image, or remove them; --fix leaves them out.",
    ),
    "annotation-without-size": note_type(
        "Images without height and width in the annotations", repaired=True
    ),
    "category-group": note_type("A category that only groups the others", repaired=True),
    "annotation-malformed": error_type(
        "Annotations that cannot be read", "Correct the place named, or export the file again."
    ),
    "class-unlisted": error_type(
        "Shapes of a class that is not listed",
        "Add the class to the list, or rename the shapes.",
    ),
    "classes-alike": warning_type(
        "Class names that differ only in case",
        "They are two classes: rename the shapes if one is meant.",
    ),
    "classes-numbered": warning_type(
        "Classes that differ only in a number",
        "Name the classes in labels.txt, or give objects of one class one label.",
    ),
    "names-malformed": error_type("Class names that cannot be read", "Correct them there."),
    "classes-count": warning_type(
        "A number of classes that is not that of the names",
        "Correct it: the names count.",
        repaired=True,
    ),
    "box-left-out": warning_type(
        "Boxes among outlines",
        "They are left out, so their pixels are background: draw outlines of these objects.",
        repaired=True,
    ),
    "boxes-alone": warning_type(
        "All shapes are boxes", "They are drawn as areas: is this a data set for detection?"
    ),
    "shape-left-out": warning_type(
        "Shapes without a label", "They are left out: label them.", repaired=True
    ),
    "shape-with-labels": warning_type(
        "Shapes with several labels", "The first is used: choose one label.", repaired=True
    ),
    "image-path-differs": warning_type(
        "Annotations that name another image than the one beside them",
        "The image beside them is used: check that it is theirs.",
        repaired=True,
    ),
    "image-unlabelled": note_type(
        "Images without annotation",
        "They count as background: remove those that nobody has labelled.",
        repaired=True,
    ),
    "image-unannotated": note_type(
        "Images that nobody has annotated", "They are left out.", repaired=True
    ),
    "image-annotated-twice": warning_type(
        "Images with several annotations",
        "The latest is used: mark the right one as ground truth.",
        repaired=True,
    ),
    "image-by-name": note_type(
        "Images found by their name alone",
        "Their folder is not here: check that these are the images meant.",
        repaired=True,
    ),
}
"""By name, as ISSUE_TYPES."""
