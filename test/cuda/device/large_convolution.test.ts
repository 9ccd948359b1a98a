import assert from 'node:assert/strict';
import {
    autocast,
    conv2d,
    manualSeed,
    nn,
    randn,
    setDefaultDevice,
    type Device,
    type Tensor,
} from '../../../lib/index.js';
import { isSimulated } from '../../support/simulator.js';

/** The largest gap between two tensors, as a share of the largest element. */
const gapOf = (actual: Tensor, expected: Tensor): number =>
    actual.to('float64').sub(expected).abs().max().item() / expected.abs().max().item();

describe('a convolution as large as that of a training', () => {
    let former: Device = 'cpu';
    before(() => (former = setDefaultDevice('cuda')));
    after(() => setDefaultDevice(former));

    /** 3 x 3 from 32 to 64 channels, forward and both gradients. */
    function run(x: Tensor, weight: Tensor, dy: Tensor, precision?: 'float16' | 'bfloat16'): Tensor[] {
        const inputs = [x, weight].map((each) => new nn.Parameter(each.detach()));
        const convolve = (): Tensor => conv2d(inputs[0], inputs[1], null, { padding: 1 });
        const y = precision ? autocast(precision, convolve) : convolve();
        y.backward(dy.to(y.dtype));
        return [y.detach(), ...inputs.map(({ grad }) => grad ?? assert.fail('no gradient'))];
    }

    for (const [precision, tolerance] of [
        ['float32', 1e-5],
        ['float16', 2e-3],
        ['bfloat16', 1.6e-2],
    ] as const)
        it(`has the numbers of float64: ${precision}`, () => {
            manualSeed(4);
            const batch = isSimulated() ? 2 : 512;
            const x = randn([batch, 32, 14, 14]);
            const weight = randn([64, 32, 3, 3]).mul(0.06);
            const dy = randn([batch, 64, 14, 14]);
            const inputs = [x, weight, dy] as const;
            const expected = run(...(inputs.map((each) => each.to('float64')) as [Tensor, Tensor, Tensor]));
            const actual = run(...inputs, precision === 'float32' ? undefined : precision);
            for (const [i, name] of ['y', 'dx', 'dw'].entries()) {
                const gap = gapOf(actual[i], expected[i]);
                assert.ok(gap < tolerance, `${name}: ${gap}`);
            }
        });
});
