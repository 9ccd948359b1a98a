import type { StartRecord } from '../records.js';
import type { MlflowApi } from './mlflow_api.js';
import { MlflowError } from './mlflow_error.js';

/** The tag by which a run is found again. */
export const RUN_ID_TAG = 'nativegrad.run_id';

/** A run on the server. */
export interface RemoteRun {
    readonly runId: string;
    readonly experimentId: string;
    /** Such as `mlflow-artifacts:/1/<run>/artifacts`. */
    readonly artifactUri: string;
}

/** The experiment of that name, made where there is none. */
export async function experimentId(api: MlflowApi, name: string): Promise<string> {
    const found = await experimentByName(api, name);
    if (found !== undefined) return found;
    try {
        const { experiment_id: id } = await api.post('experiments/create', { name });
        if (typeof id === 'string') return id;
        throw new MlflowError('closed', 'experiments/create gave no experiment_id');
    } catch (error) {
        // Somebody else has made it meanwhile, or an answer was lost.
        if (!(error instanceof MlflowError) || error.code !== 'RESOURCE_ALREADY_EXISTS') throw error;
    }
    const made = await experimentByName(api, name);
    if (made !== undefined) return made;
    throw new MlflowError('closed', `the experiment '${name}' is there, but not to be found`);
}

async function experimentByName(api: MlflowApi, name: string): Promise<string | undefined> {
    try {
        const { experiment } = await api.get('experiments/get-by-name', { experiment_name: name });
        const { experiment_id: id, lifecycle_stage: stage } = objectOf(experiment);
        if (stage === 'deleted')
            throw new MlflowError(
                'closed',
                `the experiment '${name}' was deleted: restore it, or name another`,
            );
        return typeof id === 'string' ? id : undefined;
    } catch (error) {
        if (error instanceof MlflowError && error.code === 'RESOURCE_DOES_NOT_EXIST') return undefined;
        throw error;
    }
}

/** The run of our id in an experiment, found by its tag. */
export async function findRun(
    api: MlflowApi,
    experiment: string,
    id: string,
): Promise<RemoteRun | undefined> {
    const { runs } = await api.post('runs/search', {
        experiment_ids: [experiment],
        filter: `tags.\`${RUN_ID_TAG}\` = '${id}'`,
        max_results: 1,
    });
    return Array.isArray(runs) && runs.length > 0 ? remoteRun(runs[0]) : undefined;
}

/** Makes the run; an earlier try whose answer was lost must have been looked for before. */
export async function createRun(
    api: MlflowApi,
    experiment: string,
    start: StartRecord,
    parentRunId: string | undefined,
): Promise<RemoteRun> {
    const tags = [
        { key: RUN_ID_TAG, value: start.id },
        { key: 'mlflow.runName', value: start.name },
        ...(parentRunId === undefined ? [] : [{ key: 'mlflow.parentRunId', value: parentRunId }]),
    ];
    const body = { experiment_id: experiment, run_name: start.name, start_time: start.time, tags };
    const { run } = await api.post('runs/create', body);
    return remoteRun(run);
}

function remoteRun(run: unknown): RemoteRun {
    const {
        run_id: runId,
        experiment_id: experiment,
        artifact_uri: artifacts,
    } = objectOf(objectOf(run).info);
    if (typeof runId === 'string' && typeof experiment === 'string')
        return {
            runId,
            experimentId: experiment,
            artifactUri: typeof artifacts === 'string' ? artifacts : '',
        };
    throw new MlflowError('closed', 'the server tells of a run without run_id and experiment_id');
}

/** An object of an answer; an empty one where it is none. */
export function objectOf(value: unknown): Readonly<Record<string, unknown>> {
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
