/** The style of the page: light or dark as set in the reader's system, one column on a narrow page, plain on paper. */
export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --page: #f4f5f7; --card: #ffffff; --text: #1a1f26; --muted: #56606c; --line: #d5dae1; --soft: #eceff3;
  --good: #13703a; --good-soft: #dff3e6; --warn: #8a5300; --warn-soft: #fdf0d5; --bad: #b3151f; --bad-soft: #fde4e4;
  --disk: #0b62c4; --logical: #a9c8ef; --pin: #7a3fb5; --pin-soft: #efe4fb;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #0e1217; --card: #161b22; --text: #e7eaef; --muted: #a0abb8; --line: #2d3641; --soft: #202731;
    --good: #57cc7f; --good-soft: #12331f; --warn: #e8b04b; --warn-soft: #38290b; --bad: #ff8a84; --bad-soft: #431a1c;
    --disk: #5aa9ff; --logical: #2b4a70; --pin: #cda2ff; --pin-soft: #33214a;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; padding: 32px 20px 48px; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  overflow-wrap: anywhere;
}
main, header, footer { max-width: 1120px; margin: 0 auto; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 4px; font-weight: 650; letter-spacing: -0.01em; }
h2 { font-size: 17px; margin: 0 0 12px; font-weight: 650; }
h3 { font-size: 14px; margin: 0 0 8px; font-weight: 600; display: flex; justify-content: space-between; gap: 12px; }
h3 small { font-weight: 400; }
p { margin: 0 0 8px; }
small { font-size: 12.5px; color: var(--muted); }
code { font: 12.5px/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; }
section > p:last-child { margin-bottom: 0; }
.muted, .note { color: var(--muted); }
.note { font-size: 13.5px; margin: 10px 0 0; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 20px 22px; margin-top: 18px; }
.tiles { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 12px; margin-top: 18px; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; }
.tile .name { color: var(--muted); font-size: 13px; }
.tile .value { font-size: 21px; line-height: 1.3; font-weight: 650; font-variant-numeric: tabular-nums; }
.tile .more { color: var(--muted); font-size: 13px; }
.tile .value.good { color: var(--good); } .tile .value.warn { color: var(--warn); } .tile .value.bad { color: var(--bad); }
.attention { list-style: none; margin: 0; padding: 0; display: grid; gap: 8px; }
.attention li { border-left: 4px solid; border-radius: 4px; padding: 8px 12px; }
.attention .bad { border-color: var(--bad); background: var(--bad-soft); }
.attention .warn { border-color: var(--warn); background: var(--warn-soft); }
.attention .good { border-color: var(--good); background: var(--good-soft); }
.attention b { font-weight: 600; }
.two { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 28px; }
svg { display: block; overflow: visible; }
svg .good { fill: var(--good); } svg .bad { fill: var(--bad); }
svg .open { fill: var(--card); stroke: var(--disk); stroke-width: 1.75; }
svg .cross { stroke: var(--bad); stroke-width: 2.5; fill: none; stroke-linecap: round; }
svg .goes { opacity: .42; }
svg .pin { fill: var(--pin); }
svg .disk { fill: var(--disk); } svg .logical { fill: var(--logical); }
svg .rule { stroke: var(--line); } svg .tick { stroke: var(--soft); }
svg text { fill: var(--muted); font-size: 12px; }
svg text.lane { fill: var(--text); font-weight: 600; }
svg .none { font-style: italic; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 10px 0 0; font-size: 13px; color: var(--muted); }
.legend span { display: inline-flex; align-items: center; gap: 6px; }
.swatch { width: 12px; height: 12px; border-radius: 2px; display: inline-block; }
.swatch.disk { background: var(--disk); } .swatch.logical { background: var(--logical); }
table { width: 100%; border-collapse: collapse; font-size: 14px; }
th { text-align: left; font-size: 12.5px; font-weight: 600; color: var(--muted); padding: 4px 10px 6px 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
td { padding: 8px 10px 8px 0; border-bottom: 1px solid var(--soft); vertical-align: top; }
td:last-child, th:last-child { padding-right: 0; }
tbody tr:last-child td { border-bottom: 0; }
.time { white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td small { display: block; line-height: 1.4; margin-top: 2px; }
td .sharebar { min-width: 90px; max-width: 240px; margin-top: 7px; background: var(--soft); border-radius: 3px; overflow: hidden; }
td.wide { min-width: 160px; }
.badge { display: inline-block; border-radius: 999px; padding: 0 9px; font-size: 12.5px; line-height: 20px; font-weight: 600; white-space: nowrap; background: var(--soft); color: var(--muted); }
.badge.good { background: var(--good-soft); color: var(--good); } .badge.warn { background: var(--warn-soft); color: var(--warn); }
.badge.bad { background: var(--bad-soft); color: var(--bad); } .badge.pinned { background: var(--pin-soft); color: var(--pin); }
details { border-top: 1px solid var(--soft); padding: 6px 0; }
summary { cursor: pointer; padding: 4px 0; font-weight: 600; }
summary .muted { font-weight: 400; }
footer { color: var(--muted); font-size: 13px; margin-top: 22px; }
@media (max-width: 760px) {
  body { padding: 20px 12px 32px; }
  h1 { font-size: 21px; }
  section { padding: 16px 14px; }
  .two { grid-template-columns: minmax(0, 1fr); gap: 22px; }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 8px; }
  .tile { padding: 11px 12px; } .tile .value { font-size: 18px; }
  .minor { display: none; }
  table, tbody, tr, td { display: block; width: 100%; }
  thead { display: none; }
  tr { border-bottom: 1px solid var(--line); padding: 8px 0; }
  tbody tr:last-child { border-bottom: 0; }
  td, td.number { display: grid; grid-template-columns: 92px minmax(0, 1fr); gap: 8px; padding: 3px 0; border: 0; text-align: left; white-space: normal; }
  td::before { content: attr(data-title); color: var(--muted); font-size: 13px; }
  td.empty { display: none; }
}
@media print {
  :root { color-scheme: light; }
  body { background: #fff; padding: 0; font-size: 12px; }
  h1 { font-size: 20px; } h2 { font-size: 15px; } .tile .value { font-size: 16px; }
  .note, .legend, .tile .name, .tile .more { font-size: 11px; }
  section, .tile { break-inside: avoid; border-color: #ccc; }
  section.long { break-inside: auto; }
  tr { break-inside: avoid; }
  table, td small, .badge, code { font-size: 9.5px; } th { white-space: normal; font-size: 9.5px; } td.wide { min-width: 0; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
