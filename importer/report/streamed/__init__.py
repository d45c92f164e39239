"""Pass the rows of a large sheet on as they stand in the file, with the report's own cells added to each.

Cells are never read, so no value can change, and no more than some rows are in memory at once. The XML of rows is
passed on only where it is understood to the last character; NotUnderstood sends everything else the other way, by
openpyxl.

row_pattern   what a row looks like
sheet_part    the part that holds a sheet, taken apart into what openpyxl loads and rows that are passed on
strings_part  the texts that cells of a workbook share
reader        openpyxl's reader, which loads the sheets without the rows that are passed on
rows          the rows with the report's own cells
package       the workbook that holds them
made_rows     the rows of a large table that was no workbook, written so that they can be passed on
"""
