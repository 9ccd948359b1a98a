import js from '@eslint/js';
import tseslint from 'typescript-eslint';

// The layers of lib/, lowest first: a folder may import from any row above its own, never from its own row or below.
const layers = [
    ['native'],
    ['tensor'],
    ['autograd'],
    ['program'],
    ['ops'],
    ['nn'],
    ['optim', 'data'],
    ['train'],
    ['report'],
    ['tune', 'explain'],
    ['cli'],
];
// Leaves stand beside the layers: anyone may import them, and they import nothing but leaves that stand earlier here.
const leaves = ['support', 'io', 'plot', 'track'];

const everyFolder = [...leaves, ...layers.flat()];

function mayImport(folder) {
    if (leaves.includes(folder)) return leaves.slice(0, leaves.indexOf(folder));
    const row = layers.findIndex((names) => names.includes(folder));
    return [...leaves, ...layers.slice(0, row).flat()];
}

function importDirection(folder) {
    const forbidden = everyFolder.filter((name) => name !== folder && !mayImport(folder).includes(name));
    const patterns = [
        {
            regex: `^(\\.\\./)+(${[...forbidden, 'index\\.js'].join('|')})(/|$)`,
            message: `lib/${folder} must not import from above itself: imports point down only (ARCHITECTURE.md).`,
        },
    ];
    return { files: [`lib/${folder}/**/*.ts`], rules: { 'no-restricted-imports': ['error', { patterns }] } };
}

const noEnvironment = {
    selector: "MemberExpression[object.name='process'][property.name='env']",
    message: 'Environment variables are read at entry points only.',
};

const noDoubleCast = {
    selector: "TSAsExpression > TSAsExpression[typeAnnotation.type='TSUnknownKeyword']",
    message: 'A cast through unknown switches the type checker off.',
};

const noSkippedTest = {
    selector:
        'CallExpression[callee.property.name=/^(skip|only)$/] > MemberExpression[object.name=/^(it|describe|context)$/]',
    message: 'Every test runs.',
};

export default tseslint.config(
    { ignores: ['build/', 'build-*/', 'coverage/', 'dist/', 'node_modules/', 'output/', 'prebuilds/'] },
    { linterOptions: { reportUnusedDisableDirectives: 'error', noInlineConfig: true } },
    js.configs.recommended,
    {
        files: ['**/*.ts'],
        extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
        languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
        rules: {
            '@typescript-eslint/consistent-type-imports': 'error',
            '@typescript-eslint/restrict-template-expressions': [
                'error',
                { allowNumber: true, allowBoolean: true },
            ],
            '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
            '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
            // Arguments are checked at run time as well, for callers without types; and an array's element is
            // typed without undefined here.
            '@typescript-eslint/no-unnecessary-condition': 'off',
            // Numeric loops read better with an index.
            '@typescript-eslint/prefer-for-of': 'off',
            eqeqeq: 'error',
            'no-warning-comments': [
                'error',
                { terms: ['todo', 'fixme', 'xxx', 'hack'], location: 'anywhere' },
            ],
            'no-restricted-syntax': ['error', noDoubleCast],
        },
    },
    {
        // Assertions on values of other libraries and on private state of a test's own making.
        files: ['test/**/*.ts'],
        rules: {
            '@typescript-eslint/no-non-null-assertion': 'off',
            '@typescript-eslint/no-empty-function': 'off',
            'no-restricted-syntax': ['error', noDoubleCast, noSkippedTest],
        },
    },
    {
        files: ['lib/**/*.ts'],
        ignores: ['lib/native/loader.ts', 'lib/native/addon.ts', 'lib/cli/**'],
        rules: { 'no-restricted-syntax': ['error', noEnvironment, noDoubleCast] },
    },
    ...everyFolder.map(importDirection),
    {
        files: ['**/*.{js,mjs,cjs}'],
        languageOptions: {
            globals: { process: 'readonly', Buffer: 'readonly', console: 'readonly', URL: 'readonly' },
        },
    },
    { files: ['**/*.cjs'], languageOptions: { globals: { require: 'readonly', module: 'writable' } } },
);
