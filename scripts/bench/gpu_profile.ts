import { capture, cuda, type Device, type ProgramCall, zeros, type Tensor } from '../../lib/index.js';
import { run } from '../../lib/native/call.js';
import type { BenchContext, Benchmark } from './benchmark.js';
import { print } from './measure.js';

const isSimulated = (device: Device): boolean => cuda.deviceInfo(device).name.startsWith('Simulated');

/** Bytes a second that the GPU's memory reaches in a large copy, each byte counted as read and as written. */
export function copyBandwidth(device: Device): number {
    const size = isSimulated(device) ? 1 << 16 : 1 << 28;
    const [from, to] = [zeros([size], { device }), zeros([size], { device })];
    const copy = capture((x: Tensor) => {
        run('copy', [from], [to]);
        return x;
    });
    const seconds = copy.profile(20, zeros([], { device }))[0].milliseconds / 1000;
    from.dispose();
    to.dispose();
    return (2 * 4 * size) / seconds;
}

/** Time, bytes a second and the share of `bandwidth` of each call, in the order of the step, with the sum. */
export function profileText(calls: readonly ProgramCall[], bandwidth: number): string {
    const cells = (milliseconds: number, bytes: number): string => {
        const rate = bytes / (milliseconds / 1000);
        return [
            (1000 * milliseconds).toFixed(2),
            (rate / 1e9).toFixed(1),
            `${((100 * rate) / bandwidth).toFixed(1)} %`,
        ]
            .map((text) => text.padStart(10))
            .join('');
    };
    const sum = (of: (call: ProgramCall) => number): number => calls.reduce((all, call) => all + of(call), 0);
    return [
        `${'us'.padStart(10)}${'GB/s'.padStart(10)}${'of copy'.padStart(10)}  call`,
        ...calls.map(
            ({ op, shapes, milliseconds, bytes }) => `${cells(milliseconds, bytes)}  ${op} ${shapes}`,
        ),
        `${cells(
            sum(({ milliseconds }) => milliseconds),
            sum(({ bytes }) => bytes),
        )}  all ${calls.length} calls, one by one`,
    ].join('\n');
}

/** Prints what the calls of each row's step take on the GPU; rows that are no captured steps are named. */
export async function profileRows(benchmarks: readonly Benchmark[], context: BenchContext): Promise<void> {
    const bandwidth = copyBandwidth(context.device ?? 'cuda');
    print(`copies on the device: ${(bandwidth / 1e9).toFixed(1)} GB/s\n`);
    for (const benchmark of benchmarks) {
        const subject = await benchmark.ours(context);
        try {
            const calls = subject.profile?.();
            print(
                calls
                    ? `${benchmark.name}\n${profileText(calls, bandwidth)}\n`
                    : `${benchmark.name}: no profile\n`,
            );
        } finally {
            await subject.close?.();
        }
    }
}
