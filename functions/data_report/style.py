"""The page's style sheet, and the policy under which a browser shows the page."""

from __future__ import annotations

import base64
import hashlib

STYLE = """
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b1f24;--soft:#57606a;--line:#dfe3e8;
--fill:#eef1f5;--accent:#2457c5;--bar:#7c9fe6;--good:#166b3f;--goodbg:#e2f4e9;--warn:#8a4b00;
--warnbg:#fdf0d9;--bad:#b3261e;--badbg:#fce8e6;--badbar:#dd6b63}
@media(prefers-color-scheme:dark){:root{--bg:#111418;--card:#1a1e24;--ink:#e7eaee;--soft:#a3adb9;
--line:#303741;--fill:#242a32;--accent:#8db4ff;--bar:#5479c9;--good:#6bd69a;--goodbg:#15301f;
--warn:#f2b75c;--warnbg:#38290f;--bad:#ff9389;--badbg:#3d1b19;--badbar:#c9564e}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main,header,footer{max-width:66rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:2rem}
footer{padding:1.5rem 1.25rem 3rem;color:var(--soft);font-size:.875rem}
h1{font-size:1.75rem;line-height:1.25;margin:.1rem 0 .6rem;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:0 0 .35rem}
h3{font-size:1rem;margin:1.1rem 0 0;overflow-wrap:anywhere}
p{margin:.35rem 0 .75rem;max-width:46rem;overflow-wrap:anywhere}
a{color:var(--accent)}
section{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:1.25rem;
margin:1rem 0}
.over{color:var(--soft);margin:0;font-size:.9375rem}
.say{font-size:1.1875rem;line-height:1.45;margin:.5rem 0 1rem}
.soft{color:var(--soft)}
small,.small{font-size:.875rem}
code,pre,.m{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;
font-size:.875em}
code{background:var(--fill);border-radius:4px;padding:.1em .3em;overflow-wrap:anywhere}
pre{background:var(--fill);border-radius:8px;padding:.7rem .8rem;margin:.4rem 0;
white-space:pre-wrap;overflow-wrap:anywhere}
.x{color:var(--bad);background:var(--badbg);border-radius:3px;padding:0 .15em;font-size:.9em}
.pill{display:inline-block;border-radius:99px;padding:.1rem .65rem;font-size:.875rem;
font-weight:600;white-space:nowrap}
.good{color:var(--good);background:var(--goodbg)}.warn{color:var(--warn);background:var(--warnbg)}
.bad{color:var(--bad);background:var(--badbg)}.plain{color:var(--soft);background:var(--fill)}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1rem;padding:0;margin:1rem 0 0;
font-size:.9375rem}
.tiles{display:grid;grid-template-columns:repeat(4,1fr);gap:.75rem;margin:0 0 1rem}
.tiles>div{background:var(--fill);border-radius:10px;padding:.7rem .9rem;display:flex;
flex-direction:column-reverse;justify-content:flex-end}
.tiles dt{color:var(--soft);font-size:.875rem}
.tiles dd{margin:0;font-size:1.6rem;line-height:1.25;font-weight:650;
font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.facts{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.25rem;margin:.5rem 0 0}
.facts dt{color:var(--soft)}.facts dd{margin:0;min-width:0;overflow-wrap:anywhere}
svg{display:block;width:100%;overflow:visible}
svg text{font:600 13px system-ui,sans-serif;fill:var(--ink)}
.track{fill:var(--fill)}.bar{fill:var(--bar)}.badbar{fill:var(--badbar)}.mark{fill:var(--ink)}
.thin{fill:var(--bar);opacity:.45}
.limit{height:56px;margin:.25rem 0 0}.share{height:.5rem}
.hist{height:3.75rem}.box{height:.75rem;margin-top:.2rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9375rem}
caption{text-align:left;color:var(--soft);padding:0 0 .35rem;font-size:.875rem}
th,td{text-align:left;vertical-align:top;padding:.45rem .7rem .45rem 0;
border-bottom:1px solid var(--line);overflow-wrap:anywhere}
tr:last-child>*{border-bottom:0}
thead th,thead td{color:var(--soft);font-weight:600;font-size:.875rem;vertical-align:bottom}
tbody th{font-weight:600;min-width:7rem}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
thead th{overflow-wrap:normal}
td.w{width:7rem}td.w svg{margin-top:.5rem}td.q{min-width:7rem}td.r{width:38%}
.k{white-space:nowrap}.p{width:4.5rem}.v{width:36%}
details{margin:.35rem 0}
summary{cursor:pointer;color:var(--accent)}
.ex{border-top:1px solid var(--line);margin:0;padding:.55rem 0}
.ex>summary{color:var(--ink);font-weight:600}
.ex table{margin:.35rem 0 .2rem}
.ex details{margin:.15rem 0 0}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(19rem,100%),1fr));gap:.9rem;
margin-top:.75rem}
.card{border:1px solid var(--line);border-radius:10px;padding:.85rem .95rem;min-width:0}
.card h3{margin:0}
.card header{padding:0;max-width:none;margin:0 0 .5rem;display:flex;flex-wrap:wrap;gap:.2rem .6rem;
justify-content:space-between;align-items:baseline}
.card dl{display:grid;grid-template-columns:auto 1fr;gap:.05rem .9rem;margin:0 0 .6rem;
font-size:.875rem}
.card dt{color:var(--soft)}.card dd{margin:0;text-align:right;font-variant-numeric:tabular-nums;
min-width:0;overflow-wrap:anywhere}
.card table{font-size:.875rem}.card th,.card td{padding:.15rem .5rem .15rem 0;border:0}
.card td.w{width:32%}.card td.w svg{margin-top:.4rem}
.axis{display:flex;justify-content:space-between;font-size:.8125rem;color:var(--soft);
font-variant-numeric:tabular-nums;margin-bottom:.3rem}
.chips{display:flex;flex-wrap:wrap;gap:.35rem;padding:0;margin:.2rem 0 .8rem;list-style:none}
.chips li{background:var(--fill);border-radius:6px;padding:.05rem .5rem;max-width:100%;
overflow-wrap:anywhere;font-size:.9375rem}
ol.do{padding-left:1.25rem;margin:.5rem 0 0}ol.do li{margin:.4rem 0}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px;border-radius:4px}
@media(max-width:42rem){
.tiles{grid-template-columns:1fr 1fr}.facts{grid-template-columns:1fr;gap:0}
.facts dd{margin-bottom:.5rem}main,header,footer{padding-left:.9rem;padding-right:.9rem}
section{padding:1rem .9rem}h1{font-size:1.375rem}.say{font-size:1.0625rem}
.stack thead{position:absolute;clip-path:inset(50%);height:1px;width:1px;overflow:hidden}
.stack tr{display:block;border-bottom:1px solid var(--line);padding:.45rem 0}
.stack tr:last-child{border:0}
.stack th,.stack td{display:block;border:0;min-width:0;padding:.1rem 0;text-align:left;width:auto;
max-width:none}
.stack td[data-l]{position:relative;padding-left:7.5rem;white-space:normal}
.stack td[data-l]::before{content:attr(data-l);color:var(--soft);position:absolute;left:0}
.stack td.w{padding-left:7.5rem}
.stack td:empty{display:none}.stack .pill{white-space:normal;border-radius:.7rem}}
@media print{:root{--bg:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#bbb;--fill:#f0f0f0}
html{font-size:9pt}body,table,.say,p{font-size:9pt}td.w{width:3rem}
section{border:0;padding:.5rem 0;margin:0}nav{display:none}
.card,tr{break-inside:avoid}h2,h3{break-after:avoid}.scroll{overflow:visible}
details::details-content{content-visibility:visible;block-size:auto}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
"""

POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'"
)
"""The page loads nothing and runs no script, whatever it contains. Only this style sheet
applies."""
