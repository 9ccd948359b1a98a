// Runs the suite once for every instruction set below the best one of this processor.
// Words on the command line go to mocha: npm run test:isa -- test/ops/matmul.test.ts
import { runMocha } from './run_mocha.mjs';

// The build tools' own tests know no instruction set.
const words = [...process.argv.slice(2), '--ignore=test/scripts/**'];
const instructionSets = process.arch === 'x64' ? ['scalar', 'avx2'] : ['scalar'];

for (const instructionSet of instructionSets) {
    console.log(`\nNATIVEGRAD_ISA=${instructionSet}`);
    const code = await runMocha(words, { NATIVEGRAD_ISA: instructionSet });
    if (code !== 0) process.exitCode = 1;
}
