// The report's style sheet: light and dark by the reader's preference, print friendly, no external fonts.
#pragma once

namespace retort::host {

inline constexpr const char* report_style = R"css(
:root { color-scheme: light dark; --page: #fbfaf8; --card: #ffffff; --ink: #1d2127; --soft: #5c6470; --rule: #e3e1dc;
  --accent: #1f6f78; --wash: #eef4f4; --bad: #b3372f;
  --s0: #1f6f78; --s1: #d2691e; --s2: #5a55c9; --s3: #a8326b; --s4: #6b8e23; --s5: #8a6d3b; }
@media (prefers-color-scheme: dark) { :root { --page: #14171b; --card: #1b1f24; --ink: #e7e6e2; --soft: #9aa3ae;
  --rule: #2e343b; --accent: #63c2cc; --wash: #1d2b2e; --bad: #f0857c;
  --s0: #63c2cc; --s1: #f0a05a; --s2: #a29dff; --s3: #ee86b7; --s4: #b2d06a; --s5: #d3b67e; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 48px 28px 80px; }
h1 { font-size: 34px; line-height: 1.15; letter-spacing: -0.02em; margin: 0 0 6px; font-weight: 650; }
h2 { font-size: 20px; letter-spacing: -0.01em; margin: 52px 0 14px; padding-top: 18px; border-top: 1px solid var(--rule); }
h3 { font-size: 15px; margin: 22px 0 8px; }
p { margin: 0 0 10px; max-width: 72ch; }
.soft, .source { color: var(--soft); }
.source { font-size: 12.5px; margin-top: 8px; }
code, pre, .mono { font-family: ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", monospace; font-size: 0.875em; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: 14px; margin: 28px 0 0; }
.tile, .card { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 16px 18px; }
.tile b { display: block; font-size: 28px; line-height: 1.2; font-weight: 620; letter-spacing: -0.02em;
  font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13.5px; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 18px; }
.curves { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 14px; }
.card h3 { margin: 0 0 8px; font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14.5px; font-variant-numeric: tabular-nums; }
th { text-align: left; color: var(--soft); font-weight: 550; font-size: 13px; border-bottom: 1px solid var(--rule); }
th, td { padding: 8px 14px 8px 0; vertical-align: top; }
td { border-bottom: 1px solid var(--rule); overflow-wrap: anywhere; }
tr:last-child td { border-bottom: 0; }
.number { text-align: right; white-space: nowrap; }
tr.final td { background: var(--wash); font-weight: 600; }
.state { display: inline-block; padding: 1px 9px; border-radius: 99px; background: var(--wash); color: var(--accent); font-size: 13px; }
.state.failed, .state.interrupted, .state.killed { color: var(--bad); }
.error { color: var(--bad); white-space: pre-wrap; }
details { margin: 10px 0; }
summary { cursor: pointer; color: var(--accent); font-weight: 550; }
pre { overflow: auto; max-height: 520px; background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 16px; line-height: 1.45; }
svg { display: block; width: 100%; height: auto; font: 12px system-ui, sans-serif; }
svg text { fill: var(--soft); }
svg .name, svg .value { fill: var(--ink); font-size: 12.5px; paint-order: stroke; stroke: var(--card); stroke-width: 3px; }
svg .title { font-size: 12px; }
.grid { stroke: var(--rule); stroke-width: 1; }
.axis, .whisker { stroke: var(--soft); stroke-width: 1.2; }
.curve { fill: none; stroke: var(--s0); stroke-width: 1.6; stroke-linejoin: round; }
.limit { stroke: var(--bad); stroke-width: 1.2; stroke-dasharray: 4 4; }
.faint { fill: var(--soft); opacity: 0.6; }
.dot { stroke: var(--card); stroke-width: 2; }
.s0 { fill: var(--s0); } .s1 { fill: var(--s1); } .s2 { fill: var(--s2); } .s3 { fill: var(--s3); } .s4 { fill: var(--s4); } .s5 { fill: var(--s5); }
@media print { main { padding: 0; } details { display: block; } .card, .tile { break-inside: avoid; } }
)css";

}  // namespace retort::host
