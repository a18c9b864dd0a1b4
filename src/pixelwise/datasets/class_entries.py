"""A line of a list of classes, the columns that tools write in one, and how colours are written."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import ImageColor

from pixelwise.classes import Colour


@dataclass(frozen=True)
class ClassEntry:
    """A line of a classes file: the raw value in the masks, its name and, where given, its
    colour.
    """

    raw: int
    name: str
    colour: Colour | None = None


Parse = Callable[[str], list[ClassEntry]]
"""Entries of a file's text. Raises ValueError, KeyError, TypeError, IndexError or AttributeError
for text that is no list of classes."""

_SPELLINGS = {
    "name": (
        "name,names,title,class,classes,class name,class_name,class-name,classname,class_names,"
        "label,labels,label name,label_name,labelname,category,categories,category_name,"
        "klasse,klassen,bezeichnung,nom,nombre,clase,classe"
    ),
    "id": (
        "id,ids,class id,class_id,classid,label id,label_id,labelid,category_id,train_id,trainid,"
        "pixel value,pixel_value,pixelvalue,pixel,value,values,mask value,mask_value,index,idx,"
        "class_index,class_idx,label_index,number,no,nr,nr.,#,code,grey,gray,grey value,"
        "gray value,grey_value,gray_value,grayscale,greyscale,wert,grauwert"
    ),
    "r": "r,red,rot,rouge,rojo",
    "g": "g,green,grün,gruen,vert,verde",
    "b": "b,blue,blau,bleu,azul",
    "colour": (
        "color,colour,hex,hexcode,hex code,hex_code,color_hex,hex_color,rgb,color_rgb,rgb_color,"
        "farbe,couleur"
    ),
}
COLUMNS = {word: column for column, words in _SPELLINGS.items() for word in words.split(",")}
"""What a column of a table, or a key of an object, holds: by what tools call it, in lower case."""


def parse_colour(colour: Any) -> Colour | None:
    """A colour as three numbers, in a list or in text, as #rrggbb, or by its name in CSS.

    Raises ValueError for anything else.
    """
    if not colour:
        return None
    if not isinstance(colour, str):
        red, green, blue = (int(str(channel)) for channel in list(colour)[:3])
        return red, green, blue
    numbers = re.fullmatch(r"[\[(]?\s*(\d+)[\s,;]+(\d+)[\s,;]+(\d+)\s*[\])]?", colour.strip())
    if numbers:
        return int(numbers[1]), int(numbers[2]), int(numbers[3])
    text = re.sub(r"^0[xX]", "#", colour.strip())
    if re.fullmatch(r"[0-9a-fA-F]{6}", text):
        text = f"#{text}"
    try:
        red, green, blue = ImageColor.getrgb(text)[:3]
    except ValueError:
        raise ValueError(f"colour {colour}") from None
    return red, green, blue
