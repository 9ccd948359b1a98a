import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const path = require.resolve('../../.mocharc.cjs');

/** `.mocharc.cjs` as mocha reads it when it is called with these words. */
function configuration(...words: string[]): { spec?: string[]; ignore?: string[] } {
    const argv = process.argv;
    try {
        process.argv = [...argv.slice(0, 2), ...words];
        Reflect.deleteProperty(require.cache, path);
        return require(path) as { spec?: string[]; ignore?: string[] };
    } finally {
        process.argv = argv;
        Reflect.deleteProperty(require.cache, path);
    }
}

describe('the files mocha runs', () => {
    it('are all but those of the package and the GPU, also when more are left out', () => {
        for (const words of [[], ['--ignore=test/e2e/mishaps.test.ts'], ['--grep=test/']]) {
            const { spec, ignore } = configuration(...words);
            assert.deepEqual(spec, ['test/**/*.test.ts'], words.join(' '));
            assert.deepEqual(ignore, ['test/package/**', 'test/cuda/**'], words.join(' '));
        }
    });

    it('are those that are named', () => {
        for (const word of ['test/ops', './test/ops', 'test/cuda/devices.test.ts'])
            assert.equal(configuration(word).spec, undefined, word);
    });
});
