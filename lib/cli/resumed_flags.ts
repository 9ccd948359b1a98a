import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { flagName } from './flags.js';
import type { RawFlags } from './flags.js';
import { OF_TRACKING } from './tracking_flags.js';

/** Where the run lies and how it is printed: each call says it anew. */
export const OF_EACH_CALL: readonly string[] = ['experimentName', 'json', 'outputDir', 'resume', 'runName'];

/** The flags that a run goes on with. */
function flagsToKeep(raw: RawFlags): RawFlags {
    return Object.fromEntries(Object.entries(raw).filter(([key]) => !OF_EACH_CALL.includes(key)));
}

export interface FlagsOfRun {
    readonly raw: RawFlags;
    /** What the run began with, for its config.json. */
    readonly began: RawFlags;
    /** Keys of what is given and was not so. */
    readonly changed: readonly string[];
}

/**
 * A run that goes on has the flags that it began with; those that are given count for this time, and `warn` hears of each that
 * differs. Where the folder tells of no flags, those that are given are all.
 */
export async function withFlagsOfRun(
    given: RawFlags,
    folder: string | undefined,
    warn: (text: string) => void,
): Promise<FlagsOfRun> {
    const kept = folder === undefined ? undefined : await readKeptFlags(join(folder, 'config.json'));
    if (kept === undefined) return { raw: given, began: flagsToKeep(given), changed: [] };
    const differing = Object.entries(flagsToKeep(given)).filter(
        ([key, value]) => value !== kept[key] && !OF_TRACKING.includes(key),
    );
    for (const [key, value] of differing) {
        const before = kept[key];
        const text = before === undefined ? 'without it' : `with ${before === true ? 'it' : before}`;
        warn(
            `${flagName(key)}${value === true ? '' : ` ${value}`}: the run began ${text}; its end will differ from that of an uninterrupted run`,
        );
    }
    return { raw: { ...kept, ...given }, began: kept, changed: differing.map(([key]) => key) };
}

async function readKeptFlags(path: string): Promise<RawFlags | undefined> {
    const text = await readFile(path, 'utf8').catch(() => '{}');
    let flags: unknown;
    try {
        ({ flags } = JSON.parse(text) as { flags?: unknown });
    } catch {
        return undefined;
    }
    if (typeof flags !== 'object' || flags === null) return undefined;
    const entries = Object.entries(flags).filter(
        (entry): entry is [string, string | true] => typeof entry[1] === 'string' || entry[1] === true,
    );
    return flagsToKeep(Object.fromEntries(entries));
}
