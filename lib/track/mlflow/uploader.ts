import { stat } from 'node:fs/promises';

import type { StartRecord } from '../records.js';
import type { Cursor } from './cursor.js';
import { CursorFile } from './cursor_file.js';
import * as deliver from './deliver.js';
import { FileUploader } from './file_uploader.js';
import { createRun, experimentId, findRun, type RemoteRun } from './find_run.js';
import type { MlflowApi } from './mlflow_api.js';
import { MlflowError } from './mlflow_error.js';
import { nextPiece, type Piece } from './pieces.js';
import { Refusals } from './refusals.js';

const DEFAULT_EXPERIMENT = 'Default';

export interface UploadSource {
    readonly folder: string;
    readonly logPath: string;
    readonly start: StartRecord;
}

/**
 * Brings a run's log to a server, each line once. A file beside the log, on disk before anything is sent, says up to where the
 * server has it and up to where it may have it; what it may have is compared with what it has before it is sent again. Files
 * go their own way (`files`), so that no metric waits for one.
 */
export class Uploader {
    readonly files: FileUploader;
    private readonly place: CursorFile;
    private readonly refusals: Refusals;

    constructor(
        private readonly api: MlflowApi,
        private readonly source: UploadSource,
        onProblem: (text: string) => void,
    ) {
        const { folder, start } = source;
        this.place = new CursorFile(folder, api.uri, start.id);
        this.refusals = new Refusals(api.uri, onProblem);
        this.files = new FileUploader(api, folder, this.place, this.refusals);
    }

    /** Bytes of the log that the server has, but for what waits in `files`. */
    get offset(): number {
        return this.place.value?.offset ?? 0;
    }

    /**
     * Sends what one request takes of the log up to a byte, up to which it is on disk: a server must not have what a loss of power
     * takes from the log. False where nothing is left. Throws an MlflowError where it may be tried again.
     */
    async step(until: number): Promise<boolean> {
        const { logPath } = this.source;
        const piece = await nextPiece(logPath, this.offset, until);
        if (piece === undefined) return false;
        const cursor = await this.begin(piece.end);
        await this.send(piece, cursor, cursor.sending > cursor.offset);
        this.place.change({ offset: piece.end, sending: Math.max(cursor.sending, piece.end) });
        return true;
    }

    /** Writes down that all is sent. For a part of another run it asks for that one, until it has once been there. */
    async finish(): Promise<void> {
        const { value } = this.place;
        if (value === undefined) return;
        await this.findParent(value);
        await this.place.save();
    }

    /** For a run whose process died: the log has no end. Told once. */
    async setFailed(endTime: number): Promise<void> {
        const { value } = this.place;
        if (value === undefined || value.diedAt === value.offset) return;
        await this.setStatus(value, 'FAILED', endTime);
        this.place.change({ diedAt: value.offset });
        await this.place.save();
    }

    /** The cursor, with what may have been sent before (`sending`), after what will be was written down. */
    private async begin(end: number): Promise<Cursor> {
        const cursor = this.place.value ?? (await this.findOrMakeRun());
        if (this.place.value === undefined) this.place.begin(cursor);
        await this.place.announce(end);
        return cursor;
    }

    private async send(piece: Piece, run: Cursor, mayBeThere: boolean): Promise<void> {
        const { api } = this;
        const onRefused = this.refusals.tell;
        try {
            if (piece.kind === 'metrics') {
                const metrics = mayBeThere
                    ? await deliver.missingMetrics(api, run.runId, piece.metrics)
                    : piece.metrics;
                await deliver.sendMetrics(api, run, metrics, onRefused);
            } else if (piece.kind === 'tags') await deliver.sendTags(api, run, piece.tags, onRefused);
            else if (piece.kind === 'record') await this.sendRecord(piece.record, run);
        } catch (error) {
            const isUndone = error instanceof MlflowError && error.kind === 'later';
            // From now on it may be there, unless the server has certainly not had it.
            if (!isUndone) this.place.change({ sending: Math.max(run.sending, piece.end) });
            throw error;
        }
    }

    private async sendRecord(
        record: Extract<Piece, { kind: 'record' }>['record'],
        run: RemoteRun,
    ): Promise<void> {
        const { api, refusals } = this;
        switch (record.type) {
            case 'params':
                return deliver.sendParams(api, run, record.params, refusals.tell);
            case 'artifact':
            case 'model':
                this.place.postpone(record);
                return;
            case 'resume':
                return this.setStatus(run, 'RUNNING');
            case 'end':
                return this.setStatus(run, record.status, record.time);
            case 'input':
                try {
                    await deliver.sendInput(api, run, record.dataset);
                } catch (error) {
                    deliver.requireRefusal(error);
                    refusals.tell(`the data set: ${error.message}`);
                }
        }
    }

    private async setStatus({ runId }: RemoteRun, status: string, endTime?: number): Promise<void> {
        const end = endTime === undefined ? {} : { end_time: endTime };
        try {
            await this.api.post('runs/update', { run_id: runId, status, ...end });
        } catch (error) {
            deliver.requireRefusal(error);
            this.refusals.tell(`the status ${status}: ${error.message}`);
        }
    }

    private async findOrMakeRun(): Promise<Cursor> {
        const { api, source } = this;
        const { start, logPath } = source;
        const experiment = await experimentId(api, start.experiment ?? DEFAULT_EXPERIMENT);
        const parentRunId =
            start.parent === undefined ? undefined : (await findRun(api, experiment, start.parent.id))?.runId;
        const known = {
            version: 1,
            id: start.id,
            uri: api.uri,
            offset: 0,
            waiting: [],
            ...(parentRunId === undefined ? {} : { parentRunId }),
        } as const;
        const found = await findRun(api, experiment, start.id);
        // Somebody has sent something of it before: all that there is may be there.
        if (found !== undefined) return { ...known, ...found, sending: (await stat(logPath)).size };
        return { ...known, ...(await createRun(api, experiment, start, parentRunId)), sending: 0 };
    }

    /** A part may be on the server before the run that it belongs to. */
    private async findParent(cursor: Cursor): Promise<void> {
        const { parent } = this.source.start;
        if (parent === undefined || cursor.parentRunId !== undefined) return;
        const found = await findRun(this.api, cursor.experimentId, parent.id);
        if (found === undefined) return;
        await deliver.sendTags(
            this.api,
            cursor,
            new Map([['mlflow.parentRunId', found.runId]]),
            () => undefined,
        );
        this.place.change({ parentRunId: found.runId });
    }
}
