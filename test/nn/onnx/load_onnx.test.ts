import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { add, nn, type Tensor } from '../../../lib/index.js';
import { encodeOnnx } from '../../../lib/io/onnx/encode_onnx.js';
import { decodeOnnx, type OnnxContent } from '../../../lib/io/onnx/decode_onnx.js';
import { loadWire } from '../../../lib/io/onnx/wire.js';
import { useTemporaryFolder } from '../../support/temporary_folder.js';

const empty = { nodes: [], inputs: [], outputs: [], values: [], metadata: {} };

describe('ONNX files', () => {
    const folder = useTemporaryFolder();
    const at = (name: string): string => join(folder(), name);
    const refuses = (action: () => Promise<unknown>, message: RegExp): Promise<void> =>
        assert.rejects(action, (error) => {
            assert.ok(error instanceof nn.OnnxError, String(error));
            assert.match(error.message, message);
            return true;
        });

    it('carry the info, and are the same bytes for the same model', async () => {
        const model = new nn.Sequential(new nn.Linear(4, 2), new nn.BatchNorm1d(2));
        const info = { inputShape: [4], classNames: ['cat', 'dog'], loss: 'cce', extra: { note: 'ü' } };
        await nn.exportOnnx(model, at('a.onnx'), { info });
        assert.ok(model.training, 'the mode is as it was');
        await nn.exportOnnx(model, at('b.onnx'), { info });
        assert.deepEqual(readFileSync(at('a.onnx')), readFileSync(at('b.onnx')));
        assert.deepEqual((await nn.loadOnnx(at('a.onnx'))).info, info);
    });

    it('are not written for what ONNX cannot hold, naming the module', async () => {
        class Residual extends nn.Module {
            readonly body = new nn.Linear(4, 4);
            forward(x: Tensor): Tensor {
                return this.body.forward(x).add(x);
            }
        }
        class Line extends nn.Linear {}
        class Wrong extends Residual implements nn.OnnxModule {
            constructor(readonly onnx: (builder: nn.OnnxBuilder, x: nn.OnnxValue) => nn.OnnxValue) {
                super();
            }
        }
        class Chain extends nn.Sequential {
            override forward(x: Tensor): Tensor {
                return super.forward(x).add(x);
            }
        }
        const write = (model: nn.SequentialLayer, options: nn.ExportOnnxOptions = { inputShape: [4] }) =>
            nn.exportOnnx(model, at('x.onnx'), options);
        const inside = new nn.Sequential(new nn.Linear(4, 4), new nn.Sequential(new Residual()));
        await refuses(() => write(inside), /Residual '1\.0' has a forward of its own; give it a method onnx/);
        await refuses(
            () => write(new nn.Sequential(new Wrong((builder, x) => builder.operator('Add', [x, x], add)))),
            /Wrong '0': its method onnx gives other numbers than its forward: they differ by/,
        );
        await refuses(
            () => write(new Wrong((_, x) => ({ ...x, probes: [x.probes[0].unsqueeze(0), x.probes[1]] }))),
            /Wrong: its method onnx gives \[1, 2, 4\] float32, its forward \[2, 4\] float32/,
        );
        const nothing = new Wrong(() => JSON.parse('null') as nn.OnnxValue);
        await refuses(() => write(nothing), /its method onnx must give a value of the builder/);
        await refuses(() => write(new Chain(new nn.Linear(4, 4))), /Chain has a forward of its own/);
        await refuses(() => write(new Line(4, 4)), /Line has a forward of its own/);
        const hooked = new nn.Sequential(new nn.Linear(4, 4));
        const remove = hooked.at(0).registerForwardHook(() => undefined);
        await refuses(() => write(hooked), /Linear '0' has hooks/);
        remove();
        await write(hooked);
        await refuses(
            () => write(new nn.Linear(4, 2).to('bfloat16')),
            /got bfloat16; use model\.to\('float32'\)/,
        );
        await refuses(
            () => write(new nn.Linear(4, 2), { inputShape: [4], dtype: 'float64' }),
            /float64, float32/,
        );
        await refuses(
            () => write(new nn.Sequential(new nn.Linear(4, 2)), { inputShape: [5] }),
            /Linear '0': expected \[\*, 4\].*inputShape is the shape of one input, without the batch/,
        );
        await refuses(
            () => write(new nn.Conv1d(2, 2, 1), { inputShape: [7] }),
            /Conv1d: expected \[N, 2, L\].*the batch, which was 3/,
        );
        await assert.rejects(write(new nn.Linear(4, 2), {}), /inputShape is missing/);
        await assert.rejects(write(new nn.Linear(4, 2), { inputShape: [0] }), /must not hold 0/);
        await assert.rejects(
            write(new nn.Linear(4, 2), { inputShape: [4], inputName: 'weight' }),
            /inputName and outputName must be two texts that no parameter has/,
        );
        const wrong = { inputShape: [4], opset: 18 };
        await assert.rejects(write(new nn.Linear(4, 2), wrong), /\[exportOnnx\].*opset/);
    });

    it('are refused above the 2 GB of Protocol Buffers', async () => {
        // Pages that nobody touches take no memory.
        const data = new Uint8Array(2 ** 31);
        const initializers = [{ name: 'w', dtype: 'uint8' as const, shape: [data.length], data }];
        const model = { ...empty, opset: 17, producer: 'p', graphName: 'g', initializers };
        const wire = await loadWire();
        assert.throws(() => encodeOnnx(model, wire), /holds 2 GB; export in float16/);
    });

    it('are refused where small entries would take many times their size', async () => {
        const wire = await loadWire();
        const entry = (i: number, shape: readonly number[] = [1]) => {
            return { name: `w${i}`, dtype: 'uint8' as const, shape, data: new Uint8Array(1) };
        };
        const read = (...initializers: ReturnType<typeof entry>[]) => {
            const model = { ...empty, opset: 17, producer: 'p', graphName: 'g', initializers };
            const bytes = Buffer.concat(encodeOnnx(model, wire));
            return () => decodeOnnx(new Uint8Array(bytes), 'x', wire);
        };
        const many = Array.from({ length: 100_001 }, (_, i) => String(i).padStart(6, '0'));
        const tensors = many.map((name) => `\x2a\x0f\x08\x01\x10\x02\x42\x06${name}\x4a\x01\x00`).join('');
        const graph = new wire.BinaryWriter()
            .tag(7, wire.WireType.LengthDelimited)
            .bytes(Buffer.from(tensors, 'latin1'))
            .finish();
        assert.throws(() => decodeOnnx(graph, 'x', wire), /x: damaged, .*more than 100000 initializers/);
        const texts = Buffer.from(many.map((name) => `\x72\x08\x0a\x06${name}`).join(''), 'latin1');
        assert.throws(() => decodeOnnx(texts, 'x', wire), /x: damaged, .*more than 100000 texts/);
        assert.throws(read(entry(0, new Array<number>(9).fill(1))), /more than 8 dimensions/);
        assert.throws(read(entry(0, [-1])), /initializer "w0" has the impossible shape \(-1\)/);
        assert.throws(read(entry(0, [2])), /"w0", uint8 \(2\), has 1 bytes in its raw_data, expected 2/);
        assert.throws(read(entry(0), entry(0)), /initializer "w0" stands there twice/);
        assert.equal(read(entry(0), entry(1))().initializers.size, 2);
    });

    it('of other programs, damaged or of another kind are refused with the reason', async () => {
        await nn.exportOnnx(new nn.Sequential(new nn.Linear(4, 2)), at('a.onnx'), { inputShape: [4] });
        await nn.exportOnnx(new nn.Linear(4, 2), at('layer.onnx'), { inputShape: [4] });
        const load = (name: string) => () => nn.loadOnnx(at(name));
        await refuses(load('layer.onnx'), /layer\.onnx: does not say which layers it has/);
        await refuses(load('none.onnx'), /none\.onnx: no such file/);
        await refuses(() => nn.loadOnnx(folder()), /is a folder/);
        writeFileSync(at('b.onnx'), '');
        await refuses(load('b.onnx'), /is empty/);
        writeFileSync(at('b.onnx'), '\x89PNG\r\n\x1a\n', 'latin1');
        await refuses(load('b.onnx'), /is a PNG image, expected an ONNX file/);
        const bytes = readFileSync(at('a.onnx'));
        const wire = await loadWire();
        for (let length = 1; length < bytes.length; length++) {
            let content: OnnxContent | undefined;
            try {
                content = decodeOnnx(bytes.subarray(0, length), 'x', wire);
            } catch (error) {
                assert.ok(error instanceof nn.OnnxError && error.message.startsWith('x: '), String(error));
            }
            assert.equal(content?.metadata.get('nativegrad.architecture'), undefined, `cut at ${length}`);
            if (length % 100 !== 0) continue;
            writeFileSync(at('b.onnx'), bytes.subarray(0, length));
            await refuses(load('b.onnx'), /b\.onnx: (damaged|does not say|this ONNX file was not exported)/);
        }
        const text = bytes.toString('latin1');
        writeFileSync(at('b.onnx'), text.replaceAll('nativegrad.', 'otherworld.'), 'latin1');
        await refuses(load('b.onnx'), /b\.onnx: this ONNX file was not exported by nativegrad: /);
        writeFileSync(at('b.onnx'), text.replace('"outFeatures":2', '"outFeatures":9'), 'latin1');
        await refuses(load('b.onnx'), /the layers take 36 weights, at most 10 are allowed/);
        writeFileSync(at('b.onnx'), text.replaceAll('weight', 'wright'), 'latin1');
        await refuses(load('b.onnx'), /missing: 0\.weight/);
    });
});
