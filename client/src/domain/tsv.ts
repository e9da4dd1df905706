/** Tab-separated text as spreadsheets put it on the clipboard: a cell with a tab, line end or quote is quoted. */

export function toTsv(cells: readonly (readonly string[])[]): string {
  return cells.map((row) => row.map(quote).join("\t")).join("\r\n");
}

function quote(cell: string): string {
  return /[\t\r\n"]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

/** Rows of cells. One line end at the very end (Excel adds it) doesn't make a row. CR, LF and CRLF all end a line. */
export function fromTsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  for (;;) {
    const [cell, end] = readCell(text, at);
    row.push(cell);
    if (text[end] === "\t") {
      at = end + 1;
      continue;
    }
    rows.push(row);
    row = [];
    if (end >= text.length) return rows;
    at = end + (text[end] === "\r" && text[end + 1] === "\n" ? 2 : 1);
    if (at >= text.length) return rows;
  }
}

function readCell(text: string, start: number): [cell: string, end: number] {
  if (text[start] === '"') {
    const quoted = readQuoted(text, start + 1);
    if (quoted !== null) return quoted;
  }
  let end = start;
  while (end < text.length && !"\t\r\n".includes(text.charAt(end))) end += 1;
  return [text.slice(start, end), end];
}

/** Null when it turns out not to be a quoted cell: `"Fog" on` typed by a person stays as typed. */
function readQuoted(text: string, start: number): [cell: string, end: number] | null {
  let cell = "";
  let at = start;
  for (;;) {
    const close = text.indexOf('"', at);
    if (close === -1) return null;
    cell += text.slice(at, close);
    if (text[close + 1] === '"') {
      cell += '"';
      at = close + 2;
      continue;
    }
    const end = close + 1;
    return end >= text.length || "\t\r\n".includes(text.charAt(end)) ? [cell, end] : null;
  }
}
