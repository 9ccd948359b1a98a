import { join } from 'node:path';

import type { DigitSet } from '../data/index.js';
import type { Module } from '../nn/module.js';
import type { Device } from '../tensor/device.js';
import type { ReportData } from '../report/training_report.js';
import { configWords } from './evaluate_flags.js';
import type { EvaluateConfig } from './evaluate_flags.js';
import type { RawFlags } from './flags.js';
import { writeReport } from './pictures.js';
import { createRunFolder, writeJson } from './run_folder.js';
import type { Streams } from './streams.js';
import { sinksOf } from './tracking_server.js';
import { digitsInput, commandText, experimentOf, TrackedRun, trainingRunOf } from './tracked_run.js';

/** What an evaluation gave, and what it read. */
interface Found {
    readonly model: Module;
    readonly result: object;
    readonly report: ReportData;
    readonly digits: DigitSet;
    readonly source: string;
}

/**
 * Notes an evaluation as a run of its own: inside the run folder that the model lies in, as a part of that run;
 * else in a new folder under `output`, or under the one that is given. One that nobody asked for and that cannot be written is a
 * warning. Gives the path of its report.
 */
export async function trackEvaluation(
    raw: RawFlags,
    config: EvaluateConfig,
    device: Device,
    found: Found,
    err: Streams['err'],
): Promise<string | undefined> {
    const warn = (text: string): void => void err.write(`nativegrad: warning: ${text}\n`);
    const sinks = sinksOf(config, process.env);
    const isAsked = config.tracking.length > 0 || sinks.length > 0 || config.outputDir !== undefined;
    const parent = await trainingRunOf(config.modelPath);
    try {
        const place = parent === undefined ? 'output' : join(parent.folder, 'runs');
        const { outputDir = place, runName } = config;
        const naming = { experimentName: undefined, runName, architecture: 'evaluate' };
        const folder = await createRunFolder({ outputDir, ...naming });
        const tracked = await TrackedRun.start({
            config,
            folder: folder.path,
            experiment: experimentOf({ ...config, experimentName: parent?.experiment }, process.env),
            command: commandText('evaluate', raw),
            device,
            model: found.model,
            params: configWords(config),
            sinks,
            warn,
            ...(parent === undefined ? {} : { parent }),
        });
        await tracked.during(async () => {
            tracked.run.logInput(digitsInput(found.digits, found.source, 'test'));
            await writeJson(folder.file('metrics.json'), found.result);
            await writeReport(folder, found.report, warn);
            await tracked.logResults(found.result, 0);
            return { result: undefined, status: 'FINISHED' };
        });
        return folder.file('report.html');
    } catch (error) {
        if (isAsked) throw error;
        warn(`no report of the evaluation: ${error instanceof Error ? error.message : String(error)}`);
        return undefined;
    }
}
