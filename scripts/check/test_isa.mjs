// Runs the suite once for every instruction set below the best one of this processor, side by side.
// Words on the command line go to mocha: npm run test:isa -- test/ops/matmul.test.ts
import { runMocha, runMochaSideBySide } from './run_mocha.mjs';

// These know no instruction set: tools, command line, files, pictures, what a killed run leaves behind.
const ignored = [
    ...['scripts', 'bench', 'cli', 'docs', 'io', 'plot', 'track'].map((folder) => `${folder}/**`),
    'e2e/mishaps.test.ts',
];
const words = [...process.argv.slice(2), ...ignored.map((path) => `--ignore=test/${path}`)];
const instructionSets = process.arch === 'x64' ? ['scalar', 'avx2'] : ['scalar'];
// It measures time, and wants the processors for itself.
const alone = '--grep=serves a 10 ms timer';

async function runAll() {
    const code = await runMochaSideBySide(
        instructionSets.map((instructionSet) => ({
            title: `NATIVEGRAD_ISA=${instructionSet}`,
            words: [...words, alone, '--invert'],
            environment: { NATIVEGRAD_ISA: instructionSet },
        })),
    );
    const codes = [code];
    for (const instructionSet of instructionSets) {
        console.log(`\nNATIVEGRAD_ISA=${instructionSet}, by itself`);
        codes.push(
            await runMocha(['test/train/event_loop.test.ts', alone], { NATIVEGRAD_ISA: instructionSet }),
        );
    }
    return codes.some((each) => each !== 0) ? 1 : 0;
}

async function runNamed() {
    let worst = 0;
    for (const instructionSet of instructionSets) {
        console.log(`\nNATIVEGRAD_ISA=${instructionSet}`);
        if ((await runMocha(words, { NATIVEGRAD_ISA: instructionSet })) !== 0) worst = 1;
    }
    return worst;
}

process.exitCode = await (process.argv.length > 2 ? runNamed() : runAll());
