import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cuda } from '../../lib/index.js';
import { reportOfChild, runChild } from '../support/child.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

interface Report {
    readonly bits: string;
    readonly choices: string;
}

describe('the fastest way of a product', () => {
    const temporaryFolder = useTemporaryFolder();

    /** A product of 2^24 multiplications, which cuBLASLt of the simulator sums in another order than own kernels do. */
    const reportWith = (folder: string, { setup = 'timed=1', before = '', after = '' } = {}): Report =>
        reportOfChild(
            `${before}
            const uniform = (i) => Math.fround(Math.sin(i * 12.9898) * 43758.5453 % 1);
            const matrix = (seed, rows, columns) => library.fromTypedArray(
                Float32Array.from({ length: rows * columns }, (_, i) => uniform(i + seed)), [rows, columns]).to('float16').to('cuda');
            const [x, w] = [matrix(1, 64, 4096), matrix(2, 4096, 64)];
            const bitsOf = (y) => Buffer.from(y.dataSync().buffer).toString('hex');
            const first = bitsOf(x.matmul(w));
            if (bitsOf(x.matmul(w)) !== first) throw new Error('the second product has other bits');
            ${after}
            report({ bits: first, choices: library.cuda.productLibrary().choices });`,
            { XDG_CACHE_HOME: folder, NATIVEGRAD_CUDA_SIM_SETUP: setup },
        ) as Report;
    const fileIn = (folder: string): string => join(folder, 'nativegrad', 'products.txt');

    it('is measured once and kept in a file, which later processes follow', () => {
        const folder = temporaryFolder();
        const { choices } = reportWith(folder);
        assert.equal(choices, `1 by time, kept in ${fileIn(folder)}`);
        assert.deepEqual(readdirSync(join(folder, 'nativegrad')), ['products.txt']);
        const text = readFileSync(fileIn(folder), 'utf8');
        assert.match(
            text,
            /^nativegrad products 2\n.* driver \d+ cublaslt 130000 plugin \d+ maker .*\t(own|library)\nend\n$/,
        );
        const bits = ['own', 'library'].map((maker) => {
            const chosen = text.replace(/\t.*/, `\t${maker}`);
            writeFileSync(fileIn(folder), chosen);
            const found = reportWith(folder).bits;
            assert.equal(readFileSync(fileIn(folder), 'utf8'), chosen);
            return found;
        });
        assert.notEqual(bits[0], bits[1]);
        const deterministic = reportWith(folder, { before: 'library.cuda.setDeterministic(true);' });
        assert.equal(deterministic.bits, bits[0]);
        assert.equal(deterministic.choices, 'not by time: deterministic');
    });

    it('is measured anew where the file is broken or cut off', () => {
        const folder = temporaryFolder();
        mkdirSync(join(folder, 'nativegrad'));
        for (const [text, line] of [
            ['rubbish', 1],
            ['nativegrad products 2\nkey and no value\nend\n', 2],
            ['nativegrad products 2\nkey\tvalue\n', 2],
        ] as const) {
            writeFileSync(fileIn(folder), text);
            const idle = reportOfChild('library.cuda.isAvailable(); report(library.cuda.productLibrary());', {
                XDG_CACHE_HOME: folder,
            }) as Report;
            const ignored = `whose content was ignored: line ${line} is not what this program wrote`;
            assert.equal(idle.choices, `0 by time, kept in ${fileIn(folder)}, ${ignored}`);
            assert.equal(reportWith(folder).choices, `1 by time, kept in ${fileIn(folder)}`);
            assert.match(readFileSync(fileIn(folder), 'utf8'), /^nativegrad products 2\n.*\tend\n|\nend\n$/);
        }
    });

    it('is kept for the process where the file cannot be written, and not at all where nothing is timed', () => {
        const folder = temporaryFolder();
        writeFileSync(join(folder, 'nativegrad'), 'a file in the place of the folder');
        assert.match(
            reportWith(folder).choices,
            /^1 by time, kept in .*, whose content was ignored: it cannot be written$/,
        );
        const other = join(folder, 'other');
        assert.match(reportWith(other, { setup: 'timed=0' }).choices, /^0 by time/);
        assert.ok(!existsSync(join(other, 'nativegrad')));
    });

    describe('where the device has no room for the library', () => {
        const full = 'timed=1,memory=24M';

        it('is that of own kernels, and no choice is kept', () => {
            const folder = temporaryFolder();
            const { bits, choices } = reportWith(folder, { setup: full });
            assert.equal(choices, `0 by time, kept in ${fileIn(folder)}`);
            assert.equal(bits, reportWith(folder, { setup: 'timed=0' }).bits);
        });

        it('is that of own kernels also for a choice that is kept, and for the graph of a step', () => {
            const folder = temporaryFolder();
            reportWith(folder);
            const text = readFileSync(fileIn(folder), 'utf8').replace(/\t(own|library)\n/, '\tlibrary\n');
            writeFileSync(fileIn(folder), text);
            const inGraph = `
                const multiply = library.capture((a) => a.matmul(w));
                for (let i = 0; i < 4; i++)
                    if (bitsOf(multiply(x)) !== first) throw new Error('step ' + i + ' has other bits');
                const { execution } = multiply.statistics.programs[0];
                if (execution !== 'graph') throw new Error(execution);`;
            const own = reportWith(folder, { setup: full, after: inGraph });
            assert.notEqual(own.bits, reportWith(folder).bits);
            const later = reportWith(folder, {
                setup: 'timed=1,memory=64M',
                before: "const held = library.zeros([10 << 20], { device: 'cuda' });",
                after: `held.dispose(); ${inGraph}`,
            });
            assert.equal(later.bits, own.bits);
            assert.equal(readFileSync(fileIn(folder), 'utf8'), text);
        });

        it('is an error where nothing may depend on memory', () => {
            const { stderr } = runChild(
                `library.cuda.setDeterministic(true);
                const [x, w] = [[1024, 512], [512, 512]].map((shape) => library.ones(shape, { device: 'cuda' }));
                x.matmul(w);`,
                { NATIVEGRAD_CUDA_SIM_SETUP: full },
            );
            assert.match(stderr, /\[matmul\] out of memory on cuda:0: asked for 33554432 bytes/);
        });
    });

    it('is fixed by true or false alone', () => {
        for (const wrong of [undefined, 1, 'false'])
            assert.throws(
                () => cuda.setDeterministic(wrong as never),
                /^TypeError: \[cuda\.setDeterministic\] expected true or false, got /,
            );
    });
});
