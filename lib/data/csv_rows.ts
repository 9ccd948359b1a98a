import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { DataFileError } from './data_file_error.js';

/** A row of a CSV file, and the line where it ends. */
export interface CsvRow {
    readonly line: number;
    readonly fields: readonly string[];
}

/** The rows of a file, the header's first, read as they are asked for. */
export async function* rowsOf(path: string, delimiter: string): AsyncGenerator<CsvRow, undefined, undefined> {
    const { parse } = await import('csv-parse');
    const parser = parse({ bom: true, delimiter, info: true, skip_empty_lines: true, trim: true });
    const source = createReadStream(path);
    // Errors of either arrive at the loop below; leaving it early closes both.
    const rows = pipeline(source, parser, () => undefined);
    try {
        for await (const { record, info } of rows as AsyncIterable<{
            record: string[];
            info: { lines: number };
        }>)
            yield { line: info.lines, fields: record };
    } catch (cause) {
        const { code, message } = cause as Error & { code?: string };
        if (code === 'ENOENT') throw new DataFileError(path, 'there is no such file', { cause });
        throw new DataFileError(path, `is no CSV file that can be read: ${message}`, { cause });
    } finally {
        source.destroy();
    }
}

/** The names of the columns, and the rows behind them. */
export async function openRows(
    path: string,
    delimiter: string,
): Promise<{ header: readonly string[]; rows: AsyncGenerator<CsvRow, undefined, undefined> }> {
    const rows = rowsOf(path, delimiter);
    const first = await rows.next();
    if (first.done) throw new DataFileError(path, 'is empty: its first line must name the columns');
    const header = first.value.fields;
    const twice = header.find((name, i) => header.indexOf(name) !== i);
    if (twice === undefined) return { header, rows };
    await rows.return(undefined);
    throw new RangeError(`[CsvFile] two columns are named '${twice}'; rename one`);
}
