import { join } from 'node:path';

import type { DigitSet } from '../data/index.js';
import type { Device } from '../tensor/device.js';
import type { EvaluateConfig } from './evaluate_flags.js';
import { flagName } from './flags.js';
import type { RawFlags } from './flags.js';
import { createRunFolder, writeJson } from './run_folder.js';
import type { Streams } from './streams.js';
import { commandText, experimentOf, TrackedRun, trainingRunOf } from './tracked_run.js';

/**
 * Notes an evaluation as a run of its own: inside the run folder that the model lies in, as a part of that run; else, where
 * tracking is asked for, in a new folder under `output`. One that nobody asked for and that cannot be written is a warning.
 */
export async function trackEvaluation(
    raw: RawFlags,
    config: EvaluateConfig,
    device: Device,
    data: { readonly digits: DigitSet; readonly source: string },
    result: object,
    err: Streams['err'],
): Promise<void> {
    const warn = (text: string): void => void err.write(`nativegrad: warning: ${text}\n`);
    const isAsked = config.tracking.length > 0;
    const parent = await trainingRunOf(config.modelPath);
    if (parent === undefined && !isAsked) return;
    try {
        const place =
            parent === undefined ? { outputDir: 'output' } : { outputDir: join(parent.folder, 'runs') };
        const { runName } = config;
        const naming = { experimentName: undefined, runName, architecture: 'evaluate' };
        const folder = await createRunFolder({ ...place, ...naming });
        const params = Object.entries(config).map(([key, value]: [string, unknown]): [string, unknown] => [
            flagName(key).slice(2),
            value ?? null,
        ]);
        const tracked = await TrackedRun.start({
            config,
            folder: folder.path,
            experiment: experimentOf({ ...config, experimentName: parent?.experiment }, process.env),
            command: commandText('evaluate', raw),
            device,
            params: Object.fromEntries(params),
            warn,
            ...(parent === undefined ? {} : { parent }),
        });
        await tracked.during(async () => {
            tracked.logDigits(data.digits, data.source, 'test');
            await writeJson(folder.file('metrics.json'), result);
            await tracked.logResults(result, 0);
            return { result: undefined, status: 'FINISHED' };
        });
    } catch (error) {
        if (isAsked) throw error;
        warn(`the evaluation is not tracked: ${error instanceof Error ? error.message : String(error)}`);
    }
}
