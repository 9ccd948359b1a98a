// Runs the suite once for every instruction set below the best one of this processor, side by side.
// Words on the command line go to mocha: npm run test:isa -- test/ops/matmul.test.ts
import { runMocha, runMochaSideBySide } from './run_mocha.mjs';
import { runAlone, suiteRuns } from './suite_parts.mjs';

// These know no instruction set: tools, command line, files, pictures, threads, what a killed run leaves behind.
const ignored = [
    ...['scripts', 'bench', 'cli', 'docs', 'e2e', 'examples', 'io', 'plot', 'report', 'resume', 'track'].map(
        (folder) => `${folder}/**`,
    ),
    ...['abi', 'loader', 'workers'].map((name) => `native/${name}.test.ts`),
    'train/checkpoint*.test.ts',
    'tensor/memory.test.ts',
    'nn/onnx/**',
    'data/csv.test.ts',
];
const instructionSets = process.arch === 'x64' ? ['scalar', 'avx2'] : ['scalar'];

async function runAll() {
    const runs = instructionSets.flatMap((instructionSet) =>
        suiteRuns({ ignored, environment: { NATIVEGRAD_ISA: instructionSet } }).map((run) => ({
            ...run,
            title: `NATIVEGRAD_ISA=${instructionSet}, ${run.title}`,
        })),
    );
    const codes = [await runMochaSideBySide(runs)];
    for (const instructionSet of instructionSets) {
        console.log(`\nNATIVEGRAD_ISA=${instructionSet}, by itself`);
        codes.push(await runAlone({ NATIVEGRAD_ISA: instructionSet }));
    }
    return codes.some((each) => each !== 0) ? 1 : 0;
}

async function runNamed() {
    let worst = 0;
    for (const instructionSet of instructionSets) {
        console.log(`\nNATIVEGRAD_ISA=${instructionSet}`);
        const code = await runMocha(process.argv.slice(2), { NATIVEGRAD_ISA: instructionSet });
        if (code !== 0) worst = 1;
    }
    return worst;
}

process.exitCode = await (process.argv.length > 2 ? runNamed() : runAll());
