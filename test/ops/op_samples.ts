import { readdirSync } from 'node:fs';
import type { OpSample } from './sample.js';

/** The rows that the family files of samples/ export, each as one array of its own. */
async function collect(): Promise<OpSample[]> {
    const folder = new URL('./samples/', import.meta.url);
    const rows: OpSample[] = [];
    for (const file of readdirSync(folder).sort()) {
        const family = (await import(new URL(file, folder).href)) as Record<string, unknown>;
        for (const [name, value] of Object.entries(family)) {
            if (name.endsWith('Samples')) rows.push(...(value as readonly OpSample[]));
        }
    }
    return rows;
}

/** Every op has a row here, family by family. `npm run check` fails for an op of the table without one. */
export const opSamples: readonly OpSample[] = await collect();
