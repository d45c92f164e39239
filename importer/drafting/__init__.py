"""Draft a mapping from a workbook never seen before: what is sure as lines, what is not as comments with the reason.

words      schemas/words.yaml: what people call the fields, read and made comparable
header     which row holds the headers, and whether the last row is a total
column     what a column holds: numbers, dates and texts, counted
style      how texts write numbers and dates, and whether the evidence decides it
matching   which field a header means, and how sure that is
shape      what a column's cells ask of the field's options: format, pad, map
choosing   the key, the fields, the lines and the totals: the draft
writing    the draft as the text of a mapping
"""

from importer.drafting.choosing import make_draft
from importer.drafting.header import find_sheet
from importer.drafting.model import Draft, Item
from importer.drafting.words import read_words
from importer.drafting.writing import written

__all__ = ["Draft", "Item", "find_sheet", "make_draft", "read_words", "written"]
