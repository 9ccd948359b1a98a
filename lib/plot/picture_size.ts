// Apart from the drawing, so that the published types of the charts do not reach those of ECharts, which need a browser's.

/** In pixels. */
export interface PictureSize {
    readonly width: number;
    readonly height: number;
}
