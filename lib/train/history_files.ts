import { appendWhole, emptyFile } from '../io/append_file.js';
import type { Callback, FitContext } from './callback.js';
import { recordForFile, type EpochRecord } from './history.js';

/** Appends one JSON object per epoch to a file, which begins anew with a fit, with the epochs so far where that is resumed. */
export class JsonLinesHistory implements Callback {
    constructor(readonly path: string) {}

    async onTrainBegin({ records }: Pick<FitContext, 'records'>): Promise<void> {
        await emptyFile(this.path);
        for (const record of records) await this.onEpochEnd(record);
    }

    async onEpochEnd(record: EpochRecord): Promise<void> {
        await appendWhole(this.path, `${JSON.stringify(recordForFile(record))}\n`);
    }
}

/** Appends one row per epoch to a CSV file; the first epoch decides the columns. */
export class CsvHistory implements Callback {
    private columns: readonly string[] = [];

    constructor(readonly path: string) {}

    async onTrainBegin({ records }: Pick<FitContext, 'records'>): Promise<void> {
        this.columns = [];
        await emptyFile(this.path);
        for (const record of records) await this.onEpochEnd(record);
    }

    async onEpochEnd(record: EpochRecord): Promise<void> {
        const row = recordForFile(record);
        let text = '';
        if (this.columns.length === 0) {
            this.columns = Object.keys(row);
            text = `${this.columns.join(',')}\n`;
        }
        await appendWhole(
            this.path,
            `${text}${this.columns.map((name) => String(row[name] ?? '')).join(',')}\n`,
        );
    }
}
