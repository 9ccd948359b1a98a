import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import type { PeerCalls } from '../../scripts/bench/benchmark.js';
import { gpuBenchmarks } from '../../scripts/bench/gpu_cases/index.js';
import { SMALL } from '../../scripts/bench/gpu_cases/sizes.js';
import { PeerProcess } from '../../scripts/bench/peer_process.js';
import { writeSmallMnist } from '../support/small_mnist.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

const SCRIPT = fileURLToPath(new URL('../../scripts/bench/peer.py', import.meta.url));
const python = [process.env.NATIVEGRAD_TEST_PYTHON ?? 'python3', 'python3'].find(
    (program) => spawnSync(program, ['-c', 'import torch']).status === 0,
);

/** In place of CUDA graphs, which need a GPU: the body runs again at each replay. */
const REPLAYED = `
import torch_gpu
class Replayed:
    def __init__(self, body):
        self.replay = body
        body()
torch_gpu.captured = lambda body, device: Replayed(body)
`;

const rows = gpuBenchmarks(SMALL).flatMap(({ name, peers }) =>
    Object.entries(peers).map(([key, work]) => ({ name: `${name}: ${key}`, work: work as PeerCalls })),
);

if (python !== undefined) {
    describe("PyTorch's side of bench:gpu, on the CPU", () => {
        const folder = useTemporaryFolder();
        let peer: PeerProcess;
        before(async () => {
            peer = await PeerProcess.start(python, [SCRIPT, 'torch', '1', 'cpu']);
        });
        after(() => peer.close());

        // First: the others put something in the place of graphs.
        it('refuses a graph without a GPU in one line', async () => {
            writeSmallMnist(folder(), 20, 2);
            const graphs = rows.filter(({ name }) => name.endsWith('_graph'));
            assert.ok(graphs.length >= 8);
            for (const { name, work } of graphs)
                await assert.rejects(
                    peer.subject(name, work, folder()),
                    /^Error: RuntimeError: a graph needs a GPU$/,
                );
        });

        for (const { name, work } of rows) {
            it(`runs ${name}${work.compiles ? ', but for the compiler' : ''}`, async () => {
                writeSmallMnist(folder(), 20, 2);
                // Nothing is compiled before its first call, which takes half a minute.
                const whole = { ...work, setup: REPLAYED + work.setup };
                const made = { framework: work.framework, setup: work.setup, statement: 'work' };
                const subject = await peer.subject(name, work.compiles ? made : whole, folder());
                assert.ok((await subject.run(3)) > 0);
                await subject.close?.();
            });
        }
    });
}
