/** Rows with their columns aligned, two spaces apart: the first `texts` ones to the left, the others, figures, to the right. */
export function alignedRows(rows: readonly (readonly string[])[], texts: number): string[] {
    const columns = Math.max(0, ...rows.map((row) => row.length));
    const widths = Array.from({ length: columns }, (_, i) =>
        Math.max(...rows.map((row) => row[i]?.length ?? 0)),
    );
    return rows.map((row) =>
        row
            .map((cell, i) => (i < texts ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
            .join('  ')
            .trimEnd(),
    );
}
