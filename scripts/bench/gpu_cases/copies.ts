import { randn, zeros } from '../../../lib/index.js';
import { run } from '../../../lib/native/call.js';
import type { Benchmark } from '../benchmark.js';
import { repeatedSubject, torchRepeated } from './repeated.js';

const MEGABYTES = 1024;

/** What the memory of the GPU can do at most: each byte is read once and written once. */
export const copies: readonly Benchmark[] = [
    {
        group: 'ceilings',
        name: 'gpu_copy_1gib',
        unit: 'us/call',
        scale: 1e6,
        flops: null,
        bytes: 2 * MEGABYTES * 2 ** 20,
        peers: { pytorch: torchRepeated(`copy(${MEGABYTES}, DEVICE)`) },
        ours: (context) => {
            const { device = 'cpu' } = context;
            const [from, to] = [randn([MEGABYTES << 18], { device }), zeros([MEGABYTES << 18], { device })];
            return repeatedSubject(context, 1, () => {
                run('copy', [from], [to]);
            });
        },
    },
];
