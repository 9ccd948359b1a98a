export { renderReport, type ReportData, type ScoredData, type TrainingCourse } from './training_report.js';
export { type GreyImages } from './mistakes.js';
