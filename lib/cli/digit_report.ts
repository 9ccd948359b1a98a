import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { DigitSet } from '../data/index.js';
import type { Module } from '../nn/module.js';
import { summary } from '../nn/summary.js';
import type { ReportData, ScoredData, TrainingCourse } from '../report/training_report.js';
import type { ClassifierLossName } from '../train/classifier_loss.js';
import { recordFromFile } from '../train/history.js';
import type { EpochRecord } from '../train/history.js';
import type { Score } from '../train/score.js';

const IMAGE_SIDE = 28;

/** What a report of digits is made of. */
export interface DigitReport {
    readonly title: string;
    readonly configuration: Readonly<Record<string, unknown>>;
    readonly model: Module;
    readonly training?: TrainingCourse;
    readonly score: Score;
    readonly classNames: readonly string[];
    readonly test: DigitSet;
    /** Of the forward passes over the test set. */
    readonly seconds: number;
}

export function digitReport({ model, score, classNames, test, seconds, ...rest }: DigitReport): ReportData {
    const evaluation: ScoredData = {
        name: 'Test set',
        score,
        classNames,
        seconds,
        images: { pixels: test.images, height: IMAGE_SIDE, width: IMAGE_SIDE },
    };
    return { ...rest, model: summary(model, [1, 1, IMAGE_SIDE, IMAGE_SIDE]), evaluation };
}

/** The loss with its unit. */
export function lossLabel(loss: ClassifierLossName): string {
    return loss === 'cce' ? 'Cross-entropy (nats)' : 'Mean squared error';
}

/** The epochs that a run folder tells of; undefined where it has no history, or one that cannot be read. */
export async function readHistory(folder: string): Promise<EpochRecord[] | undefined> {
    const text = await readFile(join(folder, 'history.jsonl'), 'utf8').catch(() => '');
    const records = text.split('\n').filter(Boolean).map(parseRecord);
    const known = records.filter((record) => record !== undefined);
    return known.length > 0 && known.length === records.length ? known : undefined;
}

function parseRecord(line: string): EpochRecord | undefined {
    try {
        return recordFromFile(JSON.parse(line));
    } catch {
        return undefined;
    }
}
