// Write table.json with SheetJS (npm package xlsx): node sheetjs_file.js FOLDER
const path = require("path");
const XLSX = require("xlsx");
const table = require("./table.json");

const codes = { "#N/A": 0x2a, "#DIV/0!": 0x07 };
const cell = (content, header) => {
  const z = table.formats[header];
  if (content === null) return undefined;
  if (typeof content === "string") return { t: "s", v: content };
  if (typeof content === "number") return { t: "n", v: content, z };
  if ("error" in content) return { t: "e", v: codes[content.error], w: content.error, f: content.formula };
  if ("formula" in content) return { t: typeof content.value === "string" ? "s" : "n", v: content.value, f: content.formula, z };
  if ("bool" in content) return { t: "b", v: content.bool };
  return { t: "n", v: content.date, z };
};
const sheet = {};
[table.headers, ...table.rows].forEach((cells, r) =>
  cells.forEach((content, c) => {
    const made = r === 0 ? { t: "s", v: content } : cell(content, table.headers[c]);
    if (made) sheet[XLSX.utils.encode_cell({ r, c })] = made;
  }),
);
sheet["!ref"] = XLSX.utils.encode_range({ s: { r: 0, c: 0 }, e: { r: table.rows.length, c: table.headers.length - 1 } });
const book = XLSX.utils.book_new();
XLSX.utils.book_append_sheet(book, sheet, table.sheet);
for (const type of ["xlsx", "xlsb", "biff8", "ods"]) {
  const ending = type === "biff8" ? "xls" : type;
  XLSX.writeFile(book, path.join(process.argv[2], `sheetjs.${ending}`), { bookType: type, compression: true });
}

// a hidden row, merged cells, hidden sheets
const hard = XLSX.utils.aoa_to_sheet([["No", "Dato", "Tekst"], ["001", null, "a"], ["002", null, "b"], ["003", null, "c"], ["004"]]);
for (const row of [2, 3, 4, 5]) hard[`B${row}`] = { t: "n", v: 45000, z: "dd.mm.yyyy" };
hard["!rows"] = [{}, {}, { hidden: true }];
hard["!merges"] = [XLSX.utils.decode_range("C4:C5")];
const hardBook = XLSX.utils.book_new();
XLSX.utils.book_append_sheet(hardBook, hard, "Rader");
for (const name of ["Skjult", "Dypt skjult"]) XLSX.utils.book_append_sheet(hardBook, XLSX.utils.aoa_to_sheet([["No"]]), name);
hardBook.Workbook = { Sheets: [{ Hidden: 0 }, { Hidden: 1 }, { Hidden: 2 }] };
XLSX.writeFile(hardBook, path.join(process.argv[2], "sheetjs-hard.xlsb"), { bookType: "xlsb", compression: true, bookSST: true });
