import type { EChartsOption } from 'echarts';
import type { PictureSize } from './picture_size.js';

/** Draws an ECharts option to SVG text without a browser. ECharts is loaded on the first call: it takes half a second. */
export async function renderChart(option: EChartsOption, size: PictureSize): Promise<string> {
    const echarts = await import('echarts');
    const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, ...size });
    try {
        chart.setOption({ animation: false, ...option });
        return chart.renderToSVGString();
    } finally {
        chart.dispose();
    }
}
