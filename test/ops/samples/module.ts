import { nn } from '../../../lib/index.js';
import type { OpSample } from '../sample.js';

/** The identities around a module whose gradients a hook watches. */
export const moduleSamples: readonly OpSample[] = [
    {
        op: 'module_inputs',
        covers: ['module_outputs'],
        inputs: [{ shape: [2, 3] }],
        run: (x) => {
            const module = new nn.Flatten();
            module.registerBackwardHook(() => undefined);
            return module.forward(x);
        },
        reference: (x) => x,
        secondOrder: true,
    },
];
