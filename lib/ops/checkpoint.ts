import { autocast, autocastDtype } from '../autograd/autocast.js';
import { isGradEnabled } from '../autograd/grad_mode.js';
import { RecomputedStretch } from '../autograd/recompute.js';
import { describeValue } from '../support/describe_value.js';
import { Tensor } from '../tensor/tensor.js';
import { noteDraws, repeatDraws } from './draws.js';

/**
 * Runs `body(...inputs)` and keeps nothing of it for the backward pass but its inputs and its result: backward runs it once
 * more, with the same random numbers, to have what it needs. So a deep network takes the memory of one stretch at a time, for
 * about a third more time (gradient checkpointing). Gradients have the bits that they have without it; dropout drops the same.
 *
 * Tensors come in as inputs (parameters, and what lives anyway, may come by closure). All else that `body` makes is freed at
 * its end, as in `scope()`. It must do the same both times: running statistics of batch norm move twice, as in PyTorch
 * (`torch.utils.checkpoint`, `use_reentrant=False`).
 *
 * Source: Chen et al., "Training deep nets with sublinear memory cost", 2016.
 *
 * @throws TypeError for a `body` that is no function or gives a promise; in backward Error, where an input was changed in place
 * or freed since, or where the second run takes another course.
 * @example
 * import { checkpoint, nn, randn } from 'nativegrad';
 * const blocks = Array.from({ length: 4 }, () => new nn.Sequential(new nn.Linear(16, 16), new nn.GELU(), new nn.Dropout(0.1)));
 * let x = randn([8, 16]);
 * for (const block of blocks) x = checkpoint((h) => block.forward(h), x);
 * x.sum().backward();
 * console.log(blocks[0].parameters()[0].grad?.shape); // [16, 16]
 */
export function checkpoint<Inputs extends readonly unknown[], T>(
    body: (...inputs: Inputs) => T,
    ...inputs: Inputs
): T {
    if (typeof body !== 'function')
        throw new TypeError(`[checkpoint] takes a function and its inputs, got ${describeValue(body)}`);
    const run = (): T => {
        const result = body(...inputs);
        if (result instanceof Promise)
            throw new TypeError('[checkpoint] takes a synchronous function, got one that returns a promise');
        return result;
    };
    if (!isGradEnabled()) return run();
    const dtype = autocastDtype();
    const { draws, body: first } = noteDraws(run);
    const again = (): T => autocast(dtype, () => repeatDraws(draws, run));
    const tensors = inputs.filter((x) => x instanceof Tensor);
    return RecomputedStretch.run(tensors, first, again);
}
