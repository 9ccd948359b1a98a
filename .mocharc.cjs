// `.ci/run` sets NATIVEGRAD_TEST_COUNTS to a file that collects the counts of every run.
const counts = process.env.NATIVEGRAD_TEST_COUNTS;

// Files or folders on the command line replace the default ones (mocha itself would add them).
const named = process.argv
    .slice(2)
    .some((word) => !word.startsWith('-') && /^(\.\/)?test\/|\.test\.ts$/.test(word));

module.exports = {
    extension: ['ts'],
    recursive: true,
    'node-option': ['import=tsx'],
    // Ends what hangs; a machine that does other work, too, is no failure.
    timeout: 300_000,
    // The tarball test installs packages and other Node versions: `npm run test:package` runs it. The simulator of the GPU
    // is a build of its own: `npm run test:sim`.
    ...(named
        ? {}
        : {
              spec: ['test/**/*.test.ts'],
              ignore: ['test/package/**', 'test/cuda/**'],
          }),
    ...(counts
        ? { reporter: './scripts/check/counting_reporter.cjs', 'reporter-option': [`counts=${counts}`] }
        : {}),
};
