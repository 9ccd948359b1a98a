import { realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';

import type { DatasetInput, ModelRegistration } from '../records.js';
import { objectOf, type RemoteRun } from './find_run.js';
import type { MlflowApi } from './mlflow_api.js';
import { MlflowError } from './mlflow_error.js';
import type { Metric } from './pieces.js';

// MLflow refuses longer ones; the run folder keeps them whole.
const MOST_PARAM_LETTERS = 6000;
const MOST_TAG_LETTERS = 5000;
const HISTORY_PAGE = '25000';
// What MLflow's SQL stores keep for infinities.
const SQL_INFINITY = Number.MAX_VALUE;

/** Told of what the server will not have; the rest goes on. */
export type OnRefused = (text: string) => void;

/** Sends metrics; of a batch that is refused, all that is not. */
export async function sendMetrics(
    api: MlflowApi,
    { runId }: RemoteRun,
    metrics: readonly Metric[],
    onRefused: OnRefused,
): Promise<void> {
    if (metrics.length === 0) return;
    try {
        await api.post('runs/log-batch', { run_id: runId, metrics });
    } catch (error) {
        requireRefusal(error);
        const [first] = metrics;
        if (metrics.length === 1) {
            onRefused(`the metric '${first?.key ?? ''}': ${error.message}`);
            return;
        }
        const middle = metrics.length >> 1;
        for (const half of [metrics.slice(0, middle), metrics.slice(middle)]) {
            // A store without transactions may have kept a part.
            await sendMetrics(
                api,
                { runId, experimentId: '', artifactUri: '' },
                await missingMetrics(api, runId, half),
                onRefused,
            );
        }
    }
}

/** Those of the metrics that the server does not have. */
export async function missingMetrics(
    api: MlflowApi,
    runId: string,
    metrics: readonly Metric[],
): Promise<Metric[]> {
    const known = new Map<string, ReadonlySet<string>>();
    for (const { key } of metrics) if (!known.has(key)) known.set(key, await historyOf(api, runId, key));
    return metrics.filter((metric) => !known.get(metric.key)?.has(pointOf(metric)));
}

async function historyOf(api: MlflowApi, runId: string, key: string): Promise<Set<string>> {
    const points = new Set<string>();
    for (let page = ''; ;) {
        const query = { run_id: runId, metric_key: key, max_results: HISTORY_PAGE };
        const answer = await api.get(
            'metrics/get-history',
            page === '' ? query : { ...query, page_token: page },
        );
        const metrics: readonly unknown[] = Array.isArray(answer.metrics) ? answer.metrics : [];
        for (const metric of metrics) points.add(pointOf(objectOf(metric)));
        const next = answer.next_page_token;
        if (typeof next !== 'string' || next === '' || next === page) return points;
        page = next;
    }
}

/** A point as a text, the same for what was sent and for what a store has made of it. */
function pointOf({
    step,
    timestamp,
    value,
}: {
    step?: unknown;
    timestamp?: unknown;
    value?: unknown;
}): string {
    const number = Number(value);
    const kept = Math.abs(number) === Infinity ? Math.sign(number) * SQL_INFINITY : number;
    return `${Number(step ?? 0)} ${Number(timestamp)} ${kept}`;
}

/** The tag that has a parameter's newest value, where that is another than its first one. */
const PARAM_TAG = 'nativegrad.params.';

/** Sends parameters. A value can be given once: one that differs from what the server has becomes a tag, and is told. */
export async function sendParams(
    api: MlflowApi,
    run: RemoteRun,
    params: Readonly<Record<string, string>>,
    onRefused: OnRefused,
): Promise<void> {
    const known = await knownParams(api, run.runId);
    const fresh: { key: string; value: string }[] = [];
    const changed = new Map<string, string>();
    const refusals: string[] = [];
    for (const [key, text] of Object.entries(params)) {
        const value = text.slice(0, MOST_PARAM_LETTERS);
        const first = known.params.get(key);
        const tag = PARAM_TAG + key;
        const asTag = value.slice(0, MOST_TAG_LETTERS);
        if (first === undefined) fresh.push({ key, value });
        else if ((known.tags.get(tag) ?? first.slice(0, MOST_TAG_LETTERS)) !== asTag) {
            changed.set(tag, value);
            if (value !== first)
                refusals.push(
                    `another value of the parameter '${key}', which stays ${shown(first)} there; the tag '${tag}' has the new one, ${shown(value)}`,
                );
        }
    }
    await sendEach(api, run.runId, 'params', fresh, onRefused);
    await sendTags(api, run, changed, onRefused);
    refusals.forEach(onRefused);
}

const MOST_SHOWN = 60;

function shown(value: string): string {
    return JSON.stringify(value.length > MOST_SHOWN ? `${value.slice(0, MOST_SHOWN - 1)}…` : value);
}

interface KnownOfRun {
    readonly params: ReadonlyMap<string, string>;
    readonly tags: ReadonlyMap<string, string>;
}

async function knownParams(api: MlflowApi, runId: string): Promise<KnownOfRun> {
    const { run } = await api.get('runs/get', { run_id: runId });
    const { params, tags } = objectOf(objectOf(run).data);
    return { params: entriesOf(params), tags: entriesOf(tags) };
}

/** A list of `key` and `value` in an answer. */
function entriesOf(list: unknown): Map<string, string> {
    const entries = (Array.isArray(list) ? list : []).map((entry): [string, string] => {
        const { key, value } = objectOf(entry);
        return [String(key), typeof value === 'string' ? value : ''];
    });
    return new Map(entries);
}

export function sendTags(
    api: MlflowApi,
    { runId }: RemoteRun,
    tags: ReadonlyMap<string, string>,
    onRefused: OnRefused,
): Promise<void> {
    const entries = [...tags].map(([key, value]) => ({ key, value: value.slice(0, MOST_TAG_LETTERS) }));
    return sendEach(api, runId, 'tags', entries, onRefused);
}

/** All at once; where that is refused, one by one. Sending one again changes nothing. */
async function sendEach(
    api: MlflowApi,
    runId: string,
    kind: 'params' | 'tags',
    entries: readonly { key: string; value: string }[],
    onRefused: OnRefused,
): Promise<void> {
    if (entries.length === 0) return;
    try {
        await api.post('runs/log-batch', { run_id: runId, [kind]: entries });
    } catch (error) {
        requireRefusal(error);
        if (entries.length === 1) {
            onRefused(
                `the ${kind === 'tags' ? 'tag' : 'parameter'} '${entries[0]?.key ?? ''}': ${error.message}`,
            );
            return;
        }
        for (const entry of entries) await sendEach(api, runId, kind, [entry], onRefused);
    }
}

export async function sendInput(api: MlflowApi, { runId }: RemoteRun, input: DatasetInput): Promise<void> {
    const { name, digest, source, sourceType = 'local', context, profile } = input;
    const dataset = {
        name,
        digest,
        source_type: sourceType,
        source: JSON.stringify({ uri: source }),
        ...(profile === undefined ? {} : { profile: JSON.stringify(profile) }),
    };
    const tags = context === undefined ? [] : [{ key: 'mlflow.data.context', value: context }];
    await api.post('runs/log-inputs', { run_id: runId, datasets: [{ tags, dataset }] });
}

/**
 * Sends a file through the server; sending it again replaces it. One that can never be sent is told.
 *
 * @throws {MlflowError} where the server does not take it.
 */
export async function sendArtifact(
    api: MlflowApi,
    run: RemoteRun,
    folder: string,
    { file, path }: { readonly file: string; readonly path: string },
    onRefused: OnRefused,
): Promise<void> {
    const place = artifactPlace(run, api.uri);
    if (place === undefined) {
        onRefused(
            `files, which it keeps at ${run.artifactUri || 'no place'}, not through the server; they stay in ${folder}`,
        );
        return;
    }
    let source: string;
    try {
        source = await placeInside(folder, file);
    } catch (error) {
        const isGone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
        if (!isGone) requireRefusal(error);
        onRefused(
            `the file ${path}: ${isGone ? 'it is no longer in the run folder' : (error as Error).message}`,
        );
        return;
    }
    await api.putArtifact(`${place}/${path}`, source);
}

/** Path behind the server's artifact proxy; undefined where the run's files are elsewhere. */
function artifactPlace({ artifactUri }: RemoteRun, server: string): string | undefined {
    const [, path] = /^mlflow-artifacts:(?:\/\/[^/]*)?\/+(.+?)\/*$/.exec(artifactUri) ?? [];
    if (path !== undefined) return path;
    const proxy = `${server}/api/2.0/mlflow-artifacts/artifacts/`;
    return artifactUri.startsWith(proxy) ? artifactUri.slice(proxy.length).replace(/\/+$/, '') : undefined;
}

/** Makes a version of a registered model, unless this run has made it. */
export async function registerModel(
    api: MlflowApi,
    run: RemoteRun,
    { name, artifact, alias }: ModelRegistration,
): Promise<void> {
    const source = `${run.artifactUri}/${artifact}`;
    const found = await api.get('model-versions/search', { filter: `run_id='${run.runId}'` });
    const versions = (Array.isArray(found.model_versions) ? found.model_versions : []).map(objectOf);
    const own = versions.find((each) => each.name === name && each.source === source);
    const version = own ?? (await makeVersion(api, run, name, source));
    if (alias !== undefined)
        await api.post('registered-models/alias', { name, alias, version: String(version.version) });
    const history = [
        {
            run_id: run.runId,
            artifact_path: artifact,
            utc_time_created: new Date().toISOString().replace('T', ' ').replace('Z', ''),
            flavors: { nativegrad: { data: artifact } },
        },
    ];
    await sendTags(
        api,
        run,
        new Map([['mlflow.log-model.history', JSON.stringify(history)]]),
        () => undefined,
    );
}

async function makeVersion(
    api: MlflowApi,
    { runId }: RemoteRun,
    name: string,
    source: string,
): Promise<Readonly<Record<string, unknown>>> {
    try {
        await api.post('registered-models/create', { name });
    } catch (error) {
        if (!(error instanceof MlflowError) || error.code !== 'RESOURCE_ALREADY_EXISTS') throw error;
    }
    const { model_version: made } = await api.post('model-versions/create', { name, source, run_id: runId });
    return objectOf(made);
}

/** Throws what is no refusal; a run that is gone takes nothing more. */
export function requireRefusal(error: unknown): asserts error is MlflowError {
    if (!(error instanceof MlflowError) || error.kind !== 'refused') throw error;
    if (
        error.code === 'RESOURCE_DOES_NOT_EXIST' ||
        /deleted.*lifecycle|must be in the 'active'/i.test(error.message)
    )
        throw new MlflowError('closed', `the run is gone from the server: ${error.message}`, error.code);
}

/**
 * Where the file lies, links followed.
 *
 * @throws {MlflowError} 'refused' where that is outside of the folder: a folder that came from elsewhere uploads nothing else.
 */
async function placeInside(folder: string, file: string): Promise<string> {
    const [root, place] = await Promise.all([realpath(folder), realpath(join(folder, file))]);
    if (place.startsWith(root + sep)) return place;
    throw new MlflowError('refused', `${file} leads out of the run folder`);
}
