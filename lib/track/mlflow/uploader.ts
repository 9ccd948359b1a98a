import { stat } from 'node:fs/promises';

import type { StartRecord } from '../records.js';
import { readCursor, writeCursor, type Cursor } from './cursor.js';
import * as deliver from './deliver.js';
import { createRun, experimentId, findRun, type RemoteRun } from './find_run.js';
import type { MlflowApi } from './mlflow_api.js';
import { MlflowError } from './mlflow_error.js';
import { nextPiece, type Piece } from './pieces.js';

const DEFAULT_EXPERIMENT = 'Default';

export interface UploadSource {
    readonly folder: string;
    readonly logPath: string;
    readonly start: StartRecord;
}

/**
 * Brings a run's log to a server, each line once. A file beside the log, on disk before anything is sent, says up to where the
 * server has it and up to where it may have it; what it may have is compared with what it has before it is sent again.
 */
export class Uploader {
    private cursor: Cursor | undefined;
    private refusals = 0;

    constructor(
        private readonly api: MlflowApi,
        private readonly source: UploadSource,
        private readonly onProblem: (text: string) => void,
    ) {
        this.cursor = readCursor(source.folder, api.uri, source.start.id);
    }

    /** Bytes of the log that the server has. */
    get offset(): number {
        return this.cursor?.offset ?? 0;
    }

    /** Sends what one request takes; false where nothing is left. Throws an MlflowError where it may be tried again. */
    async step(): Promise<boolean> {
        const { logPath } = this.source;
        const piece = await nextPiece(logPath, this.offset);
        if (piece === undefined) return false;
        const cursor = await this.begin(piece.end);
        await this.send(piece, cursor, cursor.sending > cursor.offset);
        this.cursor = { ...cursor, offset: piece.end, sending: Math.max(cursor.sending, piece.end) };
        return true;
    }

    /** Writes down that all is sent, and for a part of another run finds that one where it was not there before. */
    async finish(): Promise<void> {
        if (this.cursor === undefined) return;
        await this.findParent(this.cursor);
        await writeCursor(this.source.folder, this.cursor);
    }

    /** For a run whose process died: the log has no end. Told once. */
    async setFailed(endTime: number): Promise<void> {
        const { cursor } = this;
        if (cursor === undefined || cursor.diedAt === cursor.offset) return;
        await this.setStatus(cursor, 'FAILED', endTime);
        this.cursor = { ...cursor, diedAt: cursor.offset };
        await writeCursor(this.source.folder, this.cursor);
    }

    /** The cursor, with what may have been sent before (`sending`), after what will be was written down. */
    private async begin(end: number): Promise<Cursor> {
        const cursor = this.cursor ?? (await this.findOrMakeRun());
        this.cursor = cursor;
        await writeCursor(this.source.folder, { ...cursor, sending: Math.max(cursor.sending, end) });
        return cursor;
    }

    private async send(piece: Piece, run: RemoteRun & Cursor, mayBeThere: boolean): Promise<void> {
        const { api } = this;
        const onRefused = (text: string): void => this.tellRefusal(text);
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
            if (!isUndone) this.cursor = { ...run, sending: Math.max(run.sending, piece.end) };
            throw error;
        }
    }

    private async sendRecord(
        record: Extract<Piece, { kind: 'record' }>['record'],
        run: RemoteRun,
    ): Promise<void> {
        const { api, source } = this;
        const onRefused = (text: string): void => this.tellRefusal(text);
        switch (record.type) {
            case 'params':
                return deliver.sendParams(api, run, record.params, onRefused);
            case 'artifact':
                return deliver.sendArtifact(api, run, source.folder, record, onRefused);
            case 'resume':
                return this.setStatus(run, 'RUNNING');
            case 'end':
                return this.setStatus(run, record.status, record.time);
            case 'input':
            case 'model':
                try {
                    if (record.type === 'input') await deliver.sendInput(api, run, record.dataset);
                    else await deliver.registerModel(api, run, record.model);
                } catch (error) {
                    deliver.requireRefusal(error);
                    onRefused(
                        `the ${record.type === 'input' ? 'data set' : 'registered model'}: ${error.message}`,
                    );
                }
        }
    }

    private async setStatus({ runId }: RemoteRun, status: string, endTime?: number): Promise<void> {
        const end = endTime === undefined ? {} : { end_time: endTime };
        try {
            await this.api.post('runs/update', { run_id: runId, status, ...end });
        } catch (error) {
            deliver.requireRefusal(error);
            this.tellRefusal(`the status ${status}: ${error.message}`);
        }
    }

    private tellRefusal(text: string): void {
        this.refusals++;
        if (this.refusals <= 3) this.onProblem(`${this.api.uri} does not take ${text}`);
        if (this.refusals === 4)
            this.onProblem(`${this.api.uri} does not take more, which is not told each time`);
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
        this.cursor = { ...cursor, parentRunId: found.runId };
    }
}
