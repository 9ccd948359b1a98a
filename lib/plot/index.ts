export { confusionMatrixChart, type ConfusionMatrixChart } from './confusion_matrix_chart.js';
export { imageGrid, type GridSample, type ImageGrid } from './image_grid.js';
export { lineChart, type LineChart, type LinePanel, type LineSeries } from './line_chart.js';
export { type PictureSize } from './picture_size.js';
export { renderPng } from './render_png.js';
