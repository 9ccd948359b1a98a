import { dtypes, type DType } from '../../lib/index.js';
import { opSamples } from './op_samples.js';
import type { OpSample } from './sample.js';
import {
    checkDtypes,
    checkGradient,
    checkOverwrites,
    checkReference,
    checkThreads,
    checkViews,
    checkWrong,
    checkZeroSizes,
    dtypesOf,
    hasGradient,
    instructionSets,
} from './sample_checks.js';

function listed(sample: OpSample): string {
    const known: readonly DType[] = dtypes.filter((dtype) => dtypesOf(sample).includes(dtype));
    return known.join(', ');
}

function describeSample(sample: OpSample): void {
    const title = sample.title === undefined ? '' : `${sample.title}: `;
    it(`${title}gives the reference's values`, () => checkReference(sample));
    it(`${title}agrees in ${listed(sample)} on ${instructionSets.join(', ')}`, () => checkDtypes(sample));
    it(`${title}has the same bits with one and two threads`, () => checkThreads(sample));
    it(`${title}takes views`, () => checkViews(sample));
    it(`${title}overwrites all of its results`, () => checkOverwrites(sample));
    if (hasGradient(sample)) {
        const order = sample.secondOrder ? 'first and second derivatives' : 'gradients';
        it(`${title}has the ${order} of finite differences`, () => checkGradient(sample));
    }
    const zeroSizes = sample.zeroSizes ?? [];
    if (zeroSizes.length > 0) {
        it(`${title}takes zero sizes`, () => {
            for (const shapes of zeroSizes) checkZeroSizes(sample, shapes);
        });
    }
    const wrong = sample.wrong ?? [];
    if (wrong.length > 0) {
        it(`${title}refuses wrong inputs`, () => {
            for (const { call, message } of wrong) checkWrong(call, message);
        });
    }
}

const byOp = new Map<string, OpSample[]>();
for (const sample of opSamples) byOp.set(sample.op, [...(byOp.get(sample.op) ?? []), sample]);

for (const [op, samples] of byOp) {
    describe(`op ${op}`, () => {
        for (const sample of samples) describeSample(sample);
    });
}
