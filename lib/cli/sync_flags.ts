import { readFlags, switchFlag } from './flags.js';
import type { ConfigOf, RawFlags } from './flags.js';
import { foldersFlag } from './runs_flags.js';
import { addressFlag } from './tracking_flags.js';

/** Every flag of `sync`; the order is that of the help. */
export const SYNC_FLAGS = {
    folders: foldersFlag(),
    trackingUri: addressFlag(
        'address of the MLflow server (default: MLFLOW_TRACKING_URI); MLFLOW_TRACKING_TOKEN, or _USERNAME and _PASSWORD, open it',
    ),
    json: switchFlag('print one JSON array on stdout'),
} as const;

export type SyncConfig = ConfigOf<typeof SYNC_FLAGS>;

/** @throws {UsageError} naming the flag, what was expected and what came. */
export function readSyncConfig(raw: RawFlags): SyncConfig {
    return readFlags(SYNC_FLAGS, raw);
}
