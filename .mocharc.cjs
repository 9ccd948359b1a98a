// `.ci/run` sets NATIVEGRAD_TEST_COUNTS to a file that collects the counts of every run.
const counts = process.env.NATIVEGRAD_TEST_COUNTS;

// Files or folders on the command line replace the default ones (mocha itself would add them).
const named = process.argv.slice(2).some((word) => /^(\.\/)?test\/|\.test\.ts$/.test(word));

module.exports = {
    extension: ['ts'],
    recursive: true,
    'node-option': ['import=tsx'],
    timeout: 60_000,
    // The tarball test installs packages and other Node versions: `npm run test:package` runs it.
    ...(named ? {} : { spec: ['test/**/*.test.ts'], ignore: ['test/package/**'] }),
    ...(counts
        ? { reporter: './scripts/check/counting_reporter.cjs', 'reporter-option': [`counts=${counts}`] }
        : {}),
};
