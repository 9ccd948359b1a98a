export { renderComparison } from './comparison_page.js';
export { compareRuns, type RunComparison } from './run_comparison.js';
export { renderReport, type ReportData, type ScoredData, type TrainingCourse } from './training_report.js';
export { type GreyImages } from './mistakes.js';
