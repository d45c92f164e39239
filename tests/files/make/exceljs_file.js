// Write table.json with ExcelJS: node exceljs_file.js FOLDER
const path = require("path");
const ExcelJS = require("exceljs");
const table = require("./table.json");

const value = (content) => {
  if (content === null || typeof content !== "object") return content;
  if ("error" in content) return { formula: content.formula, result: { error: content.error } };
  if ("formula" in content) return { formula: content.formula, result: content.value };
  return "bool" in content ? content.bool : content.date;
};
const book = new ExcelJS.Workbook();
const sheet = book.addWorksheet(table.sheet);
sheet.addRow(table.headers);
table.rows.forEach((cells, r) =>
  cells.forEach((content, c) => {
    if (content === null) return;
    const cell = sheet.getCell(r + 2, c + 1);
    cell.value = value(content);
    const form = table.formats[table.headers[c]];
    if (form && typeof content !== "string") cell.numFmt = form;
  }),
);
book.xlsx.writeFile(path.join(process.argv[2], "exceljs.xlsx"));
