import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { zipSync } from 'fflate';
import {
    dtypes,
    loadNpy,
    loadNpz,
    NpyError,
    saveNpy,
    saveNpz,
    tensor,
    transpose,
    zeros,
} from '../../lib/index.js';
import { runPython } from '../support/python.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

const values = [
    [1, 0, 1],
    [0, 1, 1],
];
const numpyDtypes = dtypes.filter((dtype) => dtype !== 'bfloat16');
const npy = (header: string, data: Uint8Array = new Uint8Array()): Buffer => {
    const start = Buffer.from('\x93NUMPY\x01\x00\x00\x00', 'latin1');
    start.writeUInt16LE(header.length, 8);
    return Buffer.concat([start, Buffer.from(header, 'latin1'), data]);
};
const dict = (descr: string, shape: string, order = 'False'): string =>
    `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }\n`;

describe('NumPy files', () => {
    const folder = useTemporaryFolder();
    const at = (name: string): string => join(folder(), name);

    it('keep every dtype but bfloat16, views, zero sizes and 0-d', async () => {
        for (const dtype of numpyDtypes) {
            await saveNpy(at('x.npy'), tensor(values, { dtype }));
            const x = await loadNpy(at('x.npy'));
            assert.deepEqual([x.dtype, x.shape, x.toArray()], [dtype, [2, 3], values]);
        }
        const pairs = {
            'a/t': transpose(tensor(values), 0, 1),
            empty: zeros([0, 3]),
            one: tensor(7),
            ['__proto__']: tensor([1]),
        };
        for (const compressed of [false, true]) {
            await saveNpz(at('x.npz'), new Map(Object.entries(pairs)), { note: 'é😀' }, { compressed });
            const { tensors, metadata } = await loadNpz(at('x.npz'));
            assert.deepEqual([...tensors.keys()].sort(), Object.keys(pairs).sort());
            for (const [name, x] of Object.entries(pairs))
                assert.deepEqual(
                    [tensors.get(name)!.shape, tensors.get(name)!.toArray()],
                    [x.shape, x.toArray()],
                );
            assert.equal(metadata.get('note'), 'é😀');
        }
    });

    it('are those of NumPy, both ways', async () => {
        const written = new Map(numpyDtypes.map((dtype) => [dtype, tensor(values, { dtype })]));
        await saveNpz(at('ours.npz'), written, { note: 'é😀' }, { compressed: true });
        for (const [dtype, x] of written) await saveNpy(at(`${dtype}.npy`), x);
        const program = `
import numpy as np, sys, os
d = sys.argv[1]; names = sys.argv[2].split(',')
z = np.load(d + '/ours.npz'); want = np.array([[1, 0, 1], [0, 1, 1]])
assert sorted(z.files) == sorted(names + ['note']) and str(z['note']) == 'é😀'
for n in names:
    for a in (z[n], np.load(f'{d}/{n}.npy')):
        assert a.dtype == np.dtype(n) and (a == want.astype(n)).all(), n
    np.save(f'{d}/again.npy', want.astype(n))
    assert open(f'{d}/again.npy', 'rb').read() == open(f'{d}/{n}.npy', 'rb').read(), n
out = {}
for n in names:
    a = (np.arange(24).reshape(2, 3, 4) % 2 if n == 'bool' else np.arange(24).reshape(2, 3, 4)).astype(n)
    out[n + '_big'] = a.astype(a.dtype.newbyteorder('>')); out[n + '_fortran'] = np.asfortranarray(a)
    out[n + '_empty'] = a[:0]; out[n + '_0d'] = a[0, 0, 1]
np.savez(d + '/theirs.npz', text=np.array('hé'), **out)
np.savez_compressed(d + '/packed.npz', **out)
for version in ((1, 0), (2, 0), (3, 0)):
    with open(f'{d}/v{version[0]}.npy', 'wb') as f: np.lib.format.write_array(f, np.arange(3.0), version=version)
np.save(d + '/object.npy', np.array([{}, 'a'], dtype=object), allow_pickle=True)
`;
        runPython(program, [folder(), numpyDtypes.join(',')]);
        for (const name of ['theirs.npz', 'packed.npz']) {
            const { tensors, metadata } = await loadNpz(at(name));
            for (const dtype of numpyDtypes) {
                const flat = Array.from({ length: 24 }, (_, i) => (dtype === 'bool' ? i % 2 : i));
                for (const kind of ['big', 'fortran']) {
                    const x = tensors.get(`${dtype}_${kind}`)!;
                    assert.deepEqual(
                        [x.dtype, x.shape, x.flatten().toArray()],
                        [dtype, [2, 3, 4], flat],
                        kind,
                    );
                }
                assert.deepEqual(tensors.get(`${dtype}_empty`)!.shape, [0, 3, 4]);
                assert.equal(tensors.get(`${dtype}_0d`)!.item(), 1);
            }
            assert.equal(metadata.get('text'), name === 'theirs.npz' ? 'hé' : undefined);
        }
        for (const version of [1, 2, 3])
            assert.deepEqual((await loadNpy(at(`v${version}.npy`))).toArray(), [0, 1, 2]);
        await assert.rejects(
            loadNpy(at('object.npy')),
            /Python objects .* pickle.* may run any code.*np\.save\(path/,
        );
    });

    it('say what to do about bfloat16 and dtypes that no tensor has', async () => {
        const x = tensor([1], { dtype: 'bfloat16' });
        await assert.rejects(saveNpy(at('x.npy'), x), /NumPy has no bfloat16; save x\.to\('float32'\)/);
        await assert.rejects(saveNpz(at('x.npz'), { w: x }), /: w: NumPy has no bfloat16/);
        const cases: [string, RegExp][] = [
            ["'|O'", /pickle/],
            ["'<V2'", /ml_dtypes' bfloat16/],
            ["'<u2'", /astype\(np\.int32\)/],
            ["'<c8'", /a\.real/],
            ["[('a', '<f4')]", /structured/],
            ["'f4'", /has dtype "f4"/],
        ];
        for (const [descr, message] of cases) {
            writeFileSync(at('x.npy'), npy(dict(descr, '(0,)')));
            await assert.rejects(loadNpy(at('x.npy')), message, descr);
        }
    });

    it('refuse every cut and damaged headers', async () => {
        await saveNpy(at('x.npy'), tensor(values));
        const whole = readFileSync(at('x.npy'));
        for (let length = 0; length < whole.length; length++) {
            writeFileSync(at('cut.npy'), whole.subarray(0, length));
            await assert.rejects(loadNpy(at('cut.npy')), NpyError, `cut at ${length}`);
        }
        const headers = [
            dict("'<f4'", '(3)'),
            dict("'<f4'", '(-1,)'),
            dict("'<f4'", '(4194305, 4194305, 211106198978564)'),
            dict("'<f4'", '(1e3,)'),
            dict("'<f4'", '(0,)', 'no'),
            `{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (0,)}`,
            `{'descr': '<f4', 'shape': (0,)}`,
            `${dict("'<f4'", '(0,)')}x`,
        ];
        for (const header of headers) {
            writeFileSync(at('x.npy'), npy(header));
            await assert.rejects(loadNpy(at('x.npy')), NpyError, header);
        }
        writeFileSync(at('x.npy'), Buffer.concat([whole, Buffer.of(0)]));
        await assert.rejects(loadNpy(at('x.npy')), /bytes left over/);
        await assert.rejects(loadNpy(folder()), /is a folder/);
        await assert.rejects(loadNpy(at('none.npy')), /no such file/);
        await assert.rejects(loadNpy(at('x.npy'), { maxBytes: 3 }), /the limit is 3/);
    });

    it('refuse archives that are damaged, lead elsewhere or are too large', async () => {
        await saveNpz(at('x.npz'), { w: zeros([100, 100]), b: tensor([1]) }, {}, { compressed: true });
        const whole = readFileSync(at('x.npz'));
        for (let length = 0; length < whole.length; length += 3) {
            writeFileSync(at('cut.npz'), whole.subarray(0, length));
            await assert.rejects(loadNpz(at('cut.npz')), NpyError, `cut at ${length}`);
        }
        for (let place = 0; place < whole.length; place++) {
            const damaged = Buffer.from(whole);
            damaged[place] = (damaged[place] ?? 0) ^ 0x10;
            writeFileSync(at('cut.npz'), damaged);
            await loadNpz(at('cut.npz')).catch((error: unknown) =>
                assert.ok(error instanceof NpyError, String(error)),
            );
        }
        await assert.rejects(
            loadNpz(at('x.npz'), { maxBytes: 40_000 }),
            /unpacks to 40\d+ bytes, the limit is 40000/,
        );
        const stored = Buffer.from(
            zipSync({ 'w.npy': npy(dict("'|u1'", '(1,)'), Buffer.of(7)) }, { level: 0 }),
        );
        stored[stored.indexOf(7, 40)] = 8;
        const last = stored.lastIndexOf('PK\x01\x02');
        stored[last - 1] = 9;
        writeFileSync(at('x.npz'), stored);
        await assert.rejects(loadNpz(at('x.npz')), /checksum \(CRC-32\) differs/);
        for (const name of ['../w.npy', '/w.npy', 'a/../../w.npy', 'C:w.npy', 'a\\w.npy', 'w\0.npy']) {
            writeFileSync(at('x.npz'), zipSync({ [name]: npy(dict("'|u1'", '(0,)')) }));
            await assert.rejects(loadNpz(at('x.npz')), /leads elsewhere/, name);
        }
        await assert.rejects(saveNpz(at('x.npz'), { '../w': tensor([1]) }), /cannot hold an array named/);
        writeFileSync(at('x.npz'), zipSync({ 'archive/data.pkl': Buffer.of(0x80) }));
        await assert.rejects(loadNpz(at('x.npz')), /PyTorch's \.pt.*save_file/);
        await assert.rejects(loadNpy(at('x.npz')), /read a \.npz file with loadNpz/);
        await assert.rejects(
            saveNpz(at('x.npz'), [tensor([1])] as never),
            /\[saveNpz\] expected tensors under names/,
        );
    });
});
