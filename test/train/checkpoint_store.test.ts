import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { manifestText } from '../../lib/io/checkpoint/manifest.js';
import { tensor, train } from '../../lib/index.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

const library = new URL('../../lib/index.ts', import.meta.url).href;
const root = fileURLToPath(new URL('../../', import.meta.url));

describe('train.CheckpointStore', () => {
    const folder = useTemporaryFolder();
    let warnings: string[] = [];
    beforeEach(() => (warnings = []));
    const storeOf = (options: train.CheckpointStoreOptions = {}): train.CheckpointStore =>
        new train.CheckpointStore(folder(), { onWarning: (text) => warnings.push(text), ...options });
    const stateOf = (value: number): train.CheckpointState => ({
        model: new Map([['w', tensor([value, NaN, -0])]]),
        trainer: { value, odd: [NaN, Infinity, -0, 'x', null], inner: new Map([['t', tensor([1])]]) },
    });

    it('gives back what was saved', async () => {
        const store = storeOf();
        await store.save(7, stateOf(3));
        const loaded = await store.load();
        assert.equal(loaded?.step, 7);
        const { model, trainer } = loaded.state as {
            model: Map<string, ReturnType<typeof tensor>>;
            trainer: { value: number; odd: unknown };
        };
        assert.deepEqual(model.get('w')?.toArray(), [3, NaN, -0]);
        assert.deepEqual([trainer.value, trainer.odd], [3, [NaN, Infinity, -0, 'x', null]]);
        assert.deepEqual(readdirSync(folder()), ['step-7']);
    });

    it('takes no manifest that others made up, with a right hash or not', async () => {
        const store = storeOf();
        await store.save(1, stateOf(1));
        const path = join(folder(), 'step-1', 'MANIFEST.json');
        const { manifest } = JSON.parse(readFileSync(path, 'utf8')) as {
            manifest: Parameters<typeof manifestText>[0];
        };
        const entry = Object.values(manifest.files)[0];
        assert.ok(entry);
        const wrong: Record<string, unknown>[] = [
            { step: '1' },
            { sequence: -1 },
            { metrics: { loss: 'low' } },
            { files: [] },
            { files: { '../step-1/state.json': entry } },
            { files: { 'state.json': { ...entry, bytes: null } } },
            { files: { 'state.json': { ...entry, sha256: 1 } } },
        ];
        for (const fields of wrong) {
            writeFileSync(path, manifestText({ ...manifest, ...fields }));
            await assert.rejects(store.load(), { code: 'damaged', message: /has fields that are not those/ });
        }
    });

    it('keeps the newest and the best, and overwrites nothing', async () => {
        const store = storeOf({ keepLast: 2, keepBest: 1, monitor: 'loss' });
        for (const [step, loss] of [
            [1, 5],
            [2, 1],
            [3, 4],
            [4, 3],
            [4, 2],
        ] as const)
            await store.save(step, stateOf(step), { metrics: { loss } });
        assert.deepEqual(readdirSync(folder()).sort(), ['step-2', 'step-4', 'step-4.1']);
    });

    it('finds every changed byte and every truncation, and goes back to the one before', async () => {
        const store = storeOf();
        await store.save(1, stateOf(1));
        const path = await store.save(2, stateOf(2));
        let tried = 0;
        for (const name of readdirSync(path)) {
            const file = join(path, name);
            const bytes = readFileSync(file);
            const check = async (what: string): Promise<void> => {
                warnings = [];
                assert.equal((await store.load())?.step, 1, `${name} ${what}`);
                assert.match(warnings.join(), /step-2: .*; going back to .*step-1/);
                tried++;
            };
            for (let place = 0; place < bytes.length; place++) {
                for (const mask of [0x01, 0x80, 0xff]) {
                    const flipped = Buffer.from(bytes);
                    flipped[place] ^= mask;
                    writeFileSync(file, flipped);
                    await check(`byte ${place} mask ${mask}`);
                }
            }
            for (let length = 0; length < bytes.length; length++) {
                writeFileSync(file, bytes);
                truncateSync(file, length);
                await check(`of ${length} bytes`);
            }
            writeFileSync(file, bytes);
        }
        assert.ok(tried > 2000, `${tried}`);
        assert.equal((await store.load())?.step, 2);
    });

    it('refuses where all are damaged, and a format of a later version', async () => {
        const store = storeOf();
        const path = await store.save(1, stateOf(1));
        const file = join(path, 'MANIFEST.json');
        const { manifest } = JSON.parse(readFileSync(file, 'utf8')) as {
            manifest: Parameters<typeof manifestText>[0];
        };
        writeFileSync(file, manifestText({ ...manifest, version: 2 }));
        await assert.rejects(store.load(), /format version 2, this nativegrad reads up to 1; install/);
        writeFileSync(file, '{}');
        await assert.rejects(store.load(), /holds no good checkpoint: .*MANIFEST.json is damaged/);
        assert.equal(await new train.CheckpointStore(join(folder(), 'none')).load(), undefined);
    });

    it('lets one process write, and takes over from a dead one', async () => {
        const one = storeOf();
        await one.open();
        await assert.rejects(
            storeOf().save(1, stateOf(1)),
            /process \d+ of .* writes checkpoints there already/,
        );
        one.close();
        const program = `
            const { train } = await import('${library}');
            await new train.CheckpointStore(${JSON.stringify(folder())}).open();
            process.kill(process.pid, 'SIGKILL');`;
        spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], { cwd: root });
        assert.equal(readdirSync(folder()).length, 1);
        await storeOf().save(1, stateOf(1));
        assert.deepEqual(readdirSync(folder()), ['step-1']);
    });
});
