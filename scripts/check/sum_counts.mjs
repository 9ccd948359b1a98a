// Prints what failed, and as its last line "N passed, N failed", for the file that counting_reporter.cjs and .ci/run wrote.
// A mocha run that began and did not end crashed; it counts as one failure. So does a failed step that ran no test,
// or whose tests all passed.
// Usage: node scripts/check/sum_counts.mjs FILE
import { readFileSync } from 'node:fs';

const entries = readFileSync(process.argv[2], 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

let passed = 0;
let failed = 0;
let failedBeforeStep = 0;
let step = '';
const running = new Set();

// The end of a long message is in the output of its step.
function indented(text) {
    return text.slice(0, 3000).replace(/^/gm, '    ');
}

function settleCrashes() {
    failed += running.size;
    running.clear();
}

for (const { event, pid, status, name, title, error, ...counts } of entries) {
    if (event === 'step') {
        failedBeforeStep = failed;
        step = `${name}: `;
    } else if (event === 'start') running.add(pid);
    else if (event === 'fail') console.log(`${step}${title}\n${indented(error)}\n`);
    else if (event === 'end') {
        running.delete(pid);
        passed += counts.passed;
        failed += counts.failed;
    } else if (event === 'stepEnd') {
        settleCrashes();
        if (status !== 0 && failed === failedBeforeStep) failed += 1;
    }
}
settleCrashes();
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
