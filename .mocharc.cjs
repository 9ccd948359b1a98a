// `.ci/run` sets NATIVEGRAD_TEST_COUNTS to a file that collects the counts of every run.
const counts = process.env.NATIVEGRAD_TEST_COUNTS;

module.exports = {
    extension: ['ts'],
    spec: ['test/**/*.test.ts'],
    // The tarball test installs packages and other Node versions: `npm run test:package` names it explicitly.
    ignore: process.argv.some((word) => word.includes('test/package')) ? [] : ['test/package/**'],
    'node-option': ['import=tsx'],
    timeout: 20_000,
    ...(counts
        ? { reporter: './scripts/check/counting_reporter.cjs', 'reporter-option': [`counts=${counts}`] }
        : {}),
};
