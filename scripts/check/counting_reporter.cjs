// The spec reporter, which also appends one JSON line when a run starts, one for each failure, and one with its counts
// when it ends, so that a run that crashed shows as a start without an end.
const { appendFileSync } = require('node:fs');
const { reporters, Runner } = require('mocha');

const { EVENT_RUN_BEGIN, EVENT_RUN_END, EVENT_TEST_FAIL } = Runner.constants;

module.exports = class CountingReporter extends reporters.Spec {
    constructor(runner, options) {
        super(runner, options);
        const file = options.reporterOptions.counts;
        const note = (entry) => appendFileSync(file, `${JSON.stringify({ pid: process.pid, ...entry })}\n`);
        runner.once(EVENT_RUN_BEGIN, () => note({ event: 'start' }));
        runner.on(EVENT_TEST_FAIL, (test, error) =>
            note({ event: 'fail', title: test.fullTitle(), error: String(error.stack ?? error) }),
        );
        runner.once(EVENT_RUN_END, () => {
            const { passes, failures, pending } = runner.stats;
            note({ event: 'end', passed: passes, failed: failures, pending });
        });
    }
};
