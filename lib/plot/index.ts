export { confusionMatrixChart, type ConfusionMatrixChart } from './confusion_matrix_chart.js';
export { imageGrid, type GridSample, type ImageGrid } from './image_grid.js';
export { lineChart, type LineChart, type LinePanel, type LineSeries } from './line_chart.js';
export { type PictureSize } from './render_chart.js';
export { renderPng } from './render_png.js';
