import { appendWhole, emptyFile } from '../io/append_file.js';
import { FileWriteError } from '../io/file_write_error.js';
import { requireOptionNames } from '../support/option_names.js';
import type { Callback, FitContext } from './callback.js';
import { recordForFile, type EpochRecord } from './history.js';

export interface JsonLinesOptions {
    /**
     * Hears that the disk does not take a line, once until it takes lines again; the lines wait in memory, and are written with
     * the next one or at the end. A folder that is gone ends the fit. Default: any error does.
     */
    readonly onWarning?: (text: string) => void;
}

/** Appends one JSON object per epoch to a file, which begins anew with a fit, with the epochs so far where that is resumed. */
export class JsonLinesHistory implements Callback {
    private waiting = '';
    private hasWarned = false;

    constructor(
        readonly path: string,
        private readonly options: JsonLinesOptions = {},
    ) {
        requireOptionNames('[JsonLinesHistory]', options, ['onWarning']);
    }

    async onTrainBegin({ records }: Pick<FitContext, 'records'>): Promise<void> {
        this.waiting = '';
        await emptyFile(this.path);
        for (const record of records) await this.onEpochEnd(record);
    }

    async onEpochEnd(record: EpochRecord): Promise<void> {
        this.waiting += `${JSON.stringify(recordForFile(record))}\n`;
        await this.write();
    }

    async onTrainEnd(): Promise<void> {
        if (this.hasWarned) await this.write();
    }

    private async write(): Promise<void> {
        try {
            await appendWhole(this.path, this.waiting);
            this.waiting = '';
            this.hasWarned = false;
        } catch (error) {
            const { onWarning } = this.options;
            if (!onWarning || !(error instanceof FileWriteError) || error.isOfLostFolder) throw error;
            if (!this.hasWarned) onWarning(`${error.message}; the fit goes on, and its lines wait`);
            this.hasWarned = true;
        }
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
