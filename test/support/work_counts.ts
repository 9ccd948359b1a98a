import { native, type WorkCounts } from '../../lib/native/addon.js';
import { deviceCode } from '../../lib/tensor/device.js';

/** What the process has asked of the GPUs while `body` ran. */
export async function asked(body: () => unknown): Promise<WorkCounts> {
    const code = deviceCode('test', 'cuda');
    const before = native.workCounts(code);
    await body();
    const after = native.workCounts(code);
    const since = (name: keyof WorkCounts): number => after[name] - before[name];
    return {
        hostWaits: since('hostWaits'),
        copiesFromHost: since('copiesFromHost'),
        copiesToHost: since('copiesToHost'),
        launches: since('launches'),
        graphLaunches: since('graphLaunches'),
    };
}
