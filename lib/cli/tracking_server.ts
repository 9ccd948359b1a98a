import { mlflowSink } from '../track/mlflow/mlflow_sink.js';
import type { MlflowServer } from '../track/mlflow/mlflow_api.js';
import type { SinkMaker } from '../track/sink.js';
import { tensorboardSink } from '../track/tensorboard/tensorboard_sink.js';
import { proxyOf } from './proxy_variables.js';
import type { TrackingConfig } from './tracking_flags.js';
import { UsageError } from './usage_error.js';

/**
 * The MLflow server that flags or MLflow's own variables name, with what opens it.
 *
 * @throws {UsageError} where there is none, or none of HTTP, or the proxy that the environment names for it is none.
 */
export function mlflowServer(flag: string | undefined, environment: NodeJS.ProcessEnv): MlflowServer {
    const named = (name: string): string | undefined => {
        const value = environment[`MLFLOW_TRACKING_${name}`];
        return value === undefined || value === '' ? undefined : value;
    };
    const uri = flag ?? named('URI');
    if (uri === undefined)
        throw new UsageError(
            'which MLflow server? --tracking_uri or MLFLOW_TRACKING_URI names it, like http://127.0.0.1:5000',
        );
    if (!/^https?:\/\//i.test(uri) || !URL.canParse(uri)) {
        // It may hold a password.
        throw new UsageError(
            'MLFLOW_TRACKING_URI is no address of a server, like http://127.0.0.1:5000; nativegrad knows no other stores',
        );
    }
    const proxy = proxyOf(new URL(uri), environment);
    const [token, username, password] = [named('TOKEN'), named('USERNAME'), named('PASSWORD')];
    return {
        uri,
        ...(proxy === undefined ? {} : { proxy: proxy.href }),
        ...(token === undefined ? {} : { token }),
        ...(username === undefined ? {} : { username }),
        ...(password === undefined ? {} : { password }),
    };
}

/** Whether flags ask for an MLflow server. */
export function hasMlflow({ tracking, trackingUri }: TrackingConfig): boolean {
    return tracking.includes('mlflow') || trackingUri !== undefined;
}

/**
 * The places beside the run folder that flags ask for.
 *
 * @throws {UsageError} where MLflow is asked for, and no server named.
 */
export function sinksOf(config: TrackingConfig, environment: NodeJS.ProcessEnv): SinkMaker[] {
    const places = new Set(config.tracking);
    const sinks: SinkMaker[] = [];
    if (hasMlflow(config)) sinks.push(mlflowSink(mlflowServer(config.trackingUri, environment)));
    if (places.has('tensorboard')) sinks.push(tensorboardSink());
    return sinks;
}
