import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setImmediate as turnOfLoop } from 'node:timers/promises';

import { smiQuery } from './gpu_device.js';
import { median } from './statistics.js';

/** Smallest, middle and largest of the samples. */
interface Range {
    readonly min: number;
    readonly median: number;
    readonly max: number;
}

/** What the GPU's clocks were while the sides of a row took their turns. */
export interface Clocks {
    readonly samples: number;
    readonly sm_mhz: Range;
    readonly memory_mhz: Range;
    readonly power_w: Range;
    readonly temperature_c: Range;
}

const FIELDS = ['clocks.sm', 'clocks.mem', 'power.draw', 'temperature.gpu'];
/** Far enough apart to take nothing from what is measured. */
const EVERY_MS = 250;

function rangeOf(values: readonly number[]): Range {
    // A field that this GPU does not have reads as [N/A].
    const known = values.filter(Number.isFinite);
    if (known.length === 0) return { min: Number.NaN, median: Number.NaN, max: Number.NaN };
    return { min: Math.min(...known), median: median(known), max: Math.max(...known) };
}

/** A child that reads the clocks from the GPU again and again. */
export class ClockWatch {
    readonly #child: ChildProcess;
    #samples: (readonly number[])[] = [];

    /** nvidia-smi, unless a program is named with all of its words. */
    constructor(
        program = 'nvidia-smi',
        words: readonly string[] = [...smiQuery(...FIELDS), `--loop-ms=${EVERY_MS}`],
    ) {
        this.#child = spawn(program, words, { stdio: ['ignore', 'pipe', 'ignore'] });
        // Without nvidia-smi there are no samples.
        this.#child.on('error', () => undefined);
        if (this.#child.stdout) {
            createInterface(this.#child.stdout).on('line', (line) => {
                this.#samples.push(line.split(',').map(Number));
            });
        }
    }

    /** From here on samples count. */
    async begin(): Promise<void> {
        await turnOfLoop();
        this.#samples = [];
    }

    /** What came since `begin()`; null where nothing did. */
    async end(): Promise<Clocks | null> {
        await turnOfLoop();
        const samples = this.#samples;
        if (samples.length === 0) return null;
        const field = (i: number): Range => rangeOf(samples.map((sample) => sample[i] ?? Number.NaN));
        return {
            samples: samples.length,
            sm_mhz: field(0),
            memory_mhz: field(1),
            power_w: field(2),
            temperature_c: field(3),
        };
    }

    close(): void {
        this.#child.kill();
    }
}

/** "  clocks 1980 MHz (1755 to 1980), memory 2619 MHz, at most 512.3 W and 61 C; 14 samples" */
export function clocksText({ samples, sm_mhz, memory_mhz, power_w, temperature_c }: Clocks): string {
    return (
        `  clocks ${sm_mhz.median} MHz (${sm_mhz.min} to ${sm_mhz.max}), memory ${memory_mhz.median} MHz, ` +
        `at most ${power_w.max} W and ${temperature_c.max} C; ${samples} samples`
    );
}
