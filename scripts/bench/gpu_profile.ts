import { cuda, type Device, type ProgramCall, zeros } from '../../lib/index.js';
import { run } from '../../lib/native/call.js';
import type { BenchContext, Benchmark, Subject } from './benchmark.js';
import { disposeAll } from './cases/calls.js';
import { repeatedSubject } from './gpu_cases/repeated.js';
import { print } from './measure.js';

const isSimulated = (device: Device): boolean => cuda.deviceInfo(device).name.startsWith('Simulated');

/** The first steps load kernels, take memory and choose algorithms. */
const WARMING_STEPS = 3;
const PROFILED_STEPS = 20;

/** What the calls of a unit of work take once it has run; undefined where that is no captured step. */
export async function warmedProfile(subject: Subject): Promise<readonly ProgramCall[] | undefined> {
    if (subject.profile === undefined) return undefined;
    await subject.run(WARMING_STEPS);
    return subject.profile(PROFILED_STEPS);
}

/** Bytes a second that the GPU's memory reaches in a large copy, each byte counted as read and as written. */
async function copyBandwidth(context: BenchContext): Promise<number> {
    const { device = 'cuda' } = context;
    const size = isSimulated(device) ? 1 << 16 : 1 << 28;
    const [from, to] = [zeros([size], { device }), zeros([size], { device })];
    const copies = repeatedSubject(context, 1, () => run('copy', [from], [to]));
    const [copy] = (await warmedProfile(copies)) ?? [];
    disposeAll([from, to]);
    return copy.bytes / (copy.milliseconds / 1000);
}

interface Repeated extends ProgramCall {
    readonly times: number;
}

/** Calls that do the same one after the other as one, with the mean of their times. */
function joinRepeated(calls: readonly ProgramCall[]): readonly Repeated[] {
    const joined: Repeated[] = [];
    for (const call of calls) {
        const last = joined.at(-1);
        if (last?.op !== call.op || last.shapes !== call.shapes || last.bytes !== call.bytes) {
            joined.push({ ...call, times: 1 });
            continue;
        }
        const times = last.times + 1;
        const milliseconds = last.milliseconds + (call.milliseconds - last.milliseconds) / times;
        joined[joined.length - 1] = { ...last, times, milliseconds };
    }
    return joined;
}

/**
 * Time, bytes, bytes a second and the share of `bandwidth` of each call, in the order of the step, with the sum and the rate of the
 * step's operations.
 */
export function profileText(
    calls: readonly ProgramCall[],
    bandwidth: number,
    flops: number | null = null,
): string {
    const cells = (milliseconds: number, bytes: number): string => {
        const rate = bytes / (milliseconds / 1000);
        return [
            (1000 * milliseconds).toFixed(2),
            (bytes / 1e6).toFixed(3),
            (rate / 1e9).toFixed(1),
            `${((100 * rate) / bandwidth).toFixed(1)} %`,
        ]
            .map((text) => text.padStart(10))
            .join('');
    };
    const sum = (of: (call: ProgramCall) => number): number => calls.reduce((all, call) => all + of(call), 0);
    const milliseconds = sum((call) => call.milliseconds);
    const rate = flops === null ? '' : `, ${(flops / 1e6 / milliseconds).toFixed(1)} GFLOP/s`;
    return [
        `${['us', 'MB', 'GB/s', 'of copy'].map((title) => title.padStart(10)).join('')}  call`,
        ...joinRepeated(calls).map(
            ({ op, shapes, times, milliseconds, bytes }) =>
                `${cells(milliseconds, bytes)}  ${times > 1 ? `${times} times ` : ''}${op} ${shapes}`,
        ),
        `${cells(
            milliseconds,
            sum(({ bytes }) => bytes),
        )}  all ${calls.length} calls, one by one${rate}`,
    ].join('\n');
}

/** Prints what the calls of each row's step take on the GPU; rows that are no captured steps are named. */
export async function profileRows(benchmarks: readonly Benchmark[], context: BenchContext): Promise<void> {
    const bandwidth = await copyBandwidth(context);
    print(`copies on the device: ${(bandwidth / 1e9).toFixed(1)} GB/s\n`);
    for (const benchmark of benchmarks) {
        const subject = await benchmark.ours(context);
        try {
            const calls = await warmedProfile(subject);
            print(
                calls
                    ? `${benchmark.name}\n${profileText(calls, bandwidth, benchmark.flops)}\n`
                    : `${benchmark.name}: no profile\n`,
            );
        } finally {
            await subject.close?.();
        }
    }
}
