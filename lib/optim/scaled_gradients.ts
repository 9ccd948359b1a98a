import { keep } from '../tensor/lifetime.js';
import type { Tensor } from '../tensor/tensor.js';
import { alignGradient, type Optimizer } from './optimizer.js';

/** Operands of a call are at most 128: gradients, and what stands beside them. */
const gradientsPerCall = 120;

/** @internal Gradients as the kernels walk them, without gaps; those that are not are laid out anew. */
export function scaledGradients(method: string, optimizer: Optimizer): Tensor[] {
    const gradients: Tensor[] = [];
    for (const parameter of optimizer.parameters) {
        const { grad } = parameter;
        if (!grad || grad.size === 0) continue;
        const aligned = alignGradient(grad, parameter);
        if (aligned !== grad) parameter.grad = keep(aligned);
        gradients.push(aligned);
    }
    if (gradients.length > 0) return gradients;
    throw new Error(`[GradScaler] ${method}() found no gradients; call scaler.scale(loss).backward() first`);
}

/** @internal In shares that one call takes. */
export function eachCall(gradients: readonly Tensor[], body: (share: readonly Tensor[]) => void): void {
    for (let first = 0; first < gradients.length; first += gradientsPerCall)
        body(gradients.slice(first, first + gradientsPerCall));
}
