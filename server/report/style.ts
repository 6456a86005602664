/** The looks of a report: light on paper, dark where the reader's system is. No character in it needs escaping in HTML. */
export const reportStyle = `
:root { --bg: #fff; --text: #1a1f26; --muted: #576270; --line: #dfe3e8; --accent: #1667c7; --before: #b3bcc7; --code: #f6f7f9; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --bg: #101418; --text: #e5e9ee; --muted: #9ba7b4; --line: #2c343d; --accent: #6fb1f5; --before: #5d6875; --code: #171c22; } }
@media print { section { break-inside: avoid-page; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--text); font: 14px/20px system-ui, sans-serif; font-variant-numeric: tabular-nums; }
main { max-width: 1040px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { margin: 4px 0 12px; font-size: 26px; line-height: 32px; overflow-wrap: anywhere; }
h2 { margin: 40px 0 12px; font-size: 17px; }
h3 { margin: 20px 0 8px; font-size: 14px; }
.lead { max-width: 72ch; font-size: 16px; line-height: 24px; }
.muted { color: var(--muted); }
.failure { padding: 12px 16px; border-left: 3px solid #b3261e; background: var(--code); overflow-wrap: anywhere; }
.numbers { display: flex; flex-wrap: wrap; gap: 16px 40px; margin: 24px 0; }
dt { color: var(--muted); font-size: 12px; }
dd { margin: 0; color: var(--muted); }
dd b { color: var(--text); font-size: 22px; line-height: 28px; }
svg { display: block; width: 100%; height: auto; margin-bottom: 16px; }
svg text { fill: var(--muted); font: 12px system-ui, sans-serif; }
svg .name { fill: var(--text); }
svg .end { text-anchor: end; }
svg .middle { text-anchor: middle; }
.grid { stroke: var(--line); }
.default { stroke: var(--muted); stroke-dasharray: 6 5; }
.curve { fill: none; stroke: var(--accent); stroke-width: 2; }
.before { fill: var(--before); }
.after { fill: var(--accent); }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: 6px 12px; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { color: var(--muted); font-size: 12px; font-weight: 500; white-space: nowrap; }
th:empty { padding: 0; border: 0; }
tr:last-child td { border-bottom: 0; }
td { overflow-wrap: anywhere; }
.number { text-align: right; white-space: nowrap; }
td:first-child { white-space: nowrap; }
td:last-child code { white-space: nowrap; }
code, pre { font: 12px/18px ui-monospace, monospace; }
pre { padding: 12px 16px; overflow-x: auto; border-radius: 8px; background: var(--code); }
`;
