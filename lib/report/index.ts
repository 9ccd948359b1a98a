import type { RunRecord } from '../track/read_run.js';
import type { RunComparison } from './run_comparison.js';
import type { ReportData } from './training_report.js';

export { compareRuns, type RunComparison } from './run_comparison.js';
export type { ReportData, ScoredData, TrainingCourse } from './training_report.js';
export type { GreyImages } from './mistakes.js';

// Pages are loaded with the packages that they need when the first one is written.

/**
 * A run as one HTML page that needs no network: configuration, layers, curves, and what the model makes of a data set:
 * confusion matrix, figures per class, calibration, ROC and precision-recall curves, its most confident mistakes, throughput.
 * Follows the reader's light or dark colours; runs no script.
 *
 * @example
 * ```ts
 * import { report } from 'nativegrad';
 * const epochs = [{ epoch: 1, loss: 0.5, learningRate: 0.01, seconds: 2 }];
 * const page = await report.renderReport({ title: 'A run', training: { epochs, lossLabel: 'Loss' } });
 * console.log(page.includes('<h1>A run</h1>')); // true
 * ```
 */
export async function renderReport(data: ReportData): Promise<string> {
    const { reportPage } = await import('./training_report.js');
    return reportPage(data);
}

/**
 * Runs beside each other as one HTML page that needs no network: a table of their figures and differing parameters, and the
 * curves of each metric. `linkOf` gives the address of a run's own page, where it has one.
 */
export async function renderComparison(
    comparison: RunComparison,
    linkOf?: (run: RunRecord) => string | undefined,
): Promise<string> {
    const { comparisonPage } = await import('./comparison_page.js');
    return comparisonPage(comparison, linkOf);
}
