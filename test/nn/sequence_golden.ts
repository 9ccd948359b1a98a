import assert from 'node:assert/strict';
import { resolve } from 'node:path';

import { linspace, loadTensors, type nn, type Tensor } from '../../lib/index.js';

const path = resolve(import.meta.dirname, '..', 'golden', 'sequences.safetensors');

/** What scripts/reference/make_sequence_golden.py noted under `name/`, in float64. */
export async function goldenOf(name: string): Promise<Map<string, Tensor>> {
    const { tensors } = await loadTensors(path);
    const own = [...tensors].filter(([key]) => key.startsWith(`${name}/`));
    assert.ok(own.length > 0, `no golden values of ${name}`);
    return new Map(own.map(([key, x]) => [key.slice(name.length + 1), x]));
}

export function assertClose(actual: Tensor | null | undefined, expected: Tensor, what: string): void {
    assert.ok(actual, `${what} is missing`);
    assert.deepEqual(actual.shape, expected.shape, what);
    const away = actual.sub(expected).abs().div(expected.abs().add(1)).max().item();
    assert.ok(away < 1e-12, `${what} is away by ${away}`);
}

/** Runs a layer of float64 with PyTorch's weights; outputs and all gradients must be PyTorch's. */
export async function checkLayer(
    name: string,
    layer: nn.Module,
    run: (inputs: ReadonlyMap<string, Tensor>) => Readonly<Record<string, Tensor | null>>,
): Promise<void> {
    const golden = await goldenOf(name);
    const under = (prefix: string): [string, Tensor][] =>
        [...golden]
            .filter(([key]) => key.startsWith(prefix))
            .map(([key, x]) => [key.slice(prefix.length), x]);
    layer.to('float64').loadStateDict(new Map(under('weight/')));
    const inputs = new Map(under('input/'));
    for (const [key, x] of inputs) if (golden.has(`grad/${key}`)) x.requiresGrad = true;
    const outputs = run(inputs);
    const expected = new Map(under('output/'));
    assert.deepEqual(Object.keys(outputs).sort(), [...expected.keys()].sort());
    const losses = Object.entries(outputs).map(([key, output]) => {
        assertClose(output, expected.get(key)!, key);
        const { shape, size } = output!;
        return output!.mul(linspace(0.5, 1.5, size, { dtype: 'float64' }).reshape(shape)).sum();
    });
    losses.reduce((a, b) => a.add(b)).backward();
    const gradients = new Map([...layer.namedParameters(), ...inputs].map(([key, { grad }]) => [key, grad]));
    for (const [key, gradient] of under('grad/'))
        assertClose(gradients.get(key), gradient, `gradient of ${key}`);
}
