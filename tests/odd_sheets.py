"""Sheets as programs write them, with rows among them as nobody should: what is read quickly, and what is not."""

import re
from typing import Any

from hypothesis import strategies as st

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
DYNAMIC = "http://schemas.microsoft.com/office/spreadsheetml/2009/9/ac"
PLAIN_TEXTS = ("1", "2", "17", "3396.63", "-5", "0.5", "46296", "46296.75", "7")
ODD_TEXTS = (
    *(
        "",
        "0",
        "-0",
        "00",
        "1.0",
        "0.0",
        "0E0",
        "0.30000000000000004",
        "1E5",
        "1e-400",
        "12345678901234567890",
        "NaN",
        "inf",
        "1_000",
    ),
    *(" 7 ", "+7", ".5", "7.", "1,5", "99", "-1", "2025-01-27", "2025-01-27T10:30:00", "#N/A", "\u0663"),
    *("a &amp; b", "&lt;x&gt;", "&#65;", "&#x0;", "&other;", "&", "a]]>b", "a>b", "a\tb", "a\r\nb", "\x01", "\uffff"),
    *("Blåbær", "\u00a0x", "_x000D_", "_x005F_x0041_", "<![CDATA[x</row>]]>", "<!-- </row> -->x", "<b/>", "</v>"),
)
PLAIN_CELLS = (
    *('<c r="@"><v>{}</v></c>', '<c r="@" s="1"><v>{}</v></c>', '<c r="@" s="2" t="n"><v>{}</v></c>'),
    *('<c r="@" t="s"><v>1</v></c>', '<c r="@" t="inlineStr"><is><t>{}</t></is></c>', '<c r="@" s="1"/>'),
    *('<c r="@"><f>A1*2</f><v>{}</v></c>', '<c r="@" t="str"><f>IF(A1&gt;2,"x","")</f><v>{}</v></c>'),
)
ATTRIBUTES = (
    *("", ' s="1"', ' s="3" t="n"', ' t="s"', ' t="str"', ' t="b"', ' t="e"', ' t="d"', ' t="inlineStr"', ' s="99"'),
    *(' s="x"', ' s=""', ' t="s" t="s"', ' cm="1"', " t='s'", ' s="2" ', ' xmlns="urn:x"', ' z:y="1"', ' t="what"'),
    *(' x14ac:y="/"', ' s="-1"', ' t="&#115;"', " s = '1'", ' a="{}"', ' a=">"', ' r="A1"', ' t="s"\n', " a"),
)
CONTENTS = (
    *("/>", " />", "></c>", "><v>{}</v></c>", "><v/></c>", "><v></v></c>", "><is><t>{}</t></is></c>", "><is/></c>"),
    *("><f>A1*2</f><v>{}</v></c>", '><f t="shared" ref="A1:A9" si="0">B1</f><v>{}</v></c>', "><f>A1</f><v/></c>"),
    *('><f t="shared" si="0"/></c>', '><f t="array" ref="A1:C9">X</f><v>{}</v></c>', "><f>{}</f><v>1</v></c>"),
    *('><f t="array" ref="A1">X</f><v>{}</v></c>', "><v>{}</v><f>1</f></c>", '><f ca="1" ca="1"/><v>{}</v></c>'),
    *('><is><t xml:space="preserve">{}</t></is></c>', "><is><t/></is></c>", "><is><r><t>{}</t></r></is></c>"),
    *("> <v>{}</v>\n</c>", "><v>{}</v><v>2</v></c>", "><v>{}</c>", '><v><row r="2"/></v></c>', "><row r='1'/></c>"),
    *('>text<v xml:space="preserve">{}</v></c>', "><mergeCell ref='A1'/></c>", "><v>{}</v><x/></c>", "<v>1</v></c>"),
)
ADDRESSES = ("@", "@", "@", "@", "@", "@", "@", "A1", "C@", "$A$1", "a1", "AAAA1", "A0", "1", "", "XFD1", "ZZZ1", "B02")
ROW_STARTS = (
    *(
        '<row r="#">',
        '<row r="#" spans="1:3" x14ac:dyDescent="0.25">',
        '<row r="#" hidden="1">',
        '<row r="#" ht="1/2">',
    ),
    *(
        "<row>",
        '<row r="#" hidden="true" hidden="true">',
        '<row r="1">',
        '<row r="0">',
        '<row r="#.0">',
    ),
    *(
        "<row r='#'>",
        '<row r="#" a=">">',
        '<row  r="#">',
        '<row r="#" xmlns="urn:x">',
        '<row r="#"><row r="#"/>',
        '<row r="#" b:c="">',
    ),
    *('<row r="#" spans="1:3"/><row r="#9">', '<row r="99999999">', '<row r="#" hidden="&#49;">', '<row r="#" />', ""),
)
ROW_ENDS = ("</row>", "</row>", "</row>", "</row>\n", "</row >", "</row><!-- </row> -->", "", "</row></row>")
BETWEEN = (
    "\n",
    "<!-- x -->",
    "<?x y?>",
    "text",
    "<x/>",
    "<x><row r='#'/></x>",
    "&amp;",
    "&x;",
    "<![CDATA[<row]]>",
    "<",
)
HEADS = (
    f'<worksheet xmlns="{MAIN}" xmlns:x14ac="{DYNAMIC}"><dimension ref="A1"/><sheetData>',
    f"<?xml version='1.0' encoding='utf-8'?>\n<worksheet xmlns='{MAIN}' xmlns:x14ac='{DYNAMIC}'><sheetData>",
)
ODD_HEADS = (
    f'<?xml version="1.0" encoding="iso-8859-1"?><worksheet xmlns="{MAIN}"><sheetData>',
    f'<!DOCTYPE worksheet [<!ENTITY x "1">]><worksheet xmlns="{MAIN}"><sheetData>',
    f'<!DOCTYPE worksheet [<!ATTLIST c t CDATA "str">]><worksheet xmlns="{MAIN}"><sheetData>',
    f'<worksheet xmlns="{MAIN}"><!-- <sheetData> --><sheetData>',
    f'<worksheet xmlns="{MAIN}"><x a="<sheetData>"/><sheetData>',
    f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"/></sheetData><sheetData>',
    f'<worksheet xmlns="{MAIN}"><row r="1"/><mergeCell ref="A1:A2"/><sheetData>',
    f'<worksheet xmlns="{MAIN}" xmlns:x="{MAIN}"><x:a xmlns="urn:x"><sheetData>',
    f'<worksheet xmlns="{MAIN}"><a><sheetData>',
    f'<worksheet xmlns="{MAIN}"><sheetData/><sheetData >',
    f'\ufeff<worksheet xmlns="{MAIN}"><sheetData>',
    f' <worksheet xmlns="{MAIN}"><sheetData>',
    '<worksheet xmlns="urn:x"><sheetData>',
    f'<sheet xmlns="{MAIN}"><sheetData>',
    "<worksheet><sheetData>",
    "",
)
TAILS = (
    "</sheetData></worksheet>",
    '</sheetData><mergeCells count="1"><mergeCell ref="A2:A3"/></mergeCells></worksheet>\n<!-- end -->',
)
ODD_TAILS = (
    *("</sheetData><row r='999'/></worksheet>", "</sheetData></worksheet><x/>", "</sheetData></worksheet", ""),
    *("</worksheet>", "</sheetData>", "</sheetData><x></row></x></worksheet>", "</sheetData></sheetData></worksheet>"),
    "</sheetData><sheetData><row r='999'><c><v>1</v></c></row></sheetData></worksheet>",
)


def mostly(usual: Any, odd: Any, times: int = 12) -> st.SearchStrategy[Any]:
    """Return one of the usual, once in a while one of the odd."""
    return st.integers(0, times).flatmap(lambda chance: st.sampled_from(odd if chance == 0 else usual))


@st.composite
def cells(draw: Any, oddly: bool) -> str:
    if not oddly:
        text = draw(st.sampled_from(PLAIN_TEXTS))
        return str(draw(st.sampled_from(PLAIN_CELLS))).replace("{}", text)
    attributes, content = draw(st.sampled_from(ATTRIBUTES)), draw(st.sampled_from(CONTENTS))
    address = draw(st.sampled_from(ADDRESSES))
    text = draw(st.sampled_from(ODD_TEXTS) | st.sampled_from(PLAIN_TEXTS) | st.text(max_size=4))
    where = f' r="{address}"' if address else ""
    return f"<c{where}{attributes}{content.replace('{}', text)}"


@st.composite
def sheets(draw: Any) -> str:
    """Return the XML of a sheet: runs of rows that are written alike, and odd ones between them."""
    xml, number = "", 0
    for _ in range(draw(st.integers(0, 4))):
        shape = [draw(cells(oddly=draw(st.integers(0, 15)) == 0)) for _ in range(draw(st.integers(0, 4)))]
        start, end = draw(mostly(ROW_STARTS[:3], ROW_STARTS)), draw(mostly(ROW_ENDS[:1], ROW_ENDS))
        between = draw(mostly([""], BETWEEN))
        for _ in range(draw(st.integers(1, 5))):
            number += draw(mostly([1], [0, 2, 30]))
            here = [draw(cells(oddly=True)) if draw(st.integers(0, 30)) == 0 else cell for cell in shape]
            here = [cell.replace("@", f"{letter}{number}") for cell, letter in zip(here, "ABDE", strict=False)]
            kept = [cell for cell in here if draw(st.integers(0, 8))]
            xml += start.replace("#", str(number)) + "".join(kept) + end + between.replace("#", str(number))
    xml = draw(mostly(HEADS, ODD_HEADS)) + xml + draw(mostly(TAILS, ODD_TAILS))
    if draw(st.integers(0, 5)) == 0:
        xml = re.sub(r"<(/?)([a-z])", r"<\1p:\2", xml.replace("xmlns=", "xmlns:p="))
    return xml
