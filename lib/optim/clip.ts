import { noGrad } from '../autograd/grad_mode.js';
import { run, unaryCode } from '../native/call.js';
import { cast } from '../ops/convert.js';
import { zeros } from '../ops/create.js';
import { binaryKernel, reduceKernel, unaryKernel } from '../ops/kernels.js';
import { mul_ } from '../ops/in_place.js';
import { scope } from '../autograd/scope.js';
import { describeValue } from '../support/describe_value.js';
import { requireTensor } from '../tensor/require_tensor.js';
import { promote, type DType } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';

export interface ClipGradNormOptions {
    /** Order of the norm, Infinity for the largest magnitude. Default: 2. */
    readonly order?: number;
    /** Throw when the total norm is NaN or infinite, before any gradient is changed. Default: false. */
    readonly errorIfNonfinite?: boolean;
}

function gradientsOf(op: string, parameters: Iterable<Tensor> | Tensor): Tensor[] {
    if (typeof parameters !== 'object' || parameters === null)
        throw new TypeError(`[${op}] expected model.parameters(), got ${describeValue(parameters)}`);
    // A tensor can be iterated over, too: its entries are no parameters.
    const list =
        parameters instanceof Tensor || !(Symbol.iterator in parameters) ? [parameters] : [...parameters];
    for (const parameter of list) requireTensor(op, parameter, 'a parameter');
    const gradients = list.map((parameter) => parameter.grad).filter((gradient) => gradient !== null);
    if (gradients.some((gradient) => gradient.isDisposed)) throw new Error(`[${op}] a gradient was disposed`);
    return gradients;
}

const allAxes = (x: Tensor): number[] => x.shape.map((_, axis) => axis);

/** sum |x|^order, or max |x|; 0-d. */
function power(x: Tensor, order: number): Tensor {
    if (order === 2) return reduceKernel('sum', unaryKernel('square', x), allAxes(x), false);
    const magnitude = unaryKernel('abs', x);
    if (order === Infinity) return reduceKernel('max', magnitude, allAxes(x), false);
    const powers = order === 1 ? magnitude : binaryKernel('pow', magnitude, order, x.dtype);
    return reduceKernel('sum', powers, allAxes(x), false);
}

function totalNorm(gradients: readonly Tensor[], order: number, dtype: DType): Tensor {
    let total: Tensor | null = null;
    for (const gradient of gradients) {
        if (gradient.size === 0) continue;
        const part = cast(power(gradient, order), dtype);
        total = total ? binaryKernel(order === Infinity ? 'maximum' : 'add', total, part, dtype) : part;
    }
    if (!total) return zeros([], { dtype });
    if (order === 2) return unaryKernel('sqrt', total);
    return order === 1 || order === Infinity ? total : binaryKernel('pow', total, 1 / order, dtype);
}

/**
 * Scales all gradients by one factor so that their norm, taken over all of them together, is at most `maxNorm`:
 * g *= min(1, maxNorm / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_. Returns the norm before, a 0-d tensor.
 *
 * @throws RangeError for a limit or order out of range; Error for a norm that is not finite, where asked.
 * @example
 * import { nn, ones, optim } from 'nativegrad';
 * const model = new nn.Linear(4, 1);
 * model.forward(ones([2, 4])).sum().backward();
 * const norm = optim.clipGradNorm(model.parameters(), 1);
 * console.log(norm.item() > 1); // true
 */
export function clipGradNorm(
    parameters: Iterable<Tensor> | Tensor,
    maxNorm: number,
    options: ClipGradNormOptions = {},
): Tensor {
    const order = options.order ?? 2;
    if (!(maxNorm >= 0)) throw new RangeError(`[clipGradNorm] maxNorm must be at least 0, got ${maxNorm}`);
    if (!(order > 0)) throw new RangeError(`[clipGradNorm] order must be above 0, got ${order}`);
    const gradients = gradientsOf('clipGradNorm', parameters);
    const dtype = gradients.map((x) => x.dtype).reduce(promote, gradients[0]?.dtype ?? 'float32');
    return scope(() =>
        noGrad(() => {
            const total = totalNorm(gradients, order, dtype);
            if (options.errorIfNonfinite && !Number.isFinite(total.item())) {
                throw new Error(
                    `[clipGradNorm] the norm of the gradients is ${total.item()}; lower the learning rate or look for ` +
                        'the first NaN with detectAnomaly()',
                );
            }
            const ratio = binaryKernel('div', maxNorm, binaryKernel('add', total, 1e-6, dtype), dtype);
            // Always multiplied, so that the norm need not be read back; by 1 where nothing is to be clipped.
            const factor = unaryKernel('clamp', ratio, dtype, -Infinity, 1);
            for (const gradient of gradients) mul_(gradient, factor);
            return total;
        }),
    );
}

/**
 * Limits every element of every gradient to [-limit, limit]; NaN stays.
 *
 * @example
 * import { nn, ones, optim } from 'nativegrad';
 * const model = new nn.Linear(4, 1);
 * model.forward(ones([2, 4])).sum().backward();
 * optim.clipGradValue(model.parameters(), 0.5);
 */
export function clipGradValue(parameters: Iterable<Tensor> | Tensor, limit: number): void {
    if (!(limit >= 0)) throw new RangeError(`[clipGradValue] limit must be at least 0, got ${limit}`);
    for (const gradient of gradientsOf('clipGradValue', parameters)) {
        run('unary', [gradient], [gradient], [unaryCode('clamp'), -limit, limit], 'clipGradValue');
        gradient.version.value++;
    }
}
