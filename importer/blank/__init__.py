"""Make an empty import workbook from a mapping.

examples      what the cells of a document could hold
instructions  the page that explains the columns, in plain words
sheet         the sheet itself: headers, formats, drop-downs
book          the whole workbook, and what it carries
"""

from importer.blank.book import write

__all__ = ["write"]
