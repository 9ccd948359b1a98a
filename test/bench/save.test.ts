import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { currentCommit, portableCommand, saveRun } from '../../scripts/bench/save.js';

describe('bench results', () => {
    it('hold the command without places of this machine', () => {
        const words = [
            'mlp',
            '--python',
            '/opt/python',
            '--rounds',
            '9',
            '--save',
            'x.json',
            '--data=/tmp/digits',
        ];
        assert.equal(
            portableCommand('bench', words),
            'npm run bench -- mlp --python PATH --rounds 9 --data PATH',
        );
        assert.equal(portableCommand('bench', ['--save=x.json', 'gemm']), 'npm run bench -- gemm');
    });

    it('name the commit by a file where the folder is no repository, though it may lie in one', () => {
        // Within this repository, whose commit it is not.
        const folder = mkdtempSync(fileURLToPath(new URL('../../build/bench-commit-', import.meta.url)));
        try {
            assert.equal(currentCommit(folder), null);
            writeFileSync(join(folder, 'COMMIT'), 'abc1234\n');
            assert.equal(currentCommit(folder), 'abc1234');
        } finally {
            rmSync(folder, { recursive: true });
        }
    });

    it('are written as a file with the rows, the machine and its peak', () => {
        const folder = mkdtempSync(join(tmpdir(), 'bench-save-'));
        try {
            const path = join(folder, 'run.json');
            const summary = { min: 1, median: 2, mad: 0.5 };
            const row = {
                name: 'toy',
                unit: 'ms',
                ours: summary,
                peers: {},
                ratio: null,
                peak_fraction: null,
            };
            saveRun(path, [row], {
                script: 'bench',
                words: ['toy'],
                machine: 'a machine',
                commit: 'abc',
                peaks: [100, 236.24, 237],
            });
            const { date, ...rest } = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
            assert.match(String(date), /^\d{4}-\d\d-\d\d$/);
            assert.deepEqual(rest, {
                command: 'npm run bench -- toy',
                commit: 'abc',
                machine: 'a machine',
                peak_gflops: 236.2,
                rows: [row],
            });
        } finally {
            rmSync(folder, { recursive: true });
        }
    });
});
