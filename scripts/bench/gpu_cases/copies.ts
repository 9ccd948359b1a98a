import { randn, zeros } from '../../../lib/index.js';
import { run } from '../../../lib/native/call.js';
import type { Benchmark } from '../benchmark.js';
import { repeatedSubject, torchRepeated } from './repeated.js';
import type { Sizes } from './sizes.js';

/** What the memory of the GPU can do at most: each byte is read once and written once. */
export const copyRows = ({ copyMebibytes: mebibytes }: Sizes): readonly Benchmark[] => [
    {
        group: 'ceilings',
        name: `gpu_copy_${mebibytes % 1024 === 0 ? `${mebibytes / 1024}gib` : `${mebibytes}mib`}`,
        unit: 'us/call',
        scale: 1e6,
        flops: null,
        bytes: 2 * mebibytes * 2 ** 20,
        peers: { pytorch: torchRepeated(`copy(${mebibytes}, DEVICE)`) },
        ours: (context) => {
            const { device = 'cpu' } = context;
            const count = mebibytes << 18;
            const [from, to] = [randn([count], { device }), zeros([count], { device })];
            return repeatedSubject(context, 1, () => {
                run('copy', [from], [to]);
            });
        },
    },
];
