import assert from 'node:assert/strict';

interface Script {
    readonly RoundingReader: new () => {
        readonly loose: ReadonlyMap<string, ReadonlySet<string>>;
        readonly exact: number;
        add(line: string): void;
    };
}

const script = '../../scripts/check/cuda_rounding.mjs';
const { RoundingReader } = (await import(script)) as Script;

describe('the rounding of the kernels', () => {
    it('is said by each sum and product of floats, or the function is named', () => {
        const reader = new RoundingReader();
        const listing = `
.visible .entry scale(
	.param .u64 scale_param_0
)
.maxntid 256
{
	add.s64 	%rd5, %rd3, %rd4;
mul.rn.f32 	%r4, %r2, %r3;
	fma.rn.f32 	%r5, %r4, %r3, %r2;
	add.rz.ftz.f32 	%r6, %r5, %r4;
	mad.lo.s32 	%r7, %r1, %r2, %r3;
	mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%r1}, {%r2}, {%r3}, {%r4};
}
.weak .entry sum(
	add.f32 	%r4, %r2, %r3;
	@%p2 add.f32 	%r4, %r2, %r3;
	sub.ftz.f32 	%r4, %r2, %r3;
.func  (.param .b32 func_retval0) helper(
	@!%p1 mul.f64 	%rd4, %rd2, %rd3;
	add.f16x2 	%r4, %r2, %r3;
`;
        for (const line of listing.split('\n')) reader.add(line);
        assert.equal(reader.exact, 3);
        assert.deepEqual(
            [...reader.loose].map(([name, found]) => [name, ...found]),
            [
                ['sum', 'add.f32', 'sub.ftz.f32'],
                ['helper', 'mul.f64', 'add.f16x2'],
            ],
        );
    });
});
