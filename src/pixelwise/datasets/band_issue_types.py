"""The types of issues about bands that are no colours; their names, part of the JSON, stay."""

from pixelwise.datasets.issue_kinds import IssueType, error_type, note_type, warning_type

BAND_TYPES: dict[str, IssueType] = {
    "image-other-bands": note_type(
        "Images of other bands or values than photos",
        "A training takes all bands; --bands chooses. `pixelwise help bands` says how they are "
        "read.",
    ),
    "bands-differ": error_type(
        "Images of unlike bands or types",
        "Keep those of one kind, or save all alike.",
        repaired=False,
    ),
    "band-constant": warning_type(
        "Bands with one value alone", "Leave the band out with --bands, or get its values."
    ),
    "band-saturated": warning_type(
        "Bands that are cut off at their greatest value",
        "What lies above cannot be told apart; get the values as they were measured.",
    ),
    "band-nodata": warning_type(
        "A value that may stand for none",
        "Declare it, as with `gdal_edit.py -a_nodata VALUE FILE`: else it is learned as a value.",
    ),
    "band-order": warning_type(
        "Images whose bands seem to be in another order",
        "Save its bands in the order of the others, or name them: bands with names are matched by "
        "these.",
    ),
    "band-range": warning_type(
        "Images whose values are many times those of the others",
        "Are they of another sensor, unit or scale? Bring all to one.",
    ),
}
