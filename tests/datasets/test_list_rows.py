from pathlib import Path

import pytest

from pixelwise.datasets.list_rows import list_row, split_row


@pytest.mark.parametrize(
    ("image", "mask", "row"),
    [
        ("images/a.jpg", "masks/a.png", "images/a.jpg masks/a.png"),
        ("Tile 1/a,b.jpg", "masks/a.png", '"Tile 1/a,b.jpg" masks/a.png'),
        ("Tile 1/a.jpg", "My masks/a.png", '"Tile 1/a.jpg" "My masks/a.png"'),
    ],
)
def test_a_row_that_is_written_is_read_again(image: str, mask: str, row: str) -> None:
    root = Path("data")
    assert list_row(root, root / image, root / mask) == row
    assert (image, mask) in list(split_row(row))
