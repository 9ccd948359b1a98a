import assert from 'node:assert/strict';

type Kernels = readonly (readonly [string, ReadonlyMap<string, number>])[];

interface Script {
    readonly InstructionCounter: new () => {
        readonly kernels: ReadonlyMap<string, ReadonlyMap<string, number>>;
        add(line: string): void;
    };
    readonly broken: (
        kernels: Kernels,
        rules: readonly { kernels: RegExp; needs: Record<string, number> }[],
        exceptions: readonly { kernels: RegExp }[],
        unruled: readonly { kernels: RegExp }[],
    ) => string[];
}

const script = '../../scripts/check/cuda_sass.mjs';
const { InstructionCounter, broken } = (await import(script)) as Script;

const listing = `
	.section	.text._Z3sumPf,"ax",@progbits
.text._Z3sumPf:
        .type           _Z3sumPf,@function
_Z3sumPf:
        /*0000*/                   LDC R1, c[0x0][0x28] ;
        /*0010*/                   LDG.E.128 R4, desc[UR4][R2.64] ;
        /*0020*/              @!P0 LDG.E.128.CONSTANT R8, desc[UR4][R2.64] ;
.L_x_1:
        /*0030*/              @UP1 UIADD3 UR4, UR4, 0x1, URZ ;
        /*0040*/               @P0 BRA \`(.L_x_1) ;
.text._Z3addPf:
        /*0000*/                   STL [R1], R4 ;
`;

describe('the instructions of the kernels', () => {
    const kernels = (): Kernels => {
        const counter = new InstructionCounter();
        for (const line of listing.split('\n')) counter.add(line);
        return [...counter.kernels];
    };

    it('are counted by kernel', () => {
        assert.deepEqual(
            kernels().map(([name, found]) => [name, Object.fromEntries(found)]),
            [
                ['_Z3sumPf', { LDC: 1, 'LDG.E.128': 1, 'LDG.E.128.CONSTANT': 1, UIADD3: 1, BRA: 1 }],
                ['_Z3addPf', { STL: 1 }],
            ],
        );
    });

    it('are those that a kernel is meant to have', () => {
        const rule = (name: RegExp, needs: Record<string, number>): string[] =>
            broken(kernels(), [{ kernels: name, needs }], [{ kernels: /add/ }], [{ kernels: /_Z/ }]);
        assert.deepEqual(rule(/sum/, { 'LDG.E.128': 2 }), []);
        assert.deepEqual(rule(/sum/, { 'LDG.E.128': 3, HMMA: 1 }), [
            '_Z3sumPf: 2 times LDG.E.128, at least 3 is meant',
            '_Z3sumPf: 0 times HMMA, at least 1 is meant',
        ]);
        assert.deepEqual(rule(/sum/, { LD: 1 }), ['_Z3sumPf: 0 times LD, at least 1 is meant']);
        assert.deepEqual(rule(/product/, { HMMA: 1 }), ['/product/: there is no such kernel']);
    });

    it('touch local memory only where that has a reason', () => {
        const all = [{ kernels: /_Z/ }];
        assert.deepEqual(broken(kernels(), [], [], all), ['_Z3addPf: 1 accesses of local memory (LDL, STL)']);
        assert.deepEqual(broken(kernels(), [], [{ kernels: /add/ }], all), []);
    });

    it('prefetch nothing in a loop over the lanes', () => {
        const bulk: [string, Map<string, number>][] = [['add', new Map([['UBLKPF.L2', 1]])]];
        assert.deepEqual(broken(bulk, [], [{ kernels: /add/ }], [{ kernels: /add/ }]), [
            'add: UBLKPF, a loop over the lanes of a warp',
        ]);
    });

    it('have a rule, or a reason for having none', () => {
        const rule = [{ kernels: /sum/, needs: {} }];
        const exceptions = [{ kernels: /add/ }];
        assert.deepEqual(broken(kernels(), rule, exceptions, []), [
            '_Z3addPf: no rule names it, and no reason for having none',
        ]);
        assert.deepEqual(broken(kernels(), rule, exceptions, [{ kernels: /add/ }]), []);
        assert.deepEqual(broken(kernels(), rule, exceptions, [{ kernels: /add/ }, { kernels: /old/ }]), [
            '/old/: there is no such kernel',
        ]);
    });
});
