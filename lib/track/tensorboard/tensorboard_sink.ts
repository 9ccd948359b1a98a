import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { appendWhole } from '../../io/append_file.js';
import { writeFileAtomic } from '../../io/atomic_file.js';
import { requireOptionNames } from '../../support/option_names.js';
import type { LogRecord } from '../records.js';
import { isLineEnd, readLog } from '../run_log.js';
import type { Sink, SinkContext, SinkMaker } from '../sink.js';
import { encodeEvent, tableText, type EventBody, type Wire } from './event.js';
import { tfRecord } from './tf_record.js';

const DEFAULT_GATHER_MS = 1000;
const CURSOR_NAME = 'tracking.tensorboard.json';

export interface TensorboardOptions {
    /** How long lines gather before they are written. Default: 1 s. */
    readonly gatherMs?: number;
}

/**
 * Writes a run as TensorBoard's event files into its folder: `tensorboard --logdir output` shows metrics (as float32, as its own
 * writers do), parameters (as text and for the HPARAMS dashboard) and tags (as text). A run that goes on begins a further file.
 *
 * @example
 * import { mkdtempSync, readdirSync } from 'node:fs';
 * import { tmpdir } from 'node:os';
 * import { track } from 'nativegrad';
 * const folder = mkdtempSync(`${tmpdir()}/run-`);
 * const run = await track.startRun({ folder, sinks: [track.tensorboardSink()] });
 * run.logMetrics({ loss: 0.5 }, { step: 1 });
 * await run.end();
 * console.log(readdirSync(folder).some((name) => name.startsWith('events.out.tfevents.'))); // true
 */
export function tensorboardSink(options: TensorboardOptions = {}): SinkMaker {
    requireOptionNames('[tensorboardSink]', options, ['gatherMs']);
    return (context) => new TensorboardSink(context, options.gatherMs ?? DEFAULT_GATHER_MS);
}

class TensorboardSink implements Sink {
    private readonly path: string;
    private offset: number;
    private wire: Wire | undefined;
    private hasMore = true;
    private hasFailed = false;
    private isNew = true;
    private params = new Map<string, string>();
    private running: Promise<void> = Promise.resolve();
    private readonly timer: NodeJS.Timeout;

    constructor(
        private readonly context: SinkContext,
        gatherMs: number,
    ) {
        const seconds = String(Math.floor(Date.now() / 1000)).padStart(10, '0');
        const name = (number: number): string =>
            join(context.folder, `events.out.tfevents.${seconds}.${hostname()}.${process.pid}.${number}`);
        let number = 0;
        while (existsSync(name(number))) number++;
        this.path = name(number);
        this.offset = readOffset(context);
        this.timer = setInterval(() => this.flush(), gatherMs);
        this.timer.unref();
    }

    write(): void {
        this.hasMore = true;
    }

    async close(): Promise<string | undefined> {
        clearInterval(this.timer);
        this.flush();
        await this.running;
        return this.hasMore ? `the event file ${this.path} is not whole: it could not be written` : undefined;
    }

    /** One after the other. */
    private flush(): void {
        if (!this.hasMore) return;
        this.running = this.running.then(() => this.writeAll());
    }

    private async writeAll(): Promise<void> {
        if (!this.hasMore) return;
        this.hasMore = false;
        try {
            this.wire ??= await import('@bufbuild/protobuf/wire');
            // The file that says how far this came must not outlive lines of the log.
            const until = await this.context.syncLog();
            for (;;) {
                const lines = await readLog(this.context.logPath, this.offset, { until });
                const last = lines.at(-1);
                if (last === undefined) return;
                await this.append(
                    this.wire,
                    lines.map(({ record }) => record),
                );
                this.offset = last.end;
                await writeFileAtomic(cursorPath(this.context), `${JSON.stringify({ offset: last.end })}\n`);
            }
        } catch (error) {
            this.hasMore = true;
            if (!this.hasFailed)
                this.context.onProblem(error instanceof Error ? error.message : String(error));
            this.hasFailed = true;
        }
    }

    /** All or nothing. */
    private async append(wire: Wire, records: readonly (LogRecord | undefined)[]): Promise<void> {
        const events: Buffer[] = [];
        const params = new Map(this.params);
        const add = (time: number, step: number, body: EventBody): void =>
            void events.push(tfRecord(encodeEvent(wire, time, step, body)));
        if (this.isNew) add(Date.now(), 0, { kind: 'version' });
        for (const record of records) {
            if (record === undefined) continue;
            // They come in pieces; the dashboard takes one.
            if (
                record.type !== 'params' &&
                record.type !== 'tags' &&
                record.type !== 'input' &&
                params.size > 0
            ) {
                add(record.time, 0, { kind: 'text', tag: 'params', text: tableText('parameter', params) });
                add(record.time, 0, { kind: 'start', params, group: this.context.start.id });
                params.clear();
            }
            this.addRecord(record, params, add);
        }
        await appendWhole(this.path, Buffer.concat(events), { sync: true });
        this.isNew = false;
        this.params = params;
    }

    private addRecord(
        record: LogRecord,
        params: Map<string, string>,
        add: (time: number, step: number, body: EventBody) => void,
    ): void {
        if (record.type === 'params')
            for (const [name, value] of Object.entries(record.params)) params.set(name, value);
        if (record.type === 'metrics') {
            const values = Object.entries(record.metrics).map(
                ([tag, value]) => [tag, Number(value)] as const,
            );
            add(record.time, record.step, { kind: 'scalars', values });
        }
        if (record.type === 'tags') {
            const text = tableText('tag', new Map(Object.entries(record.tags)));
            add(record.time, 0, { kind: 'text', tag: 'tags', text });
        }
        if (record.type === 'end') add(record.time, 0, { kind: 'end', isGood: record.status === 'FINISHED' });
    }
}

function cursorPath({ folder }: SinkContext): string {
    return join(folder, CURSOR_NAME);
}

/** How far event files of before have the log; from its beginning where that is not known. */
function readOffset(context: SinkContext): number {
    try {
        const { offset } = JSON.parse(readFileSync(cursorPath(context), 'utf8')) as { offset?: unknown };
        return typeof offset === 'number' && isLineEnd(context.logPath, offset) ? offset : 0;
    } catch {
        return 0;
    }
}
