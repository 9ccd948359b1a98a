import assert from 'node:assert/strict';

interface Row {
    registers: number;
    stack: number;
    spill: number;
    shared: number;
}

interface Script {
    readonly parseLog: (text: string) => (Row & { symbol: string; arch: string; milliseconds: number })[];
    readonly endsProcess: (undefinedSymbols: string) => boolean;
    readonly compare: (found: Record<string, Row>, expected: Record<string, Row>) => string[];
}

const script = '../../scripts/check/cuda_resources.mjs';
const { parseLog, compare, endsProcess } = (await import(script)) as Script;

const log = `ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_Z3sumPf' for 'sm_90'
ptxas info    : Function properties for _Z3sumPf
    16 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers, 16 bytes cumulative stack size, 128 bytes smem
ptxas info    : Compile time = 3.1 ms
ptxas info    : Compiling entry function '_Z3addPf' for 'sm_80'
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 8 registers, used 0 barriers
`;

describe('the table of what kernels take', () => {
    it('reads what ptxas says of each kernel', () => {
        assert.deepEqual(parseLog(log), [
            {
                symbol: '_Z3sumPf',
                arch: 'sm_90',
                registers: 40,
                stack: 16,
                spill: 12,
                shared: 128,
                milliseconds: 3.1,
            },
            {
                symbol: '_Z3addPf',
                arch: 'sm_80',
                registers: 8,
                stack: 0,
                spill: 0,
                shared: 0,
                milliseconds: 0,
            },
        ]);
    });

    it('finds host code that calls a function of the device', () => {
        assert.ok(endsProcess('                 U _ZSt4cout\n                 U exit\n'));
        assert.ok(
            !endsProcess(
                '                 U __cxa_atexit\n                 U atexit\n                 U exit_now\n',
            ),
        );
    });

    const row = { registers: 40, stack: 0, spill: 0, shared: 0 };

    it('lets a few registers pass, but no spill and no stack', () => {
        const table = { 'a.cu sum': row };
        assert.deepEqual(compare({ 'a.cu sum': { ...row, registers: 44 } }, table), []);
        assert.match(compare({ 'a.cu sum': { ...row, registers: 45 } }, table)[0] ?? '', /45 registers, 40/);
        assert.match(compare({ 'a.cu sum': { ...row, spill: 4 } }, table)[0] ?? '', /4 bytes of spill, 0/);
        assert.match(compare({ 'a.cu sum': { ...row, stack: 8 } }, table)[0] ?? '', /8 bytes of stack/);
    });

    it('names kernels that are new or gone', () => {
        const lines = compare({ 'a.cu sum': row }, { 'a.cu total': row });
        assert.match(lines[0] ?? '', /a\.cu sum: not in the table/);
        assert.match(lines[1] ?? '', /a\.cu total: in the table, but not built/);
    });
});
