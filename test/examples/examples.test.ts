import assert from 'node:assert/strict';
import { join, resolve } from 'node:path';

import { runCommand } from '../support/command.js';

const root = resolve(import.meta.dirname, '..', '..');

/** Figures that each script prints, and what they must reach. */
const floors: Readonly<Record<string, Readonly<Record<string, number>>>> = {
    csv_table: {
        'prices: R squared': 0.97,
        'prices, five folds: mean R squared': 0.97,
        'sales: accuracy': 0.94,
        'new flats: R squared': 0.97,
        'the flat on the island': 300,
    },
    residual_digits: { accuracy: 0.92 },
    character_transformer: {
        'better than counts of single characters by': 1,
        'better than counts of pairs by': 0.4,
    },
    letter_sorter: { 'sorted right': 0.97 },
    autoencoder: { 'explained variance': 0.66 },
};

describe('examples', () => {
    for (const [name, figures] of Object.entries(floors)) {
        it(`${name} trains to what it promises`, async () => {
            const script = join(root, 'examples', `${name}.ts`);
            const { code, stdout, stderr } = await runCommand(process.execPath, ['--import', 'tsx', script], {
                cwd: root,
            });
            assert.equal(code, 0, stderr);
            for (const [figure, floor] of Object.entries(figures)) {
                const line = stdout.split('\n').find((text) => text.startsWith(`${figure} `));
                const value = Number.parseFloat(line?.slice(figure.length) ?? '');
                assert.ok(value >= floor, `${figure} is ${value}, expected ${floor} at least\n${stdout}`);
            }
        });
    }
});
