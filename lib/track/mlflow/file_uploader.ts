import type { Cursor, WaitingRecord } from './cursor.js';
import type { CursorFile } from './cursor_file.js';
import * as deliver from './deliver.js';
import type { MlflowApi } from './mlflow_api.js';
import { MlflowError } from './mlflow_error.js';
import type { Refusals } from './refusals.js';

/**
 * Brings to a server what the log's lane has put aside: files, and models behind their files. One that fails is kept beside the
 * log until the server has it, and holds up no other.
 */
export class FileUploader {
    /** What the server has refused: it is left to a later upload. */
    private readonly refused = new Set<WaitingRecord>();
    /** Why what waits is not there yet. */
    private readonly problems = new Map<string, string>();

    constructor(
        private readonly api: MlflowApi,
        private readonly folder: string,
        private readonly place: CursorFile,
        private readonly refusals: Refusals,
    ) {}

    /** Paths of the files, and names of the models, that the server does not have. */
    get left(): string[] {
        return this.place.waiting.map(nameOf);
    }

    /** Why not, of the first one that was tried. */
    get problem(): string {
        const [first] = this.problems;
        return first === undefined ? '' : first.join(': ');
    }

    /** Whether a round would send something. */
    get hasMore(): boolean {
        return this.place.waiting.some((record) => this.isOpen(record));
    }

    /** Tries each that was not refused. Throws the first failure where it may be tried again. */
    async round(): Promise<void> {
        let failure: MlflowError | undefined;
        for (const record of this.place.waiting) {
            // Those in front of it have taken their time, and a newer file may have come.
            if (!this.isOpen(record)) continue;
            try {
                await this.send(record);
                this.place.settle(record);
                this.problems.delete(nameOf(record));
                await this.place.save();
            } catch (error) {
                if (!(error instanceof MlflowError) || this.api.isAborted) throw error;
                this.tell(record, error);
                if (error.kind === 'unknown' || error.kind === 'later') failure ??= error;
                else this.refused.add(record);
            }
        }
        if (failure !== undefined) throw failure;
    }

    private isOpen(record: WaitingRecord): boolean {
        const { waiting } = this.place;
        return waiting.includes(record) && !this.refused.has(record) && !this.waitsForFile(record);
    }

    private waitsForFile(record: WaitingRecord): boolean {
        if (record.type === 'artifact') return false;
        const { artifact } = record.model;
        return this.place.waiting.some((each) => each.type === 'artifact' && each.path === artifact);
    }

    private async send(record: WaitingRecord): Promise<void> {
        const { value: run } = this.place;
        if (run === undefined) return;
        if (record.type === 'artifact')
            await deliver.sendArtifact(this.api, run, this.folder, record, this.refusals.tell);
        else await this.register(record, run);
    }

    private async register({ model }: Extract<WaitingRecord, { type: 'model' }>, run: Cursor): Promise<void> {
        try {
            await deliver.registerModel(this.api, run, model);
        } catch (error) {
            deliver.requireRefusal(error);
            this.refusals.tell(`the registered model: ${error.message}`);
        }
    }

    private tell(record: WaitingRecord, { message }: MlflowError): void {
        const name = nameOf(record);
        const isNew = !this.problems.has(name);
        this.problems.set(name, message);
        if (isNew) this.refusals.tell(`${name}: ${message}; it waits in ${this.folder}`);
    }
}

function nameOf(record: WaitingRecord): string {
    return record.type === 'artifact' ? `the file ${record.path}` : `the model ${record.model.name}`;
}
