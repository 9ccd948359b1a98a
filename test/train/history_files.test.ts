import assert from 'node:assert/strict';
import { readFileSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { train } from '../../lib/index.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

/** A file that the disk never has room for. */
const full = '/dev/full';

describe('train.JsonLinesHistory on a full disk', function () {
    const folder = useTemporaryFolder();
    const epoch = (number: number): train.EpochRecord => ({
        epoch: number,
        loss: 1 / number,
        learningRate: 0.1,
        seconds: 1,
    });
    before(function () {
        if (process.platform !== 'linux') this.skip();
    });

    it('warns once, and writes the lines when there is room again', async () => {
        const path = join(folder(), 'history.jsonl');
        const warnings: string[] = [];
        const history = new train.JsonLinesHistory(path, { onWarning: (text) => warnings.push(text) });
        const epochs = (): number[] =>
            readFileSync(path, 'utf8')
                .trimEnd()
                .split('\n')
                .map((line) => (JSON.parse(line) as { epoch: number }).epoch);
        symlinkSync(full, path);
        await history.onTrainBegin({ records: [epoch(1)] });
        await history.onEpochEnd(epoch(2));
        assert.equal(warnings.length, 1, warnings.join());
        assert.match(
            warnings[0],
            /^cannot write .*history.jsonl: ENOSPC.*; the fit goes on, and its lines wait$/,
        );
        unlinkSync(path);
        await history.onEpochEnd(epoch(3));
        assert.deepEqual(epochs(), [1, 2, 3]);
        await history.onEpochEnd(epoch(4));
        unlinkSync(path);
        symlinkSync(full, path);
        await history.onEpochEnd(epoch(5));
        assert.equal(warnings.length, 2, 'once more after it had room');
        unlinkSync(path);
        await history.onTrainEnd();
        assert.deepEqual(epochs(), [5]);
        rmSync(folder(), { recursive: true });
        await assert.rejects(history.onEpochEnd(epoch(6)), /cannot write .*history.jsonl: ENOENT/);
    });

    it('ends the fit where nobody hears warnings', async () => {
        const history = new train.JsonLinesHistory(full);
        await history.onTrainBegin({ records: [] });
        await assert.rejects(history.onEpochEnd(epoch(1)), { name: 'FileWriteError', message: /ENOSPC/ });
        assert.throws(() => new train.JsonLinesHistory(full, { onwarning: () => undefined } as object), {
            name: 'TypeError',
            message: /\[JsonLinesHistory\]/,
        });
    });
});
