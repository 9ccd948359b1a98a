import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { reportOfChild, runChild } from '../support/child.js';

const network = `
    const { capture, manualSeed, nn, optim, randint, randn, setDefaultDevice } = library;
    setDefaultDevice('cuda');
    manualSeed(1);
    const model = new nn.Sequential(new nn.Linear(6, 8), new nn.ReLU(), new nn.Dropout(0.3), new nn.Linear(8, 3));
    const optimizer = new optim.Adam(model.parameters());
    const step = (x, y) => {
        optimizer.zeroGrad();
        const loss = nn.crossEntropy(model.forward(x), y);
        loss.backward();
        optimizer.step();
        return loss;
    };
    const run = capture(step);
    const xs = randn([12, 4, 6]), ys = randint(0, 3, [12, 4]);
`;

interface Course {
    readonly losses: number[];
    readonly execution: string;
}

describe('graphs that go wrong', () => {
    before(() => assert.ok(existsSync(process.env.NATIVEGRAD_CUDA ?? ''), 'run this by npm run test:sim'));

    it('are done without where none can be made, with the same bits, and say why', () => {
        const course = (setup: string): Course =>
            reportOfChild(
                `${network}
                const { result } = await run.run(12, [xs, ys], { chunk: 5 });
                report({ losses: result.toArray(), execution: run.statistics.programs[0].execution });`,
                { NATIVEGRAD_CUDA_SIM_SETUP: setup },
            ) as Course;
        const [plain, without] = [course(''), course('fault=no_graph')];
        assert.equal(plain.execution, 'graph');
        assert.match(
            without.execution,
            /^calls, since no graph was made: \[capture\] instantiate.*out of memory/,
        );
        assert.deepEqual(without.losses, plain.losses);
    });

    it('take their room on the device when they are made, so that no run ends for want of it', () => {
        const course = (setup: string): Course & { readonly apart: string } =>
            reportOfChild(
                `${network}
                const makeStep = (seed) => {
                    manualSeed(seed);
                    const model = new nn.Linear(6, 3);
                    const optimizer = new optim.Adam(model.parameters());
                    return (x, y) => {
                        optimizer.zeroGrad();
                        const loss = nn.crossEntropy(model.forward(x), y);
                        loss.backward();
                        optimizer.step();
                        return loss;
                    };
                };
                const models = library.captureModels([makeStep(2), makeStep(3)]);
                const several = await models.run(12, [xs, ys]);
                const { result } = await run.run(12, [xs, ys], { chunk: 5 });
                const losses = [...several.results, result].map((x) => x.toArray()).flat();
                const [execution, apart] = [run, models].map((x) => x.statistics.programs[0].execution);
                report({ losses, execution, apart });`,
                { NATIVEGRAD_CUDA_SIM_SETUP: setup },
            ) as Course & { readonly apart: string };
        const [plain, without, alone] = ['', 'graph_room=0', 'graph_room=2'].map(course);
        assert.deepEqual([plain?.execution, plain?.apart], ['graph', 'graph of 2 models']);
        const none = /^calls, since no graph was made: \[capture\] upload.*out of memory/;
        for (const execution of [without?.execution, without?.apart, alone?.execution])
            assert.match(execution ?? '', none);
        assert.match(
            alone?.apart ?? '',
            /^graph beside those of the other models, since \[capture\] upload.*out of memory/,
        );
        assert.deepEqual(without?.losses, plain?.losses);
        assert.deepEqual(alone?.losses, plain?.losses);
    });

    it('in the middle of a run lose the device with a typed error, and the CPU goes on', () => {
        const said = reportOfChild(
            `${network}
            await run.run(2, [xs.slice(0, 0, 2), ys.slice(0, 0, 2)]);
            const error = await run.run(12, [xs, ys], { chunk: 12 }).catch((reason) => reason);
            const again = await run.run(12, [xs, ys]).catch((reason) => reason);
            const onCpu = library.ones([2], { device: 'cpu' }).sum().item();
            report([error.code, error.message, again.code, run.statistics.programs[0].execution, onCpu]);`,
            { NATIVEGRAD_CUDA_SIM_SETUP: 'failing_launch=150' },
        ) as [string, string, string, string, number];
        const [code, message, again, execution, onCpu] = said;
        assert.equal(code, 'ERR_NATIVEGRAD_DEVICE_LOST', message);
        assert.match(message, /illegal memory access/);
        assert.equal(again, code);
        assert.deepEqual([execution, onCpu], ['graph', 2]);
    });

    it('and workers that end in the middle of a run leave the others alone', () => {
        const { status, signal, stdout, stderr } = runChild(
            `
            const { Worker } = await import('node:worker_threads');
            const source = \`
                const { parentPort, workerData } = await import('node:worker_threads');
                const library = await import(workerData);
                ${network}
                for (;;) {
                    const pending = run.run(12, [xs, ys], { chunk: 12 });
                    parentPort.postMessage('running');
                    await pending;
                }\`;
            for (let i = 0; i < 4; i++) {
                const worker = new Worker(source, { eval: true, workerData: process.argv[1] });
                let messages = 0;
                await new Promise((resolve, reject) => {
                    worker.on('error', reject);
                    worker.on('message', () => ++messages === i + 1 && resolve());
                });
                await worker.terminate();
            }
            ${network}
            const { result } = await run.run(12, [xs, ys], { chunk: 5 });
            console.log(run.statistics.programs[0].execution, result.toArray().every(Number.isFinite));`,
            { NATIVEGRAD_CUDA_SIM_SETUP: 'slow=1' },
        );
        assert.deepEqual([status, signal, stdout], [0, null, 'graph true\n'], stderr);
    });
});
