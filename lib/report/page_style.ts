/** The look of every page: one column of sections, in the colours of the reader's system; no font or file from outside. */
export const PAGE_STYLE = `
:root {
    color-scheme: light dark;
    --paper: #ffffff; --panel: #f5f7fa; --text: #1f2933; --muted: #52606d; --rule: #d9dee5; --link: #1d4ed8;
    --wrong: #b91c1c; --shade: rgb(0 0 0 / 30%); --heat: 18 53 127; --heat-text: #000000; --heat-strong-text: #ffffff;
    --chart-text: #1f2933; --chart-muted: #52606d; --chart-rule: #e4e7eb; --chart-axis: #9aa5b1; --chart-heat: rgb(var(--heat));
}
@media (prefers-color-scheme: dark) {
    :root {
        --paper: #12161b; --panel: #1b2128; --text: #e6eaef; --muted: #a8b3bf; --rule: #36404b; --link: #8ab4ff;
        --wrong: #ff8a80; --shade: rgb(255 255 255 / 35%); --heat: 106 161 252; --heat-text: #ffffff; --heat-strong-text: #000000;
        --chart-text: #e6eaef; --chart-muted: #a8b3bf; --chart-rule: #2a323b; --chart-axis: #5d6976;
        --chart-series-1: #7aa7ff; --chart-series-2: #ffa15c; --chart-series-3: #4fd1a1; --chart-series-4: #e08ad6;
        --chart-series-5: #aab4c0; --chart-series-6: #5cc8dd; --chart-series-7: #ff8a80; --chart-series-8: #a8d35e;
        --chart-series-9: #b79cff; --chart-series-10: #e3b341;
    }
}
* { box-sizing: border-box; }
body {
    margin: 0 auto; max-width: 1320px; padding: 1rem clamp(0.75rem, 3vw, 2rem) 3rem;
    background: var(--paper); color: var(--text); font: 15px/1.5 system-ui, 'Segoe UI', Arial, sans-serif;
}
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0.5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 0.75rem; border-bottom: 1px solid var(--rule); padding-bottom: 0.25rem; }
a { color: var(--link); }
a:focus-visible, summary:focus-visible, [tabindex]:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -100vw; background: var(--paper); padding: 0.5rem 1rem; z-index: 1; }
.skip:focus { left: 1rem; }
.muted, figcaption, caption { color: var(--muted); }
nav ul { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; list-style: none; margin: 0.5rem 0; padding: 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: 0.75rem; margin: 1rem 0; padding: 0; }
.tiles div { background: var(--panel); border-radius: 8px; padding: 0.75rem 1rem; }
.tiles dt { color: var(--muted); font-size: 0.85rem; }
.tiles dd { margin: 0; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 25rem), 1fr)); gap: 1rem; }
figure { margin: 0; min-width: 0; background: var(--panel); border-radius: 8px; padding: 0.5rem 0.75rem 0.75rem; }
figure svg { display: block; width: 100%; height: auto; }
figcaption { font-size: 0.9rem; overflow-wrap: anywhere; }
figcaption strong { color: var(--text); }
/* A shade at the side where more lies; at either end the paper, which scrolls along, covers it. */
.scroll {
    overflow-x: auto; max-width: 100%;
    background:
        linear-gradient(to right, var(--paper) 40%, transparent) left / 2.5rem 100% no-repeat local,
        linear-gradient(to left, var(--paper) 40%, transparent) right / 2.5rem 100% no-repeat local,
        linear-gradient(to right, var(--shade), transparent) left / 0.9rem 100% no-repeat scroll,
        linear-gradient(to left, var(--shade), transparent) right / 0.9rem 100% no-repeat scroll;
}
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.92rem; }
caption { text-align: left; padding-bottom: 0.4rem; }
th, td { padding: 0.25rem 0.7rem; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th { font-weight: 600; }
thead th { border-bottom: 2px solid var(--rule); white-space: normal; vertical-align: bottom; }
.text { text-align: left; }
.wraps { white-space: normal; overflow-wrap: anywhere; }
.matrix { max-height: 85vh; overflow-y: auto; }
.matrix table { border-collapse: separate; border-spacing: 0; }
.matrix th { position: sticky; background: var(--paper); }
.matrix thead th { top: 0; }
.matrix tbody th, .matrix thead th:first-child { left: 0; max-width: 9rem; white-space: normal; overflow-wrap: break-word; }
.matrix thead th:first-child { z-index: 1; }
td.heat { background: rgb(var(--heat) / calc(var(--share) * 1%)); color: var(--heat-text); text-align: center; min-width: 3rem; }
td.heat.strong { color: var(--heat-strong-text); }
td.heat.right { font-weight: 700; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr)); gap: 0.75rem; list-style: none; padding: 0; }
.pictures li { background: var(--panel); border-radius: 8px; padding: 0.5rem; font-size: 0.85rem; }
.pictures img { display: block; width: 100%; height: auto; image-rendering: pixelated; background: #ffffff; border: 1px solid var(--rule); }
.pictures b { color: var(--wrong); }
details > summary { cursor: pointer; color: var(--link); margin: 0.5rem 0; }
@media print { nav, .skip { display: none; } section { break-inside: avoid; } }
`;
